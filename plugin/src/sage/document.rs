//! Invoices and credit notes in Sage (Sage API 2.4, 2.5).

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::json;

/// A document as Sage is to store it. Amounts are above zero: a credit note is one by its service.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentPayload {
    /// Sage's customer.
    pub customer: i64,
    pub date: NaiveDate,
    /// Of an invoice.
    pub due: Option<NaiveDate>,
    /// Prices are with VAT.
    pub is_inclusive: bool,
    /// Empty: none is sent.
    pub reference: String,
    /// Empty: Sage gives it one.
    pub number: String,
    /// Empty: none is sent.
    pub message: String,
    pub lines: Vec<LinePayload>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LinePayload {
    pub item: i64,
    pub tax_type: i64,
    pub description: String,
    pub quantity: Decimal,
    /// Of one piece; with VAT where the document is inclusive.
    pub price: Decimal,
    /// Empty: none are sent.
    pub comments: String,
    /// Sent to find out what Sage makes of it: never with a document that is stored.
    pub claim: Option<Claim>,
}

/// What a line says of its VAT besides its tax type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Claim {
    Tax(Decimal),
    /// A fraction.
    Rate(Decimal),
}

/// The price's name.
pub(super) fn price_name(is_inclusive: bool) -> &'static str {
    if is_inclusive {
        "UnitPriceInclusive"
    } else {
        "UnitPriceExclusive"
    }
}

impl DocumentPayload {
    pub(super) fn encode(&self) -> Value {
        let lines = self.lines.iter().map(|line| line.encode(self.is_inclusive));
        let mut object = json!({
            "CustomerId": self.customer,
            "Date": self.date.to_string(),
            "Inclusive": self.is_inclusive,
            "Lines": lines.collect::<Vec<_>>(),
        });
        let texts = [
            ("Reference", &self.reference),
            ("DocumentNumber", &self.number),
            ("Message", &self.message),
        ];
        for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            object[name] = text.as_str().into();
        }
        if let Some(due) = self.due {
            object["DueDate"] = due.to_string().into();
        }
        object
    }
}

impl LinePayload {
    fn encode(&self, is_inclusive: bool) -> Value {
        /// An item, as opposed to an account (Sage API 2.4).
        const ITEM: i64 = 0;
        let mut line = json!({
            "LineType": ITEM,
            "SelectionId": self.item,
            "TaxTypeId": self.tax_type,
            "Description": self.description,
            "Quantity": json::number(self.quantity),
        });
        line[price_name(is_inclusive)] = json::number(self.price);
        if !self.comments.is_empty() {
            line["Comments"] = self.comments.as_str().into();
        }
        match self.claim {
            Some(Claim::Tax(tax)) => line["Tax"] = json::number(tax),
            Some(Claim::Rate(rate)) => line["TaxPercentage"] = json::number(rate),
            None => {}
        }
        line
    }
}
