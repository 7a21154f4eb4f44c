//! Putting a backup back. Everything happens in a new file first (the backup's rows, the steps to today's schema, and what
//! must not go back in time); only then does it take the old database's place, in one step, and the old one is kept.
//!
//! What must not go back: the numbers that services and other processes saw grow (fences, nonces, runs), and what services said
//! about their limits. What is stored of the records does go back; each installation is told so (`restored-at`), and looks at
//! both services before it makes anything.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, Row};

use super::backup::{self, Backup, copy_all, new_file};
use super::copy::{schema_tables, tables};
use super::dialect::{Dialect, WriteLock};
use super::lost_runs::lost;
use super::records::{millis, number, text, to_json};
use super::schema::{STEPS, apply, beside, sqlite_file, with_ending};
use super::{Store, StoreError, files};

/// How a restore ended.
#[derive(Debug, Clone)]
pub struct Restored {
    pub backup: Backup,
    /// Where what was there before is kept; `None`: there was nothing.
    pub kept: Option<PathBuf>,
    pub installations: Vec<String>,
}

/// Above every fence that was given out since the backup was taken.
const FENCES_PASSED: i64 = 1_000_000;

/// What the database that is replaced knows better than the backup.
#[derive(Debug, Default)]
struct Newer {
    fences: Vec<(String, i64)>,
    counters: Vec<(String, i64)>,
    nonces: Vec<(String, i64)>,
    buckets: Vec<(String, String)>,
}

/// Puts a backup in a database's place. `replace`: what is there may be replaced; it is kept, for PostgreSQL as a backup in
/// `folder`. Refused while a host uses the database.
pub async fn restore(
    url: &str,
    file: &Path,
    folder: &Path,
    now: DateTime<Utc>,
    replace: bool,
) -> Result<Restored, StoreError> {
    let backup = backup::read(file).await?;
    let (kept, installations) = match sqlite_file(url)? {
        Some(database) => into_sqlite(&database, file, &backup, now, replace).await?,
        None => into_postgres(url, file, &backup, folder, now, replace).await?,
    };
    Ok(Restored {
        backup,
        kept,
        installations,
    })
}

async fn into_sqlite(
    database: &Path,
    file: &Path,
    backup: &Backup,
    now: DateTime<Utc>,
    replace: bool,
) -> Result<(Option<PathBuf>, Vec<String>), StoreError> {
    let mut newer = Newer::default();
    let mut old = None;
    if database.exists() {
        // Held until the new file is in place.
        match occupy(database).await {
            Ok(mut connection) => {
                if !replace && is_used(&mut connection).await? {
                    return Err(in_place(&database.display().to_string()));
                }
                newer = Newer::read(&mut connection).await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "nothing can be taken over from the database that is replaced");
                    Newer::default()
                });
                old = Some(connection);
            }
            Err(StoreError::Damaged(why)) if replace => {
                tracing::warn!(why, "the database that is replaced is damaged");
            }
            Err(error) => return Err(error),
        }
    }
    let built = files::temporary(&beside(database, "restore"))?;
    let installations = build(&built, file, backup, newer, now).await?;
    files::check(&built).await?;
    let kept = if database.exists() {
        let kept = beside(database, &format!("before-restore-{}", stamp(now)));
        set_aside(database, &kept).map_err(|error| files::failed(&kept, &error))?;
        Some(kept)
    } else {
        None
    };
    files::put(&built, database)?;
    if let Some(old) = old {
        old.close().await?;
    }
    Ok((kept, installations))
}

/// Opens a SQLite database that no other process has open, and keeps others out.
async fn occupy(database: &Path) -> Result<AnyConnection, StoreError> {
    let mut connection = files::open(database).await?;
    let in_use = |error| match StoreError::from(error) {
        StoreError::Busy(_) => StoreError::InUse {
            what: "database",
            name: database.display().to_string(),
            by: "a host has it open; stop every host first".to_owned(),
        },
        error => error,
    };
    connection.execute("PRAGMA busy_timeout = 2000").await?;
    // Brings everything into the one file, and works only where nobody else has it open.
    connection
        .execute("PRAGMA journal_mode = DELETE")
        .await
        .map_err(in_use)?;
    connection
        .execute("BEGIN EXCLUSIVE")
        .await
        .map_err(in_use)?;
    Ok(connection)
}

/// Gives a database a second name, under which it is kept when its own is taken. Where its log is still beside it (the database
/// is damaged), the log goes with it: it must never meet another database.
fn set_aside(database: &Path, kept: &Path) -> std::io::Result<()> {
    if std::fs::hard_link(database, kept).is_err() {
        // Not every file system has links.
        std::fs::copy(database, kept)?;
    }
    for end in ["-wal", "-shm", "-journal"] {
        match std::fs::rename(with_ending(database, end), with_ending(kept, end)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

async fn into_postgres(
    url: &str,
    file: &Path,
    backup: &Backup,
    folder: &Path,
    now: DateTime<Utc>,
    replace: bool,
) -> Result<(Option<PathBuf>, Vec<String>), StoreError> {
    let store = Store::open(url).await?;
    let used = is_used(&mut *store.snapshot().await?).await?;
    if used && !replace {
        return Err(in_place("this address"));
    }
    let kept = if used {
        let kept = folder.join(format!("before-restore-{}.backup", stamp(now)));
        store.backup(&kept, now, false).await?;
        Some(kept)
    } else {
        None
    };
    let mut writing = store.write(WriteLock::Schema).await?;
    let to = &mut *writing.transaction;
    let tables = schema_tables().await?;
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let names = names.join(", ");
    // From here on nobody else reads or writes.
    let lock = format!("LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE");
    to.execute(AssertSqlSafe(lock)).await?;
    refuse_at_work(to, store.surely_over(now), now).await?;
    let newer = Newer::read(to).await?;
    let built = files::temporary(&folder.join("restore"))?;
    let installations = build(&built, file, backup, newer, now).await?;
    to.execute(AssertSqlSafe(format!("TRUNCATE {names}")))
        .await?;
    let mut from = files::open(&built).await?;
    copy_all(&tables, &mut from, to).await?;
    writing.commit().await?;
    from.close().await?;
    std::fs::remove_file(&built).map_err(|error| files::failed(&built, &error))?;
    store.close().await;
    Ok((kept, installations))
}

/// Refuses where a host works on a run.
async fn refuse_at_work(
    database: &mut AnyConnection,
    over: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT id, installation FROM run WHERE state = 'running' AND (alive_until > $1 \
         OR id IN (SELECT run FROM lease WHERE expires_at > $2)) ORDER BY id LIMIT 1",
    )
    .bind(millis(now))
    .bind(over)
    .fetch_optional(database)
    .await?;
    match row {
        None => Ok(()),
        Some(row) => Err(StoreError::InUse {
            what: "database",
            name: "at this address".to_owned(),
            by: format!(
                "run {} works on `{}`; stop every host first",
                number(&row, "id")?,
                text(&row, "installation")?
            ),
        }),
    }
}

/// Whether anything is in a database that a person would miss.
async fn is_used(database: &mut AnyConnection) -> Result<bool, StoreError> {
    let tables = sqlx::query("SELECT (SELECT COUNT(*) FROM installation) + (SELECT COUNT(*) FROM addon_version) + (SELECT COUNT(*) FROM account)")
        .fetch_one(database)
        .await;
    match tables {
        Ok(row) => Ok(row.try_get::<i64, _>(0)? > 0),
        Err(error) => match StoreError::from(error) {
            // Not even the tables are there, or not as this host knows them: asking is safer than guessing.
            StoreError::Database(_) => Ok(true),
            other => Err(other),
        },
    }
}

/// Makes the database that takes the old one's place, as a SQLite file.
async fn build(
    built: &Path,
    file: &Path,
    backup: &Backup,
    newer: Newer,
    now: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    let mut target = new_file(built).await?;
    let mut source = files::open(file).await?;
    let mut writing = target.begin().await?;
    // As it was, and from there the way that every database goes.
    let then = usize::try_from(backup.schema).unwrap_or(0);
    apply(Dialect::Sqlite, &mut writing, &STEPS[..then]).await?;
    let tables = tables(&mut source).await?;
    copy_all(&tables, &mut source, &mut writing).await?;
    apply(Dialect::Sqlite, &mut writing, STEPS).await?;
    newer.write(&mut writing).await?;
    let ended = "It was under way when the backup was taken that was put back.";
    settle(&mut writing, ended, now).await?;
    let rows = sqlx::query("SELECT name FROM installation ORDER BY name")
        .fetch_all(&mut *writing)
        .await?;
    writing.commit().await?;
    source.close().await?;
    target.close().await?;
    rows.iter().map(|row| text(row, "name")).collect()
}

/// What was under way is over, for the reason `why`, and everybody is told that the state is an old one.
pub(super) async fn settle(
    database: &mut AnyConnection,
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    // Also where none is known: the first one may be what was lost.
    sqlx::query(
        "INSERT INTO lease (installation, run, fence, expires_at) SELECT name, 0, $1, 0 FROM installation WHERE TRUE \
         ON CONFLICT (installation) DO UPDATE SET run = 0, expires_at = 0, fence = lease.fence + $1",
    )
    .bind(FENCES_PASSED)
    .execute(&mut *database)
    .await?;
    let ended = lost(why);
    sqlx::query(
        "UPDATE run SET state = 'failed', outcome = $1, ended_at = $2, whole_options = NULL WHERE state = 'running'",
    )
    .bind(to_json(&ended))
    .bind(millis(now))
    .execute(&mut *database)
    .await?;
    sqlx::query("DELETE FROM session")
        .execute(&mut *database)
        .await?;
    sqlx::query("UPDATE installation SET restored_at = $1")
        .bind(millis(now))
        .execute(&mut *database)
        .await?;
    Ok(())
}

impl Newer {
    async fn read(database: &mut AnyConnection) -> Result<Self, StoreError> {
        async fn pairs(
            database: &mut AnyConnection,
            sql: &'static str,
        ) -> Result<Vec<(String, i64)>, StoreError> {
            let rows = sqlx::query(sql).fetch_all(database).await?;
            rows.iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
                .collect()
        }
        let buckets = sqlx::query("SELECT key, state FROM bucket")
            .fetch_all(&mut *database)
            .await?;
        Ok(Self {
            fences: pairs(database, "SELECT installation, fence FROM lease").await?,
            counters: pairs(database, "SELECT name, value FROM counter").await?,
            nonces: pairs(database, "SELECT key, last FROM nonce").await?,
            buckets: buckets
                .iter()
                .map(|row| Ok((text(row, "key")?, text(row, "state")?)))
                .collect::<Result<_, StoreError>>()?,
        })
    }

    /// A number that is higher in the database keeps its height; a budget is as the database knew it last.
    async fn write(self, database: &mut AnyConnection) -> Result<(), StoreError> {
        let growing = [
            (
                self.fences,
                "INSERT INTO lease (installation, run, fence, expires_at) \
                 SELECT name, 0, $2, 0 FROM installation WHERE name = $1 \
                 ON CONFLICT (installation) DO UPDATE SET fence = MAX(fence, $2)",
            ),
            (
                self.counters,
                "INSERT INTO counter (name, value) VALUES ($1, $2) \
                 ON CONFLICT (name) DO UPDATE SET value = MAX(value, $2)",
            ),
            (
                self.nonces,
                "INSERT INTO nonce (key, last) VALUES ($1, $2) \
                 ON CONFLICT (key) DO UPDATE SET last = MAX(last, $2)",
            ),
        ];
        for (numbers, sql) in growing {
            for (key, value) in numbers {
                sqlx::query(sql)
                    .bind(key)
                    .bind(value)
                    .execute(&mut *database)
                    .await?;
            }
        }
        for (key, state) in self.buckets {
            sqlx::query("INSERT INTO bucket (key, state) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET state = $2")
                .bind(key)
                .bind(state)
                .execute(&mut *database)
                .await?;
        }
        Ok(())
    }
}

fn in_place(name: &str) -> StoreError {
    StoreError::InUse {
        what: "database",
        name: name.to_owned(),
        by: "there is something in it; with --force it is kept beside, and replaced".to_owned(),
    }
}

fn stamp(now: DateTime<Utc>) -> String {
    now.format("%Y%m%dT%H%M%SZ").to_string()
}
