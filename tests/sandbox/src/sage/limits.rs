//! Request limits and failed logins, on whatever clock the caller has (Sage API, request limits).
//!
//! 100 requests in any 60 seconds, then an hour of silence that each further request starts anew; 5,000 a day; 20
//! failed logins within an hour, then a day without that user. Which of these are certain and which are assumed is
//! said at the switches in `Behaviour`.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use chrono::{DateTime, Duration, NaiveDate, Utc};

use super::behaviour::{Behaviour, CountedBy, Day};
use super::refusal::Refusal;

const PER_MINUTE: usize = 100;
const PER_DAY: usize = 5_000;
const FAILED_LOGINS: usize = 20;
const MINUTE: Duration = Duration::seconds(60);
const HOUR: Duration = Duration::hours(1);
const DAY: Duration = Duration::hours(24);

const MINUTE_TEXT: &str = "Your IP address has exceeded the allowed number of transactions per minute and has been blocked for 1 hour";
const DAY_TEXT: &str = "Your company has exceeded the allowed number of transactions per day";
const LOGIN_TEXT: &str = "Your Username has exceeded the allowed number of login attempts and has been blocked for 24 hours";

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Bucket {
    Company { key: String, company: Option<i64> },
    Address(IpAddr),
}

impl Bucket {
    pub fn of(key: &str, company: Option<i64>, peer: IpAddr, behaviour: &Behaviour) -> Self {
        match behaviour.counted_by {
            CountedBy::Company => Self::Company {
                key: key.to_owned(),
                company,
            },
            CountedBy::Address => Self::Address(peer),
        }
    }
}

/// What the limits say to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// Refused because of this very request: a block begins.
    Blocks(Refusal),
    Refused(Refusal),
}

#[derive(Clone, Default)]
struct Counted {
    minute: VecDeque<DateTime<Utc>>,
    day: VecDeque<DateTime<Utc>>,
    blocked_until: Option<DateTime<Utc>>,
}

/// All counters of the service.
#[derive(Clone)]
pub struct Limits {
    enforced: bool,
    counted: HashMap<Bucket, Counted>,
    logins: HashMap<String, Counted>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            enforced: true,
            counted: HashMap::new(),
            logins: HashMap::new(),
        }
    }
}

impl Limits {
    /// Switches the limits per minute and per day; failed logins are counted in any case.
    pub fn enforce(&mut self, on: bool) {
        self.enforced = on;
    }

    /// Counts a request, and says whether it may pass.
    pub fn admit(&mut self, bucket: &Bucket, now: DateTime<Utc>, behaviour: &Behaviour) -> Verdict {
        if !self.enforced {
            return Verdict::Pass;
        }
        let counted = self.counted.entry(bucket.clone()).or_default();
        forget(&mut counted.minute, |at| at + MINUTE <= now);
        match behaviour.day {
            Day::Rolling => forget(&mut counted.day, |at| at + DAY <= now),
            Day::Calendar => {
                let today = date(now, behaviour);
                forget(&mut counted.day, |at| date(at, behaviour) < today);
            }
        }
        let verdict = counted.verdict(now, behaviour);
        if verdict == Verdict::Pass || behaviour.refused_requests_count {
            counted.minute.push_back(now);
            counted.day.push_back(now);
        }
        verdict
    }

    /// Takes back the count of a request that passed the limits and was then refused.
    pub fn forgive(&mut self, bucket: &Bucket) {
        if let Some(counted) = self.counted.get_mut(bucket) {
            counted.minute.pop_back();
            counted.day.pop_back();
        }
    }

    /// Whether the user is shut out for failed logins, whatever password comes now.
    pub fn login_blocked(&self, user: &str, now: DateTime<Utc>) -> Option<Refusal> {
        let until = self.logins.get(&user.to_lowercase())?.blocked_until?;
        (now < until).then_some(Refusal::TooMany(LOGIN_TEXT))
    }

    /// Counts a failed login; true when it was the one too many.
    pub fn login_failed(&mut self, user: &str, now: DateTime<Utc>) -> bool {
        let failed = self.logins.entry(user.to_lowercase()).or_default();
        forget(&mut failed.minute, |at| at + HOUR <= now);
        failed.minute.push_back(now);
        let full = failed.minute.len() >= FAILED_LOGINS;
        if full {
            failed.minute.clear();
            failed.blocked_until = Some(now + DAY);
        }
        full
    }
}

impl Counted {
    fn verdict(&mut self, now: DateTime<Utc>, behaviour: &Behaviour) -> Verdict {
        if self.blocked_until.is_some_and(|until| now < until) {
            if behaviour.blocks_lengthen {
                self.blocked_until = Some(now + HOUR);
            }
            return Verdict::Refused(Refusal::TooMany(MINUTE_TEXT));
        }
        if self.minute.len() >= PER_MINUTE {
            self.blocked_until = Some(now + HOUR);
            return Verdict::Blocks(Refusal::TooMany(MINUTE_TEXT));
        }
        if behaviour.daily_limit && self.day.len() >= PER_DAY {
            return Verdict::Refused(Refusal::TooMany(DAY_TEXT));
        }
        Verdict::Pass
    }
}

fn forget(times: &mut VecDeque<DateTime<Utc>>, old: impl Fn(DateTime<Utc>) -> bool) {
    while times.front().is_some_and(|at| old(*at)) {
        times.pop_front();
    }
}

fn date(at: DateTime<Utc>, behaviour: &Behaviour) -> NaiveDate {
    (at.naive_utc() + Duration::hours(behaviour.clock_hours.into())).date()
}
