//! What becomes of a customer: every field, every change, and what Sage's users keep.

use chrono::TimeDelta;
use sandbox::http::Service;
use sandbox::isp::{CustomerCategory, Isp, Size};
use serde_json::{Value, json};
use simulation::books;
use simulation::installation::Installation;

use crate::judge::{splynx_requests, writes};

/// The Sage customer that a Splynx customer is paired with.
fn pair_of(installation: &mut Installation, splynx: i64) -> Value {
    let row = record_of(installation, splynx);
    let state = installation.world().sage.state();
    books::rows(&state, "customers")
        .iter()
        .find(|customer| customer["ID"].as_i64() == row[4].parse().ok())
        .unwrap_or_else(|| panic!("customer {splynx} has no pair: {row:?}"))
        .clone()
}

/// Its row on the page Records: kind, Splynx id, name, state, Sage id, customer, amount.
fn record_of(installation: &mut Installation, splynx: i64) -> Vec<String> {
    installation
        .rows("records", &[("kind", "customer")])
        .into_iter()
        .find(|row| row[1] == splynx.to_string())
        .expect("it is known")
}

fn edit(installation: &mut Installation, entity: &str, id: i64, fields: Value) {
    installation.in_splynx(&json!({"entity": entity, "act": "update", "id": id, "fields": fields}));
}

/// F59, F24, F25, F26, F27, F28, F29, D7, D13, I13: every field that both sides have goes over and follows a change; all others
/// belong to Sage's users, and so do a category and a mobile number that Splynx does not name.
#[test]
pub fn every_field_that_both_sides_have_is_kept_in_step_and_no_other() {
    let isp = Isp::seeded(Size::Tiny, 1);
    let mut installation = Installation::new(&isp, false);
    let id = isp.customers[0].id;
    installation.run_through("export-customers");
    // Everything else that a bookkeeper can fill in.
    let others = json!({
        "Fax": "021 555 0199", "WebAddress": "www.example.org", "Mobile": "083 555 0100", "CreditLimit": 1500.5,
        "CommunicationMethod": 2, "PostalAddress03": "Box 7", "PostalAddress04": "The old mill", "DeliveryAddress01": "Gate 4",
        "DeliveryAddress02": "b", "DeliveryAddress03": "c", "DeliveryAddress04": "d", "DeliveryAddress05": "0007",
        "CashSale": true, "TextField1": "mine", "TextField2": "too", "TextField3": "three", "NumericField1": 1.25,
        "NumericField2": 2, "NumericField3": 3, "YesNoField1": true, "YesNoField2": true, "YesNoField3": true,
        "DateField1": "2026-01-02", "DateField2": "2026-01-03", "DateField3": "2026-01-04", "Category": {"ID": 72},
        "BusinessRegistrationNumber": "2019/1/07", "DefaultDiscountPercentage": 0.05, "DefaultTaxTypeId": 302,
        "DueDateMethodId": 1, "DueDateMethodValue": 30, "OnHold": true, "ExcludeFromDebtorsManager": true,
    });
    let sage = pair_of(&mut installation, id);
    installation.in_sage(
        &json!({"entity": "customers", "act": "update", "id": sage["ID"], "fields": others}),
    );
    let before = pair_of(&mut installation, id);
    let fields = json!({
        "name": "Karoo Wool", "email": "desk@karoo.example", "billing_email": "bills@karoo.example, two@karoo.example",
        "phone": "023 555 0100", "street_1": "14 Long Road", "city": "Worcester", "zip_code": "6850",
    });
    edit(&mut installation, "customers", id, fields);
    installation.set("customer_name_pattern", "{name} ({id})");
    installation.run_through("export-customers");
    let after = pair_of(&mut installation, id);
    let name = format!("Karoo Wool ({id})");
    let expected = [
        ("Name", json!(name)),
        ("ContactName", json!(name)),
        ("Email", json!("bills@karoo.example")),
        ("Telephone", json!("023 555 0100")),
        ("PostalAddress01", json!("14 Long Road")),
        ("PostalAddress02", json!("Worcester")),
        ("PostalAddress05", json!("6850")),
    ];
    for (field, value) in &expected {
        assert_eq!(after[*field], *value, "{field}");
    }
    let theirs = before.as_object().expect("an object");
    for (field, value) in theirs {
        if field != "Modified" && !expected.iter().any(|(ours, _)| ours == field) {
            assert_eq!(after[field], *value, "{field} is Sage's");
        }
    }
    assert!(theirs.len() > 45, "all of it was looked at");
    let other = isp.customers[1].id;
    let name = pair_of(&mut installation, other)["Name"].clone();
    assert!(
        !name.to_string().contains('('),
        "I13: a pattern counts at the next change"
    );

    // A mapped category and a second number do go over.
    installation.set("customer_category.person", "71");
    edit(
        &mut installation,
        "customers",
        id,
        json!({"phone": "023 555 0100, 072 555 0101"}),
    );
    installation.run_through("export-customers");
    let after = pair_of(&mut installation, id);
    assert_eq!(after["Category"]["ID"], json!(71));
    assert_eq!(after["Mobile"], json!("072 555 0101"));
    installation.set("customer_category.person", "7777");
    edit(&mut installation, "customers", id, json!({"city": "Ceres"}));
    installation.run_through("export-customers");
    assert_eq!(
        record_of(&mut installation, id)[3],
        "held",
        "a stale category"
    );
    installation.set("customer_category.person", "");
    installation.run_through("export-customers");
    assert_eq!(
        pair_of(&mut installation, id)["PostalAddress02"],
        json!("Ceres")
    );
    let quiet = writes(&mut installation);
    installation.run_through("export-customers");
    assert_eq!(writes(&mut installation), quiet);
}

/// D7, F25: who is Inactive in Splynx stays, and loses the tick where the setting says so; and gets it back.
#[test]
fn an_inactive_customer_is_updated_and_never_deleted() {
    let isp = Isp::seeded(Size::Tiny, 2);
    let id = isp.customers[0].id;
    for (follow, active) in [("off", true), ("on", false)] {
        let mut installation = Installation::new(&isp, false);
        installation.set("follow_inactive_customers", follow);
        installation.run_through("export-customers");
        edit(
            &mut installation,
            "customers",
            id,
            json!({"status": "disabled"}),
        );
        installation.run_through("export-customers");
        assert_eq!(pair_of(&mut installation, id)["Active"], json!(active));
        edit(
            &mut installation,
            "customers",
            id,
            json!({"status": "active"}),
        );
        installation.run_through("export-customers");
        assert_eq!(pair_of(&mut installation, id)["Active"], json!(true));
    }
}

/// Splynx keeps a VAT number apart from its customer, whose change stamp does not move: one more request a cycle notices it.
#[test]
fn a_vat_number_that_changes_alone_is_noticed_at_one_request_a_cycle() {
    let isp = Isp::seeded(Size::Tiny, 3);
    let company = isp
        .customers
        .iter()
        .find(|c| c.category == CustomerCategory::Company)
        .expect("the tiny provider has one");
    let mut installation = Installation::new(&isp, false);
    installation.run_through("export-customers");
    for (vat, wait) in [("4010101010", 1), ("4020202020", 1), ("4030303030", 30)] {
        installation.advance(TimeDelta::days(wait));
        let asked = splynx_requests(&mut installation);
        installation.run_through("export-customers");
        let quiet = splynx_requests(&mut installation) - asked;
        assert!(
            quiet <= 3,
            "customers and their VAT numbers took {quiet} requests"
        );
        edit(
            &mut installation,
            "customer_info",
            company.id,
            json!({"vat_id": vat}),
        );
        installation.run_through("export-customers");
        let after = pair_of(&mut installation, company.id);
        assert_eq!(after["TaxReference"], json!(vat));
    }
    let before = writes(&mut installation);
    installation.run_through("export-customers");
    assert_eq!(writes(&mut installation), before);
}

/// D7, F13, I6, I9: what is deleted in Splynx is owed, a partner that is left out later leaves Sage as it is.
#[test]
fn deleted_customers_are_owed_and_those_of_a_partner_that_is_left_out_stay_as_they_are() {
    let isp = Isp::seeded(Size::Tiny, 4);
    let [deleted, moved, _] = [0, 1, 2].map(|place| isp.customers[place].id);
    let mut installation = Installation::new(&isp, false);
    installation.run_through("export-customers");
    let before = pair_of(&mut installation, moved);
    installation.in_splynx(&json!({"entity": "customers", "act": "delete", "id": deleted}));
    edit(
        &mut installation,
        "customers",
        moved,
        json!({"partner_id": 3, "name": "Somebody else"}),
    );
    installation.set("partners_ignore", "3");
    installation.run_through("load-customers-for-pairing");
    installation.run_through("export-customers");
    assert_eq!(record_of(&mut installation, deleted)[3], "owed");
    pair_of(&mut installation, deleted);
    assert_eq!(record_of(&mut installation, moved)[3], "skipped");
    assert_eq!(pair_of(&mut installation, moved), before);
    installation.set("partners_ignore", "");
    installation.run_through("export-customers");
    assert_eq!(
        pair_of(&mut installation, moved)["Name"],
        json!("Somebody else")
    );
}

/// F24, D13, I13: names are unique in Sage, at most 100 characters long; the id is never cut off; a clash never costs a pair.
#[test]
fn names_are_unique_and_fit() {
    let isp = Isp::seeded(Size::Tiny, 5);
    let [first, second, third] = [0, 1, 2].map(|place| isp.customers[place].id);
    let mut installation = Installation::new(&isp, false);
    installation.run_through("export-customers");
    let old_name = pair_of(&mut installation, first)["Name"].clone();
    // A name that another has already: the pair stays, the change waits.
    let taken = pair_of(&mut installation, second);
    edit(
        &mut installation,
        "customers",
        third,
        json!({"name": taken["Name"]}),
    );
    installation.run_through("export-customers");
    assert_eq!(record_of(&mut installation, third)[3], "held");
    assert_ne!(pair_of(&mut installation, third)["ID"], taken["ID"]);
    installation.set("make_names_unique", "on");
    installation.run_through("export-customers");
    let unique = format!("{} {third}", taken["Name"].as_str().expect("a name"));
    assert_eq!(pair_of(&mut installation, third)["Name"], json!(unique));
    // A name that somebody had is free again.
    edit(
        &mut installation,
        "customers",
        first,
        json!({"name": "Renamed"}),
    );
    installation.run_through("export-customers");
    edit(
        &mut installation,
        "customers",
        second,
        json!({"name": old_name}),
    );
    installation.run_through("export-customers");
    assert_eq!(pair_of(&mut installation, second)["Name"], old_name);
    // Too long for Sage, with and without the id behind it.
    let long = "Gasteplaas ".repeat(20);
    installation.set("customer_name_pattern", "{name} ({id})");
    edit(&mut installation, "customers", first, json!({"name": long}));
    installation.run_through("export-customers");
    let name = pair_of(&mut installation, first)["Name"].to_string();
    assert!(name.contains(&format!(" ({first})")), "{name}");
    installation.set("customer_name_pattern", "{name}");
    for id in [first, second] {
        edit(
            &mut installation,
            "customers",
            id,
            json!({"name": long, "city": "Prieska"}),
        );
    }
    installation.run_through("export-customers");
    let names = [first, second].map(|id| pair_of(&mut installation, id)["Name"].to_string());
    assert_ne!(names[0], names[1]);
    assert!(
        names.iter().all(|name| name.chars().count() <= 102),
        "with its quotation marks"
    );
}
