//! What hangs on a customer: remarks (Sage calls them notes; they are not credit notes) and the opening balance.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

use super::books::Books;
use super::call::Call;
use super::customers::customer_of;
use super::entity::{self, Entity, Saving, all, saved};
use super::fields::Fields;
use super::furniture::stored_in;
use super::refusal::Refusal;
use super::table::{Record, Table};
use super::wire::{Column, Stamps, date, number_of, text};
use crate::http::Response;

#[derive(Debug, Clone)]
pub struct CustomerNote {
    pub id: i64,
    pub customer_id: i64,
    pub subject: String,
    pub note: String,
    pub entry_date: NaiveDate,
    pub action_date: Option<NaiveDate>,
    pub status: i64,
    pub stamps: Stamps,
}

impl Record for CustomerNote {
    const LINK_FIELDS: &'static [&'static str] = &["CustomerId"];

    fn id(&self) -> i64 {
        self.id
    }

    fn links(&self) -> [Option<i64>; 2] {
        [Some(self.customer_id), None]
    }
}

impl Entity for CustomerNote {
    const COLUMNS: &'static [Column<Self>] = &[
        number_of("ID", |n, _| n.id.into()),
        number_of("CustomerId", |n, _| n.customer_id.into()),
        text("CustomerName", |n, books| {
            books.customer_name(n.customer_id).into()
        }),
        text("Subject", |n, _| (&n.subject).into()),
        text("Note", |n, _| (&n.note).into()),
        date("EntryDate", |n, _| n.entry_date.into()),
        date("ActionDate", |n, _| n.action_date.into()),
        number_of("Status", |n, _| n.status.into()),
    ];

    stored_in!(customer_notes);

    fn read(saving: &Saving<Self>) -> Result<Self, Refusal> {
        let fields = saving.fields;
        Ok(Self {
            id: saving.id,
            customer_id: customer_of(fields, saving.books)?,
            subject: fields.required_text("Subject", 100)?,
            note: fields.text("Note", 8000)?,
            entry_date: fields
                .date("EntryDate")?
                .unwrap_or(saving.stamps.created.date()),
            action_date: fields.date("ActionDate")?,
            status: fields.int("Status")?.unwrap_or(0),
            stamps: saving.stamps,
        })
    }
}

/// What a customer owed before the books began; one for each customer.
#[derive(Debug, Clone)]
pub struct OpeningBalance {
    pub id: i64,
    pub customer_id: i64,
    pub balance: Decimal,
    pub reason: String,
    pub date: NaiveDate,
    pub stamps: Stamps,
}

impl Record for OpeningBalance {
    const LINK_FIELDS: &'static [&'static str] = &["CustomerId"];

    fn id(&self) -> i64 {
        self.id
    }

    fn links(&self) -> [Option<i64>; 2] {
        [Some(self.customer_id), None]
    }
}

impl Entity for OpeningBalance {
    const COLUMNS: &'static [Column<Self>] = &[
        number_of("ID", |o, _| o.id.into()),
        number_of("CustomerId", |o, _| o.customer_id.into()),
        number_of("Balance", |o, _| o.balance.into()),
        text("Reason", |o, _| (&o.reason).into()),
        date("Date", |o, _| o.date.into()),
    ];

    stored_in!(opening_balances);

    fn read(saving: &Saving<Self>) -> Result<Self, Refusal> {
        let (fields, books) = (saving.fields, saving.books);
        let customer_id = customer_of(fields, books)?;
        let mut others = books.opening_balances.linked(customer_id);
        if others.any(|other| other.id != saving.id) {
            let text = "The customer has an opening balance already.";
            return Err(Refusal::invalid("CustomerId", text));
        }
        let date = fields.required_date("Date")?;
        books.open(date)?;
        Ok(Self {
            id: saving.id,
            customer_id,
            balance: fields.cents("Balance")?,
            reason: fields.text("Reason", 100)?,
            date,
            stamps: saving.stamps,
        })
    }
}

/// Get, Get/{id} and Save; there is no Delete.
pub fn serve_opening_balances(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    match call.method.to_lowercase().as_str() {
        "get" => entity::serve::<OpeningBalance>(books, call),
        "save" => {
            call.wants("POST")?;
            save(books, &call.json()?, call)
        }
        _ => Err(call.no_method()),
    }
}

fn save(books: &mut Books, body: &Value, call: &Call) -> Result<Response, Refusal> {
    let before = Fields::of(body)?.int("ID")?;
    let before = before
        .and_then(|id| books.opening_balances.get(id))
        .cloned();
    if let Some(before) = before {
        books.open(before.date)?;
        books.owe(before.customer_id, -before.balance);
    }
    let (id, new) = entity::save_row::<OpeningBalance>(books, body, call)?;
    let after = books.opening_balances.get(id).cloned();
    if let Some(after) = after {
        books.owe(after.customer_id, after.balance);
    }
    let columns = all(OpeningBalance::COLUMNS);
    Ok(saved(books, &books.opening_balances, &columns, id, new))
}
