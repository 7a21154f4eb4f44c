//! What becomes of a record that Sage refuses: it may be there already, or be in want of less.

use crate::capability::Activity;
use crate::collect::ToSet;
use crate::sage::{MatchKey, Payload, Reply};
use crate::write::exchange::{self, Way};
use crate::write::ledger::{Run, RunResult, activity};
use crate::write::protocol::{
    Act, Write, back_to_planned, commit_intents, execute_batch, hold, put_off, replies, request,
    stored, uncertain,
};
use crate::write::record::{Batch, Kind, Reason, Record, State};
use crate::write::remote;
use crate::write::verdict::{Suspect, look_up};

/// Sage refused them. A name or number that is taken is looked up: ours is adopted, another's is held with the cures that the
/// manual names (F81, F82).
pub fn resolve(run: &mut Run, refused: Vec<(Write, String)>) -> RunResult<()> {
    let services = refused
        .iter()
        .filter(|(write, _)| matches!(write.act, Act::Create { .. }))
        .map(|(write, _)| write.service)
        .to_set();
    for service in services {
        let above = remote::highest(run, service)?;
        remote::refresh(run, service, above)?;
    }
    let mut aside = Vec::new();
    for (mut write, said) in refused {
        let mut batch = Batch::default();
        match exchange::way_of(run, &write)? {
            Some(Way::Wait(reason)) => {
                hold(&mut batch, run, &mut write, reason);
                run.commit(batch)?;
                continue;
            }
            Some(Way::StepAside(write)) => {
                aside.push(*write);
                continue;
            }
            Some(Way::Again) => {
                back_to_planned(&mut batch, &mut write);
                run.commit(batch)?;
                continue;
            }
            None => {}
        }
        let suspect: Vec<Suspect> = write.suspect().into_iter().collect();
        match look_up(run, &suspect)?.pop().flatten() {
            Some(verdict) => write.adopt_or_hold(run, &mut batch, verdict)?,
            None if write.key.kind == Kind::Customer => {
                without_side_fields(run, write, &said)?;
            }
            None => hold(&mut batch, run, &mut write, refused_by_sage(&said)),
        }
        run.commit(batch)?;
    }
    step_aside(run, aside)
}

/// Documents that give up their numbers for those that wait for them: both are planned again, the next run sees to them.
fn step_aside(run: &mut Run, writes: Vec<Write>) -> RunResult<()> {
    for write in writes {
        let key = write.key;
        execute_batch(run, vec![write])?;
        let stored = run.records([key])?.remove(&key).unwrap_or_default();
        let Some(record) = stored.record.clone().filter(|r| r.state == State::Synced) else {
            continue;
        };
        let mut batch = Batch::default();
        let record = Record {
            state: State::Planned,
            ..record
        };
        batch.came_true.push(format!("record:{key}"));
        batch.put(key, &stored, record);
        run.commit(batch)?;
    }
    Ok(())
}

fn refused_by_sage(said: &str) -> Reason {
    Reason::new(
        "refused",
        format!("Sage refused it: {said}"),
        "Correct what Sage names, in Splynx or in Sage, then retry.",
    )
}

/// What Sage refuses of a customer is mostly an address or a number, and must not hold back its documents: it is sent once more with
/// nothing but what it needs. The rest goes with the customer's next change.
fn without_side_fields(run: &mut Run, mut write: Write, said: &str) -> RunResult<()> {
    if let Act::Create { payload, .. } | Act::Update { payload, .. } = &mut write.act
        && let Payload::Customer(customer) = payload.as_mut()
    {
        customer.details = None;
    }
    if let Act::Create {
        payload, likeness, ..
    } = &mut write.act
        && let Payload::Customer(customer) = payload.as_ref()
    {
        // What it is recognised by, should this answer be lost.
        *likeness = MatchKey::Customer(customer.likeness());
    }
    let mut writes = vec![write];
    commit_intents(run, &mut writes)?;
    let Some(mut write) = writes.pop() else {
        return Ok(());
    };
    let mut batch = Batch::default();
    let reply = match request(run, &write) {
        Ok(Ok(request)) => replies(run, vec![request], false).pop(),
        Ok(Err(reason)) => {
            hold(&mut batch, run, &mut write, reason);
            return run.commit(batch);
        }
        Err(halt) => Some(Reply::NotSent(halt)),
    };
    let now = run.cap.now();
    let mut halted = None;
    match reply {
        Some(Reply::Stored(object)) => {
            let id = stored(&mut batch, run, &mut write, &object)?;
            if id > remote::highest(run, write.service)? {
                remote::set_highest(&mut batch, write.service, id);
            }
            batch.activities.push(left_out(&write, said));
        }
        Some(Reply::Refused(said)) => hold(&mut batch, run, &mut write, refused_by_sage(&said)),
        Some(Reply::NotSent(halt)) => {
            back_to_planned(&mut batch, &mut write);
            halted = put_off(run, halt);
        }
        Some(Reply::Uncertain(why)) => uncertain(&mut batch, &mut write, &why.message, now),
        Some(Reply::Removed) | None => {}
    }
    run.commit(batch)?;
    halted.map_or(Ok(()), Err)
}

fn left_out(write: &Write, said: &str) -> Activity {
    let record = write.stored.record.clone().unwrap_or_default();
    Activity {
        code: "fields-left-out".to_owned(),
        message: format!(
            "Sage refused it with its addresses and numbers, and has it without them: {said}"
        ),
        more: vec![(
            "cure".to_owned(),
            "Correct in Splynx what Sage names: with that change all of them are sent again."
                .to_owned(),
        )],
        ..activity(write.key, &record, "skipped")
    }
}
