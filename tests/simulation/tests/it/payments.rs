//! Payments to Sage: which go, onto which bank account, and what becomes of those that change, vanish or were there already.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::desk::{Desk, dec, id_of, money};
use crate::judge::writes;

fn standing(state: &str, code: &str) -> (String, String) {
    (state.to_owned(), code.to_owned())
}

fn receipt(desk: &mut Desk, payment: i64) -> Option<Value> {
    desk.keyed(&format!("P{payment}"))
}

/// I1, I2, D1, F10, F11, F15, F16, F17, F41, F42, F62: every direction with every combination of methods ticked and the method of imported
/// payments; what is left out names the settings that bring it back, and they do, without sending anything twice.
#[test]
fn direction_methods_and_the_imported_method_decide_what_goes_to_sage() {
    const METHODS: [i64; 3] = [2, 4, 8];
    for direction in ["to_sage", "from_sage", "both"] {
        for ticked in ["", "2", "2,8", "2,4,8"] {
            for imported in ["", "8", "2"] {
                let mut desk = Desk::new(1);
                let customer = desk.customer(0);
                for (key, value) in [
                    ("payments_direction", direction),
                    ("payments_push_methods", ticked),
                    ("payment_method_id", imported),
                ] {
                    desk.set(key, value);
                }
                let payments = METHODS.map(|method| {
                    let more =
                        json!({"payment_type": method, "receipt_number": format!("R{method}")});
                    (method.to_string(), desk.payment(customer, "10", more))
                });
                desk.run("export-payments");
                for (method, payment) in &payments {
                    let is_ticked = ticked.split(',').any(|t| t == method);
                    let goes = match direction {
                        _ if imported == method => false,
                        "from_sage" => false,
                        "to_sage" => is_ticked,
                        _ => true,
                    };
                    let what = format!(
                        "{direction}, ticked {ticked:?}, F10 {imported:?}: method {method}"
                    );
                    assert_eq!(receipt(&mut desk, *payment).is_some(), goes, "{what}");
                    let code = match direction {
                        _ if goes => "",
                        _ if imported == method => "came-from-sage",
                        "from_sage" => "direction",
                        _ => "method-not-pushed",
                    };
                    assert_eq!(desk.standing("payment", *payment).1, code, "{what}");
                }
                desk.set("payment_method_id", "5");
                desk.set("payments_direction", "both");
                for _ in 0..2 {
                    desk.run("sync");
                }
                assert_eq!(
                    desk.state(true, "receipts").len(),
                    3,
                    "all are back, each once"
                );
            }
        }
    }
}

/// F43, F44, F45, F46, F60, F70, I14: each method's payments go onto its bank account, others onto the default one, none onto an account that
/// is closed or missing; customers' balances and bank accounts in Sage are what the documents and payments make.
#[test]
fn money_goes_onto_the_bank_account_of_its_method_or_the_default_one() {
    let mut desk = Desk::new(2);
    let customer = desk.customer(0);
    desk.set("bank_account.4", "503");
    let cases = [(1, 502, 1), (2, 501, 4), (3, 501, 3), (7, 501, 4)];
    let sent = cases.map(|(method, bank, way)| {
        let more = json!({"payment_type": method});
        (desk.payment(customer, "100.10", more), bank, way)
    });
    let closed = desk.payment(customer, "50", json!({"payment_type": 4}));
    desk.invoice(customer);
    desk.run("sync");
    for (payment, bank, way) in sent {
        let in_sage = receipt(&mut desk, payment).expect("it is in Sage");
        assert_eq!(in_sage["BankAccountId"], json!(bank));
        assert_eq!(in_sage["PaymentMethod"], json!(way));
        assert_eq!(
            in_sage["Date"].as_str().map(|d| &d[..10]),
            Some("2026-02-04")
        );
    }
    let stale = standing("held", "mapping-stale");
    assert_eq!(desk.standing("payment", closed), stale);
    desk.set("bank_account.4", "");
    desk.set("default_bank_account", "");
    let later = desk.payment(customer, "1", json!({}));
    desk.run("sync");
    let missing = standing("held", "mapping-missing");
    assert_eq!(desk.standing("payment", closed), missing);
    assert_eq!(desk.standing("payment", later), missing);
    assert_eq!(desk.state(true, "receipts").len(), 4);
    desk.set("default_bank_account", "501");
    desk.run("sync");
    let on = |desk: &mut Desk, account: i64| {
        let accounts = desk.state(true, "bank_accounts");
        let row = accounts.iter().find(|row| row["ID"] == json!(account));
        money(&row.expect("it is there")["Balance"])
    };
    assert_eq!(on(&mut desk, 502), dec("100.10"));
    assert_eq!(on(&mut desk, 501), dec("351.30"));
    let customers = desk.state(true, "customers");
    let name = desk.isp.customers[0].name.clone();
    let row = customers.iter().find(|row| row["Name"] == json!(name));
    let owes = money(&row.expect("it is there")["Balance"]);
    assert_eq!(owes, dec("115") - dec("451.40"));
}

/// B1's payments reference field, comments and reconciled receipts: the reference is the field that was chosen, and always our key, also where
/// the field is empty or too long, so that a lost answer is looked up.
#[test]
fn a_receipt_bears_the_chosen_reference_our_key_and_the_comment() {
    let long = "long ".repeat(24);
    let more = json!({"receipt_number": "2026-77", "comment": "Thanks from the shop", "field_1": "card 1111", "field_2": long,
        "field_3": ""});
    for (field, text, reconciled) in [
        ("", "2026-77", "off"),
        ("receipt_number", "2026-77", "on"),
        ("comment", "Thanks from the shop", "off"),
        ("field_1", "card 1111", "on"),
        ("field_2", long.trim(), "off"),
        ("field_3", "2026-77", "off"),
    ] {
        let mut desk = Desk::new(1);
        desk.set("payment_reference_field", field);
        desk.set("receipts_reconciled", reconciled);
        let payment = desk.payment(desk.customer(0), "20", more.clone());
        desk.with_fault(
            "sage",
            json!({"path": "CustomerReceipt/Save", "nth": 1}),
            &json!("drop-after"),
        );
        for _ in 0..3 {
            desk.run("export-payments");
            desk.pass(6);
        }
        assert_eq!(desk.state(true, "receipts").len(), 1, "{field}");
        let in_sage = &desk.state(true, "receipts")[0];
        let key = format!("-P{payment}");
        let reference = in_sage["Reference"].as_str().expect("a text");
        let before = reference.strip_suffix(&key).expect("our key");
        let (before, _) = before.rsplit_once(' ').expect("what tells whose it is");
        assert!(
            text.starts_with(before) && reference.len() <= 100,
            "{reference}"
        );
        assert!(!before.is_empty());
        assert_eq!(in_sage["Reconciled"], json!(reconciled == "on"));
        assert_eq!(in_sage["Description"], "Thanks from the shop");
        assert_eq!(in_sage["Comments"], "Thanks from the shop");
        assert_eq!(desk.standing("payment", payment), standing("synced", ""));
    }
}

/// D12: negative payments and refunded credit notes are owed to a person, who records them in Sage; a payment of nothing is skipped.
#[test]
fn refunds_are_owed_and_a_person_says_when_they_are_done() {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let note = desk.credit_note(customer, json!({}));
    desk.payment(customer, "200", json!({}));
    desk.splynx(
        "credit_notes",
        "update",
        note,
        json!({"status": "refunded"}),
    );
    let refund = desk.payment(customer, "-30", json!({}));
    let paid_out = desk.state(false, "payments");
    let paid_out = paid_out
        .iter()
        .find(|row| row["credit_note_id"] == json!(note))
        .map(|row| id_of(row, "id"))
        .expect("the refund of a credit note is a payment");
    desk.run("sync");
    let cn = desk.keyed(&format!("C{note}")).expect("it is in Sage");
    assert_eq!(money(&cn["Total"]), dec("115"));
    for payment in [refund, paid_out] {
        assert_eq!(
            desk.standing("payment", payment),
            standing("owed", "refund")
        );
        assert!(
            desk.told("payment", payment)
                .contains("Record the refund in Sage")
        );
    }
    assert_eq!(desk.state(true, "receipts").len(), 1);
    desk.decide("done", "payment", refund, "");
    let of_hand = desk.receipt(customer, "2026-02-05", "1", &[]);
    desk.decide("link", "payment", paid_out, &of_hand.to_string());
    desk.pass(24 * 60);
    desk.run("sync");
    assert_eq!(desk.standing("payment", refund).0, "done-by-hand");
    assert_eq!(desk.standing("payment", paid_out), standing("synced", ""));
    assert_eq!(desk.state(true, "receipts").len(), 2);
}

/// D7: a payment that is changed after it went to Sage is owed at once, one that is deleted on the next day, when all are looked at, or when a
/// person asks for it; neither is sent again or taken back by itself, and what was never sent is forgotten.
#[test]
fn changed_and_deleted_payments_are_owed() {
    for job in ["sync", "sweep"] {
        let mut desk = Desk::new(1);
        let customer = desk.customer(0);
        let [amount, date, text, gone] = [1, 2, 3, 4].map(|n| {
            let more = json!({"receipt_number": format!("R{n}")});
            desk.payment(customer, "10", more)
        });
        desk.set("bank_account.4", "503");
        let unsent = desk.payment(customer, "10", json!({"payment_type": 4}));
        desk.run("sync");
        desk.splynx("payments", "update", amount, json!({"amount": "11"}));
        desk.splynx("payments", "update", date, json!({"date": "2026-02-09"}));
        desk.splynx("payments", "update", text, json!({"memo": "of no account"}));
        desk.splynx("payments", "delete", gone, json!({}));
        desk.splynx("payments", "delete", unsent, json!({}));
        let wrote = writes(&mut desk.installation);
        desk.run("sync");
        let changed = standing("owed", "changed-after-sync");
        assert_eq!(desk.standing("payment", amount), changed);
        assert_eq!(desk.standing("payment", date), changed);
        assert_eq!(desk.standing("payment", text), standing("synced", ""));
        assert_eq!(
            desk.standing("payment", gone).0,
            "synced",
            "nothing says so yet"
        );
        if job == "sync" {
            desk.pass(24 * 60);
        }
        desk.run(job);
        let deleted = standing("owed", "deleted-after-sync");
        assert_eq!(desk.standing("payment", gone), deleted);
        assert_eq!(desk.standing("payment", unsent).0, "skipped");
        assert_eq!(writes(&mut desk.installation), wrote);
        assert_eq!(desk.state(true, "receipts").len(), 4);
        // Undone in Splynx, it is as it was; done in Sage, a person says so.
        desk.splynx("payments", "update", amount, json!({"amount": "10"}));
        desk.decide("done", "payment", date, "");
        desk.run("sync");
        assert_eq!(desk.standing("payment", amount), standing("synced", ""));
        assert_eq!(desk.standing("payment", date).0, "done-by-hand");
        assert_eq!(writes(&mut desk.installation), wrote);
    }
}

/// D5, D10, F11, F13, F69: from-dates are inclusive; a receipt that looks the same waits for a person; money that came from Sage never goes
/// back, also when the method of imported payments is another now; a payment waits for its invoice; what is paid too much stays on the account.
#[test]
pub fn what_may_be_in_sage_already_waits_and_what_came_from_there_never_returns() {
    let mut desk = Desk::new(2);
    let (customer, other) = (desk.customer(0), desk.customer(1));
    desk.set("export_payments_from", "2026-02-04");
    let early = desk.payment(customer, "10", json!({"date": "2026-02-03"}));
    let twin = desk.payment(customer, "20", json!({}));
    desk.receipt(customer, "2026-02-04", "20", &[]);
    desk.splynx("customers", "update", other, json!({"partner_id": 2}));
    desk.set("partners_ignore", "2");
    let ignored = desk.payment(other, "30", json!({}));
    // Imported with one method; another is the method of imports now.
    desk.set("create_payment_without_invoice", "on");
    desk.set("import_payments_from", "2026-02-10");
    desk.receipt(customer, "2026-02-11", "44", &[]);
    desk.run("sync");
    let imported = desk.state(false, "payments");
    let imported = imported
        .iter()
        .find(|row| money(&row["amount"]) == dec("44"))
        .map(|row| id_of(row, "id"))
        .expect("it was imported");
    desk.set("payment_method_id", "5");
    desk.run("sync");
    assert_eq!(desk.standing("payment", early).0, "none", "dated before");
    assert_eq!(
        desk.standing("payment", twin),
        standing("held", "possible-duplicate")
    );
    assert_eq!(desk.standing("payment", ignored).1, "customer-skipped");
    assert_eq!(
        desk.standing("payment", imported),
        standing("skipped", "came-from-sage")
    );
    assert_eq!(desk.state(true, "receipts").len(), 2);
    desk.decide("retry", "payment", twin, "");
    desk.set("export_payments_from", "2026-02-03");
    desk.set("partners_ignore", "");
    desk.run("sync");
    for payment in [early, twin, ignored] {
        assert_eq!(desk.standing("payment", payment), standing("synced", ""));
    }

    // A receipt that a bookkeeper makes after all that were there have been listed.
    desk.set("import_payments_from", "2030-01-01");
    desk.receipt(customer, "2026-02-06", "66", &[]);
    let later = desk.payment(customer, "66", json!({"date": "2026-02-06"}));
    desk.run("export-payments");
    let doubt = standing("held", "possible-duplicate");
    assert_eq!(desk.standing("payment", later), doubt);

    // A payment that was entered for an invoice goes after it.
    desk.set("tax.1", "");
    let invoice = desk.invoice(other);
    let too_much = desk.payment(other, "150", json!({"invoice_id": invoice}));
    desk.run("sync");
    let waits = standing("held", "invoice-not-synced");
    assert_eq!(desk.standing("payment", too_much), waits);
    desk.set("tax.1", "301");
    desk.run("sync");
    let in_sage = receipt(&mut desk, too_much).expect("it is in Sage");
    let rest: Decimal = money(&in_sage["TotalUnallocated"]);
    assert!(rest >= dec("35"), "{rest} of 150 is left on the account");
    assert_eq!(money(&in_sage["Total"]), dec("150"));
}
