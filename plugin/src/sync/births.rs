//! Records that came back as others: a Splynx that is put back from a backup gives its ids again, and whatever is kept under an id is
//! then somebody else's.
//!
//! What Sage has of the one before is never changed for the one that came: the record is held, its pair untouched, until a person says
//! whether it is the same after all ([`same`]) or another ([`part`]).

use serde_json::Value;

use crate::collect::{Map, Set, ToMap};
use crate::planted::{Mistake, is_planted};
use crate::splynx::{self, Birth, Row};
use crate::sync::import_recovery;
use crate::sync::pipeline::{Decision, deleted_after_sync, settle};
use crate::sync::statements::{FROM_SAGE, id_key};
use crate::write::ledger::{Run, RunResult, activity};
use crate::write::record::{Batch, Kind, Reason, Record, RecordKey, State, Stored};

/// Held because Splynx has another record under its id.
pub const ANOTHER: &str = "another-record";

/// The births of rows, by their ids.
pub fn births(kind: Kind, rows: &[Row]) -> Map<i64, Birth> {
    rows.iter()
        .map(|(id, row)| (*id, Birth::of(kind, row)))
        .to_map()
}

/// Compares rows with what is known under their ids. Answers the ids under which Sage has another record: these are held. What Sage
/// has nothing of is simply forgotten for what came in its place.
pub fn hold_others(run: &mut Run, kind: Kind, rows: &[Row]) -> RunResult<Set<i64>> {
    let mut held = Set::new();
    if is_planted(Mistake::IdsBelieved) {
        return Ok(held);
    }
    let mut batch = Batch::default();
    let keys: Vec<RecordKey> = rows
        .iter()
        .map(|(id, _)| RecordKey::new(kind, *id))
        .collect();
    let records = run.records(keys)?;
    let mut unmade = Vec::new();
    for (id, row) in rows {
        let key = RecordKey::new(kind, *id);
        let stored = &records[&key];
        let Some(record) = stored.record.clone() else {
            continue;
        };
        let now = Birth::of(kind, row);
        let is_another = match &record.born {
            Some(born) => born.is_of_another(&now, kind, run.settings.today),
            None => record.reason == deleted_after_sync() && is_unlike(&record, kind, row),
        };
        match record.state {
            // Looked up first; what it was sent as is known by its intent.
            State::Sending | State::Uncertain => {}
            _ if is_another && record.remote.is_some() => {
                let decision = Decision::hold(another(&record, row));
                settle(run, &mut batch, key, stored, record, decision)?;
                held.insert(*id);
            }
            _ if is_another => {
                unmade.push(*id);
                let new = fresh(*id, &record, record.again);
                batch.activities.push(activity(key, &new, ANOTHER));
                run.put(&mut batch, key, stored, new)?;
            }
            // Of a version that kept none.
            _ if record.born.is_none() => {
                let born = Some(now);
                run.put(&mut batch, key, stored, Record { born, ..record })?;
            }
            _ => {}
        }
    }
    if kind == Kind::Payment {
        // What was made from a receipt is gone, and what came instead has nothing to do with it.
        import_recovery::owe_deleted_payments(run, &mut batch, unmade.clone())?;
        for id in unmade {
            batch.delete(FROM_SAGE, id_key(id));
        }
    }
    run.commit(batch)?;
    Ok(held)
}

/// Whether a record that was gone, and whose birth is not known, has come back as one of another name and customer.
fn is_unlike(record: &Record, kind: Kind, row: &Value) -> bool {
    let is_moved = splynx::customer_of(row) != Some(record.customer);
    splynx::name_of(row) != record.label && (kind == Kind::Customer || is_moved)
}

fn another(record: &Record, row: &Value) -> Reason {
    let now = Some(splynx::name_of(row)).filter(|name| !name.is_empty());
    let now = now.unwrap_or_else(|| "one without a number".to_owned());
    Reason::new(
        ANOTHER,
        format!(
            "Splynx has another record under its id now: {now}. What Sage has of {} is left as it is.",
            record.label
        ),
        "Splynx was probably put back from a backup, and has given the id again. Look at both: if it is the same record after all, retry; if not, choose \"Another record\".",
    )
}

/// What is kept under an id that another record has been given, before that one is looked at.
fn fresh(id: i64, before: &Record, again: u8) -> Record {
    Record {
        label: id.to_string(),
        customer: before.customer,
        again,
        ..Record::default()
    }
}

/// Whether nothing may be done with what Sage has of the record before a person has decided.
pub fn is_in_doubt(record: &Record) -> bool {
    record.state == State::Held && record.reason.code == ANOTHER
}

/// A person says that it is the same record: its birth counts as it is now.
pub fn same(record: Record) -> Record {
    Record {
        born: None,
        ..record
    }
}

/// A person says that it is another record: what Sage has of the one before stays listed apart, and the new one goes its own way.
pub fn part(
    run: &mut Run,
    batch: &mut Batch,
    key: RecordKey,
    stored: &Stored,
    record: &Record,
) -> RunResult<()> {
    let again = record.again.saturating_add(1);
    let gone = Record {
        state: State::Owed,
        reason: deleted_after_sync(),
        again: 0,
        ..record.clone()
    };
    let old = key.before(again);
    batch
        .activities
        .push(activity(old, &gone, State::Owed.name()));
    let new = fresh(key.id, record, again);
    batch.make_room(key, stored, new, (old, gone));
    if key.kind != Kind::Customer {
        batch.look_at_allocations(record.customer);
    }
    if key.kind == Kind::Payment {
        import_recovery::owe_deleted_payments(run, batch, vec![key.id])?;
    }
    Ok(())
}

/// The records that references name by these keys: those whose ids Splynx has given again stand apart by now.
pub fn bearers(
    run: &mut Run,
    marked: impl IntoIterator<Item = RecordKey>,
) -> RunResult<Map<RecordKey, RecordKey>> {
    let marked: Vec<RecordKey> = marked.into_iter().collect();
    let records = run.records(marked.iter().map(|key| key.unmarked().0))?;
    let bearer = |marked: RecordKey| {
        let (key, times) = marked.unmarked();
        let again = records[&key].record.as_ref().map_or(0, |r| r.again);
        if times < again {
            key.before(times + 1)
        } else {
            key
        }
    };
    Ok(marked.into_iter().map(|key| (key, bearer(key))).to_map())
}

/// Of pairs those that can be relied on: what Splynx has under these ids is what Sage has.
pub fn certain(run: &mut Run, pairs: Map<String, RecordKey>) -> RunResult<Map<String, RecordKey>> {
    let records = run.records(pairs.values().copied())?;
    let is_certain = |key: &RecordKey| {
        let record = records[key].record.as_ref();
        !key.is_parted() && record.is_none_or(|record| !is_in_doubt(record))
    };
    Ok(pairs
        .into_iter()
        .filter(|(_, key)| is_certain(key))
        .to_map())
}
