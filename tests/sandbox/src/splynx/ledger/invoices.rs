//! Invoices: what making, editing and deleting one does to the books.

use rust_decimal::Decimal;

use super::{Ledger, Stamp, automatic};
use crate::splynx::model::document::{line_totals, settle_items};
use crate::splynx::model::{
    Direction, Invoice, InvoiceStatus, Item, Proforma, Target, Transaction,
};
use crate::splynx::refusal::Refusal;
use crate::splynx::wire::{Amount, Money, round};

impl Ledger {
    /// Makes an invoice: its charges, and its payment from the balance where the installation does that.
    pub fn create_invoice(&mut self, mut invoice: Invoice, stamp: &Stamp) -> Result<i64, Refusal> {
        self.require_customer(invoice.customer_id)?;
        if matches!(invoice.status, InvoiceStatus::Paid | InvoiceStatus::Deleted) {
            return Err(Refusal::invalid(
                "status",
                "Status of a new invoice must be not_paid or pending.",
            ));
        }
        self.price_invoice(&mut invoice)?;
        invoice.date_created.get_or_insert(stamp.day());
        invoice.real_create_datetime = Some(stamp.at);
        invoice.added_by = stamp.by.to_owned();
        invoice.added_by_id = stamp.by_id;
        let customer = invoice.customer_id;
        let id = self.invoices.add(invoice);
        self.enter_invoice(id, stamp);
        if self.rules.pay_from_balance
            && self.invoices.get(id).is_some_and(|i| i.use_transactions.0)
        {
            self.cover_from_balance(Target::Invoice(id), customer, stamp);
        }
        Ok(id)
    }

    /// Computes lines and total, and checks what the installation takes.
    fn price_invoice(&mut self, invoice: &mut Invoice) -> Result<(), Refusal> {
        let total = settle_items(&mut invoice.items, invoice.rounding);
        if total < Decimal::ZERO && !self.rules.negative_invoices {
            return Err(Refusal::invalid("total", "Total must be no less than 0."));
        }
        self.number_items(&mut invoice.items);
        invoice.total = Amount(total);
        Ok(())
    }

    pub(super) fn number_items(&mut self, items: &mut [Item]) {
        for item in items.iter_mut().filter(|item| item.id == 0) {
            self.last_item_id += 1;
            item.id = self.last_item_id;
        }
    }

    /// Puts a priced invoice into the books: what is due, and a transaction for each line.
    fn enter_invoice(&mut self, id: i64, stamp: &Stamp) {
        let Some(invoice) = self.invoices.get_mut(id) else {
            return;
        };
        invoice.touch(stamp.day());
        invoice.due = Amount(invoice.total.0.max(Decimal::ZERO));
        if invoice.due.0.is_zero() {
            invoice.status = InvoiceStatus::Paid;
            invoice.date_payment = invoice.date_created;
        } else if invoice.status == InvoiceStatus::Paid {
            invoice.status = InvoiceStatus::NotPaid;
            invoice.date_payment = None;
        }
        if invoice.use_transactions.0 {
            let invoice = invoice.clone();
            let ids: Vec<i64> = self
                .lines(&invoice)
                .into_iter()
                .map(|line| self.post(line))
                .collect();
            if let Some(invoice) = self.invoices.get_mut(id) {
                for (item, transaction) in invoice.items.iter_mut().zip(ids) {
                    item.transaction_id = Some(transaction);
                }
            }
            self.spread_over_lines(id);
        }
        self.index_invoice(id);
    }

    /// The transactions of an invoice's lines: charges, and credits for discounts. Below zero in total, the
    /// credits keep what exceeds the charges, to be spent on other invoices.
    fn lines(&self, invoice: &Invoice) -> Vec<Transaction> {
        let mut surplus = -invoice.total.0.min(Decimal::ZERO);
        let shares = line_totals(&invoice.items, invoice.total.0);
        let day = invoice.date_created.unwrap_or_default();
        let mut lines = Vec::with_capacity(shares.len());
        for (item, share) in invoice.items.iter().zip(shares) {
            let kind = if share < Decimal::ZERO {
                Direction::Credit
            } else {
                Direction::Debit
            };
            let mut line = automatic(invoice.customer_id, kind, share.abs(), day);
            // The column for the quantity holds whole units only.
            (line.quantity, line.price) = if item.quantity.0.is_integer() {
                (item.quantity, item.price)
            } else {
                (Amount(Decimal::ONE), Money(round(item.net(), 4)))
            };
            if kind == Direction::Credit {
                line.remind_amount = Money(surplus.min(line.total.0));
                surplus -= line.remind_amount.0;
            }
            line.unit.clone_from(&item.unit);
            line.tax_percent = item.tax;
            line.tax_id = item.tax_id;
            line.category = item.category_id.unwrap_or(self.item_category);
            line.description = item.description.chars().take(255).collect();
            line.period_from = item.period_from;
            line.period_to = item.period_to;
            line.invoice_id = Some(invoice.id);
            line.invoiced_by_id = Some(invoice.id);
            line.sub_account_id = item.sub_account_id;
            lines.push(line);
        }
        lines
    }

    fn unpost_lines(&mut self, id: i64, stamp: &Stamp) {
        let lines: Vec<i64> = self
            .invoices
            .get(id)
            .map(|invoice| {
                invoice
                    .items
                    .iter()
                    .filter_map(|i| i.transaction_id)
                    .collect()
            })
            .unwrap_or_default();
        for line in lines {
            self.unpost(line, stamp);
        }
        if let Some(invoice) = self.invoices.get_mut(id) {
            for item in &mut invoice.items {
                item.transaction_id = None;
            }
        }
    }

    /// Replaces an invoice by an edited one. How much may change depends on what was paid (Splynx API, editing
    /// and deleting): all of an unpaid one, head data of a partly paid one, notes of a paid one.
    pub fn change_invoice(
        &mut self,
        id: i64,
        edited: Invoice,
        stamp: &Stamp,
    ) -> Result<(), Refusal> {
        let before = self
            .invoices
            .get(id)
            .ok_or_else(Refusal::not_found)?
            .clone();
        let refuse = |field: &str| {
            Err(Refusal::invalid(
                field,
                "This invoice cannot be edited any more: it has payments or is deleted.",
            ))
        };
        if edited.status == InvoiceStatus::Deleted && before.status != InvoiceStatus::Deleted {
            return self.mark_invoice_deleted(id, stamp);
        }
        let paid = matches!(before.status, InvoiceStatus::Paid | InvoiceStatus::Deleted);
        let untouched =
            !self.has_payers(id, before.customer_id) && before.status != InvoiceStatus::Deleted;
        let same_money = before.use_transactions == edited.use_transactions
            && before.items.len() == edited.items.len()
            && before
                .items
                .iter()
                .zip(&edited.items)
                .all(|(a, b)| same_line(a, b));
        let changes_hands = before.customer_id != edited.customer_id;
        if changes_hands && !(self.rules.invoices_change_hands && untouched) {
            return refuse("customer_id");
        }
        if !same_money && !untouched {
            return refuse("items");
        }
        if before.status != edited.status && (paid || edited.status == InvoiceStatus::Paid) {
            return refuse("status");
        }
        let same_head = before.number == edited.number
            && before.date_created == edited.date_created
            && before.date_till == edited.date_till
            && before.date_payment == edited.date_payment;
        if paid && !untouched && !same_head && !self.rules.paid_invoices_change {
            return refuse("number");
        }
        let mut after = edited;
        if same_money && !changes_hands {
            after.touch(stamp.day());
            self.invoices.put(after);
            self.index_invoice(id);
            return Ok(());
        }
        self.require_customer(after.customer_id)?;
        self.price_invoice(&mut after)?;
        self.unpost_lines(id, stamp);
        if changes_hands {
            self.forget_invoice(id, before.customer_id);
        }
        for item in &mut after.items {
            item.transaction_id = None;
        }
        self.invoices.put(after);
        self.enter_invoice(id, stamp);
        Ok(())
    }

    /// "Mark as deleted": the record stays, its charges go.
    fn mark_invoice_deleted(&mut self, id: i64, stamp: &Stamp) -> Result<(), Refusal> {
        self.open_for_deletion(id)?;
        self.release_target(Target::Invoice(id), stamp);
        self.unpost_lines(id, stamp);
        if let Some(invoice) = self.invoices.get_mut(id) {
            invoice.status = InvoiceStatus::Deleted;
            invoice.due = Amount(Decimal::ZERO);
            invoice.touch(stamp.day());
        }
        self.index_invoice(id);
        Ok(())
    }

    /// "Delete completely": nothing stays.
    pub fn delete_invoice(&mut self, id: i64, stamp: &Stamp) -> Result<(), Refusal> {
        self.open_for_deletion(id)?;
        self.release_target(Target::Invoice(id), stamp);
        self.unpost_lines(id, stamp);
        if let Some(gone) = self.invoices.remove(id) {
            self.forget_invoice(id, gone.customer_id);
        }
        Ok(())
    }

    fn open_for_deletion(&self, id: i64) -> Result<(), Refusal> {
        let invoice = self.invoices.get(id).ok_or_else(Refusal::not_found)?;
        if invoice.status == InvoiceStatus::Paid && self.has_payers(id, invoice.customer_id) {
            return Err(Refusal::cannot_delete(
                "The invoice is paid: delete its payments first.",
            ));
        }
        Ok(())
    }

    /// Makes a proforma invoice, which moves nothing in the books.
    pub fn create_proforma(
        &mut self,
        mut proforma: Proforma,
        stamp: &Stamp,
    ) -> Result<i64, Refusal> {
        self.require_customer(proforma.customer_id)?;
        proforma.date_created.get_or_insert(stamp.day());
        proforma.real_create_datetime = Some(stamp.at);
        proforma.added_by = stamp.by.to_owned();
        proforma.added_by_id = stamp.by_id;
        self.price_proforma(&mut proforma, stamp);
        Ok(self.proformas.add(proforma))
    }

    pub fn price_proforma(&mut self, proforma: &mut Proforma, stamp: &Stamp) {
        proforma.total = Amount(settle_items(&mut proforma.items, Default::default()));
        self.number_items(&mut proforma.items);
        proforma.date_updated = Some(stamp.day());
    }
}

/// Whether two lines mean the same money and the same text.
fn same_line(a: &Item, b: &Item) -> bool {
    a.id == b.id
        && a.description == b.description
        && a.quantity == b.quantity
        && a.unit == b.unit
        && a.price == b.price
        && a.tax == b.tax
        && a.tax_id == b.tax_id
        && a.category_id == b.category_id
        && a.period_from == b.period_from
        && a.period_to == b.period_to
        && a.sub_account_id == b.sub_account_id
}
