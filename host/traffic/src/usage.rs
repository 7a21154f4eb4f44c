//! What a caller has used: the time spent waiting, which costs nobody anything, and requests by connection, in all and in the
//! current stage of its run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::governor::RunPace;

/// How often a run's log tells that a connection makes it wait.
const TELL_EVERY: TimeDelta = TimeDelta::minutes(5);

#[derive(Debug, Default)]
pub struct Usage {
    waited_ms: AtomicU64,
    computed_ms: AtomicU64,
    work: Mutex<Work>,
}

#[derive(Debug, Default)]
struct Work {
    /// By connection: all requests, and those before the current stage.
    calls: BTreeMap<String, (u64, u64)>,
    /// By connection: when the log was told of a wait.
    told: BTreeMap<String, DateTime<Utc>>,
    stage: String,
    /// Records that the stage had done when it was first heard of, and now.
    first: u64,
    done: u64,
}

impl Usage {
    pub(super) fn add_wait(&self, time: TimeDelta) {
        let millis = u64::try_from(time.num_milliseconds()).unwrap_or(0);
        self.waited_ms.fetch_add(millis, Ordering::Relaxed);
    }

    pub(super) fn add_calls(&self, connection: &str, count: u32) {
        let mut work = self.lock();
        work.calls.entry(connection.to_owned()).or_default().0 += u64::from(count);
    }

    /// Whether the log is to be told of a wait; a slow service would fill it with nothing else.
    pub(super) fn may_tell_wait(&self, connection: &str, now: DateTime<Utc>) -> bool {
        let mut work = self.lock();
        let lately =
            |told: &DateTime<Utc>| (TimeDelta::zero()..TELL_EVERY).contains(&(now - *told));
        if work.told.get(connection).is_some_and(lately) {
            return false;
        }
        work.told.insert(connection.to_owned(), now);
        true
    }

    /// The run tells how far its stage is.
    pub fn note_progress(&self, stage: &str, done: u64) {
        let mut work = self.lock();
        if work.stage != stage || done < work.done {
            stage.clone_into(&mut work.stage);
            work.first = done;
            for (all, before) in work.calls.values_mut() {
                *before = *all;
            }
        }
        work.done = done;
    }

    /// How a run gets on, as others may know it.
    pub(super) fn pace(&self, run: i64, connection: &str) -> RunPace {
        let work = self.lock();
        let (all, before) = work.calls.get(connection).copied().unwrap_or_default();
        RunPace {
            run,
            calls: all - before,
            records: work.done - work.first,
        }
    }

    pub(super) fn add_computed(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.computed_ms.fetch_add(millis, Ordering::Relaxed);
    }

    /// What the host computed for the add-on.
    pub fn computed(&self) -> Duration {
        Duration::from_millis(self.computed_ms.load(Ordering::Relaxed))
    }

    pub fn waited(&self) -> Duration {
        Duration::from_millis(self.waited_ms.load(Ordering::Relaxed))
    }

    /// Requests by connection.
    pub fn calls(&self) -> Vec<(String, u64)> {
        let calls = self.lock();
        calls
            .calls
            .iter()
            .map(|(name, (all, _))| (name.clone(), *all))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        // Each change is whole in itself, so a poisoned lock guards nothing broken.
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
