//! Everything that the company has stored, and the transaction around each request.
//!
//! A request either does all that it set out to or nothing: the tables remember what they held, and a refusal takes
//! every change back. So services may change as they check, and a batch needs no code of its own to be whole.

use chrono::NaiveDate;

use super::accounts::{Account, BankAccount};
use super::bank::{BankTransaction, JournalEntry};
use super::behaviour::Behaviour;
use super::company::Company;
use super::customer_extras::{CustomerNote, OpeningBalance};
use super::customers::Customer;
use super::documents::{Document, DocumentKind};
use super::furniture::{BankAccountCategory, CustomerCategory, Item, SalesRepresentative, TaxType};
use super::ledger::Allocation;
use super::receipts::Receipt;
use super::refusal::Refusal;
use super::table::{Record, Table, Undo};
use super::write_offs::{Adjustment, WriteOff};

#[derive(Clone)]
pub struct Books {
    pub behaviour: Behaviour,
    pub company: Company,
    pub counters: Counters,
    pub customers: Table<Customer>,
    pub customer_categories: Table<CustomerCategory>,
    pub customer_notes: Table<CustomerNote>,
    pub opening_balances: Table<OpeningBalance>,
    pub invoices: Table<Document>,
    pub returns: Table<Document>,
    pub receipts: Table<Receipt>,
    pub write_offs: Table<WriteOff>,
    pub adjustments: Table<Adjustment>,
    pub allocations: Table<Allocation>,
    pub bank_accounts: Table<BankAccount>,
    pub bank_account_categories: Table<BankAccountCategory>,
    pub bank_transactions: Table<BankTransaction>,
    pub journal_entries: Table<JournalEntry>,
    pub items: Table<Item>,
    pub tax_types: Table<TaxType>,
    pub accounts: Table<Account>,
    pub sales_representatives: Table<SalesRepresentative>,
}

impl Books {
    /// The books of a company that holds nothing yet.
    pub fn new(company: Company, behaviour: Behaviour) -> Self {
        Self {
            behaviour,
            company,
            counters: Counters::default(),
            customers: Table::default(),
            customer_categories: Table::default(),
            customer_notes: Table::default(),
            opening_balances: Table::default(),
            invoices: Table::default(),
            returns: Table::default(),
            receipts: Table::default(),
            write_offs: Table::default(),
            adjustments: Table::default(),
            allocations: Table::default(),
            bank_accounts: Table::default(),
            bank_account_categories: Table::default(),
            bank_transactions: Table::default(),
            journal_entries: Table::default(),
            items: Table::default(),
            tax_types: Table::default(),
            accounts: Table::default(),
            sales_representatives: Table::default(),
        }
    }

    /// Does something wholly or not at all.
    pub fn transaction<R>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let counters = self.counters;
        self.tables().into_iter().for_each(Undo::begin);
        let result = act(self);
        match &result {
            Ok(_) => self.tables().into_iter().for_each(Undo::commit),
            Err(_) => {
                self.tables().into_iter().for_each(Undo::roll_back);
                self.counters = counters;
            }
        }
        result
    }

    fn tables(&mut self) -> [&mut dyn Undo; 18] {
        [
            &mut self.customers,
            &mut self.customer_categories,
            &mut self.customer_notes,
            &mut self.opening_balances,
            &mut self.invoices,
            &mut self.returns,
            &mut self.receipts,
            &mut self.write_offs,
            &mut self.adjustments,
            &mut self.allocations,
            &mut self.bank_accounts,
            &mut self.bank_account_categories,
            &mut self.bank_transactions,
            &mut self.journal_entries,
            &mut self.items,
            &mut self.tax_types,
            &mut self.accounts,
            &mut self.sales_representatives,
        ]
    }

    pub fn documents(&self, kind: DocumentKind) -> &Table<Document> {
        match kind {
            DocumentKind::Invoice => &self.invoices,
            DocumentKind::Return => &self.returns,
        }
    }

    pub fn documents_mut(&mut self, kind: DocumentKind) -> &mut Table<Document> {
        match kind {
            DocumentKind::Invoice => &mut self.invoices,
            DocumentKind::Return => &mut self.returns,
        }
    }

    pub fn customer_name(&self, id: i64) -> &str {
        self.customers
            .get(id)
            .map_or("", |customer| customer.name.as_str())
    }

    /// The currency of a customer's documents where it is not that of the company's books.
    pub fn foreign_currency(&self, customer: i64) -> Option<i64> {
        let home = self.company.home_currency?;
        let own = self.customers.get(customer)?.currency_id?;
        (own != 0 && own != home).then_some(own)
    }

    /// Whether a date lies in a period that the company has closed.
    pub fn locked(&self, date: NaiveDate) -> bool {
        self.company.lock_processing && self.company.lock_date.is_some_and(|lock| date <= lock)
    }

    /// Refuses a date in a closed period.
    pub fn open(&self, date: NaiveDate) -> Result<(), Refusal> {
        if self.locked(date) {
            let text = "Processing is locked for the date of this transaction.";
            return Err(Refusal::invalid("Date", text));
        }
        Ok(())
    }

    /// The next system number of a series that no document of the table has.
    pub fn system_number<T: Record>(
        &mut self,
        series: Series,
        table: fn(&Self) -> &Table<T>,
    ) -> String {
        loop {
            let number = self.counters.number(series);
            if !table(self).key_taken(&number, 0) {
                return number;
            }
        }
    }
}

/// The series of system numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    Invoice,
    Return,
    Receipt,
    WriteOff,
    Adjustment,
}

impl Series {
    fn prefix(self) -> &'static str {
        match self {
            Self::Invoice => "INV",
            Self::Return => "CRN",
            Self::Receipt => "RCP",
            Self::WriteOff => "WOF",
            Self::Adjustment => "CADJ",
        }
    }
}

/// Ids and numbers that were given out. Never given again, also when what had them is deleted.
///
/// All documents draw from one counter, because an allocation names its two documents without saying what they are.
/// Theirs starts shortly below 2^31, so that a client with 32-bit ids breaks in the first demo.
#[derive(Debug, Clone, Copy)]
pub struct Counters {
    documents: i64,
    lines: i64,
    customers: i64,
    allocations: i64,
    others: i64,
    numbers: [u32; 5],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            documents: 2_147_483_000,
            lines: 770_000,
            customers: 812_000,
            allocations: 9_100_000,
            others: 50_000,
            numbers: [0; 5],
        }
    }
}

impl Counters {
    pub fn document(&mut self) -> i64 {
        next(&mut self.documents)
    }

    pub fn line(&mut self) -> i64 {
        next(&mut self.lines)
    }

    pub fn customer(&mut self) -> i64 {
        next(&mut self.customers)
    }

    pub fn allocation(&mut self) -> i64 {
        next(&mut self.allocations)
    }

    /// For everything that has no counter of its own.
    pub fn other(&mut self) -> i64 {
        next(&mut self.others)
    }

    /// Ids up to this one are taken by what the company was set up with.
    pub fn others_after(&mut self, id: i64) {
        self.others = self.others.max(id);
    }

    fn number(&mut self, series: Series) -> String {
        let count = &mut self.numbers[series as usize];
        *count += 1;
        format!("{}{count:07}", series.prefix())
    }
}

fn next(counter: &mut i64) -> i64 {
    *counter += 1;
    *counter
}
