//! The way of every record from Splynx to Sage: first what an earlier run left open, then what changed since the cursor.
//!
//! The cursor moves only over records that are in the ledger; a page's decisions and writes are committed before its place.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::json;
use crate::sage::{Found, Service};
use crate::splynx::{self, Page, Resource, Window};
use crate::write::ledger::{Job, META, Run, activity, cursor_key};
use crate::write::protocol::{self, Act, Write};
use crate::write::record::{Batch, Kind, Reason, Record, RecordKey, State, Stored};
use crate::write::recovery;
use crate::write::remote;
use crate::write::verdict::{self, Verdict};

/// Change stamps have the precision of a day and the server's time zone: what changed since the day before the last scan began is
/// read again.
const OVERLAP: Days = Days::new(1);

/// What is to become of one record.
#[derive(Debug)]
pub enum Decision {
    /// What Sage holds is what Splynx says.
    InStep,
    /// Nothing new: it stays as it is.
    Keep,
    /// It is not sent.
    SetAside(Aside),
    /// It was found in Sage; `hash` is what its content counts as from now on.
    Found { verdict: Verdict, hash: String },
    Write {
        service: Service,
        act: Act,
        /// Of everything that is sent.
        hash: String,
    },
}

impl Decision {
    pub fn skip(reason: Reason) -> Self {
        Self::SetAside(Aside::Skip(reason))
    }

    pub fn hold(reason: Reason) -> Self {
        Self::SetAside(Aside::Hold(reason))
    }

    /// On a document or receipt that Sage has already, and that needs no sending.
    pub fn of_sent(record: &Record, hash: &str) -> Self {
        let differs_in_sage = matches!(
            record.reason.code.as_str(),
            "total-differs" | "differs-in-sage"
        );
        if let (true, Some(remote)) = (record.hash.is_empty(), &record.remote) {
            // A person linked it: what it says now is what was meant.
            Self::Found {
                verdict: Verdict::Ours {
                    remote: remote.clone(),
                    allocated: true,
                },
                hash: hash.to_owned(),
            }
        } else if record.state == State::Held && differs_in_sage {
            Self::Keep
        } else {
            Self::InStep
        }
    }
}

/// A record that looks like something in Sage which carries no key of ours waits for a person's word (D5): bookkeepers
/// and other add-ons were there before.
pub fn possible_duplicate(
    record: Option<&Record>,
    service: Service,
    lookalike: Option<&Found>,
) -> Option<Decision> {
    const CODE: &str = "possible-duplicate";
    let vouched_for = record.is_some_and(|r| r.is_retried() && r.reason.code == CODE);
    let found = lookalike.filter(|_| !vouched_for)?;
    let what = service.title();
    Some(Decision::hold(Reason::new(
        CODE,
        format!(
            "Sage has a {what} of the same customer, day and amount (id {}), and it may be the same.",
            found.id
        ),
        format!(
            "Look at the {what} in Sage. If it is the same, link the two in the outbox; if not, retry: that sends it."
        ),
    )))
}

/// Why a record is not sent (now).
#[derive(Debug)]
pub enum Aside {
    Skip(Reason),
    Hold(Reason),
    Owe(Reason),
}

/// One kind of record.
pub trait Entity {
    const KIND: Kind;
    /// The services whose objects could be in the way of a create; listed once before the first.
    const SERVICES: &'static [Service];
    type Source: Resource;
    /// What decisions on a page need to know from storage and services.
    type Facts;

    fn facts(&self, run: &mut Run, page: &[(Self::Source, Stored)]) -> Job<Self::Facts>;

    /// Pure: the same source, record, facts and settings give the same decision.
    fn decide(
        &self,
        run: &Run,
        facts: &mut Self::Facts,
        source: &Self::Source,
        record: Option<&Record>,
    ) -> Decision;

    /// What people call it, its Splynx customer, and its amount.
    fn describe(&self, run: &Run, source: &Self::Source) -> Description;
}

pub struct Description {
    pub label: String,
    pub customer: i64,
    pub amount: Option<rust_decimal::Decimal>,
    /// What of the amount is not settled yet; when it moves, the customer's allocations are looked at.
    pub open: Option<rust_decimal::Decimal>,
}

/// How far the changed records of a kind were read.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    /// The from-date that it was read with; with an earlier one, everything is read again.
    #[serde(default, with = "json::stored_day_if_any")]
    from: Option<NaiveDate>,
    /// Changed on this day or later; none: everything.
    #[serde(default, with = "json::stored_day_if_any")]
    since: Option<NaiveDate>,
    /// The day on which the scan under way began.
    #[serde(default, with = "json::stored_day_if_any")]
    began: Option<NaiveDate>,
    /// The last id that the scan under way has handled.
    after: i64,
    done: u64,
    total: u64,
}

/// Brings one kind of record into step.
pub fn sync<E: Entity>(run: &mut Run, entity: &E) -> Job<()> {
    recovery::recover(run, E::KIND)?;
    run.wake_changed_settings()?;
    let from = run.settings.from(E::KIND);
    for service in E::SERVICES {
        remote::take_over(run, *service, from)?;
    }
    open_records(run, entity)?;
    changed_records(run, entity)
}

/// Records that were planned by an earlier run, a person, or something that they waited for.
fn open_records<E: Entity>(run: &mut Run, entity: &E) -> Job<()> {
    let mut after = String::new();
    loop {
        let page = run.open(E::KIND.name(), &after)?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        run.progress(&format!("{} from earlier runs", E::KIND.title()), 0, 0)?;
        after = last.to_string();
        let ids: Vec<i64> = page
            .iter()
            .filter(|(_, state)| state == State::Planned.name())
            .map(|(key, _)| key.id)
            .collect();
        let sources: Page<E::Source> = splynx::by_ids(run, &ids)?;
        forget_the_gone::<E>(run, &ids, &sources)?;
        handle(run, entity, sources)?;
    }
}

/// Looks at records that nothing says have changed: what vanished from Splynx leaves no trace in its lists, and change stamps are
/// not to be trusted alone. Goes round, so many records a time; costs Sage nothing.
pub fn sweep<E: Entity>(run: &mut Run, entity: &E) -> Job<()> {
    const AT_ONCE: usize = 50_000;
    let place = format!("swept/{}", E::KIND.name());
    let mut after = run.meta(&place)?.unwrap_or_default();
    let mut seen = 0;
    while seen < AT_ONCE {
        run.progress(
            &format!("{}: still there?", E::KIND.title()),
            seen as u64,
            0,
        )?;
        let page = run.known(E::KIND, &after)?;
        let Some((last, _)) = page.last() else {
            after.clear();
            break;
        };
        after = last.to_string();
        seen += page.len();
        let ids: Vec<i64> = page
            .iter()
            .filter(|(_, stored)| is_ours_to_decide(stored))
            .map(|(key, _)| key.id)
            .collect();
        let sources: Page<E::Source> = splynx::by_ids(run, &ids)?;
        forget_the_gone::<E>(run, &ids, &sources)?;
        handle(run, entity, sources)?;
    }
    let mut batch = Batch::default();
    batch.set(META, place, after);
    run.commit(batch)
}

/// Splynx says (404) that these no longer exist.
fn forget_the_gone<E: Entity>(run: &mut Run, ids: &[i64], sources: &Page<E::Source>) -> Job<()> {
    let gone = ids
        .iter()
        .filter(|id| !sources.holds(**id))
        .map(|id| RecordKey::new(E::KIND, *id));
    let mut batch = Batch::default();
    for (key, stored) in run.records(gone.collect::<Vec<_>>())? {
        let Some(record) = stored.record.clone() else {
            continue;
        };
        let aside = if record.remote.is_some() {
            Aside::Owe(deleted_after_sync())
        } else {
            Aside::Skip(Reason::new("deleted", "It was deleted in Splynx.", ""))
        };
        let decision = Decision::SetAside(aside);
        settle(run, &mut batch, key, &stored, record, decision)?;
    }
    run.commit(batch)
}

/// What a person owes where Splynx dropped a record that Sage has (D7).
pub fn deleted_after_sync() -> Reason {
    Reason::new(
        "deleted-after-sync",
        "It was deleted in Splynx after it had been sent to Sage.",
        "Reverse it in Sage, if that is meant.",
    )
}

fn changed_records<E: Entity>(run: &mut Run, entity: &E) -> Job<()> {
    let key = cursor_key(E::KIND);
    let from = run.settings.from(E::KIND);
    let mut stored = run.meta(&key)?;
    let mut cursor: Cursor = stored
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    if from.is_some() && cursor.from.is_none_or(|before| from < Some(before)) {
        cursor = Cursor::default();
    }
    cursor.from = from;
    let began = *cursor.began.get_or_insert(run.settings.today);
    let window = Window {
        changed_since: cursor.since,
        dated_from: from,
    };
    if cursor.since.is_none() && cursor.total == 0 {
        cursor.total = splynx::count::<E::Source>(run, &window)?;
    }
    loop {
        run.progress(E::KIND.title(), cursor.done, cursor.total)?;
        let page: Page<E::Source> = splynx::changed(run, &window, cursor.after)?;
        let mut batch = Batch::default();
        match page.last {
            Some(last) => {
                cursor.after = last;
                cursor.done += page.size() as u64;
            }
            None => {
                cursor = Cursor {
                    from,
                    since: began.checked_sub_days(OVERLAP),
                    ..Cursor::default()
                };
            }
        }
        let text = serde_json::to_string(&cursor).expect("a cursor is plain data");
        let complete = page.last.is_none();
        if stored.as_ref() != Some(&text) {
            batch.set(META, key.clone(), text.clone());
            stored = Some(text);
        }
        handle(run, entity, page)?;
        // Only now: the place moves over records that are in the ledger.
        run.commit(batch)?;
        if complete {
            return Ok(());
        }
    }
}

/// Decides on a page of records and carries the decisions out.
fn handle<E: Entity>(run: &mut Run, entity: &E, sources: Page<E::Source>) -> Job<()> {
    hold_unreadable::<E>(run, sources.unreadable)?;
    let keys: Vec<RecordKey> = sources
        .records
        .iter()
        .map(|source| RecordKey::new(E::KIND, source.id()))
        .collect();
    let mut records = run.records(keys)?;
    let page: Vec<(E::Source, Stored)> = sources
        .records
        .into_iter()
        .map(|source| {
            let key = RecordKey::new(E::KIND, source.id());
            let stored = records.remove(&key).unwrap_or_default();
            (source, stored)
        })
        .filter(|(_, stored)| is_ours_to_decide(stored))
        .collect();
    if page.is_empty() {
        return Ok(());
    }
    let decided = page.len();
    let mut facts = entity.facts(run, &page)?;
    let mut writes = Vec::new();
    let mut batch = Batch::default();
    for (source, stored) in page {
        let key = RecordKey::new(E::KIND, source.id());
        let decision = entity.decide(run, &mut facts, &source, stored.record.as_ref());
        let Description {
            label,
            customer,
            amount,
            open,
        } = entity.describe(run, &source);
        let before = stored.record.clone().unwrap_or_default();
        if open != before.open {
            batch.look_at_allocations(customer);
        }
        let refused = was_refused(&before, &decision);
        let record = Record {
            state: State::Planned,
            label,
            customer,
            amount,
            open,
            intent: None,
            reason: Reason::default(),
            ..before
        };
        match decision {
            Decision::Write { .. } if refused => {
                settle(run, &mut batch, key, &stored, record, Decision::Keep)?;
            }
            Decision::Write { service, act, hash } => writes.push(Write {
                key,
                stored,
                record: Record { hash, ..record },
                service,
                act,
            }),
            decision => settle(run, &mut batch, key, &stored, record, decision)?,
        }
    }
    run.commit(batch)?;
    run.advance(decided - writes.len())?;
    protocol::execute(run, writes)
}

/// Sage has refused exactly this, and nobody has said that it should be tried again.
fn was_refused(before: &Record, decision: &Decision) -> bool {
    let Decision::Write { hash, .. } = decision else {
        return false;
    };
    before.state == State::Held && !hash.is_empty() && before.refused == *hash
}

/// Uncertain records wait for their look-up; what a person has settled stays settled.
pub fn is_ours_to_decide(stored: &Stored) -> bool {
    !matches!(
        stored.record.as_ref().map(|record| record.state),
        Some(State::Sending | State::Uncertain | State::DoNotSend | State::DoneByHand)
    )
}

/// What Splynx says of these is not understood; everything else goes on.
fn hold_unreadable<E: Entity>(run: &mut Run, unreadable: Vec<(i64, String)>) -> Job<()> {
    let mut batch = Batch::default();
    for (id, what) in unreadable {
        let key = RecordKey::new(E::KIND, id);
        let stored = run.records([key])?.remove(&key).unwrap_or_default();
        if !is_ours_to_decide(&stored) {
            continue;
        }
        let record = stored.record.clone().unwrap_or_else(|| Record {
            label: id.to_string(),
            ..Record::default()
        });
        let reason = Reason::new(
            "unreadable",
            format!("What Splynx says of it is not understood: {what}."),
            "Correct it in Splynx; it is looked at again when it changes.",
        );
        settle(
            run,
            &mut batch,
            key,
            &stored,
            record,
            Decision::hold(reason),
        )?;
    }
    run.commit(batch)
}

/// Stores a decision that sends nothing, and tells people if it is news.
pub fn settle(
    run: &mut Run,
    batch: &mut Batch,
    key: RecordKey,
    stored: &Stored,
    record: Record,
    decision: Decision,
) -> Job<()> {
    let (state, reason) = match decision {
        Decision::InStep => (State::Synced, Reason::default()),
        Decision::Keep | Decision::Write { .. } => match &stored.record {
            Some(old) => (old.state, old.reason.clone()),
            None => return Ok(()),
        },
        Decision::SetAside(Aside::Skip(reason)) => (State::Skipped, reason),
        Decision::SetAside(Aside::Hold(reason)) => (State::Held, reason),
        Decision::SetAside(Aside::Owe(reason)) => (State::Owed, reason),
        Decision::Found { verdict, hash } => {
            let record = Record { hash, ..record };
            return verdict::adopt_or_hold(run, batch, key, stored, &record, verdict);
        }
    };
    let new = Record {
        state,
        reason,
        ..record
    };
    let is_news = stored
        .record
        .as_ref()
        .is_none_or(|old| old.state != new.state || old.reason.code != new.reason.code);
    if is_news && state != State::Synced {
        run.count(format!("{} {}", key.kind.title(), state.name()));
        batch.activities.push(activity(key, &new, state.name()));
    }
    run.put(batch, key, stored, new)?;
    Ok(())
}
