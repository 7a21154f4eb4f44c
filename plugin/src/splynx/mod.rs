//! Splynx: what we read of it, and how.
//!
//! Lists are bare arrays without any page data, searched by `main_attributes[...]`. Unknown parameters are ignored rather than
//! refused, so every answer is checked against what was asked for (Splynx API, search).

mod birth;
mod client;
mod event;
mod money_in;
mod option;
mod types;
pub mod writes;

pub use birth::Birth;
pub use client::{
    INFO, Listing, Page, Permission, RELATIONS, Row, Window, by_ids, changed, count, may_list,
    may_view, options, payments_between, relations, vat_number,
};
pub use event::{Event, Model};
pub use money_in::{CANCELLED, InvoiceStatus, Receivable, StatementRecord};
pub use option::{ListOption, OptionList};
pub use types::{
    CreditNote, Customer, Document, DocumentStatus, Invoice, Line, Payment, Relation, Transaction,
};

use serde_json::Value;

use crate::json;

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

/// Whether a record that may not be understood otherwise says that it is deleted.
pub fn is_marked_deleted(row: &Value) -> bool {
    json::text(row, "status") == "deleted"
}

/// Whose record it is; `None`: it does not say.
pub fn customer_of(row: &Value) -> Option<i64> {
    json::integer(row, "customer_id")
}

/// What people call a record of any kind; empty: nothing.
pub fn name_of(row: &Value) -> String {
    let names = ["number", "receipt_number", "name"].map(|field| json::text(row, field));
    let name = names.into_iter().find(|name| !name.is_empty());
    name.unwrap_or_default()
}

/// A digest of all that a row says but when it was changed.
pub fn digest(row: &Value) -> String {
    const STAMPS: [&str; 3] = ["date_updated", "updated_at", "last_update"];
    let mut row = row.clone();
    if let Some(fields) = row.as_object_mut() {
        fields.retain(|name, _| !STAMPS.contains(&name.as_str()));
    }
    json::digest(&row)
}
