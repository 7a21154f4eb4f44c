//! Allocations: Sage settles the same invoices with the same money as Splynx, once, in few requests (D11).

use std::collections::BTreeMap;

use chrono::TimeDelta;
use mock_host::{DeathPoint, MemoryStorage, Side};
use rust_decimal::Decimal;
use sandbox::http::Service;
use sandbox::isp::{Isp, Size};
use serde_json::{Value, json};
use simulation::books::{self, rows};
use simulation::installation::Installation;

use crate::desk::{Desk, dec, id_of, money};
use crate::judge::{assert_in_step, open, writes};

const BATCH: &str = "POST Allocation/SaveBatch";
const SINGLE: &str = "POST Allocation/Save";

/// What settles what, by our keys: `P3` and `I5` → the amount.
type Settled = BTreeMap<(String, String), Decimal>;

/// Our key of each document and receipt in Sage, by Sage's id.
fn keys(state: &Value) -> BTreeMap<i64, String> {
    ["invoices", "returns", "receipts"]
        .into_iter()
        .flat_map(|entity| rows(state, entity))
        .filter_map(|row| {
            let (_, mark) = row["Reference"].as_str()?.rsplit_once(' ')?;
            let (_, key) = mark.rsplit_once('-')?;
            Some((id_of(row, "ID"), key.to_owned()))
        })
        .collect()
}

fn in_sage(installation: &mut Installation) -> Settled {
    let state = installation.world().sage.state();
    let keys = keys(&state);
    let mut settled = Settled::new();
    for row in rows(&state, "allocations") {
        let end = |field: &str| keys.get(&id_of(row, field)).cloned().unwrap_or_default();
        let pair = (end("SourceDocumentId"), end("AllocatedToDocumentId"));
        let before = settled.insert(pair.clone(), money(&row["Total"]));
        assert_eq!(before, None, "{pair:?} is allocated twice");
    }
    settled
}

/// What Splynx says, of money and invoices that are in Sage by us.
fn in_splynx(installation: &mut Installation) -> Settled {
    let sage = installation.world().sage.state();
    let there: Vec<String> = keys(&sage).into_values().collect();
    let state = installation.world().splynx.state();
    let mut settled = Settled::new();
    for row in rows(&state, "invoice_relations") {
        let letter = match row["type"].as_str() {
            Some("payment") => 'P',
            Some("credit_note") => 'C',
            _ => continue,
        };
        let pair = (
            format!("{letter}{}", row["payer_id"]),
            format!("I{}", row["invoice_id"]),
        );
        if there.contains(&pair.0) && there.contains(&pair.1) {
            *settled.entry(pair).or_default() += money(&row["amount"]);
        }
    }
    settled
        .into_iter()
        .map(|(pair, amount)| (pair, amount.normalize()))
        .collect()
}

#[track_caller]
fn assert_settled_alike(installation: &mut Installation) {
    assert_eq!(in_sage(installation), in_splynx(installation));
}

/// D11, F62, F70, F71, F27: every relation of Splynx whose both ends are in Sage by us is one allocation there with its amount, of credit notes
/// too; a hundred go in one request; invoices are due in Sage what they are due in Splynx; nothing more is done when nothing changes.
#[test]
fn sage_settles_the_same_invoices_with_the_same_money() {
    for seed in [21, 22] {
        println!("seed {seed}");
        let isp = Isp::seeded(Size::Small, seed);
        let mut installation = Installation::new(&isp, false);
        installation.run_through("sync");
        assert_settled_alike(&mut installation);
        let settled = in_sage(&mut installation);
        assert!(settled.len() > 300, "{} allocations", settled.len());
        assert!(settled.keys().any(|(payer, _)| payer.starts_with('C')));
        let requests = books::requests(installation.world());
        let most = settled.len() as u64 / 100 + 2;
        assert!(requests[BATCH] <= most, "{} batches", requests[BATCH]);
        assert!(requests.get(SINGLE).copied().unwrap_or_default() <= 1);

        // What is due where all the money is in Sage.
        let sage = installation.world().sage.state();
        let keys = keys(&sage);
        let splynx = installation.world().splynx.state();
        let elsewhere: Vec<String> = rows(&splynx, "invoice_relations")
            .iter()
            .filter(|row| {
                let letter = if row["type"] == "credit_note" {
                    'C'
                } else {
                    'P'
                };
                let payer = format!("{letter}{}", row["payer_id"]);
                row["type"] == "transaction" || !keys.values().any(|key| *key == payer)
            })
            .map(|row| format!("I{}", row["invoice_id"]))
            .collect();
        let mut compared = 0;
        for row in rows(&sage, "invoices") {
            let key = &keys[&id_of(row, "ID")];
            if elsewhere.contains(key) {
                continue;
            }
            let invoices = rows(&splynx, "invoices");
            let here = invoices.iter().find(|i| format!("I{}", i["id"]) == *key);
            let due = money(&here.expect("it is Splynx's")["due"]);
            assert_eq!(money(&row["AmountDue"]), due, "{key}");
            compared += 1;
        }
        assert!(compared > 300, "{compared} invoices were compared");

        let before = writes(&mut installation);
        for _ in 0..2 {
            installation.advance(TimeDelta::hours(13));
            installation.run_through("sync");
        }
        assert_eq!(writes(&mut installation), before);
        // With the database gone, they are found, not made again.
        installation.host().storage = MemoryStorage::default();
        installation.run_through("sync");
        assert_eq!(in_sage(&mut installation), settled);
        assert!(open(&mut installation).is_empty());
        assert_eq!(writes(&mut installation), before);
    }
}

/// D11: a deposit that pays a later invoice, one payment for several invoices, a relation that goes, one whose amount changes.
#[test]
fn allocations_follow_splynxs_relations_wherever_they_go() {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let deposit = desk.payment(customer, "300", json!({"receipt_number": "deposit"}));
    desk.run("sync");
    assert_eq!(in_sage(&mut desk.installation), Settled::new());
    let [first, second] = [1, 2].map(|_| desk.invoice(customer));
    desk.run("sync");
    let third = desk.invoice(customer);
    desk.pass(15);
    desk.run("sync");
    let pays = |invoice: i64| (format!("P{deposit}"), format!("I{invoice}"));
    let expected = Settled::from([
        (pays(first), dec("115")),
        (pays(second), dec("115")),
        (pays(third), dec("70")),
    ]);
    assert_eq!(in_sage(&mut desk.installation), expected);
    let payments = desk.state(false, "payments");
    assert!(
        payments[0]["invoice_id"].as_i64().unwrap_or(0) == 0,
        "the payment names none"
    );

    // Less money: two of them stay paid, as far as it goes.
    desk.splynx("payments", "update", deposit, json!({"amount": "200"}));
    desk.run("sync");
    assert_eq!(desk.standing("payment", deposit).1, "changed-after-sync");
    assert_settled_alike(&mut desk.installation);
    let amounts: Decimal = in_sage(&mut desk.installation).values().sum();
    assert_eq!(amounts, dec("200"));

    // None at all.
    desk.splynx("payments", "delete", deposit, json!({}));
    desk.run("sync");
    assert_eq!(in_sage(&mut desk.installation), Settled::new());
    let in_sage_still = desk.keyed(&format!("P{deposit}")).expect("it is owed");
    assert_eq!(money(&in_sage_still["TotalUnallocated"]), dec("300"));
    desk.pass(24 * 60);
    desk.run("sync");
    assert_eq!(desk.standing("payment", deposit).1, "deleted-after-sync");

    // A credit note takes its place, and is given up again.
    let note = desk.credit_note(customer, json!({"invoicesId": first}));
    desk.run("sync");
    assert_settled_alike(&mut desk.installation);
    assert_eq!(in_sage(&mut desk.installation).len(), 1);
    desk.splynx("credit_notes", "update", note, json!({"status": "deleted"}));
    desk.run("sync");
    assert_eq!(in_sage(&mut desk.installation), Settled::new());
    assert_eq!(open(&mut desk.installation), [] as [String; 0]);
}

/// F27, D11: where Sage allocates by itself, that is read from what is left of the receipt: what Splynx would have allocated the same is taken as
/// done, the rest is listed with the reason, and nothing is allocated twice.
#[test]
fn what_sage_allocated_by_itself_is_taken_as_it_is() {
    let mut desk = Desk::new(2);
    desk.set("auto_allocate_oldest", "on");
    for place in [0, 1] {
        let customer = desk.customer(place);
        desk.splynx("customers", "update", customer, json!({"city": "Ceres"}));
    }
    desk.run("export-customers");
    let (customer, other) = (desk.customer(0), desk.customer(1));
    let [oldest, newest] = [1, 2].map(|_| desk.invoice(customer));
    let same = desk.payment(
        customer,
        "115",
        json!({"invoice_id": oldest, "receipt_number": "R1"}),
    );
    let theirs = [1, 2].map(|_| desk.invoice(other));
    let otherwise = desk.payment(
        other,
        "115",
        json!({"invoice_id": theirs[1], "receipt_number": "R2"}),
    );
    for _ in 0..2 {
        desk.run("sync");
        desk.pass(15);
    }
    let pair = |payment: i64, invoice: i64| (format!("P{payment}"), format!("I{invoice}"));
    let expected = Settled::from([
        (pair(same, oldest), dec("115")),
        (pair(otherwise, theirs[0]), dec("115")),
    ]);
    assert_eq!(in_sage(&mut desk.installation), expected);
    assert_eq!(desk.asked(SINGLE) + desk.asked(BATCH), 0, "Sage did it all");
    let skipped = desk
        .installation
        .rows("records", &[("kind", "allocation"), ("state", "skipped")]);
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    let relation = skipped[0][1].parse().expect("an id");
    assert_eq!(desk.standing("allocation", relation).1, "allocated-in-sage");
    assert!(desk.told("allocation", relation).contains("Auto allocate"));
    let synced = [("kind", "allocation"), ("state", "synced")];
    assert_eq!(desk.installation.rows("records", &synced).len(), 1);

    // Paid a second time, now for the newest: there is only one left, and Sage has taken it.
    let again = desk.payment(
        customer,
        "115",
        json!({"invoice_id": newest, "receipt_number": "R3"}),
    );
    desk.run("sync");
    assert_eq!(
        in_sage(&mut desk.installation)[&pair(again, newest)],
        dec("115")
    );
    assert_eq!(desk.asked(SINGLE) + desk.asked(BATCH), 0);
}

/// D11: a batch is refused as a whole because of one bad row; the others go, the bad one is held with what Sage said, and goes after the cure.
#[test]
fn one_bad_row_does_not_hold_the_batch() {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let invoices = [1, 2, 3].map(|_| desk.invoice(customer));
    desk.export_invoices();
    // A bookkeeper has settled the second invoice with money that Splynx knows nothing of.
    desk.set("payments_direction", "to_sage");
    let by_hand = desk.receipt(customer, "2026-02-02", "100", &[(invoices[1], "100", "0")]);
    for (n, invoice) in invoices.iter().enumerate() {
        let more = json!({"invoice_id": invoice, "receipt_number": format!("R{n}")});
        desk.payment(customer, "115", more);
    }
    desk.run("sync");
    assert_eq!([desk.asked(BATCH), desk.asked(SINGLE)], [1, 3]);
    let held = desk
        .installation
        .rows("records", &[("kind", "allocation"), ("state", "held")]);
    assert_eq!(held.len(), 1, "{held:?}");
    let relation: i64 = held[0][1].parse().expect("an id");
    assert!(
        desk.told("allocation", relation)
            .contains("more than the amount due")
    );
    desk.pass(15);
    desk.run("sync");
    assert_eq!(
        [desk.asked(BATCH), desk.asked(SINGLE)],
        [1, 3],
        "it is not tried again"
    );
    desk.sage("receipts", "delete", by_hand, json!({}));
    desk.decide("retry", "allocation", relation, "");
    desk.run("sync");
    assert_settled_alike(&mut desk.installation);
    assert_eq!(in_sage(&mut desk.installation).len(), 3);
}

/// D14, D11: with a total that is a cent short, money that pays the whole invoice cannot be allocated whole; once the total is cured, it is.
#[test]
fn a_cured_total_lets_its_money_be_allocated() {
    let isp = Isp::seeded(Size::Small, 11);
    let mut installation = Installation::new(&isp, false);
    installation.set("use_inclusive_amounts", "off");
    installation.run_through("sync");
    installation.set("fix_item_id", "2005");
    let held = installation.whole_page("outbox", &[("state", "held")]);
    let held: Vec<&str> = held.iter().map(|row| row.id.as_str()).collect();
    installation
        .decide("retry", &held, "")
        .expect("they are held");
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);
    assert_settled_alike(&mut installation);
}

/// A payment that was allocated and is worth less now, another one that is new, and one that is gone.
fn unsettled() -> Desk {
    let mut desk = Desk::new(2);
    let (customer, other) = (desk.customer(0), desk.customer(1));
    let [first, second] = [1, 2].map(|_| desk.invoice(customer));
    let less = desk.payment(customer, "200", json!({"receipt_number": "R1"}));
    let theirs = desk.invoice(other);
    let gone = desk.payment(
        other,
        "115",
        json!({"invoice_id": theirs, "receipt_number": "R2"}),
    );
    desk.run("sync");
    desk.splynx("payments", "update", less, json!({"amount": "150"}));
    desk.payment(
        customer,
        "80",
        json!({"invoice_id": second, "receipt_number": "R3"}),
    );
    desk.splynx("payments", "delete", gone, json!({}));
    desk.payment(other, "50", json!({"receipt_number": "R4"}));
    assert!(first < second);
    desk
}

/// D11: killed at any capability call and run again, or with any answer lost, each allocation is there once and as Splynx says.
#[test]
fn deaths_and_lost_answers_leave_every_allocation_once() {
    let mut undisturbed = unsettled();
    undisturbed.run("sync");
    assert_settled_alike(&mut undisturbed.installation);
    let expected = in_sage(&mut undisturbed.installation);
    assert!(expected.len() >= 4, "{expected:?}");
    let calls = undisturbed.installation.host().calls();
    let sides = [Side::Before, Side::After, Side::Within(1)];
    for point in (1..=calls).flat_map(|call| sides.map(|side| DeathPoint { call, side })) {
        let mut desk = unsettled();
        assert!(desk.installation.run_and_die("sync", point), "{point:?}");
        for _ in 0..3 {
            desk.run("sync");
            desk.pass(6);
        }
        assert_eq!(in_sage(&mut desk.installation), expected, "{point:?}");
        assert_eq!(open(&mut desk.installation), [] as [String; 0], "{point:?}");
    }
    for act in [
        json!("drop-after"),
        json!("refuse"),
        json!("html"),
        json!("null"),
        json!({"late": 90_000}),
        json!({"status": {"code": 500, "before": false}}),
        json!({"status": {"code": 503}}),
    ] {
        for path in ["Allocation/Save", "Allocation/Delete", "Allocation/Get"] {
            for nth in 1..=2 {
                let mut desk = unsettled();
                desk.with_fault("sage", json!({"path": path, "nth": nth}), &act);
                for _ in 0..4 {
                    // A list that fails ends its run.
                    let _ = desk.installation.run("sync");
                    desk.pass(6);
                }
                let what = format!("{act} on {path}, {nth}");
                assert_eq!(in_sage(&mut desk.installation), expected, "{what}");
                assert_eq!(open(&mut desk.installation), [] as [String; 0], "{what}");
            }
        }
    }
}
