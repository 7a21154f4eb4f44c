//! Storing documents: numbers, references, closed periods, balances; and Calculate, which stores nothing.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::{Document, DocumentKind, columns, draft};
use crate::http::Response;
use crate::sage::behaviour::Doubtful;
use crate::sage::books::{Books, Series};
use crate::sage::call::Call;
use crate::sage::entity::{saved, shown, target};
use crate::sage::fields::Fields;
use crate::sage::numbering::{check_number, check_reference, number_of};
use crate::sage::refusal::Refusal;
use crate::sage::wire::Stamps;

/// `POST Save`.
pub fn save(books: &mut Books, kind: DocumentKind, call: &Call) -> Result<Response, Refusal> {
    let (id, new) = save_one(books, kind, &call.json()?, call)?;
    let table = books.documents(kind);
    Ok(saved(books, table, &columns(kind, true), id, new))
}

/// `POST SaveBatch`, where it exists: all rows or none.
pub fn save_batch(books: &mut Books, kind: DocumentKind, call: &Call) -> Result<Response, Refusal> {
    let mut stored = Vec::new();
    for row in call.rows(books.behaviour.batch_limit)? {
        let (id, _) = save_one(books, kind, &row, call)?;
        stored.extend(
            books
                .documents(kind)
                .get(id)
                .map(|document| shown(document, &columns(kind, true), books)),
        );
    }
    Ok(Response::json(200, &Value::Array(stored)))
}

/// `POST Calculate`: the body with its totals filled in.
pub fn calculate(books: &Books, kind: DocumentKind, call: &Call) -> Result<Response, Refusal> {
    let body = call.json()?;
    let fields = Fields::of(&body)?;
    let document = draft::read(&fields, kind, Stamps::new(call.now), books)?;
    let mut answer = shown(&document, &columns(kind, true), books);
    if let Some(object) = answer.as_object_mut() {
        unstored(object);
    }
    Ok(Response::json(200, &answer))
}

/// Takes out what only a stored document has.
fn unstored(object: &mut Map<String, Value>) {
    for name in ["UID", "Created", "Modified"] {
        object.remove(name);
    }
}

/// Saves one body; the id, and whether it is new.
pub fn save_one(
    books: &mut Books,
    kind: DocumentKind,
    body: &Value,
    call: &Call,
) -> Result<(i64, bool), Refusal> {
    let fields = Fields::of(body)?;
    let existing = target(&fields, books.documents(kind))?;
    let before = existing
        .and_then(|id| books.documents(kind).get(id))
        .cloned();
    let stamps = Stamps::over(before.as_ref().map(|before| before.stamps), call.now);
    let mut document = draft::read(&fields, kind, stamps, books)?;
    document.id = existing.unwrap_or_else(|| books.counters.document());
    books.open(document.date)?;
    if let Some(before) = &before {
        check_change(before, &document, books)?;
        document.allocated = before.allocated;
    }
    let old_number = before.as_ref().map(|before| before.number.as_str());
    document.number = match number_of(books, call, &document.number, old_number)? {
        Some(number) => number,
        None => match kind {
            DocumentKind::Invoice => books.system_number(Series::Invoice, |b| &b.invoices),
            DocumentKind::Return => books.system_number(Series::Return, |b| &b.returns),
        },
    };
    let keeps = old_number.is_none_or(|old| old == document.number);
    if !keeps && books.behaviour.other_numbers == Doubtful::Refused {
        let text = "The document number can't be changed.";
        return Err(Refusal::invalid("DocumentNumber", text));
    }
    check_number(books, books.documents(kind), &document.number, document.id)?;
    let others = books.documents(kind).linked(document.customer_id);
    let references = others
        .filter(|other| other.id != document.id)
        .map(|other| other.reference.as_str());
    check_reference(books, references, &document.reference)?;
    store(books, kind, before, document, call)
}

fn store(
    books: &mut Books,
    kind: DocumentKind,
    before: Option<Document>,
    mut document: Document,
    call: &Call,
) -> Result<(i64, bool), Refusal> {
    let (id, new) = (document.id, before.is_none());
    for line in &mut document.lines {
        // Line ids that are not the document's own are not taken over.
        let known = before
            .iter()
            .flat_map(|before| &before.lines)
            .any(|old| old.id == line.id);
        if !known {
            line.id = books.counters.line();
        }
    }
    mark_used(books, &document);
    if let Some(before) = before {
        books.owe(before.customer_id, -kind.owed(before.totals.total));
    }
    books.owe(document.customer_id, kind.owed(document.totals.total));
    let link = document
        .from_document_id
        .filter(|_| new && kind == DocumentKind::Return);
    books.documents_mut(kind).put(document);
    if let Some(invoice) = link.filter(|_| books.behaviour.returns_allocate) {
        books.allocate_as_far_as_possible(id, invoice, call.now)?;
    }
    Ok((id, new))
}

/// What may become of a document that is there already.
fn check_change(before: &Document, after: &Document, books: &Books) -> Result<(), Refusal> {
    if before.void || books.locked(before.date) {
        let text = "The document is locked and can't be changed.";
        return Err(Refusal::invalid("Editable", text));
    }
    if after.totals.total < before.allocated {
        let text = "The total can't be less than what is allocated already.";
        return Err(Refusal::invalid("Total", text));
    }
    if after.customer_id != before.customer_id && before.allocated > Decimal::ZERO {
        let text = "The customer of a document with allocations can't be changed.";
        return Err(Refusal::invalid("CustomerId", text));
    }
    Ok(())
}

/// Notes that the furniture of a document has been used, so that it can't be deleted any more.
fn mark_used(books: &mut Books, document: &Document) {
    for line in &document.lines {
        let id = line.selection_id;
        match line.line_type {
            0 if books.items.get(id).is_some_and(|item| !item.used) => {
                books.items.change(id, |item| item.used = true);
            }
            1 if books.accounts.get(id).is_some_and(|account| !account.used) => {
                books.accounts.change(id, |account| account.used = true);
            }
            _ => {}
        }
        if let Some(id) = line.tax_type_id
            && books.tax_types.get(id).is_some_and(|tax| !tax.used)
        {
            books.tax_types.change(id, |tax| tax.used = true);
        }
    }
    if let Some(id) = document.sales_representative_id
        && books
            .sales_representatives
            .get(id)
            .is_some_and(|person| !person.used)
    {
        books
            .sales_representatives
            .change(id, |person| person.used = true);
    }
}
