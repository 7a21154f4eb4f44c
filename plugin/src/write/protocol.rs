//! Intent, request, answer: every change of Sage goes through [`execute`].
//!
//! Beware: an answer can be lost after Sage has acted. So the intent is durable before the request leaves, and a
//! record whose answer is unknown is left to [`crate::write::recovery`].

use rust_decimal::Decimal;

use crate::capability::Request;
use crate::collect::{Map, ToSet};
use crate::money;
use crate::planted::{Mistake, is_planted};
use crate::sage::{self, Found, MatchKey, Object, Payload, Reply, Service};
use crate::write::ledger::{Run, RunError, RunResult, activity};
use crate::write::record::{
    Batch, Intent, Kind, Reason, Record, RecordKey, Remote, State, Stored, gone_in_sage,
};
use crate::write::refusals;
use crate::write::remote;
use crate::write::seen;
use crate::write::vat::Vat;
use crate::write::verdict::{DIFFERS, Suspect, Verdict, adopt_or_hold, look_up};

/// Requests under one intent commit. One list call answers for up to 100 after a crash; 25 keeps progress lively at Sage's
/// pace of one a second.
const BATCH: usize = 25;

/// One change of Sage for one record.
#[derive(Debug)]
pub struct Write {
    pub key: RecordKey,
    pub stored: Stored,
    /// As it will be stored once Sage has agreed; the protocol sets state, remote and intent.
    pub record: Record,
    pub service: Service,
    pub act: Act,
    /// A person has seen what is there, and wants it written all the same.
    pub is_vouched: bool,
    /// What Splynx said of its amount when it was written last; `None`: a person says it again.
    pub amount_before: Option<Decimal>,
    /// The settings and mappings that the object was made by: where Sage refuses it, a change of one may be the cure.
    pub hangs_on: Vec<String>,
}

#[derive(Debug)]
pub enum Act {
    Create {
        payload: Box<Payload>,
        /// What it will be recognised by.
        likeness: MatchKey,
        /// F33: Sage is to keep the number that we send.
        own_number: bool,
        expected: Option<Expected>,
    },
    /// What to change in the object as Sage has it at that moment; the rest of it is kept.
    Update {
        id: i64,
        payload: Box<Payload>,
        /// What it is there afterwards.
        likeness: MatchKey,
        expected: Option<Expected>,
    },
    /// Takes an allocation back; nothing else is ever deleted. `listed`: its key in the index of Sage's lists, forgotten with it.
    Remove { id: i64, listed: String },
}

/// What Sage should have stored; a customer has no such thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// What Splynx says.
    pub total: Decimal,
    /// What Sage makes of it as far as its arithmetic is known. Anything else means that it is not known well enough.
    pub predicted: Decimal,
    /// Of documents.
    pub vat: Option<Vat>,
}

/// Carries the writes out, in their order.
pub fn execute(run: &mut Run, writes: Vec<Write>) -> RunResult<()> {
    let now = run.cap.now();
    let settle = run.settings.settle;
    let free = |write: &Write| !write.could_be_overtaken(now, settle);
    let writes = writes.into_iter().filter(free).collect();
    let mut writes = reconcile_existing(run, writes)?;
    while let Some(first) = writes.first() {
        let most = if first.is_batched() {
            sage::LARGEST_BATCH
        } else if run.answered.contains(&first.service) {
            BATCH
        } else {
            // Whether it may be sent at all is learned from one request, not from as many as there are records.
            1
        };
        let rest = writes.split_off(writes.len().min(most));
        let count = writes.len();
        if let Err(halt) = execute_batch(run, writes) {
            // Other kinds go on, and must see that these are on their way: no payment goes before its invoice.
            if matches!(&halt, RunError::Failed(why) if why.path().is_some()) {
                let fresh = rest
                    .into_iter()
                    .filter(|write| write.stored.record.is_none());
                put_back(run, fresh.collect())?;
            }
            return Err(halt);
        }
        run.advance(count)?;
        if std::mem::take(&mut run.doubts_tax) {
            run.renewed.clear();
            return put_back(run, rest);
        }
        writes = rest;
    }
    Ok(())
}

/// Lists what Sage has by now before a run's first create of a kind, and takes what is there already out of the writes: this state may be
/// that of an earlier day.
fn reconcile_existing(run: &mut Run, writes: Vec<Write>) -> RunResult<Vec<Write>> {
    let services = writes
        .iter()
        .filter(|write| matches!(write.act, Act::Create { .. }))
        .map(|write| write.service)
        .filter(|service| !run.caught_up.contains(service))
        .to_set();
    if services.is_empty() {
        return Ok(writes);
    }
    for service in services.iter() {
        remote::refresh_index(run, *service)?;
    }
    let verdicts = look_up(
        run,
        &writes.iter().filter_map(Write::suspect).collect::<Vec<_>>(),
    )?;
    let mut verdicts = verdicts.into_iter();
    let mut batch = Batch::default();
    let mut left = Vec::with_capacity(writes.len());
    for write in writes {
        let verdict = write.suspect().and_then(|_| verdicts.next()).flatten();
        match verdict {
            Some(verdict) => write.adopt_or_hold(run, &mut batch, verdict)?,
            None => left.push(write),
        }
    }
    run.commit(batch)?;
    Ok(left)
}

impl Write {
    /// `stored`: as it was judged.
    pub fn new(key: RecordKey, stored: Stored, record: Record, service: Service, act: Act) -> Self {
        let before = stored.record.as_ref();
        let retried = before.filter(|before| before.is_retried());
        Self {
            key,
            is_vouched: retried
                .is_some_and(|r| [seen::CHANGED, DIFFERS].contains(&r.reason.code.as_str())),
            amount_before: before.filter(|_| retried.is_none()).and_then(|r| r.amount),
            stored,
            record,
            service,
            act,
            hangs_on: Vec::new(),
        }
    }

    /// Its record comes to what a look-up concluded.
    pub(super) fn adopt_or_hold(
        &self,
        run: &mut Run,
        batch: &mut Batch,
        verdict: Verdict,
    ) -> RunResult<()> {
        adopt_or_hold(run, batch, self.key, &self.stored, &self.record, verdict)
    }

    /// What a create could meet in Sage.
    pub(super) fn suspect(&self) -> Option<Suspect<'_>> {
        match &self.act {
            Act::Create { likeness, .. } => Some(Suspect {
                key: self.key,
                marked: self.key.marked(Some(&self.record)),
                service: self.service,
                likeness,
                is_vouched: self.is_vouched,
            }),
            Act::Update { .. } | Act::Remove { .. } => None,
        }
    }

    fn stored_hash(&self) -> String {
        let before = self.stored.record.as_ref();
        before.map(|record| record.hash.clone()).unwrap_or_default()
    }

    /// Whether an earlier update could still arrive, and undo what this one says: it stays planned until then.
    fn could_be_overtaken(&self, now: u64, settle: u64) -> bool {
        let before = self.stored.record.as_ref();
        let until = before.and_then(|record| record.update_in_flight_until);
        until.is_some_and(|until| now < until + settle)
    }

    /// Only allocations can be saved many at once (Sage API 2.13).
    fn is_batched(&self) -> bool {
        self.service == Service::Allocation && matches!(self.act, Act::Create { .. })
    }
}

pub(super) fn execute_batch(run: &mut Run, mut writes: Vec<Write>) -> RunResult<()> {
    commit_intents(run, &mut writes)?;
    let mut sent = Vec::new();
    let mut requests = Vec::new();
    let mut halted = None;
    let mut batch = Batch::default();
    for mut write in writes {
        if halted.is_some() {
            back_to_planned(&mut batch, &mut write);
            continue;
        }
        match request(run, &write) {
            Ok(Ok(mut request)) => {
                request.priority = priority(&write);
                requests.push(request);
                sent.push(write);
            }
            Ok(Err(reason)) => hold(&mut batch, run, &mut write, reason),
            Err(halt) => {
                back_to_planned(&mut batch, &mut write);
                halted = put_off(run, halt);
            }
        }
    }
    let as_one = sent.len() > 1 && sent.iter().all(Write::is_batched);
    let replies = replies(run, requests, as_one);
    let now = run.cap.now();
    let mut highest: Map<Service, i64> = Map::new_vec();
    let mut refused = Vec::new();
    let mut lost = Vec::new();
    let replied = sent.len();
    let service = sent.first().map(|write| write.service);
    for (mut write, reply) in sent.into_iter().zip(replies) {
        match reply {
            Reply::Stored(object) => {
                let id = stored(&mut batch, run, &mut write, &object)?;
                let known = highest.entry(write.service).or_default();
                *known = id.max(*known);
            }
            Reply::Removed => removed(&mut batch, run, &mut write)?,
            Reply::Refused(said) => refused.push((write, said)),
            Reply::Uncertain(why) => {
                uncertain(&mut batch, &mut write, &why.message, now);
                lost.push(why);
            }
            Reply::NotSent(halt) => {
                back_to_planned(&mut batch, &mut write);
                halted = halted.or_else(|| put_off(run, halt));
            }
        }
    }
    for (service, id) in highest {
        if id > remote::highest(run, service)? {
            remote::set_highest(&mut batch, service, id);
        }
    }
    run.commit(batch)?;
    refusals::resolve(run, refused)?;
    // One answer may be lost, and one record may be too much for Sage; where none of several is answered, Sage is out of order.
    if lost.len() < replied {
        run.answered.extend(service);
    } else if let Some(why) = lost.pop() {
        if replied > 1 || run.lost_alone.is_some_and(|before| Some(before) == service) {
            halted = halted.or(Some(RunError::Failed(why)));
        }
        run.lost_alone = service;
    }
    halted.map_or(Ok(()), Err)
}

/// What matters less has used up its part of the day's requests: it stays planned, and the rest goes on.
pub(super) fn put_off(run: &mut Run, halt: RunError) -> Option<RunError> {
    let Some(why) = halt.of_share() else {
        return Some(halt);
    };
    run.put_off.get_or_insert_with(|| why.clone());
    None
}

/// A payment that must wait until tomorrow hurts, another telephone number does not (`http.wit`, options).
fn priority(write: &Write) -> &'static str {
    match (write.key.kind, &write.act) {
        (Kind::Customer, Act::Update { .. }) => "low",
        (Kind::Payment | Kind::Allocation, _) => "high",
        _ => "",
    }
}

/// One reply per request. A batch is all or nothing: where Sage refuses it, each of its parts is sent on its own, so that one
/// bad part does not hold the others.
pub(super) fn replies(run: &mut Run, requests: Vec<Request>, as_one: bool) -> Vec<Reply> {
    if requests.is_empty() {
        return Vec::new();
    }
    if as_one {
        let batch = sage::save_batch_request(&requests);
        let path = batch.path.clone();
        let answer = run.send_all(vec![batch]).pop();
        let now = run.cap.now();
        let replies = sage::replies_of(&path, answer, requests.len(), now);
        if !matches!(replies.first(), Some(Reply::Refused(_))) {
            return replies;
        }
    }
    let sent: Vec<(&str, String)> = requests
        .iter()
        .map(|request| (request.method, request.path.clone()))
        .collect();
    let answers = run.send_all(requests);
    let now = run.cap.now();
    sent.into_iter()
        .zip(answers)
        .map(|((method, path), answer)| sage::reply_of(method, &path, answer, now))
        .collect()
}

pub(super) fn commit_intents(run: &mut Run, writes: &mut [Write]) -> RunResult<()> {
    if is_planted(Mistake::NoIntent) {
        return Ok(());
    }
    let now = run.cap.now();
    let mut highest: Map<Service, i64> = Map::new_vec();
    for service in writes.iter().map(|write| write.service).to_set() {
        highest.insert(service, remote::highest(run, service)?);
    }
    let mut batch = Batch::default();
    for write in writes.iter_mut() {
        let mut sent = write.record.sent.clone();
        let intent = match &write.act {
            Act::Create { likeness, .. } => Some(Intent {
                service: write.service,
                sent: likeness.clone(),
                hash: write.record.hash.clone(),
                above: highest[&write.service],
                in_flight_until: now,
            }),
            Act::Update {
                likeness, expected, ..
            } => {
                let predicted = expected.as_ref().map(|expected| expected.predicted);
                for left in [Some(likeness.clone()), likeness.with_total(predicted)] {
                    if let Some(left) = left.filter(|left| !sent.contains(left)) {
                        sent.push(left);
                    }
                }
                None
            }
            Act::Remove { .. } => None,
        };
        let sending = Record {
            state: State::Sending,
            intent,
            sent,
            reason: Reason::default(),
            // Until Sage has agreed, what it holds is the old content.
            hash: write.stored_hash(),
            ..write.record.clone()
        };
        write.stored = batch.put(write.key, &write.stored, sending);
    }
    run.commit(batch)
}

/// The request for a write, or why it is held instead.
pub(super) fn request(run: &mut Run, write: &Write) -> RunResult<Result<Request, Reason>> {
    let (id, payload, expected) = match &write.act {
        Act::Create {
            payload,
            own_number,
            ..
        } => {
            let body = payload.encode().to_string();
            let request = sage::save_request(run, write.service, body, *own_number);
            return Ok(Ok(request));
        }
        Act::Remove { id, .. } => {
            let object = sage::get_one_as(run, write.service, *id, priority(write))?;
            let reason = object.and_then(|object| seen::reallocated(write, &object));
            return Ok(match reason {
                Some(reason) => Err(reason),
                None => Ok(sage::delete_request(run, write.service, *id)),
            });
        }
        Act::Update {
            id,
            payload,
            expected,
            ..
        } => (*id, payload, expected),
    };
    // Sage resets what a Save leaves out, so the object is read at once before and edited as it is.
    let Some(mut object) = sage::get_one_as(run, write.service, id, priority(write))? else {
        return Ok(Err(gone_in_sage()));
    };
    if let Some(reason) = seen::changed_since(&run.settings, write, &object) {
        return Ok(Err(reason));
    }
    if object.is_closed() {
        return Ok(Err(Reason::new(
            "locked-in-sage",
            "It was changed in Splynx, and Sage has locked it: its period is closed, or it is reconciled.",
            "Open the period in Sage and retry; or undo the change in Splynx and correct it with a credit note.",
        )));
    }
    let amounts = object.total().zip(object.rest());
    let allocated = amounts.map(|(total, rest)| total - rest);
    if let (Some(expected), Some(allocated)) = (expected, allocated)
        && expected.total < allocated
    {
        return Ok(Err(Reason::new(
            "more-allocated",
            format!(
                "It is {} in Splynx now, and in Sage {} of it is allocated already.",
                money::written(expected.total),
                money::written(allocated)
            ),
            "Take the allocation back in Sage and retry; or undo the change in Splynx and correct it with a credit note.",
        )));
    }
    if is_planted(Mistake::FieldsForgotten) {
        object = object.forgotten();
    }
    object.overwrite(payload);
    let body = object.into_body();
    Ok(Ok(sage::save_request(run, write.service, body, true)))
}

/// Sage has stored it: pair it, and compare the total to the cent.
pub(super) fn stored(
    batch: &mut Batch,
    run: &mut Run,
    write: &mut Write,
    object: &Object,
) -> RunResult<i64> {
    let id = object.id().unwrap_or_default();
    let (action, payload, expected) = match &write.act {
        Act::Update {
            payload, expected, ..
        } => ("updated", Some(payload), expected.as_ref()),
        Act::Create {
            payload, expected, ..
        } => ("created", Some(payload), expected.as_ref()),
        Act::Remove { .. } => ("removed", None, None),
    };
    let seen = MatchKey::of(write.service, object);
    let mut record = Record {
        state: State::Synced,
        remote: Some(Remote {
            service: write.service,
            id,
        }),
        seen: seen
            .zip(payload)
            .map(|(seen, payload)| seen.saved_with(payload)),
        sent: Vec::new(),
        intent: None,
        update_in_flight_until: None,
        reason: Reason::default(),
        refused: String::new(),
        failures: 0,
        allocated_in_sage: object
            .rest()
            .is_some_and(|rest| object.total() != Some(rest)),
        ..write.record.clone()
    };
    if let Some(expected) = expected {
        record.reason = compare(batch, run, write, expected, object);
    }
    if !record.reason.code.is_empty() {
        record.state = State::Held;
    }
    if is_planted(Mistake::HashNotKept) {
        record.hash = write.stored_hash();
    }
    if let Some(likeness) = MatchKey::of(write.service, object) {
        remote::note(batch, write.service, &Found { id, likeness });
    }
    run.count(format!("{} {action}", write.key.kind.title()));
    let done = if record.state == State::Held {
        "held"
    } else {
        action
    };
    batch.activities.push(activity(write.key, &record, done));
    write.stored = run.put(batch, write.key, &write.stored, record)?;
    Ok(id)
}

/// Why what Sage stored needs a person; empty: it is right. VAT that is a cent off while the totals agree is recorded only (D14).
fn compare(
    batch: &mut Batch,
    run: &mut Run,
    write: &Write,
    expected: &Expected,
    object: &Object,
) -> Reason {
    let total = object.total();
    if let (Some(vat), Some(has), Some(date)) = (&expected.vat, object.tax(), object.date()) {
        let off = has - vat.amount;
        // A new document has nothing noted yet that would have to go.
        if !off.is_zero() || matches!(write.act, Act::Update { .. }) {
            batch.note_vat(write.key, date, off);
        }
        if !vat.is_right(has) {
            let doubtful = vat.doubtful(object);
            // Other amounts have other VAT: that is about the total.
            if !doubtful.is_empty() || total == Some(expected.total) {
                run.doubts_tax |= !doubtful.is_empty();
                for tax in doubtful {
                    batch.doubt_tax(tax);
                }
                return vat.differs(has);
            }
        }
    }
    if total.is_some_and(|has| has != expected.predicted) {
        batch.doubt_arithmetic();
    }
    if total == Some(expected.total) || is_planted(Mistake::TotalNotCompared) {
        return Reason::default();
    }
    let (stored, off) = match total {
        Some(has) => (money::written(has), money::written(has - expected.total)),
        None => ("no total".to_owned(), "unknown".to_owned()),
    };
    Reason::new(
        "total-differs",
        format!(
            "Sage stored {stored}, Splynx says {}: a difference of {off}.",
            money::written(expected.total)
        ),
        "It is paired and is not sent again by itself. Correct it in Sage and mark it as done; or switch \"Use inclusive amounts\" on or choose a fix item, and retry.",
    )
}

/// Sage has taken it out, or it was out already.
fn removed(batch: &mut Batch, run: &mut Run, write: &mut Write) -> RunResult<()> {
    let record = Record {
        state: State::Skipped,
        remote: None,
        seen: None,
        sent: Vec::new(),
        intent: None,
        update_in_flight_until: None,
        ..write.record.clone()
    };
    if let Act::Remove { listed, .. } = &write.act {
        remote::forget(batch, listed);
    }
    run.count(format!("{} removed", write.key.kind.title()));
    batch
        .activities
        .push(activity(write.key, &record, "removed"));
    write.stored = run.put(batch, write.key, &write.stored, record)?;
    Ok(())
}

pub(super) fn hold(batch: &mut Batch, run: &mut Run, write: &mut Write, reason: Reason) {
    let hangs_on = write.hangs_on.iter();
    let reason = hangs_on.fold(reason, |reason, key| reason.until_setting(key));
    let record = Record {
        state: State::Held,
        intent: None,
        reason,
        refused: write.record.hash.clone(),
        // What Sage holds is what it held before.
        hash: write.stored_hash(),
        ..write.record.clone()
    };
    run.count(format!("{} held", write.key.kind.title()));
    batch.activities.push(activity(write.key, &record, "held"));
    write.stored = batch.put(write.key, &write.stored, record);
}

pub(super) fn uncertain(batch: &mut Batch, write: &mut Write, why: &str, now: u64) {
    let Some(mut record) = write.stored.record.clone() else {
        return;
    };
    match &mut record.intent {
        Some(_) if is_planted(Mistake::TimeOutMeansUnsent) => {
            record.state = State::Planned;
            record.intent = None;
        }
        Some(intent) => {
            intent.in_flight_until = now;
            record.state = State::Uncertain;
            record.reason = Reason::new(
                "answer-lost",
                format!("It was sent, and what became of it is not known: {why}"),
                "Nothing to do: a later run looks it up in Sage before anything is sent again.",
            );
        }
        // An update says the same thing however often it is sent.
        None => {
            record = record
                .update_lost(now)
                .failed_once_more(&write.record.hash, "Sage");
        }
    }
    batch
        .activities
        .push(activity(write.key, &record, record.state.name()));
    write.stored = batch.put(write.key, &write.stored, record);
}

/// Writes that were decided on before something came out that changes what is to be decided: they are decided on again.
fn put_back(run: &mut Run, writes: Vec<Write>) -> RunResult<()> {
    let mut batch = Batch::default();
    for write in writes {
        let record = Record {
            state: State::Planned,
            intent: None,
            hash: write.stored_hash(),
            ..write.record.clone()
        };
        batch.put(write.key, &write.stored, record);
    }
    run.commit(batch)
}

/// It never left, or was turned away at the door: as if nothing had happened.
pub(super) fn back_to_planned(batch: &mut Batch, write: &mut Write) {
    if let Some(record) = write.stored.record.clone() {
        let record = Record {
            state: State::Planned,
            intent: None,
            ..record
        };
        write.stored = batch.put(write.key, &write.stored, record);
    }
}
