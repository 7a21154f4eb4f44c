//! How many guests answer people at once. Each may use as much memory as its installation's limit lets it, and a page that is opened in
//! many tabs is as many guests: whoever comes when all seats are taken waits.
//!
//! Each installation has one seat of its own, which nobody else can take; more of them come from a few that all share. So one
//! add-on's slow pages keep its own waiting, and nobody else's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Guests of one installation.
const OF_ONE: usize = 3;

/// Guests of all installations together, besides the first of each.
const SHARED: usize = 6;

#[derive(Debug)]
pub struct Seats {
    shared: Arc<Semaphore>,
    by_installation: Mutex<HashMap<String, Row>>,
}

/// One installation's.
#[derive(Debug, Clone)]
struct Row {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
}

/// Given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    _of_installation: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Default for Seats {
    fn default() -> Self {
        Self {
            shared: Arc::new(Semaphore::new(SHARED)),
            by_installation: Mutex::default(),
        }
    }
}

impl Seats {
    /// Waits for a seat.
    pub async fn take(&self, installation: &str) -> Seat {
        let Row { all, own } = self.row(installation);
        let of_installation = taken(all).await;
        let place = tokio::select! {
            biased;
            place = taken(own) => place,
            place = taken(self.shared.clone()) => place,
        };
        Seat {
            _of_installation: of_installation,
            _place: place,
        }
    }

    fn row(&self, installation: &str) -> Row {
        let rows = self.by_installation.lock();
        let mut rows = rows.unwrap_or_else(PoisonError::into_inner);
        let new = || Row {
            all: Arc::new(Semaphore::new(OF_ONE)),
            own: Arc::new(Semaphore::new(1)),
        };
        let row = rows.entry(installation.to_owned()).or_insert_with(new);
        row.clone()
    }
}

async fn taken(seats: Arc<Semaphore>) -> OwnedSemaphorePermit {
    let seat = seats.acquire_owned().await;
    seat.expect("seats are never closed")
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_installation_has_a_few_and_every_other_one_at_least_its_own() {
        let seats = Seats::default();
        let take = |name: &str| seats.take(name).now_or_never();
        let greedy: Vec<_> = ["a", "b", "c", "d"]
            .iter()
            .flat_map(|name| (0..12).filter_map(|_| take(name)).collect::<Vec<_>>())
            .collect();
        // Three for each of the first three; the shared ones are gone then.
        assert_eq!(greedy.len(), 3 * OF_ONE + 1);
        let honest = take("honest").expect("a seat of its own");
        assert!(take("honest").is_none());
        drop(greedy);
        assert!(take("honest").is_some());
        drop(honest);
    }
}
