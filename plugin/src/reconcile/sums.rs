//! What both sides add up to, by month and by customer.
//!
//! Both are kept in the scratch table, and what a page adds to them is committed with it.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::sage_side::{self, TABLE};
use crate::addon::Rows;
use crate::capability::Row;
use crate::collect::{Map, ToMap};
use crate::json;
use crate::money;
use crate::sage::{MatchKey, Service};
use crate::stored::{self, Storable, stored};
use crate::write::ledger::{META, Run, RunResult};
use crate::write::record::{Batch, Kind, RecordKey};

/// `2026-02/invoices` → [`Month`]: what the last reconciliation found.
const FIGURES: &str = "figure";
/// The date of the last reconciliation.
const AS_OF: &str = "reconciled-on";
/// Before a Splynx customer's id, and behind [`STRANGERS`] a Sage customer's who is paired with none.
const CUSTOMERS: &str = "sum/";
const STRANGERS: &str = "sum/sage/";
/// Before a month and kind, as in [`FIGURES`].
const MONTHS: &str = "month/";
const PAGE: u32 = 500;

/// Whose money it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    Splynx(i64),
    /// Sage's customer, who is paired with none.
    Stranger(i64),
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Month {
    here_count: u64,
    here: Decimal,
    there_count: u64,
    there: Decimal,
    /// On one side on purpose.
    left_out_here: Decimal,
    left_out_there: Decimal,
    /// Sage's VAT more than Splynx's, of documents that both have.
    vat_off: Decimal,
}

stored!(Month { here_count, here, there_count, there, left_out_here, left_out_there } may { vat_off });

/// What a customer owes by the documents and payments of either side.
#[derive(Debug, Clone, Default, PartialEq)]
struct Balance {
    here: Decimal,
    there: Decimal,
}

stored!(Balance { here, there });

/// Of the page that is looked at.
#[derive(Debug)]
pub struct Sums {
    months: Map<String, Month>,
    customers: Map<Whose, Balance>,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            months: Map::new_vec(),
            customers: Map::new_vec(),
        }
    }
}

impl Sums {
    pub fn here(&mut self, service: Service, customer: i64, date: NaiveDate, total: Decimal) {
        let month = self.month(service, date);
        month.here_count += 1;
        month.here += total;
        let balance = self.customers.entry(Whose::Splynx(customer)).or_default();
        balance.here += owed(service, total);
    }

    pub fn there(&mut self, service: Service, whose: Whose, date: NaiveDate, total: Decimal) {
        let month = self.month(service, date);
        month.there_count += 1;
        month.there += total;
        let balance = self.customers.entry(whose).or_default();
        balance.there += owed(service, total);
    }

    pub fn left_out_here(&mut self, service: Service, date: NaiveDate, total: Decimal) {
        self.month(service, date).left_out_here += total;
    }

    pub fn left_out_there(&mut self, service: Service, date: NaiveDate, total: Decimal) {
        self.month(service, date).left_out_there += total;
    }

    /// By how much Sage's VAT is more than Splynx's.
    pub fn vat(&mut self, service: Service, date: NaiveDate, off: Decimal) {
        self.month(service, date).vat_off += off;
    }

    fn month(&mut self, service: Service, date: NaiveDate) -> &mut Month {
        let kind = match service {
            Service::TaxInvoice => Kind::Invoice,
            Service::CustomerReturn => Kind::CreditNote,
            _ => Kind::Payment,
        };
        let key = format!("{}/{}", json::month(date), kind.title());
        self.months.entry(key).or_default()
    }

    /// Adds what a page came to, to what is kept.
    pub fn add_to(&mut self, run: &mut Run, batch: &mut Batch) -> RunResult<()> {
        let customers = std::mem::replace(&mut self.customers, Map::new_vec());
        let customers = customers.into_iter();
        let customers = customers.map(|(whose, balance)| (customer_key(&whose), balance));
        add(run, batch, customers.collect())?;
        let months = std::mem::replace(&mut self.months, Map::new_vec());
        let months = months.into_iter();
        let months = months.map(|(key, month)| (format!("{MONTHS}{key}"), month));
        add(run, batch, months.collect())
    }

    /// The report of customers whose sums differ.
    pub fn tell_customers(&self, run: &mut Run) -> RunResult<()> {
        let mut after = String::new();
        loop {
            let entries = run.cap.scan(TABLE, CUSTOMERS, &after, PAGE)?;
            let Some(last) = entries.last() else {
                return Ok(());
            };
            after.clone_from(&last.key);
            let page = entries.into_iter();
            let page: Vec<(Whose, Balance)> = page
                .filter_map(|e| Some((whose_of(&e.key)?, stored::from_text(&e.value)?)))
                .filter(|(_, balance): &(_, Balance)| balance.here != balance.there)
                .collect();
            let names = names(run, page.iter().map(|(whose, _)| *whose))?;
            let rows: Vec<Row> = page
                .into_iter()
                .map(|(whose, balance)| {
                    let (place, id) = match whose {
                        Whose::Splynx(id) => (format!("customer/{id:012}"), id.to_string()),
                        Whose::Stranger(id) => (format!("Customer/{id:012}"), String::new()),
                    };
                    Row {
                        id: place,
                        cells: vec![
                            id,
                            names.get(&whose).cloned().unwrap_or_default(),
                            money::plain(balance.here),
                            money::plain(balance.there),
                            money::plain(balance.here - balance.there),
                        ],
                        more: Vec::new(),
                    }
                })
                .collect();
            if !rows.is_empty() {
                run.cap.report("reconciliation-customers", rows)?;
            }
        }
    }

    /// The report of months, which is kept for the page `figures` as well.
    pub fn tell_months(&self, run: &mut Run) -> RunResult<()> {
        let mut months: Map<String, Month> = Map::new_vec();
        for entry in run.cap.scan(TABLE, MONTHS, "", PAGE)? {
            let key = entry.key.strip_prefix(MONTHS).map(str::to_owned);
            if let Some((key, month)) = key.zip(stored::from_text(&entry.value)) {
                months.insert(key, month);
            }
        }
        let mut batch = Batch::default();
        for entry in run.cap.scan(FIGURES, "", "", PAGE)? {
            if !months.contains_key(&entry.key) {
                batch.delete(FIGURES, entry.key);
            }
        }
        for (key, month) in months.iter() {
            batch.set(FIGURES, key.clone(), stored::to_text(month));
        }
        batch.set(META, AS_OF, run.settings.today.to_string());
        run.commit(batch)?;
        let rows = months.iter().filter_map(|(key, month)| row(key, month));
        let rows: Vec<Row> = rows.collect();
        if !rows.is_empty() {
            run.cap.report("reconciliation-months", rows)?;
        }
        Ok(())
    }
}

/// A sum that pages add to.
trait Sum: Storable + Default {
    fn add(&mut self, other: &Self);
}

impl Sum for Month {
    fn add(&mut self, other: &Self) {
        self.here_count += other.here_count;
        self.here += other.here;
        self.there_count += other.there_count;
        self.there += other.there;
        self.left_out_here += other.left_out_here;
        self.left_out_there += other.left_out_there;
        self.vat_off += other.vat_off;
    }
}

impl Sum for Balance {
    fn add(&mut self, other: &Self) {
        self.here += other.here;
        self.there += other.there;
    }
}

fn add<T: Sum>(run: &mut Run, batch: &mut Batch, page: Vec<(String, T)>) -> RunResult<()> {
    let keys: Vec<String> = page.iter().map(|(key, _)| key.clone()).collect();
    let stored = run.cap.get(TABLE, &keys)?.into_iter();
    let stored =
        stored.filter_map(|entry| Some((entry.key, stored::from_text::<T>(&entry.value)?)));
    let mut stored = stored.to_map();
    for (key, more) in page {
        let mut sum = stored.remove(&key).unwrap_or_default();
        sum.add(&more);
        batch.set(TABLE, key, stored::to_text(&sum));
    }
    Ok(())
}

/// The page `figures`: months and kinds, as the last reconciliation found them.
pub fn figures(run: &mut Run) -> RunResult<Rows> {
    let as_of = run.meta(AS_OF)?.unwrap_or_default();
    let entries = run.cap.scan(FIGURES, "", "", PAGE)?;
    let rows = entries.into_iter().filter_map(|entry| {
        let mut row = row(&entry.key, &stored::from_text(&entry.value)?)?;
        row.more.push(("as-of".to_owned(), as_of.clone()));
        Some(row)
    });
    Ok(Rows {
        rows: rows.collect(),
        next: String::new(),
    })
}

fn row(key: &str, month: &Month) -> Option<Row> {
    let (name, kind) = key.split_once('/')?;
    let money = |amount: Decimal| money::plain(amount);
    Some(Row {
        id: key.to_owned(),
        cells: vec![
            name.to_owned(),
            kind.to_owned(),
            month.here_count.to_string(),
            money(month.here),
            month.there_count.to_string(),
            money(month.there),
            money(month.here - month.there),
            money(month.left_out_here),
            money(month.left_out_there),
            money(month.vat_off),
        ],
        more: Vec::new(),
    })
}

/// What it adds to a customer's balance.
fn owed(service: Service, total: Decimal) -> Decimal {
    match service {
        Service::TaxInvoice => total,
        _ => -total,
    }
}

fn customer_key(whose: &Whose) -> String {
    match whose {
        Whose::Splynx(id) => format!("{CUSTOMERS}{id:012}"),
        Whose::Stranger(id) => format!("{STRANGERS}{id:012}"),
    }
}

fn whose_of(key: &str) -> Option<Whose> {
    match key.strip_prefix(STRANGERS) {
        Some(id) => Some(Whose::Stranger(id.parse().ok()?)),
        None => Some(Whose::Splynx(key.strip_prefix(CUSTOMERS)?.parse().ok()?)),
    }
}

/// What people call them.
fn names(run: &mut Run, all: impl Iterator<Item = Whose>) -> RunResult<Map<Whose, String>> {
    let (mut ours, mut strangers) = (Vec::new(), Vec::new());
    for whose in all {
        match whose {
            Whose::Splynx(id) => ours.push(RecordKey::new(Kind::Customer, id)),
            Whose::Stranger(id) => strangers.push(sage_side::place(Service::Customer, id)),
        }
    }
    let mut names = Map::new_vec();
    for (key, stored) in run.records(ours)? {
        if let Some(record) = stored.record {
            names.insert(Whose::Splynx(key.id), record.label);
        }
    }
    for entry in run.cap.get(TABLE, &strangers)? {
        let found = sage_side::parse(&entry.value)?;
        if let MatchKey::Customer(customer) = found.likeness {
            names.insert(Whose::Stranger(found.id), customer.name);
        }
    }
    Ok(names)
}
