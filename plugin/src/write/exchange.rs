//! Documents that exchange their numbers. Sage keeps numbers unique, so of two that want each other's neither can begin: one of them steps
//! aside, under a number that nobody else has, and the others follow.
//!
//! Whoever is refused because one of our documents has its new number waits for that one. The last of a circle finds all others waiting
//! for it, and steps aside. Each step is an ordinary update: wherever a run dies, the record is saved again as Splynx has it.

use crate::collect::Set;
use crate::sage::{self, DocumentLikeness, MatchKey, Object, Payload};
use crate::write::ledger::{Run, RunResult};
use crate::write::protocol::{Act, Write};
use crate::write::record::{Batch, Reason, Record, RecordKey, Remote, State};
use crate::write::remote;

/// Held because one of our own documents has its new number.
const WAITS: &str = "number-exchanged";
/// Documents that one circle can have.
const LONGEST: usize = 50;

/// What a document whose update Sage refused is to do about its number.
pub enum Way {
    Wait(Reason),
    StepAside(Box<Write>),
    /// The number is free by now.
    Again,
}

/// `None`: its number is not what Sage refused, or has somebody else's.
pub fn way_of(run: &mut Run, write: &Write) -> RunResult<Option<Way>> {
    let Act::Update {
        id,
        payload,
        likeness,
        ..
    } = &write.act
    else {
        return Ok(None);
    };
    let number = payload.number().to_owned();
    let (key, record) = match owner(run, write, &number)? {
        Owner::None => return Ok(None),
        Owner::Former => return Ok(Some(Way::Again)),
        Owner::Record(key, record) => (key, *record),
    };
    if !waits_for(run, &record, write.key)? {
        let what = write.service.title();
        return Ok(Some(Way::Wait(
            Reason::new(
                WAITS,
                format!(
                    "Its number {number} is still that of another {what} in Sage, which belongs to {} {} ({}).",
                    key.kind.name(),
                    key.id,
                    record.label
                ),
                "Nothing to do where that one gets another number as well: the next runs see to both. Else give one of them another number in Splynx.",
            )
            .until_record(key),
        )));
    }
    let own = key_in_sage(run, write);
    // Nothing but its number is another one.
    let left = write.record.seen.as_ref().unwrap_or(likeness);
    let act = Act::Update {
        id: *id,
        likeness: with_number(left, &own),
        payload: Box::new(Payload::Number(own)),
        expected: None,
    };
    Ok(Some(Way::StepAside(Box::new(Write {
        key: write.key,
        stored: write.stored.clone(),
        record: write.record.clone().update_due(),
        service: write.service,
        act,
        is_vouched: write.is_vouched,
        amount_before: write.amount_before,
        hangs_on: Vec::new(),
    }))))
}

fn with_number(likeness: &MatchKey, number: &str) -> MatchKey {
    match likeness {
        MatchKey::Document(document) => MatchKey::Document(DocumentLikeness {
            number: number.to_owned(),
            ..document.clone()
        }),
        MatchKey::Customer(_) | MatchKey::Allocation(_) => likeness.clone(),
    }
}

/// A number that no other document has: our key for it.
fn key_in_sage(run: &Run, write: &Write) -> String {
    run.settings
        .identity
        .mark(write.key.marked(Some(&write.record)))
}

/// Who has a number in Sage.
enum Owner {
    /// Nobody that we know of.
    None,
    /// A record of ours had it when it was listed last.
    Former,
    Record(RecordKey, Box<Record>),
}

/// Our record of the document that has a number in Sage, as Sage says now.
fn owner(run: &mut Run, write: &Write, number: &str) -> RunResult<Owner> {
    if number.is_empty() {
        return Ok(Owner::None);
    }
    let listed = remote::lookup(run, &[remote::by_name(write.service, number)])?;
    let Some((listed_by, found)) = listed.into_iter().next() else {
        return Ok(Owner::None);
    };
    let remote = Remote {
        service: write.service,
        id: found.id,
    };
    let pairs = run.paired([remote.clone()])?;
    let key = pairs
        .into_iter()
        .map(|(_, key)| key)
        .find(|key| *key != write.key);
    let Some(key) = key else {
        return Ok(Owner::None);
    };
    let there = sage::get_one(run, remote.service, remote.id)?;
    let has = there.as_ref().map(Object::number).as_deref() == Some(number);
    if !has {
        // Listed so no longer: where Sage refuses it once more, that is not why.
        let mut batch = Batch::default();
        remote::forget(&mut batch, &listed_by);
        run.commit(batch)?;
        return Ok(Owner::Former);
    }
    let record = run
        .records([key])?
        .remove(&key)
        .and_then(|stored| stored.record);
    Ok(record.map_or(Owner::None, |record| Owner::Record(key, Box::new(record))))
}

/// Whether a record waits for another one's number, over however many between.
fn waits_for(run: &mut Run, record: &Record, wanted: RecordKey) -> RunResult<bool> {
    let mut record = record.clone();
    let mut passed = Set::new();
    for _ in 0..LONGEST {
        if record.state != State::Held || record.reason.code != WAITS {
            return Ok(false);
        }
        let tokens = record.reason.depends.iter();
        let mut next = tokens.filter_map(|token| RecordKey::parse(token.strip_prefix("record:")?));
        let Some(next) = next.next_back() else {
            return Ok(false);
        };
        if next == wanted {
            return Ok(true);
        }
        if !passed.insert(next) {
            return Ok(false);
        }
        let stored = run.records([next])?.remove(&next).unwrap_or_default();
        let Some(of_next) = stored.record else {
            return Ok(false);
        };
        record = of_next;
    }
    Ok(false)
}
