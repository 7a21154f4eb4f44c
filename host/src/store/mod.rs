//! Everything that outlives a process: one database, one file of this folder for each subject.
//!
//! SQL here is what SQLite and PostgreSQL both speak (`$1` parameters; TEXT, BIGINT, BLOB); nothing above this folder
//! sees SQL. Reads go to a pool; writes go through [`Store::write`], one at a time within a process, so that writers queue
//! here instead of failing on each other. The trap: between processes SQLite's own lock is all there is, so whatever is
//! read in order to be written must be read inside the same write transaction.

mod accounts;
mod activities;
mod addons;
mod budgets;
mod connections;
mod guest;
mod installations;
mod leases;
mod records;
mod reports;
mod runs;
mod schedule;
mod schema;
mod settings;

pub use accounts::{Account, Session};
pub use activities::{Activity, ActivityFilter, ActivityRow, Order};
pub use addons::{AddonVersion, NewAddonVersion};
pub use connections::ConnectionOverride;
pub use guest::{Change, Commit, CommitError, Entry, GuestLimits};
pub use installations::{Installation, NewInstallation};
pub use leases::{Fence, LEASE_SECONDS, LeaseAnswer, lease_renewal};
pub use reports::{LogLine, LogRow, ReportRow};
pub use runs::{Failure, NewRun, Outcome, Progress, Run, RunId, RunState, Trigger};
pub use schedule::ScheduleState;
pub use settings::{SettingChange, StoredSetting, StoredValue};

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyPool, Executor, Row, Transaction};
use thiserror::Error;
use tokio::sync::{Mutex, OwnedMutexGuard};

#[derive(Debug, Error)]
pub enum StoreError {
    #[error("the database answers with an error: {0}")]
    Database(#[from] sqlx::Error),
    #[error(
        "no database can be opened at {0}: this host speaks SQLite (`sqlite:///path/to/file.db`)"
    )]
    UnknownDatabase(String),
    #[error(
        "the database was written by a newer host (schema {found}, this host knows {known}): use that host's version"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error("there is no {what} `{name}`")]
    Missing { what: &'static str, name: String },
    #[error("the {what} `{name}` is there already")]
    Exists { what: &'static str, name: String },
    #[error("{what} `{name}` is in use: {by}")]
    InUse {
        what: &'static str,
        name: String,
        by: String,
    },
    #[error("the call would exceed a limit: {0}")]
    Limit(String),
    #[error("the database holds something that this host did not write: {0}")]
    Corrupt(String),
}

/// The database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    writer: Arc<Mutex<()>>,
    limits: GuestLimits,
}

/// A write transaction; dropping it without `commit` undoes it.
struct Writing {
    transaction: Transaction<'static, Any>,
    /// Held until the transaction is over.
    _turn: OwnedMutexGuard<()>,
}

/// How long a writer waits for another process.
const BUSY_TIMEOUT_MS: u32 = 10_000;

/// Characters of a path that may stand in a database address as they are.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

impl Store {
    /// The address of the default database in a data folder.
    pub fn default_url(data_dir: &Path) -> String {
        let file = data_dir.join("addon-host.db");
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
        if !url.starts_with("sqlite:") {
            // A database address may hold a password: only its kind is repeated.
            let kind = url.split(':').next().unwrap_or_default();
            return Err(StoreError::UnknownDatabase(format!("`{kind}:…`")));
        }
        sqlx::any::install_default_drivers();
        let options: AnyConnectOptions = url.parse()?;
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(30))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    // The time-out comes first: switching to WAL itself needs a lock.
                    for pragma in [
                        sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")),
                        sqlx::AssertSqlSafe("PRAGMA journal_mode = WAL".to_owned()),
                        sqlx::AssertSqlSafe("PRAGMA synchronous = FULL".to_owned()),
                        sqlx::AssertSqlSafe("PRAGMA foreign_keys = ON".to_owned()),
                        sqlx::AssertSqlSafe("PRAGMA secure_delete = ON".to_owned()),
                    ] {
                        connection.execute(sqlx::raw_sql(pragma)).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await?;
        let store = Self {
            pool,
            writer: Arc::default(),
            limits,
        };
        store.migrate().await?;
        Ok(store)
    }

    /// Closes all connections; waits for the writer.
    pub async fn close(&self) {
        let _turn = self.writer.lock().await;
        self.pool.close().await;
    }

    /// Begins a write transaction. The lock is taken at once: a transaction that began as a reader could not become a
    /// writer while another one writes, and would fail instead of waiting.
    async fn write(&self) -> Result<Writing, StoreError> {
        let turn = self.writer.clone().lock_owned().await;
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Writing {
            transaction,
            _turn: turn,
        })
    }
}

impl Writing {
    async fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }

    /// The next number of a growing sequence; `count` of them are taken, the first is returned.
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
