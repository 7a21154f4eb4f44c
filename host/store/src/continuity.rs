//! A database that lost what was written last: a standby was promoted that was behind, a copy or an older disk was put back.
//!
//! What such a database does not know has still happened. So it is treated as a restored backup, for all installations: the fences
//! pass all that were handed out, runs that were under way are over, numbers are not given twice, and each installation is told, so
//! that it looks at both services before it makes anything. Two signs tell it:
//!
//! - **The server.** PostgreSQL counts a timeline up when a standby is promoted, and each cluster has a number. Both are compared with
//!   what the database says on every new connection, before anything else is done with it: no statement meets a promoted server unseen.
//! - **The mark**, a number that each run and each renewal of a lease counts up, in the database and in a file beside the master key.
//!   A database that is behind the file is an older one, whatever its server says.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Connection, Executor, Row};

use super::dialect::{Dialect, WriteLock};
use super::restore::settle;
use super::{Store, StoreError, files, records};

/// Which server a PostgreSQL database was written on last. Not of the schema: a backup does not carry it to another one.
const SERVER: &str =
    "CREATE TABLE IF NOT EXISTS server (cluster BIGINT NOT NULL, timeline BIGINT NOT NULL)";

/// In the table of counters: the mark, and which database it is of.
const MARK: &str = "mark";
const DATABASE: &str = "database";

/// Above every number that may have been handed out in what was lost.
const NUMBERS_PASSED: i64 = 1_000;

const LOST: &str = "The database lost what was written last (another server took over, or an older copy was put back).";

/// Where a process remembers how far the database was.
#[derive(Debug, Clone)]
pub struct Mark(PathBuf);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    database: i64,
    mark: i64,
}

impl Mark {
    /// In a data folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.join("database.mark"))
    }

    /// What cannot be read remembers nothing.
    fn read(&self) -> Remembered {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn write(&self, remembered: Remembered) -> Result<(), StoreError> {
        let text = serde_json::to_string(&remembered)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let written = files::temporary(&self.0)?;
        std::fs::write(&written, text)
            .and_then(|()| std::fs::rename(&written, &self.0))
            .map_err(|error| files::failed(&self.0, &error))
    }
}

impl Store {
    /// Counts the mark up, and compares it with what is remembered. True: the database is an older one; it was treated as restored.
    pub async fn keep_pace(&self, mark: &Mark, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Continuity).await?;
        // Read within the turn: another task of this process may have counted meanwhile.
        let before = mark.read();
        let database = match value(&mut writing.transaction, DATABASE).await? {
            Some(database) => database,
            None => {
                let made = i64::from(rand::random::<u32>()) + 1;
                set(&mut writing.transaction, DATABASE, made).await?;
                made
            }
        };
        let mut number = writing.next_number(MARK).await?;
        let is_older = before.database == database && number <= before.mark;
        if is_older {
            tracing::error!(
                "the database is older than what was written to it: all installations look at their services before they go on"
            );
            treat(&mut writing.transaction, now).await?;
            number = before.mark + NUMBERS_PASSED;
            set(&mut writing.transaction, MARK, number).await?;
        }
        writing.commit().await?;
        let remembered = Remembered {
            database,
            mark: number,
        };
        if let Err(error) = mark.write(remembered) {
            // An older mark notices less, and nothing wrong.
            tracing::warn!(%error, "how far the database was cannot be remembered");
        }
        Ok(is_older)
    }
}

/// Looks which server a new connection leads to; one that is another than before is treated as restored.
pub(super) async fn look_at_server(
    dialect: Dialect,
    connection: &mut AnyConnection,
) -> Result<(), StoreError> {
    if dialect != Dialect::Postgres {
        return Ok(());
    }
    let tables = sqlx::query(
        "SELECT COUNT(*) FILTER (WHERE table_name = 'installation'), COUNT(*) FILTER (WHERE table_name = 'server') \
         FROM information_schema.tables WHERE table_schema = current_schema()",
    )
    .fetch_one(&mut *connection)
    .await?;
    let (is_made, is_noted) = (
        tables.try_get::<i64, _>(0)? > 0,
        tables.try_get::<i64, _>(1)? > 0,
    );
    if !is_made {
        return Ok(());
    }
    let Some((server, now)) = server(connection).await? else {
        return Ok(());
    };
    if is_noted && known(connection).await? == Some(server) {
        return Ok(());
    }
    let begin = sqlx::AssertSqlSafe(dialect.begin(WriteLock::Continuity));
    let mut transaction = connection.begin_with(begin).await?;
    transaction.execute(SERVER).await?;
    // Another connection may have been quicker.
    let known = known(&mut transaction).await?;
    if known != Some(server) {
        if known.is_some() {
            tracing::error!(
                "the database's server is another one than before (a standby was promoted, or the database was put elsewhere): \
                 all installations look at their services before they go on"
            );
            treat(&mut transaction, now).await?;
        }
        transaction.execute("DELETE FROM server").await?;
        sqlx::query("INSERT INTO server (cluster, timeline) VALUES ($1, $2)")
            .bind(server.0)
            .bind(server.1)
            .execute(&mut *transaction)
            .await?;
    }
    Ok(transaction.commit().await?)
}

/// The cluster's number, its timeline, and the time there; none where the server does not tell, or is a standby.
async fn server(
    connection: &mut AnyConnection,
) -> Result<Option<((i64, i64), DateTime<Utc>)>, StoreError> {
    // The name of the file that is written to begins with the timeline, in hexadecimal; that of the last checkpoint is older.
    let answer = sqlx::query(
        "SELECT (SELECT system_identifier FROM pg_control_system()), \
         substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), \
         CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    )
    .fetch_one(connection)
    .await;
    let row = match answer {
        Ok(row) => row,
        Err(sqlx::Error::Database(error)) => {
            tracing::debug!(%error, "the server does not tell which one it is");
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let timeline: String = row.try_get(1)?;
    let Ok(timeline) = i64::from_str_radix(&timeline, 16) else {
        return Ok(None);
    };
    let now = records::instant_from(row.try_get(2)?)?;
    Ok(Some(((row.try_get(0)?, timeline), now)))
}

/// Cluster and timeline of the server that the database was written on last.
async fn known(connection: &mut AnyConnection) -> Result<Option<(i64, i64)>, StoreError> {
    let row = sqlx::query("SELECT cluster, timeline FROM server")
        .fetch_optional(connection)
        .await?;
    let known = row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    known.transpose()
}

async fn value(connection: &mut AnyConnection, name: &str) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query("SELECT value FROM counter WHERE name = $1")
        .bind(name)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

async fn set(connection: &mut AnyConnection, name: &str, value: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO counter (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2",
    )
    .bind(name)
    .bind(value)
    .execute(connection)
    .await?;
    Ok(())
}

/// As a backup that was just restored.
async fn treat(connection: &mut AnyConnection, now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query("UPDATE counter SET value = value + $1 WHERE name IN ('run', 'activity', 'alert')")
        .bind(NUMBERS_PASSED)
        .execute(&mut *connection)
        .await?;
    settle(connection, LOST, now).await
}
