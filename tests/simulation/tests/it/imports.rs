//! Payments from Sage, judged by what Splynx holds afterwards.
//!
//! Each test sets up its own bookkeeper's desk: invoices that went to Sage, and receipts that people make there.

use chrono::TimeDelta;
use rust_decimal::Decimal;
use sandbox::http::Service;
use sandbox::isp::{Isp, Size};
use serde_json::{Value, json};
use simulation::books::rows;
use simulation::installation::Installation;

mod cases;
mod life;
mod safety;

/// A provider whose Splynx and Sage are worked in by hand.
struct Desk {
    installation: Installation,
    isp: Isp,
    /// Bank slips so far: Sage wants references to differ.
    slips: u32,
}

/// What Splynx holds of one receipt line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    amount: Decimal,
    /// Of the statement record.
    status: String,
    is_paid: bool,
}

impl Desk {
    /// So many customers without any history, all in Sage; imports run in both directions unless a setting says otherwise.
    fn new(customers: usize) -> Self {
        let mut isp = Isp::seeded(Size::Tiny, 7);
        let first = isp.customers[0].clone();
        isp.invoices.clear();
        isp.payments.clear();
        isp.credit_notes.clear();
        isp.customers = (0..customers)
            .map(|place| {
                let mut customer = first.clone();
                customer.id += i64::try_from(place).expect("a few");
                customer.login = format!("{:06}", customer.id);
                customer.name = format!("Customer {place}");
                customer.partner_id = 1;
                customer
            })
            .collect();
        let installation = Installation::new(&isp, false);
        let mut desk = Self {
            installation,
            isp,
            slips: 0,
        };
        desk.set("payments_direction", "both");
        desk.installation.run_through("export-customers");
        desk
    }

    fn set(&mut self, key: &str, value: &str) {
        self.installation.set(key, value);
    }

    fn customer(&self, place: usize) -> i64 {
        self.isp.customers[place].id
    }

    fn splynx(&mut self, entity: &str, act: &str, id: i64, fields: Value) -> Value {
        let change = json!({"entity": entity, "act": act, "id": id, "fields": fields});
        let world = self.installation.world();
        let now = world.now;
        world.splynx.edit(&change, now).expect("the staff may")
    }

    fn sage(&mut self, entity: &str, act: &str, id: i64, fields: Value) -> Value {
        let change = json!({"entity": entity, "act": act, "id": id, "fields": fields});
        let world = self.installation.world();
        let now = world.now;
        world.sage.edit(&change, now).expect("the bookkeeper may")
    }

    /// An unpaid invoice of 115.00, not yet in Sage.
    fn invoice(&mut self, customer: i64) -> i64 {
        let item = json!({"description": "Fibre", "quantity": 1, "price": "100.0000", "tax": "15.0000", "tax_id": 1,
            "categoryIdForTransaction": 7});
        let made = self.splynx(
            "invoices",
            "create",
            0,
            json!({"customer_id": customer, "date_created": "2026-02-01", "date_till": "2026-02-15",
                "status": "not_paid", "items": [item]}),
        );
        id_of(&made, "id")
    }

    fn export_invoices(&mut self) {
        self.installation.run_through("export-invoices");
    }

    fn state(&mut self, of_sage: bool, entity: &str) -> Vec<Value> {
        let world = self.installation.world();
        let state = if of_sage {
            world.sage.state()
        } else {
            world.splynx.state()
        };
        rows(&state, entity).to_vec()
    }

    /// Sage's document of an invoice.
    fn in_sage(&mut self, invoice: i64) -> Value {
        let tail = format!(" I{invoice}");
        let mut invoices = self.state(true, "invoices").into_iter();
        invoices
            .find(|row| {
                row["Reference"]
                    .as_str()
                    .is_some_and(|r| r.ends_with(&tail))
            })
            .expect("the invoice is in Sage")
    }

    fn sage_customer(&mut self, customer: i64) -> i64 {
        let name = self.isp.customers.iter().find(|c| c.id == customer);
        let name = name.expect("one of ours").name.clone();
        let customers = self.state(true, "customers");
        let row = customers.iter().find(|row| row["Name"] == json!(name));
        id_of(row.expect("the customer is in Sage"), "ID")
    }

    /// A receipt of a Splynx customer, allocated to Splynx's invoices (id, amount, discount).
    fn receipt(
        &mut self,
        customer: i64,
        date: &str,
        total: &str,
        allocations: &[(i64, &str, &str)],
    ) -> i64 {
        let customer = self.sage_customer(customer);
        self.receipt_of(customer, date, total, allocations)
    }

    fn receipt_of(
        &mut self,
        customer: i64,
        date: &str,
        total: &str,
        allocations: &[(i64, &str, &str)],
    ) -> i64 {
        let bank = self.isp.sage.bank_accounts[0].id;
        self.slips += 1;
        let slip = format!("slip {}", self.slips);
        let made = self.sage(
            "receipts",
            "create",
            0,
            json!({"CustomerId": customer, "Date": date, "Total": total,
            "BankAccountId": bank, "PaymentMethod": 4, "Reference": slip}),
        );
        let receipt = id_of(&made, "ID");
        for (invoice, total, discount) in allocations {
            self.allocate(receipt, *invoice, total, discount);
        }
        receipt
    }

    fn allocate(&mut self, receipt: i64, invoice: i64, total: &str, discount: &str) -> i64 {
        let target = id_of(&self.in_sage(invoice), "ID");
        let made = self.sage(
            "allocations",
            "create",
            0,
            json!({"SourceDocumentId": receipt,
            "AllocatedToDocumentId": target, "Total": total, "Discount": discount}),
        );
        // What it answers is the allocation itself, or the receipt that it belongs to.
        id_of(&made, "ID")
    }

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
            row[field].as_str()?.strip_prefix(&prefix)?.parse().ok()
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
        let storage = &self.installation.host().storage;
        let key = format!("receipt/{receipt:012}");
        let text = storage
            .tables()
            .find(|(name, _)| *name == "record")
            .and_then(|(_, rows)| rows.get(&key).cloned());
        let record: Value = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        (text(&record["state"]), text(&record["reason"]["code"]))
    }

    fn pass(&mut self, minutes: i64) {
        self.installation.advance(TimeDelta::minutes(minutes));
    }
}

fn id_of(row: &Value, field: &str) -> i64 {
    row[field].as_i64().expect("an id")
}

fn money(value: &Value) -> Decimal {
    let text = value.to_string();
    text.trim_matches('"')
        .parse::<Decimal>()
        .expect("an amount")
        .normalize()
}

fn dec(text: &str) -> Decimal {
    text.parse::<Decimal>().expect("an amount").normalize()
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
