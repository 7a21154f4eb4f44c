//! What an earlier run left in doubt: looked up in Sage, completely and late enough, before anything is sent for it again.

use crate::collect::Map;
use crate::planted::{Mistake, is_planted};
use crate::sage::Service;
use crate::write::ledger::{Run, RunResult, activity};
use crate::write::record::{Batch, Intent, Kind, Reason, Record, RecordKey, State, Stored};
use crate::write::remote;
use crate::write::verdict::{Suspect, Verdict, adopt_or_hold, look_up};

/// Settles what an earlier run left in doubt. Records that stay uncertain are not touched by the rest of the run.
pub fn recover(run: &mut Run, kind: Kind) -> RunResult<()> {
    let mut after = String::new();
    let mut doubtful = Vec::new();
    while let Some(page) = run.next_open(kind, &mut after)? {
        let in_doubt = page
            .iter()
            .filter(|(_, state)| state != State::Planned.name())
            .map(|(key, _)| *key);
        doubtful.extend(mark_uncertain(run, in_doubt.collect())?);
    }
    if doubtful.is_empty() {
        return Ok(());
    }
    run.progress("Looking up what an earlier run left open", 0, 0)?;
    let began = run.cap.now();
    let mut lowest: Map<Service, i64> = Map::new_vec();
    for (_, _, intent) in &doubtful {
        let above = lowest.entry(intent.service).or_insert(intent.above);
        *above = intent.above.min(*above);
    }
    for (service, above) in lowest {
        remote::refresh(run, service, above)?;
    }
    let suspects: Vec<Suspect> = doubtful
        .iter()
        .map(|(key, stored, intent)| Suspect {
            key: *key,
            marked: key.marked(stored.record.as_ref()),
            service: intent.service,
            likeness: &intent.sent,
            is_vouched: false,
        })
        .collect();
    let verdicts = look_up(run, &suspects)?;
    for ((key, stored, intent), verdict) in doubtful.iter().zip(verdicts) {
        settle_doubt(run, *key, stored, intent, verdict, began)?;
    }
    Ok(())
}

/// A run that died while sending may have had its request in flight until now, when its successor holds the lease.
fn mark_uncertain(
    run: &mut Run,
    keys: Vec<RecordKey>,
) -> RunResult<Vec<(RecordKey, Stored, Intent)>> {
    let now = run.cap.now();
    let mut batch = Batch::default();
    let mut doubtful = Vec::new();
    for (key, mut stored) in run.records(keys)? {
        let Some(mut record) = stored.record.clone() else {
            continue;
        };
        if record.state == State::Sending {
            match &mut record.intent {
                Some(intent) => {
                    intent.in_flight_until = now;
                    record.state = State::Uncertain;
                    record.reason = Reason::new(
                        "run-died",
                        "The run that sent it ended before Sage's answer was kept.",
                        "Nothing to do: it is looked up in Sage before anything is sent again.",
                    );
                }
                None => record = record.update_lost(now),
            }
            stored = batch.put(key, &stored, record.clone());
        }
        if let (State::Uncertain, Some(intent)) = (record.state, record.intent) {
            doubtful.push((key, stored, intent));
        }
    }
    run.commit(batch)?;
    Ok(doubtful)
}

fn settle_doubt(
    run: &mut Run,
    key: RecordKey,
    stored: &Stored,
    intent: &Intent,
    verdict: Option<Verdict>,
    began: u64,
) -> RunResult<()> {
    let Some(record) = stored.record.clone() else {
        return Ok(());
    };
    let mut batch = Batch::default();
    if let Some(verdict) = verdict {
        // Sage holds what was sent then; whether Splynx has changed since, the next look at it tells by the hash.
        let sent = Record {
            hash: intent.hash.clone(),
            ..record
        };
        adopt_or_hold(run, &mut batch, key, stored, &sent, verdict)?;
    } else if began >= intent.in_flight_until + run.settings.settle
        || is_planted(Mistake::AbsentAtOnce)
    {
        let absent = record.failed_once_more(&intent.hash, "Sage");
        batch
            .activities
            .push(activity(key, &absent, absent.state.name()));
        batch.put(key, stored, absent);
    }
    run.commit(batch)
}
