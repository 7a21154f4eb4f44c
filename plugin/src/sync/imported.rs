//! Payments that were made from receipts, beside their receipts: people edit and delete them in Splynx, and a pair is watched from
//! both sides.
//!
//! Beware: a payment that was made smaller frees no money for another one, because a person has said so.

use rust_decimal::Decimal;

use crate::collect::{Map, Set, ToMap, ToSet};
use crate::mark::LineKey;
use crate::money;
use crate::preview::MADE_ABOVE;
use crate::sage::Receipt;
use crate::splynx::{self, Payment};
use crate::sync::receipt_sheet::{Paid, ReceiptSheet};
use crate::sync::receipts::{Allocated, Known};
use crate::sync::statements::{FROM_SAGE, id_key, sheets};
use crate::write::ledger::{Run, RunResult};
use crate::write::record::{Kind, Reason, RecordKey};

/// In place of what a payment says that Splynx no longer has.
const GONE: &str = "gone";

/// A preview has foretold it, and Splynx does not know of it.
fn is_foretold(paid: &Paid) -> bool {
    paid.payment > MADE_ABOVE
}

/// By Splynx's id.
pub type Payments = Map<i64, Payment>;

/// What of a payment its receipt says as well, in one text.
pub fn content(payment: &Payment) -> String {
    content_of(
        payment.amount,
        payment.date,
        payment.customer_id,
        payment.invoice_id,
    )
}

/// The same, of a payment as it is sent.
pub fn content_of(
    amount: Decimal,
    date: chrono::NaiveDate,
    customer: i64,
    invoice: Option<i64>,
) -> String {
    let invoice = invoice.unwrap_or_default();
    format!("{}|{date}|{customer}|{invoice}", amount.normalize())
}

/// The receipts whose payments are no longer what they were when the receipt was judged. Costs no request.
pub fn edited(run: &mut Run, payments: &[&Payment]) -> RunResult<Set<RecordKey>> {
    let ids: Vec<i64> = payments.iter().map(|payment| payment.id).collect();
    let receipts = receipts_of(run, &ids)?;
    let sheets = sheets(run, &receipts.values().copied().collect::<Vec<_>>())?;
    let mut edited = Set::new();
    for payment in payments {
        let receipt = receipts.get(&payment.id);
        let paid = receipt.and_then(|receipt| paid_by(sheets.get(receipt)?, payment.id));
        if let (Some(receipt), Some(paid)) = (receipt, paid)
            && paid.seen != content(payment)
        {
            edited.insert(RecordKey::new(Kind::Receipt, *receipt));
        }
    }
    Ok(edited)
}

/// The receipts that these payments were made from, as far as they were.
pub fn receipts_of(run: &mut Run, payments: &[i64]) -> RunResult<Map<i64, i64>> {
    let keys: Vec<String> = payments.iter().copied().map(id_key).collect();
    let noted = run.cap.get(FROM_SAGE, &keys)?.into_iter();
    let identity = &run.settings.identity;
    let receipts = noted.filter_map(|entry| match identity.line_of(&entry.value)? {
        LineKey::Ours(place) | LineKey::Old(place) => {
            Some((entry.key.parse().ok()?, place.receipt))
        }
        LineKey::Anothers => None,
    });
    Ok(receipts.to_map())
}

fn paid_by(sheet: &ReceiptSheet, payment: i64) -> Option<&Paid> {
    let mut paid = sheet.lines.iter().filter_map(|line| line.paid.as_ref());
    paid.find(|paid| paid.payment == payment)
}

/// The payments of these receipts' lines, as far as Splynx has them.
pub fn of_sheets<'s>(
    run: &mut Run,
    sheets: impl Iterator<Item = &'s ReceiptSheet>,
) -> RunResult<Payments> {
    let paid = sheets.flat_map(|sheet| sheet.lines.iter().filter_map(|line| line.paid.as_ref()));
    let paid = paid.filter(|paid| !is_foretold(paid));
    let ids: Vec<i64> = paid.map(|paid| paid.payment).to_set().into_iter().collect();
    let page = splynx::by_ids::<Payment>(run, &ids)?;
    let payments = page.records.into_iter();
    Ok(payments.map(|payment| (payment.id, payment)).to_map())
}

/// Whether one of a receipt's payments is gone, or not what it was when the receipt was judged.
pub fn is_edited(sheet: &ReceiptSheet, payments: &Payments) -> bool {
    let paid = sheet.lines.iter().filter_map(|line| line.paid.as_ref());
    paid.filter(|paid| !is_foretold(paid)).any(|paid| {
        let now = payments.get(&paid.payment);
        paid.seen != now.map_or_else(|| GONE.to_owned(), content)
    })
}

/// Notes how these payments are now; `all`: one that is not among them is gone.
pub fn note(sheet: &mut ReceiptSheet, payments: &Payments, all: bool) {
    for paid in sheet.lines.iter_mut().filter_map(|line| line.paid.as_mut()) {
        match payments.get(&paid.payment) {
            Some(payment) => paid.seen = content(payment),
            None if all => GONE.clone_into(&mut paid.seen),
            None => {}
        }
    }
}

/// Of a receipt that is gone, only what Splynx still has is too much.
pub fn forget_deleted(sheet: &mut ReceiptSheet, payments: &Payments) {
    for line in &mut sheet.lines {
        let is_gone = |paid: &Paid| !is_foretold(paid) && !payments.contains_key(&paid.payment);
        if line.paid.as_ref().is_some_and(is_gone) {
            line.amount = Decimal::ZERO;
        }
    }
}

/// Takes what payments are worth by now as what was paid: what is more, and what is less where the receipt has less too.
pub fn take_amounts(sheet: &mut ReceiptSheet, receipt: &Receipt, payments: &Payments) {
    let paid = sheet.lines.iter().filter(|line| line.paid.is_some());
    let has_less = receipt.total < paid.map(|line| line.amount).sum::<Decimal>();
    for line in &mut sheet.lines {
        let payment = line.paid.as_ref().and_then(|p| payments.get(&p.payment));
        if let Some(payment) = payment
            && payment.amount > Decimal::ZERO
            && (payment.amount > line.amount || has_less)
        {
            line.amount = payment.amount;
        }
    }
}

/// Notes how the payments are now, and why they are not as their receipt says.
pub fn compare(
    sheet: &mut ReceiptSheet,
    allocated: &Allocated,
    payments: &Payments,
    known: &Known,
    is_ours: impl Fn(&Payment, u32) -> bool,
) -> Option<Reason> {
    let mut gone = Vec::new();
    let mut differences = Vec::new();
    let mut settled: Map<i64, Decimal> = Map::new_vec();
    for line in &mut sheet.lines {
        let Some(paid) = &mut line.paid else {
            continue;
        };
        let Some(payment) = payments.get(&paid.payment) else {
            if is_foretold(paid) {
                continue;
            }
            GONE.clone_into(&mut paid.seen);
            gone.push(paid.payment.to_string());
            continue;
        };
        paid.seen = content(payment);
        let id = payment.id;
        if payment.amount != line.amount {
            differences.push(format!(
                "payment {id} is {} in Splynx and {} by the receipt",
                money::written(payment.amount),
                money::written(line.amount)
            ));
        }
        // Of a payment that people made of the line themselves, the date is theirs.
        let is_ours = is_ours(payment, line.number);
        if is_ours && payment.date != sheet.date {
            differences.push(format!(
                "payment {id} is dated {} in Splynx and the receipt {}",
                payment.date, sheet.date
            ));
        }
        if line.by_hand.is_some() || !is_ours {
            continue;
        }
        if known.customer.is_some_and(|own| own != payment.customer_id) {
            differences.push(format!("payment {id} is another customer's in Splynx"));
        }
        // Splynx itself writes invoices into payments that were sent without one.
        match (line.target.and(paid.invoice), payment.invoice_id) {
            (Some(_), Some(invoice)) => *settled.entry(invoice).or_default() += payment.amount,
            (Some(_), None) => {
                differences.push(format!(
                    "payment {id} no longer names its invoice in Splynx"
                ));
            }
            (None, _) => {}
        }
    }
    for (invoice, amount) in settled {
        let here = known.invoices.iter().find(|(_, known)| known.id == invoice);
        let there = here.and_then(|(target, _)| allocated.get(target));
        // What is paid too much stands for no invoice.
        let due = here.map_or(amount, |(_, known)| amount.min(known.total));
        if there.is_none_or(|share| share.total + share.discount < due) {
            differences.push(format!(
                "in Splynx {} of it is for invoice {}, and in Sage it is not",
                money::written(amount),
                here.map_or_else(|| invoice.to_string(), |(_, known)| known.number.clone())
            ));
        }
    }
    if !gone.is_empty() {
        return Some(deleted(&gone.join(", ")));
    }
    (!differences.is_empty()).then(|| {
        Reason::new(
            "payment-differs",
            format!(
                "The receipt in Sage and what was made of it in Splynx are no longer the same: {}.",
                differences.join("; ")
            ),
            "Make both say the same, in Sage or in Splynx: then it counts as done. Or mark this as done.",
        )
    })
}

/// Payments of a receipt were deleted in Splynx.
pub fn deleted(payments: &str) -> Reason {
    Reason::new(
        "payment-deleted",
        format!("Its payment {payments} was deleted in Splynx, and the receipt is still in Sage."),
        "Enter the payment in Splynx again, or delete the receipt in Sage; then mark this as done.",
    )
}
