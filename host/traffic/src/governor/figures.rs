//! What people see of a bucket: how much is used, who waits, what the service said. No secret is in it.

use chrono::DateTime;
use serde::Serialize;

use super::{Bucket, By, Class, Limits};

/// A bucket at one instant. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figures {
    pub last_minute: u32,
    pub per_minute: u32,
    /// Rounded up to hours.
    pub last_day: u32,
    pub per_day: Option<u32>,
    /// What automatic runs leave of the day to people.
    pub reserve: u32,
    pub waiting: Vec<Waiting>,
    pub blocked_until: Option<i64>,
    /// The service's words when it began to block.
    pub blocked_because: String,
    /// The credentials were refused; nothing is sent until they change.
    pub refused: bool,
    /// The runs that sent something in the last hour.
    pub runs: Vec<Usage>,
}

/// How many of a class wait for their turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Waiting {
    #[serde(flatten)]
    pub class: Class,
    pub count: u32,
}

/// What a run has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usage {
    pub run: i64,
    pub calls: u64,
    /// Requests and records of its current stage.
    pub stage: (u64, u64),
}

impl Bucket {
    pub fn figures(&self, limits: &Limits, credentials: &str, now: i64) -> Figures {
        let mut current = self.clone();
        current.forget(now);
        let mut waiting: Vec<Waiting> = Vec::new();
        for class in current.line.classes(now) {
            match waiting.iter_mut().find(|known| known.class == class) {
                Some(known) => known.count += 1,
                None => waiting.push(Waiting { class, count: 1 }),
            }
        }
        waiting.sort_by_key(|waiting| std::cmp::Reverse(waiting.class));
        let automatic = Class {
            by: By::Schedule,
            ..Class::default()
        };
        let said = current.block.as_ref().map(|block| block.said.clone());
        Figures {
            last_minute: current.windows.used_this_minute(now),
            per_minute: limits.per_minute,
            last_day: current.windows.used_today(),
            per_day: limits.per_day,
            reserve: limits
                .per_day
                .zip(limits.day_of(automatic))
                .map_or(0, |(day, automatic)| day - automatic),
            waiting,
            blocked_until: current.blocked_until(now),
            blocked_because: said.unwrap_or_default(),
            refused: current.logins.are_refused(credentials),
            runs: current
                .users
                .iter()
                .map(|user| Usage {
                    run: user.run,
                    calls: user.calls,
                    stage: user.stage,
                })
                .collect(),
        }
    }
}

impl Figures {
    /// As people read it.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{} of {} requests in the last minute",
            self.last_minute, self.per_minute
        )];
        lines.push(match self.per_day {
            Some(day) => format!(
                "{} of {day} in the last day; {} are kept for people",
                self.last_day, self.reserve
            ),
            None => format!("{} in the last day", self.last_day),
        });
        lines.extend(
            self.waiting
                .iter()
                .map(|waiting| format!("{} waiting: {}", waiting.count, waiting.class.title())),
        );
        if let Some(until) = self.blocked_until.and_then(DateTime::from_timestamp_millis) {
            let until = until.format("%Y-%m-%d %H:%M:%S UTC");
            lines.push(format!("blocked until {until}: {}", self.blocked_because));
        }
        if self.refused {
            lines.push("the credentials were refused: enter them anew in the settings".to_owned());
        }
        lines
    }
}

impl Class {
    /// As people call those who wait.
    pub fn title(self) -> &'static str {
        use super::Priority::{High, Low, Normal};
        match (self.by, self.priority) {
            (By::Person, High) => "people at a page",
            (By::Person, Normal | Low) => "people's runs",
            (By::Schedule, High) => "automatic runs, urgent",
            (By::Schedule, Normal) => "automatic runs",
            (By::Schedule, Low) => "automatic runs, can wait",
        }
    }
}
