//! The company in Sage (Sage API 2.1).

use chrono::NaiveDate;

use super::Object;
use crate::json;

#[derive(Debug, Clone)]
pub struct Company(Object);

impl From<Object> for Company {
    fn from(object: Object) -> Self {
        Self(object)
    }
}

impl Company {
    /// Its id, as settings hold it; empty: it has none.
    pub fn id_text(&self) -> String {
        self.0.id_text()
    }

    pub fn name(&self) -> String {
        self.0.name()
    }

    /// The day up to which nobody may enter or change documents, that day included (Sage's knowledge base).
    pub fn locked_until(&self) -> Option<NaiveDate> {
        let is_locked = json::flag(self.0.value(), "LockProcessing");
        json::date(self.0.value(), "LockProcessingDate").filter(|_| is_locked)
    }

    /// `None`: it names none.
    pub fn currency(&self) -> Option<i64> {
        json::relation(self.0.value(), "HomeCurrencyId")
    }

    /// Decimals of the price of one piece; `None`: it does not say.
    pub fn price_digits(&self) -> Option<i64> {
        json::integer(self.0.value(), "ItemSellingPriceDecimalDigits")
    }

    /// Totals of documents are rounded to a step.
    pub fn rounds_totals(&self) -> bool {
        const NO_ROUNDING: i64 = 3;
        let step = json::integer(self.0.value(), "RoundingValue").unwrap_or(0);
        let kind = json::integer(self.0.value(), "RoundingType");
        step != 0 && kind.is_some_and(|kind| kind != NO_ROUNDING)
    }

    /// Two documents of a customer may not have the same reference.
    pub fn wants_unique_references(&self) -> bool {
        json::flag(self.0.value(), "CheckForDuplicateCustomerReferences")
    }
}
