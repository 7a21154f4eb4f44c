//! Credit notes: a credit that first goes to the invoice it is linked to; its rest can be refunded.

use rust_decimal::Decimal;

use super::{Ledger, Stamp, automatic, category};
use crate::splynx::model::document::settle_items;
use crate::splynx::model::{CreditNote, CreditNoteStatus, Direction, Payer, Payment, Target};
use crate::splynx::refusal::Refusal;
use crate::splynx::wire::{Amount, Money};

/// How the rest of a credit note is paid out.
pub struct Refund {
    pub method: i64,
    pub receipt_number: String,
}

impl Ledger {
    /// Makes a credit note and pays with it the invoice that it is linked to, as far as that is open.
    pub fn create_credit_note(
        &mut self,
        mut note: CreditNote,
        invoice: Option<i64>,
        stamp: &Stamp,
    ) -> Result<i64, Refusal> {
        let customer = note.customer_id;
        self.require_customer(customer)?;
        if note.status != CreditNoteStatus::NotRefunded {
            return Err(Refusal::invalid(
                "status",
                "Status of a new credit note must be not_refunded.",
            ));
        }
        if let Some(id) = invoice
            && self
                .invoices
                .get(id)
                .is_none_or(|i| i.customer_id != customer)
        {
            return Err(Refusal::invalid("invoicesId", "Invoice is invalid."));
        }
        self.price_credit_note(&mut note)?;
        note.date_created.get_or_insert(stamp.day());
        note.real_create_datetime = Some(stamp.at);
        note.added_by = stamp.by.to_owned();
        note.added_by_id = stamp.by_id;
        let id = self.credit_notes.add(note);
        self.enter_credit_note(id, stamp);
        if let Some(invoice) = invoice {
            self.spend_on(Payer::CreditNote(id), Target::Invoice(invoice), stamp);
        }
        Ok(id)
    }

    fn price_credit_note(&mut self, note: &mut CreditNote) -> Result<(), Refusal> {
        let total = settle_items(&mut note.items, note.rounding);
        if total < Decimal::ZERO {
            return Err(Refusal::invalid("total", "Total must be no less than 0."));
        }
        self.number_items(&mut note.items);
        note.total = Amount(total);
        Ok(())
    }

    /// Puts a priced credit note into the books: one credit over its total.
    fn enter_credit_note(&mut self, id: i64, stamp: &Stamp) {
        let Some(note) = self.credit_notes.get_mut(id) else {
            return;
        };
        note.date_updated = Some(stamp.day());
        note.remind_amount = Money(note.total.0);
        let day = note.date_created.unwrap_or(stamp.day());
        let mut credit = automatic(note.customer_id, Direction::Credit, note.total.0, day);
        credit.category = category::CORRECTION;
        credit.description = format!("Credit note {}", note.number);
        credit.credit_note_id = Some(id);
        credit.remind_amount = note.remind_amount;
        let transaction = self.post(credit);
        if let Some(note) = self.credit_notes.get_mut(id) {
            note.transaction_id = transaction;
            for item in &mut note.items {
                item.transaction_id = Some(transaction);
            }
        }
        self.index_payer(Payer::CreditNote(id));
    }

    /// Replaces a credit note by an edited one. Its lines and head can change only while nothing of it is used;
    /// `status` refunds or deletes it.
    pub fn change_credit_note(
        &mut self,
        id: i64,
        edited: CreditNote,
        refund: Refund,
        stamp: &Stamp,
    ) -> Result<(), Refusal> {
        let before = self
            .credit_notes
            .get(id)
            .ok_or_else(Refusal::not_found)?
            .clone();
        if edited.status != before.status {
            return match edited.status {
                CreditNoteStatus::Refunded => self.refund_credit_note(id, refund, stamp),
                CreditNoteStatus::Deleted => self.mark_credit_note_deleted(id, stamp),
                CreditNoteStatus::NotRefunded | CreditNoteStatus::Closed => Err(Refusal::invalid(
                    "status",
                    "Status follows from what the credit note was used for.",
                )),
            };
        }
        let same_head = before.customer_id == edited.customer_id
            && before.number == edited.number
            && before.date_created == edited.date_created;
        let same_money = before.items.len() == edited.items.len()
            && before.items.iter().zip(&edited.items).all(|(a, b)| {
                a.id == b.id
                    && a.description == b.description
                    && (a.quantity, a.price, a.tax, a.tax_id)
                        == (b.quantity, b.price, b.tax, b.tax_id)
            });
        let unused = before.status == CreditNoteStatus::NotRefunded
            && before.remind_amount.0 == before.total.0;
        if before.customer_id != edited.customer_id || !(unused || same_head && same_money) {
            return Err(Refusal::invalid(
                "items",
                "This credit note cannot be edited any more: it is used, refunded or deleted.",
            ));
        }
        let mut after = edited;
        after.date_updated = Some(stamp.day());
        if same_money {
            self.credit_notes.put(after);
            return Ok(());
        }
        self.price_credit_note(&mut after)?;
        self.unpost(before.transaction_id, stamp);
        self.credit_notes.put(after);
        self.enter_credit_note(id, stamp);
        Ok(())
    }

    /// Pays the rest of a credit note out: a negative payment.
    pub fn refund_credit_note(
        &mut self,
        id: i64,
        refund: Refund,
        stamp: &Stamp,
    ) -> Result<(), Refusal> {
        let note = self.credit_notes.get(id).ok_or_else(Refusal::not_found)?;
        if note.remind_amount.0 <= Decimal::ZERO {
            return Err(Refusal::invalid("status", "Nothing is left to refund."));
        }
        let payment = Payment {
            customer_id: note.customer_id,
            credit_note_id: Some(id),
            payment_type: refund.method,
            receipt_number: refund.receipt_number,
            date: Some(stamp.day()),
            amount: Money(-note.remind_amount.0),
            comment: format!("Refund of credit note {}", note.number),
            ..Payment::default()
        };
        self.create_payment(payment, "Refund", stamp)?;
        Ok(())
    }

    /// "Mark as deleted": the record stays, its credit goes, what it paid is open again.
    fn mark_credit_note_deleted(&mut self, id: i64, stamp: &Stamp) -> Result<(), Refusal> {
        self.withdraw_credit_note(id, stamp)?;
        if let Some(note) = self.credit_notes.get_mut(id) {
            note.status = CreditNoteStatus::Deleted;
            note.transaction_id = 0;
            note.remind_amount = Money(Decimal::ZERO);
            note.date_updated = Some(stamp.day());
            for item in &mut note.items {
                item.transaction_id = None;
            }
        }
        self.index_payer(Payer::CreditNote(id));
        Ok(())
    }

    /// "Delete completely".
    pub fn delete_credit_note(&mut self, id: i64, stamp: &Stamp) -> Result<(), Refusal> {
        self.withdraw_credit_note(id, stamp)?;
        if let Some(gone) = self.credit_notes.remove(id) {
            self.forget_payer(Payer::CreditNote(id), gone.customer_id);
        }
        Ok(())
    }

    fn withdraw_credit_note(&mut self, id: i64, stamp: &Stamp) -> Result<(), Refusal> {
        let note = self.credit_notes.get(id).ok_or_else(Refusal::not_found)?;
        let transaction = note.transaction_id;
        let refunded = self
            .payments
            .of(note.customer_id)
            .any(|payment| payment.credit_note_id == Some(id));
        if refunded {
            return Err(Refusal::cannot_delete(
                "The credit note is refunded: delete the refund first.",
            ));
        }
        self.release_payer(Payer::CreditNote(id), stamp);
        self.unpost(transaction, stamp);
        Ok(())
    }
}
