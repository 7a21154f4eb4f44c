//! What we made in Sage: whether people have deleted it there, which no list tells.
//!
//! Looked at by ids, a hundred a request, so many a day and going round.

use crate::collect::{Map, Set, ToSet};
use crate::json;
use crate::planted::{Mistake, is_planted};
use crate::preview::MADE_ABOVE;
use crate::sage::{Service, by_ids};
use crate::write::ledger::{Job, META, Run, activity};
use crate::write::record::{
    Batch, GONE_IN_SAGE, Kind, Reason, Record, RecordKey, State, Stored, gone_in_sage,
};
use crate::write::since_done;

/// Records of a kind that are looked at in a day: a hundred requests, of each of three kinds a fiftieth of what Sage takes in a day.
const WATCHED: usize = 10_000;

/// Looks whether what records of a kind became is still in Sage.
pub fn watch(run: &mut Run, kind: Kind) -> Job<()> {
    if is_planted(Mistake::HalfIsWatched) {
        return Ok(());
    }
    let stage = format!("{}: still in Sage?", kind.title());
    let place = format!("watched/{}", kind.name());
    let mut after = run.meta(&place)?.unwrap_or_default();
    let mut seen = 0;
    while seen < WATCHED {
        run.progress(&stage, seen as u64, 0)?;
        let page = run.known(kind, &after)?;
        let Some((last, _)) = page.last() else {
            after.clear();
            break;
        };
        after = last.to_string();
        seen += page.len();
        look_at(run, page)?;
    }
    let mut batch = Batch::default();
    batch.set(META, place, after);
    run.commit(batch)
}

fn look_at(run: &mut Run, page: Vec<(RecordKey, Stored)>) -> Job<()> {
    let mut by_service: Map<Service, Vec<i64>> = Map::new_vec();
    let watched = page.iter().filter_map(|(_, stored)| stored.record.as_ref());
    for remote in watched
        .filter(|record| is_watched(record))
        .filter_map(|record| record.remote.as_ref())
        // What a preview has foretold is not there.
        .filter(|remote| remote.id <= MADE_ABOVE)
    {
        by_service
            .entry(remote.service)
            .or_default()
            .push(remote.id);
    }
    let mut gone = Set::new();
    for (service, ids) in by_service {
        let rows = by_ids(run, service, &ids)?;
        let there = rows.iter().filter_map(|row| json::integer(row, "ID"));
        let there = there.to_set();
        let missing = ids.into_iter().filter(|id| !there.contains(id));
        gone.extend(missing.map(|id| (service, id)));
    }
    let mut batch = Batch::default();
    for (key, stored) in page {
        let Some(record) = stored.record.clone().filter(is_watched) else {
            continue;
        };
        let is_gone = |record: &Record| {
            let remote = record.remote.as_ref();
            remote.is_some_and(|remote| gone.contains(&(remote.service, remote.id)))
        };
        if is_gone(&record) {
            tell(run, &mut batch, key, &stored, record)?;
        }
    }
    run.commit(batch)
}

/// Whose object in Sage is missed: not what is on its way, or is not to be told of, or was told.
fn is_watched(record: &Record) -> bool {
    !matches!(
        record.state,
        State::Planned | State::Sending | State::Uncertain | State::DoNotSend
    ) && record.reason.code != GONE_IN_SAGE
}

fn tell(
    run: &mut Run,
    batch: &mut Batch,
    key: RecordKey,
    stored: &Stored,
    record: Record,
) -> Job<()> {
    if record.is_a_persons() {
        let record = Record {
            remote: None,
            seen: None,
            sent: Vec::new(),
            hash: String::new(),
            ..record
        };
        return since_done::list_again(run, batch, key, stored, record, "it was deleted in Sage");
    }
    let is_over = record.reason.code == "deleted-after-sync";
    let (state, reason, remote) = if is_over {
        let both = Reason::new("deleted", "It was deleted in Splynx and in Sage.", "");
        (State::Skipped, both, None)
    } else {
        (State::Held, gone_in_sage(), record.remote.clone())
    };
    let record = Record {
        state,
        reason,
        remote,
        ..record
    };
    run.count(format!("{} {}", key.kind.title(), state.name()));
    batch.activities.push(activity(key, &record, state.name()));
    run.put(batch, key, stored, record)?;
    Ok(())
}
