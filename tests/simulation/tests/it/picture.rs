//! What both services and the add-on's records come to, without what differs between two ways to the same end: ids that a service
//! gave, moments, numbers that Sage counts up by itself.

use std::collections::{BTreeMap, BTreeSet};

use sandbox::http::Service;
use serde_json::{Map, Value, json};
use simulation::books::rows;
use simulation::installation::Installation;
use splynx_sageone::write::record::{ALLOCATING, OPEN, RECORDS};

/// A line for each thing that is there, doubled things twice. Two pictures differ where the two worlds do.
pub fn picture(installation: &mut Installation) -> Vec<String> {
    let sage = installation.world().sage.state();
    let splynx = installation.world().splynx.state();
    let names = Names::of(&sage, &splynx);
    let mut lines = Vec::new();
    for entity in [
        "customers",
        "invoices",
        "returns",
        "receipts",
        "allocations",
        "write_offs",
        "customer_notes",
    ] {
        lines.extend(
            rows(&sage, entity)
                .iter()
                .map(|row| format!("sage {entity} {}", names.plain(row))),
        );
    }
    for entity in [
        "customers",
        "invoices",
        "credit_notes",
        "payments",
        "invoice_relations",
        "bank_statements",
        "bank_statements_records",
    ] {
        lines.extend(
            rows(&splynx, entity)
                .iter()
                .map(|row| format!("splynx {entity} {}", names.plain(row))),
        );
    }
    for (table, rows) in installation.host().storage.tables() {
        for (key, value) in rows {
            match table {
                RECORDS => lines.push(names.record(key, value)),
                OPEN | ALLOCATING => lines.push(format!("{table} {key} {value}")),
                _ => {}
            }
        }
    }
    lines.sort();
    lines
}

/// What one picture has and the other has not; empty: they are the same.
pub fn differences(expected: &[String], found: &[String]) -> Vec<String> {
    let count = |lines: &[String]| {
        let mut counts = BTreeMap::<String, i32>::new();
        for line in lines {
            *counts.entry(line.clone()).or_default() += 1;
        }
        counts
    };
    let (expected, found) = (count(expected), count(found));
    let all: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    all.into_iter()
        .filter_map(|line| {
            let (should, does) = (expected.get(line), found.get(line));
            (should != does).then(|| {
                format!(
                    "{} instead of {} times: {line}",
                    does.unwrap_or(&0),
                    should.unwrap_or(&0)
                )
            })
        })
        .collect()
}

/// What things are called that only have ids.
struct Names(BTreeMap<String, String>);

/// Fields that depend on when and in which order something was made.
const PASSING: [&str; 14] = [
    "Created",
    "ID",
    "Lines",
    "Modified",
    "UID",
    "date_time",
    "date_updated",
    "datetime",
    "id",
    "items",
    "last_update",
    "real_create_datetime",
    "transaction_id",
    "updated_at",
];

/// Fields that hold the id of something that has a name.
const POINTERS: [&str; 11] = [
    "AllocatedToDocumentId",
    "CustomerId",
    "DocumentHeaderId_Allocation",
    "DocumentHeaderId_Source",
    "SourceDocumentId",
    "bank_statement_id",
    "bank_statements_id",
    "payer_id",
    "payment_id",
    "bank_statement_process_id",
    "record_id",
];

impl Names {
    fn of(sage: &Value, splynx: &Value) -> Self {
        let mut names = BTreeMap::new();
        for (entity, name) in [
            ("customers", "Name"),
            ("invoices", "Reference"),
            ("returns", "Reference"),
            ("receipts", "Reference"),
        ] {
            for row in rows(sage, entity) {
                names.insert(row["ID"].to_string(), row[name].to_string());
            }
        }
        for (entity, name) in [
            ("payments", "receipt_number"),
            ("bank_statements", "title"),
            ("bank_statements_records", "comment"),
        ] {
            for row in rows(splynx, entity) {
                names.insert(row["id"].to_string(), row[name].to_string());
            }
        }
        Self(names)
    }

    fn plain(&self, row: &Value) -> Value {
        let Some(fields) = row.as_object() else {
            return row.clone();
        };
        let mut plain: Map<String, Value> = fields
            .iter()
            .filter(|(name, _)| !PASSING.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        for name in POINTERS {
            if let Some(value) = plain.get_mut(name) {
                let id = value.to_string();
                let id = id.trim_matches('"');
                *value = json!(self.0.get(id).cloned().unwrap_or_else(|| id.to_owned()));
            }
        }
        // Sage counts receipts in the order in which they come.
        if fields.contains_key("BankAccountId") {
            plain.remove("DocumentNumber");
        }
        for lines in ["Lines", "items"] {
            if let Some(list) = fields.get(lines).and_then(Value::as_array) {
                plain.insert(
                    lines.to_owned(),
                    list.iter().map(|line| self.plain(line)).collect(),
                );
            }
        }
        Value::Object(plain)
    }

    fn record(&self, key: &str, value: &str) -> String {
        let record: Value = serde_json::from_str(value).unwrap_or_default();
        let remote = &record["remote"]["id"];
        let remote = self.0.get(&remote.to_string()).cloned().unwrap_or_default();
        // An allocation's is made of ids that Sage gave.
        // What is held is not in step anyway: whether Sage has its old content or may have the new one is looked at with the cure.
        let hash = match key.starts_with("allocation/") || record["state"] == "held" {
            true => &Value::Null,
            false => &record["hash"],
        };
        format!(
            "record {key} {} {} {hash} {remote}",
            record["state"], record["reason"]["code"]
        )
    }
}
