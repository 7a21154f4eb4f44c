//! What objects of Sage are recognised by, and how references are made.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

use super::{Allocation, Object, Payload};
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
    /// Digest of everything that we keep in step.
    pub content: String,
    /// Digest of the telephone number and of the lines of the address that every save of ours writes; none: an earlier version noted it.
    pub reach: Option<String>,
    pub active: bool,
    /// Whether the VAT number is what we sent, and no note of Sage's users.
    pub vat_is_ours: bool,
}

stored!(CustomerLikeness { name, contact, email, vat, content } may { reach, active, vat_is_ours });

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

impl MatchKey {
    /// `None`: the object lacks what it is recognised by.
    pub fn of(service: Service, object: &Object) -> Option<Self> {
        Some(match service {
            Service::Customer => Self::Customer(CustomerLikeness::of(object)),
            Service::Allocation => {
                let allocation = Allocation::of(object)?;
                Self::Allocation(AllocationLikeness {
                    source: allocation.source,
                    target: allocation.target,
                    total: allocation.total,
                })
            }
            _ => Self::Document(DocumentLikeness {
                customer: object.customer()?,
                date: object.date()?,
                number: object.number(),
                reference: object.reference(),
                total: object.total()?,
                rest: object.rest(),
            }),
        })
    }

    /// As it is seen after it was saved with these fields: what a save leaves out belongs to Sage's users.
    pub fn saved_with(mut self, payload: &Payload) -> Self {
        if let (Self::Customer(seen), Payload::Customer(sent)) = (&mut self, payload) {
            let details = sent.details.as_ref();
            seen.vat_is_ours = details.is_some_and(|details| details.vat.is_some());
        }
        self
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
