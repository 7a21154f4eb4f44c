//! The ledger's promises, checked on the state alone after every step of random histories, and the allocation
//! rules one by one.

use std::collections::BTreeMap;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use sandbox::http::Service;
use serde_json::{Value, json};

use crate::client::{Client, money, number};

/// Checks every promise of the ledger on a state; the first that is broken.
pub fn check_books(state: &Value) -> Result<(), String> {
    let list = |name: &str| state[name].as_array().cloned().unwrap_or_default();
    let (invoices, transactions) = (list("invoices"), list("transactions"));
    let mut paid: BTreeMap<(String, i64), Decimal> = BTreeMap::new();
    let mut spent: BTreeMap<(String, i64), Decimal> = BTreeMap::new();
    let mut off_books: BTreeMap<i64, Decimal> = BTreeMap::new();
    let without_transactions: Vec<i64> = invoices
        .iter()
        .filter(|invoice| invoice["use_transactions"] == "0")
        .map(|invoice| number(&invoice["id"]))
        .collect();
    for relation in list("invoice_relations") {
        let amount = money(&relation["amount"]);
        if amount <= Decimal::ZERO {
            return Err(format!("relation of nothing: {relation}"));
        }
        let target = match relation["invoice_id"].as_i64() {
            Some(id) => ("invoice".to_owned(), id),
            None => (
                "transaction".to_owned(),
                number(&relation["transaction_id"]),
            ),
        };
        if target.0 == "invoice" && without_transactions.contains(&target.1) {
            *off_books
                .entry(number(&relation["customer_id"]))
                .or_default() += amount;
        }
        *paid.entry(target).or_default() += amount;
        let payer = relation["type"].as_str().unwrap_or_default().to_owned();
        *spent
            .entry((payer, number(&relation["payer_id"])))
            .or_default() += amount;
    }
    // Per customer: what the transactions say, and what is unsettled.
    let mut balances: BTreeMap<i64, Decimal> = BTreeMap::new();
    let mut unsettled: BTreeMap<i64, Decimal> = off_books;
    let mut by_invoice: BTreeMap<i64, Decimal> = BTreeMap::new();
    let mut open_lines: BTreeMap<i64, Decimal> = BTreeMap::new();
    for row in &transactions {
        let (id, total) = (number(&row["id"]), money(&row["total"]));
        let credit = row["type"] == "credit";
        let signed = if credit { total } else { -total };
        *balances.entry(number(&row["customer_id"])).or_default() += signed;
        if let Some(invoice) = row["invoice_id"].as_i64() {
            *by_invoice.entry(invoice).or_default() -= signed;
        }
        if let (Some(invoice), false) = (row["invoice_id"].as_i64(), credit) {
            *open_lines.entry(invoice).or_default() += money(&row["remind_amount"]);
        }
        let own = row["payment_id"].is_null() && row["credit_note_id"].is_null();
        let rest = money(&row["remind_amount"]);
        if rest < Decimal::ZERO || rest > total {
            return Err(format!("transaction {id} has a rest out of bounds: {row}"));
        }
        let customer = unsettled.entry(number(&row["customer_id"])).or_default();
        if credit && own {
            *customer += rest;
        } else if !credit && row["invoice_id"].is_null() {
            let covered = paid
                .remove(&("transaction".to_owned(), id))
                .unwrap_or_default();
            equal(&format!("open part of charge {id}"), rest, total - covered)?;
            *customer -= rest;
        }
    }
    for invoice in &invoices {
        let (id, total, due) = (
            number(&invoice["id"]),
            money(&invoice["total"]),
            money(&invoice["due"]),
        );
        let covered = paid.remove(&("invoice".to_owned(), id)).unwrap_or_default();
        let posted = by_invoice.remove(&id).unwrap_or_default();
        if invoice["status"] == "deleted" {
            equal(
                &format!("deleted invoice {id}"),
                covered + posted + due,
                Decimal::ZERO,
            )?;
            continue;
        }
        let with_transactions = invoice["use_transactions"] == "1";
        let expected = if with_transactions {
            total
        } else {
            Decimal::ZERO
        };
        equal(&format!("charges of invoice {id}"), posted, expected)?;
        equal(
            &format!("due of invoice {id}"),
            due,
            (total - covered).max(Decimal::ZERO),
        )?;
        if (invoice["status"] == "paid") != due.is_zero() {
            return Err(format!(
                "invoice {id} is {} with {due} due",
                invoice["status"]
            ));
        }
        if with_transactions {
            let open = open_lines.remove(&id).unwrap_or_default();
            equal(&format!("open lines of invoice {id}"), open, due)?;
            *unsettled
                .entry(number(&invoice["customer_id"]))
                .or_default() -= due;
        }
    }
    for (kind, rows, amount) in [
        ("payment", list("payments"), "amount"),
        ("credit_note", list("credit_notes"), "total"),
    ] {
        for row in rows {
            let id = number(&row["id"]);
            let total = if row["status"] == "deleted" {
                Decimal::ZERO
            } else {
                money(&row[amount])
            };
            let used = spent.remove(&(kind.to_owned(), id)).unwrap_or_default();
            let rest = money(&row["remind_amount"]);
            equal(
                &format!("rest of {kind} {id}"),
                rest,
                (total - used).max(Decimal::ZERO),
            )?;
            *unsettled.entry(number(&row["customer_id"])).or_default() += rest;
        }
    }
    if let Some((target, _)) = paid.first_key_value() {
        return Err(format!(
            "relation to a target that is not there: {target:?}"
        ));
    }
    if let Some((payer, _)) = spent.iter().find(|((kind, _), _)| kind != "transaction") {
        return Err(format!("relation of a payer that is not there: {payer:?}"));
    }
    for row in list("customer_billing") {
        let customer = number(&row["customer_id"]);
        let deposit = money(&row["deposit"]);
        let balance = balances.get(&customer).copied().unwrap_or_default();
        equal(&format!("balance of customer {customer}"), deposit, balance)?;
        let open = unsettled.get(&customer).copied().unwrap_or_default();
        equal(
            &format!("unsettled money of customer {customer}"),
            deposit,
            open,
        )?;
    }
    Ok(())
}

fn equal(what: &str, left: Decimal, right: Decimal) -> Result<(), String> {
    if left == right {
        Ok(())
    } else {
        Err(format!("{what}: {left} is not {right}"))
    }
}

#[test]
fn the_books_balance_after_every_step_of_random_histories() {
    let (mut done, mut refused) = (0, 0);
    for seed in 0..24 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut client = Client::tiny();
        if seed % 2 == 1 {
            let rules = json!({
                "pay_from_balance": seed % 4 == 1, "closed_status": true, "negative_invoices": true,
                "tie_equal_payments": seed % 3 == 0,
            });
            client.behave(json!({"ledger": rules, "rounding": "at-end"}));
        }
        let mut history = Vec::new();
        for _ in 0..60 {
            let (method, path, body) = random_step(&mut client, &mut random);
            let (status, answer) = client.call(method, &path, body.clone());
            history.push(format!("{method} {path} {body} -> {status} {answer}"));
            if status < 300 {
                done += 1
            } else {
                refused += 1
            }
            if let Err(broken) = check_books(&client.splynx.state()) {
                panic!("seed {seed}: {broken}\n{}", history.join("\n"));
            }
        }
    }
    println!("24 seeds from 0: {done} steps done, {refused} refused");
    assert!(done > refused, "most steps must do something");
}

fn random_step(client: &mut Client, random: &mut ChaCha8Rng) -> (&'static str, String, Value) {
    const CHARGES: &str = "admin/finance/transactions";
    let customer = client.customers[random.random_range(0..3)];
    let amount = Decimal::new(random.random_range(1..60_000), 2).to_string();
    let mut pick = |client: &mut Client, path: &str| {
        let ids = client.ids(path);
        let index = random.next_u64() as usize % ids.len().max(1);
        format!("{path}/{}", ids.get(index).copied().unwrap_or(0))
    };
    let invoices = "admin/finance/invoices";
    let payments = "admin/finance/payments";
    let notes = "admin/finance/credit-notes";
    let invoice = pick(client, invoices);
    let payment = pick(client, payments);
    let note = pick(client, notes);
    let charge = pick(client, CHARGES);
    let named: Value = invoice.rsplit('/').next().map_or(Value::Null, Value::from);
    match random.random_range(0..17) {
        0..3 => {
            let lines = random_lines(random);
            let with = if random.random_bool(0.15) { "0" } else { "1" };
            let body = json!({"customer_id": customer, "status": "not_paid", "items": lines, "use_transactions": with});
            ("POST", invoices.to_owned(), body)
        }
        3..6 => {
            let named = if random.random_bool(0.4) {
                named
            } else {
                Value::Null
            };
            let sign = if random.random_bool(0.15) { "-" } else { "" };
            let body = json!({"customer_id": customer, "payment_type": 1, "date": "2026-02-01",
                "amount": format!("{sign}{amount}"), "invoice_id": named});
            ("POST", payments.to_owned(), body)
        }
        6 => {
            let linked = if random.random_bool(0.5) {
                named
            } else {
                json!("")
            };
            let body = json!({"customer_id": customer, "status": "not_refunded", "items": random_lines(random), "invoicesId": linked});
            ("POST", notes.to_owned(), body)
        }
        7 => {
            let kind = if random.random_bool(0.5) {
                "debit"
            } else {
                "credit"
            };
            let body = json!({"customer_id": customer, "type": kind, "price": amount, "tax_percent": "15",
                "date": "2026-02-01", "category": 1, "description": "Correction"});
            ("POST", CHARGES.to_owned(), body)
        }
        8 => ("DELETE", payment, Value::Null),
        9 => ("PUT", payment, json!({"amount": amount})),
        10 => ("PUT", payment, json!({"invoice_id": named})),
        11 => ("PUT", invoice, json!({"status": "deleted"})),
        12 => ("DELETE", invoice, Value::Null),
        13 => {
            let items = json!([{"description": "More", "quantity": 2, "price": amount, "tax": 15}]);
            ("PUT", invoice, json!({"items": items}))
        }
        14 => {
            let status = if random.random_bool(0.5) {
                "refunded"
            } else {
                "deleted"
            };
            ("PUT", note, json!({"status": status}))
        }
        15 => ("DELETE", note, Value::Null),
        _ if random.random_bool(0.5) => ("PUT", charge, json!({"price": amount})),
        _ => ("DELETE", charge, Value::Null),
    }
}

/// One to three lines with cents that do not divide, discounts among them.
fn random_lines(random: &mut ChaCha8Rng) -> Value {
    let count = random.random_range(1..=3);
    let lines = (0..count).map(|index| {
        let price = Decimal::new(random.random_range(1..5_000_000), 4);
        let discount = index > 0 && random.random_bool(0.3);
        let tax = if random.random_bool(0.7) { 15 } else { 0 };
        json!({
            "description": format!("Line {index}"),
            "quantity": Decimal::new(random.random_range(1..40), 1).to_string(),
            "unit": "",
            "price": if discount { -price } else { price }.to_string(),
            "tax": tax,
        })
    });
    lines.collect()
}

#[test]
fn money_covers_the_named_invoice_then_loose_charges_then_the_oldest_invoice() {
    let mut client = Client::tiny();
    let customer = client.customer("Allocation");
    let (first, second, third) = (
        client.invoice(customer, "100"),
        client.invoice(customer, "100"),
        client.invoice(customer, "100"),
    );
    let charge = client.create(
        "admin/finance/transactions",
        json!({"customer_id": customer, "type": "debit", "price": "20", "tax_percent": 0,
            "date": "2026-02-01", "category": 1, "description": "Call-out"}),
    );
    let payment = client.create(
        "admin/finance/payments",
        json!({"customer_id": customer, "payment_type": 2, "date": "2026-01-31", "amount": 250, "invoice_id": third}),
    );
    let relations = client.rows(&format!(
        "admin/finance/invoice-relations?customer_id={customer}"
    ));
    let shown: Vec<(Option<i64>, Option<i64>, Decimal)> = relations
        .iter()
        .map(|r| {
            (
                r["invoice_id"].as_i64(),
                r["transaction_id"].as_i64(),
                money(&r["amount"]),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (Some(third), None, 100.into()),
            (None, Some(charge), 20.into()),
            (Some(first), None, 100.into()),
            (Some(second), None, 30.into()),
        ]
    );
    let closed = client.get(&format!("admin/finance/invoices/{first}"));
    assert_eq!(
        (
            &closed["status"],
            &closed["payment_id"],
            &closed["date_payment"]
        ),
        (&json!("paid"), &json!(payment), &json!("2026-01-31"))
    );
    assert_eq!(client.balance(customer), Decimal::from(-70));

    // A surplus stays on the balance and pays the next invoice, which then names no payment.
    client.payment(customer, "200");
    assert_eq!(client.balance(customer), Decimal::from(130));
    let next = client.invoice(customer, "50");
    let next = client.get(&format!("admin/finance/invoices/{next}"));
    assert_eq!(
        (
            &next["status"],
            &next["payd_from_deposit"],
            &next["payment_id"]
        ),
        (&json!("paid"), &json!("1"), &json!(0))
    );

    // Deleting the payment opens again what it paid, and nothing else.
    client.delete(&format!("admin/finance/payments/{payment}"));
    let reopened = client.get(&format!("admin/finance/invoices/{first}"));
    assert_eq!(
        (
            &reopened["status"],
            money(&reopened["due"]),
            &reopened["date_payment"]
        ),
        (&json!("not_paid"), 100.into(), &json!("0000-00-00"))
    );
    assert_eq!(
        client.get(&format!("admin/finance/invoices/{second}"))["status"],
        "not_paid"
    );
    check_books(&client.splynx.state()).expect("balanced books");
}
