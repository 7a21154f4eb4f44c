//! Every pair is watched from both sides: what people change of it afterwards, and say nothing of, is done or listed within a day by the
//! automatic runs.

use serde_json::json;

use crate::desk::{Desk, dec, id_of};
use crate::judge::{splynx_requests, writes};

pub const DAY: i64 = 24 * 60;

pub fn standing(state: &str, code: &str) -> (String, String) {
    (state.to_owned(), code.to_owned())
}

pub fn synced() -> (String, String) {
    standing("synced", "")
}

/// A desk with so many invoices of one customer in Sage, and a receipt that pays the first of them and was imported.
fn imported(invoices: usize) -> (Desk, Vec<i64>, i64, i64) {
    let mut desk = Desk::new(2);
    let customer = desk.customer(0);
    let invoices: Vec<i64> = (0..invoices).map(|_| desk.invoice(customer)).collect();
    desk.run("sync");
    let receipt = desk.receipt(customer, "2026-02-17", "115", &[(invoices[0], "115", "0")]);
    desk.run("sync");
    assert_eq!(desk.standing("receipt", receipt), synced());
    let payment = id_of(&desk.state(false, "payments")[0], "id");
    (desk, invoices, receipt, payment)
}

/// Runs as the scheduler would, a quarter of an hour and a day later, and changes nothing by it.
pub fn watch(desk: &mut Desk) {
    let wrote = writes(&mut desk.installation);
    for minutes in [15, DAY, 15] {
        desk.pass(minutes);
        desk.run("sync");
    }
    assert_eq!(writes(&mut desk.installation), wrote, "nothing is written");
}

/// D2, D10: people edit or delete the payment in Splynx: the receipt is listed, with what differs, until both say the same again.
#[test]
pub fn an_imported_payment_that_is_edited_in_splynx_is_listed_until_both_sides_agree() {
    let differs = standing("owed", "payment-differs");
    for (edit, back, what) in [
        (json!({"amount": "120"}), json!({"amount": "115"}), "120,00"),
        (json!({"amount": "100"}), json!({"amount": "115"}), "100,00"),
        (
            json!({"date": "2026-02-20"}),
            json!({"date": "2026-02-17"}),
            "2026-02-20",
        ),
    ] {
        let (mut desk, _, receipt, payment) = imported(1);
        desk.set("create_payment_without_invoice", "on");
        desk.splynx("payments", "update", payment, edit);
        desk.run("sync");
        let state = desk.standing("receipt", receipt);
        assert!(
            state == differs || state.1 == "changed-in-sage",
            "{state:?}"
        );
        let told = desk.told("receipt", receipt);
        assert!(told.contains(what) || what == "120,00", "{told}");
        watch(&mut desk);
        assert_eq!(desk.state(false, "payments").len(), 1);
        desk.splynx("payments", "update", payment, back);
        watch(&mut desk);
        assert_eq!(desk.standing("receipt", receipt), synced(), "{what}");
    }
    // Moved to another invoice, and the same in Sage then.
    let (mut desk, invoices, receipt, payment) = imported(2);
    let moved = json!({"invoice_id": invoices[1]});
    desk.splynx("payments", "update", payment, moved);
    desk.run("sync");
    assert_eq!(desk.standing("receipt", receipt), differs);
    let allocation = id_of(&desk.state(true, "allocations")[0], "ID");
    desk.sage("allocations", "delete", allocation, json!({}));
    desk.allocate(receipt, invoices[1], "115", "0");
    watch(&mut desk);
    assert_eq!(desk.standing("receipt", receipt), synced());

    // Both sides are corrected, up and down: no money is made of it.
    for total in ["130", "90"] {
        let (mut desk, _, receipt, payment) = imported(1);
        desk.set("create_payment_without_invoice", "on");
        desk.splynx("payments", "update", payment, json!({"amount": total}));
        if total == "90" {
            let allocation = id_of(&desk.state(true, "allocations")[0], "ID");
            desk.sage("allocations", "delete", allocation, json!({}));
        }
        desk.sage("receipts", "update", receipt, json!({"Total": total}));
        watch(&mut desk);
        assert_eq!(desk.state(false, "payments").len(), 1, "{total}");
        let told = desk.told("receipt", receipt);
        assert!(
            desk.standing("receipt", receipt) == synced() || total == "90",
            "{told}"
        );
    }

    let (mut desk, _, receipt, payment) = imported(1);
    desk.splynx("payments", "delete", payment, json!({}));
    watch(&mut desk);
    let deleted = standing("owed", "payment-deleted");
    assert_eq!(desk.standing("receipt", receipt), deleted);
    desk.sage("receipts", "delete", receipt, json!({}));
    watch(&mut desk);
    assert_eq!(desk.standing("receipt", receipt).0, "skipped");
}

/// D2, D7: the receipt is deleted in Sage, or settles another invoice there, also where its allocation was edited in place, and also where
/// Sage's lists cannot be searched by changes.
#[test]
pub fn a_receipt_that_is_deleted_or_moved_in_sage_is_found_within_a_day() {
    for filters in ["works", "refused"] {
        for act in ["deleted", "moved", "edited", "unallocated"] {
            println!("{filters}, {act}");
            let (mut desk, invoices, receipt, _) = imported(2);
            let switches = json!({"entity": "behaviour", "act": "update", "fields": {"modified_filters": filters}});
            desk.installation.in_sage(&switches);
            desk.run("calibrate");
            let allocation = id_of(&desk.state(true, "allocations")[0], "ID");
            let other = id_of(&desk.in_sage(invoices[1]), "ID");
            match act {
                "deleted" => {
                    desk.sage("receipts", "delete", receipt, json!({}));
                }
                "edited" => {
                    let moved = json!({"AllocatedToDocumentId": other});
                    desk.sage("allocations", "update", allocation, moved);
                }
                _ => {
                    desk.sage("allocations", "delete", allocation, json!({}));
                    if act == "moved" {
                        desk.allocate(receipt, invoices[1], "115", "0");
                    }
                }
            }
            watch(&mut desk);
            let code = match act {
                "deleted" => "deleted-in-sage",
                _ => "payment-differs",
            };
            assert_eq!(desk.standing("receipt", receipt), standing("owed", code));
            assert_eq!(desk.state(false, "payments").len(), 1);
        }
    }
}

/// I3, F20: what waited because its invoice was paid goes on once the invoice is open again, without a word from anybody.
#[test]
fn an_invoice_that_is_open_again_takes_the_receipt_that_waited_for_it() {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let invoice = desk.invoice(customer);
    desk.run("sync");
    let more = json!({"invoice_id": invoice, "payment_type": 6, "date": "2026-02-02"});
    desk.set("payments_direction", "from_sage");
    let till = desk.payment(customer, "115", more);
    let receipt = desk.receipt(customer, "2026-02-17", "115", &[(invoice, "115", "0")]);
    desk.run("sync");
    let waits = standing("held", "invoice-paid");
    assert_eq!(desk.standing("receipt", receipt), waits);
    desk.splynx("payments", "delete", till, json!({}));
    for minutes in [15, DAY] {
        desk.pass(minutes);
        desk.run("sync");
    }
    assert_eq!(desk.standing("receipt", receipt), synced());
}

/// D11: two payments exchange their invoices: nothing else about them changes, and Sage follows in the next run.
#[test]
fn payments_that_exchange_their_invoices_are_followed() {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let invoices = [1, 2, 3].map(|_| desk.invoice(customer));
    let payments = [0, 1].map(|n| {
        let more = json!({"invoice_id": invoices[n], "receipt_number": format!("R{n}")});
        desk.payment(customer, "115", more)
    });
    desk.run("sync");
    desk.pass(DAY);
    desk.run("sync");
    for (payment, invoice) in [(0, 2), (1, 0), (0, 1)] {
        let to = json!({"invoice_id": invoices[invoice]});
        desk.splynx("payments", "update", payments[payment], to);
    }
    desk.pass(15);
    desk.run("sync");
    let targets: Vec<(i64, i64)> = desk
        .state(true, "allocations")
        .iter()
        .map(|row| {
            (
                id_of(row, "SourceDocumentId"),
                id_of(row, "AllocatedToDocumentId"),
            )
        })
        .collect();
    assert_eq!(targets.len(), 2);
    for (payment, invoice) in [(0, 1), (1, 0)] {
        let receipt = desk
            .keyed(&format!("P{}", payments[payment]))
            .expect("sent");
        let target = id_of(&desk.in_sage(invoices[invoice]), "ID");
        assert!(targets.contains(&(id_of(&receipt, "ID"), target)));
    }
    watch(&mut desk);
}

/// D9: a receipt may settle more invoices than a page of storage holds.
#[test]
fn a_receipt_over_hundreds_of_invoices_is_read_whole() {
    const MANY: usize = 230;
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let invoices: Vec<i64> = (0..MANY).map(|_| desk.invoice(customer)).collect();
    desk.run("sync");
    let allocations: Vec<(i64, &str, &str)> = invoices.iter().map(|id| (*id, "115", "0")).collect();
    let total = (dec("115") * rust_decimal::Decimal::from(MANY)).to_string();
    let receipt = desk.receipt(customer, "2026-02-17", &total, &allocations);
    desk.run("sync");
    assert_eq!(desk.standing("receipt", receipt), synced());
    let paid = desk.state(false, "payments");
    assert_eq!(paid.len(), MANY);
    let storage = desk.installation.host();
    storage.storage = mock_host::MemoryStorage::default();
    for _ in 0..2 {
        desk.run("sync");
    }
    assert_eq!(desk.state(false, "payments").len(), MANY);
    watch(&mut desk);
}

/// What a person has settled by hand is listed again where it changes afterwards in Splynx, with what changed, and nothing is sent for it;
/// settled once more it is quiet, and what nobody changes stays quiet. What is excluded is never told again.
#[test]
pub fn what_changes_after_it_was_done_by_hand_is_listed_again() {
    let changed = standing("owed", "changed-since-done");
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let refund = desk.payment(customer, "-30", json!({"receipt_number": "refund"}));
    let quiet = desk.payment(customer, "-31", json!({"receipt_number": "quiet"}));
    let excluded = desk.payment(customer, "-32", json!({"receipt_number": "out"}));
    let gone = desk.payment(customer, "-33", json!({"receipt_number": "gone"}));
    let sent = desk.payment(customer, "50", json!({"receipt_number": "sent"}));
    let undated = desk.invoice(customer);
    desk.run("sync");
    desk.splynx(
        "invoices",
        "update",
        undated,
        json!({"date_created": "0000-00-00"}),
    );
    desk.pass(DAY);
    desk.set("tax.1", "");
    let invoice = desk.invoice(customer);
    desk.run("sync");
    desk.splynx("payments", "update", sent, json!({"amount": "55"}));
    desk.run("sync");
    for payment in [refund, quiet, gone, sent] {
        desk.decide("done", "payment", payment, "");
    }
    desk.decide("exclude", "payment", excluded, "");
    for id in [invoice, undated] {
        desk.decide("done", "invoice", id, "");
    }
    watch(&mut desk);
    assert_eq!(desk.standing("invoice", undated).0, "done-by-hand");
    // Before any run has looked at them again.
    for (payment, amount) in [(refund, "-35"), (excluded, "-36"), (sent, "60")] {
        desk.splynx("payments", "update", payment, json!({"amount": amount}));
    }
    desk.splynx("payments", "delete", gone, json!({}));
    desk.reprice(invoice, "200.0000");
    desk.reprice(undated, "200.0000");
    watch(&mut desk);
    assert_eq!(desk.standing("invoice", undated), changed);
    for payment in [refund, gone, sent] {
        assert_eq!(desk.standing("payment", payment), changed);
    }
    assert!(
        desk.told("payment", refund)
            .contains("amount -30 is -35 now")
    );
    assert!(desk.told("payment", sent).contains("amount 55 is 60 now"));
    assert!(desk.told("payment", gone).contains("deleted"));
    assert_eq!(desk.standing("invoice", invoice), changed);
    let told = desk.told("invoice", invoice);
    assert!(told.contains("total 115 is 230 now"), "{told}");
    assert_eq!(desk.standing("payment", quiet).0, "done-by-hand");
    assert_eq!(desk.standing("payment", excluded).0, "do-not-send");
    for payment in [refund, gone, sent] {
        desk.decide("done", "payment", payment, "");
    }
    watch(&mut desk);
    for payment in [refund, gone, sent] {
        assert_eq!(desk.standing("payment", payment).0, "done-by-hand");
    }
    // A person's word: judged anew.
    desk.set("tax.1", "301");
    assert_eq!(desk.standing("invoice", invoice), changed);
    desk.decide("retry", "invoice", invoice, "");
    desk.run("sync");
    assert_eq!(desk.standing("invoice", invoice), synced());
}

/// The same of receipts, and of what was made of them.
#[test]
fn a_receipt_that_was_done_by_hand_is_listed_again_where_either_side_changes() {
    let changed = standing("owed", "changed-since-done");
    for act in ["receipt", "deleted", "payment", "none"] {
        let (mut desk, _, receipt, payment) = imported(1);
        desk.decide("done", "receipt", receipt, "");
        watch(&mut desk);
        assert_eq!(desk.standing("receipt", receipt).0, "done-by-hand");
        match act {
            "receipt" => {
                desk.sage("receipts", "update", receipt, json!({"Total": "130"}));
            }
            "deleted" => {
                desk.sage("receipts", "delete", receipt, json!({}));
            }
            "payment" => {
                desk.splynx("payments", "update", payment, json!({"amount": "99"}));
            }
            _ => {}
        }
        desk.set("create_payment_without_invoice", "on");
        watch(&mut desk);
        let expected = match act {
            "none" => standing("done-by-hand", ""),
            _ => changed.clone(),
        };
        assert_eq!(desk.standing("receipt", receipt), expected, "{act}");
        desk.decide("done", "receipt", receipt, "");
        watch(&mut desk);
        assert_eq!(desk.standing("receipt", receipt).0, "done-by-hand", "{act}");
        assert_eq!(desk.state(false, "payments").len(), 1);
    }
}

/// What the watching costs: in ordinary runs nothing, once a day eight requests to Sage for a hundred receipts.
#[test]
fn watching_costs_little() {
    let (mut desk, ..) = imported(1);
    let customer = desk.customer(1);
    desk.set("create_payment_without_invoice", "on");
    for n in 0..120 {
        desk.receipt(customer, "2026-02-17", &format!("{}.50", 300 + n), &[]);
    }
    for minutes in [15, 15, 15] {
        desk.pass(minutes);
        desk.run("sync");
    }
    let asked = |desk: &mut Desk| {
        let there = simulation::books::requests(desk.installation.world());
        (
            there.values().sum::<u64>(),
            splynx_requests(&mut desk.installation),
        )
    };
    let before = asked(&mut desk);
    desk.pass(15);
    desk.run("sync");
    let quiet = asked(&mut desk);
    assert!(quiet.0 - before.0 <= 4, "{}", quiet.0 - before.0);
    assert!(quiet.1 - before.1 <= 11, "{}", quiet.1 - before.1);
    desk.pass(DAY);
    desk.run("sync");
    let daily = asked(&mut desk);
    // What is new of each kind is listed once more, and allocations are asked for by fifteen receipts.
    assert!(daily.0 - quiet.0 <= 26, "{}", daily.0 - quiet.0);
}

/// What people delete in Sage of ours is listed within a day, and a person's word makes it again, once, whatever becomes of the answers.
#[test]
fn what_is_deleted_in_sage_is_listed_and_made_again_by_a_persons_word() {
    for lost in [false, true] {
        let mut desk = Desk::new(1);
        let customer = desk.customer(0);
        let invoice = desk.invoice(customer);
        let payment = desk.payment(customer, "115", json!({"invoice_id": invoice}));
        let note = desk.credit_note(customer, json!({}));
        desk.run("sync");
        let all = [
            ("invoice", invoice, "invoices", format!("I{invoice}")),
            ("credit-note", note, "returns", format!("C{note}")),
            ("payment", payment, "receipts", format!("P{payment}")),
        ];
        for (_, _, entity, key) in &all {
            let id = id_of(&desk.keyed(key).expect("it was sent"), "ID");
            // What is allocated cannot be deleted.
            for row in desk.state(true, "allocations") {
                desk.sage("allocations", "delete", id_of(&row, "ID"), json!({}));
            }
            desk.sage(entity, "delete", id, json!({}));
        }
        watch(&mut desk);
        for (kind, id, ..) in &all {
            let gone = standing("held", "gone-in-sage");
            assert_eq!(desk.standing(kind, *id), gone);
        }
        watch(&mut desk);
        if lost {
            let when = json!({"method": "POST", "path": "Save", "nth": 1});
            desk.with_fault("sage", when, &json!("drop-after"));
        }
        for (kind, id, ..) in &all {
            desk.decide("retry", kind, *id, "");
        }
        for _ in 0..4 {
            let _ = desk.installation.run("sync");
            desk.pass(6);
        }
        for (kind, id, _, key) in &all {
            assert_eq!(desk.standing(kind, *id), synced(), "{kind}");
            assert!(desk.keyed(key).is_some(), "{key} is there once");
        }
        assert_eq!(desk.state(true, "allocations").len(), 1);
    }
}

/// After an older backup was put back: what was made since, and deleted in Splynx since, is listed; what Splynx still has is in step.
#[test]
fn what_a_backup_does_not_know_and_splynx_no_longer_has_is_listed() {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    desk.run("sync");
    let backup = desk.installation.host().storage.clone();
    let [gone, kept] = [1, 2].map(|_| desk.invoice(customer));
    let note = desk.credit_note(customer, json!({}));
    let payment = desk.payment(customer, "70", json!({}));
    desk.run("sync");
    desk.splynx("payments", "delete", payment, json!({}));
    desk.splynx("credit_notes", "delete", note, json!({}));
    desk.splynx("invoices", "delete", gone, json!({}));
    desk.installation.host().storage = backup;
    watch(&mut desk);
    let owed = standing("owed", "deleted-after-sync");
    for (kind, id) in [
        ("invoice", gone),
        ("credit-note", note),
        ("payment", payment),
    ] {
        assert_eq!(desk.standing(kind, id), owed, "{kind}");
    }
    assert_eq!(desk.standing("invoice", kept), synced());
    watch(&mut desk);
}
