//! Money that may be on the other side already: what looks like it waits for a person's word, in both directions (D5).
//!
//! Two people enter the same money on two days: one when the customer says so, the other when the bank shows it. So days that are
//! near count as the same day. Beware: what is known already, as a record of its own, is no less alike for that.

use chrono::{Days, NaiveDate};

use crate::collect::{Map, Set, ToMap, ToSet};
use crate::planted::{Mistake, is_planted};
use crate::sage::{Allocation, Column, MatchKey, Object, Receipt, Service, by_ids};
use crate::splynx::{self, Payment};
use crate::sync::allocated::list;
use crate::sync::echoes;
use crate::sync::receipt_sheet::{LineOutcome, ReceiptLine};
use crate::sync::retyped;
use crate::sync::statements::{StatementWork, sheets};
use crate::write::ledger::{Run, RunResult};
use crate::write::record::{Kind, Reason, Record, RecordKey, Remote, State};
use crate::write::remote;
use crate::write::verdict::POSSIBLE_DUPLICATE;

const SERVICE: Service = Service::CustomerReceipt;
/// A transfer takes up to three working days, and longest over Easter: from Thursday until the Thursday after. What a customer pays every
/// month is four weeks apart.
const NEAR: Days = Days::new(7);

/// A payment that is about to go to Sage.
pub struct Outgoing<'p> {
    pub payment: &'p Payment,
    /// Its customer in Sage.
    pub customer: i64,
    /// Sage's document of the invoice that it was entered for.
    pub invoice: Option<i64>,
}

/// Why each of these may be in Sage already: as a receipt of about its day, or as whatever settled its invoice there.
pub fn of_payments(run: &mut Run, outgoing: &[Outgoing]) -> RunResult<Map<i64, Reason>> {
    let mut doubts = Map::new_vec();
    let mut named = Map::new_vec();
    for Outgoing {
        payment,
        customer,
        invoice,
    } in outgoing
    {
        if let Some(found) = receipt_like(run, *customer, payment)? {
            let what = format!(
                "Sage has a receipt of the same customer and amount, of {} (id {}), and it may be the same money.",
                found.1, found.0
            );
            doubts.insert(payment.id, doubt_about(found.0, what));
        } else if let Some(invoice) = invoice {
            named.insert(payment.id, *invoice);
        }
    }
    let settled = settled_by_others(run, named.values().copied().to_set())?;
    for (payment, invoice) in named {
        if let Some(receipt) = settled.get(&invoice) {
            let what = format!(
                "In Sage its invoice is paid already, by a receipt that is not ours (id {receipt}), and that may be the same money."
            );
            doubts.insert(payment, doubt_about(*receipt, what));
        }
    }
    Ok(doubts)
}

fn doubt_about(receipt: i64, what: String) -> Reason {
    let remote = Remote {
        service: SERVICE,
        id: receipt,
    };
    let cure = "Look at the receipt in Sage. If it is the same money, link the two in the outbox; if not, retry: that sends it.";
    Reason::new(POSSIBLE_DUPLICATE, what, cure).until_paired(&remote)
}

/// A receipt that was made of no payment and is no payment's, of the same customer and amount and of about the same day, with its day.
fn receipt_like(
    run: &mut Run,
    customer: i64,
    payment: &Payment,
) -> RunResult<Option<(i64, NaiveDate)>> {
    let (from, to) = near(payment.date);
    let mut ids = Vec::new();
    // Of what no installation has marked.
    let prefix = remote::money_of(SERVICE, customer);
    for found in remote::between(run, &prefix, from, to)? {
        if let MatchKey::Document(document) = &found.likeness
            && document.total == payment.amount
            && !is_another_payments(run, found.id)?
        {
            ids.push(found.id);
        }
    }
    // They were listed in an earlier run: what was deleted or corrected since is nothing like it.
    let rows = by_ids(run, SERVICE, &ids)?;
    let now: Vec<Receipt> = rows.iter().filter_map(Receipt::of).collect();
    let made = echoes::made_of_payments(run, &now)?;
    let alike = now.iter().find(|now| {
        (now.customer, now.total) == (customer, payment.amount)
            && (from..=to).contains(&now.date)
            && !made.contains(&now.id)
    });
    Ok(alike.map(|now| (now.id, now.date)))
}

pub(super) fn near(date: NaiveDate) -> (NaiveDate, NaiveDate) {
    if is_planted(Mistake::SameDayOnly) {
        return (date, date);
    }
    let from = date.checked_sub_days(NEAR).unwrap_or(date);
    (from, date.checked_add_days(NEAR).unwrap_or(date))
}

/// A receipt that was imported, or waits to be, is a record of its own and may be the same money all the same.
fn is_another_payments(run: &mut Run, receipt: i64) -> RunResult<bool> {
    let remote = Remote {
        service: SERVICE,
        id: receipt,
    };
    let paired = run.paired([remote])?;
    let is_planted = is_planted(Mistake::ListedIsNoDoubt);
    Ok(paired
        .values()
        .any(|key| is_planted || key.kind != Kind::Receipt))
}

/// Of these invoices in Sage the ones of which nothing is due because of a receipt that is neither ours nor in Splynx, with that receipt.
fn settled_by_others(run: &mut Run, invoices: Set<i64>) -> RunResult<Map<i64, i64>> {
    let invoices: Vec<i64> = invoices.into_iter().collect();
    let rows = list(run, Service::TaxInvoice, Column::Id, &invoices)?;
    let paid = rows.iter().filter(|invoice| invoice.is_settled());
    let paid: Vec<i64> = paid.filter_map(Object::id).collect();
    let rows = list(run, Service::Allocation, Column::Target, &paid)?;
    let by: Vec<(i64, i64)> = rows
        .iter()
        .filter_map(Allocation::of)
        .map(|allocation| (allocation.source, allocation.target))
        .collect();
    let strange = strange_receipts(run, by.iter().map(|(source, _)| *source).to_set())?;
    let strange = by.into_iter().filter(|(s, _)| strange.contains(s));
    Ok(strange.map(|(source, target)| (target, source)).to_map())
}

/// Of these sources of allocations the receipts that no payment of Splynx is known to stand for.
fn strange_receipts(run: &mut Run, sources: Set<i64>) -> RunResult<Set<i64>> {
    let remotes = sources.iter().map(|id| Remote {
        service: SERVICE,
        id: *id,
    });
    let paired = run.paired(remotes.collect::<Vec<_>>())?;
    let imported: Vec<i64> = paired
        .values()
        .filter(|key| key.kind == Kind::Receipt)
        .map(|key| key.id)
        .collect();
    let sheets = sheets(run, &imported)?;
    let stands_for = |id: &i64| {
        let remote = Remote {
            service: SERVICE,
            id: *id,
        };
        match paired.get(&remote.to_string()) {
            Some(key) if key.kind == Kind::Receipt => sheets
                .get(id)
                .is_some_and(|sheet| !sheet.lines.is_empty() && sheet.waiting().is_zero()),
            Some(_) => true,
            None => false,
        }
    };
    let strange: Vec<i64> = sources.into_iter().filter(|id| !stands_for(id)).collect();
    let rows = list(run, SERVICE, Column::Id, &strange)?;
    let receipts: Vec<Receipt> = rows.iter().filter_map(Receipt::of).collect();
    let made = echoes::made_of_payments(run, &receipts)?;
    let ids = receipts.iter().map(|receipt| receipt.id);
    Ok(ids.filter(|id| !made.contains(id)).to_set())
}

/// Whether the record waits for a person's word about money that looks like it, and nothing about it has changed since.
pub fn waits_for_word(record: &Record, payment: &Payment) -> bool {
    record.state == State::Held
        && record.reason.code == POSSIBLE_DUPLICATE
        && record.customer == payment.customer_id
        && record.amount == Some(payment.amount)
}

/// Keeps back what would become payments in Splynx and looks like payments that are there: by amount, of the receipt or of the line.
pub fn of_receipts(run: &mut Run, works: &mut [StatementWork]) -> RunResult<()> {
    let mut customers = Set::new();
    let mut dates: Vec<NaiveDate> = Vec::new();
    for work in works.iter().filter(|work| !work.is_vouched_for()) {
        let paying = work.sheet.lines.iter().filter(|line| line.is_to_be_paid());
        for line in paying {
            customers.extend(line.plan.customer);
            dates.push(work.sheet.date);
        }
    }
    let (Some(first), Some(last)) = (dates.iter().min(), dates.iter().max()) else {
        return Ok(());
    };
    let customers: Vec<i64> = customers.into_iter().collect();
    let there = splynx::payments_between(run, &customers, near(*first).0, near(*last).1)?;
    let is_like = |payment: &Payment| {
        works.iter().any(|work| {
            let mut lines = work.sheet.lines.iter().filter(|line| line.is_to_be_paid());
            lines.any(|line| is_alike(work, line, payment))
        })
    };
    let there: Vec<Payment> = there.into_iter().filter(is_like).collect();
    let there = doubtful(run, there)?;
    for work in works.iter_mut().filter(|work| !work.is_vouched_for()) {
        let mut doubt = None;
        for place in 0..work.sheet.lines.len() {
            let line = &work.sheet.lines[place];
            if !line.is_to_be_paid() {
                continue;
            }
            let alike = there
                .iter()
                .find(|(payment, _)| is_alike(work, line, payment));
            if let Some((payment, is_left)) = alike {
                doubt = Some(doubt_about_payment(work.receipt, payment, *is_left));
                work.sheet.lines[place].plan.outcome = LineOutcome::Wait;
            }
        }
        work.waits_for(doubt);
    }
    Ok(())
}

fn is_alike(work: &StatementWork, line: &ReceiptLine, payment: &Payment) -> bool {
    let (from, to) = near(work.sheet.date);
    Some(payment.customer_id) == line.plan.customer
        && [work.sheet.total, line.amount].contains(&payment.amount)
        && (from..=to).contains(&payment.date)
}

/// Those that may be money of other receipts, and whether they were made from a receipt that is gone.
fn doubtful(run: &mut Run, payments: Vec<Payment>) -> RunResult<Vec<(Payment, bool)>> {
    let owners = payments
        .iter()
        .map(|payment| RecordKey::new(Kind::Customer, payment.customer_id));
    let customers = run.records(owners.collect::<Vec<_>>())?;
    let echoes = echoes::among(run, &payments.iter().collect::<Vec<_>>(), &customers)?;
    let from_sage = payments
        .iter()
        .filter(|payment| echoes.contains(&payment.id));
    let left = retyped::left_of_receipts(run, &from_sage.collect::<Vec<_>>())?;
    let key = |payment: &Payment| RecordKey::new(Kind::Payment, payment.id);
    let records = run.records(payments.iter().map(key).collect::<Vec<_>>())?;
    let is_doubtful = |(payment, is_left): &(Payment, bool)| {
        let record = records[&key(payment)].record.as_ref();
        (*is_left || !echoes.contains(&payment.id))
            // A person has said that it is not what it looks like in Sage.
            && !record.is_some_and(|record| record.vouched_for)
    };
    let payments = payments.into_iter().map(|payment| {
        let is_left = left.contains(&payment.id);
        (payment, is_left)
    });
    Ok(payments.filter(is_doubtful).collect())
}

fn doubt_about_payment(receipt: i64, payment: &Payment, is_left: bool) -> Reason {
    let label = payment.receipt_number.trim();
    let origin = if is_left {
        " It came from a receipt that Sage no longer has."
    } else {
        ""
    };
    Reason::new(
        POSSIBLE_DUPLICATE,
        format!(
            "Splynx has a payment of the same customer and amount, of {} ({}), and it may be the same money.{origin}",
            payment.date,
            if label.is_empty() {
                payment.id.to_string()
            } else {
                format!("{label}, id {}", payment.id)
            }
        ),
        format!(
            "Look at both. If it is the same money, link payment {} with receipt {receipt} in the outbox, or mark this as done; if not, retry: that imports it.",
            payment.id
        ),
    )
}
