//! An internet service provider as plain data: what both services hold before anybody synchronises anything.
//!
//! Splynx's point of view, plus the furniture of the Sage company (items, taxes, bank accounts). No ledger: statuses, dues and
//! balances are what the services make of these facts. The same seed gives the same provider.

mod billing;
mod cases;
mod catalogue;
mod furniture;
mod generator;
mod names;
mod people;
mod setup;

use chrono::NaiveDate;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

/// Characters of a customer's name in Sage (Sage API, Customer).
pub const NAME_LENGTH_IN_SAGE: usize = 100;

/// How many customers a seeded provider has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// 3 customers, 6 invoices, 6 payments, 2 credit notes; everything dull and exportable.
    Tiny,
    /// 50 customers, with each awkward case at least once.
    Small,
    /// 2,000 customers, about 50,000 documents.
    Medium,
    /// 50,000 customers.
    Large,
}

impl Size {
    pub fn customers(self) -> usize {
        match self {
            Self::Tiny => 3,
            Self::Small => 50,
            Self::Medium => 2_000,
            Self::Large => 50_000,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }
}

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Tiny, Self::Small, Self::Medium, Self::Large]
            .into_iter()
            .find(|size| size.name() == text)
            .ok_or_else(|| format!("{text:?} is no size: use tiny, small, medium or large"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isp {
    pub name: String,
    pub seed: u64,
    pub size: Size,
    /// The last day of its history, which goes back a year.
    pub today: NaiveDate,
    pub splynx: SplynxAccess,
    pub sage: SageCompany,
    pub partners: Vec<Named>,
    pub locations: Vec<Named>,
    pub taxes: Vec<Tax>,
    pub payment_methods: Vec<Named>,
    pub transaction_categories: Vec<Named>,
    /// `transaction_type_…` → category id.
    pub category_defaults: Vec<(String, i64)>,
    /// By id, as are the lists below.
    pub customers: Vec<Customer>,
    pub invoices: Vec<Invoice>,
    pub credit_notes: Vec<CreditNote>,
    pub payments: Vec<Payment>,
}

/// How an add-on gets into Splynx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplynxAccess {
    pub api_key: String,
    pub api_secret: String,
    /// The key refuses nonces that do not grow.
    pub check_nonce: bool,
    /// The key may use Basic authentication.
    pub unsecure_auth: bool,
    pub admin_login: String,
    pub admin_password: String,
}

/// The company in Sage, without anything that a synchronisation would bring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SageCompany {
    pub id: i64,
    pub name: String,
    pub login: String,
    pub password: String,
    /// A GUID, without braces.
    pub api_key: String,
    /// Documents on or before this day are refused.
    pub lock_date: Option<NaiveDate>,
    pub items: Vec<SageItem>,
    pub tax_types: Vec<SageTaxType>,
    pub bank_accounts: Vec<SageBankAccount>,
    pub customer_categories: Vec<Named>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SageItem {
    pub id: i64,
    pub code: String,
    pub description: String,
    pub tax_type_id: i64,
    pub active: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SageTaxType {
    pub id: i64,
    pub name: String,
    /// A fraction: 0.15 for 15 %.
    pub percentage: Decimal,
    pub is_default: bool,
    /// People enter its amounts.
    #[serde(default)]
    pub is_manual: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SageBankAccount {
    pub id: i64,
    pub name: String,
    pub active: bool,
    pub is_default: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub id: i64,
    pub name: String,
}

/// A Splynx tax; a group is made of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tax {
    pub id: i64,
    pub name: String,
    /// In percent.
    pub rate: Decimal,
    /// Ids of the taxes of a group; empty for a single tax.
    #[serde(default)]
    pub group: Vec<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CustomerCategory {
    Person,
    Company,
    Lead,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    pub id: i64,
    pub login: String,
    pub name: String,
    pub category: CustomerCategory,
    /// `recurring`, `prepaid`, `prepaid_monthly`
    pub billing_type: String,
    /// `new`, `active`, `blocked`, `disabled`
    pub status: String,
    pub partner_id: i64,
    pub location_id: i64,
    /// The main account of a sub-account.
    pub parent_id: Option<i64>,
    /// May hold several addresses, comma separated.
    pub email: String,
    pub billing_email: String,
    pub phone: String,
    pub street: String,
    pub zip_code: String,
    pub city: String,
    pub vat_id: String,
    pub company_id: String,
    pub contact_person: String,
    pub added: NaiveDate,
}

/// Where cents are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// Each line's gross amount.
    #[default]
    PerLine,
    /// The sum of the exact lines.
    AtEnd,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub description: String,
    pub quantity: Decimal,
    /// Net, four places; negative: a discount.
    pub price: Decimal,
    /// In percent.
    pub tax_percent: Decimal,
    pub tax_id: i64,
    pub category_id: i64,
    pub period: Option<(NaiveDate, NaiveDate)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    pub id: i64,
    pub customer_id: i64,
    pub number: String,
    pub date: NaiveDate,
    pub due: NaiveDate,
    pub lines: Vec<Line>,
    pub rounding: Rounding,
    /// Gross, as the lines make it.
    pub total: Decimal,
    /// `one_time`, `recurring`
    pub kind: String,
    /// Marked as deleted after it was made.
    pub deleted: bool,
    /// False: its lines make no transactions (F61).
    pub uses_transactions: bool,
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditNote {
    pub id: i64,
    pub customer_id: i64,
    pub number: String,
    pub date: NaiveDate,
    pub lines: Vec<Line>,
    pub rounding: Rounding,
    /// Gross, positive.
    pub total: Decimal,
    /// The invoice that it corrects.
    pub invoice_id: Option<i64>,
    /// The money was paid out.
    pub refunded: bool,
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    pub id: i64,
    pub customer_id: i64,
    pub method_id: i64,
    pub date: NaiveDate,
    /// Negative: a refund.
    pub amount: Decimal,
    pub receipt_number: String,
    /// The invoice that it was entered for.
    pub invoice_id: Option<i64>,
    pub comment: String,
}

/// The gross total of lines, in cents.
pub fn total(lines: &[Line], rounding: Rounding) -> Decimal {
    let gross = |line: &Line| {
        line.quantity * line.price * (Decimal::ONE + line.tax_percent / Decimal::ONE_HUNDRED)
    };
    match rounding {
        Rounding::PerLine => lines.iter().map(|line| cents(gross(line))).sum(),
        Rounding::AtEnd => cents(lines.iter().map(gross).sum()),
    }
}

/// Rounded half up to two places.
fn cents(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}
