//! Customers: unique names, full-replace Save, balances that only documents move.
//!
//! A name is unique in the company, trimmed and without case, inactive customers included. `Active` that is left out
//! makes the customer inactive, like everything else that a Save does not say.

use std::sync::Arc;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

use super::behaviour::Doubtful;
use super::books::Books;
use super::call::Call;
use super::entity::{self, Entity, Saving, all, shown};
use super::fields::Fields;
use super::furniture::{CustomerCategory, category_of};
use super::refusal::Refusal;
use super::table::{Record, Table};
use super::wire::{Cell, Column, Stamps, date, flag, number_of, object, text};
use crate::http::Response;

/// Five lines without structure, shared with the documents that were copied from it.
pub type Address = Arc<[String; 5]>;

#[derive(Debug, Clone)]
pub struct Customer {
    pub id: i64,
    pub name: String,
    pub category_id: Option<i64>,
    pub sales_representative_id: Option<i64>,
    pub tax_reference: String,
    pub contact_name: String,
    pub telephone: String,
    pub fax: String,
    pub mobile: String,
    pub email: String,
    pub web_address: String,
    pub active: bool,
    pub is_obfuscated: bool,
    /// What the customer owes; see `ledger`.
    pub balance: Decimal,
    pub credit_limit: Decimal,
    /// 0 none, 1 print, 2 e-mail, 3 both.
    pub communication_method: Option<i64>,
    pub postal: Address,
    pub delivery: Address,
    pub auto_allocate: bool,
    pub enable_customer_zone: bool,
    pub cash_sale: bool,
    pub text_fields: [String; 3],
    pub numeric_fields: [Option<Decimal>; 3],
    pub yes_no_fields: [bool; 3],
    pub date_fields: [Option<NaiveDate>; 3],
    pub default_price_list_id: Option<i64>,
    pub accepts_electronic_invoices: bool,
    pub business_registration_number: String,
    pub tax_status_verified: Option<NaiveDate>,
    pub currency_id: Option<i64>,
    pub default_discount_percentage: Decimal,
    pub default_tax_type_id: Option<i64>,
    pub due_date_method_id: Option<i64>,
    pub due_date_method_value: Option<i64>,
    pub on_hold: bool,
    pub exclude_from_debtors_manager: bool,
    pub stamps: Stamps,
}

impl Record for Customer {
    const KEY_FIELD: &'static str = "Name";

    fn id(&self) -> i64 {
        self.id
    }

    fn key(&self) -> &str {
        &self.name
    }
}

impl Entity for Customer {
    const COLUMNS: &'static [Column<Self>] = &[
        number_of("ID", |c, _| c.id.into()),
        text("Name", |c, _| (&c.name).into()),
        object("Category", |c, books| {
            let category = c
                .category_id
                .and_then(|id| books.customer_categories.get(id));
            category.map_or(Cell::Null, |category| {
                Cell::Object(shown(category, &all(CustomerCategory::COLUMNS), books))
            })
        }),
        number_of("SalesRepresentativeId", |c, _| {
            c.sales_representative_id.into()
        }),
        text("TaxReference", |c, _| (&c.tax_reference).into()),
        text("ContactName", |c, _| (&c.contact_name).into()),
        text("Telephone", |c, _| (&c.telephone).into()),
        text("Fax", |c, _| (&c.fax).into()),
        text("Mobile", |c, _| (&c.mobile).into()),
        text("Email", |c, _| (&c.email).into()),
        text("WebAddress", |c, _| (&c.web_address).into()),
        flag("Active", |c, _| c.active.into()),
        flag("IsObfuscated", |c, _| c.is_obfuscated.into()),
        number_of("Balance", |c, _| c.balance.into()),
        number_of("CreditLimit", |c, _| c.credit_limit.into()),
        number_of("CommunicationMethod", |c, _| c.communication_method.into()),
        text("PostalAddress01", |c, _| (&c.postal[0]).into()),
        text("PostalAddress02", |c, _| (&c.postal[1]).into()),
        text("PostalAddress03", |c, _| (&c.postal[2]).into()),
        text("PostalAddress04", |c, _| (&c.postal[3]).into()),
        text("PostalAddress05", |c, _| (&c.postal[4]).into()),
        text("DeliveryAddress01", |c, _| (&c.delivery[0]).into()),
        text("DeliveryAddress02", |c, _| (&c.delivery[1]).into()),
        text("DeliveryAddress03", |c, _| (&c.delivery[2]).into()),
        text("DeliveryAddress04", |c, _| (&c.delivery[3]).into()),
        text("DeliveryAddress05", |c, _| (&c.delivery[4]).into()),
        flag("AutoAllocateToOldestInvoice", |c, _| c.auto_allocate.into()),
        flag("EnableCustomerZone", |c, _| c.enable_customer_zone.into()),
        text("CustomerZoneGuid", |c, _| match c.enable_customer_zone {
            true => Cell::Made(guid(c.id)),
            false => Cell::Null,
        }),
        flag("CashSale", |c, _| c.cash_sale.into()),
        text("TextField1", |c, _| (&c.text_fields[0]).into()),
        text("TextField2", |c, _| (&c.text_fields[1]).into()),
        text("TextField3", |c, _| (&c.text_fields[2]).into()),
        number_of("NumericField1", |c, _| c.numeric_fields[0].into()),
        number_of("NumericField2", |c, _| c.numeric_fields[1].into()),
        number_of("NumericField3", |c, _| c.numeric_fields[2].into()),
        flag("YesNoField1", |c, _| c.yes_no_fields[0].into()),
        flag("YesNoField2", |c, _| c.yes_no_fields[1].into()),
        flag("YesNoField3", |c, _| c.yes_no_fields[2].into()),
        date("DateField1", |c, _| c.date_fields[0].into()),
        date("DateField2", |c, _| c.date_fields[1].into()),
        date("DateField3", |c, _| c.date_fields[2].into()),
        number_of("DefaultPriceListId", |c, _| c.default_price_list_id.into()),
        flag("AcceptsElectronicInvoices", |c, _| {
            c.accepts_electronic_invoices.into()
        }),
        text("BusinessRegistrationNumber", |c, _| {
            (&c.business_registration_number).into()
        }),
        date("TaxStatusVerified", |c, _| c.tax_status_verified.into()),
        number_of("CurrencyId", |c, _| c.currency_id.into()),
        flag("HasActivity", |c, books| has_activity(c, books).into()),
        number_of("DefaultDiscountPercentage", |c, _| {
            c.default_discount_percentage.into()
        }),
        number_of("DefaultTaxTypeId", |c, _| c.default_tax_type_id.into()),
        number_of("DueDateMethodId", |c, _| c.due_date_method_id.into()),
        number_of("DueDateMethodValue", |c, _| c.due_date_method_value.into()),
        flag("OnHold", |c, _| c.on_hold.into()),
        flag("ExcludeFromDebtorsManager", |c, _| {
            c.exclude_from_debtors_manager.into()
        }),
        date("Created", |c, _| c.stamps.created.into()),
        date("Modified", |c, _| c.stamps.modified.into()),
    ];
    const UNIQUE: &'static str = "The customer name";

    fn table(books: &Books) -> &Table<Self> {
        &books.customers
    }

    fn table_mut(books: &mut Books) -> &mut Table<Self> {
        &mut books.customers
    }

    fn new_id(books: &mut Books) -> i64 {
        books.counters.customer()
    }

    fn stamps(&self) -> Stamps {
        self.stamps
    }

    fn read(saving: &Saving<Self>) -> Result<Self, Refusal> {
        let (fields, books) = (saving.fields, saving.books);
        let email = fields.text("Email", 100)?;
        check_email(&email, books.behaviour.several_emails)?;
        let communication_method = fields.choice("CommunicationMethod", &[0, 1, 2, 3])?;
        if matches!(communication_method, Some(2 | 3)) && email.trim().is_empty() {
            let text = "An e-mail address is required for this communication method.";
            return Err(Refusal::invalid("Email", text));
        }
        let currency_id = fields.int("CurrencyId")?;
        let before = saving
            .before
            .filter(|before| before.currency_id != currency_id);
        if before.is_some_and(|before| has_activity(before, books)) {
            let text = "The currency of a customer with transactions can't be changed.";
            return Err(Refusal::invalid("CurrencyId", text));
        }
        Ok(Self {
            id: saving.id,
            name: fields.required_text("Name", 100)?,
            category_id: category_of(saving, &books.customer_categories)?,
            sales_representative_id: existing(
                fields,
                "SalesRepresentativeId",
                &books.sales_representatives,
            )?,
            tax_reference: fields.text("TaxReference", 30)?,
            contact_name: fields.text("ContactName", 100)?,
            telephone: fields.text("Telephone", 30)?,
            fax: fields.text("Fax", 30)?,
            mobile: fields.text("Mobile", 30)?,
            email,
            web_address: fields.text("WebAddress", 100)?,
            active: fields.is("Active")?,
            is_obfuscated: fields.is("IsObfuscated")?,
            balance: saving.before.map_or(Decimal::ZERO, |before| before.balance),
            credit_limit: fields.amount("CreditLimit")?,
            communication_method,
            postal: Arc::new(fields.address("PostalAddress")?),
            delivery: Arc::new(fields.address("DeliveryAddress")?),
            auto_allocate: fields.is("AutoAllocateToOldestInvoice")?,
            enable_customer_zone: fields.is("EnableCustomerZone")?,
            cash_sale: fields.is("CashSale")?,
            text_fields: fields.three("TextField", |f, name| f.text(name, 100))?,
            numeric_fields: fields.three("NumericField", Fields::decimal)?,
            yes_no_fields: fields.three("YesNoField", Fields::is)?,
            date_fields: fields.three("DateField", Fields::date)?,
            default_price_list_id: fields.int("DefaultPriceListId")?,
            accepts_electronic_invoices: fields.is("AcceptsElectronicInvoices")?,
            business_registration_number: fields.text("BusinessRegistrationNumber", 100)?,
            tax_status_verified: fields.date("TaxStatusVerified")?,
            currency_id,
            default_discount_percentage: fields.fraction("DefaultDiscountPercentage")?,
            default_tax_type_id: existing(fields, "DefaultTaxTypeId", &books.tax_types)?,
            due_date_method_id: fields.choice("DueDateMethodId", &[0, 1, 2, 3, 4])?,
            due_date_method_value: fields.int("DueDateMethodValue")?,
            on_hold: fields.is("OnHold")?,
            exclude_from_debtors_manager: fields.is("ExcludeFromDebtorsManager")?,
            stamps: saving.stamps,
        })
    }

    fn in_use(&self, books: &Books) -> bool {
        has_activity(self, books)
    }
}

/// The usual methods, and `SaveBatch` where it exists (Q11).
pub fn serve(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    if !(call.method.eq_ignore_ascii_case("SaveBatch") && books.behaviour.document_batches) {
        return entity::serve::<Customer>(books, call);
    }
    call.wants("POST")?;
    let mut stored = Vec::new();
    for row in call.rows(books.behaviour.batch_limit)? {
        let (id, _) = entity::save_row::<Customer>(books, &row, call)?;
        let customer = books.customers.get(id);
        stored.extend(customer.map(|customer| shown(customer, &all(Customer::COLUMNS), books)));
    }
    Ok(Response::json(200, &Value::Array(stored)))
}

fn has_activity(customer: &Customer, books: &Books) -> bool {
    let id = customer.id;
    books.invoices.linked(id).next().is_some()
        || books.returns.linked(id).next().is_some()
        || books.receipts.linked(id).next().is_some()
        || books.write_offs.linked(id).next().is_some()
        || books.adjustments.linked(id).next().is_some()
        || books.opening_balances.linked(id).next().is_some()
}

/// An optional reference: absent is none, anything else must exist (0 does not).
pub fn existing<T: Record>(
    fields: &Fields,
    name: &str,
    table: &Table<T>,
) -> Result<Option<i64>, Refusal> {
    match fields.int(name)? {
        Some(id) if table.get(id).is_none() => Err(Refusal::invalid(
            name,
            format!("The {name} {id} does not exist."),
        )),
        id => Ok(id),
    }
}

/// The customer that a document is for: needed, and there.
pub fn customer_of(fields: &Fields, books: &Books) -> Result<i64, Refusal> {
    let id = fields.required_int("CustomerId")?;
    if books.customers.get(id).is_none() {
        return Err(Refusal::invalid(
            "CustomerId",
            "The customer does not exist.",
        ));
    }
    Ok(id)
}

/// `{"ID", "Name"}` and the rest of a customer, where a list was asked for it.
pub fn customer_object(id: i64, books: &Books) -> Cell<'static> {
    let customer = books.customers.get(id);
    customer.map_or(Cell::Null, |customer| {
        Cell::Object(shown(customer, &all(Customer::COLUMNS), books))
    })
}

/// A short form of a customer, for reports.
pub fn customer_brief(customer: &Customer) -> Value {
    serde_json::json!({"ID": customer.id, "Name": customer.name})
}

fn check_email(email: &str, several: Doubtful) -> Result<(), Refusal> {
    let email = email.trim();
    if email.is_empty() {
        return Ok(());
    }
    let good = match several {
        Doubtful::Refused => looks_like_email(email),
        Doubtful::Accepted => email
            .split([',', ';'])
            .all(|one| looks_like_email(one.trim())),
    };
    if !good {
        let text = "The Email field is not a valid e-mail address.";
        return Err(Refusal::invalid("Email", text));
    }
    Ok(())
}

fn looks_like_email(email: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '"');
    match email.split_once('@') {
        Some((local, domain)) => {
            !local.is_empty()
                && !email.contains(odd)
                && !domain.contains('@')
                && domain.contains('.')
                && !domain.starts_with('.')
                && !domain.ends_with('.')
                && !domain.contains("..")
        }
        None => false,
    }
}

/// A GUID that follows from an id: nothing here is random.
pub fn guid(id: i64) -> String {
    let mixed = (id as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        mixed >> 32,
        (mixed >> 16) & 0xFFFF,
        mixed & 0xFFF,
        (mixed >> 52) & 0xFFF,
        id as u64 & 0xFFFF_FFFF_FFFF
    )
}
