//! Everything stored, by entity, in the shapes of the API's own answers.

use serde_json::{Map, Value};

use super::books::Books;
use super::company;
use super::documents::{self, DocumentKind};
use super::entity::{Entity, all, dump};
use super::ledger;
use super::receipts;
use super::write_offs;
use crate::journal::Journal;

/// Everything that the state lists, in its order.
const ENTITIES: [&str; 19] = [
    "customers",
    "customer_categories",
    "customer_notes",
    "opening_balances",
    "invoices",
    "returns",
    "receipts",
    "write_offs",
    "adjustments",
    "allocations",
    "bank_accounts",
    "bank_account_categories",
    "bank_transactions",
    "journal_entries",
    "items",
    "tax_types",
    "accounts",
    "sales_representatives",
    "company",
];

pub fn of(books: &Books, journal: &Journal) -> Value {
    let mut state: Map<String, Value> = ENTITIES
        .iter()
        .map(|name| ((*name).to_owned(), rows(books, name)))
        .collect();
    state.insert("requests".to_owned(), journal.to_json());
    Value::Object(state)
}

/// One entity of the state; null where there is no such.
pub fn rows(books: &Books, entity: &str) -> Value {
    match entity {
        "company" => company::state(books),
        "customers" => table(books, &books.customers),
        "customer_categories" => table(books, &books.customer_categories),
        "customer_notes" => table(books, &books.customer_notes),
        "opening_balances" => table(books, &books.opening_balances),
        "invoices" => documents::state(books, DocumentKind::Invoice),
        "returns" => documents::state(books, DocumentKind::Return),
        "receipts" => receipts::state(books),
        "write_offs" => write_offs::state(books),
        "adjustments" => write_offs::adjustments_state(books),
        "allocations" => ledger::state(books),
        "bank_accounts" => table(books, &books.bank_accounts),
        "bank_account_categories" => table(books, &books.bank_account_categories),
        "bank_transactions" => table(books, &books.bank_transactions),
        "journal_entries" => table(books, &books.journal_entries),
        "items" => table(books, &books.items),
        "tax_types" => table(books, &books.tax_types),
        "accounts" => table(books, &books.accounts),
        "sales_representatives" => table(books, &books.sales_representatives),
        _ => Value::Null,
    }
}

fn table<T: Entity>(books: &Books, table: &super::table::Table<T>) -> Value {
    dump(books, table, &all(T::COLUMNS))
}
