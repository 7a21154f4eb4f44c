//! What two stages must have in common in the end, whatever happened on the way.

use sandbox::compare::Comparison;
use serde_json::Value;

use crate::stage::Stage;

/// What both services hold, without the ids that depend on the order of writes.
pub fn photo(stage: &Stage) -> Vec<String> {
    let (splynx, sage) = (stage.splynx_state(), stage.sage_state());
    let comparison = Comparison::of(&splynx, &sage);
    assert!(comparison.is_clean(), "{comparison}");
    let rows = |state: &Value, entity: &str| -> Vec<Value> {
        state[entity].as_array().cloned().unwrap_or_default()
    };
    let customers = rows(&sage, "customers");
    let name = |id: &Value| {
        let customer = customers.iter().find(|customer| customer["ID"] == *id);
        customer.map_or_else(String::new, |customer| customer["Name"].to_string())
    };
    let mut photo = Vec::new();
    for customer in &customers {
        let fields = ["Name", "Email", "Telephone", "Mobile", "ContactName"];
        let fields = fields.map(|field| customer[field].to_string());
        photo.push(format!("customer {}", fields.join(" ")));
    }
    let mut references = Vec::new();
    for entity in ["invoices", "returns", "receipts"] {
        for document in rows(&sage, entity) {
            let reference = without_origin(&document["Reference"].to_string());
            photo.push(format!(
                "{entity} {reference} {} {} {}",
                document["Date"],
                amount(&document["Total"]),
                name(&document["CustomerId"])
            ));
            references.push((document["ID"].clone(), reference));
        }
    }
    let reference = |id: &Value| {
        let found = references.iter().find(|(known, _)| known == id);
        found.map_or_else(|| id.to_string(), |(_, reference)| reference.clone())
    };
    for allocation in rows(&sage, "allocations") {
        photo.push(format!(
            "allocation {} to {}: {}",
            reference(&allocation["SourceDocumentId"]),
            reference(&allocation["AllocatedToDocumentId"]),
            amount(&allocation["Total"])
        ));
    }
    for invoice in rows(&splynx, "invoices") {
        let fields = ["number", "status", "total", "due"].map(|field| amount(&invoice[field]));
        photo.push(format!("splynx invoice {}", fields.join(" ")));
    }
    for payment in rows(&splynx, "payments") {
        let receipt = payment["receipt_number"].as_str().unwrap_or_default();
        let fields = ["customer_id", "date", "amount", "payment_type"];
        let fields = fields.map(|field| amount(&payment[field]));
        let receipt = if receipt.starts_with("SAGE-") {
            "from Sage"
        } else {
            receipt
        };
        photo.push(format!("splynx payment {} {receipt}", fields.join(" ")));
    }
    for statement in rows(&splynx, "bank_statements") {
        photo.push(format!("statement {}", statement["title"]));
    }
    let records = rows(&splynx, "bank_statements_records").len();
    photo.push(format!("{records} statement records"));
    photo.sort();
    photo
}

/// A reference without what tells the installation: that hangs on Splynx's address, and so on the port.
fn without_origin(reference: &str) -> String {
    match reference.rsplit_once(' ') {
        Some((number, mark)) => {
            let key = mark.rsplit_once('-').map_or(mark, |(_, key)| key);
            format!("{number} {key}")
        }
        None => reference.to_owned(),
    }
}

/// Numbers and numeric texts alike, without zeros at the end.
pub fn amount(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.contains('.') && text.chars().all(|c| c.is_ascii_digit() || "-.".contains(c)) {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
