//! What people delete on one side and enter there again waits for a word, while its counterpart stands on the other side: it is never silently
//! there twice.

use serde_json::{Value, json};

use crate::desk::{Desk, id_of, line};

fn standing(state: &str, code: &str) -> (String, String) {
    (state.to_owned(), code.to_owned())
}

fn doubt() -> (String, String) {
    standing("held", "possible-duplicate")
}

fn synced() -> (String, String) {
    standing("synced", "")
}

/// Runs as the scheduler would, within the hour and on the next days.
fn days(desk: &mut Desk) {
    for minutes in [0, 15, 24 * 60, 24 * 60] {
        desk.pass(minutes);
        desk.run("sync");
    }
}

/// A receipt on account was deleted in Sage and typed in again, a day later: what was made of the old one stands in Splynx.
#[test]
pub fn a_receipt_that_is_deleted_and_typed_in_again_is_held() {
    for word in ["link", "retry", "delete"] {
        let mut desk = Desk::new(1);
        let customer = desk.customer(0);
        desk.set("create_payment_without_invoice", "on");
        let old = desk.receipt(customer, "2026-02-04", "115", &[]);
        desk.run("sync");
        let payment = id_of(&desk.state(false, "payments")[0], "id");
        desk.sage("receipts", "delete", old, json!({}));
        let new = desk.receipt(customer, "2026-02-05", "115", &[]);
        // What is paid every month is no doubt.
        desk.receipt(customer, "2026-03-04", "115", &[]);
        days(&mut desk);
        assert_eq!(desk.standing("receipt", new), doubt(), "{word}");
        assert!(desk.told("receipt", new).contains("no longer has"));
        assert_eq!(desk.state(false, "payments").len(), 2, "{word}");
        assert_eq!(desk.standing("receipt", old).0, "owed");
        match word {
            "link" => desk.decide("link", "payment", payment, &new.to_string()),
            "retry" => desk.decide("retry", "receipt", new, ""),
            _ => {
                desk.splynx("payments", "delete", payment, json!({}));
                desk.decide("retry", "receipt", new, "");
            }
        }
        days(&mut desk);
        let payments = if word == "retry" { 3 } else { 2 };
        assert_eq!(desk.state(false, "payments").len(), payments, "{word}");
        assert_eq!(desk.state(true, "receipts").len(), 2, "{word}");
        assert_ne!(desk.standing("receipt", new).0, "held", "{word}");
    }
}

/// A payment was deleted in Splynx and entered again: what was made of the old one stands in Sage.
#[test]
pub fn a_payment_that_is_deleted_and_entered_again_is_held() {
    for is_new_host in [false, true] {
        for word in ["link", "retry", "delete"] {
            let mut desk = Desk::new(1);
            let customer = desk.customer(0);
            let old = desk.payment(customer, "115", json!({"date": "2026-02-04"}));
            desk.run("sync");
            let receipt = id_of(&desk.state(true, "receipts")[0], "ID");
            desk.splynx("payments", "delete", old, json!({}));
            let more = json!({"date": "2026-02-06"});
            let new = desk.payment(customer, "115", more);
            let monthly = desk.payment(customer, "115", json!({"date": "2026-03-04"}));
            if is_new_host {
                desk.installation.host().storage = mock_host::MemoryStorage::default();
            }
            days(&mut desk);
            assert_eq!(desk.standing("payment", new), doubt(), "{word}");
            assert_eq!(desk.standing("payment", monthly), synced());
            assert_eq!(desk.state(true, "receipts").len(), 2);
            assert_eq!(desk.standing("payment", old).1, "deleted-after-sync");
            match word {
                "link" => desk.decide("link", "payment", new, &receipt.to_string()),
                "retry" => desk.decide("retry", "payment", new, ""),
                _ => {
                    desk.sage("receipts", "delete", receipt, json!({}));
                    desk.decide("retry", "payment", new, "");
                }
            }
            days(&mut desk);
            assert_eq!(desk.standing("payment", new), synced(), "{word}");
            let receipts = if word == "retry" { 3 } else { 2 };
            assert_eq!(desk.state(true, "receipts").len(), receipts, "{word}");
            let is_owed = word == "retry";
            assert_eq!(desk.standing("payment", old).0 == "owed", is_owed, "{word}");
        }
    }
}

/// An invoice or credit note was deleted in Splynx and issued again, under another number or where Sage gives the numbers.
#[test]
pub fn a_document_that_is_deleted_and_issued_again_is_held() {
    for (kind, entity, own_numbers) in [
        ("invoice", "invoices", "off"),
        ("credit-note", "returns", "off"),
        ("invoice", "invoices", "on"),
    ] {
        for word in ["link", "retry", "delete"] {
            let mut desk = Desk::new(1);
            let customer = desk.customer(0);
            desk.set("use_system_document_number", own_numbers);
            let items = [line("Fibre", "1", "100")];
            let make = |desk: &mut Desk, date: &str| {
                let more = json!({"date_created": date, "items": items});
                match kind {
                    "invoice" => desk.invoice_of(customer, &items, more),
                    _ => desk.credit_note(customer, more),
                }
            };
            let old = make(&mut desk, "2026-02-04");
            desk.run("sync");
            let there: Value = desk.state(true, entity)[0].clone();
            let document = id_of(&there, "ID");
            let in_splynx = kind.replace('-', "_") + "s";
            desk.splynx(&in_splynx, "update", old, json!({"status": "deleted"}));
            let new = make(&mut desk, "2026-02-05");
            days(&mut desk);
            assert_eq!(desk.standing(kind, new), doubt(), "{kind} {word}");
            assert_eq!(desk.state(true, entity).len(), 1);
            match word {
                "link" => desk.decide("link", kind, new, &document.to_string()),
                "retry" => desk.decide("retry", kind, new, ""),
                _ => {
                    desk.sage(entity, "delete", document, json!({}));
                    desk.decide("retry", kind, new, "");
                }
            }
            days(&mut desk);
            assert_eq!(desk.standing(kind, new), synced(), "{kind} {word}");
            let documents = if word == "retry" { 2 } else { 1 };
            assert_eq!(desk.state(true, entity).len(), documents, "{kind} {word}");
        }
    }
}
