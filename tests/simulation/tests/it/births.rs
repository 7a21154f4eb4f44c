//! Splynx is put back from a backup and gives its ids again: what comes back under a known id is another record.

use chrono::TimeDelta;
use sandbox::splynx::Splynx;
use serde_json::{Value, json};

use crate::desk::{Desk, dec, id_of, line, money, with};

/// The jobs of a whole sync, each on its own.
const JOBS: [&str; 4] = [
    "export-customers",
    "export-invoices",
    "export-credit-notes",
    "export-payments",
];

/// A customer of Splynx with what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Family {
    customer: i64,
    invoice: i64,
    credit_note: i64,
    payment: i64,
}

impl Family {
    fn records(&self) -> [(&'static str, i64); 4] {
        [
            ("customer", self.customer),
            ("invoice", self.invoice),
            ("credit-note", self.credit_note),
            ("payment", self.payment),
        ]
    }
}

/// A new customer with a paid invoice and a credit note, all of a price of its own.
fn family(desk: &mut Desk, name: &str, price: &str) -> Family {
    numbered(desk, name, price, &json!({}))
}

/// The same; `number`: a number of the documents' own, or nothing.
fn numbered(desk: &mut Desk, name: &str, price: &str, number: &Value) -> Family {
    let customer = desk.splynx(
        "customers",
        "create",
        0,
        json!({"name": name, "email": format!("{name}@example.org").to_lowercase().replace(' ', "."), "partner_id": 1,
            "location_id": 1, "status": "active", "category": "person"}),
    );
    let customer = id_of(&customer, "id");
    let invoice = desk.invoice_of(customer, &[line(name, "1", price)], number.clone());
    let items = json!({"items": [line(name, "1", price)]});
    let note = desk.credit_note(customer, with(items, number.clone()));
    let total = desk.state(false, "invoices").last().expect("an invoice")["total"].clone();
    let total = total.to_string().trim_matches('"').to_owned();
    let payment = desk.payment(customer, &total, json!({"invoice_id": invoice}));
    Family {
        customer,
        invoice,
        credit_note: note,
        payment,
    }
}

fn sync(desk: &mut Desk) {
    for job in JOBS {
        desk.run(job);
    }
}

/// All that Sage holds.
fn books(desk: &mut Desk) -> Vec<Vec<Value>> {
    [
        "customers",
        "invoices",
        "returns",
        "receipts",
        "allocations",
    ]
    .map(|entity| desk.state(true, entity))
    .into()
}

fn writes(desk: &mut Desk) -> u64 {
    [
        "Customer",
        "TaxInvoice",
        "CustomerReturn",
        "CustomerReceipt",
        "Allocation",
    ]
    .iter()
    .flat_map(|service| ["Save", "SaveBatch", "Delete"].map(|act| format!("POST {service}/{act}")))
    .chain(["DELETE Allocation/Delete/{id}".to_owned()])
    .map(|request| desk.asked(&request))
    .sum()
}

/// A desk at which A was sent, and Splynx, put back as it was before, has given A's ids to B.
fn restored(between: TimeDelta) -> (Desk, Family, Family) {
    restored_with(between, &json!({}))
}

/// The same, with a number of its own for B's documents, or Splynx's.
fn restored_with(between: TimeDelta, number: &Value) -> (Desk, Family, Family) {
    let mut desk = Desk::new(1);
    let backup: Splynx = desk.installation.world().splynx.clone();
    let a = family(&mut desk, "Anna Botha", "200.0000");
    sync(&mut desk);
    for (kind, id) in a.records() {
        assert_eq!(desk.standing(kind, id).0, "synced", "{kind}");
    }
    assert_eq!(desk.state(true, "allocations").len(), 1);
    desk.installation.advance(between);
    desk.installation.world().splynx = backup;
    let b = numbered(&mut desk, "Ben Nkosi", "300.0000", number);
    assert_eq!(a, b, "Splynx gives the ids again");
    (desk, a, b)
}

#[test]
pub fn what_comes_back_under_a_known_id_is_held_and_what_sage_has_stays_as_it_is() {
    for between in [
        TimeDelta::minutes(90),
        TimeDelta::days(1),
        TimeDelta::days(40),
    ] {
        // Whatever job comes first.
        for (first, name) in JOBS.iter().enumerate() {
            let (mut desk, _, b) = restored(between);
            let before = books(&mut desk);
            for job in JOBS.iter().cycle().skip(first).take(2 * JOBS.len()) {
                desk.run(job);
            }
            assert_eq!(books(&mut desk), before, "{name} first after {between}");
            for (kind, id) in b.records() {
                let held = ("held".to_owned(), "another-record".to_owned());
                assert_eq!(
                    desk.standing(kind, id),
                    held,
                    "{kind}, {name} first after {between}"
                );
                let told = desk.told(kind, id);
                assert!(
                    told.contains("retry") && told.contains("Another record"),
                    "{told}"
                );
            }
            // What is new under an id that nobody had is not sent to the customer that was there before either.
            let invoice = desk.invoice(b.customer);
            let payment = desk.payment(b.customer, "50.00", json!({}));
            sync(&mut desk);
            assert_eq!(books(&mut desk), before);
            for (kind, id) in [("invoice", invoice), ("payment", payment)] {
                assert_eq!(desk.standing(kind, id).1, "customer-in-doubt");
            }
        }
    }
}

#[test]
fn a_person_parts_the_two_and_each_goes_its_own_way() {
    let (mut desk, _, b) = restored_with(TimeDelta::days(1), &json!({"number": "B-1"}));
    sync(&mut desk);
    let before = books(&mut desk);
    let invoice = desk.invoice_of(
        b.customer,
        &[line("More", "1", "10.0000")],
        json!({"number": "B-2"}),
    );
    // Nothing else can be said of it before.
    for act in ["exclude", "done"] {
        let row = format!("customer/{:012}", b.customer);
        assert!(desk.installation.decide(act, &[&row], "").is_err());
    }
    for (kind, id) in b.records() {
        desk.decide("another", kind, id, "");
    }
    for _ in 0..3 {
        sync(&mut desk);
    }
    for (kind, id) in b.records() {
        let standing = desk.standing(kind, id);
        assert_eq!(standing.0, "synced", "{kind}: {}", desk.told(kind, id));
        // What Sage has of A is listed apart.
        assert_eq!(
            desk.standing(kind, id + 1_000_000_000_000),
            ("owed".to_owned(), "deleted-after-sync".to_owned())
        );
    }
    assert_eq!(desk.standing("invoice", invoice).0, "synced");
    // A's, and all that Splynx has now: the payment's, and that of the credit note, which it settles the new invoice with.
    let relations = desk.state(false, "invoice_relations").len();
    assert_eq!(desk.state(true, "allocations").len(), 1 + relations);
    let after = books(&mut desk);
    for (before, after) in before.iter().zip(&after) {
        for row in before {
            assert!(after.contains(row), "{row} has changed");
        }
    }
    let sent = writes(&mut desk);
    for _ in 0..2 {
        desk.pass(24 * 60);
        sync(&mut desk);
        desk.run("sweep");
    }
    assert_eq!(writes(&mut desk), sent, "then nothing is written any more");
}

#[test]
fn a_person_says_that_it_is_the_same_and_it_is_sent_as_a_change() {
    let (mut desk, _, b) = restored(TimeDelta::days(1));
    sync(&mut desk);
    for (kind, id) in b.records().into_iter().take(2) {
        desk.decide("retry", kind, id, "");
    }
    sync(&mut desk);
    assert_eq!(desk.standing("customer", b.customer).0, "synced");
    let names: Vec<Value> = desk
        .state(true, "customers")
        .iter()
        .map(|row| row["Name"].clone())
        .collect();
    assert!(
        names.contains(&json!("Ben Nkosi")) && !names.contains(&json!("Anna Botha")),
        "{names:?}"
    );
    let invoice = desk.in_sage(b.invoice);
    // A's receipt is allocated to it: its total may grow, and it has.
    assert_eq!(money(&invoice["Total"]), dec("345"));
}

/// A new name, note or number, an edited payment: none of these makes another record of it.
#[test]
fn ordinary_edits_make_no_other_record() {
    let mut desk = Desk::new(2);
    let a = family(&mut desk, "Anna Botha", "200.0000");
    let poor = desk.customer(1);
    let unpaid = desk.invoice(poor);
    sync(&mut desk);
    desk.splynx(
        "customers",
        "update",
        a.customer,
        json!({"name": "Anna Smith"}),
    );
    desk.splynx(
        "invoices",
        "update",
        a.invoice,
        json!({"note": "Thank you."}),
    );
    desk.splynx(
        "payments",
        "update",
        a.payment,
        json!({"comment": "by hand"}),
    );
    desk.splynx("invoices", "update", unpaid, json!({"number": "X-1"}));
    sync(&mut desk);
    for (kind, id) in a.records().into_iter().chain([("invoice", unpaid)]) {
        assert_ne!(
            desk.standing(kind, id).1,
            "another-record",
            "{kind}: {}",
            desk.told(kind, id)
        );
    }
}

/// Splynx's clock from now on, in days ahead of the true one.
fn set_clock(desk: &mut Desk, days: i32) {
    let splynx = &mut desk.installation.world().splynx;
    let mut behaviour = splynx.behaviour().clone();
    behaviour.clock_minutes = days * 24 * 60;
    splynx.set_behaviour(behaviour);
}

/// Clocks that were apart and are right again, records without a date: no list of changes names them, and they are found all the same.
#[test]
pub fn the_sweep_finds_what_splynx_has_and_no_list_of_changes_tells_of() {
    for days in [-400, -3, 3] {
        let mut desk = Desk::new(2);
        let known = family(&mut desk, "Anna Botha", "200.0000");
        let old = desk.invoice_of(
            known.customer,
            &[line("Old", "1", "10.0000")],
            json!({"date_created": "2020-01-01"}),
        );
        sync(&mut desk);
        desk.pass(24 * 60);
        sync(&mut desk);
        set_clock(&mut desk, days);
        let late = family(&mut desk, "Ben Nkosi", "300.0000");
        let poor = desk.customer(1);
        let undated = desk.invoice(poor);
        desk.splynx(
            "invoices",
            "update",
            undated,
            json!({"date_created": "0000-00-00"}),
        );
        set_clock(&mut desk, 0);
        sync(&mut desk);
        if days < 0 {
            for (kind, id) in late.records() {
                assert_eq!(
                    desk.standing(kind, id).0,
                    "none",
                    "{kind} is in a list of changes after {days} days"
                );
            }
        }
        desk.run("sweep");
        sync(&mut desk);
        for (kind, id) in late.records() {
            assert_eq!(
                desk.standing(kind, id).0,
                "synced",
                "{kind} after {days} days"
            );
        }
        assert_eq!(
            desk.standing("invoice", undated),
            ("held".to_owned(), "unreadable".to_owned())
        );
        // From before the from-date: not known on purpose.
        assert_eq!(desk.standing("invoice", old).0, "none");
        // What is in step costs Sage nothing, and Splynx little.
        let (asked, written) = (splynx_asked(&mut desk), writes(&mut desk));
        desk.run("sweep");
        let more = splynx_asked(&mut desk) - asked;
        assert!(more <= 40, "a sweep of nothing new costs {more} requests");
        assert_eq!(writes(&mut desk), written);
    }
}

fn splynx_asked(desk: &mut Desk) -> u64 {
    desk.installation.world().splynx.journal().total()
}

/// While Splynx's clock is behind, what it stamps lies in the past: runs read further back, and tell it once.
#[test]
pub fn a_clock_that_is_behind_hides_nothing_and_is_told_once() {
    for days in [-5, -2, 2] {
        let mut desk = Desk::new(1);
        sync(&mut desk);
        desk.pass(24 * 60);
        sync(&mut desk);
        set_clock(&mut desk, days);
        for round in 0..3 {
            let family = family(&mut desk, &format!("Customer at {round}"), "50.0000");
            sync(&mut desk);
            for (kind, id) in family.records() {
                assert_eq!(
                    desk.standing(kind, id).0,
                    "synced",
                    "{kind} of round {round} while {days} days apart"
                );
            }
            desk.pass(60);
        }
        let told: Vec<String> = desk
            .installation
            .host()
            .storage
            .activities()
            .iter()
            .filter(|activity| activity.code == "clocks-apart")
            .map(|activity| activity.message.clone())
            .collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("Splynx") && told[0].contains(&format!("{} days", days.abs())),
            "{told:?}"
        );
        set_clock(&mut desk, 0);
        sync(&mut desk);
        set_clock(&mut desk, days);
        sync(&mut desk);
        let activities = desk.installation.host().storage.activities();
        assert_eq!(
            activities
                .iter()
                .filter(|a| a.code == "clocks-apart")
                .count(),
            2,
            "it is told again after it was right"
        );
    }
}

/// Host and Splynx are put back at once, and Splynx gives ids and numbers again: what Sage has is left as it is. A person's word that it is
/// another one counts once the number is free, since Sage takes one only of each.
#[test]
fn what_has_its_number_too_is_sent_anew_once_the_number_is_free() {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let splynx: Splynx = desk.installation.world().splynx.clone();
    let storage = desk.installation.host().storage.clone();
    let documents = |desk: &mut Desk, price: &str| {
        let items = [line("Fibre", "1", price)];
        let invoice = desk.invoice_of(customer, &items, json!({}));
        let note = desk.credit_note(customer, json!({"items": items}));
        [("invoice", invoice), ("credit-note", note)]
    };
    let before = documents(&mut desk, "100.0000");
    sync(&mut desk);
    let made = books(&mut desk);
    desk.pass(60);
    desk.installation.world().splynx = splynx;
    desk.installation.host().storage = storage;
    let after = documents(&mut desk, "300.0000");
    assert_eq!(before, after, "Splynx gives the ids again");
    sync(&mut desk);
    let standings = |desk: &mut Desk| after.map(|(kind, id)| desk.standing(kind, id));
    let held = |code: &str| [(); 2].map(|()| ("held".to_owned(), code.to_owned()));
    assert_eq!(standings(&mut desk), held("differs-in-sage"));
    let retry = |desk: &mut Desk| {
        for (kind, id) in after {
            desk.decide("retry", kind, id, "");
        }
        sync(desk);
    };
    retry(&mut desk);
    assert_eq!(standings(&mut desk), held("differs-in-sage"));
    for (kind, id) in after {
        assert!(desk.told(kind, id).contains("it has the record's number"));
    }
    assert_eq!(books(&mut desk), made);
    for entity in ["invoices", "returns"] {
        let row = desk.state(true, entity).remove(0);
        desk.sage(entity, "delete", id_of(&row, "ID"), json!({}));
    }
    retry(&mut desk);
    let synced = [(); 2].map(|()| ("synced".to_owned(), String::new()));
    assert_eq!(standings(&mut desk), synced);
}
