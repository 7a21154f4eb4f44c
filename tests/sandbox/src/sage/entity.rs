//! What all services have in common: Get, Get/{id}, Save that replaces the whole, Delete that minds its users.
//!
//! An entity says how it is read from a body and what it shows; the rest is here. Documents, receipts and allocations
//! have a Save of their own because they move balances, but list and get like everything else.

use serde_json::Value;

use super::behaviour::Missing;
use super::books::Books;
use super::call::Call;
use super::fields::Fields;
use super::odata;
use super::refusal::Refusal;
use super::table::{Record, Table};
use super::wire::{Column, Stamps, body};
use crate::http::Response;

/// What a Save knows while it reads a body.
pub struct Saving<'s, T> {
    pub fields: &'s Fields<'s>,
    pub books: &'s Books,
    /// The row that is replaced, if there is one.
    pub before: Option<&'s T>,
    pub id: i64,
    pub stamps: Stamps,
}

/// An entity that is saved as it is read, and moves nothing else.
pub trait Entity: Record + 'static {
    const COLUMNS: &'static [Column<Self>];

    /// How the key is called where another row already has it; empty where keys may repeat.
    const UNIQUE: &'static str = "";

    fn table(books: &Books) -> &Table<Self>;
    fn table_mut(books: &mut Books) -> &mut Table<Self>;
    fn stamps(&self) -> Stamps;

    fn new_id(books: &mut Books) -> i64 {
        books.counters.other()
    }

    /// The row that a body describes; everything that the body leaves out has its default.
    fn read(saving: &Saving<Self>) -> Result<Self, Refusal>;

    /// Whether something refers to the row, so that it can't be deleted.
    fn in_use(&self, _books: &Books) -> bool {
        false
    }
}

/// The usual methods of a service.
pub fn serve<T: Entity>(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    match call.method.to_lowercase().as_str() {
        "get" => get(books, call, T::table(books), &all(T::COLUMNS)),
        "save" => {
            call.wants("POST")?;
            save::<T>(books, call)
        }
        "delete" => {
            call.wants("DELETE")?;
            delete::<T>(books, call.needed_id()?)
        }
        _ => Err(call.no_method()),
    }
}

/// `Get` and `Get/{id}`.
pub fn get<T: Record + 'static>(
    books: &Books,
    call: &Call,
    table: &Table<T>,
    columns: &[&'static Column<T>],
) -> Result<Response, Refusal> {
    call.wants("GET")?;
    match call.id()? {
        Some(id) => one(books, table.get(id), columns),
        None => {
            let page = odata::page(table, columns, call.options(), books)?;
            Ok(Response::json(200, &page))
        }
    }
}

/// One row, or the answer for nothing.
pub fn one<T: 'static>(
    books: &Books,
    row: Option<&T>,
    columns: &[&'static Column<T>],
) -> Result<Response, Refusal> {
    match row {
        Some(row) => Ok(Response::json(200, &shown(row, columns, books))),
        None if books.behaviour.missing == Missing::Null => Ok(Response::json(200, &Value::Null)),
        None => Err(Refusal::NotFound),
    }
}

fn save<T: Entity>(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    let (id, new) = save_row::<T>(books, &call.json()?, call)?;
    Ok(saved::<T>(
        books,
        T::table(books),
        &all(T::COLUMNS),
        id,
        new,
    ))
}

/// Saves one body; the id, and whether it is new.
pub fn save_row<T: Entity>(
    books: &mut Books,
    body: &Value,
    call: &Call,
) -> Result<(i64, bool), Refusal> {
    let fields = Fields::of(body)?;
    let existing = target(&fields, T::table(books))?;
    let id = existing.unwrap_or_else(|| T::new_id(books));
    let row = {
        let before = T::table(books).get(id);
        let saving = Saving {
            fields: &fields,
            books,
            before,
            id,
            stamps: Stamps::over(before.map(T::stamps), call.now),
        };
        T::read(&saving)?
    };
    if !T::UNIQUE.is_empty() && T::table(books).key_taken(row.key(), id) {
        let text = format!("{} already exists.", T::UNIQUE);
        return Err(Refusal::invalid(T::KEY_FIELD, text));
    }
    T::table_mut(books).put(row);
    Ok((id, existing.is_none()))
}

/// Which row a body means: none where `ID` is 0 or absent, so that it makes a new one, else one that must be there.
pub fn target<T: Record>(fields: &Fields, table: &Table<T>) -> Result<Option<i64>, Refusal> {
    match fields.int("ID")?.unwrap_or(0) {
        0 => Ok(None),
        id if table.get(id).is_some() => Ok(Some(id)),
        _ => Err(Refusal::NotFound),
    }
}

/// The answer to a Save: the stored entity, 201 where it is new.
pub fn saved<T: Record + 'static>(
    books: &Books,
    table: &Table<T>,
    columns: &[&'static Column<T>],
    id: i64,
    new: bool,
) -> Response {
    let status = if new {
        201
    } else {
        books.behaviour.update_status
    };
    let stored = table
        .get(id)
        .map_or(Value::Null, |row| shown(row, columns, books));
    Response::json(status, &stored)
}

fn delete<T: Entity>(books: &mut Books, id: i64) -> Result<Response, Refusal> {
    let row = T::table(books).get(id).ok_or(Refusal::NotFound)?;
    if row.in_use(books) {
        let text = "The record is in use and can't be deleted.";
        return Err(Refusal::InUse(text.to_owned()));
    }
    T::table_mut(books).remove(id);
    Ok(Response::empty(204))
}

/// A row as it is shown.
pub fn shown<T: 'static>(row: &T, columns: &[&'static Column<T>], books: &Books) -> Value {
    body(row, columns.iter().copied(), books)
}

pub fn all<T>(columns: &'static [Column<T>]) -> Vec<&'static Column<T>> {
    columns.iter().collect()
}

/// All rows of a table as they are shown, for the state.
pub fn dump<T: Record + 'static>(
    books: &Books,
    table: &Table<T>,
    columns: &[&'static Column<T>],
) -> Value {
    table.iter().map(|row| shown(row, columns, books)).collect()
}
