//! One of Sage's objects as it was listed or stored, read by what its members mean. Their names stand in this folder and nowhere else.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

use super::Payload;
use crate::json;
use crate::money;

/// Sage's amounts have four places at most; what a binary float leaves behind them is none.
const PLACES: u32 = 4;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object(Value);

/// A line of a document as Sage stored it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLine {
    pub tax_type: Option<i64>,
    pub exclusive: Option<Decimal>,
    pub tax: Option<Decimal>,
    pub description: String,
}

impl From<Value> for Object {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl Object {
    /// For what this folder reads besides.
    pub(super) fn value(&self) -> &Value {
        &self.0
    }

    /// As the body of a request.
    pub fn into_body(self) -> String {
        self.0.to_string()
    }

    pub fn id(&self) -> Option<i64> {
        json::integer(&self.0, "ID")
    }

    /// Its id, as settings hold it; empty: it has none.
    pub fn id_text(&self) -> String {
        self.id().map_or(String::new(), |id| id.to_string())
    }

    pub fn name(&self) -> String {
        json::text(&self.0, "Name")
    }

    /// What is not said to be inactive counts as active.
    pub fn is_active(&self) -> bool {
        !json::is_off(&self.0, "Active")
    }

    /// Whose document or receipt it is.
    pub fn customer(&self) -> Option<i64> {
        json::integer(&self.0, "CustomerId")
    }

    pub fn number(&self) -> String {
        json::text(&self.0, "DocumentNumber")
    }

    pub fn reference(&self) -> String {
        json::text(&self.0, "Reference")
    }

    pub fn date(&self) -> Option<NaiveDate> {
        json::date(&self.0, "Date")
    }

    pub fn total(&self) -> Option<Decimal> {
        self.amount("Total")
    }

    /// VAT of a document.
    pub fn tax(&self) -> Option<Decimal> {
        self.amount("Tax")
    }

    /// A document's total without VAT.
    pub fn exclusive(&self) -> Option<Decimal> {
        self.amount("Exclusive")
    }

    /// What is not allocated yet: an invoice has an amount due, all others what is unallocated.
    pub fn rest(&self) -> Option<Decimal> {
        self.unallocated().or_else(|| self.amount("AmountDue"))
    }

    /// What of a receipt is not allocated.
    pub fn unallocated(&self) -> Option<Decimal> {
        self.amount("TotalUnallocated")
    }

    /// An invoice of which nothing is due.
    pub fn is_settled(&self) -> bool {
        self.amount("AmountDue") == Some(Decimal::ZERO)
    }

    /// Its period is closed, or it is reconciled: Sage refuses to change it.
    pub fn is_closed(&self) -> bool {
        json::flag(&self.0, "Locked") || json::is_off(&self.0, "Editable")
    }

    /// It stays in the list, and counts for nothing (Sage API 2.4).
    pub fn is_void(&self) -> bool {
        const VOID: i64 = 4;
        json::integer(&self.0, "StatusId") == Some(VOID)
    }

    /// A customer's currency; `None`: the company's.
    pub fn currency(&self) -> Option<i64> {
        json::relation(&self.0, "CurrencyId")
    }

    /// When it was changed last or made, in Sage's own words; empty: it does not say.
    pub fn last_change(&self) -> String {
        let (modified, created) = (
            json::text(&self.0, "Modified"),
            json::text(&self.0, "Created"),
        );
        modified.max(created)
    }

    /// The lines of a document; none where Sage lists it without them.
    pub fn lines(&self) -> Vec<StoredLine> {
        let lines = json::field(&self.0, "Lines").as_array();
        let lines = lines.map_or(&[][..], Vec::as_slice);
        let read = |line: &Value| StoredLine {
            tax_type: json::integer(line, "TaxTypeId"),
            exclusive: amount(line, "Exclusive"),
            tax: amount(line, "Tax"),
            description: json::text(line, "Description"),
        };
        lines.iter().map(read).collect()
    }

    /// What a payload says in place of what it has; the rest of it is kept.
    pub fn overwrite(&mut self, payload: &Payload) {
        if let (Some(object), Value::Object(fields)) = (self.0.as_object_mut(), payload.encode()) {
            object.extend(fields);
        }
    }

    /// What remains of it where all that is not sent is forgotten: a mistake that tests plant.
    pub fn forgotten(&self) -> Self {
        Self(serde_json::json!({"ID": self.0["ID"], "Name": self.0["Name"]}))
    }

    pub(super) fn amount(&self, name: &str) -> Option<Decimal> {
        amount(&self.0, name)
    }
}

/// An amount of money; `None`: it is not there.
fn amount(value: &Value, name: &str) -> Option<Decimal> {
    json::decimal(value, name).map(|amount| money::rounded(amount, PLACES))
}
