//! The rows that Sage lists, as far as they are compared with ours; and how references are made.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::json;
use crate::money;
use crate::stored::{Members, Storable, stored, stored_names};
use crate::text;

/// The services that records become objects of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    Customer,
    TaxInvoice,
    CustomerReturn,
    CustomerReceipt,
    Allocation,
}

impl Service {
    /// As in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Customer => "Customer",
            Self::TaxInvoice => "TaxInvoice",
            Self::CustomerReturn => "CustomerReturn",
            Self::CustomerReceipt => "CustomerReceipt",
            Self::Allocation => "Allocation",
        }
    }

    /// As people read it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::TaxInvoice => "tax invoice",
            Self::CustomerReturn => "credit note",
            Self::CustomerReceipt => "receipt",
            Self::Allocation => "allocation",
        }
    }
}

stored_names!(Service: Customer, TaxInvoice, CustomerReturn, CustomerReceipt, Allocation);

/// The reference of a document or receipt: its number, a blank, and our mark ([`crate::mark`]). Sage takes 100 characters.
pub fn reference(number: &str, mark: &str) -> String {
    let room = 99 - mark.len();
    format!("{} {mark}", text::first(number.trim(), room))
}

/// What a record is recognised by in Sage, apart from its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchKey {
    Customer(CustomerLikeness),
    Document(DocumentLikeness),
    Allocation(AllocationLikeness),
}

impl Storable for MatchKey {
    fn write(&self, text: &mut String) {
        let mut object = Members::begin(text);
        match self {
            Self::Customer(customer) => object.put("customer", customer),
            Self::Document(document) => object.put("document", document),
            Self::Allocation(allocation) => object.put("allocation", allocation),
        }
        object.end();
    }

    fn read(value: &Value) -> Option<Self> {
        let (variant, likeness) = value.as_object()?.iter().next()?;
        match variant.as_str() {
            "customer" => Storable::read(likeness).map(Self::Customer),
            "document" => Storable::read(likeness).map(Self::Document),
            "allocation" => Storable::read(likeness).map(Self::Allocation),
            _ => None,
        }
    }
}

/// What of a receipt or credit note settles an invoice; all ids are Sage's (Sage API 2.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllocationLikeness {
    pub source: i64,
    pub target: i64,
    pub total: Decimal,
}

stored!(AllocationLikeness {
    source,
    target,
    total
});

/// The name is Sage's unique key; the rest tells whether it is the same person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerLikeness {
    pub name: String,
    pub contact: String,
    pub email: String,
    pub vat: String,
    /// Digest of everything that we keep in step ([`customer_content`]).
    pub content: String,
}

stored!(CustomerLikeness {
    name,
    contact,
    email,
    vat,
    content
});

/// An invoice, credit note or receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentLikeness {
    pub customer: i64,
    pub date: NaiveDate,
    /// Empty in what was sent: Sage numbers it.
    pub number: String,
    pub reference: String,
    pub total: Decimal,
    /// What was not allocated of it when it was listed; none in what was sent.
    pub rest: Option<Decimal>,
}

stored!(DocumentLikeness { customer, date, number, reference, total } may { rest });

/// An object of Sage as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub id: i64,
    pub likeness: MatchKey,
}

stored!(Found { id, likeness });

/// Names and numbers are one to Sage if they differ in case or outer blanks only (assumed, Sage API 4).
pub fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

impl CustomerLikeness {
    /// Of a customer as listed, or as it is to be sent.
    pub fn of(customer: &Value) -> Self {
        Self {
            name: json::text(customer, "Name"),
            contact: json::text(customer, "ContactName"),
            email: json::text(customer, "Email"),
            vat: json::text(customer, "TaxReference"),
            content: customer_content(customer),
        }
    }
}

/// A digest of the fields of a customer that we keep in step; all others belong to Sage's users.
pub fn customer_content(customer: &Value) -> String {
    const TEXTS: [&str; 9] = [
        "Name",
        "ContactName",
        "Email",
        "Telephone",
        "Mobile",
        "PostalAddress01",
        "PostalAddress02",
        "PostalAddress05",
        "TaxReference",
    ];
    const TICKS: [&str; 4] = [
        "Active",
        "AcceptsElectronicInvoices",
        "AutoAllocateToOldestInvoice",
        "EnableCustomerZone",
    ];
    let mut texts = TEXTS.map(|name| json::text(customer, name)).to_vec();
    // Only a long street takes these; else they are Sage's users' own.
    let further = ["PostalAddress03", "PostalAddress04"].map(|name| json::text(customer, name));
    if further.iter().any(|line| !line.is_empty()) {
        texts.extend(further);
    }
    let ticks = TICKS.map(|name| json::flag(customer, name));
    let category = json::integer(json::field(customer, "Category"), "ID");
    json::digest(&serde_json::json!([texts, ticks, category]))
}

/// Sage's amounts have four places at most; what a binary float leaves behind them is none.
const PLACES: u32 = 4;

/// An amount of money in one of Sage's objects; `None`: it is not there.
pub fn amount(object: &Value, name: &str) -> Option<Decimal> {
    json::decimal(object, name).map(|amount| money::rounded(amount, PLACES))
}

/// What of a stored document or receipt is not allocated yet: an invoice has an amount due, all others what is unallocated.
pub fn rest(object: &Value) -> Option<Decimal> {
    amount(object, "TotalUnallocated").or_else(|| amount(object, "AmountDue"))
}

impl MatchKey {
    /// None where the row lacks what it is recognised by.
    pub fn of_row(service: Service, row: &Value) -> Option<Self> {
        Some(match service {
            Service::Customer => Self::Customer(CustomerLikeness::of(row)),
            Service::Allocation => Self::Allocation(AllocationLikeness {
                source: json::integer(row, "SourceDocumentId")?,
                target: json::integer(row, "AllocatedToDocumentId")?,
                total: amount(row, "Total")?,
            }),
            _ => Self::Document(DocumentLikeness {
                customer: json::integer(row, "CustomerId")?,
                date: json::date(row, "Date")?,
                number: json::text(row, "DocumentNumber"),
                reference: json::text(row, "Reference"),
                total: amount(row, "Total")?,
                rest: rest(row),
            }),
        })
    }

    /// A document with another total; `None`: it is none, or has that one.
    pub fn with_total(&self, total: Option<Decimal>) -> Option<Self> {
        match self {
            Self::Document(document) if total? != document.total => {
                Some(Self::Document(DocumentLikeness {
                    total: total?,
                    ..document.clone()
                }))
            }
            _ => None,
        }
    }

    /// The digest of what a customer has; empty for a document.
    pub fn content(&self) -> &str {
        match self {
            Self::Customer(customer) => &customer.content,
            Self::Document(_) | Self::Allocation(_) => "",
        }
    }

    /// What about `found` is not as `self` was sent; empty: it is ours, or as good as ours.
    /// References are not compared: they are how `found` was found, or another add-on's.
    pub fn differences(&self, found: &Self) -> Vec<&'static str> {
        let mut differences = Vec::new();
        let mut compare = |same: bool, what: &'static str| {
            if !same {
                differences.push(what);
            }
        };
        match (self, found) {
            (Self::Customer(sent), Self::Customer(found)) => {
                compare(fold(&sent.name) == fold(&found.name), "name");
                compare(sent.contact.trim() == found.contact.trim(), "contact name");
                compare(fold(&sent.email) == fold(&found.email), "e-mail");
                compare(fold(&sent.vat) == fold(&found.vat), "VAT number");
            }
            (Self::Document(sent), Self::Document(found)) => {
                compare(sent.customer == found.customer, "customer");
                compare(sent.date == found.date, "date");
                compare(sent.total == found.total, "total");
                compare(
                    sent.number.is_empty() || fold(&sent.number) == fold(&found.number),
                    "number",
                );
            }
            (Self::Allocation(sent), Self::Allocation(found)) => {
                compare(sent.source == found.source, "source");
                compare(sent.target == found.target, "invoice");
                compare(sent.total == found.total, "amount");
            }
            _ => compare(false, "kind"),
        }
        differences
    }
}
