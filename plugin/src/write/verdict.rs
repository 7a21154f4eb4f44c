//! Whether an object in Sage is a record's own, and what follows: adopted, or held with the cure.
//!
//! Never by one trait alone: a key, a name or a number finds an object; customer, date, total and the rest must agree before it is
//! taken for ours.

use crate::planted::{Mistake, is_planted};
use crate::sage::{self, DocumentLikeness, Found, Likeness, Service};
use crate::write::ledger::{Job, Run, activity};
use crate::write::record::{Batch, REMOTE, Reason, Record, RecordKey, Remote, State, Stored};
use crate::write::remote;

/// The index keys of what a record would collide with in Sage: our key first, its name or number then.
pub fn collisions(service: Service, likeness: &Likeness) -> Vec<String> {
    match likeness {
        Likeness::Customer(customer) => vec![remote::by_name(service, &customer.name)],
        Likeness::Allocation(allocation) => {
            vec![remote::by_pair(allocation.source, allocation.target)]
        }
        Likeness::Document(document) => {
            let mark = sage::mark_in(&document.reference);
            let mut keys = Vec::from_iter(mark.map(|mark| remote::by_mark(service, mark)));
            if !document.number.is_empty() {
                keys.push(remote::by_name(service, &document.number));
            }
            keys
        }
    }
}

/// The object in Sage that a record would collide with, if any was listed.
pub fn find(run: &mut Run, service: Service, likeness: &Likeness) -> Job<Option<Found>> {
    let found = remote::lookup(run, &collisions(service, likeness))?;
    Ok(found.into_iter().next().map(|(_, found)| found))
}

/// Whether an object found in Sage is the record's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Ours {
        remote: Remote,
        /// Sage may have allocated some of it before we did.
        allocated: bool,
    },
    /// Held with that reason; paired, where the object carries our key.
    NotOurs(Reason, Option<Remote>),
}

/// Compares what we (would) have sent with what was found.
pub fn judge(likeness: &Likeness, found: &Found, service: Service) -> Verdict {
    let remote = Remote {
        service,
        id: found.id,
    };
    let mut differences = likeness.differences(&found.likeness);
    if is_planted(Mistake::AdoptedByNumber) {
        differences.clear();
    }
    if differences.is_empty() {
        let allocated = match &found.likeness {
            Likeness::Document(document) => document.rest != Some(document.total),
            Likeness::Customer(_) | Likeness::Allocation(_) => false,
        };
        return Verdict::Ours { remote, allocated };
    }
    let what = differences.join(", ");
    match &found.likeness {
        Likeness::Customer(customer) => Verdict::NotOurs(
            Reason::new(
                "name-taken",
                format!(
                    "Sage already has a customer named {:?} (id {}), and it differs in {what}.",
                    customer.name, found.id
                ),
                "Pair the two if they are the same customer; else put {id} or {login} into the name pattern, or switch \"Make names unique\" on.",
            )
            .until_setting("customer_name_pattern")
            .until_setting("make_names_unique"),
            None,
        ),
        Likeness::Allocation(_) => Verdict::NotOurs(
            Reason::new(
                "allocated-otherwise",
                format!("Sage has allocated it already (id {}), and there it differs in {what}.", found.id),
                "Correct the allocation in Sage, then mark this one as done.",
            ),
            None,
        ),
        // Another record can have the number: a credit note that of an invoice with a negative total.
        Likeness::Document(document) if bears_key_of(document, likeness) => {
            Verdict::NotOurs(
                Reason::new(
                    "differs-in-sage",
                    format!("It is in Sage already (id {}), and there it differs in {what}.", found.id),
                    "Correct it in Sage, then mark it as done; it is paired and will not be sent again.",
                ),
                Some(remote),
            )
        }
        Likeness::Document(document) => Verdict::NotOurs(
            Reason::new(
                "number-taken",
                format!(
                    "Sage already has a {} number {} (id {}), and it differs in {what}.",
                    service.title(),
                    document.number,
                    found.id
                ),
                "Delete the document in Sage; if that is impossible, make it again in Splynx under a new number. Then retry.",
            ),
            None,
        ),
    }
}

fn bears_key_of(found: &DocumentLikeness, own: &Likeness) -> bool {
    let mark = sage::mark_in(&found.reference);
    mark.is_some()
        && matches!(own, Likeness::Document(own) if sage::mark_in(&own.reference) == mark)
}

/// Pairs the record with what was found, or holds it; an object belongs to one record only.
pub fn adopt_or_hold(
    run: &mut Run,
    batch: &mut Batch,
    key: RecordKey,
    old: &Stored,
    record: &Record,
    verdict: Verdict,
) -> Job<()> {
    let (state, reason, remote, allocated) = match verdict {
        Verdict::Ours { remote, allocated } => {
            (State::Synced, Reason::default(), Some(remote), allocated)
        }
        Verdict::NotOurs(reason, remote) => (State::Held, reason, remote, true),
    };
    let mut new = Record {
        state,
        reason,
        remote,
        intent: None,
        failures: 0,
        allocated_in_sage: allocated,
        ..record.clone()
    };
    if let Some(other) = paired_with_another(run, key, new.remote.as_ref())? {
        new.state = State::Held;
        new.remote = None;
        new.reason = Reason::new(
            "already-paired",
            format!(
                "What it matches in Sage belongs to {} {}.",
                other.kind.name(),
                other.id
            ),
            "Look at both in Splynx: one of them may be a duplicate. Where the other was deleted there and this one made again: Delete the document in Sage; if that is impossible, make it again in Splynx under a new number. Then retry.",
        );
    }
    let action = if new.state == State::Synced {
        "paired"
    } else {
        "held"
    };
    run.count(format!("{} {action}", key.kind.title()));
    let is_news = old
        .record
        .as_ref()
        .is_none_or(|told| (told.state, &told.reason.message) != (new.state, &new.reason.message));
    if is_news {
        batch.activities.push(activity(key, &new, action));
    }
    run.put(batch, key, old, new)?;
    Ok(())
}

fn paired_with_another(
    run: &mut Run,
    key: RecordKey,
    remote: Option<&Remote>,
) -> Job<Option<RecordKey>> {
    let Some(remote) = remote else {
        return Ok(None);
    };
    let entries = run.cap.get(REMOTE, &[remote.to_string()])?;
    Ok(entries
        .first()
        .and_then(|entry| RecordKey::parse(&entry.value))
        .filter(|other| *other != key))
}
