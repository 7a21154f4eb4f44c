//! Transactions that people or clients enter by themselves: loose charges and credits.

use rust_decimal::Decimal;

use super::{Ledger, Stamp};
use crate::splynx::model::money::Source;
use crate::splynx::model::{Direction, Payer, Transaction};
use crate::splynx::refusal::Refusal;
use crate::splynx::wire::{Amount, Money, round};

impl Ledger {
    /// Enters a loose transaction. A credit is spent like a payment; a charge waits for the next payment.
    pub fn create_transaction(
        &mut self,
        mut transaction: Transaction,
        stamp: &Stamp,
    ) -> Result<i64, Refusal> {
        self.require_customer(transaction.customer_id)?;
        price(&mut transaction)?;
        transaction.source = Source::Manual;
        let id = self.transactions.next_id();
        transaction.id = id;
        self.enter_transaction(transaction, stamp);
        Ok(id)
    }

    fn enter_transaction(&mut self, transaction: Transaction, stamp: &Stamp) {
        let (id, customer, kind) = (transaction.id, transaction.customer_id, transaction.kind);
        self.post(transaction);
        if kind == Direction::Credit {
            self.spend(Payer::Transaction(id), customer, None, stamp);
        }
    }

    /// Replaces a transaction by an edited one; money changes only on a loose one of which nothing is used.
    pub fn change_transaction(
        &mut self,
        id: i64,
        edited: Transaction,
        stamp: &Stamp,
    ) -> Result<(), Refusal> {
        let before = self.transactions.get(id).ok_or_else(Refusal::not_found)?;
        let same_money = before.customer_id == edited.customer_id
            && before.kind == edited.kind
            && before.quantity == edited.quantity
            && before.price == edited.price
            && before.tax_percent == edited.tax_percent;
        if same_money {
            self.transactions.put(edited);
            return Ok(());
        }
        let unused = before.remind_amount == before.total;
        if !is_loose(before) || !unused || before.customer_id != edited.customer_id {
            return Err(Refusal::invalid(
                "price",
                "The amount of this transaction cannot be edited any more.",
            ));
        }
        let mut after = edited;
        price(&mut after)?;
        self.unpost(id, stamp);
        self.enter_transaction(after, stamp);
        Ok(())
    }

    /// Deletes a loose transaction; those of documents and payments go with them only.
    pub fn delete_transaction(&mut self, id: i64, stamp: &Stamp) -> Result<(), Refusal> {
        let transaction = self.transactions.get(id).ok_or_else(Refusal::not_found)?;
        if !is_loose(transaction) {
            return Err(Refusal::cannot_delete(
                "The transaction belongs to a document or a payment.",
            ));
        }
        self.unpost(id, stamp);
        Ok(())
    }
}

fn is_loose(transaction: &Transaction) -> bool {
    transaction.invoice_id.is_none()
        && transaction.payment_id.is_none()
        && transaction.credit_note_id.is_none()
}

/// Computes the gross total, all of which is still open.
fn price(transaction: &mut Transaction) -> Result<(), Refusal> {
    if transaction.quantity.0.is_zero() {
        transaction.quantity = Amount(Decimal::ONE);
    }
    let net = transaction.quantity.0 * transaction.price.0;
    let gross = round(
        net * (Decimal::ONE + transaction.tax_percent.0 / Decimal::ONE_HUNDRED),
        2,
    );
    if gross < Decimal::ZERO {
        return Err(Refusal::invalid("price", "Price must be no less than 0."));
    }
    transaction.total = Money(gross);
    transaction.remind_amount = transaction.total;
    Ok(())
}
