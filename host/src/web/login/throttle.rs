//! How often a password may be tried: five times at once, then ever more slowly, for each account by itself.
//!
//! Pure over a clock; in memory only, since a restart takes longer than the pauses are worth. Names that are no accounts
//! count too, or the answers would tell them apart. The trap: an attempt counts when it begins, not when it has failed, or
//! a thousand that arrive together would all be tried.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

/// Attempts without a pause.
const FREE: u32 = 5;

const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(5);

/// After this long without an attempt an account starts afresh.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::hours(1);

/// Names that are remembered at once: whoever tries more of them guesses names, not passwords.
const MOST_NAMES: usize = 10_000;

#[derive(Debug, Default)]
pub struct Throttle {
    attempts: HashMap<String, Attempts>,
}

#[derive(Debug, Clone, Copy)]
struct Attempts {
    count: u32,
    last: DateTime<Utc>,
}

impl Throttle {
    /// Counts an attempt; refused: the seconds to wait.
    pub fn attempt(&mut self, account: &str, now: DateTime<Utc>) -> Result<(), i64> {
        if !self.attempts.contains_key(account) && self.attempts.len() >= MOST_NAMES {
            self.make_room(now);
        }
        let entry = self.attempts.entry(account.to_owned()).or_insert(Attempts {
            count: 0,
            last: now,
        });
        if now - entry.last > FORGOTTEN_AFTER {
            entry.count = 0;
        }
        // Where the clock was put back, the pause begins anew instead of lasting until the clock has caught up.
        entry.last = entry.last.min(now);
        let left = (entry.last + pause(entry.count) - now).num_milliseconds();
        if left > 0 {
            return Err((left + 999) / 1000);
        }
        *entry = Attempts {
            count: entry.count.saturating_add(1),
            last: now,
        };
        Ok(())
    }

    /// The password was right.
    pub fn succeeded(&mut self, account: &str) {
        self.attempts.remove(account);
    }

    fn make_room(&mut self, now: DateTime<Utc>) {
        self.attempts
            .retain(|_, attempts| now - attempts.last <= FORGOTTEN_AFTER);
        if self.attempts.len() >= MOST_NAMES {
            let oldest = self
                .attempts
                .iter()
                .min_by_key(|(_, attempts)| attempts.last);
            if let Some(oldest) = oldest.map(|(account, _)| account.clone()) {
                self.attempts.remove(&oldest);
            }
        }
    }
}

/// Between the attempt of that number and the next one.
fn pause(count: u32) -> TimeDelta {
    match count.checked_sub(FREE) {
        None => TimeDelta::zero(),
        // Two seconds, doubled with each attempt.
        Some(more) => TimeDelta::seconds(2 << more.min(16)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_slower_and_a_success_or_an_hour_starts_afresh() {
        let mut now = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let mut throttle = Throttle::default();
        let mut waits = Vec::new();
        for _ in 0..15 {
            while let Err(wait) = throttle.attempt("ann", now) {
                waits.push(wait);
                now += TimeDelta::seconds(wait);
            }
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert!(throttle.attempt("ann", now).is_err());
        assert!(
            throttle.attempt("bob", now).is_ok(),
            "each account by itself"
        );
        let put_back = now - TimeDelta::days(365);
        assert_eq!(
            throttle.attempt("ann", put_back),
            Err(300),
            "no longer than a pause"
        );
        assert!(
            throttle
                .attempt("ann", put_back + TimeDelta::seconds(300))
                .is_ok()
        );
        now += TimeDelta::minutes(61);
        for _ in 0..FREE {
            assert!(throttle.attempt("ann", now).is_ok());
        }
        assert!(throttle.attempt("ann", now).is_err());
        throttle.succeeded("ann");
        assert!(throttle.attempt("ann", now).is_ok());
    }

    #[test]
    fn guessed_names_do_not_fill_the_memory_nor_free_the_latest() {
        let now = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let mut throttle = Throttle::default();
        for number in 0..MOST_NAMES as i64 + 50 {
            assert!(
                throttle
                    .attempt(
                        &format!("name {number}"),
                        now + TimeDelta::milliseconds(number)
                    )
                    .is_ok()
            );
        }
        assert_eq!(throttle.attempts.len(), MOST_NAMES);
        assert!(!throttle.attempts.contains_key("name 0"));
        let latest = format!("name {}", MOST_NAMES + 49);
        assert!(throttle.attempts.contains_key(&latest));
    }
}
