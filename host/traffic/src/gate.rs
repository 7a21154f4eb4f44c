//! How many requests the queues of one process have in flight together that draw on the same budget. Whose turn it is, and
//! whether credentials may go, is agreed on with all processes, in the governor.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::route::Route;

/// Gates by budget.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<String, Arc<Gate>>>);

#[derive(Debug)]
pub(super) struct Gate {
    permits: Arc<Semaphore>,
    /// How often the service refused; what was admitted before that does not leave any more.
    refusals: AtomicU64,
}

/// The right to have one request in flight.
pub(super) type Permit = OwnedSemaphorePermit;

impl Gates {
    pub fn of(&self, route: &Route) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = || {
            Arc::new(Gate {
                permits: Arc::new(Semaphore::new(route.parallel)),
                refusals: AtomicU64::new(0),
            })
        };
        gates
            .entry(route.bucket.clone())
            .or_insert_with(gate)
            .clone()
    }
}

impl Gate {
    /// A permit if one is free.
    pub fn try_enter(&self) -> Option<Permit> {
        self.permits.clone().try_acquire_owned().ok()
    }

    /// Waits for one; first come, first served.
    pub async fn enter(&self) -> Option<Permit> {
        self.permits.clone().acquire_owned().await.ok()
    }

    pub fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::SeqCst)
    }

    pub fn note_refusal(&self) {
        self.refusals.fetch_add(1, Ordering::SeqCst);
    }
}
