//! What a person settled by hand is looked at all the same: what changes afterwards, on either side, is listed again with what changed.
//!
//! Nothing is ever done about it by itself: what the person did, nobody knows.

use crate::planted::{Mistake, is_planted};
use crate::write::ledger::{Run, RunResult, activity};
use crate::write::record::{Batch, CHANGED_SINCE_DONE, Reason, Record, RecordKey, State, Stored};

/// In place of its content, where a side no longer has it.
pub const GONE: &str = "gone";
/// In place of its content, where that is not understood; a digest follows.
const UNREADABLE: &str = "unreadable ";

/// What stands for the content of a row that is not understood, by a digest of it.
pub fn of_unreadable(digest: &str) -> String {
    format!("{UNREADABLE}{digest}")
}

/// Compares what Splynx says of a record that a person has settled with what it said then: `content` is as of
/// [`Record::looked_like`].
pub fn compare(
    run: &mut Run,
    batch: &mut Batch,
    key: RecordKey,
    stored: &Stored,
    content: &str,
) -> RunResult<()> {
    let Some(record) = stored.record.as_ref().filter(|r| is_watched(r)) else {
        return Ok(());
    };
    let what = changes(&record.looked_like, content);
    let record = Record {
        looked_like: content.to_owned(),
        ..record.clone()
    };
    match what {
        Some(what) => {
            let what = format!("it was changed in Splynx: {what}");
            list_again(run, batch, key, stored, record, &what)
        }
        None => {
            batch.put(key, stored, record);
            Ok(())
        }
    }
}

/// Splynx no longer has such a record.
pub fn gone(run: &mut Run, batch: &mut Batch, key: RecordKey, stored: &Stored) -> RunResult<()> {
    match stored.record.as_ref().filter(|record| is_watched(record)) {
        Some(record) if record.looked_like != GONE => {
            let record = Record {
                looked_like: GONE.to_owned(),
                ..record.clone()
            };
            let what = "it was deleted in Splynx";
            list_again(run, batch, key, stored, record, what)
        }
        _ => Ok(()),
    }
}

/// Who never wants to hear of it is not told.
fn is_watched(record: &Record) -> bool {
    let is_planted = is_planted(Mistake::DoneForEver);
    record.is_a_persons() && record.state != State::DoNotSend && !is_planted
}

/// Lists a record again that a person has settled; `record`: with what it looks like now.
pub fn list_again(
    run: &mut Run,
    batch: &mut Batch,
    key: RecordKey,
    stored: &Stored,
    record: Record,
    what: &str,
) -> RunResult<()> {
    let record = Record {
        state: State::Owed,
        reason: Reason::new(
            CHANGED_SINCE_DONE,
            format!("It was marked as done by hand, and since then {what}."),
            "Look at both sides and make them agree, then mark it as done again; or retry: then it is judged anew.",
        ),
        ..record
    };
    let told = stored.record.as_ref().map(|record| &record.reason.message);
    if told != Some(&record.reason.message) {
        run.count(format!("{} {}", key.kind.title(), State::Owed.name()));
        batch
            .activities
            .push(activity(key, &record, State::Owed.name()));
    }
    run.put(batch, key, stored, record)?;
    Ok(())
}

/// Which parts are other ones, and what they were; `None`: it was not known before, or is the same.
fn changes(before: &str, now: &str) -> Option<String> {
    if before.is_empty() || before == now {
        return None;
    }
    if before == GONE {
        return Some("it is there again".to_owned());
    }
    let is_unreadable = |content: &str| content.starts_with(UNREADABLE);
    match (is_unreadable(before), is_unreadable(now)) {
        (true, true) => return Some("something of it, which is not understood".to_owned()),
        (true, false) => return Some("it is understood again".to_owned()),
        (false, true) => return Some("it is not understood any more".to_owned()),
        (false, false) => {}
    }
    let part = |part: &str| {
        let (name, value) = part.split_once(' ').unwrap_or((part, ""));
        (name.to_owned(), value.to_owned())
    };
    let before: Vec<(String, String)> = before.split('|').map(part).collect();
    let changed = now.split('|').map(part).filter_map(|(name, value)| {
        let was = before.iter().find(|(other, _)| *other == name);
        match was {
            Some((_, was)) if *was == value => None,
            Some((_, was)) if name != "lines" => Some(format!("{name} {was} is {value} now")),
            _ => Some(name),
        }
    });
    let changed: Vec<String> = changed.collect();
    (!changed.is_empty()).then(|| changed.join(", "))
}
