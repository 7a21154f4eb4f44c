//! What another add-on would have left in a provider's company.
//!
//! Everything goes through the API's own Save, so a loaded company obeys every rule that a fed one does. It uses nothing
//! of this product's: plain names, plain numbers, the provider's receipt numbers.

use std::collections::HashMap;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::books::Books;
use super::call::Call;
use super::customers::Customer as SageCustomer;
use super::documents::{DocumentKind, save_one};
use super::entity::save_row;
use super::receipts;
use super::wire::{cents, number};
use crate::isp::{Customer, CustomerCategory as Category, Isp, Line};

/// The bookkeeper has corrected the e-mail of every so manieth customer.
const CORRECTED_EMAIL: usize = 17;

/// Puts in what the provider's customers, invoices, credit notes and payments would have become.
pub fn fill(books: &mut Books, isp: &Isp) {
    let lock = books.company.lock_date.take();
    let setup = isp.setup().into_iter().collect();
    let mut filling = Filling {
        books,
        isp,
        setup,
        customers: HashMap::new(),
        invoices: HashMap::new(),
    };
    filling.customers();
    filling.documents();
    filling.books.company.lock_date = lock;
}

struct Filling<'f> {
    books: &'f mut Books,
    isp: &'f Isp,
    /// The mappings of items, taxes and bank accounts.
    setup: HashMap<String, String>,
    /// Sage's ids by the provider's.
    customers: HashMap<i64, i64>,
    invoices: HashMap<i64, i64>,
}

/// One thing that happened, in the order in which things of one day happen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Invoice(usize),
    CreditNote(usize),
    Payment(usize),
}

impl Filling<'_> {
    fn customers(&mut self) {
        let isp = self.isp;
        let people = isp
            .customers
            .iter()
            .filter(|c| c.category != Category::Lead);
        for (place, customer) in people.enumerate() {
            let name = self.free_name(&customer.name);
            let email = match place % CORRECTED_EMAIL {
                11 => format!("office{}@customer.example", customer.id),
                _ => first_email(customer),
            };
            let contact = match customer.contact_person.trim() {
                "" => cut(&customer.name),
                person => cut(person),
            };
            let body = json!({
                "Name": name, "ContactName": contact, "Email": email, "Active": true,
                "Telephone": cut_to(&customer.phone, 30), "TaxReference": cut_to(&customer.vat_id, 30),
                "PostalAddress01": cut(&customer.street), "PostalAddress02": cut(&customer.city),
                "PostalAddress03": cut(&customer.zip_code),
            });
            let day = customer.added.min(isp.first_day());
            if let Some(id) = self.save(What::Customer, &body, at(day, 9)) {
                self.customers.insert(customer.id, id);
            }
        }
    }

    /// A name that nobody has: the second of a name gets a number behind it.
    fn free_name(&self, name: &str) -> String {
        let plain = cut(name);
        let mut free = plain.clone();
        for n in 2.. {
            if !self.books.customers.key_taken(&free, 0) {
                break;
            }
            free = format!("{} {n}", cut_to(&plain, 95));
        }
        free
    }

    fn documents(&mut self) {
        let isp = self.isp;
        let invoices = isp.invoices.iter().enumerate();
        let notes = isp.credit_notes.iter().enumerate();
        let payments = isp.payments.iter().enumerate();
        let mut events: Vec<(NaiveDate, Event)> = invoices
            .map(|(place, invoice)| (invoice.date, Event::Invoice(place)))
            .chain(notes.map(|(place, note)| (note.date, Event::CreditNote(place))))
            .chain(payments.map(|(place, payment)| (payment.date, Event::Payment(place))))
            .collect();
        events.sort_unstable();
        for (_, event) in events {
            match event {
                Event::Invoice(place) => self.invoice(place),
                Event::CreditNote(place) => self.credit_note(place),
                Event::Payment(place) => self.payment(place),
            }
        }
    }

    fn invoice(&mut self, place: usize) {
        let invoice = &self.isp.invoices[place];
        let Some(customer) = self.customers.get(&invoice.customer_id).copied() else {
            return;
        };
        if invoice.deleted || !invoice.uses_transactions || invoice.total.is_zero() {
            return;
        }
        let (kind, sign) = match invoice.total > Decimal::ZERO {
            true => (DocumentKind::Invoice, Decimal::ONE),
            false => (DocumentKind::Return, Decimal::NEGATIVE_ONE),
        };
        let body = json!({
            "CustomerId": customer, "Date": invoice.date.to_string(),
            "DueDate": invoice.due.to_string(), "Inclusive": true,
            "DocumentNumber": invoice.number, "Reference": invoice.number,
            "Lines": self.lines(&invoice.lines, invoice.total, sign),
        });
        let now = at(invoice.date, 10);
        let Some(id) = self.save(What::Document(kind), &body, now) else {
            return;
        };
        if kind == DocumentKind::Return {
            self.spend(id, None, now);
            return;
        }
        self.invoices.insert(invoice.id, id);
        // What the customer has left over pays the new invoice.
        let receipts = self.books.receipts.linked(customer);
        let mut left: Vec<(NaiveDate, i64)> = receipts
            .filter(|receipt| receipt.total > receipt.allocated)
            .map(|receipt| (receipt.date, receipt.id))
            .collect();
        let returns = self.books.returns.linked(customer);
        left.extend(
            returns
                .filter(|credit| credit.open_amount() > Decimal::ZERO)
                .map(|credit| (credit.date, credit.id)),
        );
        left.sort_unstable();
        for (_, source) in left {
            self.spend(source, Some(id), now);
        }
    }

    fn credit_note(&mut self, place: usize) {
        let note = &self.isp.credit_notes[place];
        let Some(customer) = self.customers.get(&note.customer_id).copied() else {
            return;
        };
        if note.total <= Decimal::ZERO {
            return;
        }
        let body = json!({
            "CustomerId": customer, "Date": note.date.to_string(), "Inclusive": true,
            "DocumentNumber": note.number, "Reference": note.number,
            "Lines": self.lines(&note.lines, note.total, Decimal::ONE),
        });
        let now = at(note.date, 11);
        let id = self.save(What::Document(DocumentKind::Return), &body, now);
        // A refunded credit has been paid out and pays nothing else.
        if let Some(id) = id.filter(|_| !note.refunded) {
            let invoice = note
                .invoice_id
                .and_then(|id| self.invoices.get(&id))
                .copied();
            self.spend(id, invoice, now);
        }
    }

    fn payment(&mut self, place: usize) {
        let payment = &self.isp.payments[place];
        let Some(customer) = self.customers.get(&payment.customer_id).copied() else {
            return;
        };
        if payment.amount <= Decimal::ZERO {
            return;
        }
        let own = self
            .setup
            .get(&format!("bank_account.{}", payment.method_id));
        let bank = own.or_else(|| self.setup.get("default_bank_account"));
        let method = match payment.method_id {
            1 => 1,
            3 => 3,
            _ => 4,
        };
        let body = json!({
            "CustomerId": customer, "Date": payment.date.to_string(), "Total": number(payment.amount),
            "BankAccountId": bank, "PaymentMethod": method, "Reference": cut(&payment.receipt_number),
            "Comments": payment.comment,
        });
        let now = at(payment.date, 12);
        if let Some(id) = self.save(What::Receipt, &body, now) {
            let invoice = payment
                .invoice_id
                .and_then(|id| self.invoices.get(&id))
                .copied();
            self.spend(id, invoice, now);
            self.spend(id, None, now);
        }
    }

    /// One inclusive line for each tax, whose sum is the total: rounding and discounts are in them.
    fn lines(&self, lines: &[Line], total: Decimal, sign: Decimal) -> Value {
        let mut groups: Vec<(&Line, Decimal)> = Vec::new();
        for line in lines {
            let rate = Decimal::ONE + line.tax_percent / Decimal::ONE_HUNDRED;
            let gross = cents(line.quantity * line.price * rate * sign);
            match groups
                .iter_mut()
                .find(|(first, _)| first.tax_percent == line.tax_percent)
            {
                Some((_, sum)) => *sum += gross,
                None => groups.push((line, gross)),
            }
        }
        let rest = total * sign - groups.iter().map(|(_, gross)| gross).sum::<Decimal>();
        if let Some((_, gross)) = groups.first_mut() {
            *gross += rest;
        }
        if groups.iter().any(|(_, gross)| *gross < Decimal::ZERO) {
            groups.truncate(1);
            groups
                .iter_mut()
                .for_each(|(_, gross)| *gross = total * sign);
        }
        let line = |(first, gross): (&Line, Decimal)| {
            let mut line = json!({
                "LineType": 0, "SelectionId": self.setup.get(&format!("item.{}", first.category_id)),
                "Description": cut(&first.description), "Quantity": 1,
                "UnitPriceInclusive": number(gross),
            });
            let fraction = first.tax_percent / Decimal::ONE_HUNDRED;
            let mut taxes = self.isp.sage.tax_types.iter();
            if let Some(tax) = taxes.find(|tax| tax.percentage == fraction) {
                line["TaxTypeId"] = json!(tax.id);
            }
            line
        };
        groups.into_iter().map(line).collect()
    }

    /// Allocates what a document has left: to one invoice, or to the oldest ones.
    fn spend(&mut self, source: i64, invoice: Option<i64>, now: NaiveDateTime) {
        let spent = match invoice {
            Some(invoice) => self.books.allocate_as_far_as_possible(source, invoice, now),
            None => self.books.allocate_to_oldest(source, now),
        };
        // A payment may name another customer's invoice; it then pays nothing of it.
        spent.unwrap_or_default();
    }

    /// Saves a body through the API's own code. What a provider's oddities make Sage refuse is left out, as it would
    /// have been with another add-on.
    fn save(&mut self, what: What, body: &Value, now: NaiveDateTime) -> Option<i64> {
        let own_number = matches!(what, What::Document(_));
        let call = Call::inside("POST", "", "Save", None, &Value::Null, now).with(
            "useSystemDocumentNumber",
            if own_number { "false" } else { "true" },
        );
        let saved = self.books.transaction(|books| match what {
            What::Customer => save_row::<SageCustomer>(books, body, &call),
            What::Document(kind) => save_one(books, kind, body, &call),
            What::Receipt => receipts::save(books, body, &call),
        });
        saved.ok().map(|(id, _)| id)
    }
}

/// What a body is to become.
#[derive(Clone, Copy)]
enum What {
    Customer,
    Document(DocumentKind),
    Receipt,
}

fn first_email(customer: &Customer) -> String {
    let emails = [&customer.email, &customer.billing_email];
    let email = emails.into_iter().find(|email| !email.trim().is_empty());
    let first = email.and_then(|emails| emails.split([',', ';']).next());
    first.unwrap_or_default().trim().to_owned()
}

fn cut(text: &str) -> String {
    cut_to(text, 100)
}

/// At most so many UTF-16 units of a text, trimmed.
fn cut_to(text: &str, most: usize) -> String {
    let mut units = 0;
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= most
    };
    let cut: String = text.trim().chars().take_while(fits).collect();
    cut.trim_end().to_owned()
}

fn at(day: NaiveDate, hour: u32) -> NaiveDateTime {
    let time = NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
    day.and_time(time)
}
