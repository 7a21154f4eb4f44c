//! What receipts are allocated to, as Sage listed it: read once, kept, and checked against each receipt's own unallocated rest.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::capability::Entry;
use crate::collect::{Map, ToMap};
use crate::json;
use crate::sage::{self, Service, newer};
use crate::sync::arrivals::remote_of;
use crate::sync::receipts::{Allocated, Receipt};
use crate::sync::statements::id_key;
use crate::write::ledger::{Job, Run};
use crate::write::record::{Batch, Remote};

/// `source/allocation` → `invoice|total|discount`, as Sage listed it.
pub const TABLE: &str = "allocated";
/// Ids in one filter: keeps the address below what web servers take.
pub const IDS: usize = 50;
/// Rows read from storage at once.
const PAGE: u32 = 200;

/// What of a receipt settles an invoice, as Sage lists it (Sage API 2.7).
pub struct Allocation {
    id: i64,
    source: i64,
    target: i64,
    total: Decimal,
    discount: Decimal,
}

impl Allocation {
    pub fn parse(row: &Value) -> Option<Self> {
        Some(Self {
            id: json::integer(row, "ID")?,
            source: json::integer(row, "SourceDocumentId")?,
            target: json::integer(row, "AllocatedToDocumentId")?,
            total: sage::amount(row, "Total")?,
            discount: sage::amount(row, "Discount").unwrap_or_default(),
        })
    }

    pub fn receipt(&self) -> Remote {
        remote_of(self.source)
    }

    pub fn key(&self) -> String {
        format!("{}/{}", id_key(self.source), id_key(self.id))
    }

    pub fn value(&self) -> String {
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
pub fn allocated(run: &mut Run, page: &[Receipt]) -> Job<Map<i64, Allocated>> {
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
    for ids in doubtful.chunks(IDS) {
        let rows = list(run, Service::Allocation, &one_of("SourceDocumentId", ids))?;
        let now = rows
            .iter()
            .filter_map(Allocation::parse)
            .map(|allocation| (allocation.key(), allocation.value()))
            .to_map();
        let mut batch = Batch::default();
        for id in ids {
            let prefix = format!("{}/", id_key(*id));
            for entry in run.cap.scan(TABLE, &prefix, "", PAGE)? {
                if !now.contains_key(&entry.key) {
                    batch.delete(TABLE, entry.key);
                }
            }
        }
        for (key, value) in now {
            batch.set(TABLE, key, value);
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
    for entry in run.cap.scan(TABLE, &prefix, "", PAGE)? {
        if let Some((target, total, discount)) = Allocation::stored(&entry) {
            let share = allocated.entry(target).or_default();
            share.total += total;
            share.discount += discount;
        }
    }
    Ok(allocated)
}

/// A filter for rows in which a field has one of these ids (Sage API 1.7: numbers can be relied on).
pub fn one_of(field: &str, ids: &[i64]) -> String {
    let terms: Vec<String> = ids.iter().map(|id| format!("{field} eq {id}")).collect();
    format!("({})", terms.join(" or "))
}

/// Every row of a service that a filter lets through.
pub fn list(run: &mut Run, service: Service, filter: &str) -> Job<Vec<Value>> {
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
