//! Every combination of settings, receipts and invoices, against the decision table.

use serde_json::json;

use super::{Desk, Held, dec, id_of};

/// I3, row by row as it is written: receipt, invoice, F18, F20, whether a payment is made.
const TABLE: &[(&str, &str, &str, &str, bool)] = &[
    ("in full", "not paid", "any", "any", true),
    ("in full", "other", "any", "off", false),
    ("in full", "other", "any", "on", true),
    ("partial", "any", "off", "any", false),
    ("partial", "not paid", "on", "off", true),
    ("partial", "not paid", "on", "on", true),
    ("partial", "other", "on", "off", false),
    ("partial", "other", "on", "on", true),
    ("unlinked", "none", "off", "any", false),
    ("unlinked", "none", "on", "any", true),
    ("not paired", "none", "any", "any", false),
];

fn by_the_table(receipt: &str, invoice: &str, f18: &str, f20: &str) -> bool {
    let fits = |cell: &str, value: &str| cell == "any" || cell == value;
    let rows: Vec<_> = TABLE
        .iter()
        .filter(|row| {
            row.0 == receipt && fits(row.1, invoice) && fits(row.2, f18) && fits(row.3, f20)
        })
        .collect();
    assert_eq!(rows.len(), 1, "{receipt}, {invoice}, F18 {f18}, F20 {f20}");
    rows[0].4
}

/// The states of an invoice, and what the table calls them.
const STATES: [(&str, &str); 4] = [
    ("not_paid", "not paid"),
    ("paid", "other"),
    ("pending", "other"),
    ("deleted", "other"),
];

/// A receipt that was made, and its lines: how the table calls each, its invoice's state, and its amount.
struct Case {
    receipt: i64,
    lines: Vec<(&'static str, &'static str, &'static str)>,
    invoice: Option<(i64, &'static str)>,
}

/// One receipt of each kind for each state of its invoice, each of a customer of its own.
fn cases(desk: &mut Desk) -> Vec<Case> {
    let mut invoices = Vec::new();
    for place in 0..12 {
        let customer = desk.customer(place);
        let invoice = desk.invoice(customer);
        invoices.push((customer, invoice));
    }
    // The third kind has a second invoice, which stays unpaid.
    let seconds: Vec<i64> = (8..12)
        .map(|place| desk.invoice(desk.customer(place)))
        .collect();
    let ours = desk.customer(13);
    desk.splynx(
        "payments",
        "create",
        0,
        json!({"customer_id": ours, "payment_type": 3, "date": "2026-02-02", "amount": "50",
        "receipt_number": "ours"}),
    );
    desk.set("payments_direction", "to_sage");
    desk.set("payments_push_methods", "3");
    desk.export_invoices();
    desk.installation.run_through("export-payments");
    for (place, (customer, invoice)) in invoices.iter().enumerate() {
        let status = STATES[place % 4].0;
        match status {
            "paid" => {
                desk.splynx("payments", "create", 0, json!({"customer_id": customer, "payment_type": 6, "date": "2026-02-03",
                    "amount": "115", "invoice_id": invoice, "receipt_number": format!("till {invoice}")}));
            }
            "not_paid" => {}
            status => {
                desk.splynx("invoices", "update", *invoice, json!({"status": status}));
            }
        }
    }
    let mut cases = Vec::new();
    for (place, (customer, invoice)) in invoices.into_iter().enumerate() {
        let (status, called) = STATES[place % 4];
        let (receipt, lines) = match place / 4 {
            0 => (
                desk.receipt(customer, "2026-02-17", "115", &[(invoice, "115", "0")]),
                vec![("in full", called, "115")],
            ),
            1 => (
                desk.receipt(customer, "2026-02-17", "40", &[(invoice, "40", "0")]),
                vec![("partial", called, "40")],
            ),
            _ => {
                let second = seconds[place - 8];
                let allocations = [(invoice, "115", "0"), (second, "60", "0")];
                let receipt = desk.receipt(customer, "2026-02-17", "200", &allocations);
                (
                    receipt,
                    vec![
                        ("in full", called, "115"),
                        ("partial", "not paid", "60"),
                        ("unlinked", "none", "25"),
                    ],
                )
            }
        };
        cases.push(Case {
            receipt,
            lines,
            invoice: Some((invoice, status)),
        });
    }
    let unlinked = desk.receipt(desk.customer(12), "2026-02-17", "30", &[]);
    cases.push(Case {
        receipt: unlinked,
        lines: vec![("unlinked", "none", "30")],
        invoice: None,
    });
    let stranger = desk.sage("customers", "create", 0, json!({"Name": "Only in Sage"}));
    let stranger = desk.receipt_of(id_of(&stranger, "ID"), "2026-02-17", "70", &[]);
    cases.push(Case {
        receipt: stranger,
        lines: vec![("not paired", "none", "70")],
        invoice: None,
    });
    let receipts = desk.state(true, "receipts");
    let ours = receipts.iter().find(|row| {
        row["Reference"]
            .as_str()
            .is_some_and(|r| r.starts_with("ours "))
    });
    cases.push(Case {
        receipt: id_of(ours.expect("it went to Sage"), "ID"),
        lines: Vec::new(),
        invoice: None,
    });
    cases
}

/// I1, I2, I3, F10, F11, F15, F16, F17, F18, F19, F20, F21, F22, F23, F72, F73, F74, F75, F76, D9, D10: every combination of direction,
/// methods that are pushed, imported method, F18, F20, kind of receipt and state of its invoice is run, and Splynx is compared with
/// the table.
#[test]
fn what_becomes_of_a_receipt_is_what_the_decision_table_says_in_every_combination() {
    let mut combinations = 0;
    for direction in ["to_sage", "from_sage", "both"] {
        for (pushed, imported) in [("", "8"), ("3", "8"), ("1,2,3,8", "8"), ("1,2,3", "2")] {
            for f18 in ["off", "on"] {
                for f20 in ["off", "on"] {
                    let mut desk = Desk::new(14);
                    let cases = cases(&mut desk);
                    for (key, value) in [
                        ("payments_direction", direction),
                        ("payments_push_methods", pushed),
                        ("payment_method_id", imported),
                        ("create_payment_without_invoice", f18),
                        ("create_payment_for_paid_invoice", f20),
                    ] {
                        desk.set(key, value);
                    }
                    desk.import();
                    for case in &cases {
                        check(&mut desk, case, direction, imported, f18, f20);
                        combinations += 1;
                    }
                    nothing_comes_back(&mut desk);
                }
            }
        }
    }
    println!("{combinations} combinations");
    assert_eq!(combinations, 3 * 4 * 2 * 2 * 15);
}

fn check(desk: &mut Desk, case: &Case, direction: &str, imported: &str, f18: &str, f20: &str) {
    let what = format!(
        "{:?} of {:?}, {direction}, F10 {imported}, F18 {f18}, F20 {f20}",
        case.lines, case.invoice
    );
    let mut expected: Vec<Held> = case
        .lines
        .iter()
        .filter(|_| direction != "to_sage")
        .map(|(receipt, invoice, amount)| {
            let is_paid = by_the_table(receipt, invoice, f18, f20);
            let status = if is_paid { "processed" } else { "new" }.to_owned();
            Held {
                amount: dec(amount),
                status,
                is_paid,
            }
        })
        .collect();
    let mut held: Vec<Held> = desk
        .lines(case.receipt)
        .into_iter()
        .map(|(_, line)| line)
        .collect();
    expected.sort();
    held.sort();
    assert_eq!(held, expected, "{what}");
    for payment in desk.payments(case.receipt) {
        assert_eq!(payment["payment_type"].to_string(), imported, "{what}");
        assert_eq!(payment["date"], "2026-02-17", "{what}");
        let transactions = desk.state(false, "transactions");
        let transaction = transactions
            .iter()
            .find(|row| row["payment_id"] == payment["id"]);
        let method = if imported == "8" {
            "SageOne"
        } else {
            "Bank transfer"
        };
        assert_eq!(transaction.expect("Splynx made one")["description"], method);
    }
    if let Some((invoice, before)) = case.invoice {
        let settled =
            direction != "to_sage" && case.lines[0].0 == "in full" && before == "not_paid";
        let after = desk.invoice_status(invoice);
        let kept = after == before || (before == "pending" && after == "paid");
        assert!(
            if settled { after == "paid" } else { kept },
            "{what}: {after}"
        );
    }
}

/// I2, F11: whatever is sent to Sage now, nothing of it came from there.
fn nothing_comes_back(desk: &mut Desk) {
    desk.installation.run_through("export-payments");
    let imported = desk.state(false, "payments").into_iter();
    let imported: Vec<String> = imported
        .filter(|row| {
            row["receipt_number"]
                .as_str()
                .is_some_and(|n| n.starts_with("SAGE-"))
        })
        .map(|row| format!("-P{}", row["id"]))
        .collect();
    for receipt in desk.state(true, "receipts") {
        let reference = receipt["Reference"].as_str().unwrap_or_default();
        assert!(
            !imported.iter().any(|tail| reference.ends_with(tail)),
            "{reference}"
        );
    }
}
