//! How many requests a service may get, and when: a pure state machine over a clock.
//!
//! A [`Bucket`] is what one service counts by (a login, a key, a company). Its state is plain data, kept by the caller where all
//! processes share it; it is taken **before** sending, so a crash can waste some of the budget and never exceeds it.
//!
//! Three rules hold at once: an exact sliding window of 60 seconds, a rolling day in hours (rounded up, so never above the limit),
//! and a steady pace with a small burst. A service that said "too many" is left alone until its block is over; credentials that
//! were refused once are never sent again until they change.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
/// A request of the hour that is running out may be up to an hour younger than its bucket says.
const DAY_HOURS: i64 = 25;

/// What a service tolerates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most requests in any 60 seconds.
    pub per_minute: u32,
    /// Most requests in any 24 hours.
    pub per_day: Option<u32>,
    /// How many may go at once after a rest; the rest of the minute's budget sets the pace.
    pub burst: u32,
    /// Seconds of silence after a 429.
    pub rest_seconds: u32,
}

impl Limits {
    /// The time between two requests at the steady pace: with the burst on top, a minute's budget is just used up.
    fn interval_ms(&self) -> i64 {
        let steady = i64::from(self.per_minute) - i64::from(self.burst);
        MINUTE_MS / steady.max(1)
    }
}

/// What was sent, and what the service said. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bucket {
    /// The requests of the last 60 seconds.
    minute: VecDeque<i64>,
    /// The requests of the last hours: the hour's number since the epoch, and how many.
    hours: VecDeque<(i64, u32)>,
    /// When the pace would be kept without any burst.
    paced_until: i64,
    /// The service blocks until then.
    blocked_until: i64,
    /// The fingerprint of credentials that were refused.
    refused: Option<String>,
}

/// Whether requests may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// That many may go at once (at least one); they are counted already.
    Go(u32),
    /// None before then.
    Wait { until: i64, why: Why },
    /// None until the credentials change.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Pace,
    Day,
    Block,
}

impl Bucket {
    /// Takes up to `want` requests out of the budget.
    pub fn admit(&mut self, limits: &Limits, credentials: &str, want: u32, now: i64) -> Verdict {
        if self.refused.as_deref() == Some(credentials) {
            return Verdict::Refused;
        }
        self.refused = None;
        self.forget(now);
        let mut taken = 0;
        while taken < want {
            if let Some((until, why)) = self.earliest(limits, now) {
                if taken == 0 {
                    return Verdict::Wait { until, why };
                }
                break;
            }
            self.take(limits, now);
            taken += 1;
        }
        Verdict::Go(taken)
    }

    /// Notes what a service answered.
    pub fn answered(&mut self, limits: &Limits, credentials: &str, status: u16, now: i64) {
        match status {
            401 => self.refused = Some(credentials.to_owned()),
            429 => {
                let until = now + i64::from(limits.rest_seconds) * 1_000;
                self.blocked_until = self.blocked_until.max(until);
            }
            _ => {}
        }
    }

    /// A person vouches for the credentials: they may be tried once more.
    pub fn forgive(&mut self) {
        self.refused = None;
    }

    /// Requests in the last 24 hours (rounded up to hours), for people.
    pub fn used_today(&self) -> u32 {
        self.hours.iter().map(|(_, count)| count).sum()
    }

    /// Until when the service blocks, if it still does.
    pub fn blocked_until(&self, now: i64) -> Option<i64> {
        (self.blocked_until > now).then_some(self.blocked_until)
    }

    /// When the next request may go, where that is not now.
    fn earliest(&self, limits: &Limits, now: i64) -> Option<(i64, Why)> {
        if now < self.blocked_until {
            return Some((self.blocked_until, Why::Block));
        }
        if limits.per_day.is_some_and(|most| self.used_today() >= most)
            && let Some((hour, _)) = self.hours.front()
        {
            return Some(((hour + DAY_HOURS) * HOUR_MS, Why::Day));
        }
        if self.minute.len() >= limits.per_minute as usize {
            let first = self.minute[self.minute.len() - limits.per_minute as usize];
            return Some((first + MINUTE_MS, Why::Pace));
        }
        let interval = limits.interval_ms();
        let allowance = interval * i64::from(limits.burst.saturating_sub(1));
        (self.paced_until - allowance > now).then_some((self.paced_until - allowance, Why::Pace))
    }

    fn take(&mut self, limits: &Limits, now: i64) {
        self.minute.push_back(now);
        let hour = now.div_euclid(HOUR_MS);
        match self.hours.back_mut() {
            Some((last, count)) if *last == hour => *count += 1,
            _ => self.hours.push_back((hour, 1)),
        }
        self.paced_until = self.paced_until.max(now) + limits.interval_ms();
    }

    fn forget(&mut self, now: i64) {
        // A clock that was set back must not lengthen the windows for ever; what lies in the future counts as sent now.
        for sent in self.minute.iter_mut().rev().take_while(|sent| **sent > now) {
            *sent = now;
        }
        let longest_pace = now + 2 * MINUTE_MS;
        self.paced_until = self.paced_until.min(longest_pace);
        while self
            .minute
            .front()
            .is_some_and(|sent| now - sent >= MINUTE_MS)
        {
            self.minute.pop_front();
        }
        let hour = now.div_euclid(HOUR_MS);
        while self
            .hours
            .front()
            .is_some_and(|(first, _)| hour - first >= DAY_HOURS)
        {
            self.hours.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    const SAGE: Limits = Limits {
        per_minute: 70,
        per_day: Some(4_500),
        burst: 10,
        rest_seconds: 3_900,
    };

    #[test]
    fn random_traffic_never_exceeds_any_window_even_across_restarts() {
        for seed in 0..40_u64 {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut bucket = Bucket::default();
            let mut now = 1_700_000_000_000;
            let mut sent: Vec<i64> = Vec::new();
            for _ in 0..4_000 {
                match bucket.admit(&SAGE, "k", rng.random_range(1..30), now) {
                    Verdict::Go(count) => sent.extend((0..count).map(|_| now)),
                    Verdict::Wait { until, .. } => {
                        assert!(until > now, "seed {seed}: waiting gets somewhere");
                        if rng.random_ratio(1, 2) {
                            now = until;
                        }
                    }
                    Verdict::Refused => unreachable!("nothing was refused"),
                }
                now += rng.random_range(0..3_000);
                if rng.random_ratio(1, 50) {
                    let kept = serde_json::to_string(&bucket).expect("plain data");
                    bucket = serde_json::from_str(&kept).expect("plain data");
                }
            }
            for (window, most) in [(MINUTE_MS, 70), (24 * HOUR_MS, 4_500)] {
                let mut from = 0;
                for (to, at) in sent.iter().enumerate() {
                    while at - sent[from] >= window {
                        from += 1;
                    }
                    assert!(
                        to - from < most,
                        "seed {seed}: {} in {window} ms",
                        to - from + 1
                    );
                }
            }
            assert!(sent.len() > 1_000, "seed {seed}: and it does get on");
        }
    }

    #[test]
    fn a_steady_stream_keeps_one_a_second_after_the_burst() {
        let mut bucket = Bucket::default();
        let mut now = 0;
        let mut sent = 0;
        while now < 10 * MINUTE_MS {
            match bucket.admit(&SAGE, "k", 1, now) {
                Verdict::Go(count) => sent += count,
                Verdict::Wait { until, .. } => now = until,
                Verdict::Refused => unreachable!("nothing was refused"),
            }
        }
        // Ten at the beginning, then one at each second before the end.
        assert_eq!(sent, 10 + 599);
    }

    #[test]
    fn a_block_is_waited_out_and_refused_credentials_are_tried_once() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.admit(&SAGE, "old", 1, 0), Verdict::Go(1));
        bucket.answered(&SAGE, "old", 429, 500);
        let until = 500 + 3_900_000;
        let why = Why::Block;
        assert_eq!(
            bucket.admit(&SAGE, "old", 1, until - 1),
            Verdict::Wait { until, why }
        );
        assert_eq!(bucket.admit(&SAGE, "old", 1, until), Verdict::Go(1));
        bucket.answered(&SAGE, "old", 401, until);
        assert_eq!(bucket.admit(&SAGE, "old", 1, until * 9), Verdict::Refused);
        assert_eq!(bucket.admit(&SAGE, "new", 1, until * 9), Verdict::Go(1));
        bucket.answered(&SAGE, "new", 401, until * 9);
        bucket.forgive();
        assert_eq!(bucket.admit(&SAGE, "new", 1, until * 10), Verdict::Go(1));
    }

    #[test]
    fn a_clock_set_back_costs_a_minute_at_most() {
        let mut bucket = Bucket::default();
        let later = 100 * HOUR_MS;
        assert_eq!(bucket.admit(&SAGE, "k", 10, later), Verdict::Go(10));
        let mut now = later - 50 * HOUR_MS;
        let back = now;
        loop {
            match bucket.admit(&SAGE, "k", 1, now) {
                Verdict::Go(_) => break,
                Verdict::Wait { until, .. } => now = until,
                Verdict::Refused => unreachable!("nothing was refused"),
            }
        }
        assert!(now - back <= 2 * MINUTE_MS);
    }
}
