//! Documents in Sage that bear our key, of records that nobody knows any more: they were made after the backup that was put back, and
//! deleted in Splynx since. Nothing else would ever tell of them.

use crate::collect::{Map, ToSet};
use crate::mark::Sign;
use crate::planted::{Mistake, is_planted};
use crate::sage::{Found, MatchKey, Service, get_one};
use crate::sync::pipeline::{SyncSource, deleted_after_sync};
use crate::write::ledger::{Run, RunResult, activity};
use crate::write::record::{Batch, Kind, Record, RecordKey, Remote, State, Stored};
use crate::write::remote::{self, FOUND};
use crate::write::since_done;

/// Lists what of a kind is in Sage by us and in Splynx no longer, and that we have no record of.
pub fn tell(run: &mut Run, of: &dyn SyncSource) -> RunResult<()> {
    if !Kind::IN_REFERENCES.contains(&of.kind()) || is_planted(Mistake::HalfIsWatched) {
        return Ok(());
    }
    for service in of.services() {
        remote::refresh_index(run, *service)?;
        let prefix = remote::marked(*service);
        let mut after = String::new();
        loop {
            let page = run.cap.scan(FOUND, &prefix, &after, PAGE)?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.key);
            let mut marked = Map::new_vec();
            for entry in page {
                let (_, found) = remote::parse_entry(entry)?;
                if let Some(key) = key_of(run, &found).filter(|key| key.kind == of.kind()) {
                    let oldest = marked.entry(key).or_insert_with(|| found.clone());
                    if found.id < oldest.id {
                        *oldest = found;
                    }
                }
            }
            look_at(run, of, *service, marked)?;
        }
    }
    Ok(())
}

/// Rows read from storage at once.
const PAGE: u32 = 200;

/// The record that an object was made for. Where only an earlier version's key says so, anybody may have written it.
fn key_of(run: &Run, found: &Found) -> Option<RecordKey> {
    match &found.likeness {
        MatchKey::Document(document) => {
            let signs = run.settings.identity.signs(&document.reference);
            signs.into_iter().find_map(|sign| match sign {
                // Of one whose id Splynx has given again, the later record's look tells.
                Sign::Ours(key) if !key.is_parted() => Some(key),
                Sign::Ours(_) | Sign::Anothers | Sign::Old(_) => None,
            })
        }
        MatchKey::Customer(_) | MatchKey::Allocation(_) => None,
    }
}

fn look_at(
    run: &mut Run,
    of: &dyn SyncSource,
    service: Service,
    marked: Map<RecordKey, Found>,
) -> RunResult<()> {
    let records = run.records(marked.keys().copied())?;
    let unknown = records
        .iter()
        .filter(|(_, stored)| stored.record.is_none())
        .map(|(key, _)| key.id);
    let unknown: Vec<i64> = unknown.collect();
    if unknown.is_empty() {
        return Ok(());
    }
    // What Splynx has, its own list brings.
    let there = of.listing().of_ids(run, &unknown)?;
    let there = there.iter().map(|(id, _)| *id).to_set();
    let mut batch = Batch::default();
    for id in unknown.iter().filter(|id| !there.contains(id)) {
        let key = RecordKey::new(of.kind(), *id);
        let remote = Remote {
            service,
            id: marked[&key].id,
        };
        // It was listed some time ago.
        let now = get_one(run, service, remote.id)?;
        let now = now.and_then(|object| MatchKey::of(service, &object));
        let (Some(MatchKey::Document(now)), true) = (now, run.paired([remote.clone()])?.is_empty())
        else {
            continue;
        };
        let customer = Remote {
            service: Service::Customer,
            id: now.customer,
        };
        let customer = run.paired([customer])?;
        let record = Record {
            state: State::Owed,
            label: now.number,
            customer: customer.values().next().map_or(0, |key| key.id),
            remote: Some(remote),
            amount: Some(now.total),
            looked_like: since_done::GONE.to_owned(),
            reason: deleted_after_sync(),
            ..Record::default()
        };
        run.count(format!("{} {}", key.kind.title(), State::Owed.name()));
        batch
            .activities
            .push(activity(key, &record, State::Owed.name()));
        run.put(&mut batch, key, &Stored::default(), record)?;
    }
    run.commit(batch)
}
