//! The way of every record from Splynx to Sage: first what an earlier run left open, then what changed since the cursor.
//!
//! The cursor moves only over records that are in the ledger; a page's decisions and writes are committed before its place.

use chrono::{Days, NaiveDate};
use serde_json::Value;

use crate::capability::Failure;
use crate::collect::{Map, ToSet};
use crate::planted::{Mistake, is_planted};
use crate::preview::MADE_ABOVE;
use crate::sage::Service;
use crate::splynx::{self, Birth, Listing, Page, Resource, Row, Window};
use crate::stored::{self, stored};
use crate::sync::births;
use crate::sync::import_recovery;
use crate::write::ledger::{META, Run, RunError, RunResult, activity, cursor_key};
use crate::write::limits::{self, Limits};
use crate::write::protocol::{self, Act, Write};
use crate::write::record::{Batch, GONE_IN_SAGE, Kind, Reason, Record, RecordKey, State, Stored};
use crate::write::recovery;
use crate::write::remote;
use crate::write::seen;
use crate::write::since_done;
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
    SetAside(NotSent),
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
        Self::SetAside(NotSent::Skip(reason))
    }

    pub fn hold(reason: Reason) -> Self {
        Self::SetAside(NotSent::Hold(reason))
    }

    /// What the company does not let through is held instead.
    fn within(self, limits: &Limits, record: Option<&Record>) -> Self {
        match &self {
            Self::Write { act, .. } => limits.forbid(act, record).map_or(self, Self::hold),
            _ => self,
        }
    }

    /// Whether it would send something, or holds news for what a list of Sage's says.
    fn rests_on_lists(&self, stored: &Stored) -> bool {
        match self {
            Self::Write { .. } => {
                let before = stored.record.clone().unwrap_or_default();
                !was_refused(&before, self)
            }
            Self::SetAside(NotSent::Hold(reason)) => {
                let is_news = stored.record.is_none() || stored.is_judged_again();
                is_news && reason.is_of_lists()
            }
            _ => false,
        }
    }

    /// On a document or receipt that Sage has already, and that needs no sending.
    pub fn of_sent(record: &Record, hash: &str) -> Self {
        if let (true, Some(remote)) = (record.hash.is_empty(), &record.remote) {
            // A person linked it: what it says now is what was meant.
            Self::Found {
                verdict: Verdict::Ours {
                    remote: remote.clone(),
                    likeness: None,
                    allocated: true,
                },
                hash: hash.to_owned(),
            }
        } else {
            Self::of_unchanged(record)
        }
    }

    /// On a record that needs no sending: what stays listed waits for a person, who mends it in Sage.
    pub fn of_unchanged(record: &Record) -> Self {
        let is_a_persons_to_mend = matches!(
            record.reason.code.as_str(),
            "total-differs" | "vat-differs" | GONE_IN_SAGE
        ) || seen::was_edited(record);
        if matches!(record.state, State::Held | State::Owed) && is_a_persons_to_mend {
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
    lookalikes: &[i64],
) -> Option<Decision> {
    let vouched_for = record.is_some_and(|record| record.vouched_for);
    let is_believed = vouched_for || is_planted(Mistake::LookalikeBelieved);
    let found = lookalikes.first().filter(|_| !is_believed)?;
    let what = service.title();
    Some(Decision::hold(Reason::new(
        verdict::POSSIBLE_DUPLICATE,
        format!(
            "Sage has a {what} of the same customer, day and amount (id {found}), and it may be the same."
        ),
        format!(
            "Look at the {what} in Sage. If it is the same, link the two in the outbox; if not, retry: that sends it."
        ),
    )))
}

/// Why a record is not sent (now).
#[derive(Debug, Clone)]
pub enum NotSent {
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

    fn facts(&self, run: &mut Run, page: &[(Self::Source, Stored)]) -> RunResult<Self::Facts>;

    /// Pure: the same source, record, facts and settings give the same decision.
    fn decide(
        &self,
        run: &Run,
        facts: &mut Self::Facts,
        source: &Self::Source,
        record: Option<&Record>,
    ) -> Decision;

    /// Reads what decisions rest on in Sage again, once a run; answers whether they may be other ones now.
    fn renew(&self, _run: &mut Run) -> RunResult<bool> {
        Ok(false)
    }

    /// The settings and mappings by which the object for Sage is made of it.
    fn hangs_on(&self, source: &Self::Source) -> Vec<String>;

    /// What people call it, its Splynx customer, and its amount.
    fn describe(&self, run: &Run, source: &Self::Source) -> Description;
}

pub struct Description {
    pub label: String,
    pub customer: i64,
    pub amount: Option<rust_decimal::Decimal>,
    /// What of the amount is not settled yet; when it moves, the customer's allocations are looked at.
    pub open: Option<rust_decimal::Decimal>,
    /// The invoice that a payment was entered for; when it is another one, the customer's allocations are looked at.
    pub invoice: Option<i64>,
    /// Everything that people would have to see to, in parts: `amount 115.00|date 2026-02-04`.
    pub content: String,
}

/// How far the changed records of a kind were read.
#[derive(Debug, Default)]
struct Cursor {
    /// The from-date that it was read with; with an earlier one, everything is read again.
    from: Option<NaiveDate>,
    /// Changed on this day or later; `None`: everything.
    since: Option<NaiveDate>,
    /// The day on which the scan under way began.
    began: Option<NaiveDate>,
    /// The last id that the scan under way has handled.
    after: i64,
    done: u64,
    total: u64,
}

stored!(Cursor {
    from,
    since,
    began,
    after,
    done,
    total
});

impl Cursor {
    fn window(&self, run: &Run) -> Window {
        Window {
            // A clock that was ahead, and is right again, has left a day that is yet to come.
            changed_since: self
                .since
                .min(reread_from(run, run.settings.today).or(self.since)),
            dated_from: self.from,
        }
    }
}

/// What changed from this day on is read again after a scan that began on a day.
fn reread_from(run: &Run, began: NaiveDate) -> Option<NaiveDate> {
    began
        .checked_sub_days(OVERLAP)?
        .checked_sub_days(run.clocks.behind())
}

/// A kind of record with its type folded away: the walks below exist once for all kinds.
pub trait SyncSource {
    fn kind(&self) -> Kind;
    fn services(&self) -> &'static [Service];
    fn listing(&self) -> Listing;
    /// Decides on a page of rows and carries the decisions out.
    fn handle(&self, run: &mut Run, rows: Vec<Row>) -> RunResult<()>;
}

impl<E: Entity> SyncSource for E {
    fn kind(&self) -> Kind {
        E::KIND
    }

    fn services(&self) -> &'static [Service] {
        E::SERVICES
    }

    fn listing(&self) -> Listing {
        Listing::of::<E::Source>()
    }

    fn handle(&self, run: &mut Run, mut rows: Vec<Row>) -> RunResult<()> {
        let others = births::hold_others(run, E::KIND, &rows)?;
        rows.retain(|(id, _)| !others.contains(id));
        let mut births = births::births(E::KIND, &rows);
        let sources = Page::<E::Source>::parse(&rows);
        // What is deleted need not be understood.
        let (deleted, unreadable) = sources
            .unreadable
            .into_iter()
            .partition(|(id, _)| row_of(&rows, *id).is_some_and(splynx::is_marked_deleted));
        forget_deleted(run, E::KIND, deleted)?;
        hold_unreadable(run, E::KIND, &rows, unreadable)?;
        let (mut open, mut settled) = known(run, E::KIND, &rows)?;
        let mut batch = Batch::default();
        for source in &sources.records {
            if let Some(stored) = settled.remove(&source.id()) {
                let key = RecordKey::new(E::KIND, source.id());
                let content = self.describe(run, source).content;
                since_done::compare(run, &mut batch, key, &stored, &content)?;
            }
        }
        run.commit(batch)?;
        let page: Vec<(E::Source, Stored)> = sources
            .records
            .into_iter()
            .filter_map(|source| {
                let stored = open.remove(&source.id())?;
                Some((source, stored))
            })
            .collect();
        if page.is_empty() {
            return Ok(());
        }
        let mut facts = self.facts(run, &page)?;
        let mut decide = |run: &Run| -> Vec<Decision> {
            let page = page.iter();
            page.map(|(source, stored)| {
                let record = stored.record.as_ref();
                let decision = self.decide(run, &mut facts, source, record);
                decision.within(&run.limits, record)
            })
            .collect()
        };
        let mut decisions = decide(run);
        let mut with_records = page.iter().map(|(_, stored)| stored).zip(&decisions);
        if with_records.any(|(stored, decision)| decision.rests_on_lists(stored)) {
            let has_new_limits = E::KIND != Kind::Customer && limits::renew(run)?;
            if self.renew(run)? || has_new_limits {
                decisions = decide(run);
            }
        }
        let judged = page.into_iter().zip(decisions);
        let judged = judged.map(|((source, stored), decision)| Decided {
            key: RecordKey::new(E::KIND, source.id()),
            decision,
            description: self.describe(run, &source),
            born: births.remove(&source.id()),
            hangs_on: self.hangs_on(&source),
            stored,
        });
        let judged = judged.collect();
        carry_out(run, judged)
    }
}

/// Brings one kind of record into step.
pub fn sync(run: &mut Run, of: &dyn SyncSource) -> RunResult<()> {
    prepare(run, of)?;
    open_records(run, of)?;
    changed_records(run, of)
}

/// Brings single records of a kind into step, and those that earlier runs left open.
pub fn sync_these(run: &mut Run, of: &dyn SyncSource, ids: &[i64]) -> RunResult<()> {
    prepare(run, of)?;
    open_records(run, of)?;
    look_at(run, of, ids)
}

/// What comes before a record of the kind may be decided about.
pub fn prepare(run: &mut Run, of: &dyn SyncSource) -> RunResult<()> {
    recovery::recover(run, of.kind())?;
    run.wake_changed_settings()?;
    limits::look_again(run)?;
    let from = run.settings.from(of.kind());
    for service in of.services() {
        remote::build_index(run, *service, from)?;
    }
    Ok(())
}

/// Records that were planned by an earlier run, a person, or something that they waited for.
fn open_records(run: &mut Run, of: &dyn SyncSource) -> RunResult<()> {
    let kind = of.kind();
    let mut after = String::new();
    while let Some(page) = run.next_open(kind, &mut after)? {
        run.progress(&format!("{} from earlier runs", kind.title()), 0, 0)?;
        let ids: Vec<i64> = page
            .iter()
            .filter(|(_, state)| state == State::Planned.name())
            .map(|(key, _)| key.id)
            .collect();
        look_at(run, of, &ids)?;
    }
    Ok(())
}

/// Looks at the records of these ids, whether Splynx still has them or not.
pub fn look_at(run: &mut Run, of: &dyn SyncSource, ids: &[i64]) -> RunResult<()> {
    let rows = of.listing().of_ids(run, ids)?;
    let there = rows.iter().map(|(id, _)| *id).to_set();
    let gone = ids
        .iter()
        .filter(|id| !there.contains(id) && **id <= MADE_ABOVE);
    forget_the_gone(run, gone.map(|id| RecordKey::new(of.kind(), *id)).collect())?;
    of.handle(run, rows)
}

/// Splynx says (404) that these no longer exist.
fn forget_the_gone(run: &mut Run, gone: Vec<RecordKey>) -> RunResult<()> {
    let mut batch = Batch::default();
    let imported = gone.iter().filter(|key| key.kind == Kind::Payment);
    import_recovery::owe_deleted_payments(run, &mut batch, imported.map(|key| key.id).collect())?;
    for (key, stored) in run.records(gone)? {
        let Some(record) = stored.record.clone() else {
            continue;
        };
        if record.is_a_persons() {
            since_done::gone(run, &mut batch, key, &stored)?;
            continue;
        }
        if key.kind != Kind::Customer {
            // What it settled, or what settled it, need not tell: an invoice that was paid and is open again looks untouched.
            batch.look_at_allocations(record.customer);
        }
        let aside = if record.remote.is_some() || is_left_behind(&record) {
            NotSent::Owe(deleted_after_sync())
        } else {
            NotSent::Skip(Reason::new("deleted", "It was deleted in Splynx.", ""))
        };
        let decision = Decision::SetAside(aside);
        let record = Record {
            looked_like: since_done::GONE.to_owned(),
            ..record
        };
        settle(run, &mut batch, key, &stored, record, decision)?;
    }
    run.commit(batch)
}

/// Whether something in Sage bears the mark of a record without being its pair: it stays there when the record goes.
pub fn is_left_behind(record: &Record) -> bool {
    let was_told = record.state == State::Owed && record.reason == deleted_after_sync();
    record.reason.code == verdict::DIFFERS || was_told
}

/// What a person owes where Splynx dropped a record that Sage has (D7).
pub fn deleted_after_sync() -> Reason {
    Reason::new(
        "deleted-after-sync",
        "It was deleted in Splynx after it had been sent to Sage.",
        "Reverse it in Sage, if that is meant; then mark this as done.",
    )
}

/// Whether the changed records of a kind were read to the end, at least once from the from-date of now on.
pub fn was_scanned(run: &mut Run, kind: Kind) -> RunResult<bool> {
    let text = run.meta(&cursor_key(kind))?;
    let cursor: Option<Cursor> = text.as_deref().and_then(stored::from_text);
    let from = run.settings.from(kind);
    Ok(cursor.is_some_and(|cursor| cursor.since.is_some() && cursor.from <= from))
}

fn changed_records(run: &mut Run, of: &dyn SyncSource) -> RunResult<()> {
    let (kind, listing) = (of.kind(), of.listing());
    let key = cursor_key(kind);
    let from = run.settings.from(kind);
    let mut stored = run.meta(&key)?;
    let mut cursor: Cursor = stored
        .as_deref()
        .and_then(stored::from_text)
        .unwrap_or_default();
    if from.is_some() && cursor.from.is_none_or(|before| from < Some(before)) {
        cursor = Cursor::default();
    }
    cursor.from = from;
    let began = *cursor.began.get_or_insert(run.settings.today);
    if cursor.since.is_none() && cursor.total == 0 {
        cursor.total = listing.count(run, &cursor.window(run))?;
    }
    loop {
        run.progress(kind.title(), cursor.done, cursor.total)?;
        let window = cursor.window(run);
        let rows = listing.above(run, &window, cursor.after)?;
        if cursor.window(run) != window {
            // The answer tells that Splynx's clock is behind: it is asked again, from further back.
            continue;
        }
        let mut batch = Batch::default();
        match rows.last() {
            Some((last, _)) => {
                cursor.after = *last;
                cursor.done += rows.len() as u64;
            }
            None => {
                cursor = Cursor {
                    from,
                    since: reread_from(run, began),
                    ..Cursor::default()
                };
            }
        }
        let text = stored::to_text(&cursor);
        let complete = rows.is_empty();
        if stored.as_ref() != Some(&text) {
            batch.set(META, key.clone(), text.clone());
            stored = Some(text);
        }
        if is_planted(Mistake::CursorFirst) {
            run.commit(std::mem::take(&mut batch))?;
        }
        of.handle(run, rows)?;
        // Only now: the place moves over records that are in the ledger.
        run.commit(batch)?;
        if complete {
            return Ok(());
        }
    }
}

/// The records of these rows that are ours to decide, where one that we do not know yet is empty; and those that a person has settled.
fn known(
    run: &mut Run,
    kind: Kind,
    rows: &[Row],
) -> RunResult<(Map<i64, Stored>, Map<i64, Stored>)> {
    let keys = rows.iter().map(|(id, _)| RecordKey::new(kind, *id));
    let records = run.records(keys.collect::<Vec<_>>())?;
    let mut open = Map::new_vec();
    let mut settled = Map::new_vec();
    for (key, stored) in records {
        if is_ours_to_decide(&stored) {
            open.insert(key.id, stored);
        } else {
            settled.insert(key.id, stored);
        }
    }
    Ok((open, settled))
}

/// What was decided of one record.
struct Decided {
    key: RecordKey,
    stored: Stored,
    decision: Decision,
    description: Description,
    born: Option<Birth>,
    hangs_on: Vec<String>,
}

fn carry_out(run: &mut Run, judged: Vec<Decided>) -> RunResult<()> {
    let decided = judged.len();
    let mut writes = Vec::new();
    let mut batch = Batch::default();
    for Decided {
        key,
        stored,
        decision,
        description,
        born,
        hangs_on,
    } in judged
    {
        let Description {
            label,
            customer,
            amount,
            open,
            invoice,
            content,
        } = description;
        let before = stored.record.clone().unwrap_or_default();
        if open != before.open || invoice != before.invoice {
            batch.look_at_allocations(customer);
        }
        let refused = was_refused(&before, &decision);
        let record = Record {
            state: State::Planned,
            label,
            customer,
            amount,
            open,
            invoice,
            looked_like: content,
            intent: None,
            reason: Reason::default(),
            born,
            ..before
        };
        match decision {
            Decision::Write { .. } if refused => {
                settle(run, &mut batch, key, &stored, record, Decision::Keep)?;
            }
            Decision::Write { service, act, hash } => {
                let record = Record { hash, ..record };
                writes.push(Write {
                    hangs_on,
                    ..Write::new(key, stored, record, service, act)
                });
            }
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
    let record = stored.record.as_ref();
    record.is_none_or(Record::is_ours_to_decide)
}

fn row_of(rows: &[Row], id: i64) -> Option<&Value> {
    let row = rows.iter().find(|(row, _)| *row == id);
    row.map(|(_, value)| value)
}

/// These are marked as deleted in Splynx, and nothing else of them can be read.
fn forget_deleted(run: &mut Run, kind: Kind, deleted: Vec<(i64, String)>) -> RunResult<()> {
    let keys = deleted.iter().map(|(id, _)| RecordKey::new(kind, *id));
    let is_known = |(_, stored): &(RecordKey, Stored)| {
        let record = stored.record.as_ref();
        record.is_some_and(|record| record.is_ours_to_decide() || record.is_a_persons())
    };
    let known = run.records(keys)?.into_iter().filter(is_known);
    let known = known.map(|(key, _)| key).collect();
    forget_the_gone(run, known)
}

/// What Splynx says of these is not understood; everything else goes on.
fn hold_unreadable(
    run: &mut Run,
    kind: Kind,
    rows: &[Row],
    unreadable: Vec<(i64, String)>,
) -> RunResult<()> {
    let mut batch = Batch::default();
    for (id, what) in unreadable {
        let key = RecordKey::new(kind, id);
        let stored = run.records([key])?.remove(&key).unwrap_or_default();
        let looked_like = row_of(rows, id).map_or_else(String::new, |row| {
            since_done::of_unreadable(&splynx::digest(row))
        });
        if !is_ours_to_decide(&stored) {
            since_done::compare(run, &mut batch, key, &stored, &looked_like)?;
            continue;
        }
        let before = stored.record.clone().unwrap_or_else(|| Record {
            label: id.to_string(),
            ..Record::default()
        });
        let record = Record {
            looked_like,
            ..before
        };
        if is_planted(Mistake::PoisonStops) {
            return Err(RunError::Failed(Failure::new("unreadable", what)));
        }
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
) -> RunResult<()> {
    let is_set_aside = matches!(decision, Decision::SetAside(_));
    let (state, reason) = match decision {
        Decision::InStep => (State::Synced, Reason::default()),
        Decision::Keep | Decision::Write { .. } => match &stored.record {
            Some(old) => (old.state, old.reason.clone()),
            None => return Ok(()),
        },
        Decision::SetAside(NotSent::Skip(reason)) => (State::Skipped, reason),
        Decision::SetAside(NotSent::Hold(reason)) => (State::Held, reason),
        Decision::SetAside(NotSent::Owe(reason)) => (State::Owed, reason),
        Decision::Found { verdict, hash } => {
            let record = Record { hash, ..record };
            return verdict::adopt_or_hold(run, batch, key, stored, &record, verdict);
        }
    };
    let mut new = Record {
        state,
        reason,
        ..record
    };
    if is_set_aside {
        // What Sage once refused is not why it is held now, and not in the way once that is cured.
        new.refused.clear();
    }
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
