//! Customers in Sage (Sage API 2.2). One table says how each field is called and how it is compared, so that whatever is sent is noticed when
//! it changes.

use serde_json::{Map, Value, json};

use super::{CustomerLikeness, Object};
use crate::json;

/// A customer as Sage is to have it. What is `None` is left as Sage's users have it.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerPayload {
    pub name: String,
    /// `None`: Sage has refused one of them, so that none is sent.
    pub details: Option<ContactDetails>,
    pub category: Option<i64>,
    pub is_active: bool,
    pub accepts_electronic_invoices: bool,
    pub allocates_to_oldest_invoice: bool,
    pub sees_invoices_online: bool,
}

/// What Sage may refuse of a customer without harm to anybody's money.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContactDetails {
    pub email: String,
    pub telephone: String,
    pub mobile: Option<String>,
    /// Two lines, or four where the street takes up to three.
    pub address: Vec<String>,
    pub postal_code: String,
    pub vat: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compared {
    Text,
    /// A text that only a long street takes; else it is Sage's users' own.
    FurtherLine,
    Tick,
    /// By the id within it.
    Relation,
}

/// `None`: the field is not sent.
type ValueOf = fn(&CustomerPayload) -> Option<Value>;

/// Name, how it is compared, and its value. Beware: the digest of a customer has them in this order; another order, or another field, makes
/// another digest, and with that an update of every customer.
const FIELDS: [(&str, Compared, ValueOf); 16] = [
    ("Name", Compared::Text, |c| text(&c.name)),
    ("ContactName", Compared::Text, |c| text(&c.name)),
    ("Email", Compared::Text, |c| detail(c, |d| Some(&d.email))),
    ("Telephone", Compared::Text, |c| {
        detail(c, |d| Some(&d.telephone))
    }),
    ("Mobile", Compared::Text, |c| {
        detail(c, |d| d.mobile.as_ref())
    }),
    ("PostalAddress01", Compared::Text, |c| {
        detail(c, |d| d.address.first())
    }),
    ("PostalAddress02", Compared::Text, |c| {
        detail(c, |d| d.address.get(1))
    }),
    ("PostalAddress05", Compared::Text, |c| {
        detail(c, |d| Some(&d.postal_code))
    }),
    ("TaxReference", Compared::Text, |c| {
        detail(c, |d| d.vat.as_ref())
    }),
    ("PostalAddress03", Compared::FurtherLine, |c| {
        detail(c, |d| d.address.get(2))
    }),
    ("PostalAddress04", Compared::FurtherLine, |c| {
        detail(c, |d| d.address.get(3))
    }),
    ("Active", Compared::Tick, |c| tick(c.is_active)),
    ("AcceptsElectronicInvoices", Compared::Tick, |c| {
        tick(c.accepts_electronic_invoices)
    }),
    ("AutoAllocateToOldestInvoice", Compared::Tick, |c| {
        tick(c.allocates_to_oldest_invoice)
    }),
    ("EnableCustomerZone", Compared::Tick, |c| {
        tick(c.sees_invoices_online)
    }),
    ("Category", Compared::Relation, |c| {
        c.category.map(|id| json!({ "ID": id }))
    }),
];

fn text(text: &str) -> Option<Value> {
    Some(text.into())
}

fn detail(customer: &CustomerPayload, of: fn(&ContactDetails) -> Option<&String>) -> Option<Value> {
    text(of(customer.details.as_ref()?)?)
}

fn tick(is_set: bool) -> Option<Value> {
    Some(is_set.into())
}

impl CustomerPayload {
    pub(super) fn encode(&self) -> Value {
        let fields = FIELDS.iter();
        let sent = fields.filter_map(|(name, _, value)| Some(((*name).to_owned(), value(self)?)));
        Value::Object(sent.collect::<Map<_, _>>())
    }

    /// What it is recognised by once Sage has it.
    pub fn likeness(&self) -> CustomerLikeness {
        CustomerLikeness::of(&Object::from(self.encode()))
    }
}

impl CustomerLikeness {
    /// Of a customer as listed.
    pub(super) fn of(customer: &Object) -> Self {
        let text = |name| json::text(customer.value(), name);
        Self {
            name: text("Name"),
            contact: text("ContactName"),
            email: text("Email"),
            vat: text("TaxReference"),
            content: content(customer.value()),
            reach: Some(reach(customer.value())),
            active: json::flag(customer.value(), "Active"),
            vat_is_ours: !text("TaxReference").is_empty(),
        }
    }
}

/// A digest of where a customer is reached. The mobile number and the third and fourth line of the address can be Sage's users' own.
fn reach(customer: &Value) -> String {
    const TEXTS: [&str; 4] = [
        "Telephone",
        "PostalAddress01",
        "PostalAddress02",
        "PostalAddress05",
    ];
    let texts = TEXTS.map(|name| json::text(customer, name).trim().to_owned());
    json::digest(&json!(texts))
}

/// A digest of the fields that we keep in step; all others belong to Sage's users.
fn content(customer: &Value) -> String {
    let names = |compared: Compared| {
        let fields = FIELDS.iter().filter(move |(_, by, _)| *by == compared);
        fields.map(|(name, ..)| *name)
    };
    let text = |name| json::text(customer, name);
    let mut texts: Vec<String> = names(Compared::Text).map(text).collect();
    let further: Vec<String> = names(Compared::FurtherLine).map(text).collect();
    if further.iter().any(|line| !line.is_empty()) {
        texts.extend(further);
    }
    let ticks: Vec<bool> = names(Compared::Tick)
        .map(|name| json::flag(customer, name))
        .collect();
    let mut digested = vec![json!(texts), json!(ticks)];
    digested.extend(names(Compared::Relation).map(|name| {
        let id = json::integer(json::field(customer, name), "ID");
        json!(id)
    }));
    json::digest(&Value::Array(digested))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever differs in what is sent differs in the digest: a change of it is noticed.
    #[test]
    fn every_field_that_is_sent_is_compared() {
        let customer = CustomerPayload {
            name: "Karoo Net".to_owned(),
            details: Some(ContactDetails {
                email: "a@b.example".to_owned(),
                telephone: "021 555 0100".to_owned(),
                mobile: Some("082 555 0102".to_owned()),
                address: ["1", "2", "3", "4"].map(str::to_owned).to_vec(),
                postal_code: "8000".to_owned(),
                vat: Some("4123456789".to_owned()),
            }),
            category: Some(7),
            is_active: true,
            accepts_electronic_invoices: true,
            allocates_to_oldest_invoice: true,
            sees_invoices_online: true,
        };
        let sent = customer.encode();
        let fields = sent.as_object().expect("an object");
        assert_eq!(fields.len(), FIELDS.len());
        for name in fields.keys() {
            let mut other = sent.clone();
            other[name] = match &sent[name] {
                Value::Bool(is_set) => (!is_set).into(),
                Value::String(text) => format!("{text}x").into(),
                _ => json!({"ID": 8}),
            };
            assert_ne!(content(&sent), content(&other), "{name}");
        }
    }
}
