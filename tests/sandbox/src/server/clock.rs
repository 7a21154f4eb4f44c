//! The time that the services are told: the system's or a still one, moved on by orders.

use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};

use super::unpoisoned;

/// The last moment that the clock can be moved to: years of four digits, as the services write them.
const END: DateTime<Utc> = DateTime::from_timestamp_nanos(i64::MAX);

#[derive(Debug)]
pub struct Clock {
    /// `None`: the system's clock runs underneath.
    still_at: Option<DateTime<Utc>>,
    advanced: Mutex<TimeDelta>,
}

impl Clock {
    /// The system's clock.
    pub fn real() -> Self {
        Self {
            still_at: None,
            advanced: Mutex::default(),
        }
    }

    /// A clock that moves only when it is told to.
    pub fn still(at: DateTime<Utc>) -> Self {
        Self {
            still_at: Some(at),
            advanced: Mutex::default(),
        }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.base() + *unpoisoned(&self.advanced)
    }

    /// Moves the clock on, for good, and gives the new time; `None`: that is beyond all calendars (the year 2262). It never goes
    /// back.
    pub fn advance(&self, seconds: u32) -> Option<DateTime<Utc>> {
        let mut advanced = unpoisoned(&self.advanced);
        let further = *advanced + TimeDelta::seconds(i64::from(seconds));
        let now = self
            .base()
            .checked_add_signed(further)
            .filter(|now| *now < END)?;
        *advanced = further;
        Some(now)
    }

    fn base(&self) -> DateTime<Utc> {
        self.still_at.unwrap_or_else(Utc::now)
    }
}
