//! Payments from Sage: which receipts are looked at in a run. What becomes of them is [`crate::sync::arrivals`]'s.
//!
//! Receipts and allocations are found by `ID gt` the highest one seen, each with a cursor of its own; a new allocation brings its
//! receipt back. Beware: people date receipts back and allocate them later, so a date never decides what is read again, only
//! (F14) what is imported.

use crate::capability::{Entry, Failure};
use crate::collect::{Map, Set, ToMap, ToSet};
use crate::planted::{Mistake, is_planted};
use crate::sage::{
    Allocation, Column, Filter, IDS, Object, Receipt, Service, by_near_ids, get_one, newer,
};
use crate::splynx::Payment;
use crate::stored::{self, stored};
use crate::sync::allocated::{self, list};
use crate::sync::calibration::Calibration;
use crate::sync::import_recovery;
use crate::sync::imported::{self, Payments};
use crate::sync::receipt_import::handle;
use crate::sync::receipt_import::remote_of;
use crate::sync::receipt_sheet::ReceiptSheet;
use crate::sync::receipts::PAIRING;
use crate::sync::statements::{LINES, id_key, save_sheet, sheets};
use crate::write::ledger::{META, Run, RunError, RunResult, cursor_key};
use crate::write::record::{Batch, Kind, REMOTE, Record, RecordKey, Remote, State, WAITING};
use crate::write::since_done;

/// Rows read from storage at once.
const PAGE: u32 = 200;

/// Which receipts are looked at (D2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those that are new, newly allocated, or planned again (F64).
    New,
    /// Every one from F14 on, which also finds what was edited or deleted (F63).
    All,
}

/// How far Sage's lists were read.
#[derive(Debug, Default, PartialEq)]
struct Cursor {
    /// The earliest F14 that they were read with; with an earlier one, all is read again.
    from: Option<chrono::NaiveDate>,
    receipt: i64,
    allocation: i64,
    /// Everything since `from` was listed once: what comes now is looked at whatever its date, because people date back.
    caught_up: bool,
    /// The latest stamp of a change that was seen, in Sage's own words: it is compared with Sage's stamps only.
    changed: String,
}

stored!(Cursor { from, receipt, allocation, caught_up } may { changed });

impl Cursor {
    fn note_changes(&mut self, rows: &[Object]) {
        for latest in rows.iter().map(Object::last_change) {
            if latest > self.changed {
                self.changed = latest;
            }
        }
    }
}

/// Imports receipts as payments; answers what people should know where there is nothing to do.
pub fn import(run: &mut Run, scope: Scope) -> RunResult<Option<Failure>> {
    if !run.settings.direction.from_sage() {
        return Ok(Some(Failure::new(
            "direction",
            "Nothing is imported, because payments go from Splynx to Sage only. Choose another direction under Settings, Payments.",
        )));
    }
    if run.settings.imported_method.is_none() {
        return Err(RunError::Failed(Failure {
            more: vec![("field".to_owned(), "payment_method_id".to_owned())],
            ..Failure::new(
                "no-import-method",
                "Choose the \"Method of payments that came from Sage\" under Settings, Payments; nothing is imported before.",
            )
        }));
    }
    run.wake_changed_settings()?;
    import_recovery::build_index(run)?;
    import_recovery::recognise(run)?;
    import_recovery::recover(run)?;
    wake_the_paired(run)?;
    let mut cursor = cursor(run)?;
    new_allocations(run, &mut cursor, scope)?;
    planned(run)?;
    match scope {
        Scope::New => {
            let before = cursor.changed.clone();
            new_receipts(run, &mut cursor)?;
            changed_receipts(run, &mut cursor, &before)?;
        }
        Scope::All => all_receipts(run)?,
    }
    Ok(None)
}

fn cursor(run: &mut Run) -> RunResult<Cursor> {
    let from = run.settings.from(Kind::Receipt);
    let text = run.meta(&cursor_key(Kind::Receipt))?;
    let stored: Option<Cursor> = text.as_deref().and_then(stored::from_text);
    let mut cursor = stored.unwrap_or_default();
    if from.is_some() && cursor.from.is_none_or(|before| from < Some(before)) {
        cursor = Cursor {
            from,
            allocation: cursor.allocation,
            ..Cursor::default()
        };
    }
    Ok(cursor)
}

fn set_cursor(run: &mut Run, batch: &mut Batch, cursor: &Cursor) -> RunResult<()> {
    let text = stored::to_text(cursor);
    if run.meta(&cursor_key(Kind::Receipt))?.as_ref() != Some(&text) {
        batch.set(META, cursor_key(Kind::Receipt), text);
    }
    Ok(())
}

/// Receipts that wait for somebody or something to be paired which is paired by now.
fn wake_the_paired(run: &mut Run) -> RunResult<()> {
    let mut after = String::new();
    loop {
        let page = run.cap.scan(WAITING, PAIRING, &after, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after.clone_from(&last.key);
        let waits = |entry: &Entry| {
            let (remote, key) = entry.key.strip_prefix(PAIRING)?.split_once('|')?;
            Some((remote.to_owned(), RecordKey::parse(key)?))
        };
        let waits: Vec<(String, RecordKey)> = page.iter().filter_map(waits).collect();
        let remotes: Vec<String> = waits.iter().map(|(remote, _)| remote.clone()).collect();
        let paired = run
            .cap
            .get(REMOTE, &remotes)?
            .into_iter()
            .map(|entry| entry.key)
            .to_set();
        let woken = waits.into_iter().filter(|(r, _)| paired.contains(r));
        plan_again(run, Batch::default(), woken.map(|(_, key)| key).to_set())?;
    }
}

/// Has receipts looked at whose payments people have edited in Splynx, and lists those again that a person had settled.
pub fn look_at_edited(run: &mut Run, payments: &[&Payment]) -> RunResult<()> {
    let edited = imported::edited(run, payments)?;
    if edited.is_empty() {
        return Ok(());
    }
    let payments = payments
        .iter()
        .map(|payment| (payment.id, (*payment).clone()));
    tell_of_edited(run, &edited, &payments.to_map(), false)?;
    plan_again(run, Batch::default(), edited)
}

/// Lists receipts again that a person had settled and whose payments were edited since; `all` as of [`imported::note`].
fn tell_of_edited(
    run: &mut Run,
    edited: &Set<RecordKey>,
    payments: &Payments,
    all: bool,
) -> RunResult<()> {
    let mut batch = Batch::default();
    for (key, stored) in run.records(edited.iter().copied())? {
        let Some(record) = stored.record.clone().filter(Record::is_a_persons) else {
            continue;
        };
        for (_, before) in sheets(run, &[key.id])? {
            let mut sheet = before.clone();
            imported::note(&mut sheet, payments, all);
            save_sheet(&mut batch, key.id, &before, &sheet);
        }
        if record.state != State::DoNotSend {
            let what = "what was made of it was edited or deleted in Splynx";
            since_done::list_again(run, &mut batch, key, &stored, record, what)?;
        }
    }
    run.commit(batch)
}

/// How many receipts are looked at in a day though nothing says that they were changed, a request for fifteen and
/// one or two more for a hundred.
const WATCHED: usize = 1_500;

/// Looks at receipts that were imported, or wait to be, beside what was made of them, and goes round, so many a day: what was deleted in
/// Sage, or allocated otherwise, leaves no trace in its lists.
pub fn watch(run: &mut Run) -> RunResult<()> {
    const PLACE: &str = "watched/receipt";
    const AT_ONCE: u32 = 100;
    if !run.settings.direction.from_sage()
        || run.settings.imported_method.is_none()
        || is_planted(Mistake::HalfIsWatched)
    {
        return Ok(());
    }
    let mut after = run.meta(PLACE)?.unwrap_or_default();
    let mut seen = 0;
    while seen < WATCHED {
        run.progress("Receipts: still as they were?", seen as u64, 0)?;
        let page = run.cap.scan(LINES, "", &after, AT_ONCE)?;
        let Some(last) = page.last() else {
            after.clear();
            break;
        };
        after.clone_from(&last.key);
        seen += page.len();
        let sheets = page.iter().filter_map(|entry| {
            let sheet: ReceiptSheet = stored::from_text(&entry.value)?;
            // Of a total of 0 are those whose receipt is known to be gone.
            let is_there = !sheet.total.is_zero();
            Some((entry.key.parse().ok()?, sheet)).filter(|_| is_there)
        });
        look_at_again(run, sheets.to_map())?;
    }
    let mut batch = Batch::default();
    batch.set(META, PLACE, after);
    run.commit(batch)
}

fn look_at_again(run: &mut Run, sheets: Map<i64, ReceiptSheet>) -> RunResult<()> {
    let ids: Vec<i64> = sheets.keys().copied().collect();
    if ids.is_empty() {
        return Ok(());
    }
    let payments = imported::of_sheets(run, sheets.values())?;
    let edited = sheets
        .iter()
        .filter(|(_, sheet)| imported::is_edited(sheet, &payments));
    let edited = edited.map(|(id, _)| RecordKey::new(Kind::Receipt, *id));
    let edited = edited.to_set();
    tell_of_edited(run, &edited, &payments, true)?;
    plan_again(run, Batch::default(), edited)?;
    let rows = by_near_ids(run, Service::CustomerReceipt, &ids)?;
    let gone = missing(run, ids.iter().copied().to_set(), &rows)?;
    allocated::read_again(run, &ids)?;
    tell_of_settled(run, &rows, &gone)?;
    handle(run, rows, gone)
}

/// Lists receipts again that a person had settled and that were changed or deleted in Sage since.
fn tell_of_settled(run: &mut Run, rows: &[Object], gone: &[i64]) -> RunResult<()> {
    let receipts: Vec<Receipt> = rows.iter().filter_map(Receipt::of).collect();
    let allocated = allocated::allocated(run, &receipts)?;
    let ids = receipts.iter().map(|receipt| receipt.id);
    let keys = ids.chain(gone.iter().copied());
    let records = run.records(keys.map(|id| RecordKey::new(Kind::Receipt, id)).to_set())?;
    let mut batch = Batch::default();
    for (key, stored) in records {
        let Some(record) = stored.record.clone().filter(Record::is_a_persons) else {
            continue;
        };
        if record.state == State::DoNotSend {
            continue;
        }
        let receipt = receipts.iter().find(|receipt| receipt.id == key.id);
        let hash = receipt.map_or_else(String::new, |r| r.hash(&allocated[&r.id]));
        if record.hash == hash {
            continue;
        }
        let what = match receipt {
            Some(_) => "its amount, customer, date or invoices were changed in Sage",
            None => "it was deleted in Sage",
        };
        let record = Record { hash, ..record };
        since_done::list_again(run, &mut batch, key, &stored, record, what)?;
    }
    run.commit(batch)
}

/// Plans receipts again that are known and whose state is ours to change; commits the batch.
fn plan_again(run: &mut Run, mut batch: Batch, keys: Set<RecordKey>) -> RunResult<()> {
    for (key, stored) in run.records(keys)? {
        let Some(record) = stored.record.clone().filter(Record::is_ours_to_decide) else {
            continue;
        };
        // The reason stays, so that people are not told the same thing twice.
        let new = Record {
            state: State::Planned,
            ..record
        };
        batch.put(key, &stored, new);
    }
    run.commit(batch)
}

/// Keeps the allocations that are new, and plans their receipts again in the same commit.
fn new_allocations(run: &mut Run, cursor: &mut Cursor, scope: Scope) -> RunResult<()> {
    let mut above = match scope {
        Scope::New => cursor.allocation,
        Scope::All => 0,
    };
    loop {
        run.progress("Reading Sage: allocations", 0, 0)?;
        let (rows, complete) = newer(run, Service::Allocation, above, None)?;
        let allocations: Vec<Allocation> = rows.iter().filter_map(Allocation::of).collect();
        above = rows.last().and_then(Object::id).unwrap_or(above);
        let keys: Vec<String> = allocations.iter().map(allocated::key_of).collect();
        let known = run
            .cap
            .get(allocated::TABLE, &keys)?
            .into_iter()
            .map(|entry| (entry.key, entry.value))
            .to_map();
        let sources = allocations.iter().map(|one| remote_of(one.source));
        let sources: Vec<Remote> = sources.collect();
        let paired = run.paired(sources.iter().cloned())?;
        let mut batch = Batch::default();
        let mut touched = Set::new();
        for (allocation, source) in allocations.iter().zip(&sources) {
            let key = paired.get(&source.to_string());
            // Those of our own payments are another job's.
            let is_ours = key.is_some_and(|key| key.kind != Kind::Receipt);
            let (place, value) = (
                allocated::key_of(allocation),
                allocated::value_of(allocation),
            );
            if is_ours || known.get(&place) == Some(&value) {
                continue;
            }
            batch.set(allocated::TABLE, place, value);
            touched.extend(key.copied());
        }
        cursor.allocation = cursor.allocation.max(above);
        set_cursor(run, &mut batch, cursor)?;
        plan_again(run, batch, touched)?;
        if complete {
            return Ok(());
        }
    }
}

/// Receipts that were planned by an earlier run, a person, a setting, or an allocation.
fn planned(run: &mut Run) -> RunResult<()> {
    let mut after = String::new();
    while let Some(page) = run.next_open(Kind::Receipt, &mut after)? {
        let ids: Vec<i64> = page
            .iter()
            .filter(|(_, state)| state == State::Planned.name())
            .map(|(key, _)| key.id)
            .collect();
        for ids in ids.chunks(IDS) {
            run.progress("Receipts from earlier runs", 0, 0)?;
            let rows = list(run, Service::CustomerReceipt, Column::Id, ids)?;
            let gone = missing(run, ids.iter().copied().to_set(), &rows)?;
            handle(run, rows, gone)?;
        }
    }
    Ok(())
}

/// Of these receipts the ones that a list lacks and that Sage, asked for each, no longer has. The others join the rows.
fn missing(run: &mut Run, mut ids: Set<i64>, rows: &[Object]) -> RunResult<Vec<i64>> {
    for row in rows {
        ids.remove(&row.id().unwrap_or_default());
    }
    let mut gone = Vec::new();
    for id in ids {
        match get_one(run, Service::CustomerReceipt, id)? {
            None => gone.push(id),
            Some(row) => handle(run, vec![row], Vec::new())?,
        }
    }
    Ok(gone)
}

fn new_receipts(run: &mut Run, cursor: &mut Cursor) -> RunResult<()> {
    loop {
        run.progress("Receipts", 0, 0)?;
        let filter = cursor
            .from
            .filter(|_| !cursor.caught_up)
            .map(Filter::DatedFrom);
        let service = Service::CustomerReceipt;
        let (rows, complete) = newer(run, service, cursor.receipt, filter)?;
        let last = rows.last().and_then(Object::id);
        cursor.note_changes(&rows);
        handle(run, rows, Vec::new())?;
        // Only now: the place moves over receipts that are in the ledger.
        cursor.receipt = last.unwrap_or(cursor.receipt);
        cursor.caught_up |= complete;
        let mut batch = Batch::default();
        set_cursor(run, &mut batch, cursor)?;
        run.commit(batch)?;
        if complete {
            return Ok(());
        }
    }
}

/// Receipts that were edited since the last time, where Sage's lists can be searched by that (Sage API 5, Q10); elsewhere "import
/// all" finds them.
fn changed_receipts(run: &mut Run, cursor: &mut Cursor, before: &str) -> RunResult<()> {
    if before.is_empty() || !Calibration::stored(run.cap)?.modified_filters {
        return Ok(());
    }
    let filter = Some(Filter::ChangedSince(before));
    let mut above = 0;
    loop {
        run.progress("Receipts that were changed", 0, 0)?;
        let (rows, complete) = newer(run, Service::CustomerReceipt, above, filter)?;
        above = rows.last().and_then(Object::id).unwrap_or(above);
        cursor.note_changes(&rows);
        handle(run, rows, Vec::new())?;
        if complete {
            break;
        }
    }
    let mut batch = Batch::default();
    set_cursor(run, &mut batch, cursor)?;
    run.commit(batch)
}

/// Sage's receipts from F14 on beside those that are known, in the order of their ids.
fn all_receipts(run: &mut Run) -> RunResult<()> {
    let from = run.settings.from(Kind::Receipt);
    let filter = from.map(Filter::DatedFrom);
    let mut above = 0;
    loop {
        run.progress("Receipts", 0, 0)?;
        let (rows, complete) = newer(run, Service::CustomerReceipt, above, filter)?;
        let last = rows.last().and_then(Object::id);
        let up_to = if complete {
            i64::MAX
        } else {
            last.unwrap_or(above)
        };
        let known = known_between(run, above, up_to)?;
        let gone = missing(run, known, &rows)?;
        handle(run, rows, gone)?;
        above = last.unwrap_or(above);
        if complete {
            return Ok(());
        }
    }
}

/// The receipts with such ids that have lines in Splynx and were dated from F14 on, and so would be missed in Sage's list.
fn known_between(run: &mut Run, above: i64, up_to: i64) -> RunResult<Set<i64>> {
    let mut known = Set::new();
    let mut after = id_key(above);
    loop {
        let page = run.cap.scan(LINES, "", &after, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(known);
        };
        after.clone_from(&last.key);
        for entry in page {
            let id = entry.key.parse::<i64>().unwrap_or(i64::MAX);
            if id > up_to {
                return Ok(known);
            }
            let sheet: Option<ReceiptSheet> = stored::from_text(&entry.value);
            // Of a total of 0 are those whose receipt is known to be gone.
            let from = run.settings.from(Kind::Receipt);
            let is_missed = |sheet: ReceiptSheet| {
                !sheet.total.is_zero() && from.is_none_or(|from| from <= sheet.date)
            };
            if sheet.is_some_and(is_missed) {
                known.insert(id);
            }
        }
    }
}
