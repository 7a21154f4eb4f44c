//! Seeded providers, loaded: what a client reads is what the ledger made of the provider's year.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use sandbox::http::Service;
use sandbox::isp::{Isp, Size};
use serde_json::{Value, json};

use crate::client::{Client, money, number};
use crate::ledger::check_books;

#[test]
fn every_size_loads_whole_and_its_books_balance() {
    for (size, seed) in [(Size::Tiny, 1), (Size::Small, 7), (Size::Medium, 3)] {
        let isp = Isp::seeded(size, seed);
        let client = Client::of(&isp);
        let state = client.splynx.state();
        assert_eq!(state["not_loaded"], json!([]), "{size:?} seed {seed}");
        for (name, expected) in [
            ("customers", isp.customers.len()),
            ("customer_info", isp.customers.len()),
            ("customer_billing", isp.customers.len()),
            ("invoices", isp.invoices.len()),
            ("credit_notes", isp.credit_notes.len()),
        ] {
            assert_eq!(
                state[name].as_array().map(Vec::len),
                Some(expected),
                "{name}"
            );
        }
        let invoices: BTreeMap<i64, &Value> = rows(&state["invoices"]);
        for invoice in &isp.invoices {
            let stored = invoices[&invoice.id];
            assert_eq!(
                money(&stored["total"]),
                invoice.total,
                "invoice {}",
                invoice.id
            );
            assert_eq!(stored["number"], json!(invoice.number));
            assert_eq!(stored["status"] == json!("deleted"), invoice.deleted);
        }
        let payments: BTreeMap<i64, &Value> = rows(&state["payments"]);
        for payment in &isp.payments {
            assert_eq!(money(&payments[&payment.id]["amount"]), payment.amount);
        }
        let notes: BTreeMap<i64, &Value> = rows(&state["credit_notes"]);
        for note in &isp.credit_notes {
            let stored = notes[&note.id];
            assert_eq!(
                money(&stored["total"]),
                note.total,
                "credit note {}",
                note.id
            );
            assert_eq!(stored["status"] == json!("refunded"), note.refunded);
        }
        check_books(&state).unwrap_or_else(|e| panic!("{size:?} seed {seed}: {e}"));
    }
}

#[test]
fn a_small_provider_shows_every_state_that_documents_can_have() {
    let isp = Isp::seeded(Size::Small, 7);
    let today = isp.today.to_string();
    let mut client = Client::of(&isp);
    let invoices = client.rows("admin/finance/invoices");
    let has = |what: &str, test: &dyn Fn(&Value) -> bool| {
        assert!(invoices.iter().any(test), "no {what} invoice");
    };
    let due = |i: &Value| money(&i["due"]);
    has("paid", &|i| {
        i["status"] == "paid" && number(&i["payment_id"]) != 0
    });
    has("deleted", &|i| i["status"] == "deleted");
    has("paid from balance", &|i| {
        i["payd_from_deposit"] == "1" && number(&i["payment_id"]) == 0
    });
    has("partly paid", &|i| {
        due(i) > Decimal::ZERO && due(i) < money(&i["total"])
    });
    has("zero", &|i| {
        money(&i["total"]).is_zero() && i["status"] == "paid"
    });
    has("no-transaction", &|i| {
        i["use_transactions"] == "0" && i["items"][0]["transaction_id"].is_null()
    });
    has("overdue", &|i| {
        i["status"] == "not_paid" && i["date_till"].as_str() < Some(&today)
    });
    let payments = client.rows("admin/finance/payments");
    assert!(
        payments.iter().any(|p| money(&p["amount"]) < Decimal::ZERO),
        "no refund"
    );
    assert!(
        payments
            .iter()
            .any(|p| money(&p["remind_amount"]) > Decimal::ZERO),
        "no unallocated payment"
    );
    let relations = client.rows("admin/finance/invoice-relations");
    assert!(relations.iter().any(|r| r["type"] == "credit_note"));
    let leads = client.ids("admin/customers/customer?main_attributes[category]=lead");
    assert!(!leads.is_empty());
    client.behave(json!({"customer_info_listed": true}));
    let companies = client.ids(
        "admin/customers/customer-info?main_attributes[vat_id][0]=!=&main_attributes[vat_id][1]=",
    );
    assert!(!companies.is_empty(), "no company with a VAT number");
    let groups = client.rows("admin/config/taxes?main_attributes[type]=group");
    assert!(groups[0]["items"].is_array());
}

/// A medium provider walked page by page, as a client that synchronises does.
#[test]
fn a_walk_by_id_sees_every_invoice_once() {
    let isp = Isp::seeded(Size::Medium, 3);
    let mut client = Client::of(&isp);
    let (mut last, mut seen) = (0, 0);
    loop {
        let page = client.ids(&format!(
            "admin/finance/invoices?main_attributes[id][0]=>&main_attributes[id][1]={last}&order[id]=ASC&limit=200"
        ));
        assert!(page.is_sorted() && page.first().is_none_or(|first| *first > last));
        seen += page.len();
        match page.last() {
            Some(id) if page.len() == 200 => last = *id,
            _ => break,
        }
    }
    assert_eq!(seen, isp.invoices.len());
    let request = client.request("HEAD", "admin/finance/invoices?limit=5", &Value::Null);
    let head = client.send(&request);
    assert_eq!((head.status, head.body.len()), (204, 0));
    let count = head
        .headers
        .iter()
        .find(|(name, _)| name == "x-total-count");
    assert_eq!(count.map(|(_, n)| n.clone()), Some(seen.to_string()));
}

fn rows(list: &Value) -> BTreeMap<i64, &Value> {
    list.as_array()
        .expect("a list")
        .iter()
        .map(|row| (number(&row["id"]), row))
        .collect()
}
