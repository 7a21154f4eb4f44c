//! The ledger: documents, payments, transactions, who paid what, and every customer's balance.
//!
//! All changes of money go through here, whether from the API, from a screen or from the loader, so that
//! these always hold (tests/splynx.rs, the ledger property):
//! - balance = credits − debits over the customer's transactions;
//! - what is open of an invoice or a loose charge = its total − its relations, never negative;
//! - the rest of a payment, credit note or loose credit = its amount − its relations, never negative;
//! - an invoice is paid exactly when nothing is due.
//!
//! Beware: money is allocated when it comes in or when an invoice is made, never in between. Money that a
//! deletion sets free waits for the next of these moments.

mod allocation;
mod credit_notes;
mod invoices;
mod payments;
mod transactions;

use std::collections::{BTreeSet, HashMap};

use chrono::{NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::model::{
    CreditNote, CustomerBilling, Direction, Invoice, Payer, Payment, Proforma, Relation, Target,
    Transaction,
};
use super::refusal::Refusal;
use super::table::Table;

pub use credit_notes::Refund;

/// Base transaction categories (Splynx API, transaction categories).
pub mod category {
    pub const SERVICE: i64 = 1;
    pub const PAYMENT: i64 = 3;
    pub const REFUND: i64 = 4;
    pub const CORRECTION: i64 = 5;
    pub const LAST_BASE: i64 = CORRECTION;
}

/// When something is done, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// Server-local time.
    pub at: NaiveDateTime,
    /// `admin`, `api` or `system`.
    pub by: &'static str,
    pub by_id: i64,
}

impl Stamp {
    pub fn day(&self) -> NaiveDate {
        self.at.date()
    }
}

/// Settings of the installation that decide how money is allocated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// SPLYNX-134: a new invoice is paid from the customer's balance as far as it goes.
    pub pay_from_balance: bool,
    /// SPLYNX-134: a payment without an invoice is tied to the one that it closes exactly.
    pub tie_equal_payments: bool,
    /// SPLYNX-133: a used-up credit note is `closed`; off: it stays `not_refunded` with nothing left [assumed: off].
    pub closed_status: bool,
    /// SPLYNX-117: invoices below zero are taken, as before version 4.0.
    pub negative_invoices: bool,
    /// SPLYNX-116: the number and dates of a paid invoice can be changed.
    pub paid_invoices_change: bool,
    /// SPLYNX-145: an invoice that nothing was paid of can be given to another customer.
    pub invoices_change_hands: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            pay_from_balance: true,
            tie_equal_payments: true,
            closed_status: false,
            negative_invoices: false,
            paid_invoices_change: false,
            invoices_change_hands: false,
        }
    }
}

/// What of a customer's account waits to be matched.
#[derive(Debug, Clone, Default)]
struct Unsettled {
    invoices: BTreeSet<i64>,
    charges: BTreeSet<i64>,
    payers: BTreeSet<Payer>,
}

#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub invoices: Table<Invoice>,
    pub proformas: Table<Proforma>,
    pub credit_notes: Table<CreditNote>,
    pub transactions: Table<Transaction>,
    pub payments: Table<Payment>,
    pub relations: Table<Relation>,
    /// One row for every customer; holds the balance.
    pub billing: Table<CustomerBilling>,
    pub rules: Rules,
    /// Category of invoice lines that name none (`transaction_type_invoice_item`).
    pub item_category: i64,
    unsettled: HashMap<i64, Unsettled>,
    last_item_id: i64,
}

impl Ledger {
    fn require_customer(&self, customer: i64) -> Result<(), Refusal> {
        match self.billing.get(customer) {
            Some(_) => Ok(()),
            None => Err(Refusal::invalid("customer_id", "Customer ID is invalid.")),
        }
    }

    /// Enters a transaction into the books, under a new id unless it has one already.
    fn post(&mut self, transaction: Transaction) -> i64 {
        self.shift_balance(transaction.customer_id, transaction.signed());
        let id = self.transactions.add(transaction);
        self.index_transaction(id);
        id
    }

    /// Takes a transaction out of the books, with all that it paid or that paid it.
    fn unpost(&mut self, id: i64, stamp: &Stamp) {
        self.release_payer(Payer::Transaction(id), stamp);
        self.release_target(Target::Transaction(id), stamp);
        if let Some(gone) = self.transactions.remove(id) {
            self.shift_balance(gone.customer_id, -gone.signed());
            let unsettled = self.unsettled.entry(gone.customer_id).or_default();
            unsettled.charges.remove(&id);
            unsettled.payers.remove(&Payer::Transaction(id));
        }
    }

    fn shift_balance(&mut self, customer: i64, by: Decimal) {
        // The row is gone when the customer was deleted; the documents stay.
        if let Some(row) = self.billing.get_mut(customer) {
            row.deposit.0 += by;
        }
    }

    /// Keeps the lists of open charges and of loose credits with a rest in step with a transaction.
    fn index_transaction(&mut self, id: i64) {
        let Some(transaction) = self.transactions.get(id) else {
            return;
        };
        let open = transaction.remind_amount.0 > Decimal::ZERO;
        let is_charge = transaction.is_loose_debit();
        let is_payer = transaction.is_loose_credit();
        let unsettled = self.unsettled.entry(transaction.customer_id).or_default();
        mark(&mut unsettled.charges, id, open && is_charge);
        mark(
            &mut unsettled.payers,
            Payer::Transaction(id),
            open && is_payer,
        );
    }
}

/// Puts a member into a set, or takes it out.
fn mark<T: Ord>(set: &mut BTreeSet<T>, member: T, present: bool) {
    if present {
        set.insert(member);
    } else {
        set.remove(&member);
    }
}

/// A transaction that a document or a payment makes by itself.
fn automatic(customer_id: i64, kind: Direction, total: Decimal, date: NaiveDate) -> Transaction {
    Transaction {
        customer_id,
        kind,
        total: super::wire::Money(total),
        price: super::wire::Money(total),
        quantity: super::wire::Amount(Decimal::ONE),
        date: Some(date),
        source: super::model::money::Source::Auto,
        ..Transaction::default()
    }
}
