//! What was listed once is not believed later: Sage's people delete, renumber and rename after we have read their lists.

use serde_json::{Value, json};

use crate::desk::{Desk, dec, id_of, line, money};

fn standing(state: &str, code: &str) -> (String, String) {
    (state.to_owned(), code.to_owned())
}

const KINDS: [(&str, &str, &str); 2] = [
    ("invoice", "invoices", "export-invoices"),
    ("credit-note", "returns", "export-credit-notes"),
];

/// What a bookkeeper typed in under a number.
fn typed(desk: &mut Desk, entity: &str, number: &str, price: &str) -> i64 {
    let customer = desk.customer(0);
    let fields = json!({"CustomerId": desk.sage_customer(customer), "Date": "2026-02-01", "DueDate": "2026-02-01", "Inclusive": true,
        "DocumentNumber": number, "Lines": [{"LineType": 0, "SelectionId": 2001, "TaxTypeId": 301, "Description": "By hand",
        "Quantity": 1, "UnitPriceInclusive": price}]});
    id_of(&desk.sage(entity, "create", 0, fields), "ID")
}

/// A document of Splynx's: 115.00 on the first of February.
fn document(desk: &mut Desk, kind: &str, more: Value) -> i64 {
    let customer = desk.customer(0);
    match kind {
        "invoice" => desk.invoice_of(customer, &[line("Fibre", "1", "100")], more),
        _ => {
            let mut fields = json!({"date_created": "2026-02-01"});
            for (name, value) in more.as_object().expect("fields") {
                fields[name] = value.clone();
            }
            desk.credit_note(customer, fields)
        }
    }
}

/// A desk whose runs have listed what was typed in.
fn listed(kind: &str, job: &str, entity: &str, number: &str, price: &str) -> (Desk, i64) {
    let mut desk = Desk::new(2);
    let there = typed(&mut desk, entity, number, price);
    let customer = desk.customer(1);
    match kind {
        "invoice" => desk.invoice(customer),
        _ => desk.credit_note(customer, json!({})),
    };
    desk.run(job);
    assert_eq!(desk.state(true, entity).len(), 2);
    (desk, there)
}

/// A document of the same number that is gone, has another number, or became another one by now: nothing is adopted that is not there, and no
/// number is called taken that is free.
#[test]
pub fn what_a_number_found_is_read_again_before_it_is_adopted_or_blamed() {
    for (kind, entity, job) in KINDS {
        for price in ["115", "500"] {
            for act in ["delete", "renumber", "delete later"] {
                let (mut desk, there) = listed(kind, job, entity, "N-1", price);
                let gone = |desk: &mut Desk| match act {
                    "renumber" => desk.sage(
                        entity,
                        "update",
                        there,
                        json!({"DocumentNumber": "N-2", "Date": "2026-01-05"}),
                    ),
                    _ => desk.sage(entity, "delete", there, json!({})),
                };
                if act == "delete later" {
                    // Blamed first, and rightly so.
                    if price == "115" {
                        continue;
                    }
                    let id = document(&mut desk, kind, json!({"number": "N-1"}));
                    desk.run(job);
                    assert_eq!(desk.standing(kind, id), standing("held", "number-taken"));
                    gone(&mut desk);
                    desk.decide("retry", kind, id, "");
                    desk.run(job);
                    assert_eq!(desk.standing(kind, id), standing("synced", ""));
                    continue;
                }
                gone(&mut desk);
                let id = document(&mut desk, kind, json!({"number": "N-1"}));
                desk.run(job);
                assert_eq!(
                    desk.standing(kind, id),
                    standing("synced", ""),
                    "{kind} {price} {act}"
                );
                let ours = desk.state(true, entity);
                let ours = ours
                    .iter()
                    .find(|row| row["DocumentNumber"] == json!("N-1"));
                let ours =
                    ours.unwrap_or_else(|| panic!("{kind} {price} {act}: it is not in Sage"));
                assert_eq!(money(&ours["Total"]), dec("115"));
                assert_ne!(id_of(ours, "ID"), there);
            }
        }
        // It agrees by now: corrected in Sage after it was listed.
        let (mut desk, there) = listed(kind, job, entity, "N-1", "115");
        desk.sage(entity, "update", there, json!({"Date": "2026-01-09"}));
        desk.run(job);
        desk.sage(entity, "update", there, json!({"Date": "2026-02-01"}));
        let id = document(&mut desk, kind, json!({"number": "N-1"}));
        desk.run(job);
        assert_eq!(desk.standing(kind, id), standing("synced", ""), "{kind}");
        assert_eq!(desk.state(true, entity).len(), 2, "it was adopted");
    }
}

/// Deleted on both sides, as the manual says, and made again in Splynx under its number: the number is free.
#[test]
pub fn a_number_that_was_freed_on_both_sides_is_used_again() {
    for (kind, entity, job) in KINDS {
        let mut desk = Desk::new(1);
        let old = document(&mut desk, kind, json!({"number": "N-1"}));
        desk.run(job);
        let there = id_of(&desk.state(true, entity)[0], "ID");
        desk.sage(entity, "delete", there, json!({}));
        let list = if kind == "invoice" {
            "invoices"
        } else {
            "credit_notes"
        };
        desk.splynx(list, "delete", old, json!({}));
        let again = document(&mut desk, kind, json!({"number": "N-1"}));
        for _ in 0..2 {
            desk.pass(24 * 60);
            desk.run(job);
        }
        assert_eq!(desk.standing(kind, again), standing("synced", ""), "{kind}");
        assert_eq!(desk.state(true, entity).len(), 1);
    }
}

/// What looked like a document or a payment and is gone, or became another customer's, is no reason to hold it; nor is a receipt adopted by a
/// reference that it no longer has.
#[test]
pub fn a_likeness_that_is_gone_holds_nothing() {
    for (kind, entity, job) in KINDS {
        for act in ["delete", "give away"] {
            let (mut desk, there) = listed(kind, job, entity, "H-1", "115");
            let customer = desk.customer(1);
            let other = desk.sage_customer(customer);
            match act {
                "delete" => desk.sage(entity, "delete", there, json!({})),
                _ => desk.sage(entity, "update", there, json!({"CustomerId": other})),
            };
            let id = document(&mut desk, kind, json!({}));
            desk.run(job);
            assert_eq!(
                desk.standing(kind, id),
                standing("synced", ""),
                "{kind} {act}"
            );
        }
    }
    for act in ["delete", "give away"] {
        for reference in ["slip", "2026-000017"] {
            let mut desk = Desk::new(2);
            let (customer, other) = (desk.customer(0), desk.customer(1));
            let receipt = desk.receipt(customer, "2026-02-04", "70", &[]);
            desk.sage(
                "receipts",
                "update",
                receipt,
                json!({"Reference": reference}),
            );
            desk.payment(other, "5", json!({}));
            desk.run("export-payments");
            let other = desk.sage_customer(other);
            match act {
                "delete" => desk.sage("receipts", "delete", receipt, json!({})),
                _ => desk.sage(
                    "receipts",
                    "update",
                    receipt,
                    json!({"CustomerId": other, "Reference": "x"}),
                ),
            };
            let id = desk.payment(customer, "70", json!({"receipt_number": "2026-000017"}));
            desk.run("export-payments");
            assert_eq!(
                desk.standing("payment", id),
                standing("synced", ""),
                "{act} {reference}"
            );
            assert!(
                desk.keyed(&format!("P{id}")).is_some(),
                "{act} {reference}: it was sent"
            );
        }
    }
}

/// The job that pairs by number tells of documents that are there, and of no others.
#[test]
pub fn pairing_by_number_tells_of_nothing_that_is_gone() {
    for price in ["115", "500"] {
        for act in ["delete", "renumber"] {
            let (mut desk, there) = listed("invoice", "export-invoices", "invoices", "N-1", price);
            match act {
                "delete" => desk.sage("invoices", "delete", there, json!({})),
                _ => desk.sage(
                    "invoices",
                    "update",
                    there,
                    json!({"DocumentNumber": "N-2"}),
                ),
            };
            let id = document(&mut desk, "invoice", json!({"number": "N-1"}));
            desk.run("pair-same-number-invoices");
            let told = desk.installation.host().reports.get("difference").cloned();
            assert_eq!(told, None, "{price} {act}");
            assert_eq!(desk.standing("invoice", id).0, "none");
        }
    }
}

/// A customer in Sage who was deleted or renamed since it was listed takes no name and is nobody's pair.
#[test]
pub fn a_customer_who_is_gone_from_sage_takes_no_name_and_is_proposed_to_nobody() {
    for (email, act) in [
        ("", "delete"),
        ("", "rename"),
        ("twin@isp.example", "delete"),
        ("twin@isp.example", "rename"),
    ] {
        let mut desk = Desk::new(1);
        let there = desk.sage(
            "customers",
            "create",
            0,
            json!({"Name": "Twin", "Email": email, "ContactName": "By hand"}),
        );
        let there = id_of(&there, "ID");
        let make = |desk: &mut Desk, name: &str, email: &str| {
            let fields = json!({"name": name, "login": name, "category": "person", "partner_id": 1, "location_id": 1, "status": "active", "email": email});
            id_of(&desk.splynx("customers", "create", 0, fields), "id")
        };
        make(&mut desk, "First", "first@isp.example");
        desk.run("export-customers");
        match act {
            "delete" => desk.sage("customers", "delete", there, json!({})),
            _ => desk.sage(
                "customers",
                "update",
                there,
                json!({"Name": "Somebody else", "Email": "else@isp.example"}),
            ),
        };
        let id = make(&mut desk, "Twin", "twin@isp.example");
        desk.run("export-customers");
        assert_eq!(
            desk.standing("customer", id),
            standing("synced", ""),
            "{email} {act}"
        );
        let rows = desk.state(true, "customers");
        let own = rows.iter().find(|row| row["Name"] == json!("Twin"));
        assert_ne!(id_of(own.expect("it was made"), "ID"), there);
    }
}
