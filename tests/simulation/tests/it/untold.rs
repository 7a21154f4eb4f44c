//! What people do and neither service tells of: edits in Sage of what we sent, allocations taken away there, and relations that change in
//! Splynx alone. Automatic runs find it within a day.

use chrono::Days;
use rust_decimal::Decimal;
use sandbox::isp::{Invoice, Isp, Line, Rounding, total};
use serde_json::{Value, json};

use crate::desk::{Desk, id_of, money};
use crate::judge::writes;

const DAY: i64 = 24 * 60;

fn standing(state: &str, code: &str) -> (String, String) {
    (state.to_owned(), code.to_owned())
}

fn synced() -> (String, String) {
    standing("synced", "")
}

/// Runs as the scheduler would, a day later and a quarter of an hour after that.
fn a_day_later(desk: &mut Desk) {
    for minutes in [DAY, 15] {
        desk.pass(minutes);
        desk.run("sync");
    }
}

/// The same, and nothing is changed by it.
fn watch(desk: &mut Desk) {
    let wrote = writes(&mut desk.installation);
    a_day_later(desk);
    assert_eq!(writes(&mut desk.installation), wrote, "nothing is written");
}

/// The source and target of each allocation in Sage.
fn allocated(desk: &mut Desk) -> Vec<(i64, i64)> {
    let ends = |row: &Value| {
        let target = id_of(row, "AllocatedToDocumentId");
        (id_of(row, "SourceDocumentId"), target)
    };
    desk.state(true, "allocations").iter().map(ends).collect()
}

/// An edit of what we sent is listed with what it was, until it is undone; a person's word writes Splynx's over it, or leaves Sage's, and
/// then the next edit is told.
#[test]
pub fn what_people_edit_in_sage_of_what_was_sent_is_listed_within_a_day() {
    for (kind, entity, letter, state) in [
        ("invoice", "invoices", 'I', "held"),
        ("credit-note", "returns", 'C', "held"),
        ("payment", "receipts", 'P', "owed"),
    ] {
        println!("{kind}");
        let mut desk = Desk::new(1);
        let customer = desk.customer(0);
        desk.set("payments_direction", "to_sage");
        desk.set("payments_push_methods", "2");
        let id = match kind {
            "invoice" => desk.invoice(customer),
            "credit-note" => desk.credit_note(customer, json!({})),
            _ => desk.payment(customer, "70", json!({})),
        };
        desk.run("sync");
        let key = format!("{letter}{id}");
        let sent = desk.keyed(&key).expect("it was sent");
        let there = id_of(&sent, "ID");
        let date = |day: &Value| json!({"Date": day});
        let edited = standing(state, "edited-in-sage");

        desk.sage(entity, "update", there, date(&json!("2026-01-30")));
        watch(&mut desk);
        assert_eq!(desk.standing(kind, id), edited);
        assert!(desk.told(kind, id).contains("2026-01-30"));
        watch(&mut desk);
        assert_eq!(desk.standing(kind, id), edited);
        desk.sage(entity, "update", there, date(&sent["Date"]));
        watch(&mut desk);
        assert_eq!(desk.standing(kind, id), synced());

        desk.sage(entity, "update", there, date(&json!("2026-01-29")));
        watch(&mut desk);
        assert_eq!(desk.standing(kind, id), edited);
        if kind != "payment" {
            desk.decide("retry", kind, id, "");
            desk.run("sync");
            assert_eq!(desk.standing(kind, id), synced());
            let now = desk.keyed(&key).expect("it is there");
            assert_eq!(now["Date"], sent["Date"]);
            watch(&mut desk);
            desk.sage(entity, "update", there, date(&json!("2026-01-28")));
            watch(&mut desk);
        }
        desk.decide("done", kind, id, "");
        watch(&mut desk);
        assert_eq!(desk.standing(kind, id).0, "done-by-hand");
        desk.sage(entity, "update", there, date(&json!("2026-01-27")));
        watch(&mut desk);
        let changed = standing("owed", "changed-since-done");
        assert_eq!(desk.standing(kind, id), changed);
        assert!(desk.told(kind, id).contains("2026-01-27"));
    }
}

/// D11: an allocation that people take away in Sage, and nothing else, is listed and made again by a person's word; one that they move is
/// listed.
#[test]
pub fn an_allocation_that_is_taken_away_or_moved_in_sage_is_listed() {
    for moved in [false, true] {
        let mut desk = Desk::new(1);
        let customer = desk.customer(0);
        let [invoice, other] = [1, 2].map(|_| desk.invoice(customer));
        desk.payment(customer, "115", json!({"invoice_id": invoice}));
        desk.run("sync");
        let before = allocated(&mut desk);
        let relation = id_of(&desk.state(false, "invoice_relations")[0], "id");
        let allocation = id_of(&desk.state(true, "allocations")[0], "ID");
        if moved {
            let target = id_of(&desk.in_sage(other), "ID");
            let to = json!({"AllocatedToDocumentId": target});
            desk.sage("allocations", "update", allocation, to);
        } else {
            desk.sage("allocations", "delete", allocation, json!({}));
        }
        watch(&mut desk);
        let (state, code) = match moved {
            false => ("held", "gone-in-sage"),
            true => ("owed", "edited-in-sage"),
        };
        assert_eq!(desk.standing("allocation", relation), standing(state, code));
        watch(&mut desk);
        assert_eq!(desk.standing("allocation", relation), standing(state, code));
        if !moved {
            desk.decide("retry", "allocation", relation, "");
            desk.run("sync");
            assert_eq!(desk.standing("allocation", relation), synced());
            assert_eq!(allocated(&mut desk), before);
        }
    }
}

/// D11: what Splynx settles otherwise by now is not taken back in Sage where a person has made another allocation of it there.
#[test]
fn an_allocation_that_a_person_moved_is_not_taken_back() {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let [invoice, other] = [1, 2].map(|_| desk.invoice(customer));
    let payment = desk.payment(customer, "115", json!({"invoice_id": invoice}));
    desk.run("sync");
    let relation = id_of(&desk.state(false, "invoice_relations")[0], "id");
    let allocation = id_of(&desk.state(true, "allocations")[0], "ID");
    let target = id_of(&desk.in_sage(other), "ID");
    let to = json!({"AllocatedToDocumentId": target});
    desk.sage("allocations", "update", allocation, to);
    desk.splynx("payments", "delete", payment, json!({}));
    watch(&mut desk);
    assert_eq!(desk.standing("allocation", relation).1, "edited-in-sage");
    assert_eq!(allocated(&mut desk).len(), 1);
    watch(&mut desk);
}

/// D11: two payments change places in Splynx, and neither they nor their invoices show it: Sage follows within a day.
#[test]
pub fn relations_that_change_alone_are_followed_within_a_day() {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let invoices = [1, 2].map(|_| desk.invoice(customer));
    for (place, invoice) in invoices.iter().enumerate() {
        let more = json!({"invoice_id": invoice, "receipt_number": format!("R{place}")});
        desk.payment(customer, "115", more);
    }
    desk.run("sync");
    a_day_later(&mut desk);
    let [first, second]: [(i64, i64); 2] = allocated(&mut desk).try_into().expect("two");
    let relations = desk.state(false, "invoice_relations");
    let [one, other] = [0, 1].map(|place| id_of(&relations[place], "id"));
    let before = desk.state(false, "payments");
    desk.splynx("invoice_relations", "exchange", one, json!({"with": other}));
    assert_eq!(desk.state(false, "payments"), before, "nothing shows it");
    a_day_later(&mut desk);
    let mut now = allocated(&mut desk);
    now.sort_unstable();
    let mut expected = [(first.0, second.1), (second.0, first.1)];
    expected.sort_unstable();
    assert_eq!(now, expected);
    watch(&mut desk);
}

/// An invoice of two lines of −69.00, of the first customer.
fn below_zero(isp: &mut Isp) {
    let back = |description: &str| Line {
        description: description.to_owned(),
        quantity: Decimal::ONE,
        price: Decimal::from(-60),
        tax_percent: Decimal::from(15),
        tax_id: 1,
        category_id: 7,
        period: None,
    };
    let lines = vec![back("Back"), back("Once more")];
    let date = isp.today - Days::new(20);
    isp.invoices.push(Invoice {
        id: 501,
        customer_id: isp.customers[0].id,
        number: "202601000001".to_owned(),
        date,
        due: date + Days::new(14),
        total: total(&lines, Rounding::PerLine),
        rounding: Rounding::PerLine,
        lines,
        kind: "one_time".to_owned(),
        deleted: false,
        uses_transactions: true,
        note: String::new(),
    });
}

/// F34, D11: what an invoice below zero settles in Splynx, its credit note settles in Sage.
#[test]
fn what_an_invoice_below_zero_settles_is_allocated() {
    let mut desk = Desk::with(1, below_zero);
    let customer = desk.customer(0);
    let below = id_of(&desk.state(false, "invoices")[0], "id");
    desk.run("sync");
    let invoice = desk.invoice(customer);
    let relations = desk.state(false, "invoice_relations");
    assert_eq!(relations.len(), 2, "both lines pay: {relations:?}");
    a_day_later(&mut desk);
    let source = id_of(&desk.keyed(&format!("I{below}")).expect("sent"), "ID");
    let document = desk.in_sage(invoice);
    assert_eq!(allocated(&mut desk), [(source, id_of(&document, "ID"))]);
    assert_eq!(money(&document["AmountDue"]), Decimal::ZERO);
    let id = relations.iter().map(|row| id_of(row, "id")).min();
    let now = desk.standing("allocation", id.expect("some"));
    assert_eq!(now, synced());
    watch(&mut desk);
}
