//! Money that went from one service to the other must not come back: payments in Splynx that were made of Sage's receipts, and receipts in
//! Sage that were made of Splynx's payments.
//!
//! What we noted as we made it is certain, and so is a key with a right check. A key as earlier versions wrote it counts only where what it
//! names is there and agrees: people write such texts too (Sage Pay is a gateway, `P12` a post box).

use crate::collect::{Map, Set, ToMap, ToSet};
use crate::mark::{LineKey, Place, Sign};
use crate::planted::{Mistake, is_planted};
use crate::sage::{Receipt, Service, by_ids};
use crate::splynx::{self, Payment};
use crate::sync::births;
use crate::sync::documents::customer_in_sage;
use crate::sync::statements::{FROM_SAGE, id_key};
use crate::write::ledger::{Run, RunResult};
use crate::write::record::{Kind, RecordKey, Stored};

/// D10: which of these payments came from Sage: made from a receipt by an installation, or paired with one by a person.
pub fn among(
    run: &mut Run,
    payments: &[&Payment],
    customers: &Map<RecordKey, Stored>,
) -> RunResult<Set<i64>> {
    let keys: Vec<String> = payments.iter().map(|payment| id_key(payment.id)).collect();
    let noted = run.cap.get(FROM_SAGE, &keys)?.into_iter();
    let mut found = noted.filter_map(|entry| entry.key.parse().ok()).to_set();
    let mut doubtful: Vec<(&Payment, Place)> = Vec::new();
    for payment in payments {
        match run.settings.identity.line_of(&payment.receipt_number) {
            Some(LineKey::Ours(_) | LineKey::Anothers) => {
                found.insert(payment.id);
            }
            Some(LineKey::Old(place)) if !found.contains(&payment.id) => {
                doubtful.push((payment, place));
            }
            _ => {}
        }
    }
    let ids = doubtful.iter().map(|(_, place)| place.receipt).to_set();
    let receipts = receipts(run, ids)?;
    let echoes = doubtful.into_iter().filter(|(payment, place)| {
        let customer = customer_in_sage(customers, payment.customer_id).ok();
        let receipt = receipts.get(&place.receipt);
        receipt.is_some_and(|receipt| is_part_of(payment, receipt, customer))
    });
    found.extend(echoes.map(|(payment, _)| payment.id));
    Ok(found)
}

/// Which of these payments, by the lines that statement records name them for, came from Sage. The day proves nothing here: people pair a
/// record with a payment of any.
pub fn named(run: &mut Run, named: &Map<i64, LineKey>) -> RunResult<Set<i64>> {
    let mut found = Set::new();
    let mut doubtful = Map::new_vec();
    for (payment, key) in named {
        match key {
            LineKey::Ours(_) | LineKey::Anothers => {
                found.insert(*payment);
            }
            LineKey::Old(place) => {
                doubtful.insert(*payment, place.receipt);
            }
        }
    }
    let ids: Vec<i64> = doubtful.keys().copied().collect();
    let payments = splynx::by_ids::<Payment>(run, &ids)?.records;
    let owners = payments
        .iter()
        .map(|payment| RecordKey::new(Kind::Customer, payment.customer_id));
    let customers = run.records(owners.collect::<Vec<_>>())?;
    let receipts = receipts(run, doubtful.values().copied().to_set())?;
    found.extend(payments.iter().filter_map(|payment| {
        let receipt = receipts.get(&doubtful[&payment.id])?;
        let customer = customer_in_sage(&customers, payment.customer_id).ok();
        is_money_of(payment, receipt, customer).then_some(payment.id)
    }));
    Ok(found)
}

/// Receipts as Sage has them now.
fn receipts(run: &mut Run, ids: Set<i64>) -> RunResult<Map<i64, Receipt>> {
    let ids: Vec<i64> = ids.into_iter().collect();
    let rows = by_ids(run, Service::CustomerReceipt, &ids)?;
    let receipts = rows.iter().filter_map(Receipt::of);
    Ok(receipts.map(|receipt| (receipt.id, receipt)).to_map())
}

/// Whether a payment with an old key can have been made of that receipt. `customer`: the payment's, in Sage; `None`: it has no pair, and says
/// nothing against it.
pub fn is_part_of(payment: &Payment, receipt: &Receipt, customer: Option<i64>) -> bool {
    payment.date == receipt.date && is_money_of(payment, receipt, customer)
}

fn is_money_of(payment: &Payment, receipt: &Receipt, customer: Option<i64>) -> bool {
    payment.amount <= receipt.total && customer.is_none_or(|customer| customer == receipt.customer)
}

/// Which of these receipts were made of payments. A mark of ours says so, unless its payment is paired with another receipt: then people have
/// copied that one with its reference. An earlier version's says so where the payment is in Splynx and agrees.
pub fn made_of_payments(run: &mut Run, page: &[Receipt]) -> RunResult<Set<i64>> {
    let mut made = Set::new();
    let mut signed: Vec<(&Receipt, RecordKey, bool)> = Vec::new();
    for receipt in page {
        for sign in run.settings.identity.signs(&receipt.reference) {
            match sign {
                Sign::Anothers => {
                    made.insert(receipt.id);
                }
                Sign::Ours(key) if key.kind == Kind::Payment => signed.push((receipt, key, true)),
                Sign::Old(key) if key.kind == Kind::Payment => signed.push((receipt, key, false)),
                Sign::Ours(_) | Sign::Old(_) => {}
            }
        }
    }
    let bearers = births::bearers(run, signed.iter().map(|(_, key, _)| *key))?;
    let records = run.records(bearers.values().copied())?;
    let is_copy = |receipt: &Receipt, key: RecordKey| {
        let record = records
            .get(&bearers[&key])
            .and_then(|stored| stored.record.as_ref());
        let pair = record.and_then(|record| record.remote.as_ref());
        pair.is_some_and(|pair| pair.id != receipt.id)
    };
    signed.retain(|(receipt, key, _)| !is_copy(receipt, *key));
    let (proven, doubtful): (Vec<_>, Vec<_>) = signed
        .into_iter()
        .partition(|(_, _, is_proven)| *is_proven || is_planted(Mistake::LooksProve));
    made.extend(proven.into_iter().map(|(receipt, ..)| receipt.id));
    let ids: Vec<i64> = doubtful.iter().map(|(_, key, _)| key.id).collect();
    let payments = splynx::by_ids::<Payment>(run, &ids)?.records;
    let owners = payments
        .iter()
        .map(|payment| RecordKey::new(Kind::Customer, payment.customer_id));
    let customers = run.records(owners.collect::<Vec<_>>())?;
    for (receipt, key, _) in doubtful {
        let agrees = payments.iter().any(|payment| {
            let customer = customer_in_sage(&customers, payment.customer_id).ok();
            payment.id == key.id
                && payment.amount == receipt.total
                && is_part_of(payment, receipt, customer)
        });
        if agrees {
            made.insert(receipt.id);
        }
    }
    Ok(made)
}
