//! The company: what a client reads once to know how amounts are rounded, what is locked and what is checked.
//!
//! `Company/Get` and `Company/Get/{id}` need no CompanyId: this is how a client finds out the id. Other companies of
//! the login are listed only; calls to them are answered with 402, as if they had not paid.

use chrono::{NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;

use super::books::Books;
use super::call::Call;
use super::entity::{all, get, shown};
use super::fields::Fields;
use super::refusal::Refusal;
use super::table::{Record, Table};
use super::wire::{Cell, Column, date, flag, number_of, text};
use crate::http::Response;

/// How a document's total is brought to a multiple of a step (Sage API, Company).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundingType {
    Up = 0,
    Down = 1,
    Normal = 2,
    None = 3,
}

#[derive(Debug, Clone)]
pub struct Company {
    pub id: i64,
    pub name: String,
    pub rounding_type: RoundingType,
    /// Cents.
    pub rounding_value: i64,
    /// `CheckForDuplicateCustomerReferences`.
    pub unique_references: bool,
    pub lock_processing: bool,
    /// Documents on this day and before are closed while `lock_processing`.
    pub lock_date: Option<NaiveDate>,
    /// The currency of its books; `None`: it does not tell, and knows one only.
    pub home_currency: Option<i64>,
    /// Paid for; calls to a company that is not are answered with 402.
    pub active: bool,
    pub created: NaiveDateTime,
}

impl Record for Company {
    fn id(&self) -> i64 {
        self.id
    }
}

static COLUMNS: &[Column<Company>] = &[
    number_of("ID", |c, _| c.id.into()),
    text("Name", |c, _| (&c.name).into()),
    text("DisplayName", |c, _| (&c.name).into()),
    text("CurrencySymbol", |_, _| "R".into()),
    number_of("CurrencyDecimalDigits", |_, _| 2.into()),
    number_of("NumberDecimalDigits", |_, _| 2.into()),
    text("DecimalSeparator", |_, _| ".".into()),
    text("GroupSeparator", |_, _| " ".into()),
    number_of("HoursDecimalDigits", |_, _| 2.into()),
    number_of("ItemCostPriceDecimalDigits", |_, _| 2.into()),
    number_of("ItemSellingPriceDecimalDigits", |_, books| {
        i64::from(books.behaviour.unit_price_digits).into()
    }),
    number_of("RoundingType", |c, _| (c.rounding_type as i64).into()),
    number_of("RoundingValue", |c, _| c.rounding_value.into()),
    number_of("TaxSystem", |_, _| 0.into()),
    flag("AgeMonthly", |_, _| true.into()),
    flag("AgeingBasedOnDueDate", |_, _| false.into()),
    flag("UseInclusiveProcessingByDefault", |_, _| true.into()),
    flag("CheckForDuplicateCustomerReferences", |c, _| {
        c.unique_references.into()
    }),
    flag("CheckForDuplicateSupplierReferences", |_, _| false.into()),
    flag("LockProcessing", |c, _| c.lock_processing.into()),
    date("LockProcessingDate", |c, _| c.lock_date.into()),
    number_of("HomeCurrencyId", |c, _| c.home_currency.into()),
    number_of("CountryId", |_, _| 209.into()),
    flag("EnableCustomerZone", |_, _| false.into()),
    flag("DisplayInactiveItems", |_, _| false.into()),
    flag("IsOwner", |_, _| true.into()),
    flag("Active", |c, _| c.active.into()),
    date("Created", |c, _| c.created.into()),
];

/// Only with `includeStatus=true`: 0 none, 1 registration expired.
static STATUS: &[Column<Company>] = &[number_of("Status", |c, _| Cell::Int(i64::from(!c.active)))];

pub fn serve(books: &Books, others: &[Company], call: &Call) -> Result<Response, Refusal> {
    match call.method.to_lowercase().as_str() {
        "get" => {
            let mut columns = all(COLUMNS);
            if call.flag("includestatus", false)? {
                columns.extend(all(STATUS));
            }
            let mut companies = Table::default();
            for company in others.iter().chain([&books.company]) {
                companies.put(company.clone());
            }
            get(books, call, &companies, &columns)
        }
        "current" => {
            call.wants("GET")?;
            let company = shown(&books.company, &all(COLUMNS), books);
            Ok(Response::json(200, &company))
        }
        _ => Err(call.no_method()),
    }
}

/// The company as it is shown.
pub fn state(books: &Books) -> serde_json::Value {
    shown(&books.company, &all(COLUMNS), books)
}

impl Company {
    /// A company with the settings that most have: no rounding of totals, nothing locked.
    pub fn new(id: i64, name: &str, created: NaiveDateTime) -> Self {
        Self {
            id,
            name: name.to_owned(),
            rounding_type: RoundingType::None,
            rounding_value: 0,
            unique_references: false,
            lock_processing: false,
            lock_date: None,
            home_currency: None,
            active: true,
            created,
        }
    }

    /// The company as its settings screen leaves it: only the properties sent change.
    pub fn edited(&self, fields: &Fields) -> Result<Self, Refusal> {
        let mut company = self.clone();
        if fields.has("Name") {
            company.name = fields.required_text("Name", 100)?;
        }
        if let Some(choice) = fields.choice("RoundingType", &[0, 1, 2, 3])? {
            company.rounding_type = match choice {
                0 => RoundingType::Up,
                1 => RoundingType::Down,
                2 => RoundingType::Normal,
                _ => RoundingType::None,
            };
        }
        if let Some(value) = fields.int("RoundingValue")? {
            company.rounding_value = value.clamp(0, 100_000);
        }
        if let Some(check) = fields.flag("CheckForDuplicateCustomerReferences")? {
            company.unique_references = check;
        }
        if let Some(lock) = fields.flag("LockProcessing")? {
            company.lock_processing = lock;
        }
        if let Some(lock_date) = fields.date("LockProcessingDate")? {
            company.lock_date = Some(lock_date);
        }
        if let Some(currency) = fields.int("HomeCurrencyId")? {
            company.home_currency = Some(currency).filter(|id| *id != 0);
        }
        if let Some(active) = fields.flag("Active")? {
            company.active = active;
        }
        Ok(company)
    }

    /// What a document's total is brought to.
    pub fn rounded_total(&self, total: Decimal) -> Decimal {
        if self.rounding_type == RoundingType::None || self.rounding_value == 0 {
            return total;
        }
        let step = Decimal::new(self.rounding_value, 2);
        let steps = total / step;
        let steps = match self.rounding_type {
            RoundingType::Up => steps.ceil(),
            RoundingType::Down => steps.floor(),
            RoundingType::Normal | RoundingType::None => steps
                .round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointAwayFromZero),
        };
        steps * step
    }
}
