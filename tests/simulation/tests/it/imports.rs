//! Payments from Sage, judged by what Splynx holds afterwards.
//!
//! Each test sets up its own bookkeeper's [`Desk`]: invoices that went to Sage, and receipts that people make there.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::desk::{Desk, dec, id_of, money};

mod cases;
mod life;
mod safety;

/// What Splynx holds of one receipt line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    amount: Decimal,
    /// Of the statement record.
    status: String,
    is_paid: bool,
}

impl Desk {
    fn import(&mut self) {
        self.installation.run_through("import-payments");
    }

    fn import_all(&mut self) {
        self.installation.run_through("import-all-payments");
    }

    /// The lines of a receipt in Splynx, by number; every payment stands on one record, and on one only.
    fn lines(&mut self, receipt: i64) -> Vec<(u32, Held)> {
        let prefix = format!("SAGE-{receipt}-");
        let number = |row: &Value, field: &str| -> Option<u32> {
            let rest = row[field].as_str()?.strip_prefix(&prefix)?;
            rest.split('-').next()?.parse().ok()
        };
        let payments = self.state(false, "payments");
        let mut lines = Vec::new();
        for record in self.state(false, "bank_statements_records") {
            let Some(n) = number(&record, "additional_1") else {
                continue;
            };
            let named = record["payment_id"].as_i64().filter(|id| *id != 0);
            let payment = payments
                .iter()
                .find(|row| row["id"].as_i64() == named && named.is_some());
            if let (Some(payment), Some("processed")) = (payment, record["status"].as_str()) {
                assert_eq!(number(payment, "receipt_number"), Some(n), "{record}");
                assert_eq!(
                    money(&payment["amount"]),
                    money(&record["amount"]),
                    "{record}"
                );
                assert_eq!(payment["comment"], "SageOne");
            }
            let status = record["status"].as_str().unwrap_or_default().to_owned();
            lines.push((
                n,
                Held {
                    amount: money(&record["amount"]),
                    status,
                    is_paid: named.is_some(),
                },
            ));
        }
        let keyed = payments
            .iter()
            .filter_map(|row| number(row, "receipt_number"));
        for n in keyed.collect::<Vec<_>>() {
            let same = payments
                .iter()
                .filter(|row| number(row, "receipt_number") == Some(n));
            assert_eq!(
                same.count(),
                1,
                "payment {n} of receipt {receipt} stands there once"
            );
            assert_eq!(lines.iter().filter(|(m, _)| *m == n).count(), 1);
        }
        lines.sort();
        lines
    }

    /// The payments of a receipt in Splynx.
    fn payments(&mut self, receipt: i64) -> Vec<Value> {
        let prefix = format!("SAGE-{receipt}-");
        let mut payments = self.state(false, "payments");
        payments.retain(|row| {
            row["receipt_number"]
                .as_str()
                .is_some_and(|n| n.starts_with(&prefix))
        });
        payments
    }

    fn invoice_status(&mut self, invoice: i64) -> String {
        let invoices = self.state(false, "invoices");
        let row = invoices.iter().find(|row| row["id"] == json!(invoice));
        row.and_then(|row| row["status"].as_str())
            .unwrap_or("gone")
            .to_owned()
    }

    /// State and code of a receipt's record.
    fn record(&mut self, receipt: i64) -> (String, String) {
        self.standing("receipt", receipt)
    }
}

/// A line as Splynx shows it: `115 paid`, `15 new`, `15 canceled`.
fn shown(lines: &[(u32, Held)]) -> Vec<String> {
    lines
        .iter()
        .map(|(n, line)| {
            let status = match (line.status.as_str(), line.is_paid) {
                ("processed", true) => "paid",
                (status, _) => status,
            };
            format!("{n}: {} {status}", line.amount)
        })
        .collect()
}
