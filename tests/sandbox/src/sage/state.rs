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

pub fn of(books: &Books, journal: &Journal) -> Value {
    let mut state = Map::new();
    let mut add = |name: &str, value: Value| state.insert(name.to_owned(), value);
    add("company", company::state(books));
    add("customers", table(books, &books.customers));
    add(
        "customer_categories",
        table(books, &books.customer_categories),
    );
    add("customer_notes", table(books, &books.customer_notes));
    add("opening_balances", table(books, &books.opening_balances));
    add("invoices", documents::state(books, DocumentKind::Invoice));
    add("returns", documents::state(books, DocumentKind::Return));
    add("receipts", receipts::state(books));
    add("write_offs", write_offs::state(books));
    add("adjustments", write_offs::adjustments_state(books));
    add("allocations", ledger::state(books));
    add("bank_accounts", table(books, &books.bank_accounts));
    add(
        "bank_account_categories",
        table(books, &books.bank_account_categories),
    );
    add("bank_transactions", table(books, &books.bank_transactions));
    add("journal_entries", table(books, &books.journal_entries));
    add("items", table(books, &books.items));
    add("tax_types", table(books, &books.tax_types));
    add("accounts", table(books, &books.accounts));
    add(
        "sales_representatives",
        table(books, &books.sales_representatives),
    );
    add("requests", journal.to_json());
    Value::Object(state)
}

fn table<T: Entity>(books: &Books, table: &super::table::Table<T>) -> Value {
    dump(books, table, &all(T::COLUMNS))
}
