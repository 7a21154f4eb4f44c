//! New documents and payments from what a client sent: defaults, numbers, links; the money is the ledger's.

use chrono::Datelike;
use serde_json::Value;

use super::Splynx;
use super::input::{Body, Purpose, apply, new_items};
use super::ledger::{Refund, Stamp};
use super::model::{CreditNote, Invoice, Item, Payment, Proforma};
use super::numbers::Numbered;
use super::refusal::Refusal;
use super::routes::Resource;
use super::wire::{Flag, integer};

impl Splynx {
    pub(super) fn create_invoice(&mut self, body: &Body, stamp: &Stamp) -> Result<i64, Refusal> {
        let mut invoice: Invoice = self.blank(Resource::Invoices);
        invoice.use_transactions = Flag(true);
        invoice.rounding = self.behaviour.rounding;
        apply(&mut invoice, body, Purpose::Create)?;
        invoice.items = new_items(body)?;
        self.require_item_links(&invoice.items)?;
        let year = invoice.date_created.unwrap_or(stamp.day()).year();
        self.fill_number(
            Numbered::Invoice,
            &mut invoice.number,
            year,
            invoice.customer_id,
        );
        self.ledger.create_invoice(invoice, stamp)
    }

    pub(super) fn create_proforma(&mut self, body: &Body, stamp: &Stamp) -> Result<i64, Refusal> {
        let mut proforma = Proforma::default();
        apply(&mut proforma, body, Purpose::Create)?;
        proforma.items = new_items(body)?;
        let year = proforma.date_created.unwrap_or(stamp.day()).year();
        self.fill_number(
            Numbered::Proforma,
            &mut proforma.number,
            year,
            proforma.customer_id,
        );
        self.ledger.create_proforma(proforma, stamp)
    }

    pub(super) fn create_credit_note(
        &mut self,
        body: &Body,
        stamp: &Stamp,
    ) -> Result<i64, Refusal> {
        let mut note: CreditNote = self.blank(Resource::CreditNotes);
        note.rounding = self.behaviour.rounding;
        apply(&mut note, body, Purpose::Create)?;
        note.items = new_items(body)?;
        let invoice = linked_invoice(body)?;
        self.take_over_lines(&mut note.items, invoice);
        self.require_item_links(&note.items)?;
        let year = note.date_created.unwrap_or(stamp.day()).year();
        self.fill_number(
            Numbered::CreditNote,
            &mut note.number,
            year,
            note.customer_id,
        );
        self.ledger.create_credit_note(note, invoice, stamp)
    }

    /// A line that credits an invoice's line has that line's tax and category where it names none.
    fn take_over_lines(&self, items: &mut [Item], invoice: Option<i64>) {
        let Some(invoice) = invoice.and_then(|id| self.ledger.invoices.get(id)) else {
            return;
        };
        for item in items {
            let credited = invoice
                .items
                .iter()
                .find(|line| item.invoice_item_id == Some(line.id));
            if let Some(line) = credited {
                item.category_id = item.category_id.or(line.category_id);
                if item.tax_id == 0 && item.tax == line.tax {
                    item.tax_id = line.tax_id;
                }
            }
        }
    }

    pub(super) fn create_payment(&mut self, body: &Body, stamp: &Stamp) -> Result<i64, Refusal> {
        let mut payment: Payment = self.blank(Resource::Payments);
        apply(&mut payment, body, Purpose::Create)?;
        let description = self.method_name(payment.payment_type)?;
        if payment.receipt_number.is_empty() {
            let year = payment.date.unwrap_or(stamp.day()).year();
            payment.receipt_number =
                self.numbers
                    .next(Numbered::Receipt, year, payment.payment_type);
        }
        self.numbers
            .note(Numbered::Receipt, &payment.receipt_number);
        self.ledger.create_payment(payment, &description, stamp)
    }

    /// The description of a payment's transaction is the name of its method.
    pub(super) fn method_name(&self, method: i64) -> Result<String, Refusal> {
        self.payment_methods
            .get(method)
            .map(|method| method.name.clone())
            .ok_or_else(|| Refusal::invalid("payment_type", "Payment type is invalid."))
    }

    /// Refunds are paid by the first method, which is cash.
    pub(super) fn refund(&mut self, stamp: &Stamp) -> Refund {
        let method = self.payment_methods.iter().next().map_or(0, |m| m.id);
        let year = stamp.at.year();
        Refund {
            method,
            receipt_number: self.numbers.next(Numbered::Receipt, year, method),
        }
    }

    fn fill_number(&mut self, kind: Numbered, number: &mut String, year: i32, customer: i64) {
        if number.is_empty() {
            let partner = self.customers.get(customer).map_or(0, |c| c.partner_id);
            *number = self.numbers.next(kind, year, partner);
        }
        self.numbers.note(kind, number);
    }
}

/// The invoice that a credit note is for: a text, a number or a list of one.
fn linked_invoice(body: &Body) -> Result<Option<i64>, Refusal> {
    let value = match body.get("invoicesId") {
        Some(Value::Array(list)) if list.len() > 1 => {
            return Err(Refusal::invalid(
                "invoicesId",
                "Only one invoice is allowed.",
            ));
        }
        Some(Value::Array(list)) => list.first(),
        other => other,
    };
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(value) => match integer(value) {
            Some(0) => Ok(None),
            Some(id) => Ok(Some(id)),
            None => Err(Refusal::invalid("invoicesId", "Invoice is invalid.")),
        },
    }
}
