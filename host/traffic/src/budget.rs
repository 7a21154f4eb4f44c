//! The governor's state in the store: read, decided and written in one transaction, before anything leaves. All processes
//! on one database share it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::governor::{Ask, Bucket, Class, Estimate, Figures, LONGEST_WAIT_MS, Verdict, Why};
use super::route::Route;
use crate::clock::Clock;
use addon_store::{Store, StoreError};

/// Shown where the service blocks this machine and not one login.
const SENDER_BLOCKED: &str = "The service blocks this machine's address.";

/// An answer 429.
#[derive(Debug)]
pub(super) struct Rest {
    /// What the answer asks for; the manifest may say more.
    pub seconds: u32,
    /// It is about everything that this machine sends to the address.
    pub sender: bool,
    /// The service's words, without secrets.
    pub said: String,
}

#[derive(Clone)]
pub(super) struct Budget {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
}

/// Whether requests may leave.
pub(super) enum Admission {
    /// So many, now. `vouch`: what the answer tells of the credentials is noted before anything else leaves.
    Go { count: u32, vouch: bool },
    /// Ask again then.
    Wait(DateTime<Utc>, Why),
    /// Not for longer than anybody waits.
    Paused(DateTime<Utc>, Why),
    /// Not with these credentials.
    Denied,
}

impl Budget {
    /// Asks the connection's budget, and whether this machine is blocked as a sender.
    pub async fn admit(&self, route: &Route, ask: &Ask<'_>) -> Result<Admission, StoreError> {
        let (now, verdict) = self
            .change_beside(&route.bucket, &route.sender, |bucket, sender, now| {
                let verdict = match sender.blocked_until(now) {
                    None => bucket.admit(&route.limits, ask, now),
                    Some(until) => Verdict::Wait {
                        until,
                        why: Why::Block,
                    },
                };
                (now, verdict)
            })
            .await?;
        Ok(match verdict {
            Verdict::Go { count, vouch } => Admission::Go { count, vouch },
            Verdict::Wait { until, why } => later(until, why, now),
            Verdict::Refused => Admission::Denied,
        })
    }

    /// Notes a status that tells something of the credentials.
    pub async fn answered(&self, route: &Route, status: u16) -> Result<(), StoreError> {
        let note = |bucket: &mut Bucket, now| {
            bucket.answered(&route.limits, &route.fingerprint, status, now);
        };
        self.change(&route.bucket, note).await
    }

    /// Notes that an answer told nothing of the credentials, or did not come.
    pub async fn unanswered(&self, route: &Route) -> Result<(), StoreError> {
        let note = |bucket: &mut Bucket, _| bucket.unanswered(&route.fingerprint);
        self.change(&route.bucket, note).await
    }

    /// Notes a 429, and until when it means silence.
    pub async fn rest(&self, route: &Route, rest: &Rest) -> Result<DateTime<Utc>, StoreError> {
        let seconds = route.limits.rest_seconds.max(rest.seconds);
        let block = |bucket: &mut Bucket, now: i64| {
            bucket.unanswered(&route.fingerprint);
            bucket.rest(now + i64::from(seconds) * 1_000, &rest.said);
        };
        self.change(&route.bucket, block).await?;
        if rest.sender {
            self.change(&route.sender, block).await?;
        }
        Ok(instant(
            self.blocked_until(&route.bucket)
                .await?
                .unwrap_or(self.now()),
        ))
    }

    /// Tries refused credentials again.
    pub async fn forgive(&self, route: &Route) -> Result<(), StoreError> {
        self.change(&route.bucket, |bucket, _| {
            bucket.forgive(&route.fingerprint);
        })
        .await
    }

    /// Gives up a place in the line.
    pub async fn leave(&self, route: &Route, who: u64) -> Result<(), StoreError> {
        self.change(&route.bucket, |bucket, _| bucket.leave(who))
            .await
    }

    /// How the connection stands, for people.
    pub async fn figures(&self, route: &Route) -> Result<Figures, StoreError> {
        let now = self.now();
        let bucket = self.with_sender(route).await?;
        Ok(bucket.figures(&route.limits, &route.fingerprint, now))
    }

    /// How long so many requests take.
    pub async fn estimate(
        &self,
        route: &Route,
        class: Class,
        requests: u64,
    ) -> Result<Estimate, StoreError> {
        let bucket = self.with_sender(route).await?;
        Ok(bucket.estimate(&route.limits, class, requests, self.now()))
    }

    /// The route's bucket, with a block of this machine as a sender in it.
    async fn with_sender(&self, route: &Route) -> Result<Bucket, StoreError> {
        let mut bucket = self.bucket(&route.bucket).await?;
        if let Some(until) = self.blocked_until(&route.sender).await? {
            bucket.rest(until, SENDER_BLOCKED);
        }
        Ok(bucket)
    }

    /// A look, without a decision.
    async fn bucket(&self, key: &str) -> Result<Bucket, StoreError> {
        read(self.store.bucket(key).await?.as_deref())
    }

    async fn blocked_until(&self, key: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.bucket(key).await?.blocked_until(self.now()))
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    async fn change<T>(
        &self,
        key: &str,
        change: impl FnOnce(&mut Bucket, i64) -> T,
    ) -> Result<T, StoreError> {
        self.change_beside(key, key, |bucket, _, now| change(bucket, now))
            .await
    }

    /// The same, with another bucket to look at.
    async fn change_beside<T>(
        &self,
        key: &str,
        beside: &str,
        change: impl FnOnce(&mut Bucket, &Bucket, i64) -> T,
    ) -> Result<T, StoreError> {
        let decide = |stored: Option<&str>, beside: Option<&str>| {
            let before = read(stored)?;
            let mut bucket = before.clone();
            // Asked inside the transaction: whoever waited for it long must not decide by an old time.
            let result = change(&mut bucket, &read(beside)?, self.now());
            let text = || serde_json::to_string(&bucket).expect("numbers and texts serialise");
            // What did not change costs no write: those who wait ask often.
            Ok(((bucket != before).then(text), result))
        };
        self.store.with_bucket_beside(key, beside, decide).await
    }
}

fn later(until: i64, why: Why, now: i64) -> Admission {
    if until - now > LONGEST_WAIT_MS {
        Admission::Paused(instant(until), why)
    } else {
        Admission::Wait(instant(until), why)
    }
}

fn instant(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn read(stored: Option<&str>) -> Result<Bucket, StoreError> {
    stored.map_or_else(
        || Ok(Bucket::default()),
        |text| {
            serde_json::from_str(text)
                .map_err(|error| StoreError::Corrupt(format!("a budget: {error}")))
        },
    )
}
