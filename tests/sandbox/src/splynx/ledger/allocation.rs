//! Which money covers what: relations, and the rests on both sides of them.

use rust_decimal::Decimal;

use super::{Ledger, Stamp, mark};
use crate::splynx::model::{CreditNoteStatus, Direction, InvoiceStatus, Payer, Relation, Target};
use crate::splynx::wire::Flag;

/// How an invoice comes to be paid; it shows on the invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// Money came in, or a credit note was made for it.
    Incoming,
    /// The invoice was made while the customer had a balance.
    FromBalance,
}

impl Ledger {
    /// Spends a payer's rest: on the invoice named first, then on loose charges, then on invoices, each in the
    /// order of creation. What is left stays on the balance; no invoice is overpaid.
    pub(super) fn spend(&mut self, payer: Payer, customer: i64, first: Option<i64>, stamp: &Stamp) {
        let unsettled = self.unsettled.entry(customer).or_default();
        let targets: Vec<Target> = first
            .map(Target::Invoice)
            .into_iter()
            .chain(unsettled.charges.iter().copied().map(Target::Transaction))
            .chain(unsettled.invoices.iter().copied().map(Target::Invoice))
            .collect();
        for target in targets {
            if self.rest(payer).is_zero() {
                break;
            }
            self.allocate(payer, target, Occasion::Incoming, stamp);
        }
    }

    /// Spends a payer's rest on one target only.
    pub(super) fn spend_on(&mut self, payer: Payer, target: Target, stamp: &Stamp) {
        self.allocate(payer, target, Occasion::Incoming, stamp);
    }

    /// Covers a target from whatever the customer has on the balance, the oldest money first.
    pub(super) fn cover_from_balance(&mut self, target: Target, customer: i64, stamp: &Stamp) {
        let mut payers: Vec<_> = self
            .unsettled
            .entry(customer)
            .or_default()
            .payers
            .iter()
            .copied()
            .collect();
        payers.sort_by_key(|payer| (self.money_date(*payer), *payer));
        for payer in payers {
            if self.open(target).is_zero() {
                break;
            }
            self.allocate(payer, target, Occasion::FromBalance, stamp);
        }
    }

    fn allocate(&mut self, payer: Payer, target: Target, occasion: Occasion, stamp: &Stamp) {
        let amount = self.rest(payer).min(self.open(target));
        let Some(customer) = self.owner(target).filter(|_| amount > Decimal::ZERO) else {
            return;
        };
        self.relations
            .add(Relation::new(customer, payer, target, amount));
        self.shift_rest(payer, -amount, stamp);
        self.shift_open(target, -amount, stamp);
        if let Target::Invoice(id) = target {
            self.close_invoice(id, payer, occasion, stamp);
        }
    }

    /// Marks an invoice as paid when nothing is due any more.
    fn close_invoice(&mut self, id: i64, payer: Payer, occasion: Occasion, stamp: &Stamp) {
        let paid_on = match (payer, occasion) {
            (Payer::Payment(payment), Occasion::Incoming) => {
                self.payments.get(payment).and_then(|p| p.date)
            }
            _ => None,
        };
        let Some(invoice) = self.invoices.get_mut(id).filter(|i| i.due.0.is_zero()) else {
            return;
        };
        invoice.status = InvoiceStatus::Paid;
        invoice.date_payment = paid_on.or(Some(stamp.day()));
        invoice.payd_from_deposit = Flag(occasion == Occasion::FromBalance);
        invoice.payment_id = match (payer, occasion) {
            (Payer::Payment(payment), Occasion::Incoming) => payment,
            _ => 0,
        };
    }

    /// Two payers change places: each settles what the other did, and nothing else of either moves. Only where both settle invoices of one
    /// customer with equal amounts.
    pub fn exchange(&mut self, relations: [i64; 2]) -> bool {
        let [Some(one), Some(other)] = relations.map(|id| self.relations.get(id).cloned()) else {
            return false;
        };
        let (Some(Target::Invoice(first)), Some(Target::Invoice(second))) =
            (one.target(), other.target())
        else {
            return false;
        };
        let is_even = one.amount.0 == other.amount.0 && one.customer_id == other.customer_id;
        if !is_even || first == second {
            return false;
        }
        for id in relations {
            self.relations.remove(id);
        }
        for (relation, invoice) in [(&one, second), (&other, first)] {
            let target = Target::Invoice(invoice);
            let amount = relation.amount.0;
            let made = Relation::new(relation.customer_id, relation.payer(), target, amount);
            self.relations.add(made);
        }
        true
    }

    pub(super) fn release_payer(&mut self, payer: Payer, stamp: &Stamp) {
        let Some(customer) = self.payer_owner(payer) else {
            return;
        };
        self.release_where(customer, |relation| relation.payer() == payer, stamp);
    }

    pub(super) fn release_target(&mut self, target: Target, stamp: &Stamp) {
        let Some(customer) = self.owner(target) else {
            return;
        };
        self.release_where(
            customer,
            |relation| relation.target() == Some(target),
            stamp,
        );
    }

    fn release_where(&mut self, customer: i64, chosen: impl Fn(&Relation) -> bool, stamp: &Stamp) {
        let ids: Vec<i64> = self
            .relations
            .of(customer)
            .filter(|relation| chosen(relation))
            .map(|relation| relation.id)
            .collect();
        for id in ids {
            let Some(relation) = self.relations.remove(id) else {
                continue;
            };
            self.shift_rest(relation.payer(), relation.amount.0, stamp);
            if let Some(target) = relation.target() {
                self.shift_open(target, relation.amount.0, stamp);
                if let Target::Invoice(invoice) = target {
                    self.reopen_invoice(invoice);
                }
            }
        }
    }

    fn reopen_invoice(&mut self, id: i64) {
        let Some(invoice) = self.invoices.get_mut(id) else {
            return;
        };
        if invoice.status == InvoiceStatus::Paid {
            invoice.status = InvoiceStatus::NotPaid;
        }
        invoice.date_payment = None;
        invoice.payment_id = 0;
        invoice.payd_from_deposit = Flag(false);
    }

    /// Whether any money has been allocated to an invoice.
    pub(super) fn has_payers(&self, invoice: i64, customer: i64) -> bool {
        self.relations
            .of(customer)
            .any(|relation| relation.invoice_id == Some(invoice))
    }

    /// What a payer has left to spend.
    fn rest(&self, payer: Payer) -> Decimal {
        match payer {
            Payer::Payment(id) => self.payments.get(id).map(|p| p.remind_amount.0),
            Payer::CreditNote(id) => self.credit_notes.get(id).map(|n| n.remind_amount.0),
            Payer::Transaction(id) => self.transactions.get(id).map(|t| t.remind_amount.0),
        }
        .unwrap_or_default()
    }

    /// What of a target is still to be covered.
    fn open(&self, target: Target) -> Decimal {
        match target {
            Target::Invoice(id) => self
                .invoices
                .get(id)
                .filter(|i| i.is_open())
                .map(|i| i.due.0),
            Target::Transaction(id) => self
                .transactions
                .get(id)
                .filter(|t| t.is_loose_debit())
                .map(|t| t.remind_amount.0),
        }
        .unwrap_or_default()
    }

    fn owner(&self, target: Target) -> Option<i64> {
        match target {
            Target::Invoice(id) => self.invoices.get(id).map(|i| i.customer_id),
            Target::Transaction(id) => self.transactions.get(id).map(|t| t.customer_id),
        }
    }

    fn payer_owner(&self, payer: Payer) -> Option<i64> {
        match payer {
            Payer::Payment(id) => self.payments.get(id).map(|p| p.customer_id),
            Payer::CreditNote(id) => self.credit_notes.get(id).map(|n| n.customer_id),
            Payer::Transaction(id) => self.transactions.get(id).map(|t| t.customer_id),
        }
    }

    fn money_date(&self, payer: Payer) -> Option<chrono::NaiveDate> {
        match payer {
            Payer::Payment(id) => self.payments.get(id).and_then(|p| p.date),
            Payer::CreditNote(id) => self.credit_notes.get(id).and_then(|n| n.date_created),
            Payer::Transaction(id) => self.transactions.get(id).and_then(|t| t.date),
        }
    }

    /// Changes a payer's rest, on itself and on its transaction.
    fn shift_rest(&mut self, payer: Payer, by: Decimal, stamp: &Stamp) {
        let closed_status = self.rules.closed_status;
        let (rest, transaction) = match payer {
            Payer::Payment(id) => {
                let Some(payment) = self.payments.get_mut(id) else {
                    return;
                };
                payment.remind_amount.0 += by;
                payment.updated_at = Some(stamp.at);
                (payment.remind_amount, payment.transaction_id)
            }
            Payer::CreditNote(id) => {
                let Some(note) = self.credit_notes.get_mut(id) else {
                    return;
                };
                note.remind_amount.0 += by;
                note.date_updated = Some(stamp.day());
                note.status = match (note.status, note.remind_amount.0.is_zero()) {
                    (CreditNoteStatus::NotRefunded, true) if closed_status => {
                        CreditNoteStatus::Closed
                    }
                    (CreditNoteStatus::Closed, false) => CreditNoteStatus::NotRefunded,
                    (status, _) => status,
                };
                (note.remind_amount, Some(note.transaction_id))
            }
            Payer::Transaction(id) => {
                if let Some(transaction) = self.transactions.get_mut(id) {
                    transaction.remind_amount.0 += by;
                }
                self.index_transaction(id);
                return;
            }
        };
        if let Some(mirror) = transaction.and_then(|id| self.transactions.get_mut(id)) {
            mirror.remind_amount = rest;
        }
        self.index_payer(payer);
    }

    /// Keeps the list of payers with a rest in step with a payment or credit note.
    pub(super) fn index_payer(&mut self, payer: Payer) {
        if let Some(customer) = self.payer_owner(payer) {
            let has_rest = self.rest(payer) > Decimal::ZERO;
            let unsettled = self.unsettled.entry(customer).or_default();
            mark(&mut unsettled.payers, payer, has_rest);
        }
    }

    pub(super) fn forget_payer(&mut self, payer: Payer, customer: i64) {
        self.unsettled
            .entry(customer)
            .or_default()
            .payers
            .remove(&payer);
    }

    fn shift_open(&mut self, target: Target, by: Decimal, stamp: &Stamp) {
        match target {
            Target::Invoice(id) => {
                if let Some(invoice) = self.invoices.get_mut(id) {
                    invoice.due.0 += by;
                    invoice.touch(stamp.day());
                }
                self.index_invoice(id);
                self.spread_over_lines(id);
            }
            Target::Transaction(id) => {
                if let Some(transaction) = self.transactions.get_mut(id) {
                    transaction.remind_amount.0 += by;
                }
                self.index_transaction(id);
            }
        }
    }

    /// Keeps the list of open invoices in step with an invoice. One without transactions is not part of the
    /// balance, so only a payment that names it pays it [assumed].
    pub(super) fn index_invoice(&mut self, id: i64) {
        let Some(invoice) = self.invoices.get(id) else {
            return;
        };
        let waits = invoice.is_open() && invoice.use_transactions.0;
        let unsettled = self.unsettled.entry(invoice.customer_id).or_default();
        mark(&mut unsettled.invoices, id, waits);
    }

    pub(super) fn forget_invoice(&mut self, id: i64, customer: i64) {
        self.unsettled
            .entry(customer)
            .or_default()
            .invoices
            .remove(&id);
    }

    /// Writes the open part of an invoice onto its charges, the first lines being covered first; the credits
    /// among the lines cover the charges beside them.
    pub(super) fn spread_over_lines(&mut self, invoice: i64) {
        let Some(invoice) = self.invoices.get(invoice) else {
            return;
        };
        let lines: Vec<i64> = invoice
            .items
            .iter()
            .filter_map(|item| item.transaction_id)
            .collect();
        let credits: Decimal = lines
            .iter()
            .filter_map(|id| self.transactions.get(*id))
            .filter(|line| line.kind == Direction::Credit)
            .map(|line| line.total.0)
            .sum();
        let mut cover = invoice.covered() + credits;
        for id in lines {
            let Some(line) = self.transactions.get_mut(id) else {
                continue;
            };
            if line.kind == Direction::Debit {
                let covered = cover.min(line.total.0);
                line.remind_amount.0 = line.total.0 - covered;
                cover -= covered;
            }
        }
    }
}
