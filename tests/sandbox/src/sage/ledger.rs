//! Who owes what: customers' balances, and allocations between what lowers them and what raises them.
//!
//! A customer's balance = opening balance + invoices - returns - receipts and the settlement discounts that they
//! allocated - write-offs + adjustments. An allocation moves no balance but by its discount: it only says which
//! receipt, return or write-off (source) pays which invoice (target). What is open on either side follows from it.

use chrono::NaiveDateTime;
use rust_decimal::Decimal;
use serde_json::Value;

use super::books::Books;
use super::call::Call;
use super::entity::{all, dump, get, shown, target};
use super::fields::Fields;
use super::refusal::Refusal;
use super::table::Record;
use super::wire::{Column, Stamps, date, number_of};
use crate::http::Response;

#[derive(Debug, Clone)]
pub struct Allocation {
    pub id: i64,
    pub source_id: i64,
    pub target_id: i64,
    pub total: Decimal,
    /// Settlement discount: lets an invoice be paid with less than its total.
    pub discount: Decimal,
    pub kind: Option<i64>,
    pub stamps: Stamps,
}

impl Record for Allocation {
    const LINK_FIELDS: &'static [&'static str] = &["SourceDocumentId", "AllocatedToDocumentId"];

    fn id(&self) -> i64 {
        self.id
    }

    fn links(&self) -> [Option<i64>; 2] {
        [Some(self.source_id), Some(self.target_id)]
    }
}

static COLUMNS: &[Column<Allocation>] = &[
    number_of("ID", |a, _| a.id.into()),
    number_of("SourceDocumentId", |a, _| a.source_id.into()),
    number_of("AllocatedToDocumentId", |a, _| a.target_id.into()),
    number_of("Total", |a, _| a.total.into()),
    number_of("Discount", |a, _| a.discount.into()),
    number_of("Type", |a, _| a.kind.into()),
    number_of("DocumentHeaderId_Source", |a, _| a.source_id.into()),
    number_of("DocumentHeaderId_Allocation", |a, _| a.target_id.into()),
    date("Created", |a, _| a.stamps.created.into()),
    date("Modified", |a, _| a.stamps.modified.into()),
];

pub fn serve(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    match call.method.to_lowercase().as_str() {
        "get" => get(books, call, &books.allocations, &all(COLUMNS)),
        "save" => {
            call.wants("POST")?;
            let stored = save(books, &call.json()?, call)?;
            // 200 also for a new one: seen on the live service.
            Ok(Response::json(200, &stored))
        }
        "savebatch" => {
            call.wants("POST")?;
            let stored = call
                .rows(books.behaviour.batch_limit)?
                .iter()
                .map(|row| save(books, row, call))
                .collect::<Result<Vec<Value>, Refusal>>()?;
            Ok(Response::json(200, &Value::Array(stored)))
        }
        "delete" => {
            call.wants("DELETE")?;
            let id = call.needed_id()?;
            let allocation = books.allocations.get(id).ok_or(Refusal::NotFound)?.clone();
            books.take_back(&allocation, call.now);
            Ok(Response::empty(204))
        }
        _ => Err(call.no_method()),
    }
}

/// All allocations as they are shown.
pub fn state(books: &Books) -> Value {
    dump(books, &books.allocations, &all(COLUMNS))
}

fn save(books: &mut Books, body: &Value, call: &Call) -> Result<Value, Refusal> {
    let fields = Fields::of(body)?;
    // The second names are the deprecated ones.
    let side = |name, old| match fields.int(name)? {
        Some(id) => Ok(id),
        None => fields
            .int(old)?
            .ok_or_else(|| super::fields::required(name)),
    };
    let existing = target(&fields, &books.allocations)?;
    let before = existing.and_then(|id| books.allocations.get(id)).cloned();
    if let Some(before) = &before {
        books.take_back(before, call.now);
    }
    let allocation = Allocation {
        id: existing.unwrap_or_else(|| books.counters.allocation()),
        source_id: side("SourceDocumentId", "DocumentHeaderId_Source")?,
        target_id: side("AllocatedToDocumentId", "DocumentHeaderId_Allocation")?,
        total: fields.cents("Total")?,
        discount: fields.cents("Discount")?,
        kind: fields.int("Type")?,
        stamps: Stamps::over(before.map(|before| before.stamps), call.now),
    };
    let stored = shown(&allocation, &all(COLUMNS), books);
    books.allocate(allocation, call.now)?;
    Ok(stored)
}

/// A document that lowers the balance, as an allocation sees it.
struct Source {
    customer_id: i64,
    unallocated: Decimal,
    /// Only a receipt grants a settlement discount.
    is_receipt: bool,
}

impl Books {
    /// Moves what a customer owes.
    pub fn owe(&mut self, customer: i64, amount: Decimal) {
        if !amount.is_zero() {
            self.customers
                .change(customer, |customer| customer.balance += amount);
        }
    }

    fn source(&self, id: i64) -> Option<Source> {
        if let Some(receipt) = self.receipts.get(id) {
            return Some(Source {
                customer_id: receipt.customer_id,
                unallocated: receipt.total - receipt.allocated,
                is_receipt: true,
            });
        }
        if let Some(credit) = self.returns.get(id) {
            return Some(Source {
                customer_id: credit.customer_id,
                unallocated: credit.open_amount(),
                is_receipt: false,
            });
        }
        self.write_offs.get(id).map(|write_off| Source {
            customer_id: write_off.customer_id,
            unallocated: write_off.total - write_off.allocated,
            is_receipt: false,
        })
    }

    /// Makes an allocation, if both sides allow it.
    fn allocate(&mut self, allocation: Allocation, now: NaiveDateTime) -> Result<(), Refusal> {
        let invalid = |field, text: &str| Err(Refusal::invalid(field, text));
        let Some(source) = self.source(allocation.source_id) else {
            return invalid("SourceDocumentId", "The source document does not exist.");
        };
        let Some(invoice) = self.invoices.get(allocation.target_id) else {
            return invalid(
                "AllocatedToDocumentId",
                "The allocated document does not exist.",
            );
        };
        if source.customer_id != invoice.customer_id {
            return invalid(
                "AllocatedToDocumentId",
                "The documents are of different customers.",
            );
        }
        if allocation.total <= Decimal::ZERO {
            return invalid("Total", "The total must be greater than zero.");
        }
        if allocation.discount < Decimal::ZERO {
            return invalid("Discount", "The discount can't be negative.");
        }
        if !allocation.discount.is_zero() && !source.is_receipt {
            return invalid(
                "Discount",
                "Only a receipt can be allocated with a discount.",
            );
        }
        if allocation.total > source.unallocated {
            return invalid(
                "Total",
                "The total is more than the source has unallocated.",
            );
        }
        if allocation.total + allocation.discount > invoice.open_amount() {
            return invalid("Total", "The total is more than the amount due.");
        }
        self.owe(source.customer_id, -allocation.discount);
        self.shift(&allocation, Decimal::ONE, now);
        self.allocations.put(allocation);
        Ok(())
    }

    /// Undoes an allocation.
    fn take_back(&mut self, allocation: &Allocation, now: NaiveDateTime) {
        let customer = self.invoices.get(allocation.target_id);
        if let Some(customer) = customer.map(|invoice| invoice.customer_id) {
            self.owe(customer, allocation.discount);
        }
        self.shift(allocation, Decimal::NEGATIVE_ONE, now);
        self.allocations.remove(allocation.id);
    }

    /// Adds an allocation to what both sides have allocated, or (sign -1) takes it away. Counts as a change of both:
    /// what is due is stored with them.
    fn shift(&mut self, allocation: &Allocation, sign: Decimal, now: NaiveDateTime) {
        let (id, total) = (allocation.source_id, allocation.total * sign);
        self.receipts.change(id, |receipt| {
            receipt.allocated += total;
            receipt.stamps.modified = now;
        });
        self.returns.change(id, |credit| {
            credit.allocated += total;
            credit.stamps.modified = now;
        });
        self.write_offs.change(id, |write_off| {
            write_off.allocated += total;
            write_off.stamps.modified = now;
        });
        let settled = (allocation.total + allocation.discount) * sign;
        self.invoices.change(allocation.target_id, |invoice| {
            invoice.allocated += settled;
            invoice.stamps.modified = now;
        });
    }

    /// Undoes all allocations of a document, whichever side it is on.
    pub fn release(&mut self, document: i64, now: NaiveDateTime) {
        let allocations: Vec<Allocation> = self.allocations.linked(document).cloned().collect();
        for allocation in &allocations {
            self.take_back(allocation, now);
        }
    }

    /// Allocates a source to the customer's open invoices, oldest first, until it or they are used up.
    pub fn allocate_to_oldest(&mut self, source: i64, now: NaiveDateTime) -> Result<(), Refusal> {
        let Some(customer) = self.source(source).map(|source| source.customer_id) else {
            return Ok(());
        };
        let mut open: Vec<_> = self
            .invoices
            .linked(customer)
            .filter(|invoice| invoice.open_amount() > Decimal::ZERO)
            .map(|invoice| (invoice.date, invoice.id))
            .collect();
        open.sort_unstable();
        for (_, invoice) in open {
            self.allocate_as_far_as_possible(source, invoice, now)?;
        }
        Ok(())
    }

    /// Allocates as much of a source to an invoice as both have left; nothing, where that is nothing.
    pub fn allocate_as_far_as_possible(
        &mut self,
        source_id: i64,
        target_id: i64,
        now: NaiveDateTime,
    ) -> Result<(), Refusal> {
        let left = self.source(source_id).map(|source| source.unallocated);
        let due = self
            .invoices
            .get(target_id)
            .map(|invoice| invoice.open_amount());
        let total = left
            .zip(due)
            .map_or(Decimal::ZERO, |(left, due)| left.min(due));
        if total <= Decimal::ZERO {
            return Ok(());
        }
        let allocation = Allocation {
            id: self.counters.allocation(),
            source_id,
            target_id,
            total,
            discount: Decimal::ZERO,
            kind: None,
            stamps: Stamps::new(now),
        };
        self.allocate(allocation, now)
    }
}
