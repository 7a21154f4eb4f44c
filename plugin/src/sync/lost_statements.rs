//! Statements that somebody deleted in Splynx: their lines are nowhere to be seen any more, and no other can be added to them. What
//! waited there is listed anew, in another statement of that title.
//!
//! Beware: money that people paired there before is paid, whatever became of the statement.

use crate::collect::{Map, Set, ToMap, ToSet};
use rust_decimal::Decimal;

use crate::splynx::writes;
use crate::sync::pipeline::is_ours_to_decide;
use crate::sync::receipt_sheet::{Creation, Paid, ReceiptSheet};
use crate::sync::statements::{
    FROM_SAGE, STATEMENTS, UNPAIRED, enter, entered_news, id_key, save_sheet, sheets,
};
use crate::write::ledger::{Run, RunResult};
use crate::write::record::{Batch, Kind, Record, RecordKey, State};

/// Looks whether these statements, in which lines wait, are still there. One request where they are.
pub fn look_for(run: &mut Run, statements: &[String]) -> RunResult<()> {
    let listed = writes::statements_listed(run, statements)?;
    let ids = statements.iter().filter_map(|id| id.parse::<i64>().ok());
    let unlisted: Vec<i64> = ids.filter(|id| !listed.contains(id)).collect();
    for id in unlisted {
        if writes::is_gone(run, writes::STATEMENTS, id)? {
            list_anew(run, id)?;
        }
    }
    Ok(())
}

/// Has what waits in a statement that is gone looked at again.
fn list_anew(run: &mut Run, statement: i64) -> RunResult<()> {
    const MOST: u32 = 200;
    let prefix = format!("{}/", id_key(statement));
    let mut paired = unknown_payments(run, statement)?;
    let mut after = String::new();
    loop {
        let page = run.cap.scan(UNPAIRED, &prefix, &after, MOST)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after.clone_from(&last.key);
        let receipts = page
            .iter()
            .filter_map(|entry| entry.value.split('/').next()?.parse::<i64>().ok())
            .to_set();
        let receipts: Vec<i64> = receipts.into_iter().collect();
        let sheets = sheets(run, &receipts)?;
        let keys = receipts.iter().map(|id| RecordKey::new(Kind::Receipt, *id));
        let mut records = run.records(keys.collect::<Vec<_>>())?;
        let mut batch = Batch::default();
        let mut titles = Set::new();
        for (receipt, before) in sheets {
            let key = RecordKey::new(Kind::Receipt, receipt);
            let stored = records.remove(&key).unwrap_or_default();
            // What may be on its way is looked up first.
            if before.is_in_doubt() || !is_ours_to_decide(&stored) {
                continue;
            }
            let Some(record) = stored.record.clone() else {
                continue;
            };
            let mut sheet = before.clone();
            forget(run, &mut batch, (receipt, &record), &mut sheet, &mut paired)?;
            // What was found there after our state was lost has none.
            titles.extend(Some(sheet.title.clone()).filter(|title| !title.is_empty()));
            save_sheet(&mut batch, receipt, &before, &sheet);
            let record = Record {
                state: State::Planned,
                ..record
            };
            batch.put(key, &stored, record);
        }
        for title in titles {
            batch.delete(STATEMENTS, title);
        }
        run.commit(batch)?;
    }
}

/// Takes a receipt's waiting lines out of a statement that is gone; those that people had paired there are paid.
fn forget(
    run: &mut Run,
    batch: &mut Batch,
    (receipt, record): (i64, &Record),
    sheet: &mut ReceiptSheet,
    paired: &mut Map<i64, Option<Decimal>>,
) -> RunResult<()> {
    let (date, customer) = (sheet.date, sheet.customer);
    for line in sheet.lines.iter_mut().filter(|line| line.waits()) {
        let amount = Some(line.amount);
        let found = paired
            .iter()
            .find(|(_, paid)| **paid == amount)
            .map(|(id, _)| *id);
        match found {
            Some(payment) => {
                paired.remove(&payment);
                line.paid = Some(Paid {
                    payment,
                    customer,
                    date,
                    ..Paid::default()
                });
                line.closed = true;
                let of = Creation::Payment;
                let news = entered_news(receipt, &record.label, record.customer, line, of, payment);
                enter(run, batch, receipt, line.number, of, payment, news)?;
            }
            None => {
                line.record = None;
                line.cancelling = false;
                line.written.clear();
            }
        }
    }
    sheet.statement = None;
    Ok(())
}

/// Payments of a statement that are not known to have come from Sage: people made them there.
fn unknown_payments(run: &mut Run, statement: i64) -> RunResult<Map<i64, Option<Decimal>>> {
    let payments = writes::payments_of_statement(run, statement)?;
    let mut payments = payments.into_iter().to_map();
    let keys: Vec<String> = payments.keys().map(|id| id_key(*id)).collect();
    let known: Set<i64> = run
        .cap
        .get(FROM_SAGE, &keys)?
        .iter()
        .filter_map(|entry| entry.key.parse().ok())
        .to_set();
    for id in known {
        payments.remove(&id);
    }
    Ok(payments)
}
