//! Payments and refunds: a positive amount is a credit that is spent, a negative one a charge that is covered.

use rust_decimal::Decimal;

use super::{Ledger, Stamp, automatic, category};
use crate::splynx::model::document::ProformaStatus;
use crate::splynx::model::{CreditNoteStatus, Direction, Payer, Payment, Target};
use crate::splynx::refusal::Refusal;
use crate::splynx::wire::Money;

impl Ledger {
    /// Takes a payment and allocates it. `description` is for its transaction.
    pub fn create_payment(
        &mut self,
        mut payment: Payment,
        description: &str,
        stamp: &Stamp,
    ) -> Result<i64, Refusal> {
        self.require_customer(payment.customer_id)?;
        self.check_payment(&payment)?;
        payment.real_create_datetime = Some(stamp.at);
        payment.added_by = stamp.by.to_owned();
        payment.added_by_id = stamp.by_id;
        let id = self.payments.add(payment);
        self.enter_payment(id, description, stamp);
        Ok(id)
    }

    /// What must hold for a payment to be entered, so that entering cannot fail half way.
    fn check_payment(&self, payment: &Payment) -> Result<(), Refusal> {
        let customer = payment.customer_id;
        if payment.amount.0.is_zero() {
            return Err(Refusal::invalid(
                "amount",
                "Invalid sum, only a value greater or less than 0 is allowed!",
            ));
        }
        if let Some(id) = named(payment.invoice_id)
            && self
                .invoices
                .get(id)
                .is_none_or(|i| i.customer_id != customer)
        {
            return Err(Refusal::invalid("invoice_id", "Invoice ID is invalid."));
        }
        if let Some(id) = named(payment.request_id)
            && self
                .proformas
                .get(id)
                .is_none_or(|p| p.customer_id != customer)
        {
            return Err(Refusal::invalid(
                "request_id",
                "Proforma invoice ID is invalid.",
            ));
        }
        let Some(id) = named(payment.credit_note_id) else {
            return Ok(());
        };
        let refundable = self
            .credit_notes
            .get(id)
            .filter(|note| note.customer_id == customer && payment.amount.0 < Decimal::ZERO)
            .map(|note| note.remind_amount.0);
        match refundable {
            Some(rest) if -payment.amount.0 <= rest => Ok(()),
            _ => Err(Refusal::invalid(
                "credit_note_id",
                "Credit note ID is invalid, or less than the sum is left of it.",
            )),
        }
    }

    /// Puts a checked payment into the books.
    fn enter_payment(&mut self, id: i64, description: &str, stamp: &Stamp) {
        let Some(payment) = self.payments.get(id).cloned() else {
            return;
        };
        let is_refund = payment.amount.0 < Decimal::ZERO;
        let kind = if is_refund {
            Direction::Debit
        } else {
            Direction::Credit
        };
        let day = payment.date.unwrap_or(stamp.day());
        let mut transaction = automatic(payment.customer_id, kind, payment.amount.0.abs(), day);
        transaction.category = if is_refund {
            category::REFUND
        } else {
            category::PAYMENT
        };
        transaction.description = description.to_owned();
        transaction.remind_amount = transaction.total;
        transaction.payment_id = Some(id);
        transaction.credit_note_id = named(payment.credit_note_id);
        let rest = if is_refund {
            Decimal::ZERO
        } else {
            payment.amount.0
        };
        let transaction = self.post(transaction);
        if let Some(payment) = self.payments.get_mut(id) {
            payment.transaction_id = Some(transaction);
            payment.remind_amount = Money(rest);
            payment.updated_at = Some(stamp.at);
        }
        self.index_payer(Payer::Payment(id));
        if is_refund {
            self.settle_refund(&payment, transaction, stamp);
        } else {
            self.spend(
                Payer::Payment(id),
                payment.customer_id,
                named(payment.invoice_id),
                stamp,
            );
            self.tie_to_invoice(id);
        }
        self.mark_proforma(&payment, stamp);
    }

    /// A refund pays out a credit note where it names one, else what the customer has on the balance.
    fn settle_refund(&mut self, payment: &Payment, transaction: i64, stamp: &Stamp) {
        let target = Target::Transaction(transaction);
        let Some(note_id) = named(payment.credit_note_id) else {
            self.cover_from_balance(target, payment.customer_id, stamp);
            return;
        };
        self.spend_on(Payer::CreditNote(note_id), target, stamp);
        if let Some(note) = self.credit_notes.get_mut(note_id)
            && note.remind_amount.0.is_zero()
        {
            note.status = CreditNoteStatus::Refunded;
            note.payment_id = payment.id;
            note.date_payment = payment.date;
        }
    }

    /// Writes the invoice into a payment that names none, when it closed exactly one of the same amount; so a
    /// payment's invoice is often empty although it paid one, and readers must look at the relations.
    fn tie_to_invoice(&mut self, id: i64) {
        let Some(payment) = self.payments.get(id) else {
            return;
        };
        let named_document = named(payment.invoice_id).or(named(payment.request_id));
        if !self.rules.tie_equal_payments || named_document.is_some() {
            return;
        }
        let mut paid = self
            .relations
            .of(payment.customer_id)
            .filter(|relation| relation.payer() == Payer::Payment(id));
        let (Some(only), None) = (paid.next(), paid.next()) else {
            return;
        };
        let whole = only
            .invoice_id
            .and_then(|invoice| self.invoices.get(invoice))
            .filter(|invoice| invoice.total.0 == payment.amount.0 && !invoice.is_open())
            .map(|invoice| invoice.id);
        if let Some(payment) = self.payments.get_mut(id) {
            payment.invoice_id = whole;
        }
    }

    fn mark_proforma(&mut self, payment: &Payment, stamp: &Stamp) {
        if let Some(proforma) = named(payment.request_id).and_then(|id| self.proformas.get_mut(id))
            && payment.amount.0 >= proforma.total.0
        {
            proforma.status = ProformaStatus::Paid;
            proforma.payment_id = payment.id;
            proforma.date_payment = payment.date;
            proforma.date_updated = Some(stamp.day());
        }
    }

    /// Replaces a payment by an edited one. Where its money or its document changed, it is taken out of the
    /// books and entered anew.
    pub fn change_payment(
        &mut self,
        id: i64,
        edited: Payment,
        description: &str,
        stamp: &Stamp,
    ) -> Result<(), Refusal> {
        let before = self
            .payments
            .get(id)
            .ok_or_else(Refusal::not_found)?
            .clone();
        if before.customer_id != edited.customer_id {
            return Err(Refusal::invalid(
                "customer_id",
                "Customer ID of a payment cannot be changed.",
            ));
        }
        let same_money = before.amount == edited.amount
            && before.invoice_id == edited.invoice_id
            && before.credit_note_id == edited.credit_note_id
            && before.request_id == edited.request_id;
        if same_money {
            if let Some(transaction) = before
                .transaction_id
                .and_then(|transaction| self.transactions.get_mut(transaction))
            {
                transaction.date = edited.date;
                description.clone_into(&mut transaction.description);
            }
            let mut after = edited;
            after.updated_at = Some(stamp.at);
            self.payments.put(after);
            return Ok(());
        }
        if named(before.credit_note_id)
            .or(named(edited.credit_note_id))
            .is_some()
        {
            return Err(Refusal::invalid(
                "amount",
                "The refund of a credit note cannot be changed, only deleted.",
            ));
        }
        self.check_payment(&edited)?;
        self.withdraw_payment(&before, stamp);
        self.payments.put(edited);
        self.enter_payment(id, description, stamp);
        Ok(())
    }

    /// Deletes a payment; what it paid is open again.
    pub fn delete_payment(&mut self, id: i64, stamp: &Stamp) -> Result<(), Refusal> {
        let payment = self
            .payments
            .get(id)
            .ok_or_else(Refusal::not_found)?
            .clone();
        self.withdraw_payment(&payment, stamp);
        self.payments.remove(id);
        self.forget_payer(Payer::Payment(id), payment.customer_id);
        Ok(())
    }

    fn withdraw_payment(&mut self, payment: &Payment, stamp: &Stamp) {
        self.release_payer(Payer::Payment(payment.id), stamp);
        // Takes the refund's coverage with it, so a refunded credit note gets its rest back.
        if let Some(transaction) = payment.transaction_id {
            self.unpost(transaction, stamp);
        }
        if let Some(note) =
            named(payment.credit_note_id).and_then(|id| self.credit_notes.get_mut(id))
            && note.payment_id == payment.id
        {
            note.status = CreditNoteStatus::NotRefunded;
            note.payment_id = 0;
            note.date_payment = None;
        }
        if let Some(proforma) = named(payment.request_id).and_then(|id| self.proformas.get_mut(id))
            && proforma.payment_id == payment.id
        {
            proforma.status = ProformaStatus::NotPaid;
            proforma.payment_id = 0;
            proforma.date_payment = None;
            proforma.date_updated = Some(stamp.day());
        }
    }
}

/// A link, where 0 and null both mean none.
pub(super) fn named(id: Option<i64>) -> Option<i64> {
    id.filter(|id| *id != 0)
}
