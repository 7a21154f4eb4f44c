//! What was sent lately, and when the next request may follow.
//!
//! Three rules hold at once: an exact sliding window of 60 seconds, a rolling day in hours (rounded up, so never above the limit),
//! and a steady pace with a small burst. Beware: a clock can be set back; what then lies in the future counts as sent now.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{LEAVES_WITHIN_MS, Limits};

pub(super) const MINUTE_MS: i64 = 60_000;
/// Requests that were admitted so long ago have left a minute ago at least.
const WINDOW_MS: i64 = MINUTE_MS + LEAVES_WITHIN_MS;
pub(super) const HOUR_MS: i64 = 3_600_000;
/// A request of the hour that is running out may be up to an hour younger than its bucket says.
const DAY_HOURS: i64 = 25;

impl Limits {
    /// The time between two requests at the steady pace: with the burst on top, a minute's budget is just used up.
    fn interval_ms(&self) -> i64 {
        let steady = i64::from(self.per_minute) - i64::from(self.burst);
        MINUTE_MS / steady.max(1)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Windows {
    /// The requests that may have left in the last 60 seconds.
    minute: VecDeque<i64>,
    /// The requests of the last hours: the hour's number since the epoch, and how many.
    hours: VecDeque<(i64, u32)>,
    /// When the pace would be kept without any burst.
    paced_until: i64,
}

impl Windows {
    /// Requests in the last 24 hours, rounded up to hours.
    pub fn used_today(&self) -> u32 {
        self.hours.iter().map(|(_, count)| count).sum()
    }

    pub fn used_this_minute(&self, now: i64) -> u32 {
        let lately = |sent: &&i64| (now - MINUTE_MS + 1..=now).contains(*sent);
        u32::try_from(self.minute.iter().filter(lately).count()).unwrap_or(u32::MAX)
    }

    /// `day`: what may be used of the day.
    pub fn day_is_full(&self, day: Option<u32>) -> bool {
        day.is_some_and(|most| self.used_today() >= most)
    }

    /// When the next request may go, where that is not now, and whether the day's limit is why.
    pub fn earliest(&self, limits: &Limits, day: Option<u32>, now: i64) -> Option<(i64, bool)> {
        if let Some(most) = day.filter(|_| self.day_is_full(day)) {
            return Some((self.day_has_room(most, now), true));
        }
        if self.minute.len() >= limits.per_minute as usize {
            let first = self.minute[self.minute.len() - limits.per_minute as usize];
            return Some((first + WINDOW_MS, false));
        }
        let interval = limits.interval_ms();
        let allowance = interval * i64::from(limits.burst.saturating_sub(1));
        (self.paced_until - allowance > now).then_some((self.paced_until - allowance, false))
    }

    /// When enough old hours are over.
    fn day_has_room(&self, most: u32, now: i64) -> i64 {
        let mut used = self.used_today();
        for (hour, count) in &self.hours {
            used -= count;
            if used < most {
                return (hour + DAY_HOURS) * HOUR_MS;
            }
        }
        // Only where nothing may be used at all.
        now + HOUR_MS
    }

    pub fn take(&mut self, limits: &Limits, now: i64) {
        self.minute.push_back(now);
        let hour = now.div_euclid(HOUR_MS);
        match self.hours.back_mut() {
            Some((last, count)) if *last == hour => *count += 1,
            _ => self.hours.push_back((hour, 1)),
        }
        self.paced_until = self.paced_until.max(now) + limits.interval_ms();
    }

    /// When the next request may go, from `at` on.
    pub fn next(&mut self, limits: &Limits, day: Option<u32>, mut at: i64) -> i64 {
        self.forget(at);
        while let Some((until, _)) = self.earliest(limits, day, at) {
            at = until.max(at + 1);
            self.forget(at);
        }
        at
    }

    /// Takes the next request as soon as it may go; answers when that is.
    pub fn pass(&mut self, limits: &Limits, day: Option<u32>, at: i64) -> i64 {
        let at = self.next(limits, day, at);
        self.take(limits, at);
        at
    }

    pub fn forget(&mut self, now: i64) {
        for sent in self.minute.iter_mut().rev().take_while(|sent| **sent > now) {
            *sent = now;
        }
        let longest_pace = now + 2 * MINUTE_MS;
        self.paced_until = self.paced_until.min(longest_pace);
        while self
            .minute
            .front()
            .is_some_and(|sent| now - sent >= WINDOW_MS)
        {
            self.minute.pop_front();
        }
        let hour = now.div_euclid(HOUR_MS);
        let mut future = 0;
        while let Some((_, count)) = self.hours.pop_back_if(|(last, _)| *last > hour) {
            future += count;
        }
        if future > 0 {
            match self.hours.back_mut() {
                Some((last, count)) if *last == hour => *count += future,
                _ => self.hours.push_back((hour, future)),
            }
        }
        while self
            .hours
            .front()
            .is_some_and(|(first, _)| hour - first >= DAY_HOURS)
        {
            self.hours.pop_front();
        }
    }
}
