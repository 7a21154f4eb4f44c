//! One writing run at a time for each installation: a lease that expires, with a fencing number that only grows.
//!
//! A run that slept through its lease still has its old number, and finds it out of date at its next commit. The trap:
//! never decide from the expiry alone that a lease is still held; compare the number.

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;

use super::records::{instant, millis, number};
use super::{RunId, Store, StoreError, Writing};

/// How long a lease lasts without renewal. A heartbeat every third of it leaves room for one that comes late.
pub const LEASE_SECONDS: i64 = 30;

/// The same, as the environment says: tests that kill hosts do not wait half a minute each time.
static LEASE: LazyLock<TimeDelta> = LazyLock::new(|| {
    let told = std::env::var("ADDON_HOST_LEASE_SECONDS").ok();
    let told = told.and_then(|seconds| seconds.parse::<i64>().ok());
    TimeDelta::seconds(told.map_or(LEASE_SECONDS, |seconds| seconds.clamp(1, 300)))
});

/// How often a lease is to be renewed; three times as often as needed.
pub fn lease_renewal() -> TimeDelta {
    *LEASE / 3
}

/// Proof that a run holds, or held, the lease of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    pub installation: String,
    pub run: RunId,
    pub number: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    Acquired(Fence),
    /// Another run holds it, until then at least.
    Busy {
        run: RunId,
        until: DateTime<Utc>,
    },
}

impl Store {
    /// Takes the lease where it is free or expired.
    pub async fn acquire_lease(
        &self,
        installation: &str,
        run: RunId,
        now: DateTime<Utc>,
    ) -> Result<LeaseAnswer, StoreError> {
        let mut writing = self.write().await?;
        let held = sqlx::query(
            "SELECT run, expires_at FROM lease WHERE installation = $1 AND expires_at > $2",
        )
        .bind(installation)
        .bind(millis(now))
        .fetch_optional(&mut *writing.transaction)
        .await?;
        if let Some(held) = held {
            return Ok(LeaseAnswer::Busy {
                run: number(&held, "run")?,
                until: instant(&held, "expires_at")?,
            });
        }
        let row = sqlx::query(
            "INSERT INTO lease (installation, run, fence, expires_at) VALUES ($1, $2, 1, $3) \
             ON CONFLICT (installation) DO UPDATE SET run = $2, fence = lease.fence + 1, expires_at = $3 \
             RETURNING fence",
        )
        .bind(installation)
        .bind(run)
        .bind(millis(expiry(now)))
        .fetch_one(&mut *writing.transaction)
        .await?;
        let fence = Fence {
            installation: installation.to_owned(),
            run,
            number: row.try_get("fence")?,
        };
        writing.commit().await?;
        Ok(LeaseAnswer::Acquired(fence))
    }

    /// Keeps the lease for another [`LEASE_SECONDS`]. False: it was lost to another run, or released.
    pub async fn renew_lease(&self, fence: &Fence, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        // Expired but taken by nobody is still ours: nobody can have written meanwhile.
        let renewed = sqlx::query(
            "UPDATE lease SET expires_at = $4 WHERE installation = $1 AND run = $2 AND fence = $3",
        )
        .bind(&fence.installation)
        .bind(fence.run)
        .bind(fence.number)
        .bind(millis(expiry(now)))
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Gives the lease back; without effect where it was lost.
    pub async fn release_lease(&self, fence: &Fence) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        sqlx::query(
            "UPDATE lease SET run = 0, expires_at = 0, fence = fence + 1 \
             WHERE installation = $1 AND run = $2 AND fence = $3",
        )
        .bind(&fence.installation)
        .bind(fence.run)
        .bind(fence.number)
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await
    }

    /// Whether the lease is held and unexpired: to be asked right before something leaves the host. Commits need not ask,
    /// they check for themselves.
    pub async fn holds_lease(&self, fence: &Fence, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT fence FROM lease WHERE installation = $1 AND run = $2 AND fence = $3 AND expires_at > $4",
        )
        .bind(&fence.installation)
        .bind(fence.run)
        .bind(fence.number)
        .bind(millis(now))
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.is_some())
    }

    /// The run that holds the lease now, if any.
    pub async fn lease_holder(
        &self,
        installation: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<RunId>, StoreError> {
        let row = sqlx::query("SELECT run FROM lease WHERE installation = $1 AND expires_at > $2")
            .bind(installation)
            .bind(millis(now))
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get("run")).transpose()?)
    }
}

impl Writing {
    /// Whether the fence is the current one, in this transaction.
    pub(super) async fn holds(&mut self, fence: &Fence) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT fence FROM lease WHERE installation = $1 AND run = $2 AND fence = $3",
        )
        .bind(&fence.installation)
        .bind(fence.run)
        .bind(fence.number)
        .fetch_optional(&mut *self.transaction)
        .await?;
        Ok(row.is_some())
    }
}

fn expiry(now: DateTime<Utc>) -> DateTime<Utc> {
    now + *LEASE
}
