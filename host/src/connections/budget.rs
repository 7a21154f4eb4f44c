//! The governor's state in the store: read, decided and written in one transaction, before anything leaves. All processes
//! on one database share it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::governor::{Bucket, Limits, Verdict, Why};
use super::route::Route;
use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// The longest wait that `send` makes a guest wait (`http.wit`).
const LONGEST_WAIT_MS: i64 = 120_000;

#[derive(Clone)]
pub(super) struct Budget {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
}

/// Whether requests may leave.
pub(super) enum Admission {
    /// So many, now.
    Go(u32),
    /// Ask again then.
    Wait(DateTime<Utc>),
    /// Not for longer than anybody waits.
    Paused(DateTime<Utc>, Why),
    /// Not with these credentials.
    Denied,
}

impl Budget {
    /// Asks the connection's budget, and whether this machine is blocked as a sender.
    pub async fn admit(&self, route: &Route, want: u32) -> Result<Admission, StoreError> {
        if let Some(until) = self.blocked_until(&route.sender).await? {
            return Ok(later(until, Why::Block, self.now()));
        }
        let (now, verdict) = self
            .change(&route.bucket, |bucket, now| {
                (
                    now,
                    bucket.admit(&route.limits, &route.fingerprint, want, now),
                )
            })
            .await?;
        Ok(match verdict {
            Verdict::Go(count) => Admission::Go(count),
            Verdict::Wait { until, why } => later(until, why, now),
            Verdict::Refused => Admission::Denied,
        })
    }

    /// Notes a 401.
    pub async fn refuse(&self, route: &Route) -> Result<(), StoreError> {
        let change =
            |bucket: &mut Bucket, now| bucket.answered(&route.limits, &route.fingerprint, 401, now);
        self.change(&route.bucket, change).await
    }

    /// Notes a 429, and until when it means silence. `sender`: for everything that this machine sends to the address.
    pub async fn rest(
        &self,
        route: &Route,
        retry_after: u32,
        sender: bool,
    ) -> Result<DateTime<Utc>, StoreError> {
        let rest_seconds = route.limits.rest_seconds.max(retry_after);
        let limits = Limits {
            rest_seconds,
            ..route.limits
        };
        let block =
            |bucket: &mut Bucket, now| bucket.answered(&limits, &route.fingerprint, 429, now);
        self.change(&route.bucket, block).await?;
        if sender {
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
        self.change(&route.bucket, |bucket, _| bucket.forgive())
            .await
    }

    /// A look, without a decision.
    pub async fn bucket(&self, key: &str) -> Result<Bucket, StoreError> {
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
        self.store
            .with_bucket(key, |stored| match read(stored) {
                Err(error) => (None, Err(error)),
                Ok(mut bucket) => {
                    // Asked inside the transaction: whoever waited for it long must not decide by an old time.
                    let result = change(&mut bucket, self.now());
                    let text = serde_json::to_string(&bucket).expect("numbers and texts serialise");
                    (Some(text), Ok(result))
                }
            })
            .await?
    }
}

fn later(until: i64, why: Why, now: i64) -> Admission {
    if until - now > LONGEST_WAIT_MS {
        Admission::Paused(instant(until), why)
    } else {
        Admission::Wait(instant(until))
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
