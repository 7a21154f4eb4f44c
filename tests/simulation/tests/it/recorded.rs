//! What real services were seen to answer (`tests/sandbox/recorded`), read by the add-on. That the stand-ins answer in the same shape is
//! another test's.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use splynx_sageone::capability::Response;
use splynx_sageone::sage::{self, MatchKey, Reply, Service};
use splynx_sageone::splynx::{Invoice, Payment, Resource, Transaction};

fn text(amount: Decimal) -> String {
    amount.normalize().to_string()
}

/// The parts of a document of Splynx by which it is known.
fn invoice(row: &Value) -> Value {
    let id = row["id"].as_i64().expect("an id");
    let document = Invoice::parse(id, row).expect("it is read").0;
    assert!(document.has_transactions && document.open.is_some());
    json!({
        "customer": document.customer_id,
        "number": document.number,
        "total": text(document.total),
        "tax": text(document.tax()),
        "lines": document.lines.len(),
    })
}

fn payment(row: &Value) -> Value {
    let payment = Payment::parse(1, row).expect("it is read");
    json!({
        "customer": payment.customer_id,
        "method": payment.method_id,
        "receipt": payment.receipt_number,
        "amount": text(payment.amount),
        "open": text(payment.open.expect("what is open")),
    })
}

fn transaction(row: &Value) -> Value {
    let transaction = Transaction::parse(1, row).expect("it is read");
    json!({"category": transaction.category_id})
}

fn document(row: &Value) -> Value {
    match MatchKey::of(Service::TaxInvoice, &row.clone().into()) {
        Some(MatchKey::Document(document)) => json!({
            "customer": document.customer,
            "date": document.date.to_string(),
            "number": document.number,
            "reference": document.reference,
            "total": text(document.total),
            "rest": text(document.rest.expect("what is due")),
        }),
        other => panic!("{other:?}"),
    }
}

fn customer(row: &Value) -> Value {
    match MatchKey::of(Service::Customer, &row.clone().into()) {
        Some(MatchKey::Customer(customer)) => json!({
            "name": customer.name,
            "contact": customer.contact,
            "email": customer.email,
            "vat": customer.vat,
        }),
        other => panic!("{other:?}"),
    }
}

/// What a Save makes of an answer.
fn reply(answer: &Value) -> &'static str {
    let body = match answer.get("body") {
        Some(body) => body.to_string(),
        None => answer["page"].as_str().expect("a page").to_owned(),
    };
    let response = Response {
        status: answer["status"]
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .expect("a status"),
        headers: Vec::new(),
        body,
    };
    match sage::reply_of("POST", "Customer/Save", Ok(response), 0) {
        Reply::Refused(_) => "refused",
        Reply::NotSent(_) => "not sent",
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_recorded_is_read_as_what_it_is() {
    let files = [
        include_str!("../../../sandbox/recorded/sage.json"),
        include_str!("../../../sandbox/recorded/splynx.json"),
    ];
    let mut read = 0;
    for file in files {
        let entries: Vec<Value> = serde_json::from_str(file).expect("a list");
        for entry in &entries {
            let (what, answer) = (&entry["what"], &entry["answer"]);
            let body = &answer["body"];
            let row = body.get(0).unwrap_or(body);
            let means = match entry["read_as"].as_str().expect("how it is read") {
                "invoice" => invoice(row),
                "payment" => payment(row),
                "transaction" => transaction(row),
                "document" => document(row),
                "customer" => customer(row),
                said @ ("refused" | "not sent") => {
                    assert_eq!(reply(answer), said, "{what}");
                    continue;
                }
                // Nothing of the add-on's own is made of these by themselves.
                "object" | "list" => continue,
                other => panic!("{what}: {other}"),
            };
            assert_eq!(means, entry["means"], "{what}");
            read += 1;
        }
    }
    assert_eq!(read, 6);
}
