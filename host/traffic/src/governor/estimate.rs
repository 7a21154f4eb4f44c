//! How long so many requests will take, from what was sent, the limits, and nothing else: what others will send is not known.

use serde::Serialize;

use super::{Bucket, Class, Limits, Why};

/// More are not counted one by one.
const COUNTED: u64 = 200_000;

/// A wait that is worth telling.
const PAUSE_MS: i64 = super::LONGEST_WAIT_MS;

/// When the last of a number of requests can leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Estimate {
    pub requests: u64,
    pub from: i64,
    pub until: i64,
    /// The first long wait on the way.
    pub pause: Option<Pause>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pause {
    pub from: i64,
    pub until: i64,
    pub why: Why,
}

impl Bucket {
    /// How long `requests` requests of a class take from now on.
    pub fn estimate(&self, limits: &Limits, class: Class, requests: u64, now: i64) -> Estimate {
        let mut windows = self.windows.clone();
        let day = limits.day_of(class);
        let mut pause = None;
        let mut at = now;
        if let Some(until) = self.blocked_until(now).filter(|_| requests > 0) {
            let why = Why::Block;
            pause = Some(Pause {
                from: now,
                until,
                why,
            });
            at = until;
        }
        for _ in 0..requests.min(COUNTED) {
            let sent = windows.pass(limits, day, at);
            if pause.is_none() && sent - at > PAUSE_MS {
                let why = Why::Day;
                pause = Some(Pause {
                    from: at,
                    until: sent,
                    why,
                });
            }
            at = sent;
        }
        // Beyond, one day is like the other.
        let rest = u128::from(requests.saturating_sub(COUNTED));
        let took = u128::try_from(at - now).unwrap_or(0);
        let more = i64::try_from(took * rest / u128::from(COUNTED)).unwrap_or(i64::MAX / 2);
        Estimate {
            requests,
            from: now,
            until: at.saturating_add(more),
            pause,
        }
    }
}
