//! How often a password may be tried: five times at once, then ever more slowly, for each account and sender by itself. A browser that
//! was in the account before has tries of its own, which nobody else can use up; over all other senders together an account has more of
//! them, so that many senders do not have as many times five.
//!
//! Pure over a clock; in memory only, since a restart takes longer than the pauses are worth. Names that are no accounts
//! count too, or the answers would tell them apart. Beware: an attempt counts when it begins, not when it has failed, or
//! a thousand that arrive together would all be tried.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

/// Attempts without a pause, of one sender or browser.
const FREE: u32 = 5;

/// Attempts without a pause, of all senders of one account.
const FREE_OF_ALL: u32 = 100;

const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(5);

/// After this long without an attempt an account starts afresh.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::hours(1);

/// Pairs of a name and a sender that are remembered at once: whoever tries more of them guesses names, not passwords.
const MOST_NAMES: usize = 10_000;

/// Names that are no accounts have a memory of their own: however many are invented, no account's attempts are forgotten.
#[derive(Debug, Default)]
pub struct Throttle {
    accounts: Memory,
    strangers: Memory,
}

/// Whose password is tried, and from where.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub name: String,
    /// Of the password that is stored; `None`: there is no such account. A new password starts afresh.
    pub stored: Option<String>,
    pub from: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A network address.
    Sender(String),
    /// One that was in this account before.
    Browser(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    name: String,
    stored: Option<String>,
    /// `None`: all senders.
    from: Option<Origin>,
}

#[derive(Debug, Default)]
struct Memory(HashMap<Key, Attempts>);

#[derive(Debug, Clone, Copy)]
struct Attempts {
    count: u32,
    last: DateTime<Utc>,
}

impl Throttle {
    /// Counts an attempt; refused: the seconds to wait.
    pub fn attempt(&mut self, attempt: &Attempt, now: DateTime<Utc>) -> Result<(), i64> {
        let mut keys = vec![(attempt.key(Some(attempt.from.clone())), FREE)];
        if let Origin::Sender(_) = attempt.from {
            keys.push((attempt.key(None), FREE_OF_ALL));
        }
        let memory = self.memory(attempt);
        for (key, free) in &keys {
            memory.wait(key, *free, now)?;
        }
        for (key, _) in keys {
            memory.count(key, now);
        }
        Ok(())
    }

    /// The password was right.
    pub fn succeeded(&mut self, attempt: &Attempt) {
        let key = attempt.key(Some(attempt.from.clone()));
        self.memory(attempt).0.remove(&key);
    }

    fn memory(&mut self, attempt: &Attempt) -> &mut Memory {
        match attempt.stored {
            Some(_) => &mut self.accounts,
            None => &mut self.strangers,
        }
    }
}

impl Attempt {
    fn key(&self, from: Option<Origin>) -> Key {
        Key {
            name: self.name.clone(),
            stored: self.stored.clone(),
            from,
        }
    }
}

impl Memory {
    /// The seconds to wait before the next attempt, as an error.
    fn wait(&mut self, key: &Key, free: u32, now: DateTime<Utc>) -> Result<(), i64> {
        let Some(entry) = self.0.get_mut(key) else {
            return Ok(());
        };
        if now - entry.last > FORGOTTEN_AFTER {
            entry.count = 0;
        }
        // Where the clock was put back, the pause begins anew instead of lasting until the clock has caught up.
        entry.last = entry.last.min(now);
        let left = (entry.last + pause(entry.count, free) - now).num_milliseconds();
        if left > 0 {
            return Err((left + 999) / 1000);
        }
        Ok(())
    }

    fn count(&mut self, key: Key, now: DateTime<Utc>) {
        if !self.0.contains_key(&key) && self.0.len() >= MOST_NAMES {
            self.make_room(now);
        }
        let entry = self.0.entry(key).or_insert(Attempts {
            count: 0,
            last: now,
        });
        *entry = Attempts {
            count: entry.count.saturating_add(1),
            last: now,
        };
    }

    fn make_room(&mut self, now: DateTime<Utc>) {
        self.0
            .retain(|_, attempts| now - attempts.last <= FORGOTTEN_AFTER);
        if self.0.len() >= MOST_NAMES {
            let oldest = self.0.iter().min_by_key(|(_, attempts)| attempts.last);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
    }
}

/// Between the attempt of that number and the next one.
fn pause(count: u32, free: u32) -> TimeDelta {
    match count.checked_sub(free) {
        None => TimeDelta::zero(),
        // Two seconds, doubled with each attempt.
        Some(more) => TimeDelta::seconds(2 << more.min(16)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000, 0).unwrap()
    }

    fn of(name: &str, from: Origin) -> Attempt {
        Attempt {
            name: name.to_owned(),
            stored: Some("hash".to_owned()),
            from,
        }
    }

    fn sender(text: impl ToString) -> Origin {
        Origin::Sender(text.to_string())
    }

    #[test]
    fn attempts_become_slower_and_a_success_or_an_hour_starts_afresh() {
        let mut now = start();
        let mut throttle = Throttle::default();
        let (ann, bob) = (of("ann", sender(1)), of("bob", sender(1)));
        let mut waits = Vec::new();
        for _ in 0..15 {
            while let Err(wait) = throttle.attempt(&ann, now) {
                waits.push(wait);
                now += TimeDelta::seconds(wait);
            }
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert!(throttle.attempt(&ann, now).is_err());
        assert!(
            throttle.attempt(&bob, now).is_ok(),
            "each account by itself"
        );
        let put_back = now - TimeDelta::days(365);
        assert_eq!(
            throttle.attempt(&ann, put_back),
            Err(300),
            "no longer than a pause"
        );
        assert!(
            throttle
                .attempt(&ann, put_back + TimeDelta::seconds(300))
                .is_ok()
        );
        now += TimeDelta::minutes(61);
        for _ in 0..FREE {
            assert!(throttle.attempt(&ann, now).is_ok());
        }
        assert!(throttle.attempt(&ann, now).is_err());
        throttle.succeeded(&ann);
        assert!(throttle.attempt(&ann, now).is_ok());
    }

    #[test]
    fn nobody_keeps_a_person_out_who_was_in_before_and_a_new_password_starts_afresh() {
        let now = start();
        let mut throttle = Throttle::default();
        let tried = |throttle: &mut Throttle, attempt: &Attempt| {
            (0..1000)
                .take_while(|_| throttle.attempt(attempt, now).is_ok())
                .count()
        };
        let own = of("ann", Origin::Browser("own".to_owned()));
        let free = FREE as usize;
        assert_eq!(tried(&mut throttle, &of("ann", sender(1))), free);
        // From elsewhere, and from one's own browser, it goes on.
        assert_eq!(tried(&mut throttle, &of("ann", sender(2))), free);
        let all: usize = (3..100)
            .map(|number| tried(&mut throttle, &of("ann", sender(number))))
            .sum();
        assert_eq!(all + 2 * free, FREE_OF_ALL as usize, "of all senders");
        assert_eq!(tried(&mut throttle, &own), free);
        assert_eq!(tried(&mut throttle, &own), 0);
        let anew = Attempt {
            stored: Some("another hash".to_owned()),
            ..of("ann", sender(1))
        };
        assert_eq!(tried(&mut throttle, &anew), free);
    }

    #[test]
    fn invented_names_do_not_fill_the_memory_nor_free_an_account_nor_the_latest() {
        let now = start();
        let mut throttle = Throttle::default();
        let ann = of("ann", sender(1));
        while throttle.attempt(&ann, now).is_ok() {}
        let stranger = |number: i64| Attempt {
            stored: None,
            ..of(&format!("name {number}"), sender(1))
        };
        // Each counts twice: from its sender, and from all.
        let most = MOST_NAMES as i64 / 2;
        for number in 0..most + 50 {
            let at = now + TimeDelta::milliseconds(number);
            assert!(throttle.attempt(&stranger(number), at).is_ok());
        }
        assert_eq!(throttle.strangers.0.len(), MOST_NAMES);
        let key = |number| stranger(number).key(Some(sender(1)));
        assert!(!throttle.strangers.0.contains_key(&key(0)));
        assert!(throttle.strangers.0.contains_key(&key(most + 49)));
        assert!(throttle.attempt(&ann, now).is_err());
    }
}
