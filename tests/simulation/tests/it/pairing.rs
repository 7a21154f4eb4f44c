//! Who is who: proposals, a person's decisions, and pairs from a file.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use sandbox::http::Service;
use sandbox::isp::{Customer, CustomerCategory, Isp, Size};
use serde_json::{Value, json};
use simulation::books;
use simulation::installation::Installation;

use crate::judge::{open, writes};

const COMPANY: CustomerCategory = CustomerCategory::Company;

/// Sage's customers, by id.
pub fn in_sage(installation: &mut Installation) -> BTreeMap<i64, Value> {
    let state = installation.world().sage.state();
    books::rows(&state, "customers")
        .iter()
        .map(|row| (row["ID"].as_i64().expect("an id"), row.clone()))
        .collect()
}

pub fn by_hand(installation: &mut Installation, fields: Value) -> i64 {
    let change = json!({"entity": "customers", "act": "create", "fields": fields});
    installation.in_sage(&change)["ID"].as_i64().expect("an id")
}

/// The page Pairing: state, Sage id and why, by Splynx id.
pub fn page(installation: &mut Installation) -> BTreeMap<i64, (String, String, String)> {
    installation
        .rows("pairing", &[])
        .into_iter()
        .map(|row| {
            let [id, _, _, state, sage, _, why] =
                <[String; 7]>::try_from(row).expect("seven columns");
            (id.parse().expect("an id"), (state, sage, why))
        })
        .collect()
}

pub fn people(isp: &Isp) -> Vec<&Customer> {
    isp.customers
        .iter()
        .filter(|c| c.category != CustomerCategory::Lead)
        .collect()
}

/// A company in Sage in which people typed customers before: one for each kind of evidence.
pub struct Taken {
    pub isp: Isp,
    pub installation: Installation,
    pub email: (i64, i64),
    pub vat: (i64, i64),
    pub number: (i64, i64),
    pub name: (i64, i64),
    pub equal: (i64, i64),
    pub several: (i64, [i64; 2]),
}

pub fn taken() -> Taken {
    let isp = Isp::seeded(Size::Small, 3);
    let mut installation = Installation::new(&isp, false);
    let persons: Vec<&Customer> = isp
        .customers
        .iter()
        .filter(|c| {
            c.category == CustomerCategory::Person && c.email.contains('@') && c.parent_id.is_none()
        })
        .collect();
    let company = isp
        .customers
        .iter()
        .find(|c| c.category == COMPANY && !c.vat_id.is_empty())
        .expect("a company");
    let [email, number, name, equal, several] = [1, 2, 3, 4, 5].map(|place| persons[place]);
    let mut make = |fields: Value| by_hand(&mut installation, fields);
    let taken = |customer: &Customer, id| (customer.id, id);
    let by_email = make(
        json!({"Name": "Typed by e-mail", "Email": email.email.to_uppercase(),
        "Active": true, "Fax": "021 555 0199", "CreditLimit": 500}),
    );
    let by_vat = make(json!({"Name": "Typed by VAT number", "TaxReference": company.vat_id}));
    let by_number = make(json!({"Name": format!("Fibre client {}, paid", number.id)}));
    let by_name =
        make(json!({"Name": name.name.trim().to_uppercase(), "Email": "other@mail.example"}));
    let equal_id = make(
        json!({"Name": equal.name.trim(), "ContactName": equal.name.trim(),
        "Email": equal.email, "Active": true}),
    );
    let first = make(json!({"Name": "First of two", "Email": several.email}));
    let second = make(json!({"Name": format!("Second {}", several.id)}));
    Taken {
        email: taken(email, by_email),
        vat: taken(company, by_vat),
        number: taken(number, by_number),
        name: taken(name, by_name),
        equal: taken(equal, equal_id),
        several: (several.id, [first, second]),
        isp,
        installation,
    }
}

/// F59, F66, F67, F29, F25, F26, F27, F28, I15, D7, D13: what may be in Sage already is not created, and nothing of it is written,
/// before a person has paired it; then the next sync updates the Sage customer.
#[test]
fn nobody_who_may_be_in_sage_is_created_or_changed_before_a_person_says_so() {
    let Taken {
        isp,
        mut installation,
        email,
        vat,
        number,
        name,
        equal,
        several,
    } = taken();
    let before = in_sage(&mut installation);
    installation.run_through("load-customers-for-pairing");
    assert_eq!(writes(&mut installation), 0, "loading only reads");
    let rows = page(&mut installation);
    assert_eq!(rows.len(), people(&isp).len(), "everybody but leads");
    for ((splynx, sage), why) in [
        (email, "same e-mail"),
        (vat, "same VAT number"),
        (number, "Splynx id in the name"),
        (name, "same name"),
        (equal, "same e-mail, same name"),
    ] {
        let expected = ("proposed".to_owned(), sage.to_string(), why.to_owned());
        assert_eq!(rows[&splynx], expected, "customer {splynx}");
    }
    assert_eq!(rows[&several.0].0, "ambiguous");
    assert_eq!(
        installation
            .rows("pairing", &[("state", "ambiguous")])
            .len(),
        1
    );

    installation.run_through("export-customers");
    let after = in_sage(&mut installation);
    for (id, customer) in &before {
        assert_eq!(&after[id], customer, "nothing was written to it");
    }
    let waiting: BTreeSet<i64> = [email.0, vat.0, number.0, name.0, several.0].into();
    assert_eq!(
        after.len(),
        before.len() + people(&isp).len() - waiting.len() - 1,
        "all but the proposed ones, and the one that is equal, were made"
    );
    let held: BTreeSet<i64> = installation
        .host()
        .storage
        .activities()
        .iter()
        .filter(|a| a.code == "pairing-proposed")
        .map(|a| a.local_id.parse().expect("an id"))
        .collect();
    assert_eq!(held, waiting);
    assert_eq!(
        page(&mut installation)[&equal.0].0,
        "paired",
        "it equals what we would send"
    );

    // Documents wait for their customer.
    installation.run_through("sync");
    let of_waiting = |installation: &mut Installation| {
        let sent = books::held(installation.world()).invoices;
        isp.invoices
            .iter()
            .filter(|i| waiting.contains(&i.customer_id))
            .filter(|i| sent.contains_key(&format!("I{}", i.id)))
            .count()
    };
    assert_eq!(of_waiting(&mut installation), 0);

    // A pair is exclusive, and an act is done for all or for none.
    let id = |id: i64| id.to_string();
    for (rows, remote, why) in [
        (
            vec![id(email.0), id(several.0)],
            String::new(),
            "several proposals",
        ),
        (
            vec![id(email.0)],
            id(equal.1),
            "is paired with Splynx customer",
        ),
        (
            vec![id(equal.0)],
            id(email.1),
            "is paired with Sage customer",
        ),
        (
            vec![id(email.0)],
            "77".to_owned(),
            "Sage has no customer 77",
        ),
        (vec![id(email.0)], "x".to_owned(), "which is a number"),
        (
            vec![id(email.0), id(vat.0)],
            id(email.1),
            "Pair one customer",
        ),
        (vec!["9999".to_owned()], String::new(), "not known here"),
    ] {
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let refused = installation
            .act("pairing", "pair", &rows, &[("remote-id", &remote)])
            .expect_err(why);
        assert!(refused.message.contains(why), "{}", refused.message);
    }
    let many: Vec<String> = [email.0, vat.0, number.0, name.0].map(id).to_vec();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    installation
        .act("pairing", "pair", &many, &[])
        .expect("each has one proposal");
    installation
        .act(
            "pairing",
            "pair",
            &[&id(several.0)],
            &[("remote-id", &id(several.1[1]))],
        )
        .expect("a person knows which");
    for (tick, setting, on) in [
        ("Active", "customer_active", false),
        (
            "AcceptsElectronicInvoices",
            "accepts_electronic_invoices",
            true,
        ),
        ("AutoAllocateToOldestInvoice", "auto_allocate_oldest", true),
        ("EnableCustomerZone", "view_invoices_online", true),
    ] {
        assert!(before[&email.1][tick] != json!(on), "{tick} is to change");
        installation.set(setting, if on { "on" } else { "off" });
    }
    installation.run_through("sync");
    let after = in_sage(&mut installation);
    let updated = &after[&email.1];
    let customer = isp.customers.iter().find(|c| c.id == email.0).expect("it");
    assert_eq!(updated["Name"], json!(customer.name.trim()));
    assert_eq!(updated["Email"], json!(customer.email));
    assert_eq!(updated["Active"], json!(false));
    for tick in [
        "AcceptsElectronicInvoices",
        "AutoAllocateToOldestInvoice",
        "EnableCustomerZone",
    ] {
        assert_eq!(updated[tick], json!(true), "{tick}");
    }
    assert_eq!(updated["Fax"], json!("021 555 0199"), "Sage's own stays");
    assert_eq!(updated["CreditLimit"], before[&email.1]["CreditLimit"]);
    assert!(
        of_waiting(&mut installation) > 0,
        "the documents went along"
    );
    assert!(open(&mut installation).is_empty());
    assert_eq!(
        after.len(),
        people(&isp).len() + 1,
        "one of the two of a kind is left over"
    );
}

/// F67: what a person parted stays parted until a person says otherwise; `create` makes it although Sage has lookalikes.
#[test]
fn who_is_unpaired_waits_for_a_person_and_create_overrules_a_proposal() {
    let Taken {
        mut installation,
        email,
        equal,
        name,
        ..
    } = taken();
    installation.run_through("export-customers");
    let count = in_sage(&mut installation).len();
    let [email_id, equal_id, name_id] = [email.0, equal.0, name.0].map(|id| id.to_string());
    installation
        .act("pairing", "unpair", &[&equal_id], &[])
        .expect("it is paired");
    let before = in_sage(&mut installation)[&equal.1].clone();
    let touch = json!({"entity": "customers", "act": "update", "id": equal.0, "fields": {"city": "Upington"}});
    installation.in_splynx(&touch);
    for _ in 0..2 {
        installation.run_through("load-customers-for-pairing");
        installation.run_through("export-customers");
        installation.advance(TimeDelta::hours(1));
    }
    assert_eq!(
        in_sage(&mut installation)[&equal.1],
        before,
        "Sage is left alone"
    );
    assert_eq!(
        page(&mut installation)[&equal.0].0,
        "proposed",
        "it is not adopted again"
    );
    let record = |installation: &mut Installation, id: i64| {
        installation
            .rows("records", &[("kind", "customer")])
            .into_iter()
            .find(|row| row[1] == id.to_string())
            .expect("it is known")
    };
    assert_eq!(record(&mut installation, equal.0)[3..5], ["held", ""]);

    installation
        .act("pairing", "create", &[&email_id, &name_id, &equal_id], &[])
        .expect("none is paired");
    installation.run_through("export-customers");
    assert_eq!(
        in_sage(&mut installation).len(),
        count + 1,
        "only the one with a name of its own: Sage's names are unique"
    );
    installation.set("make_names_unique", "on");
    installation.run_through("export-customers");
    let now = in_sage(&mut installation);
    assert_eq!(now.len(), count + 3);
    assert_eq!(now[&equal.1], before);
    for id in [&equal_id, &name_id] {
        let ending = format!(" {id}");
        assert!(
            now.values()
                .any(|c| c["Name"].as_str().is_some_and(|n| n.ends_with(&ending)))
        );
    }
    let refused = installation
        .act("pairing", "create", &[&equal_id], &[])
        .expect_err("it is paired now");
    assert!(
        refused.message.contains("Unpair it first"),
        "{}",
        refused.message
    );
}

/// F13, I6, F66: leads and customers of partners that are left out are not proposed; who is gone from either side leaves the page;
/// customers that share an address with one of ours are no proposals.
#[test]
fn proposals_follow_both_services() {
    let Taken {
        isp,
        mut installation,
        email,
        vat,
        ..
    } = taken();
    // Two Splynx customers share an address with each other, and nobody in Sage has it.
    let pair: Vec<i64> = people(&isp).iter().rev().take(2).map(|c| c.id).collect();
    for id in &pair {
        let change = json!({"entity": "customers", "act": "update", "id": id,
            "fields": {"email": "family@mail.example", "billing_email": ""}});
        installation.in_splynx(&change);
    }
    installation.run_through("export-customers");
    installation.run_through("load-customers-for-pairing");
    let rows = page(&mut installation);
    for id in &pair {
        assert_eq!(rows[id].0, "paired", "both were made");
    }
    // The bookkeeper drops one that was proposed, Splynx one that was paired.
    installation.in_sage(&json!({"entity": "customers", "act": "delete", "id": email.1}));
    installation.in_splynx(&json!({"entity": "customers", "act": "delete", "id": pair[0]}));
    installation.set("partners_ignore", "2");
    installation.run_through("load-customers-for-pairing");
    let rows = page(&mut installation);
    assert!(!rows.contains_key(&pair[0]));
    assert_eq!(rows[&email.0].0, "new");
    for customer in people(&isp).iter().filter(|c| c.id != pair[0]) {
        let shown = rows.contains_key(&customer.id);
        assert_eq!(shown, customer.partner_id != 2, "customer {}", customer.id);
    }
    let count = in_sage(&mut installation).len();
    installation.run_through("export-customers");
    assert_eq!(
        in_sage(&mut installation).len(),
        count + 1,
        "its proposal is gone"
    );
    let owed = installation.rows("records", &[("kind", "customer"), ("state", "owed")]);
    assert_eq!(owed.len(), 1, "deleted in Splynx after it was sent");
    assert_eq!(owed[0][1], pair[0].to_string());
    // Somebody else's pair is no proposal any more, and lets go who waited for it.
    installation.set("partners_ignore", "");
    let other = people(&isp)
        .iter()
        .find(|c| {
            ![email.0, vat.0].contains(&c.id) && rows.get(&c.id).is_some_and(|r| r.0 == "proposed")
        })
        .map(|c| c.id)
        .expect("another that waits");
    installation
        .act(
            "pairing",
            "pair",
            &[&other.to_string()],
            &[("remote-id", &vat.1.to_string())],
        )
        .expect("both are free");
    installation.run_through("export-customers");
    assert_eq!(
        page(&mut installation)[&vat.0].0,
        "paired",
        "it was made after all"
    );
}

/// F59, I15: who was typed into Sage after its customers were loaded is met before a new customer is made; an answer that got lost
/// makes no proposal of our own customer for another with the same address.
#[test]
fn a_new_customer_meets_what_was_typed_into_sage_meanwhile() {
    let isp = Isp::seeded(Size::Tiny, 9);
    let mut installation = Installation::new(&isp, false);
    installation.run_through("export-customers");
    let typed = by_hand(
        &mut installation,
        json!({"Name": "Typed at the desk", "Email": "new@mail.example"}),
    );
    let create = |name: &str, email: &str| {
        json!({"entity": "customers", "act": "create", "fields": {"name": name, "email": email,
            "category": "person", "partner_id": 1, "location_id": 1}})
    };
    let id_of = |made: Value| made["id"].as_i64().expect("an id");
    let new = id_of(installation.in_splynx(&create("Newcomer", "new@mail.example")));
    let twins = ["Ann Twin", "Ben Twin"]
        .map(|name| id_of(installation.in_splynx(&create(name, "twins@mail.example"))));
    let lost = json!({"faults": [
        {"service": "sage", "when": {"method": "POST", "path": "Customer/Save", "nth": 1}, "do": "drop-after"},
    ]});
    let plan = sandbox::faults::Plan::from_json(&lost).expect("a fault plan");
    installation.world().faults = sandbox::faults::FaultPlan::new(plan);
    for _ in 0..4 {
        installation.run_through("export-customers");
        installation.advance(TimeDelta::minutes(6));
    }
    let rows = page(&mut installation);
    assert_eq!(
        rows[&new],
        (
            "proposed".to_owned(),
            typed.to_string(),
            "same e-mail".to_owned()
        )
    );
    for twin in twins {
        assert_eq!(rows[&twin].0, "paired");
    }
    assert_eq!(in_sage(&mut installation).len(), isp.customers.len() + 3);
    assert!(open(&mut installation).is_empty());
}
