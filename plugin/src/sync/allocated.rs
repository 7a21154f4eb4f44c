//! What receipts are allocated to, as Sage listed it: read once, kept, and checked against each receipt's own unallocated rest.

use rust_decimal::Decimal;

use crate::capability::Entry;
use crate::collect::{Map, ToMap, ToSet};
use crate::sage::Receipt;
use crate::sage::{Allocation, Column, IDS, Object, Service, newer_of};
use crate::sync::receipts::Allocated;
use crate::sync::statements::id_key;
use crate::write::ledger::{Run, RunResult};
use crate::write::record::Batch;

/// `source/allocation` → `invoice|total|discount`, as Sage listed it.
pub const TABLE: &str = "allocated";
/// Rows read from storage at once.
const PAGE: u32 = 200;

/// Where [`TABLE`] has it.
pub fn key_of(allocation: &Allocation) -> String {
    format!("{}/{}", id_key(allocation.source), id_key(allocation.id))
}

/// How [`TABLE`] has it.
pub fn value_of(allocation: &Allocation) -> String {
    let (total, discount) = (
        allocation.total.normalize(),
        allocation.discount.normalize(),
    );
    format!("{}|{total}|{discount}", allocation.target)
}

/// Invoice, total and discount.
fn parsed(entry: &Entry) -> Option<(i64, Decimal, Decimal)> {
    let mut parts = entry.value.split('|');
    let target = parts.next()?.parse().ok()?;
    let mut amount = || Decimal::from_str_exact(parts.next()?).ok();
    Some((target, amount()?, amount()?))
}

/// What each receipt is allocated to. Where that is not what the receipt itself says is allocated, its allocations are read again: they
/// may have been changed, deleted, or made a moment ago.
pub fn allocated(run: &mut Run, page: &[Receipt]) -> RunResult<Map<i64, Allocated>> {
    let mut known = Map::new_vec();
    let mut doubtful = Vec::new();
    for receipt in page {
        let allocated = stored_allocations(run, receipt.id)?;
        let spent: Decimal = allocated.values().map(|share| share.total).sum();
        if spent != receipt.total - receipt.unallocated {
            doubtful.push(receipt.id);
        }
        known.insert(receipt.id, allocated);
    }
    read_again(run, &doubtful)?;
    for id in doubtful {
        known.insert(id, stored_allocations(run, id)?);
    }
    Ok(known)
}

/// Reads what these receipts are allocated to from Sage's list.
pub fn read_again(run: &mut Run, receipts: &[i64]) -> RunResult<()> {
    for ids in receipts.chunks(IDS) {
        let rows = list(run, Service::Allocation, Column::Source, ids)?;
        let now = rows
            .iter()
            .filter_map(Allocation::of)
            .map(|allocation| (key_of(&allocation), value_of(&allocation)))
            .to_map();
        let mut batch = Batch::default();
        for id in ids {
            for entry in stored_rows(run, &format!("{}/", id_key(*id)))? {
                match now.get(&entry.key) {
                    None => batch.delete(TABLE, entry.key),
                    Some(value) if *value == entry.value => {}
                    Some(value) => batch.set(TABLE, entry.key, value.clone()),
                }
            }
        }
        let keys: Vec<String> = now.keys().cloned().collect();
        let known = run.cap.get(TABLE, &keys)?.into_iter();
        let known = known.map(|entry| entry.key).to_set();
        for (key, value) in now {
            if !known.contains(&key) {
                batch.set(TABLE, key, value);
            }
        }
        run.commit(batch)?;
    }
    Ok(())
}

fn stored_allocations(run: &mut Run, receipt: i64) -> RunResult<Allocated> {
    let mut allocated = Allocated::new();
    for entry in stored_rows(run, &format!("{}/", id_key(receipt)))? {
        if let Some((target, total, discount)) = parsed(&entry) {
            let share = allocated.entry(target).or_default();
            share.total += total;
            share.discount += discount;
        }
    }
    Ok(allocated)
}

/// All of a receipt's: one may settle more invoices than a page of storage holds.
fn stored_rows(run: &mut Run, prefix: &str) -> RunResult<Vec<Entry>> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let after = all.last().map_or("", |entry| entry.key.as_str());
        let page = run.cap.scan(TABLE, prefix, after, PAGE)?;
        let is_last = page.len() < PAGE as usize;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// Every object of a service that has one of these ids in a column.
pub fn list(
    run: &mut Run,
    service: Service,
    column: Column,
    ids: &[i64],
) -> RunResult<Vec<Object>> {
    let mut all: Vec<Object> = Vec::new();
    for ids in ids.chunks(IDS) {
        let mut above = 0;
        loop {
            let (rows, complete) = newer_of(run, service, above, column, ids)?;
            let last = rows.last().and_then(Object::id);
            above = last.unwrap_or(above);
            all.extend(rows);
            if complete {
                break;
            }
        }
    }
    Ok(all)
}
