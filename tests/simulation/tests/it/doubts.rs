//! Answers that get lost, that nobody understands, and runs that die.

use chrono::TimeDelta;
use mock_host::{DeathPoint, Side};
use sandbox::isp::{Isp, Size};
use serde_json::json;
use simulation::installation::Installation;

use crate::judge::{assert_in_step, open};

#[test]
pub fn a_record_that_cannot_be_understood_is_held_and_the_others_go_on() {
    let isp = Isp::seeded(Size::Tiny, 4);
    let mut installation = Installation::new(&isp, false);
    for (path, broken, what) in [
        (
            "admin/customers/customer",
            r#"[{"id": 1, "name": "Nobody's"}]"#,
            "no partner",
        ),
        (
            "admin/finance/payments",
            r#"[{"id": 1, "customer_id": 11, "payment_type": 2, "date": "2026-01-01", "amount": "1e20"}]"#,
            "its amount is",
        ),
    ] {
        let answer =
            json!({"status": {"code": 200, "body": broken, "content_type": "application/json"}});
        let plan = json!({"faults": [
            {"service": "splynx", "when": {"method": "GET", "path": path, "nth": 1}, "do": answer},
        ]});
        let plan = sandbox::faults::Plan::from_json(&plan).expect("a fault plan");
        installation.world().faults = sandbox::faults::FaultPlan::new(plan);
        let job = if path.ends_with("payments") {
            "sync"
        } else {
            "export-customers"
        };
        installation.run_through(job);
        let activities = installation.host().storage.activities();
        let held = activities
            .iter()
            .find(|activity| activity.code == "unreadable" && activity.message.contains(what));
        assert_eq!(held.expect("it is held").local_id, "1");
    }
    assert_in_step(&isp, &mut installation);
}

#[test]
fn a_lost_answer_is_looked_up_before_anything_is_sent_again() {
    let isp = Isp::seeded(Size::Tiny, 2);
    for act in [
        json!("drop-after"),
        json!("refuse"),
        json!("html"),
        json!({"status": {"code": 500, "before": false}}),
    ] {
        for path in [
            "Customer/Save",
            "TaxInvoice/Save",
            "CustomerReturn/Save",
            "CustomerReceipt/Save",
        ] {
            println!("{act} on {path}");
            let mut installation = Installation::new(&isp, false);
            let plan = json!({"faults": [
                {"service": "sage", "when": {"method": "POST", "path": path, "nth": 2}, "do": act},
            ]});
            installation.world().faults = sandbox::faults::FaultPlan::new(
                sandbox::faults::Plan::from_json(&plan).expect("a fault plan"),
            );
            for _ in 0..4 {
                installation.run_through("sync");
                installation.advance(TimeDelta::minutes(6));
            }
            assert_in_step(&isp, &mut installation);
            assert!(open(&mut installation).is_empty());
        }
    }
}

#[test]
fn a_run_that_dies_at_any_call_leaves_nothing_doubled_and_nothing_lost() {
    let isp = Isp::seeded(Size::Tiny, 3);
    let mut undisturbed = Installation::new(&isp, false);
    undisturbed.run_through("sync");
    assert_in_step(&isp, &mut undisturbed);
    let calls = undisturbed.host().calls();
    let sides = [Side::Before, Side::After, Side::Within(1), Side::Within(2)];
    for point in (1..=calls).flat_map(|call| sides.map(|side| DeathPoint { call, side })) {
        let mut installation = Installation::new(&isp, false);
        assert!(
            installation.run_and_die("sync", point),
            "{point:?} is within the run"
        );
        for _ in 0..3 {
            installation.run_through("sync");
            installation.advance(TimeDelta::minutes(6));
        }
        assert_in_step(&isp, &mut installation);
        assert_eq!(open(&mut installation), [""; 0], "{point:?}");
    }
}
