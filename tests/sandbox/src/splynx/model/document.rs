//! Invoices, proforma invoices and credit notes, with their lines.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::isp::Rounding;
use crate::splynx::record::{Additional, Record, choices, record};
use crate::splynx::wire::{Amount, Day, Flag, Moment, Money, Style, round};

choices! {
    InvoiceStatus { NotPaid = "not_paid", Paid = "paid", Pending = "pending", Deleted = "deleted" }
}

choices! {
    InvoiceType { OneTime = "one_time", Recurring = "recurring" }
}

choices! {
    ProformaStatus { NotPaid = "not_paid", Paid = "paid", Pending = "pending" }
}

choices! {
    /// `closed` (used up on invoices) is a state of the screens; whether the API knows it is a switch.
    CreditNoteStatus {
        NotRefunded = "not_refunded", Refunded = "refunded", Closed = "closed", Deleted = "deleted",
    }
}

record! {
    /// A line: `price` is net, `tax` is the percentage, `tax_amount` is not rounded to cents.
    Item {
        id: i64 = Shown "ID";
        pos: i64 = Shown "Position";
        description: String = Must(256) "Description";
        /// One where a client names none.
        quantity: Amount = May "Quantity";
        unit: String = May(32) "Unit";
        price: Money = May "Price";
        tax: Money = May "VAT %";
        tax_amount: Amount = Shown "VAT";
        tax_id: i64 = May "Tax";
        period_from: Day = May "Period from";
        period_to: Day = May "Period to";
        transaction_id: Option<i64> = Shown "Transaction ID";
        category_id as "categoryIdForTransaction": Option<i64> = May "Transaction category";
        sub_account_id: i64 = May "Sub-account";
        /// Credit notes only: the invoice line that is credited.
        invoice_item_id: Option<i64> = May "Invoice item";
    }
}

impl Item {
    /// Net amount of the line, exact.
    pub fn net(&self) -> Decimal {
        self.quantity.0 * self.price.0
    }

    /// Tax of the line, exact.
    fn exact_tax(&self) -> Decimal {
        self.net() * self.tax.0 / Decimal::ONE_HUNDRED
    }

    /// Gross amount of the line, exact.
    pub fn gross(&self) -> Decimal {
        self.net() + self.exact_tax()
    }
}

/// Numbers the lines and computes their tax; the document's total under a rounding.
pub fn settle_items(items: &mut [Item], rounding: Rounding) -> Decimal {
    let mut total = Decimal::ZERO;
    for (index, item) in items.iter_mut().enumerate() {
        item.pos = i64::try_from(index + 1).expect("fewer lines than i64 holds");
        item.tax_amount = Amount(round(item.exact_tax(), 4));
        total += match rounding {
            Rounding::PerLine => round(item.gross(), 2),
            Rounding::AtEnd => item.gross(),
        };
    }
    round(total, 2)
}

/// Each line's share of the document's total in cents. What rounding at the end leaves over lies on the last
/// line, so that the shares always sum to the total.
pub fn line_totals(items: &[Item], total: Decimal) -> Vec<Decimal> {
    let mut shares: Vec<Decimal> = items.iter().map(|item| round(item.gross(), 2)).collect();
    let rest = total - shares.iter().sum::<Decimal>();
    if let Some(last) = shares.last_mut() {
        *last += rest;
    }
    shares
}

fn nest_items(object: &mut Map<String, Value>, items: &[Item], style: Style, credit: bool) {
    let lines = items.iter().map(|item| {
        let mut line = item.wire(style);
        if !credit {
            line.remove("invoice_item_id");
        }
        Value::Object(line)
    });
    object.insert("items".to_owned(), lines.collect());
}

record! {
    /// `admin/finance/invoices`
    Invoice {
        id: i64 = Shown "ID";
        customer_id: i64 = Must "Customer ID";
        number: String = May(64) "Number";
        date_created: Day = May "Date created";
        real_create_datetime: Moment = Shown "Real create date & time";
        /// Precision of a day.
        date_updated: Day = Shown "Date updated";
        date_payment: Day = May "Payment date";
        date_till: Day = May "Payment due date";
        total: Amount = Shown "Total";
        due: Amount = Shown "Due";
        status: InvoiceStatus = Must "Status";
        payment_id: i64 = Shown "Payment ID";
        payd_from_deposit: Flag = Shown "Paid from deposit";
        is_sent: Flag = May "Is sent";
        use_transactions: Flag = May "Use transactions";
        kind as "type": InvoiceType = May "Type";
        note: String = May "Note";
        memo: String = May "Memo";
        added_by: String = Shown "Added by";
        added_by_id: i64 = Shown "Added by ID";
    }
    plus {
        items: Vec<Item>,
        additional: Additional,
        rounding: Rounding,
    }
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
        fn nest(&self, object: &mut Map<String, Value>, style: Style) {
            nest_items(object, &self.items, style, false);
        }
    }
}

impl Invoice {
    /// What has been allocated to it.
    pub fn covered(&self) -> Decimal {
        self.total.0 - self.due.0
    }

    /// Whether money can still be allocated to it.
    pub fn is_open(&self) -> bool {
        self.due.0 > Decimal::ZERO && self.status != InvoiceStatus::Deleted
    }

    pub fn touch(&mut self, day: NaiveDate) {
        self.date_updated = Some(day);
    }
}

record! {
    /// `admin/finance/proforma-invoices`: no accounting document, it moves no balance.
    Proforma {
        id: i64 = Shown "ID";
        customer_id: i64 = Must "Customer ID";
        number: String = May(64) "Number";
        date_created: Day = May "Date created";
        real_create_datetime: Moment = Shown "Real create date & time";
        date_updated: Day = Shown "Date updated";
        date_payment: Day = Shown "Payment date";
        date_till: Day = May "Payment due date";
        total: Amount = Shown "Total";
        payment_id: i64 = Shown "Payment ID";
        status: ProformaStatus = Must "Status";
        is_sent: Flag = May "Is sent";
        note: String = May "Note";
        memo: String = May "Memo";
        is_crm_request: Flag = Shown "Is CRM request";
        added_by: String = Shown "Added by";
        added_by_id: i64 = Shown "Added by ID";
    }
    plus { items: Vec<Item> }
    impl {
        fn customer(&self) -> Option<i64> {
            Some(self.customer_id)
        }
        fn nest(&self, object: &mut Map<String, Value>, style: Style) {
            const LINE: [&str; 8] = [
                "description", "quantity", "unit", "price", "tax", "period_from", "period_to",
                "sub_account_id",
            ];
            let lines = self.items.iter().map(|item| {
                Item::FIELDS
                    .iter()
                    .filter(|field| LINE.contains(&field.name))
                    .map(|field| (field.name.to_owned(), (field.get)(item).json(style)))
                    .collect::<Value>()
            });
            object.insert("items".to_owned(), lines.collect());
        }
    }
}

record! {
    /// `admin/finance/credit-notes`. The linked invoice is write-only: readers find it in the relations.
    CreditNote {
        id: i64 = Shown "ID";
        customer_id: i64 = Must "Customer ID";
        number: String = May(64) "Number";
        date_created: Day = May "Date created";
        real_create_datetime: Moment = Shown "Real create date & time";
        date_updated: Day = Shown "Date updated";
        date_payment: Day = May "Payment date";
        payment_id: i64 = Shown "Payment ID";
        status: CreditNoteStatus = Must "Status";
        total: Amount = Shown "Total";
        remind_amount: Money = Shown "Unallocated amount";
        note: String = May "Note";
        is_sent: Flag = May "Is sent";
        added_by: String = Shown "Added by";
        added_by_id: i64 = Shown "Added by ID";
    }
    plus {
        items: Vec<Item>,
        additional: Additional,
        rounding: Rounding,
        /// Its credit in the ledger; 0 once it is deleted.
        transaction_id: i64,
    }
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
        fn nest(&self, object: &mut Map<String, Value>, style: Style) {
            nest_items(object, &self.items, style, true);
        }
    }
}
