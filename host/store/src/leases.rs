//! One writing run at a time for each installation: a lease that expires, with a fencing number that only grows.
//!
//! A run that slept through its lease still has its old number, and finds it out of date at its next commit. Beware:
//! never decide from the expiry alone that a lease is still held; compare the number.
//!
//! Several hosts mean several clocks. The holder counts its lease as over when it expires by its own clock; others take it
//! only a [tolerance](Store::clock_tolerance) later by theirs. No run begins on a host whose clock is further from the
//! database server's than half of that.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;

use super::dialect::Dialect;
use super::records::{instant, millis, number};
use super::{RunId, Store, StoreError, WriteLock, Writing};

/// How long a lease lasts without renewal, if nothing else was said. A heartbeat every third of it leaves room for one that
/// comes late.
pub const LEASE_SECONDS: i64 = 30;

/// Proof that a run holds, or held, the lease of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    pub installation: String,
    pub run: RunId,
    pub number: i64,
}

/// Until when this process knows its leases to last, by installation. Nobody takes a lease before it is over, so where all hosts
/// share a clock there is nothing to ask the database for up to then. Beware: a machine of several may have slept and not know it.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<String, (Fence, DateTime<Utc>)>>);

impl Known {
    fn note(&self, fence: &Fence, until: DateTime<Utc>) {
        self.lock()
            .insert(fence.installation.clone(), (fence.clone(), until));
    }

    fn forget(&self, fence: &Fence) {
        self.lock().remove(&fence.installation);
    }

    fn lasts(&self, fence: &Fence, now: DateTime<Utc>) -> bool {
        let known = self.lock();
        let known = known.get(&fence.installation);
        known.is_some_and(|(known, until)| known == fence && *until > now)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Fence, DateTime<Utc>)>> {
        // Each change is whole in itself, so a poisoned lock guards nothing broken.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    /// How long a lease lasts without renewal.
    pub fn lease(&self) -> TimeDelta {
        self.lease
    }

    /// By how much the clocks of two hosts may differ. SQLite's hosts share a machine, and with it a clock.
    pub fn clock_tolerance(&self) -> TimeDelta {
        match self.dialect {
            Dialect::Sqlite => TimeDelta::zero(),
            Dialect::Postgres => (self.lease / 6).max(TimeDelta::seconds(2)),
        }
    }

    /// Leases that expired until then, in milliseconds, are over on every clock.
    pub(super) fn surely_over(&self, now: DateTime<Utc>) -> i64 {
        millis(now - self.clock_tolerance())
    }

    /// Takes the lease where it is free or expired.
    pub async fn acquire_lease(
        &self,
        installation: &str,
        run: RunId,
        now: DateTime<Utc>,
    ) -> Result<LeaseAnswer, StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        let held = sqlx::query(
            "SELECT run, expires_at FROM lease WHERE installation = $1 AND expires_at > $2",
        )
        .bind(installation)
        .bind(self.surely_over(now))
        .fetch_optional(&mut *writing.transaction)
        .await?;
        if let Some(held) = held {
            return Ok(LeaseAnswer::Busy {
                run: number(&held, "run")?,
                until: instant(&held, "expires_at")?,
            });
        }
        let over = now + self.lease;
        let row = sqlx::query(
            "INSERT INTO lease (installation, run, fence, expires_at) VALUES ($1, $2, 1, $3) \
             ON CONFLICT (installation) DO UPDATE SET run = $2, fence = lease.fence + 1, expires_at = $3 \
             RETURNING fence",
        )
        .bind(installation)
        .bind(run)
        .bind(millis(over))
        .fetch_one(&mut *writing.transaction)
        .await?;
        let fence = Fence {
            installation: installation.to_owned(),
            run,
            number: row.try_get("fence")?,
        };
        writing.commit().await?;
        self.known_leases.note(&fence, over);
        Ok(LeaseAnswer::Acquired(fence))
    }

    /// Keeps the lease for another [length](Store::lease). False: it was lost to another run, or released.
    pub async fn renew_lease(&self, fence: &Fence, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut writing = self
            .write(WriteLock::Installation(&fence.installation))
            .await?;
        let over = now + self.lease;
        // Expired but taken by nobody is still ours: nobody can have written meanwhile.
        let renewed = sqlx::query(
            "UPDATE lease SET expires_at = $4 WHERE installation = $1 AND run = $2 AND fence = $3",
        )
        .bind(&fence.installation)
        .bind(fence.run)
        .bind(fence.number)
        .bind(millis(over))
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await?;
        let is_held = renewed.rows_affected() == 1;
        if is_held {
            self.known_leases.note(fence, over);
        } else {
            self.known_leases.forget(fence);
        }
        Ok(is_held)
    }

    /// Gives the lease back; without effect where it was lost.
    pub async fn release_lease(&self, fence: &Fence) -> Result<(), StoreError> {
        self.known_leases.forget(fence);
        let mut writing = self
            .write(WriteLock::Installation(&fence.installation))
            .await?;
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
        if self.dialect == Dialect::Sqlite && self.known_leases.lasts(fence, now) {
            return Ok(true);
        }
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

    /// The run that holds the lease now, or may still think so, if any.
    pub async fn lease_holder(
        &self,
        installation: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<RunId>, StoreError> {
        let row = sqlx::query("SELECT run FROM lease WHERE installation = $1 AND expires_at > $2")
            .bind(installation)
            .bind(self.surely_over(now))
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
