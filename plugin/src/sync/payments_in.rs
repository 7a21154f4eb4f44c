//! Payments from Sage: receipts and their allocations are read, judged by [`receipts`], and carried out by [`statements`].
//!
//! Receipts and allocations are found by `ID gt` the highest one seen, each with a cursor of its own; a new allocation brings its
//! receipt back. The trap: people date receipts back and allocate them later, so a date never decides what is read again, only
//! (F14) what is imported.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::capability::{Entry, Failure};
use crate::json;
use crate::sage::{Service, get_one, key_in, newer};
use crate::splynx::{self, Receivable};
use crate::sync::made;
use crate::sync::receipts::{self, Allocated, Known, PAIRING, Receipt, Sheet};
use crate::sync::statements::{self, Work, id_key, sheets};
use crate::write::ledger::{Halt, Job, META, Run, activity, cursor_key};
use crate::write::record::{
    Batch, Kind, REMOTE, Reason, Record, RecordKey, Remote, State, Stored, WAITING,
};

/// `source/allocation` → `invoice|total|discount`, as Sage listed it.
const ALLOCATED: &str = "allocated";
/// Ids in one filter: keeps the address below what web servers take.
const IDS: usize = 50;
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
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cursor {
    /// The earliest F14 that they were read with; with an earlier one, all is read again.
    from: Option<chrono::NaiveDate>,
    receipt: i64,
    allocation: i64,
    /// Everything since `from` was listed once: what comes now is looked at whatever its date, because people date back.
    caught_up: bool,
}

/// Imports receipts as payments; answers what people should know where there is nothing to do.
pub fn import(run: &mut Run, scope: Scope) -> Job<Option<Failure>> {
    if !run.settings.direction.from_sage() {
        return Ok(Some(Failure::new(
            "direction",
            "Nothing is imported, because payments go from Splynx to Sage only. Choose another direction under Settings, Payments.",
        )));
    }
    if run.settings.imported_method.is_none() {
        return Err(Halt::Failed(Failure {
            more: vec![("field".to_owned(), "payment_method_id".to_owned())],
            ..Failure::new(
                "no-import-method",
                "Choose the \"Method of payments that came from Sage\" under Settings, Payments; nothing is imported before.",
            )
        }));
    }
    run.wake_changed_settings()?;
    made::take_over(run)?;
    made::recognise(run)?;
    made::recover(run)?;
    wake_the_paired(run)?;
    let mut cursor = cursor(run)?;
    new_allocations(run, &mut cursor, scope)?;
    planned(run)?;
    match scope {
        Scope::New => new_receipts(run, &mut cursor)?,
        Scope::All => all_receipts(run)?,
    }
    Ok(None)
}

fn cursor(run: &mut Run) -> Job<Cursor> {
    let from = run.settings.from(Kind::Receipt);
    let text = run.meta(&cursor_key(Kind::Receipt))?;
    let stored: Option<Cursor> = text.and_then(|text| serde_json::from_str(&text).ok());
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

fn set_cursor(run: &mut Run, batch: &mut Batch, cursor: &Cursor) -> Job<()> {
    let text = serde_json::to_string(cursor).expect("a cursor is plain data");
    if run.meta(&cursor_key(Kind::Receipt))?.as_ref() != Some(&text) {
        batch.set(META, cursor_key(Kind::Receipt), text);
    }
    Ok(())
}

/// A filter for rows in which a field has one of these ids (Sage API 1.7: numbers can be relied on).
fn one_of(field: &str, ids: &[i64]) -> String {
    let terms: Vec<String> = ids.iter().map(|id| format!("{field} eq {id}")).collect();
    format!("({})", terms.join(" or "))
}

/// Every row of a service that a filter lets through.
fn list(run: &mut Run, service: Service, filter: &str) -> Job<Vec<Value>> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let above = all.last().and_then(|row| json::integer(row, "ID"));
        let (rows, complete) = newer(run, service.name(), above.unwrap_or(0), Some(filter))?;
        all.extend(rows);
        if complete {
            return Ok(all);
        }
    }
}

// --- Which receipts ---

/// Receipts that wait for somebody or something to be paired which is paired by now.
fn wake_the_paired(run: &mut Run) -> Job<()> {
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
        let paired: BTreeSet<String> = run
            .cap
            .get(REMOTE, &remotes)?
            .into_iter()
            .map(|entry| entry.key)
            .collect();
        let woken = waits.into_iter().filter(|(r, _)| paired.contains(r));
        plan_again(run, Batch::default(), woken.map(|(_, key)| key).collect())?;
    }
}

/// Plans receipts again that are known and whose state is ours to change; commits the batch.
fn plan_again(run: &mut Run, mut batch: Batch, keys: BTreeSet<RecordKey>) -> Job<()> {
    for (key, stored) in run.records(keys)? {
        let Some(record) = stored.record.clone().filter(|r| is_ours_to_decide(r.state)) else {
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

fn is_ours_to_decide(state: State) -> bool {
    !matches!(
        state,
        State::Sending | State::Uncertain | State::DoNotSend | State::DoneByHand
    )
}

/// Keeps the allocations that are new, and plans their receipts again in the same commit.
fn new_allocations(run: &mut Run, cursor: &mut Cursor, scope: Scope) -> Job<()> {
    let mut above = match scope {
        Scope::New => cursor.allocation,
        Scope::All => 0,
    };
    loop {
        run.progress("Reading Sage: allocations", 0, 0)?;
        let (rows, complete) = newer(run, Service::Allocation.name(), above, None)?;
        let allocations: Vec<Allocation> = rows.iter().filter_map(Allocation::parse).collect();
        above = rows
            .last()
            .and_then(|row| json::integer(row, "ID"))
            .unwrap_or(above);
        let keys: Vec<String> = allocations.iter().map(Allocation::key).collect();
        let known: BTreeMap<String, String> = run
            .cap
            .get(ALLOCATED, &keys)?
            .into_iter()
            .map(|entry| (entry.key, entry.value))
            .collect();
        let sources: Vec<Remote> = allocations.iter().map(Allocation::receipt).collect();
        let paired = paired(run, &sources)?;
        let mut batch = Batch::default();
        let mut touched = BTreeSet::new();
        for (allocation, source) in allocations.iter().zip(&sources) {
            let key = paired.get(&source.to_string());
            // Those of our own payments are another job's.
            let is_ours = key.is_some_and(|key| key.kind != Kind::Receipt);
            if is_ours || known.get(&allocation.key()) == Some(&allocation.value()) {
                continue;
            }
            batch.set(ALLOCATED, allocation.key(), allocation.value());
            touched.extend(key);
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
fn planned(run: &mut Run) -> Job<()> {
    let mut after = String::new();
    loop {
        let page = run.open(Kind::Receipt.name(), &after)?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after = last.to_string();
        let ids: Vec<i64> = page
            .iter()
            .filter(|(_, state)| state == State::Planned.name())
            .map(|(key, _)| key.id)
            .collect();
        for ids in ids.chunks(IDS) {
            run.progress("Receipts from earlier runs", 0, 0)?;
            let rows = list(run, Service::CustomerReceipt, &one_of("ID", ids))?;
            let gone = missing(run, ids.iter().copied().collect(), &rows)?;
            handle(run, rows, gone)?;
        }
    }
}

/// Of these receipts the ones that a list lacks and that Sage, asked for each, no longer has. The others join the rows.
fn missing(run: &mut Run, mut ids: BTreeSet<i64>, rows: &[Value]) -> Job<Vec<i64>> {
    for row in rows {
        ids.remove(&json::integer(row, "ID").unwrap_or_default());
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

fn new_receipts(run: &mut Run, cursor: &mut Cursor) -> Job<()> {
    loop {
        run.progress("Receipts", 0, 0)?;
        let filter = cursor
            .from
            .filter(|_| !cursor.caught_up)
            .map(|from| format!("Date ge datetime'{from}T00:00:00'"));
        let service = Service::CustomerReceipt.name();
        let (rows, complete) = newer(run, service, cursor.receipt, filter.as_deref())?;
        let last = rows.last().and_then(|row| json::integer(row, "ID"));
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

/// Sage's receipts from F14 on beside those that are known, in the order of their ids.
fn all_receipts(run: &mut Run) -> Job<()> {
    let from = run.settings.from(Kind::Receipt);
    let filter = from.map(|from| format!("Date ge datetime'{from}T00:00:00'"));
    let mut above = 0;
    loop {
        run.progress("Receipts", 0, 0)?;
        let service = Service::CustomerReceipt.name();
        let (rows, complete) = newer(run, service, above, filter.as_deref())?;
        let last = rows.last().and_then(|row| json::integer(row, "ID"));
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

/// The receipts with such ids that have lines in Splynx, and so would be missed in Sage.
fn known_between(run: &mut Run, above: i64, up_to: i64) -> Job<BTreeSet<i64>> {
    let mut known = BTreeSet::new();
    let mut after = id_key(above);
    loop {
        let page = run.cap.scan(statements::LINES, "", &after, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(known);
        };
        after.clone_from(&last.key);
        for entry in page {
            let id = entry.key.parse::<i64>().unwrap_or(i64::MAX);
            if id > up_to {
                return Ok(known);
            }
            let sheet: Option<Sheet> = serde_json::from_str(&entry.value).ok();
            // Of a total of 0 are those whose receipt is known to be gone.
            if sheet.is_some_and(|sheet| !sheet.total.is_zero()) {
                known.insert(id);
            }
        }
    }
}

// --- What becomes of them ---

/// Judges receipts as Sage has them now, and some that it no longer has; carries the judgement out.
fn handle(run: &mut Run, rows: Vec<Value>, gone: Vec<i64>) -> Job<()> {
    let mut page = Vec::new();
    let mut batch = Batch::default();
    for row in rows {
        match Receipt::parse(&row) {
            Some(receipt) => page.push(receipt),
            None => hold_unreadable(run, &mut batch, &row)?,
        }
    }
    run.commit(batch)?;
    page.retain(|receipt| key_in(&receipt.reference).is_none());
    let remotes: Vec<Remote> = page.iter().map(|receipt| remote_of(receipt.id)).collect();
    let paired = paired(run, &remotes)?;
    // A receipt that is a payment's pair came from us.
    page.retain(|receipt| {
        let key = paired.get(&remote_of(receipt.id).to_string());
        key.is_none_or(|key| key.kind == Kind::Receipt)
    });
    let ids: Vec<i64> = page
        .iter()
        .map(|r| r.id)
        .chain(gone.iter().copied())
        .collect();
    let mut records = run.records(ids.iter().map(|id| RecordKey::new(Kind::Receipt, *id)))?;
    let is_ours = |records: &BTreeMap<RecordKey, Stored>, id: i64| {
        let stored = records.get(&RecordKey::new(Kind::Receipt, id));
        let record = stored.and_then(|stored| stored.record.as_ref());
        record.is_none_or(|record| is_ours_to_decide(record.state))
    };
    page.retain(|receipt| is_ours(&records, receipt.id));
    let allocated = allocated(run, &page)?;
    // Nothing has changed since all of it was settled.
    page.retain(|receipt| {
        let record = records.get(&RecordKey::new(Kind::Receipt, receipt.id));
        let record = record.and_then(|stored| stored.record.as_ref());
        record.is_none_or(|record| {
            !matches!(record.state, State::Synced | State::Owed)
                || record.hash != receipt.hash(&allocated[&receipt.id])
        })
    });
    let mut works = Vec::new();
    let gone: Vec<i64> = gone
        .into_iter()
        .filter(|id| is_ours(&records, *id))
        .collect();
    let facts = Facts::gather(run, &page, &allocated)?;
    let ids: Vec<i64> = page
        .iter()
        .map(|r| r.id)
        .chain(gone.iter().copied())
        .collect();
    made::look_again(run, &ids)?;
    // Looking again may have changed them.
    records.extend(run.records(ids.iter().map(|id| RecordKey::new(Kind::Receipt, *id)))?);
    let mut sheets = sheets(run, &ids)?;
    let mut batch = Batch::default();
    for receipt in &page {
        let key = RecordKey::new(Kind::Receipt, receipt.id);
        let stored = records.remove(&key).unwrap_or_default();
        if is_decided(&stored) {
            continue;
        }
        let saved = match sheets.remove(&receipt.id) {
            Some(sheet) => sheet,
            None => made::adopt(run, receipt.id)?,
        };
        let record = facts.record(receipt, &allocated[&receipt.id], stored.record.as_ref());
        match facts.left_out(run, receipt, &saved) {
            Some(reason) => skip(run, &mut batch, key, &stored, record, reason),
            None => works.push(facts.work(run, receipt, &allocated, stored, record, saved)),
        }
    }
    for id in gone {
        let stored = records
            .remove(&RecordKey::new(Kind::Receipt, id))
            .unwrap_or_default();
        let (Some(record), Some(saved)) = (stored.record.clone(), sheets.remove(&id)) else {
            continue;
        };
        let mut sheet = saved.clone();
        sheet.redistribute(None);
        let record = Record {
            hash: String::new(),
            ..record
        };
        works.push(Work::new(id, stored, record, saved, sheet, Vec::new()));
    }
    run.commit(batch)?;
    statements::carry_out(run, works)
}

/// A person decided in Splynx about a line of it: nothing is done before that is cleared up.
fn is_decided(stored: &Stored) -> bool {
    let record = stored.record.as_ref();
    record.is_some_and(|r| r.state == State::Held && r.reason.code == made::DECIDED)
}

fn remote_of(receipt: i64) -> Remote {
    Remote {
        service: Service::CustomerReceipt,
        id: receipt,
    }
}

/// The records that these objects in Sage are paired with, by the objects' texts.
fn paired(run: &mut Run, remotes: &[Remote]) -> Job<BTreeMap<String, RecordKey>> {
    let keys: Vec<String> = remotes.iter().map(ToString::to_string).collect();
    let entries = run.cap.get(REMOTE, &keys)?;
    Ok(entries
        .into_iter()
        .filter_map(|entry| Some((entry.key, RecordKey::parse(&entry.value)?)))
        .collect())
}

fn skip(
    run: &mut Run,
    batch: &mut Batch,
    key: RecordKey,
    stored: &Stored,
    record: Record,
    reason: Reason,
) {
    let told = stored.record.as_ref().map(|old| &old.reason.code);
    let is_news = told != Some(&reason.code);
    let new = Record {
        state: State::Skipped,
        reason,
        ..record
    };
    if is_news {
        run.count("receipts skipped".to_owned());
        batch
            .activities
            .push(activity(key, &new, State::Skipped.name()));
    }
    batch.put(key, stored, new);
}

/// What Sage says of it is not understood; everything else goes on.
fn hold_unreadable(run: &mut Run, batch: &mut Batch, row: &Value) -> Job<()> {
    let Some(id) = json::integer(row, "ID") else {
        return Ok(());
    };
    let key = RecordKey::new(Kind::Receipt, id);
    let stored = run.records([key])?.remove(&key).unwrap_or_default();
    if stored
        .record
        .as_ref()
        .is_some_and(|record| !is_ours_to_decide(record.state))
        || paired(run, &[remote_of(id)])?
            .values()
            .any(|key| key.kind != Kind::Receipt)
    {
        return Ok(());
    }
    let new = Record {
        state: State::Held,
        label: json::text(row, "DocumentNumber"),
        remote: Some(remote_of(id)),
        amount: json::decimal(row, "Total"),
        reason: Reason::new(
            "unreadable",
            "What Sage says of it is not understood: it lacks a customer, a date, or a total above zero.",
            "Correct it in Sage; \"Import all payments\" looks at it again.",
        ),
        ..Record::default()
    };
    if stored
        .record
        .as_ref()
        .is_none_or(|old| old.reason.code != new.reason.code)
    {
        batch.activities.push(activity(key, &new, "held"));
    }
    batch.put(key, &stored, new);
    Ok(())
}

/// What is needed to judge a page of receipts.
struct Facts {
    /// Sage's customer → the record of the one in Splynx.
    customers: BTreeMap<i64, (i64, Option<Record>)>,
    /// By Sage's invoice id.
    invoices: BTreeMap<i64, Receivable>,
}

impl Facts {
    fn gather(run: &mut Run, page: &[Receipt], allocated: &BTreeMap<i64, Allocated>) -> Job<Self> {
        let remote = |service: Service| move |id: i64| Remote { service, id };
        let remotes: BTreeSet<i64> = page.iter().map(|receipt| receipt.customer).collect();
        let remotes: Vec<Remote> = remotes.into_iter().map(remote(Service::Customer)).collect();
        let paired_customers = paired(run, &remotes)?;
        let mut records = run.records(paired_customers.values().copied())?;
        let customers = remotes.iter().filter_map(|remote| {
            let key = paired_customers.get(&remote.to_string())?;
            let record = records.remove(key).and_then(|stored| stored.record);
            Some((remote.id, (key.id, record)))
        });
        let customers = customers.collect();

        let targets: BTreeSet<i64> = page
            .iter()
            .flat_map(|receipt| allocated[&receipt.id].keys().copied())
            .collect();
        let remotes: Vec<Remote> = targets
            .into_iter()
            .map(remote(Service::TaxInvoice))
            .collect();
        let pairs = paired(run, &remotes)?;
        let ids: BTreeSet<i64> = pairs.values().map(|key| key.id).collect();
        let found = splynx::by_ids::<Receivable>(run, &Vec::from_iter(ids))?;
        let invoices = remotes.iter().filter_map(|remote| {
            let key = pairs.get(&remote.to_string())?;
            let invoice = found.records.iter().find(|invoice| invoice.id == key.id)?;
            Some((remote.id, invoice.clone()))
        });
        Ok(Self {
            invoices: invoices.collect(),
            customers,
        })
    }

    /// Why a receipt is not imported at all (F13, F14); what is in Splynx already stays.
    fn left_out(&self, run: &Run, receipt: &Receipt, sheet: &Sheet) -> Option<Reason> {
        let customer = self.customers.get(&receipt.customer);
        let ignored = customer
            .and_then(|(_, record)| record.as_ref())
            .filter(|record| record.reason.code == "partner-ignored");
        if ignored.is_some() {
            let reason = Reason::new(
                "partner-ignored",
                "Its customer's partner is left out.",
                "Take the partner out of \"Partners to leave out\" to import it.",
            );
            return Some(reason.until_setting("partners_ignore"));
        }
        let is_settled = !sheet.lines.is_empty() && sheet.waiting().is_zero();
        run.settings
            .too_early(Kind::Receipt, receipt.date)
            .filter(|_| !is_settled)
    }

    fn record(&self, receipt: &Receipt, allocated: &Allocated, old: Option<&Record>) -> Record {
        let customer = self.customers.get(&receipt.customer);
        Record {
            state: State::Planned,
            label: receipt.number.clone(),
            customer: customer.map_or(0, |(id, _)| *id),
            remote: Some(remote_of(receipt.id)),
            hash: receipt.hash(allocated),
            amount: Some(receipt.total),
            reason: old.map(|old| old.reason.clone()).unwrap_or_default(),
            ..Record::default()
        }
    }

    fn work(
        &self,
        run: &Run,
        receipt: &Receipt,
        allocated: &BTreeMap<i64, Allocated>,
        stored: Stored,
        record: Record,
        saved: Sheet,
    ) -> Work {
        let allocated = &allocated[&receipt.id];
        let mut sheet = saved.clone();
        sheet.redistribute(Some((receipt, allocated)));
        if sheet.statement.is_none() {
            sheet.title = receipt.statement_title(run.settings.statements_by);
        }
        let known = Known {
            customer: self.customers.get(&receipt.customer).map(|(id, _)| *id),
            invoices: &self.invoices,
        };
        let waits = receipts::plan(&mut sheet, allocated, &known, &run.settings);
        Work::new(receipt.id, stored, record, saved, sheet, waits)
    }
}

// --- Allocations ---

/// What of a receipt settles an invoice, as Sage lists it (Sage API 2.7).
struct Allocation {
    id: i64,
    source: i64,
    target: i64,
    total: Decimal,
    discount: Decimal,
}

impl Allocation {
    fn parse(row: &Value) -> Option<Self> {
        Some(Self {
            id: json::integer(row, "ID")?,
            source: json::integer(row, "SourceDocumentId")?,
            target: json::integer(row, "AllocatedToDocumentId")?,
            total: json::decimal(row, "Total")?,
            discount: json::decimal(row, "Discount").unwrap_or_default(),
        })
    }

    fn receipt(&self) -> Remote {
        remote_of(self.source)
    }

    fn key(&self) -> String {
        format!("{}/{}", id_key(self.source), id_key(self.id))
    }

    fn value(&self) -> String {
        let (total, discount) = (self.total.normalize(), self.discount.normalize());
        format!("{}|{total}|{discount}", self.target)
    }

    fn stored(entry: &Entry) -> Option<(i64, Decimal, Decimal)> {
        let mut parts = entry.value.split('|');
        let target = parts.next()?.parse().ok()?;
        let mut amount = || Decimal::from_str_exact(parts.next()?).ok();
        Some((target, amount()?, amount()?))
    }
}

/// What each receipt is allocated to. Where that is not what the receipt itself says is allocated, its allocations are read again: they
/// may have been changed, deleted, or made a moment ago.
fn allocated(run: &mut Run, page: &[Receipt]) -> Job<BTreeMap<i64, Allocated>> {
    let mut known = BTreeMap::new();
    let mut doubtful = Vec::new();
    for receipt in page {
        let allocated = stored_allocations(run, receipt.id)?;
        let spent: Decimal = allocated.values().map(|share| share.total).sum();
        if spent != receipt.total - receipt.unallocated {
            doubtful.push(receipt.id);
        }
        known.insert(receipt.id, allocated);
    }
    for ids in doubtful.chunks(IDS) {
        let rows = list(run, Service::Allocation, &one_of("SourceDocumentId", ids))?;
        let now: BTreeMap<String, String> = rows
            .iter()
            .filter_map(Allocation::parse)
            .map(|allocation| (allocation.key(), allocation.value()))
            .collect();
        let mut batch = Batch::default();
        for id in ids {
            let prefix = format!("{}/", id_key(*id));
            for entry in run.cap.scan(ALLOCATED, &prefix, "", PAGE)? {
                if !now.contains_key(&entry.key) {
                    batch.delete(ALLOCATED, entry.key);
                }
            }
        }
        for (key, value) in now {
            batch.set(ALLOCATED, key, value);
        }
        run.commit(batch)?;
        for id in ids {
            known.insert(*id, stored_allocations(run, *id)?);
        }
    }
    Ok(known)
}

fn stored_allocations(run: &mut Run, receipt: i64) -> Job<Allocated> {
    let mut allocated = Allocated::new();
    let prefix = format!("{}/", id_key(receipt));
    for entry in run.cap.scan(ALLOCATED, &prefix, "", PAGE)? {
        if let Some((target, total, discount)) = Allocation::stored(&entry) {
            let share = allocated.entry(target).or_default();
            share.total += total;
            share.discount += discount;
        }
    }
    Ok(allocated)
}
