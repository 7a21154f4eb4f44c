//! Write-offs, which lower what a customer owes without money, and adjustments, which the API only shows.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

use super::books::{Books, Series};
use super::call::Call;
use super::customers::{customer_object, customer_of};
use super::entity::{all, dump, get, saved, target};
use super::fields::Fields;
use super::numbering::{check_number, number_of};
use super::receipts::{check_allocated, positive_total};
use super::refusal::Refusal;
use super::table::Record;
use super::wire::{Column, Stamps, date, flag, number_of as number, object, text};
use crate::http::Response;

#[derive(Debug, Clone)]
pub struct WriteOff {
    pub id: i64,
    pub customer_id: i64,
    pub date: NaiveDate,
    pub number: String,
    pub reference: String,
    pub description: String,
    pub comments: String,
    pub total: Decimal,
    pub allocated: Decimal,
    pub stamps: Stamps,
}

impl Record for WriteOff {
    const KEY_FIELD: &'static str = "DocumentNumber";
    const LINK_FIELDS: &'static [&'static str] = &["CustomerId"];

    fn id(&self) -> i64 {
        self.id
    }

    fn key(&self) -> &str {
        &self.number
    }

    fn links(&self) -> [Option<i64>; 2] {
        [Some(self.customer_id), None]
    }
}

static COLUMNS: &[Column<WriteOff>] = &[
    number("ID", |w, _| w.id.into()),
    number("CustomerId", |w, _| w.customer_id.into()),
    date("Date", |w, _| w.date.into()),
    text("DocumentNumber", |w, _| (&w.number).into()),
    text("Reference", |w, _| (&w.reference).into()),
    text("Description", |w, _| (&w.description).into()),
    text("Comments", |w, _| (&w.comments).into()),
    number("Total", |w, _| w.total.into()),
    number("TotalUnallocated", |w, _| (w.total - w.allocated).into()),
    flag("Reconciled", |_, _| false.into()),
    flag("Locked", |w, books| books.locked(w.date).into()),
    object("Customer", |w, books| customer_object(w.customer_id, books)),
    date("Created", |w, _| w.stamps.created.into()),
    date("Modified", |w, _| w.stamps.modified.into()),
];

pub fn serve(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    match call.method.to_lowercase().as_str() {
        "get" => get(books, call, &books.write_offs, &all(COLUMNS)),
        "save" => {
            call.wants("POST")?;
            let (id, new) = save(books, &call.json()?, call)?;
            Ok(saved(books, &books.write_offs, &all(COLUMNS), id, new))
        }
        "delete" if books.behaviour.receipts_can_be_deleted => {
            call.wants("DELETE")?;
            delete(books, call)
        }
        "delete" => Err(call.wrong_verb()),
        _ => Err(call.no_method()),
    }
}

/// All write-offs as they are shown.
pub fn state(books: &Books) -> Value {
    dump(books, &books.write_offs, &all(COLUMNS))
}

fn save(books: &mut Books, body: &Value, call: &Call) -> Result<(i64, bool), Refusal> {
    let fields = Fields::of(body)?;
    let existing = target(&fields, &books.write_offs)?;
    let before = existing.and_then(|id| books.write_offs.get(id)).cloned();
    let customer_id = customer_of(&fields, books)?;
    let date = fields.required_date("Date")?;
    books.open(date)?;
    let total = positive_total(&fields, &books.behaviour)?;
    if let Some(before) = &before {
        books.open(before.date)?;
        check_allocated(before.allocated, total, before.customer_id == customer_id)?;
    }
    let sent = fields.text("DocumentNumber", 100)?.trim().to_owned();
    let old_number = before.as_ref().map(|before| before.number.as_str());
    let number = match number_of(books, call, &sent, old_number)? {
        Some(number) => number,
        None => books.system_number(Series::WriteOff, |books| &books.write_offs),
    };
    let id = existing.unwrap_or_else(|| books.counters.document());
    check_number(books, &books.write_offs, &number, id)?;
    let write_off = WriteOff {
        id,
        customer_id,
        date,
        number,
        reference: fields.text("Reference", 100)?,
        description: fields.text("Description", 100)?,
        comments: fields.text("Comments", 8000)?,
        total,
        allocated: before
            .as_ref()
            .map_or(Decimal::ZERO, |before| before.allocated),
        stamps: Stamps::over(before.as_ref().map(|before| before.stamps), call.now),
    };
    if let Some(before) = &before {
        books.owe(before.customer_id, before.total);
    }
    books.owe(customer_id, -total);
    books.write_offs.put(write_off);
    Ok((id, before.is_none()))
}

fn delete(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    let id = call.needed_id()?;
    let write_off = books.write_offs.get(id).ok_or(Refusal::NotFound)?.clone();
    books.open(write_off.date)?;
    books.release(id, call.now);
    books.owe(write_off.customer_id, write_off.total);
    books.write_offs.remove(id);
    Ok(Response::empty(204))
}

/// A correction of what a customer owes, made on the screens; a positive one raises it.
#[derive(Debug, Clone)]
pub struct Adjustment {
    pub id: i64,
    pub customer_id: i64,
    pub date: NaiveDate,
    pub number: String,
    pub reference: String,
    pub description: String,
    pub total: Decimal,
    pub stamps: Stamps,
}

impl Record for Adjustment {
    const KEY_FIELD: &'static str = "DocumentNumber";
    const LINK_FIELDS: &'static [&'static str] = &["CustomerId"];

    fn id(&self) -> i64 {
        self.id
    }

    fn key(&self) -> &str {
        &self.number
    }

    fn links(&self) -> [Option<i64>; 2] {
        [Some(self.customer_id), None]
    }
}

static ADJUSTMENTS: &[Column<Adjustment>] = &[
    number("ID", |a, _| a.id.into()),
    number("CustomerId", |a, _| a.customer_id.into()),
    date("Date", |a, _| a.date.into()),
    text("DocumentNumber", |a, _| (&a.number).into()),
    text("Reference", |a, _| (&a.reference).into()),
    text("Description", |a, _| (&a.description).into()),
    number("Total", |a, _| a.total.into()),
    flag("Locked", |a, books| books.locked(a.date).into()),
    date("Created", |a, _| a.stamps.created.into()),
    date("Modified", |a, _| a.stamps.modified.into()),
];

pub fn serve_adjustments(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    match call.method.to_lowercase().as_str() {
        "get" => get(books, call, &books.adjustments, &all(ADJUSTMENTS)),
        _ => Err(call.no_method()),
    }
}

/// All adjustments as they are shown.
pub fn adjustments_state(books: &Books) -> Value {
    dump(books, &books.adjustments, &all(ADJUSTMENTS))
}

/// A new adjustment, as the screens make it; its id.
pub fn adjust(books: &mut Books, body: &Value, call: &Call) -> Result<i64, Refusal> {
    let fields = Fields::of(body)?;
    let customer_id = customer_of(&fields, books)?;
    let date = fields.required_date("Date")?;
    books.open(date)?;
    let total = fields.cents("Total")?;
    let adjustment = Adjustment {
        id: books.counters.document(),
        customer_id,
        date,
        number: books.system_number(Series::Adjustment, |books| &books.adjustments),
        reference: fields.text("Reference", 100)?,
        description: fields.text("Description", 100)?,
        total,
        stamps: Stamps::new(call.now),
    };
    let id = adjustment.id;
    books.owe(customer_id, total);
    books.adjustments.put(adjustment);
    Ok(id)
}
