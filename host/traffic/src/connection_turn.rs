//! Signed requests of one key arrive one at a time: a service that checks nonces refuses one that was overtaken, and such a
//! refusal looks like wrong credentials. Lanes of one process take turns at the gate; this is the turn among processes.
//!
//! Beware: a process can die in its turn. A turn ends by itself when its request must have been answered or lost.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::exchange::{RequestContext, cancelled};
use addon_store::{Failure, StoreError};

/// How often to ask whether it is one's turn.
const POLL: TimeDelta = TimeDelta::milliseconds(25);

/// Added to a request's time-out: clocks of two machines differ a little.
const SPARE: TimeDelta = TimeDelta::seconds(5);

/// Whose turn it is.
#[derive(Debug, Serialize, Deserialize)]
struct Turn {
    holder: u64,
    /// Milliseconds since the Unix epoch.
    until: i64,
}

/// To be given back.
pub(super) struct Held {
    key: String,
    holder: u64,
}

impl RequestContext {
    /// Waits for the turn; the failure is the word to stop, or that of the store.
    pub async fn take_turn(&self) -> Result<Held, Failure> {
        let held = Held {
            key: format!("turn {}", self.route.nonces),
            holder: rand::random(),
        };
        loop {
            if self.try_turn(&held).await? {
                return Ok(held);
            }
            if let Some(reason) = self.caller.cancellation.reason() {
                return Err(cancelled(reason));
            }
            self.connections
                .budget
                .clock
                .sleep_until(self.now() + POLL)
                .await;
        }
    }

    /// What cannot be given back ends by itself.
    pub async fn give_back(&self, held: Held) {
        let store = &self.connections.budget.store;
        let done = store.with_bucket(&held.key, |stored| match read(stored) {
            Some(turn) if turn.holder == held.holder => {
                (Some(write(&Turn { until: 0, ..turn })), ())
            }
            _ => (None, ()),
        });
        if let Err(error) = done.await {
            tracing::warn!(connection = self.route.name, %error, "a turn could not be given back");
        }
    }

    async fn try_turn(&self, held: &Held) -> Result<bool, StoreError> {
        let taken_until = |now: DateTime<Utc>| {
            let longest = TimeDelta::from_std(self.route.timeout).unwrap_or(TimeDelta::MAX) + SPARE;
            (now + longest).timestamp_millis()
        };
        let store = &self.connections.budget.store;
        store
            .with_bucket(&held.key, |stored| {
                let now = self.now();
                let until = taken_until(now);
                // A turn that would end later than mine was stamped by a clock that went back since.
                match read(stored)
                    .is_some_and(|turn| (now.timestamp_millis()..=until).contains(&turn.until))
                {
                    true => (None, false),
                    false => (
                        Some(write(&Turn {
                            holder: held.holder,
                            until,
                        })),
                        true,
                    ),
                }
            })
            .await
    }
}

fn read(stored: Option<&str>) -> Option<Turn> {
    serde_json::from_str(stored?).ok()
}

fn write(turn: &Turn) -> String {
    serde_json::to_string(turn).expect("numbers serialise")
}
