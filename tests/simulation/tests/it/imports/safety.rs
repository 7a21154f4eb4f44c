//! Deaths, lost answers, a lost database, refusals: each payment is there once, and nothing is lost. And previews that tell the truth.

use std::collections::BTreeSet;

use mock_host::{DeathPoint, MemoryStorage, Side};
use sandbox::faults::{FaultPlan, Plan};
use serde_json::{Value, json};

use super::{Desk, shown};
use crate::judge::{open, writes};

/// Receipts of every fate: paid in two lines, waiting, cancelled and amended since.
fn desk() -> (Desk, [i64; 3]) {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let invoices = [desk.invoice(customer), desk.invoice(customer)];
    desk.export_invoices();
    let waiting = desk.receipt(customer, "2026-02-17", "60", &[(invoices[1], "50", "0")]);
    let unlinked = desk.receipt(customer, "2026-02-17", "40", &[]);
    desk.import();
    desk.sage("receipts", "delete", unlinked, json!({}));
    desk.allocate(waiting, invoices[1], "10", "0");
    let paid = desk.receipt(customer, "2026-01-18", "120", &[(invoices[0], "115", "0")]);
    desk.set("import_payments_from", "2026-01-01");
    (desk, [waiting, unlinked, paid])
}

#[track_caller]
fn assert_done(desk: &mut Desk, [waiting, unlinked, paid]: [i64; 3]) {
    let lines = shown(&desk.lines(waiting));
    assert!(
        lines.contains(&"1: 60 new".to_owned()) || lines.contains(&"2: 60 new".to_owned()),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(shown(&desk.lines(unlinked)), ["1: 40 canceled"]);
    assert_eq!(shown(&desk.lines(paid)), ["1: 115 paid", "2: 5 new"]);
    assert_eq!(desk.state(false, "payments").len(), 1);
    assert_eq!(desk.state(false, "bank_statements").len(), 2);
    assert_eq!(open(&mut desk.installation), [] as [String; 0]);
}

/// D2, I7: killed at any capability call, run again, the end is that of an undisturbed run.
#[test]
fn an_import_that_dies_at_any_call_ends_with_each_payment_once() {
    let (mut undisturbed, receipts) = desk();
    undisturbed.import_all();
    let calls = undisturbed.installation.host().calls();
    assert_done(&mut undisturbed, receipts);
    let sides = [Side::Before, Side::After, Side::Within(1), Side::Within(2)];
    println!("{calls} calls");
    for point in (1..=calls).flat_map(|call| sides.map(|side| DeathPoint { call, side })) {
        let (mut desk, receipts) = desk();
        assert!(
            desk.installation.run_and_die("import-all-payments", point),
            "{point:?}"
        );
        for _ in 0..3 {
            desk.import_all();
            desk.pass(6);
        }
        println!("{point:?}");
        assert_done(&mut desk, receipts);
    }
}

fn with_fault(desk: &mut Desk, method: &str, path: &str, nth: u64, act: &Value) {
    let plan = json!({"faults": [{"service": "splynx", "when": {"method": method, "path": path, "nth": nth}, "do": act}]});
    desk.installation.world().faults =
        FaultPlan::new(Plan::from_json(&plan).expect("a fault plan"));
}

/// D2, I7: an answer that is lost, late or nonsense is looked up, and nothing is sent again before a request could still arrive.
#[test]
fn a_lost_answer_of_splynx_is_looked_up_before_anything_is_sent_again() {
    let acts = [
        json!("drop-after"),
        json!("refuse"),
        json!("html"),
        json!({"late": 90_000}),
        json!({"status": {"code": 500, "before": false}}),
        json!({"status": {"code": 502, "before": true}}),
        json!("rate-limit"),
    ];
    for act in acts {
        for (method, path) in [
            ("POST", "finance/bank-statements"),
            ("POST", "finance/bank-statements-records"),
            ("POST", "finance/payments"),
            ("PUT", "finance/bank-statements-records"),
            ("GET", "finance/bank-statements"),
        ] {
            for nth in 1..=3 {
                println!("{act} on {method} {path}, {nth}");
                let (mut desk, receipts) = desk();
                with_fault(&mut desk, method, path, nth, &act);
                for _ in 0..4 {
                    // A look-up that fails ends its run.
                    let _ = desk.installation.run("import-all-payments");
                    desk.pass(6);
                }
                assert_done(&mut desk, receipts);
            }
        }
    }
}

/// D2, D10: with the database gone, what Splynx holds is recognised by its keys, and nothing is paid or listed a second time; also where
/// the server ignores searches that it does not know.
#[test]
fn a_lost_database_is_rebuilt_from_the_keys_in_splynx() {
    let (mut desk, receipts) = desk();
    desk.import_all();
    assert_done(&mut desk, receipts);
    let before = [
        desk.state(false, "payments"),
        desk.state(false, "bank_statements_records"),
    ];
    desk.installation.host().storage = MemoryStorage::default();
    desk.installation.run_through("sync");
    for _ in 0..2 {
        desk.import_all();
    }
    let [waiting, _, paid] = receipts;
    assert_eq!(desk.payments(paid).len(), 1);
    assert_eq!(desk.state(false, "payments").len(), before[0].len());
    assert_eq!(
        desk.state(false, "bank_statements_records").len(),
        before[1].len(),
        "nothing is listed twice"
    );
    assert_eq!(desk.record(paid).0, "held");
    assert_eq!(desk.record(waiting).0, "held");
    assert_eq!(open(&mut desk.installation), [] as [String; 0]);
}

/// D2: what Splynx refuses is held with what it said, and goes on after the cure.
#[test]
fn a_refused_payment_is_held_with_splynxs_reason_until_it_is_cured() {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    desk.set("create_payment_without_invoice", "on");
    desk.set("payment_method_id", "77");
    let receipt = desk.receipt(customer, "2026-02-17", "60", &[]);
    desk.import();
    assert_eq!(
        desk.record(receipt),
        ("held".to_owned(), "refused".to_owned())
    );
    assert_eq!(shown(&desk.lines(receipt)), ["1: 60 new"]);
    let wrote = writes(&mut desk.installation);
    desk.import();
    assert_eq!(
        writes(&mut desk.installation),
        wrote,
        "it is not tried again by itself"
    );
    desk.set("payment_method_id", "8");
    desk.installation
        .decide("retry", &[&format!("receipt/{receipt:012}")], "")
        .expect("it is held");
    desk.import();
    assert_eq!(shown(&desk.lines(receipt)), ["1: 60 paid"]);
}

/// F63, F64: a preview lists exactly what the job then does, line by line, and changes nothing.
#[test]
fn a_preview_of_an_import_lists_exactly_what_it_then_does() {
    for job in ["import-payments", "import-all-payments"] {
        let (mut desk, _) = desk();
        let customer = desk.customer(0);
        desk.receipt(customer, "2025-06-01", "9", &[]);
        let wrote = writes(&mut desk.installation);
        let plan = desk.installation.preview(job).expect("the preview works");
        assert_eq!(writes(&mut desk.installation), wrote);
        let told = desk.installation.host().storage.activities().len();
        desk.installation.run_through(job);
        let planned: Vec<(String, String, String)> = plan
            .iter()
            .map(|row| (row.cells[0].clone(), row.id.clone(), row.cells[4].clone()))
            .collect();
        let done: Vec<(String, String, String)> = desk.installation.host().storage.activities()
            [told..]
            .iter()
            .map(|activity| {
                let act = match activity.action.as_str() {
                    "imported" => "import",
                    "listed" => "list",
                    "held" => "hold",
                    "skipped" => "skip",
                    other => other,
                };
                let amount = activity.more.iter().find(|(name, _)| name == "amount");
                (
                    act.to_owned(),
                    format!("{}/{}", activity.entity, activity.local_id),
                    amount.map(|(_, a)| a.clone()).unwrap_or_default(),
                )
            })
            .collect();
        assert_eq!(planned, done);
        let acts: BTreeSet<&str> = planned.iter().map(|(act, ..)| act.as_str()).collect();
        assert!(
            ["import", "list", "hold"]
                .iter()
                .all(|act| acts.contains(act)),
            "{acts:?}"
        );
    }
}
