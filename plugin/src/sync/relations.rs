//! What settles what in Splynx, and which of it Sage was told of.
//!
//! Beware: Splynx can settle otherwise without a trace in what is settled or settles. So all customers with allocations are looked at, so
//! many a day and going round.

use rust_decimal::Decimal;

use crate::collect::{Map, ToMap};
use crate::planted::{Mistake, is_planted};
use crate::splynx::{self, Relation};
use crate::write::ledger::{META, Run, RunResult};
use crate::write::record::{Batch, RecordKey};

/// `000000000088/000000003001`: the allocations of a customer that we have a record of → their pair in Sage's list, once both ends
/// are there.
pub const OF_CUSTOMER: &str = "allocation-of";
/// Entries read from storage at once.
const PAGE: u32 = 100;
/// Customers whose relations are read in a day though nothing says that they changed: a request to Splynx for each.
const WATCHED: usize = 2_000;

/// Has the next customers' relations looked at.
pub fn watch(run: &mut Run) -> RunResult<()> {
    const PLACE: &str = "watched/relation";
    if is_planted(Mistake::RelationUnnoticed) || is_planted(Mistake::HalfIsWatched) {
        return Ok(());
    }
    let mut after = run.meta(PLACE)?.unwrap_or_default();
    let mut noted = 0;
    while noted < WATCHED {
        let page = run.cap.scan(OF_CUSTOMER, "", &after, PAGE)?;
        let mut batch = Batch::default();
        match page.first().and_then(|entry| entry.key.split_once('/')) {
            Some((customer, _)) => {
                if let Ok(id) = customer.parse() {
                    batch.look_at_allocations(id);
                }
                // Behind everything of that customer.
                after = format!("{customer}/~");
                noted += 1;
            }
            None => after.clear(),
        }
        batch.set(META, PLACE, after.clone());
        run.commit(batch)?;
        if after.is_empty() {
            break;
        }
    }
    Ok(())
}

/// One relation for each payer and invoice; several of one pair count as their sum, under the lowest id.
pub fn wanted(run: &mut Run, customer: i64) -> RunResult<Map<i64, Relation>> {
    let mut by_pair: Map<(RecordKey, RecordKey), Relation> = Map::new_vec();
    for relation in splynx::relations(run, customer)? {
        by_pair
            .entry((relation.payer, relation.invoice))
            .and_modify(|sum| {
                sum.amount += relation.amount;
                sum.id = sum.id.min(relation.id);
            })
            .or_insert(relation);
    }
    Ok(by_pair
        .into_iter()
        .map(|(_, relation)| relation)
        .filter(|relation| relation.amount > Decimal::ZERO)
        .map(|relation| (relation.id, relation))
        .to_map())
}

/// Ids and pairs of the customer's allocations that we have a record of.
pub fn known(run: &mut Run, customer: i64) -> RunResult<Map<i64, String>> {
    let prefix = format!("{customer:012}/");
    let mut ids = Map::new_vec();
    let mut after = String::new();
    loop {
        let page = run.cap.scan(OF_CUSTOMER, &prefix, &after, PAGE)?;
        ids.extend(page.iter().filter_map(|entry| {
            let id = entry.key.strip_prefix(&prefix)?;
            Some((id.parse().ok()?, entry.value.clone()))
        }));
        match page.last() {
            Some(last) if page.len() == PAGE as usize => after.clone_from(&last.key),
            _ => return Ok(ids),
        }
    }
}
