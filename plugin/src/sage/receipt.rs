//! Receipts of customers, and what they are allocated to, as Sage lists them (Sage API 2.6, 2.7).

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::Object;
use crate::json;

#[derive(Debug, Clone)]
pub struct Receipt {
    pub id: i64,
    /// Sage's customer.
    pub customer: i64,
    pub date: NaiveDate,
    pub number: String,
    pub reference: String,
    pub total: Decimal,
    pub unallocated: Decimal,
}

impl Receipt {
    /// `None`: it lacks what an import needs, or is not above zero.
    pub fn of(object: &Object) -> Option<Self> {
        let total = object.total().filter(|total| *total > Decimal::ZERO)?;
        Some(Self {
            id: object.id()?,
            customer: object.customer()?,
            date: object.date()?,
            number: object.number(),
            reference: object.reference(),
            total,
            unallocated: object.unallocated()?,
        })
    }
}

/// What of a receipt settles an invoice.
#[derive(Debug, Clone)]
pub struct Allocation {
    pub id: i64,
    /// The receipt or credit note.
    pub source: i64,
    /// The invoice.
    pub target: i64,
    pub total: Decimal,
    pub discount: Decimal,
}

impl Allocation {
    /// `None`: it lacks one of its ends or its amount.
    pub fn of(object: &Object) -> Option<Self> {
        let end = |name| json::integer(object.value(), name);
        Some(Self {
            id: object.id()?,
            source: end("SourceDocumentId")?,
            target: end("AllocatedToDocumentId")?,
            total: object.total()?,
            discount: object.amount("Discount").unwrap_or_default(),
        })
    }
}

/// A receipt as Sage is to store it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceiptPayload {
    /// Sage's customer.
    pub customer: i64,
    pub date: NaiveDate,
    pub total: Decimal,
    pub bank_account: i64,
    /// One of Sage's numbers for ways to pay.
    pub method: i64,
    pub reference: String,
    pub description: String,
    pub comments: String,
    /// Marked as reconciled with the bank's statement.
    pub is_reconciled: bool,
}

/// What of a receipt or credit note is to settle an invoice.
#[derive(Debug, Clone, PartialEq)]
pub struct AllocationPayload {
    pub source: i64,
    pub invoice: i64,
    pub total: Decimal,
}

impl ReceiptPayload {
    pub(super) fn encode(&self) -> Value {
        let mut object = json!({
            "CustomerId": self.customer,
            "Date": self.date.to_string(),
            "Total": json::number(self.total),
            "BankAccountId": self.bank_account,
            "PaymentMethod": self.method,
            "Reference": self.reference,
            "Description": self.description,
            "Comments": self.comments,
        });
        if self.is_reconciled {
            object["Reconciled"] = true.into();
        }
        object
    }
}

impl AllocationPayload {
    pub(super) fn encode(&self) -> Value {
        json!({
            "SourceDocumentId": self.source,
            "AllocatedToDocumentId": self.invoice,
            "Total": json::number(self.total),
            "Discount": 0,
        })
    }
}
