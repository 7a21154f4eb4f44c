//! A provider as Splynx holds it: its furniture as it is, its year of documents run through the ledger in the
//! order in which they happened, so that statuses, rests, relations and balances come out as they would have.

use std::ops::RangeInclusive;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use serde_json::{Map, Value, json};

use super::Splynx;
use super::auth::ApiKey;
use super::config::localization;
use super::ledger::{Stamp, category};
use super::model::company::TaxKind;
use super::model::document::InvoiceType;
use super::model::{
    Administrator, CreditNote, Customer, CustomerInfo, Invoice, InvoiceStatus, Item, Location,
    Partner, Payment, PaymentMethod, Tax, TaxPart, TransactionCategory,
};
use super::numbers::Numbered;
use super::refusal::Refusal;
use super::wire::{Amount, Attribute, Flag, Money};
use crate::isp::{self, CustomerCategory, Isp};

/// Minutes after midnight at which the kinds of documents are made: invoices by night, the rest by day.
const INVOICES_AT: i64 = 120;
const PAYMENTS_AT: i64 = 480;
const CREDIT_NOTES_AT: i64 = 840;

/// Something that happened, at its place in time.
enum Happening<'a> {
    Invoice(&'a isp::Invoice),
    Payment(&'a isp::Payment),
    CreditNote(&'a isp::CreditNote),
}

impl Splynx {
    /// A server that holds this provider. Records that the ledger refuses are left out and named under
    /// `not_loaded` in the state.
    pub fn from_isp(isp: &Isp) -> Self {
        let mut splynx = Self::opened(isp);
        splynx.live(isp, NaiveDate::MIN..=NaiveDate::MAX);
        splynx
    }

    /// The same server before its first day: furniture, but neither customers nor documents.
    pub fn opened(isp: &Isp) -> Self {
        let mut splynx = Splynx::default();
        splynx.load_access(isp);
        splynx.load_furniture(isp);
        // What the ledger makes by itself gets ids beyond those of the provider.
        splynx
            .ledger
            .invoices
            .reserve(isp.invoices.iter().map(|i| i.id));
        splynx
            .ledger
            .payments
            .reserve(isp.payments.iter().map(|p| p.id));
        splynx
            .ledger
            .credit_notes
            .reserve(isp.credit_notes.iter().map(|n| n.id));
        splynx
    }

    /// What happened to the provider on these days: customers that came, and documents.
    pub fn live(&mut self, isp: &Isp, days: RangeInclusive<NaiveDate>) {
        for customer in &isp.customers {
            if days.contains(&customer.added) {
                self.load_customer(customer);
            }
        }
        // History holds invoices that this version would refuse to make.
        self.ledger.rules.negative_invoices = true;
        for (at, happening) in happenings(isp) {
            if !days.contains(&at.date()) {
                continue;
            }
            let stamp = Stamp {
                at,
                by: "system",
                by_id: 0,
            };
            if let Err((what, refusal)) = self.replay(&happening, &stamp) {
                self.not_loaded.push(format!("{what}: {refusal}"));
            }
        }
        self.ledger.rules.negative_invoices = self.behaviour.ledger.negative_invoices;
    }

    fn load_access(&mut self, isp: &Isp) {
        self.keys.add(ApiKey {
            title: "SageOne".to_owned(),
            key: isp.splynx.api_key.clone(),
            secret: isp.splynx.api_secret.clone(),
            check_nonce: Flag(isp.splynx.check_nonce),
            unsecure_auth: Flag(isp.splynx.unsecure_auth),
            white_list: json!([]),
            permissions: json!({}),
            ..ApiKey::default()
        });
        self.administrators.add(Administrator {
            role_name: "super-administrator".to_owned(),
            login: isp.splynx.admin_login.clone(),
            name: "Administrator".to_owned(),
            email: "admin@isp.example".to_owned(),
            timeout: 1200,
            password: isp.splynx.admin_password.clone(),
            ..Administrator::default()
        });
    }

    fn load_furniture(&mut self, isp: &Isp) {
        for partner in &isp.partners {
            self.partners.put(Partner {
                id: partner.id,
                name: partner.name.clone(),
                ..Partner::default()
            });
            self.company_info
                .insert(partner.id, company_info(partner.id, &isp.name));
        }
        for location in &isp.locations {
            self.locations.put(Location {
                id: location.id,
                name: location.name.clone(),
                ..Location::default()
            });
        }
        for method in &isp.payment_methods {
            self.payment_methods.put(PaymentMethod {
                id: method.id,
                name: method.name.clone(),
                is_active: true,
                ..PaymentMethod::default()
            });
        }
        for row in &isp.transaction_categories {
            self.categories.put(TransactionCategory {
                id: row.id,
                name: row.name.clone(),
                is_base: Flag(row.id <= category::LAST_BASE),
                ..TransactionCategory::default()
            });
        }
        for tax in &isp.taxes {
            self.taxes.put(load_tax(tax));
        }
        self.charge_categories = isp.category_defaults.iter().cloned().collect();
        self.ledger.item_category = self
            .charge_categories
            .get("transaction_type_invoice_item")
            .copied()
            .filter(|id| *id != 0)
            .unwrap_or(category::SERVICE);
        let settings = [
            ("timezone", json!("Africa/Johannesburg")),
            ("currency", json!("ZAR")),
            ("country", json!("ZA")),
            ("finance_decimals", json!("2")),
            ("tax_decimals", json!("2")),
            ("finance_rounding", json!("transaction")),
        ];
        self.settings.insert(
            localization(),
            settings
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        );
    }

    fn load_customer(&mut self, from: &isp::Customer) {
        let added = from.added.and_hms_opt(10, 0, 0);
        let customer = Customer {
            id: from.id,
            login: from.login.clone(),
            status: choice(&from.status),
            partner_id: from.partner_id,
            location_id: from.location_id,
            parent_id: from.parent_id.unwrap_or(0),
            category: choice(match from.category {
                CustomerCategory::Person => "person",
                CustomerCategory::Company => "company",
                CustomerCategory::Lead => "lead",
            }),
            billing_type: choice(&from.billing_type),
            name: from.name.clone(),
            email: from.email.clone(),
            billing_email: from.billing_email.clone(),
            phone: from.phone.clone(),
            street_1: from.street.clone(),
            zip_code: from.zip_code.clone(),
            city: from.city.clone(),
            date_add: Some(from.added),
            added_by: "admin".to_owned(),
            added_by_id: 1,
            last_update: added,
            customer_labels: json!([]),
            ..Customer::default()
        };
        let info = CustomerInfo {
            company_id: from.company_id.clone(),
            vat_id: from.vat_id.clone(),
            contact_person: from.contact_person.clone(),
            updated_at: added,
            ..CustomerInfo::default()
        };
        self.add_customer(customer, info);
    }

    fn replay(&mut self, happening: &Happening, stamp: &Stamp) -> Result<(), (String, Refusal)> {
        match happening {
            Happening::Invoice(invoice) => self
                .replay_invoice(invoice, stamp)
                .map_err(|refusal| (format!("invoice {}", invoice.id), refusal)),
            Happening::Payment(payment) => self
                .replay_payment(payment, stamp)
                .map_err(|refusal| (format!("payment {}", payment.id), refusal)),
            Happening::CreditNote(note) => self
                .replay_credit_note(note, stamp)
                .map_err(|refusal| (format!("credit note {}", note.id), refusal)),
        }
    }

    fn replay_invoice(&mut self, from: &isp::Invoice, stamp: &Stamp) -> Result<(), Refusal> {
        self.numbers.note(Numbered::Invoice, &from.number);
        let invoice = Invoice {
            id: from.id,
            customer_id: from.customer_id,
            number: from.number.clone(),
            date_created: Some(from.date),
            date_till: Some(from.due),
            use_transactions: Flag(from.uses_transactions),
            kind: choice::<InvoiceType>(&from.kind),
            note: from.note.clone(),
            items: from.lines.iter().map(item).collect(),
            rounding: from.rounding,
            ..Invoice::default()
        };
        if !from.deleted {
            self.ledger.create_invoice(invoice, stamp)?;
            return Ok(());
        }
        // It was deleted while it was open, so the balance did not pay it.
        let from_balance = std::mem::replace(&mut self.ledger.rules.pay_from_balance, false);
        let made = self.ledger.create_invoice(invoice, stamp);
        self.ledger.rules.pay_from_balance = from_balance;
        let id = made?;
        let mut deleted = self
            .ledger
            .invoices
            .get(id)
            .cloned()
            .ok_or_else(Refusal::not_found)?;
        deleted.status = InvoiceStatus::Deleted;
        self.ledger.change_invoice(id, deleted, stamp)
    }

    fn replay_payment(&mut self, from: &isp::Payment, stamp: &Stamp) -> Result<(), Refusal> {
        self.numbers.note(Numbered::Receipt, &from.receipt_number);
        let payment = Payment {
            id: from.id,
            customer_id: from.customer_id,
            invoice_id: from.invoice_id,
            payment_type: from.method_id,
            receipt_number: from.receipt_number.clone(),
            date: Some(from.date),
            amount: Money(from.amount),
            comment: from.comment.clone(),
            ..Payment::default()
        };
        let description = self.method_name(from.method_id)?;
        self.ledger.create_payment(payment, &description, stamp)?;
        Ok(())
    }

    fn replay_credit_note(&mut self, from: &isp::CreditNote, stamp: &Stamp) -> Result<(), Refusal> {
        self.numbers.note(Numbered::CreditNote, &from.number);
        let note = CreditNote {
            id: from.id,
            customer_id: from.customer_id,
            number: from.number.clone(),
            date_created: Some(from.date),
            note: from.note.clone(),
            items: from.lines.iter().map(item).collect(),
            rounding: from.rounding,
            ..CreditNote::default()
        };
        // Money that was paid out did not go to the invoice.
        let invoice = from.invoice_id.filter(|_| !from.refunded);
        let id = self.ledger.create_credit_note(note, invoice, stamp)?;
        if from.refunded {
            let refund = self.refund(stamp);
            self.ledger.refund_credit_note(id, refund, stamp)?;
        }
        Ok(())
    }
}

/// The year in the order in which it was entered. A payment or credit note that names an invoice cannot have
/// been entered before it, whatever its date says.
fn happenings(isp: &Isp) -> Vec<(NaiveDateTime, Happening<'_>)> {
    let dates: std::collections::HashMap<i64, NaiveDate> =
        isp.invoices.iter().map(|i| (i.id, i.date)).collect();
    let entered = |date: NaiveDate, invoice: Option<i64>, minute: i64, id: i64| {
        let named = invoice.and_then(|id| dates.get(&id)).copied();
        let day = named.map_or(date, |named| named.max(date));
        let minute = minute + id.rem_euclid(300);
        day.and_time(Default::default()) + TimeDelta::minutes(minute)
    };
    let invoices = isp.invoices.iter().map(|invoice| {
        let at = entered(invoice.date, None, INVOICES_AT, invoice.id);
        (at, Happening::Invoice(invoice))
    });
    let payments = isp.payments.iter().map(|payment| {
        let at = entered(payment.date, payment.invoice_id, PAYMENTS_AT, payment.id);
        (at, Happening::Payment(payment))
    });
    let notes = isp.credit_notes.iter().map(|note| {
        let at = entered(note.date, note.invoice_id, CREDIT_NOTES_AT, note.id);
        (at, Happening::CreditNote(note))
    });
    let mut all: Vec<_> = invoices.chain(payments).chain(notes).collect();
    all.sort_by_key(|(at, _)| *at);
    all
}

fn item(line: &isp::Line) -> Item {
    Item {
        description: line.description.clone(),
        quantity: Amount(line.quantity),
        price: Money(line.price),
        tax: Money(line.tax_percent),
        tax_id: line.tax_id,
        category_id: Some(line.category_id).filter(|id| *id != 0),
        period_from: line.period.map(|(from, _)| from),
        period_to: line.period.map(|(_, to)| to),
        ..Item::default()
    }
}

/// A value of a closed set by its text; the set's default where the text is none of them.
fn choice<T: Attribute + Default>(text: &str) -> T {
    T::read(&json!(text)).unwrap_or_default()
}

fn load_tax(tax: &isp::Tax) -> Tax {
    let parts = tax.group.iter().zip(1..).map(|(id, position)| TaxPart {
        id: *id,
        position,
        ..TaxPart::default()
    });
    Tax {
        id: tax.id,
        name: tax.name.clone(),
        rate: Amount(tax.rate),
        kind: if tax.group.is_empty() {
            TaxKind::Single
        } else {
            TaxKind::Group
        },
        parts: parts.collect(),
        ..Tax::default()
    }
}

fn company_info(partner: i64, name: &str) -> Map<String, Value> {
    let info = json!({
        "id": partner, "company_name": name, "street_1": "1 Exchange Street", "street_2": "",
        "zip": "8001", "city": "Cape Town", "country": "South Africa", "iso_country_code": "ZA",
        "email": "accounts@isp.example", "phone": "+27 21 555 0000", "company_id": "2014/000001/07",
        "company_vat": "4000000001", "vat_percent": "15.0000", "bank_account": "", "bank_name": "",
        "bank_address": "", "splynx_url": "", "partner_percent": "0.0000", "file_logo": "",
    });
    match info {
        Value::Object(info) => info,
        _ => Map::new(),
    }
}
