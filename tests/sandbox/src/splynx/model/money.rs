//! Transactions, payments and the relations that say which money covered what.

use rust_decimal::Decimal;

use crate::splynx::record::{Additional, choices, record};
use crate::splynx::wire::{Amount, Day, Flag, Moment, Money};

choices! {
    /// From the customer's point of view: a debit is a charge and lowers the balance.
    Direction { Debit = "debit", Credit = "credit" }
}

choices! {
    Source { Manual = "manual", Auto = "auto", Cdr = "cdr", Config = "config" }
}

record! {
    /// `admin/finance/transactions`: `price` is net, `total` gross and never negative for what documents make.
    Transaction {
        id: i64 = Shown "ID";
        customer_id: i64 = Must "Customer ID";
        kind as "type": Direction = Must "Type";
        quantity: Amount = May "Quantity";
        unit: String = May(32) "Unit";
        price: Money = May "Price";
        tax_percent: Money = Must "Tax %";
        total: Money = Shown "Total";
        remind_amount: Money = Shown "Remind amount";
        date: Day = Must "Date";
        category: i64 = Must "Category";
        description: String = Must(255) "Description";
        period_from: Day = May "Period from";
        period_to: Day = May "Period to";
        service_id: Option<i64> = May "Service ID";
        service_type: String = May "Service type";
        payment_id: Option<i64> = Shown "Payment ID";
        credit_note_id: Option<i64> = Shown "Credit note ID";
        invoice_id: Option<i64> = Shown "Invoice ID";
        invoiced_by_id: Option<i64> = Shown "Invoiced by ID";
        to_invoice: bool = May "To invoice";
        source: Source = Shown "Source";
        tax_id: i64 = May "Tax";
        sub_account_id: i64 = May "Sub-account";
        comment: String = May(512) "Comment";
    }
    plus { additional: Additional }
    impl {
        fn customer(&self) -> Option<i64> {
            Some(self.customer_id)
        }
        fn additional(&self) -> Option<&Additional> {
            Some(&self.additional)
        }
        fn additional_mut(&mut self) -> Option<&mut Additional> {
            Some(&mut self.additional)
        }
    }
}

impl Transaction {
    /// What it does to the balance.
    pub fn signed(&self) -> Decimal {
        match self.kind {
            Direction::Credit => self.total.0,
            Direction::Debit => -self.total.0,
        }
    }

    /// A charge that stands on its own, to be covered before invoices are: no line of an invoice.
    pub fn is_loose_debit(&self) -> bool {
        self.kind == Direction::Debit && self.invoice_id.is_none()
    }

    /// A credit that pays by itself: of no payment and no credit note.
    pub fn is_loose_credit(&self) -> bool {
        self.kind == Direction::Credit && self.payment_id.is_none() && self.credit_note_id.is_none()
    }
}

record! {
    /// `admin/finance/payments`; a negative amount is a refund.
    Payment {
        id: i64 = Shown "ID";
        customer_id: i64 = Must "Customer ID";
        invoice_id: Option<i64> = May "Invoice ID";
        credit_note_id: Option<i64> = May "Credit note ID";
        request_id: Option<i64> = May "Proforma invoice ID";
        transaction_id: Option<i64> = Shown "Transaction ID";
        payment_statement_id: Option<i64> = May "Payment statement ID";
        payment_type: i64 = Must "Payment type";
        receipt_number: String = May(32) "Receipt number";
        date: Day = Must "Date";
        real_create_datetime: Moment = Shown "Real create date & time";
        amount: Money = Must "Sum";
        remind_amount: Money = Shown "Unallocated amount";
        comment: String = May(256) "Comment";
        is_sent: Flag = May "Is sent";
        field_1: String = May(512) "Field 1";
        field_2: String = May(512) "Field 2";
        field_3: String = May(512) "Field 3";
        field_4: String = May(512) "Field 4";
        field_5: String = May(512) "Field 5";
        note: String = May "Note";
        memo: String = May "Memo";
        added_by: String = Shown "Added by";
        added_by_id: i64 = Shown "Added by ID";
        /// Changes with every edit and allocation: what clients poll.
        updated_at: Moment = Shown "Updated at";
    }
    plus { additional: Additional }
    impl {
        fn customer(&self) -> Option<i64> {
            Some(self.customer_id)
        }
        fn additional(&self) -> Option<&Additional> {
            Some(&self.additional)
        }
        fn additional_mut(&mut self) -> Option<&mut Additional> {
            Some(&mut self.additional)
        }
    }
}

choices! {
    PayerKind { Payment = "payment", Transaction = "transaction", CreditNote = "credit_note" }
}

/// Whose money it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payer {
    Payment(i64),
    CreditNote(i64),
    /// A credit without payment or credit note.
    Transaction(i64),
}

/// What it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    Invoice(i64),
    /// A charge without invoice.
    Transaction(i64),
}

record! {
    /// `admin/finance/invoice-relations`
    Relation {
        id: i64 = Shown "ID";
        customer_id: i64 = Shown "Customer ID";
        payer_id: i64 = Shown "Payer ID";
        payer_kind as "type": PayerKind = Shown "Type";
        invoice_id: Option<i64> = Shown "Invoice ID";
        transaction_id: Option<i64> = Shown "Transaction ID";
        amount: Amount = Shown "Amount";
    }
    impl {
        fn customer(&self) -> Option<i64> {
            Some(self.customer_id)
        }
    }
}

impl Relation {
    pub fn new(customer_id: i64, payer: Payer, target: Target, amount: Decimal) -> Self {
        let (payer_kind, payer_id) = match payer {
            Payer::Payment(id) => (PayerKind::Payment, id),
            Payer::CreditNote(id) => (PayerKind::CreditNote, id),
            Payer::Transaction(id) => (PayerKind::Transaction, id),
        };
        let (invoice_id, transaction_id) = match target {
            Target::Invoice(id) => (Some(id), None),
            Target::Transaction(id) => (None, Some(id)),
        };
        Relation {
            id: 0,
            customer_id,
            payer_id,
            payer_kind,
            invoice_id,
            transaction_id,
            amount: Amount(amount),
        }
    }

    pub fn payer(&self) -> Payer {
        match self.payer_kind {
            PayerKind::Payment => Payer::Payment(self.payer_id),
            PayerKind::CreditNote => Payer::CreditNote(self.payer_id),
            PayerKind::Transaction => Payer::Transaction(self.payer_id),
        }
    }

    /// `None` cannot come from `new`.
    pub fn target(&self) -> Option<Target> {
        self.invoice_id
            .map(Target::Invoice)
            .or_else(|| self.transaction_id.map(Target::Transaction))
    }
}
