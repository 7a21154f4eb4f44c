//! Splynx: what we read of it, and how.
//!
//! Lists are bare arrays without any page data, searched by `main_attributes[...]`. Unknown parameters are ignored rather than
//! refused, so every answer is checked against what was asked for (Splynx API, search).

mod client;
mod money_in;
mod types;
pub mod writes;

pub use client::{
    INFO, Listing, Page, Permission, RELATIONS, Row, Window, by_ids, changed, count, list_all,
    may_list, may_view, payments_between, relations, vat_number,
};
pub use money_in::{InvoiceStatus, Receivable, StatementRecord};
pub use types::{
    CreditNote, Customer, Document, DocumentStatus, Invoice, Line, Payment, Relation, Transaction,
};

use serde_json::Value;

/// The name of the connection in the manifest.
pub const CONNECTION: &str = "splynx";

/// A resource of the API that is listed by id.
pub trait Resource: Sized {
    /// Below the API's base address.
    const PATH: &'static str;
    /// The field with the date (or date and time) of the last change.
    const CHANGED: &'static str;
    /// The field with the document's own date; none where records have no date.
    const DATE: Option<&'static str>;

    /// # Errors
    /// What is missing or cannot be read, in a few words.
    fn parse(id: i64, value: &Value) -> Result<Self, String>;
    fn id(&self) -> i64;
}
