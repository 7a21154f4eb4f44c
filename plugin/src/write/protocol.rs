//! Intent, request, answer: every change of Sage goes through [`execute`].
//!
//! The trap to know: an answer can be lost after Sage has acted. So the intent is durable before the request leaves, and a
//! record whose answer is unknown is left to [`crate::write::recovery`].

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::Value;

use crate::json;
use crate::sage::{self, Found, Likeness, Reply, Service};
use crate::write::ledger::{Job, Run, activity};
use crate::write::record::{Batch, Intent, Reason, Record, RecordKey, Remote, State, Stored};
use crate::write::remote;
use crate::write::verdict::{adopt_or_hold, find, judge};

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
}

#[derive(Debug)]
pub enum Act {
    Create {
        object: Value,
        /// What it will be recognised by.
        likeness: Likeness,
        /// F33: Sage is to keep the number that we send.
        own_number: bool,
        /// What Sage must have stored; none for a customer.
        total: Option<Decimal>,
    },
    /// The fields to change in the object as Sage has it at that moment; the rest of it is kept.
    Update { id: i64, fields: Value },
}

/// Carries the writes out, in their order.
pub fn execute(run: &mut Run, writes: Vec<Write>) -> Job<()> {
    let mut writes = writes;
    while !writes.is_empty() {
        let rest = writes.split_off(writes.len().min(BATCH));
        let count = writes.len();
        execute_batch(run, writes)?;
        run.advance(count)?;
        writes = rest;
    }
    Ok(())
}

fn execute_batch(run: &mut Run, mut writes: Vec<Write>) -> Job<()> {
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
            Ok(Some(request)) => {
                requests.push(request);
                sent.push(write);
            }
            Ok(None) => {
                let reason = Reason::new(
                    "gone-in-sage",
                    "It is no longer in Sage.",
                    "Link it to the right one in Sage, or exclude it.",
                );
                hold(&mut batch, run, &mut write, reason);
            }
            Err(halt) => {
                back_to_planned(&mut batch, &mut write);
                halted = Some(halt);
            }
        }
    }
    let answers = if requests.is_empty() {
        Vec::new()
    } else {
        run.cap.send(requests)
    };
    let now = run.cap.now();
    let mut highest: BTreeMap<Service, i64> = BTreeMap::new();
    let mut refused = Vec::new();
    for (mut write, answer) in sent.into_iter().zip(answers) {
        match sage::reply_of(answer, now) {
            Reply::Stored(object) => {
                let id = stored(&mut batch, run, &mut write, &object)?;
                let known = highest.entry(write.service).or_default();
                *known = id.max(*known);
            }
            Reply::Refused(said) => refused.push((write, said)),
            Reply::Uncertain(why) => uncertain(&mut batch, &mut write, &why.message, now),
            Reply::NotSent(halt) => {
                back_to_planned(&mut batch, &mut write);
                halted.get_or_insert(halt);
            }
        }
    }
    for (service, id) in highest {
        if id > remote::highest(run, service)? {
            remote::set_highest(&mut batch, service, id);
        }
    }
    run.commit(batch)?;
    resolve_refusals(run, refused)?;
    halted.map_or(Ok(()), Err)
}

fn commit_intents(run: &mut Run, writes: &mut [Write]) -> Job<()> {
    let now = run.cap.now();
    let mut batch = Batch::default();
    for write in writes.iter_mut() {
        let intent = match &write.act {
            Act::Create { likeness, .. } => Some(Intent {
                service: write.service,
                sent: likeness.clone(),
                hash: write.record.hash.clone(),
                above: remote::highest(run, write.service)?,
                in_flight_until: now,
            }),
            Act::Update { .. } => None,
        };
        let sending = Record {
            state: State::Sending,
            intent,
            reason: Reason::default(),
            // Until Sage has agreed, what it holds is the old content.
            hash: write
                .stored
                .record
                .as_ref()
                .map(|record| record.hash.clone())
                .unwrap_or_default(),
            ..write.record.clone()
        };
        write.stored = batch.put(write.key, &write.stored, sending);
    }
    run.commit(batch)
}

/// The request for a write; none where the object to update is gone.
fn request(run: &mut Run, write: &Write) -> Job<Option<crate::capability::Request>> {
    match &write.act {
        Act::Create {
            object, own_number, ..
        } => Ok(Some(sage::save_request(
            run,
            write.service,
            object,
            *own_number,
        ))),
        Act::Update { id, fields } => {
            // Sage resets what a Save leaves out, so the object is read at once before and edited as it is.
            let Some(mut object) = sage::get_one(run, write.service, *id)? else {
                return Ok(None);
            };
            if let (Some(object), Some(fields)) = (object.as_object_mut(), fields.as_object()) {
                object.extend(fields.clone());
            }
            Ok(Some(sage::save_request(run, write.service, &object, true)))
        }
    }
}

/// Sage has stored it: pair it, and compare the total to the cent.
fn stored(batch: &mut Batch, run: &mut Run, write: &mut Write, object: &Value) -> Job<i64> {
    let id = json::integer(object, "ID").unwrap_or_default();
    let (action, total) = match &write.act {
        Act::Create { total, .. } => ("created", *total),
        Act::Update { .. } => ("updated", None),
    };
    let has = json::decimal(object, "Total");
    let mut record = Record {
        state: State::Synced,
        remote: Some(Remote {
            service: write.service,
            id,
        }),
        intent: None,
        reason: Reason::default(),
        ..write.record.clone()
    };
    if let Some(expected) = total
        && has != Some(expected)
    {
        let has = has.map_or_else(|| "no total".to_owned(), |has| format!("{has:.2}"));
        record.state = State::Held;
        record.reason = Reason::new(
            "total-differs",
            format!("Sage stored {has}, Splynx says {expected:.2}."),
            "Correct the document in Sage, then mark it as done; it is paired and will not be sent again.",
        );
    }
    if let Some(likeness) = Likeness::of_row(write.service, object) {
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

fn hold(batch: &mut Batch, run: &mut Run, write: &mut Write, reason: Reason) {
    let record = Record {
        state: State::Held,
        intent: None,
        reason,
        ..write.record.clone()
    };
    run.count(format!("{} held", write.key.kind.title()));
    batch.activities.push(activity(write.key, &record, "held"));
    write.stored = batch.put(write.key, &write.stored, record);
}

fn uncertain(batch: &mut Batch, write: &mut Write, why: &str, now: u64) {
    let Some(mut record) = write.stored.record.clone() else {
        return;
    };
    match &mut record.intent {
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
        None => record.state = State::Planned,
    }
    batch
        .activities
        .push(activity(write.key, &record, record.state.name()));
    write.stored = batch.put(write.key, &write.stored, record);
}

/// It never left, or was turned away at the door: as if nothing had happened.
fn back_to_planned(batch: &mut Batch, write: &mut Write) {
    if let Some(record) = write.stored.record.clone() {
        let record = Record {
            state: State::Planned,
            intent: None,
            ..record
        };
        write.stored = batch.put(write.key, &write.stored, record);
    }
}

/// Sage refused them. A name or number that is taken is looked up: ours is adopted, another's is held with the cures that the
/// manual names (F81, F82).
fn resolve_refusals(run: &mut Run, refused: Vec<(Write, String)>) -> Job<()> {
    let services: BTreeSet<Service> = refused
        .iter()
        .filter(|(write, _)| matches!(write.act, Act::Create { .. }))
        .map(|(write, _)| write.service)
        .collect();
    for service in services {
        let above = remote::highest(run, service)?;
        remote::refresh(run, service, above)?;
    }
    for (mut write, said) in refused {
        let mut batch = Batch::default();
        let verdict = match &write.act {
            Act::Create { likeness, .. } => find(run, write.key, write.service, likeness)?
                .map(|found| judge(likeness, &found, write.service)),
            Act::Update { .. } => None,
        };
        match verdict {
            Some(verdict) => {
                adopt_or_hold(
                    run,
                    &mut batch,
                    write.key,
                    &write.stored,
                    &write.record,
                    verdict,
                )?;
            }
            None => {
                let reason = Reason::new(
                    "refused",
                    format!("Sage refused it: {said}"),
                    "Correct what Sage names, in Splynx or in Sage, then retry.",
                );
                hold(&mut batch, run, &mut write, reason);
            }
        }
        run.commit(batch)?;
    }
    Ok(())
}
