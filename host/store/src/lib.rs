//! Everything that outlives a process: one database, one file of this folder for each subject.
//!
//! SQL here is what SQLite and PostgreSQL both speak; the rest is in [`dialect`], and nothing above this folder sees SQL.
//! Reads go to a pool; writes go through [`Store::write`], one at a time within a process, so that writers queue here instead
//! of failing on each other. Beware: between processes the database's own locks are all there is, so whatever is read in
//! order to be written must be read inside the same write transaction, begun on the right [`WriteLock`].

mod accounts;
mod activities;
mod addons;
mod alerts;
mod backup;
mod budgets;
mod check;
mod connections;
mod continuity;
mod copy;
mod customers;
mod dialect;
mod error;
mod failure;
mod files;
mod guest;
mod hooks;
mod host_changes;
mod installations;
mod leases;
mod limits;
mod login_sources;
mod lost_runs;
mod master_key;
mod open;
mod pauses;
mod readiness;
mod recordings;
mod records;
mod reports;
mod restore;
mod room;
mod runs;
mod schedule;
mod schema;
mod second_factors;
mod setting_changes;
mod settings;
mod snapshots;
#[cfg(test)]
mod tests;
mod trust;

pub use accounts::{Account, Role, Session};
pub use activities::{
    ACTIONS, Activity, ActivityFilter, ActivityRow, ENTITIES, HeldRecords, Order,
};
pub use addons::{AddonVersion, NewAddonVersion};
pub use alerts::{
    AlertChannel, AlertMessage, AlertTurn, DueAlert, FailingJob, NewlyHeld, TakenAlert,
};
pub use backup::{Backup, read as read_backup};
pub use connections::ConnectionOverride;
pub use continuity::Mark;
pub use customers::{KeptOfCustomer, KeptRows};
pub use error::StoreError;
pub use guest::{Change, Commit, CommitError, Entry, GuestLimits, TableSize};
pub use hooks::{HookEvent, HookState, NewHookEvent, Queued, TakenEvent, WaitingHook};
pub use host_changes::{Author, HostChanged};
pub use installations::{Installation, NewInstallation};
pub use leases::{Fence, LEASE_SECONDS, LeaseAnswer};
pub use limits::ALL as ALL_INSTALLATIONS;
pub use login_sources::LoginSource;
pub use master_key::{OF_CHANNELS, OF_SECOND_FACTORS, ResealError, StoredKey};
pub use recordings::RecordingKind;
pub use reports::{LogLine, LogRow, ReportRow};
pub use restore::{Restored, restore};
pub use runs::{
    Failure, NewRun, Outcome, Progress, Run, RunId, RunSpan, RunState, RunTally, Trigger,
};
pub use schedule::ScheduleState;
pub use second_factors::SecondFactor;
pub use setting_changes::SettingChanged;
pub use settings::{SettingChange, StoredSetting, StoredValue};
pub use trust::TrustedKey;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::{Any, AnyPool, AssertSqlSafe, Row, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use self::dialect::{Dialect, WriteLock};

/// The version of the schema that this host makes and knows.
pub const SCHEMA_VERSION: i64 = schema::STEPS.len() as i64;

/// The database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    dialect: Dialect,
    writer: Arc<Mutex<()>>,
    limits: GuestLimits,
    lease: TimeDelta,
    known_leases: Arc<leases::Known>,
    /// `None`: the database's room is its server's matter.
    disk: Option<room::Disk>,
}

/// A write transaction; dropping it without `commit` undoes it.
struct Writing {
    dialect: Dialect,
    transaction: Transaction<'static, Any>,
    /// Held until the transaction is over.
    _turn: OwnedMutexGuard<()>,
}

/// How long a server may take to confirm a commit.
const COMMITTING: Duration = Duration::from_secs(30);

/// Characters of a path that may stand in a database address as they are.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

impl Store {
    /// The address of the default database in a data folder.
    pub fn default_url(data_dir: &Path) -> String {
        Self::file_url(&data_dir.join("addon-host.db"))
    }

    fn file_url(file: &Path) -> String {
        format!(
            "sqlite://{}?mode=rwc",
            utf8_percent_encode(&file.to_string_lossy(), PATH)
        )
    }

    /// Opens the database, makes it where there is none, and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(url, GuestLimits::default()).await
    }

    /// As [`Store::open`], with other limits for what guests store.
    pub async fn open_with(url: &str, limits: GuestLimits) -> Result<Self, StoreError> {
        let store = Self::connect(url, limits).await?;
        store.migrate(url, schema::STEPS).await?;
        // Of a database that was just made, no connection has told yet which server it is on.
        let mut connection = store.pool.acquire().await?;
        continuity::look_at_server(store.dialect, &mut connection).await?;
        Ok(store)
    }

    /// Opens the database as it is.
    async fn connect(url: &str, limits: GuestLimits) -> Result<Self, StoreError> {
        let (pool, dialect) = open::open(url).await?;
        if let Some(file) = schema::sqlite_file(url)? {
            files::keep_to_owner(&file);
        }
        Ok(Self {
            pool,
            dialect,
            writer: Arc::default(),
            limits,
            lease: TimeDelta::seconds(LEASE_SECONDS),
            known_leases: Arc::default(),
            disk: disk_of(url)?,
        })
    }

    /// With leases of another length than [`LEASE_SECONDS`]; all hosts on a database should have the same.
    #[must_use]
    pub fn with_lease(self, lease: TimeDelta) -> Self {
        Self { lease, ..self }
    }

    /// Closes all connections; waits for the writer.
    pub async fn close(&self) {
        let _turn = self.writer.lock().await;
        self.pool.close().await;
    }

    /// Begins a write transaction on a subject.
    async fn write(&self, subject: WriteLock<'_>) -> Result<Writing, StoreError> {
        let turn = self.writer.clone().lock_owned().await;
        let begin = AssertSqlSafe(self.dialect.begin(subject));
        let transaction = self.pool.begin_with(begin).await?;
        Ok(Writing {
            dialect: self.dialect,
            transaction,
            _turn: turn,
        })
    }

    /// Begins a transaction that sees one state of the database.
    async fn snapshot(&self) -> Result<Transaction<'static, Any>, StoreError> {
        let begin = AssertSqlSafe(self.dialect.begin_snapshot());
        Ok(self.pool.begin_with(begin).await?)
    }

    /// Which database it is, and its version.
    pub async fn server(&self) -> Result<String, StoreError> {
        let (name, version) = match self.dialect {
            Dialect::Sqlite => ("SQLite", "SELECT sqlite_version()"),
            Dialect::Postgres => ("PostgreSQL", "SELECT current_setting('server_version')"),
        };
        let row = sqlx::query(version).fetch_one(&self.pool).await?;
        let version: String = row.try_get(0)?;
        Ok(format!("{name} {version}"))
    }

    /// The time by the database's server; none where it runs on this machine's clock.
    pub async fn server_time(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        match self.dialect {
            Dialect::Sqlite => Ok(None),
            Dialect::Postgres => {
                let row = sqlx::query(
                    "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
                )
                .fetch_one(&self.pool)
                .await?;
                records::instant_from(row.try_get(0)?).map(Some)
            }
        }
    }
}

/// The disk that SQLite's file is on.
fn disk_of(url: &str) -> Result<Option<room::Disk>, StoreError> {
    let file = schema::sqlite_file(url)?;
    Ok(file.and_then(|file| {
        let folder = std::path::absolute(file).ok()?.parent()?.to_owned();
        let floor = room::FLOOR;
        Some(room::Disk { folder, floor })
    }))
}

impl Writing {
    async fn commit(self) -> Result<(), StoreError> {
        match tokio::time::timeout(COMMITTING, self.transaction.commit()).await {
            Ok(committed) => committed?,
            Err(_) => return Err(StoreError::Unconfirmed),
        }
        tracing::trace!("committed");
        Ok(())
    }

    /// The next number of a growing sequence; `count` of them are taken, the first is returned. Whoever else takes one waits
    /// until this transaction is over, so that a reader who remembers the highest one it saw misses nothing: take it late.
    async fn next_numbers(&mut self, sequence: &str, count: i64) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "INSERT INTO counter (name, value) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET value = counter.value + $2 RETURNING value",
        )
        .bind(sequence)
        .bind(count)
        .fetch_one(&mut *self.transaction)
        .await?;
        Ok(row.try_get::<i64, _>(0)? - count + 1)
    }

    /// The same, for one number.
    async fn next_number(&mut self, sequence: &str) -> Result<i64, StoreError> {
        self.next_numbers(sequence, 1).await
    }
}
