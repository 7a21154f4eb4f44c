//! Splynx's records, as far as the add-on reads them (Splynx API, resources). Money is text with four places or a number; ids are
//! numbers, on old versions texts; "no date" is `0000-00-00`.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

use super::Resource;
use crate::json;
use crate::money;
use crate::write::record::{Kind, RecordKey};

/// Splynx keeps amounts below this, and sums and products of such ones cannot overflow a decimal.
const LARGEST: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);

fn required<T>(value: Option<T>, what: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("it has no {what}"))
}

/// Splynx stores prices, percents and quantities with four places at most. PHP may print a float with seventeen digits
/// (`100.09999999999999`, Splynx API 2.4): what lies behind the fourth is no amount.
const PLACES: u32 = 4;

/// A price, a quantity or a rate.
fn amount(value: &Value, name: &str) -> Result<Option<Decimal>, String> {
    match json::decimal(value, name) {
        Some(amount) if amount.abs() >= LARGEST => Err(format!("its {name} is {amount}")),
        amount => Ok(amount.map(|amount| money::rounded(amount, PLACES))),
    }
}

/// Money that changes hands: whole cents, as Sage takes it.
pub(super) fn sum(value: &Value, name: &str) -> Result<Option<Decimal>, String> {
    Ok(amount(value, name)?.map(money::cents))
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
    /// Status `disabled`, which Splynx shows as Inactive.
    pub inactive: bool,
    /// When it was changed last, as Splynx says; to tell one moment from another only.
    pub changed: String,
}

impl Resource for Customer {
    const PATH: &'static str = "admin/customers/customer";
    const CHANGED: &'static str = "last_update";
    const DATE: Option<&'static str> = None;

    fn parse(id: i64, value: &Value) -> Result<Self, String> {
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
            partner_id: required(json::integer(value, "partner_id"), "partner")?,
            category: json::text(value, "category"),
            inactive: json::text(value, "status") == "disabled",
            changed: json::text(value, Self::CHANGED),
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
    /// What of it is not settled yet.
    pub open: Option<Decimal>,
    /// For the customer.
    pub note: String,
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
    /// The service period's first and last day.
    pub period: Option<(NaiveDate, NaiveDate)>,
}

impl Line {
    /// A fraction.
    pub fn rate(&self) -> Decimal {
        self.tax_percent / Decimal::ONE_HUNDRED
    }
}

impl Document {
    /// The VAT in it, to the cent.
    pub fn tax(&self) -> Decimal {
        let exact = self.lines.iter().map(|l| l.quantity * l.price * l.rate());
        money::cents(exact.sum())
    }

    /// `open`: the field with what is not settled yet.
    fn parse(id: i64, value: &Value, open: &str) -> Result<Self, String> {
        let items = match json::field(value, "items") {
            Value::Null => Vec::new(),
            items => json::into_list(items.clone()).ok_or("its lines are no list")?,
        };
        let lines = items
            .iter()
            .map(Line::parse)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            id,
            customer_id: required(json::integer(value, "customer_id"), "customer")?,
            number: json::text(value, "number"),
            date: required(json::date(value, "date_created"), "date")?,
            due: json::date(value, "date_till"),
            status: match json::text(value, "status").as_str() {
                "deleted" => DocumentStatus::Deleted,
                _ => DocumentStatus::Live,
            },
            total: required(sum(value, "total")?, "total")?,
            open: sum(value, open)?,
            note: json::text(value, "note"),
            has_transactions: json::text(value, "use_transactions") != "0",
            lines,
        })
    }
}

impl Line {
    fn parse(item: &Value) -> Result<Self, String> {
        Ok(Self {
            description: json::text(item, "description"),
            quantity: amount(item, "quantity")?.unwrap_or(Decimal::ONE),
            price: required(amount(item, "price")?, "price on a line")?,
            tax_percent: amount(item, "tax")?.unwrap_or_default(),
            tax_id: json::relation(item, "tax_id"),
            category_id: json::relation(item, "categoryIdForTransaction"),
            transaction_id: json::relation(item, "transaction_id"),
            period: json::date(item, "period_from").zip(json::date(item, "period_to")),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice(pub Document);

impl AsRef<Document> for Invoice {
    fn as_ref(&self) -> &Document {
        &self.0
    }
}

impl Resource for Invoice {
    const PATH: &'static str = "admin/finance/invoices";
    const CHANGED: &'static str = "date_updated";
    const DATE: Option<&'static str> = Some("date_created");

    fn parse(id: i64, value: &Value) -> Result<Self, String> {
        let mut document = Document::parse(id, value, "due")?;
        // Without lines nobody can tell: that is another reason not to send it, and one that people hear of.
        document.has_transactions &= document.lines.is_empty()
            || document
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

impl AsRef<Document> for CreditNote {
    fn as_ref(&self) -> &Document {
        &self.0
    }
}

impl Resource for CreditNote {
    const PATH: &'static str = "admin/finance/credit-notes";
    const CHANGED: &'static str = "date_updated";
    const DATE: Option<&'static str> = Some("date_created");

    fn parse(id: i64, value: &Value) -> Result<Self, String> {
        Document::parse(id, value, "remind_amount").map(Self)
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
    /// The invoice in which it stands.
    pub invoice_id: Option<i64>,
}

impl Resource for Transaction {
    const PATH: &'static str = "admin/finance/transactions";
    const CHANGED: &'static str = "date";
    const DATE: Option<&'static str> = None;

    fn parse(id: i64, value: &Value) -> Result<Self, String> {
        Ok(Self {
            id,
            category_id: json::relation(value, "category"),
            invoice_id: json::relation(value, "invoice_id"),
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
    /// What of it settles no document yet.
    pub open: Option<Decimal>,
    pub comment: String,
    /// `field_1` to `field_5`: what they mean is the method's matter.
    pub fields: [String; 5],
}

impl Resource for Payment {
    const PATH: &'static str = "admin/finance/payments";
    const CHANGED: &'static str = "updated_at";
    const DATE: Option<&'static str> = Some("date");

    fn parse(id: i64, value: &Value) -> Result<Self, String> {
        Ok(Self {
            id,
            customer_id: required(json::integer(value, "customer_id"), "customer")?,
            invoice_id: json::relation(value, "invoice_id"),
            method_id: required(json::integer(value, "payment_type"), "payment method")?,
            receipt_number: json::text(value, "receipt_number"),
            date: required(json::date(value, "date"), "date")?,
            amount: required(sum(value, "amount")?, "amount")?,
            open: sum(value, "remind_amount")?,
            comment: json::text(value, "comment"),
            fields: ["field_1", "field_2", "field_3", "field_4", "field_5"]
                .map(|field| json::text(value, field)),
        })
    }

    fn id(&self) -> i64 {
        self.id
    }
}

/// The `type` of a relation whose payer is a transaction (Splynx API 3.9).
pub const BY_TRANSACTION: &str = "transaction";

/// What of a payment, a credit note or an invoice with a negative total settles an invoice (Splynx API 3.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    pub id: i64,
    pub payer: RecordKey,
    pub invoice: RecordKey,
    pub amount: Decimal,
}

impl Relation {
    /// `None`: it settles a loose charge, or is paid by a loose credit; those are not in Sage. `invoice_of`: the invoice that a
    /// transaction stands in. Where its total is negative, it settles others by its transactions.
    pub fn parse(value: &Value, invoice_of: impl Fn(i64) -> Option<i64>) -> Option<Self> {
        let payer = json::relation(value, "payer_id")?;
        let payer = match json::text(value, "type").as_str() {
            "payment" => RecordKey::new(Kind::Payment, payer),
            "credit_note" => RecordKey::new(Kind::CreditNote, payer),
            BY_TRANSACTION => RecordKey::new(Kind::Invoice, invoice_of(payer)?),
            _ => return None,
        };
        Some(Self {
            id: json::relation(value, "id")?,
            payer,
            invoice: RecordKey::new(Kind::Invoice, json::relation(value, "invoice_id")?),
            amount: sum(value, "amount").ok()??,
        })
    }
}
