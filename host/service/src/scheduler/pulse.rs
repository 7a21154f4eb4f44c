//! Whether the scheduler still looks. It beats before each look; whoever watches judges by the age of the last beat.
//!
//! Measured in elapsed time, so that a clock that is set does neither hide nor invent a standstill.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longer than any look takes: one at a database that does not answer ends after a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// The scheduler's last sign of life.
#[derive(Debug)]
pub struct Pulse(Mutex<Instant>);

impl Default for Pulse {
    /// A scheduler that is about to start has its time.
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Pulse {
    pub(super) fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// For how long there has been no beat, where that is too long.
    pub fn stands_still(&self) -> Option<Duration> {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(last.elapsed()).filter(|pause| *pause > LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheduler_that_has_not_looked_for_minutes_stands_still_until_it_looks_again() {
        let pulse = Pulse::default();
        assert_eq!(pulse.stands_still(), None);
        let long_ago = Instant::now().checked_sub(2 * LONGEST_PAUSE);
        *pulse.0.lock().unwrap() = long_ago.expect("this machine has been up for some minutes");
        assert!(pulse.stands_still() > Some(LONGEST_PAUSE));
        pulse.beat();
        assert_eq!(pulse.stands_still(), None);
    }
}
