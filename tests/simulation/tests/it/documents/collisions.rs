//! Documents that Sage has already, by whatever hand: adopted, or held with the cure.

use serde_json::{Value, json};

use crate::desk::{Desk, dec, id_of, line, money};
use crate::judge::writes;

fn standing(state: &str, code: &str) -> (String, String) {
    (state.to_owned(), code.to_owned())
}

/// What a bookkeeper types in for a customer.
fn by_hand(desk: &mut Desk, entity: &str, customer: i64, number: &str, date: &str) -> i64 {
    let fields = json!({"CustomerId": desk.sage_customer(customer), "Date": date, "DueDate": date, "Inclusive": true,
        "DocumentNumber": number, "Reference": format!("book {number}"), "Lines": [{"LineType": 0, "SelectionId": 2001,
        "TaxTypeId": 301, "Description": "By hand", "Quantity": 1, "UnitPriceInclusive": 115}]});
    id_of(&desk.sage(entity, "create", 0, fields), "ID")
}

fn number_of(desk: &mut Desk, entity: &str, id: i64) -> String {
    let rows = desk.state(false, entity);
    let row = rows.iter().find(|row| row["id"] == json!(id));
    let number = row.expect("it is there")["number"].clone();
    number.as_str().expect("a text").to_owned()
}

/// D5, D8: from-dates are inclusive and compare the document's own date, whenever it was made; an earlier one brings back what was left out,
/// a later one changes nothing in Sage.
#[test]
fn from_dates_are_inclusive_and_look_at_the_documents_own_date() {
    let mut desk = Desk::new(2);
    let (customer, other) = (desk.customer(0), desk.customer(1));
    for kind in ["invoices", "credit_notes"] {
        desk.set(&format!("export_{kind}_from"), "2026-02-01");
    }
    let dated = |desk: &mut Desk, date: &str| {
        let more = json!({"date_created": date});
        [
            (
                "invoice",
                desk.invoice_of(customer, &[line("Fibre", "1", "100")], more.clone()),
            ),
            ("credit-note", desk.credit_note(other, more)),
        ]
    };
    let before = dated(&mut desk, "2026-01-31");
    let on = dated(&mut desk, "2026-02-01");
    desk.run("sync");
    for (kind, id) in on {
        assert_eq!(desk.standing(kind, id).0, "synced", "{kind} on the day");
    }
    for (kind, id) in before {
        assert_ne!(desk.standing(kind, id).0, "synced", "{kind} before it");
    }
    // Dated back before the day when it was noted already, for another reason.
    desk.set("tax.1", "");
    let back = dated(&mut desk, "2026-02-02");
    desk.run("sync");
    for (kind, id) in back {
        assert_eq!(desk.standing(kind, id), standing("held", "mapping-missing"));
        let entity = if kind == "invoice" {
            "invoices"
        } else {
            "credit_notes"
        };
        desk.splynx(entity, "update", id, json!({"date_created": "2026-01-30"}));
    }
    desk.set("tax.1", "301");
    desk.run("sync");
    for (kind, id) in back {
        assert_eq!(desk.standing(kind, id), standing("skipped", "too-early"));
    }
    assert_eq!(desk.state(true, "invoices").len(), 1);
    let wrote = writes(&mut desk.installation);
    for kind in ["invoices", "credit_notes"] {
        desk.set(&format!("export_{kind}_from"), "2026-02-10");
    }
    desk.run("sync");
    assert_eq!(writes(&mut desk.installation), wrote);
    for kind in ["invoices", "credit_notes"] {
        desk.set(&format!("export_{kind}_from"), "2026-01-30");
    }
    desk.run("sync");
    for (kind, id) in before.into_iter().chain(back) {
        assert_eq!(desk.standing(kind, id).0, "synced", "{kind} {id} is back");
    }
    assert_eq!(desk.state(true, "invoices").len(), 3);
    assert_eq!(desk.state(true, "returns").len(), 3);
}

/// D5: a document that somebody typed into Sage for the same customer, day and total may be the same: it is held until a person says which;
/// linked, it is the one; retried, ours is made beside it. Another day or total is no likeness.
#[test]
pub fn a_document_typed_by_hand_is_a_possible_duplicate_until_a_person_decides() {
    for (kind, entity, in_splynx) in [
        ("invoice", "invoices", "invoices"),
        ("credit-note", "returns", "credit_notes"),
    ] {
        let mut desk = Desk::new(2);
        let (customer, other) = (desk.customer(0), desk.customer(1));
        let make = |desk: &mut Desk, customer: i64, date: &str| {
            let more = json!({"date_created": date});
            match kind {
                "invoice" => desk.invoice_of(customer, &[line("Fibre", "1", "100")], more),
                _ => desk.credit_note(customer, more),
            }
        };
        let linked = make(&mut desk, customer, "2026-02-01");
        let retried = make(&mut desk, customer, "2026-02-02");
        let another_day = make(&mut desk, customer, "2026-02-03");
        let another_customer = make(&mut desk, other, "2026-02-01");
        let first = by_hand(&mut desk, entity, customer, "H1", "2026-02-01");
        by_hand(&mut desk, entity, customer, "H2", "2026-02-02");
        by_hand(&mut desk, entity, customer, "H3", "2026-02-05");
        for _ in 0..2 {
            desk.run("sync");
            desk.pass(15);
        }
        for (id, state) in [
            (linked, "held"),
            (retried, "held"),
            (another_day, "synced"),
            (another_customer, "synced"),
        ] {
            assert_eq!(desk.standing(kind, id).0, state, "{kind} {id}");
        }
        assert_eq!(desk.standing(kind, linked).1, "possible-duplicate");
        desk.decide("link", kind, linked, &first.to_string());
        desk.decide("retry", kind, retried, "");
        desk.run("sync");
        for id in [linked, retried] {
            assert_eq!(desk.standing(kind, id), standing("synced", ""));
        }
        assert_eq!(
            desk.state(true, entity).len(),
            3 + 3,
            "one was made beside H2"
        );
        // Typed in after everything was listed, and before Splynx has it.
        by_hand(&mut desk, entity, customer, "H4", "2026-02-09");
        let late = make(&mut desk, customer, "2026-02-09");
        desk.run("sync");
        let doubt = standing("held", "possible-duplicate");
        assert_eq!(desk.standing(kind, late), doubt);
        let number = number_of(&mut desk, in_splynx, retried);
        let rows = desk.state(true, entity);
        assert!(
            rows.iter()
                .any(|row| row["DocumentNumber"] == json!(number))
        );
    }
}

/// F81, F82, I9, I11, D7: an invoice that was synced, deleted in Splynx and made again under the same number is held with the manual's cures,
/// whether or not it says the same; each cure works. One of ours whose answer was lost is adopted instead.
#[test]
fn a_number_that_was_burnt_is_held_with_both_cures_and_each_of_them_works() {
    for same in [true, false] {
        for cure in ["delete in Sage", "another number"] {
            let mut desk = Desk::new(1);
            let customer = desk.customer(0);
            let old = desk.invoice(customer);
            desk.export_invoices();
            let number = number_of(&mut desk, "invoices", old);
            desk.splynx("invoices", "delete", old, json!({}));
            let price = if same { "100" } else { "200" };
            let again = desk.invoice_of(
                customer,
                &[line("Fibre", "1", price)],
                json!({"number": number}),
            );
            for _ in 0..2 {
                desk.pass(24 * 60);
                desk.run("sync");
            }
            assert_eq!(desk.standing("invoice", old).0, "owed");
            assert_eq!(desk.standing("invoice", again).0, "held", "{same}");
            let told = desk.told("invoice", again);
            assert!(told.contains("Delete the document in Sage"), "{told}");
            assert!(told.contains("new number"), "{told}");
            assert_eq!(desk.state(true, "invoices").len(), 1);
            if cure == "another number" {
                desk.splynx(
                    "invoices",
                    "update",
                    again,
                    json!({"number": "202602999999"}),
                );
            } else {
                let document = desk.in_sage(old);
                desk.sage("invoices", "void", id_of(&document, "ID"), json!({}));
                desk.sage("invoices", "delete", id_of(&document, "ID"), json!({}));
            }
            desk.decide("retry", "invoice", again, "");
            desk.run("sync");
            if same && cure == "another number" {
                // Under another number it is still what stands there, for all that is known.
                let doubt = standing("held", "possible-duplicate");
                assert_eq!(desk.standing("invoice", again), doubt);
                desk.decide("retry", "invoice", again, "");
                desk.run("sync");
            }
            assert_eq!(
                desk.standing("invoice", again),
                standing("synced", ""),
                "{cure}"
            );
            let total = if same { "115" } else { "230" };
            assert_eq!(money(&desk.in_sage(again)["Total"]), dec(total));
            let rows: Vec<Value> = desk.state(true, "invoices");
            assert_eq!(rows.len(), if cure == "another number" { 2 } else { 1 });
        }
    }
    // Sage says the number is taken, and it is ours: the first answer was lost, and so was our memory of it.
    let mut desk = Desk::new(1);
    let invoice = desk.invoice(desk.customer(0));
    desk.with_fault(
        "sage",
        json!({"path": "TaxInvoice/Save", "nth": 1}),
        &json!({"late": 70_000}),
    );
    for _ in 0..3 {
        desk.export_invoices();
        desk.pass(6);
    }
    assert_eq!(desk.standing("invoice", invoice), standing("synced", ""));
    assert_eq!(desk.state(true, "invoices").len(), 1);
}
