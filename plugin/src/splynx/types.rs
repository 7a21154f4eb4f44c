//! Splynx's records, as far as the add-on reads them (Splynx API, resources). Money is text with four places or a number; ids are
//! numbers, on old versions texts; "no date" is `0000-00-00`.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

use super::Resource;
use crate::json;

fn id(value: &Value) -> Result<i64, String> {
    json::integer(value, "id").ok_or_else(|| "a record has no id".to_owned())
}

fn required<T>(value: Option<T>, what: &str, of: i64) -> Result<T, String> {
    value.ok_or_else(|| format!("record {of} has no {what}"))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    pub id: i64,
    pub login: String,
    pub name: String,
    /// May hold several addresses, comma separated.
    pub email: String,
    pub billing_email: String,
    pub phone: String,
    pub street: String,
    pub zip_code: String,
    pub city: String,
    pub partner_id: i64,
    /// `person`, `company`, or `lead`: a prospect in the same table.
    pub category: String,
}

impl Resource for Customer {
    const PATH: &'static str = "admin/customers/customer";
    const CHANGED: &'static str = "last_update";
    const DATE: Option<&'static str> = None;

    fn parse(value: &Value) -> Result<Self, String> {
        let id = id(value)?;
        Ok(Self {
            id,
            login: json::text(value, "login"),
            name: json::text(value, "name"),
            email: json::text(value, "email"),
            billing_email: json::text(value, "billing_email"),
            phone: json::text(value, "phone"),
            street: json::text(value, "street_1"),
            zip_code: json::text(value, "zip_code"),
            city: json::text(value, "city"),
            partner_id: required(json::integer(value, "partner_id"), "partner", id)?,
            category: json::text(value, "category"),
        })
    }

    fn id(&self) -> i64 {
        self.id
    }
}

/// What Splynx keeps of a customer apart: the VAT number of a company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerInfo {
    pub id: i64,
    pub vat_id: String,
}

impl Resource for CustomerInfo {
    const PATH: &'static str = "admin/customers/customer-info";
    const CHANGED: &'static str = "updated_at";
    const DATE: Option<&'static str> = None;

    fn parse(value: &Value) -> Result<Self, String> {
        let id = json::integer(value, "id")
            .or_else(|| json::integer(value, "customer_id"))
            .ok_or("a record has no id")?;
        Ok(Self {
            id,
            vat_id: json::text(value, "vat_id"),
        })
    }

    fn id(&self) -> i64 {
        self.id
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentStatus {
    /// Unpaid, paid, pending, refunded: a document that counts.
    Live,
    Deleted,
}

/// What invoices and credit notes have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub id: i64,
    pub customer_id: i64,
    pub number: String,
    pub date: NaiveDate,
    pub due: Option<NaiveDate>,
    pub status: DocumentStatus,
    /// Gross.
    pub total: Decimal,
    /// F61: whether its lines made transactions.
    pub has_transactions: bool,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub description: String,
    pub quantity: Decimal,
    /// Net, per unit, four places.
    pub price: Decimal,
    /// In percent.
    pub tax_percent: Decimal,
    pub tax_id: Option<i64>,
    pub category_id: Option<i64>,
    pub transaction_id: Option<i64>,
}

impl Line {
    /// Gross, unrounded.
    pub fn gross(&self) -> Decimal {
        self.quantity * self.price * (Decimal::ONE + self.tax_percent / Decimal::ONE_HUNDRED)
    }
}

impl Document {
    fn parse(value: &Value) -> Result<Self, String> {
        let id = id(value)?;
        let items = json::field(value, "items");
        let items = items.as_array().map_or(&[][..], Vec::as_slice);
        let lines = items
            .iter()
            .map(|item| Line::parse(item, id))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            id,
            customer_id: required(json::integer(value, "customer_id"), "customer", id)?,
            number: json::text(value, "number"),
            date: required(json::date(value, "date_created"), "date", id)?,
            due: json::date(value, "date_till"),
            status: match json::text(value, "status").as_str() {
                "deleted" => DocumentStatus::Deleted,
                _ => DocumentStatus::Live,
            },
            total: required(json::decimal(value, "total"), "total", id)?,
            has_transactions: json::text(value, "use_transactions") != "0",
            lines,
        })
    }
}

impl Line {
    fn parse(item: &Value, of: i64) -> Result<Self, String> {
        Ok(Self {
            description: json::text(item, "description"),
            quantity: json::decimal(item, "quantity").unwrap_or(Decimal::ONE),
            price: required(json::decimal(item, "price"), "price on a line", of)?,
            tax_percent: json::decimal(item, "tax").unwrap_or_default(),
            tax_id: json::relation(item, "tax_id"),
            category_id: json::relation(item, "categoryIdForTransaction"),
            transaction_id: json::relation(item, "transaction_id"),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice(pub Document);

impl Resource for Invoice {
    const PATH: &'static str = "admin/finance/invoices";
    const CHANGED: &'static str = "date_updated";
    const DATE: Option<&'static str> = Some("date_created");

    fn parse(value: &Value) -> Result<Self, String> {
        let mut document = Document::parse(value)?;
        document.has_transactions &= document
            .lines
            .iter()
            .any(|line| line.transaction_id.is_some());
        Ok(Self(document))
    }

    fn id(&self) -> i64 {
        self.0.id
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditNote(pub Document);

impl Resource for CreditNote {
    const PATH: &'static str = "admin/finance/credit-notes";
    const CHANGED: &'static str = "date_updated";
    const DATE: Option<&'static str> = Some("date_created");

    fn parse(value: &Value) -> Result<Self, String> {
        Document::parse(value).map(Self)
    }

    fn id(&self) -> i64 {
        self.0.id
    }
}

/// The ledger transaction behind a line: read only for its category, where the line has none (old lines).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    pub id: i64,
    pub category_id: Option<i64>,
}

impl Resource for Transaction {
    const PATH: &'static str = "admin/finance/transactions";
    const CHANGED: &'static str = "date";
    const DATE: Option<&'static str> = None;

    fn parse(value: &Value) -> Result<Self, String> {
        Ok(Self {
            id: id(value)?,
            category_id: json::relation(value, "category"),
        })
    }

    fn id(&self) -> i64 {
        self.id
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub id: i64,
    pub customer_id: i64,
    pub invoice_id: Option<i64>,
    pub method_id: i64,
    pub receipt_number: String,
    pub date: NaiveDate,
    /// Negative: a refund.
    pub amount: Decimal,
    pub comment: String,
}

impl Resource for Payment {
    const PATH: &'static str = "admin/finance/payments";
    const CHANGED: &'static str = "updated_at";
    const DATE: Option<&'static str> = Some("date");

    fn parse(value: &Value) -> Result<Self, String> {
        let id = id(value)?;
        Ok(Self {
            id,
            customer_id: required(json::integer(value, "customer_id"), "customer", id)?,
            invoice_id: json::relation(value, "invoice_id"),
            method_id: required(json::integer(value, "payment_type"), "payment method", id)?,
            receipt_number: json::text(value, "receipt_number"),
            date: required(json::date(value, "date"), "date", id)?,
            amount: required(json::decimal(value, "amount"), "amount", id)?,
            comment: json::text(value, "comment"),
        })
    }

    fn id(&self) -> i64 {
        self.id
    }
}
