//! What is held, why, and what lets it go.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use sandbox::http::Service;
use sandbox::isp::{Isp, Size};
use serde_json::json;
use simulation::books::{self, expected, held};
use simulation::installation::Installation;
use splynx_sageone::capability::Row as PageRow;
use splynx_sageone::write::record::ATTENTION;

use crate::judge::assert_in_step;

#[test]
pub fn a_missing_mapping_holds_the_record_with_its_cure_and_setting_it_lets_it_go() {
    let isp = Isp::seeded(Size::Tiny, 1);
    let mut installation = Installation::new(&isp, false);
    let mapped: Vec<(String, String)> = isp
        .setup()
        .into_iter()
        .filter(|(key, _)| key.starts_with("item."))
        .collect();
    for (key, _) in &mapped {
        installation.set(key, "");
    }
    installation.run_through("sync");
    let sent = held(installation.world());
    assert_eq!(
        (sent.customers, sent.invoices.len(), sent.credit_notes.len()),
        (3, 0, 0)
    );
    let reasons: Vec<_> = installation
        .host()
        .storage
        .activities()
        .iter()
        .filter(|a| a.entity == "invoice")
        .collect();
    assert_eq!(reasons.len(), 6);
    for reason in reasons {
        assert_eq!(
            (reason.action.as_str(), reason.code.as_str()),
            ("held", "mapping-missing")
        );
        assert!(
            reason
                .more
                .iter()
                .any(|(name, cure)| name == "cure" && cure.contains("Mappings (item."))
        );
    }
    for (key, value) in &mapped {
        installation.set(key, value);
    }
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);
}

/// A first sync while a category is mapped to nothing; with the mapping as it has to be.
fn with_a_category_unmapped(isp: &Isp) -> (Installation, (String, String)) {
    let mut installation = Installation::new(isp, false);
    let mut setup = isp.setup().into_iter();
    let mapping = setup.find(|(key, _)| key.starts_with("item."));
    let mapping = mapping.expect("a mapped category");
    installation.set(&mapping.0, "");
    installation.run_through("sync");
    (installation, mapping)
}

/// Whatever the outbox is narrowed to, it shows that part of the whole and loses none, from page to page and from table to table.
#[test]
fn the_outbox_shows_of_each_kind_and_state_what_it_shows_of_all() {
    let isp = Isp::seeded(Size::Small, 1);
    let (mut installation, _) = with_a_category_unmapped(&isp);
    let ids = |rows: &[PageRow]| -> Vec<String> { rows.iter().map(|row| row.id.clone()).collect() };
    // Some wait for the next run, the others for a person.
    let held = ids(&installation.whole_page("outbox", &[]));
    let again: Vec<&str> = held.iter().step_by(3).map(String::as_str).collect();
    installation
        .decide("retry", &again, "")
        .expect("they are held");
    let all = installation.whole_page("outbox", &[]);
    assert_eq!(all.len(), held.len());
    let mut parts = BTreeSet::new();
    for row in &all {
        parts.insert((row.cells[0].clone(), row.cells[2].clone()));
    }
    assert!(parts.len() > 2, "{parts:?}");
    for (kind, state) in &parts {
        for filters in [
            &[("kind", kind.as_str()), ("state", state)][..],
            &[("kind", kind)],
            &[("state", state)],
        ] {
            let wanted: Vec<PageRow> = all
                .iter()
                .filter(|row| {
                    filters.iter().all(|(name, value)| {
                        row.cells[if *name == "kind" { 0 } else { 2 }] == *value
                    })
                })
                .cloned()
                .collect();
            let shown = installation.whole_page("outbox", filters);
            assert_eq!(ids(&shown), ids(&wanted), "{filters:?}");
        }
    }
}

#[test]
fn what_a_person_decides_in_the_outbox_stands() {
    let isp = Isp::seeded(Size::Tiny, 1);
    let mut installation = Installation::new(&isp, false);
    // A bookkeeper has entered one of the payments by hand, once its customer was there.
    installation.run_through("export-customers");
    let payment = &isp.payments[0];
    let state = installation.world().sage.state();
    let name = isp
        .customers
        .iter()
        .find(|c| c.id == payment.customer_id)
        .map(|c| c.name.trim());
    let customer = books::rows(&state, "customers")
        .iter()
        .find(|row| row["Name"].as_str() == name)
        .expect("the payment's customer is in Sage");
    let by_hand = json!({"entity": "receipts", "act": "create", "fields": {
        "CustomerId": customer["ID"], "Date": payment.date.to_string(), "Total": payment.amount.to_string(),
        "BankAccountId": isp.sage.bank_accounts[0].id, "PaymentMethod": 4, "Reference": "cash book 7",
    }});
    let now = installation.world().now;
    let by_hand = installation
        .world()
        .sage
        .edit(&by_hand, now)
        .expect("the bookkeeper may");
    let held_payment = format!("payment/{:012}", payment.id);
    let first = format!("invoice/{:012}", isp.invoices[0].id);
    let second = format!("invoice/{:012}", isp.invoices[1].id);
    let items: Vec<(String, String)> = isp
        .setup()
        .into_iter()
        .filter(|(key, _)| key.starts_with("item."))
        .collect();
    for (key, _) in &items {
        installation.set(key, "");
    }
    installation.run_through("sync");

    installation
        .decide("exclude", &[&first], "")
        .expect("it is held");
    installation
        .decide("done", &[&second], "")
        .expect("it is held");
    for (key, value) in &items {
        installation.set(key, value);
    }
    installation.run_through("sync");
    assert_eq!(
        held(installation.world()).invoices.len(),
        4,
        "two of six are settled by hand"
    );
    installation
        .decide("retry", &[&second], "")
        .expect("one may change one's mind");
    installation.run_through("sync");
    assert_eq!(held(installation.world()).invoices.len(), 5);
    // What is in Sage already is saved again as the same document.
    installation
        .decide("retry", &[&second], "")
        .expect("a document may be saved again");
    installation.run_through("sync");
    assert_eq!(held(installation.world()).invoices.len(), 5);

    let waiting = |installation: &mut Installation| -> Vec<String> {
        let tables = installation.host().storage.tables();
        tables
            .filter(|(name, _)| *name == ATTENTION)
            .flat_map(|(_, rows)| rows.keys().cloned())
            .collect()
    };
    assert!(
        waiting(&mut installation).contains(&held_payment),
        "it may be the one that was entered by hand"
    );
    let receipts = books::rows(&installation.world().sage.state(), "receipts").len();
    let none = installation
        .decide("link", &[&held_payment], "77")
        .expect_err("there is no such receipt");
    assert!(none.message.contains("no receipt 77"), "{}", none.message);
    installation
        .decide("link", &[&held_payment], &by_hand["ID"].to_string())
        .expect("it is that one");
    installation.run_through("sync");
    assert!(!waiting(&mut installation).contains(&held_payment));
    assert_eq!(
        books::rows(&installation.world().sage.state(), "receipts").len(),
        receipts,
        "nothing was sent"
    );
    let activities = installation.host().storage.activities();
    let told: Vec<(&str, &str)> = activities
        .iter()
        .filter(|told| {
            ["do-not-send", "done-by-hand", "planned", "synced"].contains(&told.action.as_str())
        })
        .map(|told| (told.entity.as_str(), told.action.as_str()))
        .collect();
    let acts = [
        ("invoice", "do-not-send"),
        ("invoice", "done-by-hand"),
        ("invoice", "planned"),
        ("invoice", "planned"),
        ("payment", "synced"),
    ];
    assert_eq!(told, acts, "each act is in the log");
}

#[test]
pub fn a_number_that_is_taken_is_held_until_the_document_is_gone_from_sage() {
    let isp = Isp::seeded(Size::Tiny, 5);
    let mut installation = Installation::new(&isp, false);
    installation.run_through("export-customers");
    let customer = books::rows(&installation.world().sage.state(), "customers")[0]["ID"].clone();
    let invoice = &isp.invoices[2];
    let by_hand = json!({"entity": "invoices", "act": "create", "fields": {
        "CustomerId": customer, "Date": invoice.date.to_string(), "DueDate": invoice.date.to_string(), "Inclusive": true,
        "DocumentNumber": invoice.number, "Lines": [{
            "LineType": 0, "SelectionId": isp.sage.items[0].id, "TaxTypeId": isp.sage.tax_types[0].id,
            "Description": "By hand", "Quantity": 1, "UnitPriceInclusive": 7,
        }],
    }});
    let now = installation.world().now;
    let made = installation
        .world()
        .sage
        .edit(&by_hand, now)
        .expect("the bookkeeper may");
    installation.run_through("sync");
    let activities = installation.host().storage.activities();
    let held_invoice = activities
        .iter()
        .find(|a| a.code == "number-taken")
        .expect("it is held");
    assert_eq!(held_invoice.local_id, invoice.id.to_string());

    let id = format!("invoice/{:012}", invoice.id);
    installation
        .decide("retry", &[&id], "")
        .expect("one may try");
    installation.run_through("sync");
    assert_eq!(
        held(installation.world()).invoices.len(),
        6,
        "five of ours and one by hand: it is still there"
    );
    let gone = json!({"entity": "invoices", "act": "delete", "id": made["ID"]});
    installation
        .world()
        .sage
        .edit(&gone, now)
        .expect("the bookkeeper may");
    installation
        .decide("retry", &[&id], "")
        .expect("the cure was done");
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);

    // What is noted already is not sent once the from-date has moved past it.
    let mut installation = Installation::new(&isp, false);
    installation.set("tax.1", "");
    installation.run_through("sync");
    installation.set("export_invoices_from", "2030-01-01");
    let taxes: Vec<_> = isp
        .setup()
        .into_iter()
        .filter(|(key, _)| key == "tax.1")
        .collect();
    installation.set("tax.1", &taxes[0].1);
    installation.run_through("sync");
    assert_eq!(held(installation.world()).invoices.len(), 0);
    installation.set("export_invoices_from", &isp.first_day().to_string());
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);
}

#[test]
fn a_wrong_password_is_tried_once_and_then_there_is_silence_until_it_changes() {
    let isp = Isp::seeded(Size::Tiny, 1);
    let mut installation = Installation::new(&isp, false);
    installation.world().set_sage_password(&isp, "wrong");
    for _ in 0..5 {
        let failure = installation.run("sync").expect_err("Sage refuses");
        assert_eq!(failure.code, "denied");
        installation.advance(TimeDelta::minutes(15));
    }
    assert_eq!(
        installation.world().sage.journal().total(),
        1,
        "one attempt"
    );
    installation
        .world()
        .set_sage_password(&isp, &isp.sage.password);
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);
}

#[test]
fn a_partner_that_is_left_out_later_takes_its_customers_documents_along() {
    let isp = Isp::seeded(Size::Small, 7);
    let mut installation = Installation::new(&isp, false);
    installation.run_through("export-customers");
    installation.set("partners_ignore", "2,3");
    installation.run_through("sync");
    let partner = |customer: i64| {
        isp.customers
            .iter()
            .find(|c| c.id == customer)
            .map(|c| c.partner_id)
    };
    let invoices = held(installation.world()).invoices;
    let expected = expected(&isp).invoices;
    for invoice in &isp.invoices {
        let key = format!("I{}", invoice.id);
        let wanted = expected.contains_key(&key) && partner(invoice.customer_id) == Some(1);
        assert_eq!(invoices.contains_key(&key), wanted, "{key}");
    }
    installation.set("partners_ignore", "");
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);

    installation.set("sage_company_id", "7");
    let failure = installation
        .run("sync")
        .expect_err("its pairs belong to the first company");
    assert_eq!(failure.code, "other-company");
}

/// A page for deciding says whom and how much it is about, can be narrowed to one cause, and what was set aside can be taken back.
#[test]
fn the_outbox_names_customers_and_amounts_and_what_was_set_aside_can_be_taken_back() {
    let isp = Isp::seeded(Size::Small, 1);
    let (mut installation, (item, mapped)) = with_a_category_unmapped(&isp);
    let unmapped = installation.whole_page("outbox", &[("code", "mapping-missing")]);
    assert!(!unmapped.is_empty());
    for row in &unmapped {
        let more = |name: &str| {
            row.more
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(more("code"), Some("mapping-missing"), "{row:?}");
        let id: i64 = more("customer-id")
            .and_then(|id| id.parse().ok())
            .expect("an id");
        let customer = isp
            .customers
            .iter()
            .find(|customer| customer.id == id)
            .expect("a customer");
        assert_eq!(row.cells[5], customer.name.trim(), "{row:?}");
        assert!(
            row.cells[6].parse::<rust_decimal::Decimal>().is_ok(),
            "{row:?}"
        );
    }
    let all = installation.whole_page("outbox", &[]);
    assert!(all.len() > unmapped.len());

    let row = unmapped[0].id.as_str();
    installation
        .decide("exclude", &[row], "")
        .expect("it is held");
    installation.set(&item, &mapped);
    installation.run_through("sync");
    let known = |installation: &mut Installation| {
        let rows = installation.whole_page("records", &[]);
        let found = rows.into_iter().find(|found| found.id == row);
        found.expect("the record").cells[3].clone()
    };
    assert_eq!(known(&mut installation), "do-not-send");
    installation
        .act("records", "take-back", &[row], &[])
        .expect("it was set aside");
    let again = installation.act("records", "take-back", &[row], &[]);
    assert!(
        again
            .expect_err("it is planned")
            .message
            .contains("nothing to take back")
    );
    installation.run_through("sync");
    assert_eq!(known(&mut installation), "synced");
}
