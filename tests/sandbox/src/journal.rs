//! What a service was asked and how it answered: tests assert on what the provider saw, never on what a client believes.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

/// Counts of requests since the service was made or reset.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    total: u64,
    writes: u64,
    blocks: u64,
    by_path: BTreeMap<String, u64>,
    refused: BTreeMap<u16, u64>,
    minute: Window,
    day: Window,
}

/// The most requests in any stretch of a length that ends with a request.
#[derive(Debug, Clone, Default)]
struct Window {
    inside: VecDeque<DateTime<Utc>>,
    busiest: usize,
}

impl Window {
    fn record(&mut self, now: DateTime<Utc>, length: TimeDelta) {
        while self
            .inside
            .front()
            .is_some_and(|first| now - *first >= length)
        {
            self.inside.pop_front();
        }
        self.inside.push_back(now);
        self.busiest = self.busiest.max(self.inside.len());
    }
}

impl Journal {
    /// Notes one request. `pattern`: its path with ids replaced, such as `TaxInvoice/Get/{id}`; `is_write`: it was meant to change
    /// something, whatever came of it.
    pub fn record(
        &mut self,
        now: DateTime<Utc>,
        method: &str,
        pattern: &str,
        status: u16,
        is_write: bool,
    ) {
        self.total += 1;
        self.writes += u64::from(is_write);
        *self
            .by_path
            .entry(format!("{method} {pattern}"))
            .or_default() += 1;
        if status >= 400 {
            *self.refused.entry(status).or_default() += 1;
        }
        self.minute.record(now, TimeDelta::minutes(1));
        self.day.record(now, TimeDelta::days(1));
    }

    /// Notes that the service began to refuse a client for a while.
    pub fn record_block(&mut self) {
        self.blocks += 1;
    }

    /// Requests of one method and path pattern.
    pub fn count(&self, method: &str, pattern: &str) -> u64 {
        let key = format!("{method} {pattern}");
        self.by_path.get(&key).copied().unwrap_or(0)
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn writes(&self) -> u64 {
        self.writes
    }

    pub fn to_json(&self) -> Value {
        let refused: BTreeMap<String, u64> = self
            .refused
            .iter()
            .map(|(status, count)| (status.to_string(), *count))
            .collect();
        json!({
            "total": self.total,
            "writes": self.writes,
            "blocks": self.blocks,
            "by_path": self.by_path,
            "refused": refused,
            "busiest_minute": self.minute.busiest,
            "busiest_day": self.day.busiest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_stretch_is_found_wherever_it_begins_and_a_minute_ends_before_its_sixtieth_second()
     {
        let mut journal = Journal::default();
        // Three in a minute across the turn of the minute; the fourth comes 60 s after the first.
        for second in [0, 50, 59, 60, 7_200] {
            let now = DateTime::UNIX_EPOCH + TimeDelta::seconds(second);
            journal.record(now, "GET", "Item/Get", 200, false);
        }
        journal.record(
            DateTime::UNIX_EPOCH + TimeDelta::days(2),
            "POST",
            "Item/Save",
            429,
            true,
        );
        journal.record_block();
        let expected = json!({
            "total": 6, "writes": 1, "blocks": 1, "busiest_minute": 3, "busiest_day": 5,
            "by_path": {"GET Item/Get": 5, "POST Item/Save": 1}, "refused": {"429": 1},
        });
        assert_eq!(journal.to_json(), expected);
        assert_eq!(journal.count("GET", "Item/Get"), 5);
    }
}
