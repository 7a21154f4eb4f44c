//! Posts every new Splynx invoice to a web hook, in the order of their ids.
//!
//! Each is noted in the same commit that moves the cursor, once the receiver has it. A run that dies in between posts that one again, under
//! the same idempotency key, by which the receiver knows it.

mod host;

use host::{
    Activity, Failure, Finding, Guest, Outcome, Pair, Query, Row, Rows, failure, get, outcome,
    post, put, run, storage, stored, text,
};
use serde_json::Value;

const POSTED: &str = "invoices posted";

struct Addon;

impl Guest for Addon {
    fn check() -> Result<Vec<Finding>, Failure> {
        newer(i64::MAX - 1).map(|_| Vec::new())
    }

    fn run_job(_job: String, preview: bool, _: Vec<Pair>) -> Result<Outcome, Failure> {
        let cursor = stored("meta", "cursor")?;
        let mut last = cursor.and_then(|id| id.parse().ok()).unwrap_or(0);
        let mut posted = 0;
        loop {
            let page = newer(last)?;
            if page.is_empty() {
                return Ok(outcome("finished", POSTED, posted));
            }
            for invoice in page {
                if !run::progress("Invoices", posted, 0) {
                    return Ok(outcome("stopped", POSTED, posted));
                }
                last = id(&invoice)?;
                if preview {
                    run::report("plan", &[row(&invoice)])?;
                } else {
                    let key = format!("invoice-{last}");
                    let headers = [("idempotency-key", key.as_str())];
                    post("receiver", "invoices", &headers, &told(&invoice))?;
                    note(last, &invoice)?;
                }
                posted += 1;
            }
        }
    }

    fn choices(source: String) -> Result<Vec<Pair>, Failure> {
        Err(failure(
            "unknown-choices",
            format!("There is no list {source}."),
        ))
    }

    fn view(_page: String, query: Query) -> Result<Rows, Failure> {
        let entries = storage::scan("posted", "", &query.after, query.limit)?;
        let next = entries.last().map(|last| last.key.clone());
        let rows = entries.iter().filter_map(|entry| {
            let invoice = serde_json::from_str(&entry.value).ok()?;
            Some(row(&invoice))
        });
        Ok(Rows {
            rows: rows.collect(),
            next: next.unwrap_or_default(),
            more: Vec::new(),
        })
    }

    fn act(_page: String, act: String, _: Vec<String>, _: Vec<Pair>) -> Result<String, Failure> {
        Err(failure("unknown-act", format!("There is no act {act}.")))
    }

    fn migrate(_from: u32) -> Result<u32, Failure> {
        Ok(1)
    }
}

/// The next invoices above an id.
fn newer(above: i64) -> Result<Vec<Value>, Failure> {
    let above = above.to_string();
    let query = [
        ("main_attributes[id][0]", ">"),
        ("main_attributes[id][1]", above.as_str()),
        ("order[id]", "ASC"),
        ("limit", "100"),
    ];
    match get("splynx", "admin/finance/invoices", &query)? {
        Value::Array(page) => Ok(page),
        _ => Err(failure(
            "unexpected-answer",
            "Splynx did not answer with a list.",
        )),
    }
}

/// The receiver has it, and the next run goes on behind it.
fn note(id: i64, invoice: &Value) -> Result<(), Failure> {
    let changes = [
        put("meta", "cursor", id.to_string()),
        put("posted", format!("{id:012}"), told(invoice).to_string()),
    ];
    let activity = Activity {
        entity: "invoice".to_owned(),
        action: "created".to_owned(),
        local_id: id.to_string(),
        remote_id: String::new(),
        customer_id: text(invoice, "customer_id"),
        label: text(invoice, "number"),
        code: String::new(),
        message: String::new(),
        more: Vec::new(),
    };
    storage::commit(&[], &changes, &[activity])
}

/// What the receiver gets of an invoice.
fn told(invoice: &Value) -> Value {
    [
        "id",
        "number",
        "customer_id",
        "date_created",
        "total",
        "status",
    ]
    .iter()
    .map(|name| ((*name).to_owned(), invoice[*name].clone()))
    .collect()
}

fn row(invoice: &Value) -> Row {
    let cells = ["number", "customer_id", "date_created", "total"];
    Row {
        id: text(invoice, "id"),
        cells: cells.map(|name| text(invoice, name)).into(),
        more: Vec::new(),
    }
}

fn id(invoice: &Value) -> Result<i64, Failure> {
    text(invoice, "id")
        .parse()
        .map_err(|_| failure("unexpected-answer", "Splynx sent an invoice without an id."))
}
