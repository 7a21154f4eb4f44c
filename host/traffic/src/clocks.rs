//! By how much the services' clocks differ from this machine's, as the `Date` of their answers tells (RFC 9110, 6.6.1): runs ask for
//! what changed since a time of theirs, and Splynx's signatures carry one of ours.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::route::Route;

/// An answer may take its time to arrive, and `Date` has no fractions.
const TOLERATED: TimeDelta = TimeDelta::minutes(2);

/// The last answer's difference, by the service that sent it. In memory: it is only of interest while it lasts.
#[derive(Debug, Default)]
pub struct Clocks(Mutex<HashMap<String, TimeDelta>>);

impl Clocks {
    /// Hears what an answer says of the time.
    pub fn hear(&self, route: &Route, headers: &[(String, String)], now: DateTime<Utc>) {
        let date = headers.iter().find(|(name, _)| name == "date");
        let date = date.and_then(|(_, date)| DateTime::parse_from_rfc2822(date).ok());
        if let Some(date) = date {
            let mut ahead = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            ahead.insert(route.sender.clone(), date.with_timezone(&Utc) - now);
        }
    }

    /// How far the service's clock is ahead of ours; `None`: not noticeably, or it never told.
    pub fn ahead(&self, route: &Route) -> Option<TimeDelta> {
        let ahead = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = ahead.get(&route.sender).copied();
        ahead.filter(|ahead| ahead.abs() > TOLERATED)
    }
}
