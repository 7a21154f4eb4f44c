//! Money that two people enter, one on each side: it waits for a person's word, whatever the order and the days, and is never there twice.

use mock_host::MemoryStorage;
use serde_json::{Value, json};

use crate::desk::{Desk, id_of};
use crate::judge::{open, writes};

fn standing(state: &str, code: &str) -> (String, String) {
    (state.to_owned(), code.to_owned())
}

fn doubt() -> (String, String) {
    standing("held", "possible-duplicate")
}

/// How many receipts Sage has, and payments Splynx.
fn held(desk: &mut Desk) -> (usize, usize) {
    let there = desk.state(true, "receipts").len();
    (there, desk.state(false, "payments").len())
}

fn line_of(desk: &mut Desk, receipt: i64) -> Value {
    let key = format!("SAGE-{receipt}-1-");
    let records = desk.state(false, "bank_statements_records");
    let mut lines = records.into_iter();
    let line = lines.find(|row| {
        row["additional_1"]
            .as_str()
            .is_some_and(|k| k.starts_with(&key))
    });
    line.expect("it is listed")
}

/// A person says that a payment in doubt is the money of that receipt, or that it is not; the next runs do what follows.
fn say(desk: &mut Desk, payment: i64, receipt: i64, same: bool) {
    if same {
        desk.decide("link", "payment", payment, &receipt.to_string());
    } else {
        desk.decide("retry", "payment", payment, "");
    }
    for _ in 0..2 {
        desk.run("sync");
        desk.pass(15);
    }
}

/// D5, D10: a receipt that was listed, or has become a payment, is no less like the payment that is held for it; linking the two ends
/// what waits, and so does the word that they are not the same.
#[test]
pub fn a_possible_duplicate_stays_one_when_its_receipt_was_listed() {
    // Also where the receipt is listed before there is a payment.
    for (without_invoice, same, listed_first) in [
        ("off", true, false),
        ("on", true, false),
        ("off", false, false),
        ("on", false, false),
        ("off", true, true),
        ("off", false, true),
    ] {
        let mut desk = Desk::new(1);
        let customer = desk.customer(0);
        desk.set("create_payment_without_invoice", without_invoice);
        let receipt = desk.receipt(customer, "2026-02-04", "115", &[]);
        if listed_first {
            desk.run("sync");
        }
        let payment = desk.payment(customer, "115", json!({}));
        for minutes in [0, 15, 24 * 60, 24 * 60] {
            desk.pass(minutes);
            desk.run("sync");
            assert_eq!(desk.standing("payment", payment), doubt());
            assert_eq!(held(&mut desk), (1, 1), "F18 {without_invoice}");
        }
        let waits = desk.standing("receipt", receipt);
        assert_eq!(waits.0, "held", "{waits:?}");
        say(&mut desk, payment, receipt, same);
        assert_eq!(desk.standing("payment", payment), standing("synced", ""));
        if same {
            assert_eq!(held(&mut desk), (1, 1));
            assert_eq!(desk.standing("receipt", receipt).1, "linked");
            assert_eq!(line_of(&mut desk, receipt)["status"], "canceled");
        } else {
            desk.set("create_payment_without_invoice", "on");
            desk.pass(24 * 60);
            desk.run("sync");
            assert_eq!(held(&mut desk), (2, 2));
        }
        assert_eq!(open(&mut desk.installation), [""; 0]);
        let wrote = writes(&mut desk.installation);
        desk.pass(24 * 60);
        desk.run("sync");
        assert_eq!(writes(&mut desk.installation), wrote);
    }
}

/// D5: a receipt that agrees in all with a payment, and was listed before there was one, is a doubt that a person's word ends both ways.
#[test]
fn a_listed_receipt_whose_reference_is_the_payments_number_is_linked_or_not() {
    for same in [true, false] {
        let mut desk = Desk::new(1);
        let customer = desk.customer(0);
        let receipt = desk.receipt(customer, "2026-02-04", "115", &[]);
        desk.run("sync");
        let payment = desk.payment(customer, "115", json!({"receipt_number": "slip 1"}));
        for minutes in [15, 24 * 60] {
            desk.run("sync");
            desk.pass(minutes);
            assert_eq!(desk.standing("payment", payment), doubt());
        }
        say(&mut desk, payment, receipt, same);
        let told = desk.told("payment", payment);
        let now = desk.standing("payment", payment);
        assert_eq!(now, standing("synced", ""), "{told}");
        assert_eq!(held(&mut desk).0, if same { 1 } else { 2 });
    }
}

/// D5: up to a week apart it is doubted, in both directions, and of two payments linking one lets the other go.
#[test]
pub fn money_of_nearby_days_waits_for_a_word_on_both_sides() {
    for (date, is_near) in [
        ("2026-02-03", false),
        ("2026-02-04", true),
        ("2026-02-10", true),
        ("2026-02-12", true),
        ("2026-02-18", true),
        ("2026-02-19", false),
    ] {
        for direction in ["to_sage", "from_sage", "both"] {
            println!("{date}, {direction}");
            let mut desk = Desk::new(2);
            let (customer, other) = (desk.customer(0), desk.customer(1));
            desk.set("payments_direction", direction);
            desk.set("payments_push_methods", "2");
            desk.set("create_payment_without_invoice", "on");
            let receipt = desk.receipt(customer, "2026-02-11", "77", &[]);
            let payment = desk.payment(customer, "77", json!({"date": date}));
            let dearer = desk.payment(customer, "78", json!({"date": date}));
            let others = desk.payment(other, "77", json!({"date": date}));
            for _ in 0..3 {
                desk.run("sync");
                desk.pass(15);
            }
            if direction != "from_sage" {
                for payment in [dearer, others] {
                    assert_eq!(desk.standing("payment", payment), standing("synced", ""));
                }
                let is_held = desk.standing("payment", payment) == doubt();
                assert_eq!(is_held, is_near);
            }
            if direction != "to_sage" {
                assert_eq!(desk.standing("receipt", receipt) == doubt(), is_near);
            }
            if direction == "both" && is_near {
                assert_eq!(held(&mut desk), (3, 3));
                // What was corrected in Splynx is like nothing any more.
                desk.splynx("payments", "update", payment, json!({"amount": "79"}));
                desk.run("sync");
                assert_eq!(desk.standing("payment", payment), standing("synced", ""));
            }
        }
    }
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let receipt = desk.receipt(customer, "2026-02-11", "77", &[]);
    let [first, second] =
        ["R1", "R2"].map(|number| desk.payment(customer, "77", json!({"receipt_number": number})));
    desk.run("sync");
    assert_eq!(desk.standing("payment", second), doubt());
    desk.decide("link", "payment", first, &receipt.to_string());
    desk.run("sync");
    assert_eq!(desk.standing("payment", second), standing("synced", ""));
    assert_eq!(held(&mut desk), (2, 2));
}

/// D5: where Sage shows a payment's invoice as paid by somebody else's receipt, the payment waits, whatever its day and amount; money that is
/// too much for an invoice which we have paid goes on account as ever.
#[test]
fn a_payment_whose_invoice_is_paid_in_sage_by_another_receipt_waits() {
    for direction in ["to_sage", "both"] {
        let mut desk = Desk::new(1);
        let customer = desk.customer(0);
        desk.set("payments_direction", direction);
        desk.set("payments_push_methods", "2");
        let [first, second, ours] = [1, 2, 3].map(|_| desk.invoice(customer));
        desk.export_invoices();
        // One receipt for two invoices, a month before Splynx hears of it.
        let allocations = [(first, "115", "0"), (second, "115", "0")];
        desk.receipt(customer, "2026-01-02", "230", &allocations);
        let of = |desk: &mut Desk, invoice: i64, number: &str| {
            let more = json!({"invoice_id": invoice, "receipt_number": number});
            desk.payment(customer, "115", more)
        };
        let twins = [of(&mut desk, first, "R1"), of(&mut desk, second, "R2")];
        let whole = of(&mut desk, ours, "R3");
        for _ in 0..2 {
            desk.run("sync");
            desk.pass(15);
        }
        for payment in twins {
            assert_eq!(desk.standing("payment", payment), doubt(), "{direction}");
        }
        assert_eq!(desk.standing("payment", whole), standing("synced", ""));
        let too_much = of(&mut desk, ours, "R4");
        let asked = desk.asked("GET TaxInvoice/Get");
        desk.run("sync");
        assert_eq!(desk.standing("payment", too_much), standing("synced", ""));
        assert_eq!(desk.asked("GET TaxInvoice/Get") - asked, 1);
        desk.run("sync");
        assert_eq!(desk.asked("GET TaxInvoice/Get") - asked, 1, "asked once");
        desk.decide("retry", "payment", twins[0], "");
        desk.run("sync");
        assert_eq!(desk.standing("payment", twins[0]), standing("synced", ""));
        assert_eq!(desk.standing("payment", twins[1]), doubt());
    }
}

/// D10: the backup that is put back knows neither of a receipt's line in the statement nor of the payment that people made of it on Splynx's
/// own screen; that payment does not go to Sage, where its money came from.
#[test]
fn a_payment_of_a_statement_line_is_no_news_after_an_older_backup_or_none() {
    for lost in [false, true] {
        let mut desk = Desk::new(1);
        let customer = desk.customer(0);
        let invoice = desk.invoice(customer);
        desk.run("sync");
        let backup = desk.installation.host().storage.clone();
        desk.pass(15);
        let receipt = desk.receipt(customer, "2026-02-17", "115", &[]);
        desk.run("sync");
        let line = id_of(&line_of(&mut desk, receipt), "id");
        let invoices = desk.state(false, "invoices");
        let row = invoices.iter().find(|row| row["id"] == json!(invoice));
        let number = row.expect("it is there")["number"].clone();
        let pair = json!({"invoice_number": number, "payment_type": 3});
        desk.splynx("bank_statements_records", "pair", line, pair);
        // The line's own number is all that says so.
        let payments = desk.state(false, "payments");
        let id = id_of(&payments[0], "id");
        desk.splynx("payments", "update", id, json!({"date": "2026-03-20"}));
        desk.installation.host().storage = if lost {
            MemoryStorage::default()
        } else {
            backup
        };
        for job in ["export-payments", "sync", "sync"] {
            desk.run(job);
            desk.pass(15);
            assert_eq!(held(&mut desk), (1, 1), "lost: {lost}, {job}");
        }
    }
}

/// D10: our own word that a line is cancelled, whose answer was lost, is nobody's decision, and the rest of the receipt goes on; a person's
/// word is one.
#[test]
fn a_line_that_we_cancelled_ourselves_is_not_taken_for_a_persons_decision() {
    for act in [
        json!("drop-after"),
        json!("html"),
        json!({"status": {"code": 500, "before": false}}),
        json!({"late": 90_000}),
    ] {
        for is_deleted in [true, false] {
            println!("{act}, deleted: {is_deleted}");
            let mut desk = Desk::new(1);
            let customer = desk.customer(0);
            let invoice = desk.invoice(customer);
            desk.export_invoices();
            let receipt = desk.receipt(customer, "2026-02-17", "200", &[(invoice, "100", "0")]);
            desk.run("import-payments");
            if is_deleted {
                desk.sage("receipts", "delete", receipt, json!({}));
            } else {
                let all = desk.state(true, "allocations");
                desk.sage("allocations", "delete", id_of(&all[0], "ID"), json!({}));
            }
            let path = "finance/bank-statements-records";
            desk.with_fault("splynx", json!({"method": "PUT", "path": path}), &act);
            for _ in 0..2 {
                let _ = desk.installation.run("import-all-payments");
            }
            desk.without_faults();
            for _ in 0..3 {
                desk.pass(6);
                desk.run("import-all-payments");
            }
            let ends = standing("skipped", "deleted");
            let goes_on = standing("held", "unlinked");
            let expected = if is_deleted { ends } else { goes_on };
            assert_eq!(desk.standing("receipt", receipt), expected);
            let records = desk.state(false, "bank_statements_records");
            let open = records.iter().filter(|row| row["status"] == "new").count();
            assert_eq!(open, usize::from(!is_deleted));
            if !is_deleted {
                desk.set("create_payment_without_invoice", "on");
                desk.run("import-payments");
                assert_eq!(desk.standing("receipt", receipt), standing("synced", ""));
                assert_eq!(desk.state(false, "payments").len(), 1);
            }
        }
    }
}
