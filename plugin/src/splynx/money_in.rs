//! What an import of money looks at in Splynx: invoices that may be paid, and records of payment statements (Splynx API 3.6, 3.14).

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

use super::Resource;
use super::types::sum;
use crate::json;

/// I3 asks only whether an invoice is Not paid, or has any other status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoiceStatus {
    NotPaid,
    /// Paid or pending.
    Other,
    Deleted,
}

/// An invoice, as far as money is concerned.
#[derive(Debug, Clone)]
pub struct Receivable {
    pub id: i64,
    pub customer_id: i64,
    pub number: String,
    pub date: Option<NaiveDate>,
    pub total: Decimal,
    pub due: Decimal,
    pub standing: InvoiceStatus,
}

impl Resource for Receivable {
    const PATH: &'static str = "admin/finance/invoices";
    const CHANGED: &'static str = "date_updated";
    const DATE: Option<&'static str> = Some("date_created");

    fn parse(id: i64, value: &Value) -> Result<Self, String> {
        let amount = |name| sum(value, name)?.ok_or_else(|| format!("it has no {name}"));
        Ok(Self {
            id,
            customer_id: json::integer(value, "customer_id").ok_or("it has no customer")?,
            number: json::text(value, "number"),
            date: json::date(value, "date_created"),
            total: amount("total")?,
            due: amount("due")?,
            standing: match json::text(value, "status").as_str() {
                "not_paid" => InvoiceStatus::NotPaid,
                "deleted" => InvoiceStatus::Deleted,
                _ => InvoiceStatus::Other,
            },
        })
    }

    fn id(&self) -> i64 {
        self.id
    }
}

/// The status of a statement record whose money is no more.
pub const CANCELLED: &str = "canceled";

/// One line of a statement: money that waits, or became a payment.
#[derive(Debug, Clone)]
pub struct StatementRecord {
    pub id: i64,
    pub statement: i64,
    /// Ours stands in `additional_1`.
    pub key: String,
    /// `new` while nobody has decided about it.
    pub status: String,
    pub payment: Option<i64>,
    pub invoice: Option<i64>,
    pub amount: Decimal,
}

impl Resource for StatementRecord {
    const PATH: &'static str = "admin/finance/bank-statements-records";
    const CHANGED: &'static str = "datetime";
    const DATE: Option<&'static str> = None;

    fn parse(id: i64, value: &Value) -> Result<Self, String> {
        Ok(Self {
            id,
            statement: json::integer(value, "bank_statements_process_id")
                .ok_or("it has no statement")?,
            key: json::text(value, "additional_1"),
            status: json::text(value, "status"),
            payment: json::relation(value, "payment_id"),
            invoice: json::relation(value, "invoice_id"),
            amount: sum(value, "amount")?.unwrap_or_default(),
        })
    }

    fn id(&self) -> i64 {
        self.id
    }
}
