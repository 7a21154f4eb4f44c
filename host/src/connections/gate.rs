//! What the lanes of one process that draw on the same budget agree on among themselves: how many requests are in flight,
//! who is urgent, and whether the service has accepted the credentials lately.
//!
//! Credentials that have not proven themselves go alone: a wrong password is refused once, and not as many times as
//! requests may be in flight.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::route::Route;

/// How long accepted credentials are believed: they may be changed at the service at any time.
const BELIEVED: TimeDelta = TimeDelta::minutes(5);

/// Gates by budget.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<String, Arc<Gate>>>);

#[derive(Debug)]
pub(super) struct Gate {
    slots: Arc<Semaphore>,
    parallel: u32,
    /// Lanes that wait and have priority.
    urgent: AtomicUsize,
    /// The credentials that were accepted last, and when.
    proven: Mutex<Option<(String, DateTime<Utc>)>>,
}

/// The right to have one request in flight.
pub(super) type Slot = OwnedSemaphorePermit;

/// Says that somebody with priority waits.
pub(super) struct Urgent(Arc<Gate>);

impl Gates {
    pub fn of(&self, route: &Route) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = || {
            let parallel = u32::try_from(route.parallel).unwrap_or(1);
            Arc::new(Gate {
                slots: Arc::new(Semaphore::new(route.parallel)),
                parallel,
                urgent: AtomicUsize::new(0),
                proven: Mutex::new(None),
            })
        };
        gates
            .entry(route.bucket.clone())
            .or_insert_with(gate)
            .clone()
    }
}

impl Gate {
    pub fn is_proven(&self, credentials: &str, now: DateTime<Utc>) -> bool {
        let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        proven
            .as_ref()
            .is_some_and(|(accepted, at)| accepted == credentials && now - *at < BELIEVED)
    }

    /// The service accepted the credentials, or refused them.
    pub fn prove(&self, credentials: &str, accepted: bool, now: DateTime<Utc>) {
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        *proven = accepted.then(|| (credentials.to_owned(), now));
    }

    /// A slot if one is free; `alone`: all of them at once.
    pub fn try_enter(&self, alone: bool) -> Option<Slot> {
        self.slots
            .clone()
            .try_acquire_many_owned(self.width(alone))
            .ok()
    }

    /// Waits for it.
    pub async fn enter(&self, alone: bool) -> Option<Slot> {
        self.slots
            .clone()
            .acquire_many_owned(self.width(alone))
            .await
            .ok()
    }

    /// From now until it is dropped the others give way.
    pub fn claim(self: &Arc<Self>) -> Urgent {
        self.urgent.fetch_add(1, Ordering::Relaxed);
        Urgent(self.clone())
    }

    pub fn is_claimed(&self) -> bool {
        self.urgent.load(Ordering::Relaxed) > 0
    }

    fn width(&self, alone: bool) -> u32 {
        if alone { self.parallel } else { 1 }
    }
}

impl Drop for Urgent {
    fn drop(&mut self) {
        self.0.urgent.fetch_sub(1, Ordering::Relaxed);
    }
}
