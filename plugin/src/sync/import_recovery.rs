//! What Splynx holds of receipts already: made by an earlier run whose answer was lost or whose state is gone, or paired by people
//! on Splynx's own screen.
//!
//! Reads only, but for what it notes. Beware: absence counts only once nothing can be in flight any more, and a payment that
//! is overlooked here would be made twice.

use crate::capability::Entry;
use crate::collect::{Map, Set, ToMap};
use crate::mark::{LineKey, Place};
use crate::preview::MADE_ABOVE;
use crate::splynx::writes::{self};
use crate::splynx::{self, CANCELLED, Payment, StatementRecord, Window};
use crate::sync::echoes;
use crate::sync::imported;
use crate::sync::lost_statements;
use crate::sync::receipt_sheet::{Creation, Paid, ReceiptSheet};
use crate::sync::statements::{
    FROM_SAGE, UNPAIRED, enter, enter_again, entered_news, id_key, save_sheet, sheets,
};
use crate::write::ledger::{META, Run, RunError, RunResult, activity};
use crate::write::record::{Batch, Kind, Reason, Record, RecordKey, State, Stored};

/// Key of a line as we keep it, `/record` or `/payment` → what was found in Splynx before this state knew of it.
const MADE: &str = "made";
/// The earliest date from which payments were looked through; its presence: all statement records were.
const LOOKED_THROUGH: &str = "looked-through/splynx-payments";

/// Looks once through what an installation of earlier days may have made (architecture, an older or emptier state).
pub fn build_index(run: &mut Run) -> RunResult<()> {
    let from = run.settings.from(Kind::Receipt);
    let from_text = from.map_or_else(String::new, |date| date.to_string());
    let done = run.meta(LOOKED_THROUGH)?;
    if done.as_ref().is_some_and(|done| *done <= from_text) {
        return Ok(());
    }
    look_through(run, true, 0)?;
    if done.is_none() {
        look_through(run, false, 0)?;
    }
    let mut batch = Batch::default();
    batch.set(META, LOOKED_THROUGH, from_text);
    run.commit(batch)
}

/// Looks through what was made since: before anything is made, because this state may be that of an earlier day.
pub fn refresh_index(run: &mut Run) -> RunResult<()> {
    for payments in [true, false] {
        let known = run.meta(last_seen(payments))?;
        let above = known.and_then(|id| id.parse().ok()).unwrap_or(0);
        look_through(run, payments, above)?;
    }
    Ok(())
}

/// Looks through the statement records made since, before payments go to Sage: people may have paired one that this state, being that of
/// an earlier day, knows nothing of, and the payment's money is in Sage already.
pub fn before_payments_go(run: &mut Run) -> RunResult<()> {
    if run.knows_statements {
        return Ok(());
    }
    run.knows_statements = true;
    let known = run.meta(last_seen(false))?;
    let above = known.and_then(|id| id.parse().ok()).unwrap_or(0);
    match look_through(run, false, above) {
        // Who has never imported need not let us read statements.
        Err(RunError::Failed(why))
            if why.code == "forbidden" && !run.settings.direction.from_sage() =>
        {
            Ok(())
        }
        looked => looked,
    }
}

/// Notes which payments or statement records above an id are ours, and how far that was.
fn look_through(run: &mut Run, payments: bool, above: i64) -> RunResult<()> {
    let window = Window {
        changed_since: None,
        dated_from: run.settings.from(Kind::Receipt).filter(|_| payments),
    };
    let mut after = Some(above);
    while let Some(above) = after {
        run.meanwhile("Reading Splynx: payments from Sage", 0)?;
        let mut batch = Batch::default();
        if payments {
            let page = splynx::changed::<Payment>(run, &window, above)?;
            after = page.last;
            note_payments(run, &mut batch, &page.records)?;
        } else {
            let page = splynx::changed::<StatementRecord>(run, &window, above)?;
            after = page.last;
            note_named(run, &mut batch, &page.records)?;
            // Somebody may have copied one by hand, with its key.
            let mut records = Map::new_vec();
            for record in page.records {
                let key = run.settings.identity.line_of(&record.key);
                if let Some(LineKey::Ours(place) | LineKey::Old(place)) = key {
                    let kept = run.settings.identity.kept_line(place);
                    records.insert(format!("{kept}/record"), record.id.to_string());
                }
            }
            for (key, id) in records {
                batch.set(MADE, key, id);
            }
        }
        if let Some(last) = after {
            batch.set(META, last_seen(payments), last.to_string());
        }
        run.commit(batch)?;
    }
    Ok(())
}

/// Notes which of these payments were made from receipts, and of which lines; of several with one key it is the oldest, since copies come
/// later.
fn note_payments(run: &mut Run, batch: &mut Batch, payments: &[Payment]) -> RunResult<()> {
    let customers = payments
        .iter()
        .map(|payment| RecordKey::new(Kind::Customer, payment.customer_id));
    let customers = run.records(customers.collect::<Vec<_>>())?;
    let echoes = echoes::among(run, &payments.iter().collect::<Vec<_>>(), &customers)?;
    let identity = run.settings.identity.clone();
    let mut noted = Set::new();
    for payment in payments.iter().filter(|p| echoes.contains(&p.id)) {
        let place = match identity.line_of(&payment.receipt_number) {
            Some(LineKey::Ours(place) | LineKey::Old(place)) => place,
            Some(LineKey::Anothers) => {
                batch.set(
                    FROM_SAGE,
                    id_key(payment.id),
                    payment.receipt_number.clone(),
                );
                continue;
            }
            None => continue,
        };
        batch.set(FROM_SAGE, id_key(payment.id), identity.kept_line(place));
        let key = format!("{}/payment", identity.kept_line(place));
        if run.cap.get(MADE, std::slice::from_ref(&key))?.is_empty() && noted.insert(key.clone()) {
            batch.set(MADE, key, payment.id.to_string());
        }
    }
    Ok(())
}

/// Notes which payments are named by records of receipts' lines: people have paired the two.
fn note_named(run: &mut Run, batch: &mut Batch, records: &[StatementRecord]) -> RunResult<()> {
    let identity = run.settings.identity.clone();
    let named = records
        .iter()
        .filter_map(|record| Some((record.payment?, identity.line_of(&record.key)?)));
    let echoes = echoes::named(run, &named.to_map())?;
    for record in records {
        let Some(payment) = record.payment.filter(|id| echoes.contains(id)) else {
            continue;
        };
        let text = match identity.line_of(&record.key) {
            Some(LineKey::Ours(place) | LineKey::Old(place)) => identity.kept_line(place),
            Some(LineKey::Anothers) => record.key.clone(),
            None => continue,
        };
        batch.set(FROM_SAGE, id_key(payment), text);
    }
    Ok(())
}

/// Where [`META`] keeps the last id that was looked through.
fn last_seen(payments: bool) -> &'static str {
    if payments {
        "looked-through/payment"
    } else {
        "looked-through/record"
    }
}

/// The lines of a receipt that this state knew before, unless Splynx was found to hold more of it than they say.
pub fn brought_up_to_date(
    run: &mut Run,
    receipt: i64,
    saved: ReceiptSheet,
) -> RunResult<ReceiptSheet> {
    const MOST_LINES: u32 = 200;
    let prefix = run.settings.identity.kept_lines(receipt);
    let is_unknown = |entry: Entry| {
        let (number, what) = entry.key.strip_prefix(&prefix)?.split_once('/')?;
        let number: u32 = number.parse().ok()?;
        let id: i64 = entry.value.parse().ok()?;
        let known = match saved.lines.iter().find(|line| line.number == number) {
            // It was cancelled.
            None => number <= saved.last_number,
            Some(line) if what == "record" => line.record == Some(id),
            Some(line) => line.paid.as_ref().is_some_and(|paid| paid.payment == id),
        };
        Some(!known)
    };
    let mut found = run.cap.scan(MADE, &prefix, "", MOST_LINES)?.into_iter();
    if found.any(|entry| is_unknown(entry).unwrap_or(false)) {
        return adopt(run, receipt);
    }
    Ok(saved)
}

/// The lines of a receipt that is new to this state, from what Splynx was found to hold of it.
pub fn adopt(run: &mut Run, receipt: i64) -> RunResult<ReceiptSheet> {
    const MOST_LINES: u32 = 200;
    let mut sheet = ReceiptSheet::default();
    let prefix = run.settings.identity.kept_lines(receipt);
    let mut found: Map<u32, [Option<i64>; 2]> = Map::new_vec();
    for entry in run.cap.scan(MADE, &prefix, "", MOST_LINES)? {
        let place = entry.key.strip_prefix(&prefix).and_then(|rest| {
            let (number, what) = rest.split_once('/')?;
            Some((number.parse().ok()?, usize::from(what == "payment")))
        });
        if let Some((number, what)) = place {
            found.entry(number).or_default()[what] = entry.value.parse().ok();
        }
    }
    for (number, [record, payment]) in found {
        let record = splynx::by_ids::<StatementRecord>(run, &Vec::from_iter(record))?;
        let payment = splynx::by_ids::<Payment>(run, &Vec::from_iter(payment))?;
        let (record, payment) = (record.records.first(), payment.records.first());
        if payment.is_none() && record.is_none_or(|record| record.status == CANCELLED) {
            sheet.last_number = number;
            continue;
        }
        let Some(amount) = payment
            .map(|payment| payment.amount)
            .or(record.map(|record| record.amount))
        else {
            continue;
        };
        let invoice = payment
            .and_then(|payment| payment.invoice_id)
            .or(record.and_then(|record| record.invoice));
        // Splynx itself writes invoices into payments that were sent without one.
        let named = match record {
            Some(record) => record.invoice,
            None => payment.and_then(|payment| payment.invoice_id),
        };
        let target = in_sage(run, invoice)?;
        sheet.last_number = number - 1;
        let line = sheet.add_line(target, amount);
        line.record = record.map(|record| record.id);
        // Customer and date are Sage's business, and known only once the receipt is read.
        line.paid = payment
            .map(|payment| payment.id)
            .or(record.and_then(|record| record.payment))
            .map(|payment| Paid {
                payment,
                invoice: named,
                ..Paid::default()
            });
        let paid = line.paid.as_ref().map(|paid| paid.payment);
        // Otherwise somebody decided about it, and the receipt is held.
        line.closed = paid.is_some() && record.is_some_and(|record| record.status != "new");
        line.paid_again = record
            .and_then(|record| record.payment)
            .filter(|payment| Some(*payment) != paid);
        sheet.statement = sheet.statement.or(record.map(|record| record.statement));
    }
    Ok(sheet)
}

/// Sage's document of a Splynx invoice.
fn in_sage(run: &mut Run, invoice: Option<i64>) -> RunResult<Option<i64>> {
    let keys = invoice.map(|id| RecordKey::new(Kind::Invoice, id));
    let records = run.records(keys)?;
    let record = records
        .into_iter()
        .next()
        .and_then(|(_, stored)| stored.record);
    Ok(record
        .and_then(|record| record.remote)
        .map(|remote| remote.id))
}

/// Payments that were made from receipts and that Splynx no longer has: the receipts' money is no longer in Splynx, and a person has to
/// say what is to become of it.
pub fn owe_deleted_payments(run: &mut Run, batch: &mut Batch, payments: Vec<i64>) -> RunResult<()> {
    let receipts = imported::receipts_of(run, &payments)?;
    let receipts = receipts
        .into_iter()
        .map(|(payment, receipt)| (RecordKey::new(Kind::Receipt, receipt), payment));
    let receipts = receipts.to_map();
    for (key, stored) in run.records(receipts.keys().copied())? {
        let payment = receipts[&key];
        let Some(record) = stored.record.clone().filter(|r| r.state == State::Synced) else {
            continue;
        };
        let record = Record {
            state: State::Owed,
            reason: imported::deleted(&payment.to_string()),
            ..record
        };
        batch
            .activities
            .push(activity(key, &record, State::Owed.name()));
        run.put(batch, key, &stored, record)?;
    }
    Ok(())
}

/// Notes what people paired on Splynx's own screen since (D10): at once, before payments go to Sage.
pub fn recognise(run: &mut Run) -> RunResult<()> {
    const PAGE: u32 = 200;
    let mut statements = Set::new();
    let mut after = String::new();
    loop {
        let page = run.cap.scan(UNPAIRED, "", &after, PAGE)?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.key);
        let of = |key: &str| key.split('/').next().and_then(|id| id.parse::<i64>().ok());
        let ids = page.iter().filter_map(|entry| of(&entry.key));
        // What a preview has foretold is not there.
        statements.extend(ids.filter(|id| *id <= MADE_ABOVE));
    }
    if statements.is_empty() {
        return Ok(());
    }
    let statements: Vec<String> = statements.iter().map(ToString::to_string).collect();
    let records = writes::records_paired_by_hand(run, &statements)?;
    let paired = records.into_iter().map(|record| {
        let place = format!("{}/{}", id_key(record.statement), id_key(record.id));
        (place, record)
    });
    note_pairs(run, paired.to_map())?;
    lost_statements::look_for(run, &statements)
}

/// Reads the records of waiting lines again, and notes what became of them (D10).
pub fn look_again(run: &mut Run, receipts: &[i64]) -> RunResult<()> {
    let mut places = Map::new_vec();
    for (_, sheet) in sheets(run, receipts)? {
        let Some(statement) = sheet.statement else {
            continue;
        };
        for line in sheet.lines.iter().filter(|line| line.waits()) {
            if let Some(record) = line.record {
                places.insert(record, format!("{}/{}", id_key(statement), id_key(record)));
            }
        }
    }
    let ids: Vec<i64> = places.keys().copied().collect();
    let page = splynx::by_ids::<StatementRecord>(run, &ids)?;
    let decided = page
        .records
        .into_iter()
        .filter(|record| record.payment.is_some() || record.status != "new");
    let decided = decided
        .filter_map(|record| Some((places.get(&record.id)?.clone(), record)))
        .to_map();
    note_pairs(run, decided)
}

/// Takes the payments of records that people decided about as their lines', by the records' index keys.
fn note_pairs(run: &mut Run, decided: Map<String, StatementRecord>) -> RunResult<()> {
    let keys: Vec<String> = decided.keys().cloned().collect();
    let mut found: Map<i64, Vec<(u32, &StatementRecord)>> = Map::new_vec();
    for entry in run.cap.get(UNPAIRED, &keys)? {
        let place = entry.value.split_once('/');
        let place = place.and_then(|(id, line)| Some((id.parse().ok()?, line.parse().ok()?)));
        if let (Some((receipt, line)), Some(record)) = (place, decided.get(&entry.key)) {
            found.entry(receipt).or_default().push((line, record));
        }
    }
    let ids: Vec<i64> = found.keys().copied().collect();
    let sheets = sheets(run, &ids)?;
    let mut records = run.records(ids.iter().map(|id| RecordKey::new(Kind::Receipt, *id)))?;
    let mut batch = Batch::default();
    for (receipt, pairs) in found {
        let key = RecordKey::new(Kind::Receipt, receipt);
        let stored = records.remove(&key).unwrap_or_default();
        let (Some(before), Some(record)) = (sheets.get(&receipt), stored.record.clone()) else {
            continue;
        };
        let mut sheet = before.clone();
        let (date, customer) = (sheet.date, sheet.customer);
        let mut reason = None;
        for (number, found) in pairs {
            // The answer to our own word was lost.
            if found.payment.is_none() && sheet.end_if_cancelled(number, &found.status) {
                continue;
            }
            let Some(line) = sheet.line_mut(number) else {
                continue;
            };
            match found.payment {
                // Ours may be there too: that is looked up first.
                Some(payment) if line.flight.is_some() => {
                    let (label, customer) = (&record.label, record.customer);
                    enter_again(run, &mut batch, receipt, label, customer, line, payment)?;
                }
                Some(payment) => {
                    line.paid = Some(Paid {
                        payment,
                        customer,
                        date,
                        ..Paid::default()
                    });
                    line.closed = true;
                    line.flight = None;
                    let line = line.clone();
                    let news = entered_news(
                        receipt,
                        &record.label,
                        record.customer,
                        &line,
                        Creation::Payment,
                        payment,
                    );
                    enter(
                        run,
                        &mut batch,
                        receipt,
                        number,
                        Creation::Payment,
                        payment,
                        news,
                    )?;
                }
                None => reason = Some(decided_otherwise(&found.status)),
            }
        }
        save_sheet(&mut batch, receipt, before, &sheet);
        if matches!(
            record.state,
            State::Sending | State::Uncertain | State::DoNotSend | State::DoneByHand
        ) {
            continue;
        }
        let new = match reason {
            Some(reason) => Record {
                state: State::Held,
                reason,
                ..record.clone()
            },
            None => Record {
                state: State::Planned,
                ..record.clone()
            },
        };
        if new.state == State::Held && record.reason.code != new.reason.code {
            batch.activities.push(activity(key, &new, "held"));
        }
        batch.put(key, &stored, new);
    }
    run.commit(batch)
}

/// Somebody decided about a statement line, and not that it is paid.
pub fn decided_otherwise(status: &str) -> Reason {
    Reason::new(
        DECIDED,
        format!("Somebody gave its line in Splynx's statement the status {status}."),
        "Set the line back to New in Splynx and retry, or mark this as done.",
    )
}

/// Held because a person decided about its statement line in Splynx.
pub const DECIDED: &str = "decided-in-splynx";

/// Looks up what an earlier run may have made before it died or lost an answer.
pub fn recover(run: &mut Run) -> RunResult<()> {
    let mut after = String::new();
    while let Some(page) = run.next_open(Kind::Receipt, &mut after)? {
        let in_doubt = page
            .into_iter()
            .filter(|(_, state)| state != State::Planned.name())
            .map(|(key, _)| key);
        let in_doubt: Vec<RecordKey> = in_doubt.collect();
        if !in_doubt.is_empty() {
            settle_doubts(run, in_doubt)?;
        }
    }
    Ok(())
}

fn settle_doubts(run: &mut Run, keys: Vec<RecordKey>) -> RunResult<()> {
    run.meanwhile("Looking up what an earlier run left open", 0)?;
    let ids: Vec<i64> = keys.iter().map(|key| key.id).collect();
    let mut sheets = sheets(run, &ids)?;
    let mut records = run.records(keys)?;
    died(run, &mut sheets, &mut records)?;

    let began = run.cap.now();
    let mut wanted: [Vec<String>; 2] = Default::default();
    for (receipt, sheet) in &sheets {
        for line in &sheet.lines {
            if let Some(flight) = &line.flight {
                let place = usize::from(flight.of == Creation::Payment);
                let line = Place {
                    receipt: *receipt,
                    line: line.number,
                };
                wanted[place].extend(run.settings.identity.line_keys(line));
            }
        }
    }
    let [records_wanted, payments_wanted] = &wanted;
    let found = [
        writes::records_of_keys(run, records_wanted)?
            .into_iter()
            .to_map(),
        writes::payments_of_keys(run, payments_wanted)?
            .into_iter()
            .to_map(),
    ];
    let mut batch = Batch::default();
    for (receipt, before) in sheets {
        let key = RecordKey::new(Kind::Receipt, receipt);
        let stored = records.remove(&key).unwrap_or_default();
        let Some(record) = stored.record.clone() else {
            continue;
        };
        let mut sheet = before.clone();
        let mut in_vain = false;
        let (date, customer) = (sheet.date, sheet.customer);
        for line in &mut sheet.lines {
            let Some(flight) = line.flight.clone() else {
                continue;
            };
            let found = &found[usize::from(flight.of == Creation::Payment)];
            let place = Place {
                receipt,
                line: line.number,
            };
            let mut keys = run.settings.identity.line_keys(place).into_iter();
            let made = keys.find_map(|key| found.get(&key).copied());
            match (made, flight.of) {
                (Some(id), Creation::Record) => line.record = Some(id),
                (Some(payment), Creation::Payment) => {
                    line.paid = Some(Paid {
                        payment,
                        customer,
                        date,
                        ..Paid::default()
                    });
                }
                (None, _) if began < flight.until + run.settings.settle => continue,
                (None, _) => in_vain = true,
            }
            line.flight = None;
            if let Some(id) = made {
                let news =
                    entered_news(receipt, &record.label, record.customer, line, flight.of, id);
                enter(run, &mut batch, receipt, line.number, flight.of, id, news)?;
            }
        }
        save_sheet(&mut batch, receipt, &before, &sheet);
        if !sheet.is_in_doubt() {
            let hash = record.hash.clone();
            let new = match in_vain {
                true => record.failed_once_more(&hash, "Splynx"),
                false => Record {
                    state: State::Planned,
                    failures: 0,
                    ..record
                },
            };
            batch.put(key, &stored, new);
        }
    }
    run.commit(batch)
}

/// A run that died while sending may have had its requests in flight until now, when its successor holds the lease.
fn died(
    run: &mut Run,
    sheets: &mut Map<i64, ReceiptSheet>,
    records: &mut Map<RecordKey, Stored>,
) -> RunResult<()> {
    let now = run.cap.now();
    let mut batch = Batch::default();
    for (key, stored) in records.iter_mut() {
        let Some(record) = stored.record.clone() else {
            continue;
        };
        if record.state != State::Sending {
            continue;
        }
        if let Some(sheet) = sheets.get_mut(&key.id) {
            let before = sheet.clone();
            for flight in sheet
                .lines
                .iter_mut()
                .filter_map(|line| line.flight.as_mut())
            {
                flight.until = now;
            }
            save_sheet(&mut batch, key.id, &before, sheet);
        }
        let new = Record {
            state: State::Uncertain,
            ..record
        };
        *stored = batch.put(*key, stored, new);
    }
    run.commit(batch)
}
