//! Tax invoices and customer returns (credit notes): one shape, two tables, opposite signs.
//!
//! A document that is saved is posted: there are no drafts. It can't be deleted through the API; voiding and deleting
//! are acts of the screens (`void`, `remove`).

mod draft;
mod save;
pub mod totals;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

pub use self::save::save_one;
pub use self::totals::Rules;
use self::totals::{LineAmounts, Totals};
use super::behaviour::Behaviour;
use super::books::Books;
use super::call::Call;
use super::customers::{Address, customer_object, guid};
use super::entity::{all, dump, get};
use super::refusal::Refusal;
use super::table::Record;
use super::wire::{Cell, Column, Stamps, date, flag, number_of, object, text};
use crate::http::Response;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    Invoice,
    Return,
}

impl DocumentKind {
    /// An invoice raises what the customer owes, a return lowers it.
    pub fn owed(self, total: Decimal) -> Decimal {
        match self {
            Self::Invoice => total,
            Self::Return => -total,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Document {
    pub id: i64,
    pub customer_id: i64,
    pub sales_representative_id: Option<i64>,
    pub date: NaiveDate,
    /// Invoices only.
    pub due_date: Option<NaiveDate>,
    /// Which of the two unit prices rules.
    pub inclusive: bool,
    pub discount_percentage: Decimal,
    pub tax_reference: String,
    pub number: String,
    pub reference: String,
    pub external_reference: String,
    pub message: String,
    pub totals: Totals,
    /// What allocations took, settlement discounts included.
    pub allocated: Decimal,
    pub postal: Address,
    pub delivery: Address,
    pub printed: bool,
    pub anticipated_date: Option<NaiveDate>,
    pub allow_online_payment: Option<bool>,
    /// A void document stays in the list and counts for nothing.
    pub void: bool,
    pub from_document: String,
    pub from_document_id: Option<i64>,
    pub from_document_type_id: Option<i64>,
    pub lines: Vec<Line>,
    pub stamps: Stamps,
}

/// A line of a document; prices are rounded to the company's decimals, amounts to cents.
#[derive(Debug, Clone)]
pub struct Line {
    pub id: i64,
    /// 0 item, 1 account.
    pub line_type: i64,
    pub selection_id: i64,
    pub tax_type_id: Option<i64>,
    pub description: String,
    pub quantity: Decimal,
    pub unit: String,
    pub unit_price_exclusive: Decimal,
    pub unit_price_inclusive: Decimal,
    pub tax_percentage: Decimal,
    pub discount_percentage: Decimal,
    pub amounts: LineAmounts,
    pub comments: String,
    pub analysis_categories: [Option<i64>; 3],
    pub tracking_code: String,
    pub currency_id: Option<i64>,
}

impl Document {
    /// What is not allocated yet: of an invoice still to be paid, of a return still to be used.
    pub fn open_amount(&self) -> Decimal {
        match self.void {
            true => Decimal::ZERO,
            false => self.totals.total - self.allocated,
        }
    }

    fn status(&self) -> Status {
        if self.void {
            Status::Void
        } else if self.open_amount().is_zero() {
            Status::Paid
        } else if self.allocated.is_zero() {
            Status::Unpaid
        } else {
            Status::PartiallyPaid
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Unpaid = 1,
    PartiallyPaid = 2,
    Paid = 3,
    Void = 4,
}

impl Status {
    fn text(self) -> &'static str {
        match self {
            Self::Unpaid => "Unpaid",
            Self::PartiallyPaid => "Partially Paid",
            Self::Paid => "Paid",
            Self::Void => "Void",
        }
    }
}

impl Record for Document {
    const KEY_FIELD: &'static str = "DocumentNumber";
    const LINK_FIELDS: &'static [&'static str] = &["CustomerId"];

    fn id(&self) -> i64 {
        self.id
    }

    fn key(&self) -> &str {
        &self.number
    }

    fn links(&self) -> [Option<i64>; 2] {
        [Some(self.customer_id), None]
    }
}

static BOTH: &[Column<Document>] = &[
    number_of("ID", |d, _| d.id.into()),
    number_of("CustomerId", |d, _| d.customer_id.into()),
    text("CustomerName", |d, books| {
        books.customer_name(d.customer_id).into()
    }),
    number_of("Customer_CurrencyId", |d, books| {
        books.foreign_currency(d.customer_id).into()
    }),
    number_of("SalesRepresentativeId", |d, _| {
        d.sales_representative_id.into()
    }),
    date("Date", |d, _| d.date.into()),
    flag("Inclusive", |d, _| d.inclusive.into()),
    number_of("DiscountPercentage", |d, _| d.discount_percentage.into()),
    text("TaxReference", |d, _| (&d.tax_reference).into()),
    text("DocumentNumber", |d, _| (&d.number).into()),
    text("Reference", |d, _| (&d.reference).into()),
    text("ExternalReference", |d, _| (&d.external_reference).into()),
    text("Message", |d, _| (&d.message).into()),
    number_of("Discount", |d, _| d.totals.discount.into()),
    number_of("Exclusive", |d, _| d.totals.exclusive.into()),
    number_of("Tax", |d, _| d.totals.tax.into()),
    number_of("Rounding", |d, _| d.totals.rounding.into()),
    number_of("Total", |d, _| d.totals.total.into()),
    number_of("AmountDue", |d, _| d.open_amount().into()),
    text("PostalAddress01", |d, _| (&d.postal[0]).into()),
    text("PostalAddress02", |d, _| (&d.postal[1]).into()),
    text("PostalAddress03", |d, _| (&d.postal[2]).into()),
    text("PostalAddress04", |d, _| (&d.postal[3]).into()),
    text("PostalAddress05", |d, _| (&d.postal[4]).into()),
    text("DeliveryAddress01", |d, _| (&d.delivery[0]).into()),
    text("DeliveryAddress02", |d, _| (&d.delivery[1]).into()),
    text("DeliveryAddress03", |d, _| (&d.delivery[2]).into()),
    text("DeliveryAddress04", |d, _| (&d.delivery[3]).into()),
    text("DeliveryAddress05", |d, _| (&d.delivery[4]).into()),
    flag("Printed", |d, _| d.printed.into()),
    flag("Editable", |d, books| {
        (!d.void && !books.locked(d.date)).into()
    }),
    flag("Locked", |d, books| books.locked(d.date).into()),
    flag("HasAttachments", |_, _| false.into()),
    flag("HasNotes", |_, _| false.into()),
    flag("HasAnticipatedDate", |d, _| {
        d.anticipated_date.is_some().into()
    }),
    date("AnticipatedDate", |d, _| d.anticipated_date.into()),
    text("FromDocument", |d, _| (&d.from_document).into()),
    number_of("FromDocumentId", |d, _| d.from_document_id.into()),
    number_of("FromDocumentTypeId", |d, _| d.from_document_type_id.into()),
    text("UID", |d, _| Cell::Made(guid(d.id))),
    date("Created", |d, _| d.stamps.created.into()),
    date("Modified", |d, _| d.stamps.modified.into()),
];

static INVOICE_ONLY: &[Column<Document>] = &[
    date("DueDate", |d, _| d.due_date.into()),
    flag("AllowOnlinePayment", |d, _| d.allow_online_payment.into()),
    flag("Paid", |d, _| (d.status() == Status::Paid).into()),
    text("Status", |d, _| d.status().text().into()),
    number_of("StatusId", |d, _| (d.status() as i64).into()),
];

static RETURN_ONLY: &[Column<Document>] = &[
    number_of("TotalUnallocated", |d, _| d.open_amount().into()),
    text(
        "Status",
        |d, _| if d.void { "Void".into() } else { Cell::Null },
    ),
    number_of(
        "StatusId",
        |d, _| if d.void { 4.into() } else { Cell::Null },
    ),
];

static LINES: &[Column<Document>] = &[object("Lines", |d, books| {
    let lines = d.lines.iter();
    Cell::Object(
        lines
            .map(|line| line_body(line, &books.behaviour))
            .collect(),
    )
})];

static CUSTOMER: &[Column<Document>] = &[object("Customer", |d, books| {
    customer_object(d.customer_id, books)
})];

fn line_body(line: &Line, behaviour: &Behaviour) -> Value {
    /// Texts of a line that are there without content too.
    const TEXTS: [&str; 3] = ["Description", "Unit", "Comments"];
    let amounts = &line.amounts;
    let cells: [(&str, Cell); 21] = [
        ("ID", line.id.into()),
        ("LineType", line.line_type.into()),
        ("SelectionId", line.selection_id.into()),
        ("TaxTypeId", line.tax_type_id.into()),
        ("Description", (&line.description).into()),
        ("Quantity", line.quantity.into()),
        ("Unit", (&line.unit).into()),
        ("UnitPriceExclusive", line.unit_price_exclusive.into()),
        ("UnitPriceInclusive", line.unit_price_inclusive.into()),
        ("TaxPercentage", line.tax_percentage.into()),
        ("DiscountPercentage", line.discount_percentage.into()),
        ("Exclusive", amounts.exclusive.into()),
        ("Discount", amounts.discount.into()),
        ("Tax", amounts.tax.into()),
        ("Total", amounts.total.into()),
        ("Comments", (&line.comments).into()),
        ("AnalysisCategoryId1", line.analysis_categories[0].into()),
        ("AnalysisCategoryId2", line.analysis_categories[1].into()),
        ("AnalysisCategoryId3", line.analysis_categories[2].into()),
        ("$TrackingCode", (&line.tracking_code).into()),
        ("CurrencyId", line.currency_id.into()),
    ];
    // What an item costs to buy was shown in 2022.
    let cost = behaviour
        .bare_documents
        .then_some(("UnitCost", Cell::Amount(Decimal::ZERO)));
    let shown = cells.into_iter().chain(cost).filter_map(|(name, cell)| {
        let empty = || (behaviour.empty_texts && TEXTS.contains(&name)).then(|| "".into());
        Some((name.to_owned(), cell.json().or_else(empty)?))
    });
    Value::Object(shown.collect())
}

/// The columns of a kind; with lines where they were asked for, or where one document is shown.
pub fn columns(kind: DocumentKind, lines: bool) -> Vec<&'static Column<Document>> {
    let mut columns = all(BOTH);
    columns.extend(match kind {
        DocumentKind::Invoice => all(INVOICE_ONLY),
        DocumentKind::Return => all(RETURN_ONLY),
    });
    if lines {
        columns.extend(all(LINES));
    }
    columns
}

pub fn serve(books: &mut Books, kind: DocumentKind, call: &Call) -> Result<Response, Refusal> {
    match call.method.to_lowercase().as_str() {
        "get" => {
            let lines = call.id()?.is_some() || call.flag("includedetail", false)?;
            let mut columns = columns(kind, lines);
            if call.flag("includecustomerdetails", false)? {
                columns.extend(all(CUSTOMER));
            }
            get(books, call, books.documents(kind), &columns)
        }
        "save" => {
            call.wants("POST")?;
            save::save(books, kind, call)
        }
        "savebatch" if books.behaviour.document_batches => {
            call.wants("POST")?;
            save::save_batch(books, kind, call)
        }
        "calculate" => {
            call.wants("POST")?;
            save::calculate(books, kind, call)
        }
        // Known to the router, offered for nobody (Sage API, TaxInvoice, Delete).
        "delete" => Err(call.wrong_verb()),
        _ => Err(call.no_method()),
    }
}

/// All documents of a kind as they are shown, with their lines.
pub fn state(books: &Books, kind: DocumentKind) -> Value {
    dump(books, books.documents(kind), &columns(kind, true))
}

/// Voids a document, as the screens can: its allocations go, and it counts for nothing.
pub fn void(books: &mut Books, kind: DocumentKind, id: i64, call: &Call) -> Result<(), Refusal> {
    let document = books.documents(kind).get(id).ok_or(Refusal::NotFound)?;
    if document.void {
        return Err(Refusal::invalid(
            "StatusId",
            "The document is void already.",
        ));
    }
    let (date, customer, total) = (document.date, document.customer_id, document.totals.total);
    books.open(date)?;
    books.release(id, call.now);
    books.documents_mut(kind).change(id, |document| {
        document.void = true;
        document.stamps.modified = call.now;
    });
    books.owe(customer, -kind.owed(total));
    Ok(())
}

/// Deletes a document, as the screens can where nothing is allocated; its number is free again.
pub fn remove(books: &mut Books, kind: DocumentKind, id: i64) -> Result<(), Refusal> {
    let document = books.documents(kind).get(id).ok_or(Refusal::NotFound)?;
    if books.allocations.linked(id).next().is_some() {
        return Err(Refusal::InUse("The document has allocations.".to_owned()));
    }
    let (date, customer) = (document.date, document.customer_id);
    let owed = match document.void {
        true => Decimal::ZERO,
        false => kind.owed(document.totals.total),
    };
    books.open(date)?;
    books.documents_mut(kind).remove(id);
    books.owe(customer, -owed);
    Ok(())
}
