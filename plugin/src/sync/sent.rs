//! What we made in Sage: whether people have deleted or edited it there, which no list tells.
//!
//! Looked at by ids, a hundred a request where they are near each other, so many a day and going round. Beware: many a cure says
//! "correct it in Sage", so only what was in step is compared, and what a person has settled.

use crate::collect::Map;
use crate::planted::{Mistake, is_planted};
use crate::preview::MADE_ABOVE;
use crate::sage::{MatchKey, Object, Service, by_near_ids, get_one};
use crate::write::ledger::{META, Run, RunResult, activity};
use crate::write::record::{
    Batch, GONE_IN_SAGE, Kind, Reason, Record, RecordKey, Remote, State, Stored, gone_in_sage,
};
use crate::write::seen;
use crate::write::since_done;

/// Records of a kind that are looked at in a day: a hundred requests where their ids are near each other, of each of five kinds a
/// fiftieth of what Sage takes in a day.
const WATCHED: usize = 10_000;

/// Of these, so many are read one by one in a day because a list has them otherwise or not at all; the others when their turn comes again.
const DOUBTS: u32 = 200;

/// Looks whether what records of a kind became is still in Sage, and as it was.
pub fn watch(run: &mut Run, kind: Kind) -> RunResult<()> {
    let is_unmissed = kind == Kind::Allocation && is_planted(Mistake::AllocationUnmissed);
    if is_unmissed || is_planted(Mistake::HalfIsWatched) {
        return Ok(());
    }
    let stage = format!("{}: still in Sage?", kind.title());
    let place = format!("watched/{}", kind.name());
    let mut after = run.meta(&place)?.unwrap_or_default();
    let mut seen = 0;
    let mut doubts = DOUBTS;
    while seen < WATCHED {
        run.progress(&stage, seen as u64, 0)?;
        let page = run.known(kind, &after)?;
        let Some((last, _)) = page.last() else {
            after.clear();
            break;
        };
        after = last.to_string();
        seen += page.len();
        look_at(run, page, &mut doubts)?;
    }
    let mut batch = Batch::default();
    batch.set(META, place, after);
    run.commit(batch)
}

fn look_at(run: &mut Run, page: Vec<(RecordKey, Stored)>, doubts: &mut u32) -> RunResult<()> {
    let there = there(run, &page)?;
    let mut batch = Batch::default();
    for (key, stored) in page {
        let Some(record) = stored.record.clone().filter(is_watched) else {
            continue;
        };
        let remote = record.remote.clone();
        let listed =
            remote.and_then(|remote| Some((there.get(&(remote.service, remote.id))?, remote)));
        let Some((listed, remote)) = listed else {
            continue;
        };
        match certain(run, &record, &remote, listed, doubts)? {
            Now::Gone => tell_gone(run, &mut batch, key, &stored, record)?,
            Now::There(now) => compare(run, &mut batch, key, &stored, record, &now)?,
            Now::NotKnown => {}
        }
    }
    run.commit(batch)
}

/// What became of an object that we made.
#[derive(Clone)]
enum Now {
    Gone,
    There(MatchKey),
    NotKnown,
}

impl Now {
    fn of(service: Service, object: &Object) -> Self {
        MatchKey::of(service, object).map_or(Self::NotKnown, Self::There)
    }
}

/// The objects of the records of a page as Sage has them now.
fn there(run: &mut Run, page: &[(RecordKey, Stored)]) -> RunResult<Map<(Service, i64), Now>> {
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
    let mut there = Map::new_vec();
    for (service, ids) in by_service {
        let rows = by_near_ids(run, service, &ids)?;
        there.extend(ids.into_iter().map(|id| ((service, id), Now::Gone)));
        for row in rows {
            if let Some(id) = row.id() {
                there.insert((service, id), Now::of(service, &row));
            }
        }
    }
    Ok(there)
}

/// As it is by now: what a list says of it, or leaves out, is read again where it differs. A list could leave out what is inactive or archived.
fn certain(
    run: &mut Run,
    record: &Record,
    remote: &Remote,
    listed: &Now,
    doubts: &mut u32,
) -> RunResult<Now> {
    let differs = match listed {
        Now::Gone => true,
        Now::There(now) => seen::edits(record, now).is_some_and(|what| !what.is_empty()),
        Now::NotKnown => false,
    };
    if !differs {
        return Ok(listed.clone());
    }
    let Some(left) = doubts.checked_sub(1) else {
        return Ok(Now::NotKnown);
    };
    *doubts = left;
    let object = get_one(run, remote.service, remote.id)?;
    Ok(object.map_or(Now::Gone, |object| Now::of(remote.service, &object)))
}

/// Whose object in Sage is missed: not what is on its way, or is not to be told of, or was told.
fn is_watched(record: &Record) -> bool {
    !matches!(
        record.state,
        State::Planned | State::Sending | State::Uncertain | State::DoNotSend | State::Skipped
    ) && record.reason.code != GONE_IN_SAGE
}

/// Lists what people edited in Sage, until it is as it was.
fn compare(
    run: &mut Run,
    batch: &mut Batch,
    key: RecordKey,
    stored: &Stored,
    record: Record,
    now: &MatchKey,
) -> RunResult<()> {
    if is_planted(Mistake::EditUnnoticed) {
        return Ok(());
    }
    let seen = Some(now.clone());
    let Some(what) = seen::edits(&record, now) else {
        if record.is_a_persons() {
            // Since a person has settled it, nobody has looked.
            batch.put(key, stored, Record { seen, ..record });
        }
        return Ok(());
    };
    let was_told = record.reason.code == seen::CHANGED;
    if record.is_a_persons() {
        if what.is_empty() {
            return Ok(());
        }
        let what = format!("it was changed in Sage: {}", what.join("; "));
        let record = Record { seen, ..record };
        return since_done::list_again(run, batch, key, stored, record, &what);
    }
    let (state, reason) = match (what.is_empty(), was_told) {
        // It is judged anew: there may be a change in Splynx that waited.
        (true, true) => (State::Planned, Reason::default()),
        (false, false) if record.state == State::Synced => edited(key.kind, &what),
        // What is listed already, people may be about to correct.
        _ => return Ok(()),
    };
    let record = Record {
        state,
        reason,
        refused: String::new(),
        ..record
    };
    tell(run, batch, key, stored, record)
}

/// Documents can be saved again, and money is sent once.
fn edited(kind: Kind, what: &[String]) -> (State, Reason) {
    let (state, cure) = match kind {
        Kind::Invoice | Kind::CreditNote | Kind::Customer => (
            State::Held,
            "Retry to write what Splynx says over it. Or leave Sage's: mark it as done, or link it, which takes it as it is.",
        ),
        Kind::Payment | Kind::Receipt | Kind::Allocation => (
            State::Owed,
            "Undo it in Sage, or make the same change in Splynx; then mark this as done.",
        ),
    };
    let message = format!("Somebody changed it in Sage: {}.", what.join("; "));
    (state, Reason::new(seen::CHANGED, message, cure))
}

fn tell_gone(
    run: &mut Run,
    batch: &mut Batch,
    key: RecordKey,
    stored: &Stored,
    record: Record,
) -> RunResult<()> {
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
    tell(run, batch, key, stored, record)
}

fn tell(
    run: &mut Run,
    batch: &mut Batch,
    key: RecordKey,
    stored: &Stored,
    record: Record,
) -> RunResult<()> {
    let state = record.state;
    if state != State::Planned {
        run.count(format!("{} {}", key.kind.title(), state.name()));
        batch.activities.push(activity(key, &record, state.name()));
    }
    run.put(batch, key, stored, record)?;
    Ok(())
}
