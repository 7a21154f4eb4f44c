//! The schema and its way forward: a list of steps, each applied once, in order, all that are missing in one transaction: a step
//! that fails leaves the database as it was.
//!
//! A step that shipped is never edited; a change is a new step. A database from a newer host is refused untouched. Before the
//! first step that changes a SQLite file, a copy of it is kept beside it; PostgreSQL's copies are its operator's.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Any, AssertSqlSafe, Executor, Row, Transaction};

use super::dialect::{Dialect, WriteLock};
use super::{Store, StoreError, files};

/// Step N brings the schema from version N - 1 to N (counted from one).
pub const STEPS: &[&str] = &[
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
    include_str!("schema_7.sql"),
    include_str!("schema_8.sql"),
    include_str!("schema_9.sql"),
    include_str!("schema_10.sql"),
    include_str!("schema_11.sql"),
    include_str!("schema_12.sql"),
    include_str!("schema_13.sql"),
    include_str!("schema_14.sql"),
];

/// How many copies from before a step are kept.
const COPIES: usize = 2;

impl Store {
    pub(super) async fn migrate(
        &self,
        url: &str,
        steps: &'static [&'static str],
    ) -> Result<(), StoreError> {
        let found = self.found_version().await?;
        if (1..steps.len() as i64).contains(&found)
            && let Some(file) = sqlite_file(url)?
        {
            self.keep_copy(&file, found).await?;
        }
        let mut writing = self.write(WriteLock::Schema).await?;
        // Another process may have done the same meanwhile: the version is read again under the lock.
        apply(self.dialect, &mut writing.transaction, steps).await?;
        writing.commit().await
    }

    /// 0: there is no schema yet.
    async fn found_version(&self) -> Result<i64, StoreError> {
        let table = self.dialect.count_of_table("schema_version");
        let row = sqlx::query(AssertSqlSafe(table))
            .fetch_one(&self.pool)
            .await?;
        if row.try_get::<i64, _>(0)? == 0 {
            return Ok(0);
        }
        self.schema_version().await
    }

    /// The version of the open database's schema.
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT COALESCE(MAX(version), 0) FROM schema_version")
            .fetch_one(&self.pool)
            .await?;
        Ok(row.try_get(0)?)
    }

    /// A verified copy of a SQLite file as it is now, beside it, named after its schema.
    async fn keep_copy(&self, file: &Path, version: i64) -> Result<(), StoreError> {
        let copy = beside(file, &format!("schema-{version}"));
        tracing::info!(copy = %copy.display(), "the database is copied before its schema changes");
        let written = files::temporary(&copy)?;
        sqlx::query("VACUUM INTO $1")
            .bind(written.to_string_lossy().into_owned())
            .execute(&self.pool)
            .await?;
        files::check(&written).await?;
        files::put(&written, &copy)?;
        let mut copies: Vec<(i64, PathBuf)> = (1..=version)
            .map(|version| (version, beside(file, &format!("schema-{version}"))))
            .filter(|(_, copy)| copy.exists())
            .collect();
        copies.sort();
        for (_, old) in copies.iter().rev().skip(COPIES) {
            std::fs::remove_file(old).map_err(|error| files::failed(old, &error))?;
        }
        Ok(())
    }
}

/// Brings a database to the last of the steps.
pub(super) async fn apply(
    dialect: Dialect,
    transaction: &mut Transaction<'_, Any>,
    steps: &'static [&'static str],
) -> Result<(), StoreError> {
    let known = steps.len() as i64;
    transaction
        .execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        .await?;
    let row = sqlx::query("SELECT COALESCE(MAX(version), 0) FROM schema_version")
        .fetch_one(&mut **transaction)
        .await?;
    let found: i64 = row.try_get(0)?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for (version, step) in (1..).zip(steps).skip(usize::try_from(found).unwrap_or(0)) {
        let step = AssertSqlSafe(dialect.schema(step).into_owned());
        transaction.execute(sqlx::raw_sql(step)).await?;
        sqlx::query("INSERT INTO schema_version (version) VALUES ($1)")
            .bind(version)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// The file of a SQLite address; none of PostgreSQL's.
pub(super) fn sqlite_file(url: &str) -> Result<Option<PathBuf>, StoreError> {
    match Dialect::of(url)? {
        Dialect::Postgres => Ok(None),
        Dialect::Sqlite => Ok(Some(
            SqliteConnectOptions::from_str(url)?
                .get_filename()
                .to_owned(),
        )),
    }
}

/// `addon-host.db` → `addon-host.db.WHAT`
pub(super) fn beside(file: &Path, what: &str) -> PathBuf {
    with_ending(file, &format!(".{what}"))
}

/// A path with more at its end.
pub(super) fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Author, GuestLimits};

    const LAST: i64 = STEPS.len() as i64;

    /// Today's steps and more.
    fn and(more: &[&'static str]) -> &'static [&'static str] {
        [STEPS, more].concat().leak()
    }

    /// Of a database without a copy of its own, PostgreSQL's, the transaction alone is the safety.
    async fn a_step_that_fails(url: &str) {
        let store = Store::open(url).await.unwrap();
        store
            .save_account(
                "ann",
                "hash",
                &Author::new("test", chrono::DateTime::UNIX_EPOCH),
            )
            .await
            .unwrap();
        let broken = and(&[
            "ALTER TABLE run ADD COLUMN more TEXT NOT NULL DEFAULT ''; ALTER TABLE nothing ADD COLUMN x TEXT;",
        ]);
        store.migrate(url, broken).await.unwrap_err();
        assert_eq!(store.schema_version().await.unwrap(), LAST);
        assert!(
            sqlx::query("SELECT more FROM run")
                .fetch_all(&store.pool)
                .await
                .is_err()
        );
        assert_eq!(store.account_count().await.unwrap(), 1);
        store.close().await;
        let store = Store::connect(url, GuestLimits::default()).await.unwrap();
        let further = and(&[
            "ALTER TABLE run ADD COLUMN more TEXT NOT NULL DEFAULT '';",
            "ALTER TABLE run ADD COLUMN yet_more TEXT NOT NULL DEFAULT '';",
        ]);
        store.migrate(url, further).await.unwrap();
        assert_eq!(store.schema_version().await.unwrap(), LAST + 2);
        assert_eq!(store.account_count().await.unwrap(), 1);
        store.close().await;
        let error = Store::open(url).await.unwrap_err();
        assert!(
            matches!(error, StoreError::NewerSchema { found, known } if found == LAST + 2 && known == LAST),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_step_that_fails_leaves_the_database_as_it_was_and_a_copy_is_kept_of_each_before() {
        let folder = tempfile::tempdir().unwrap();
        let url = Store::default_url(folder.path());
        a_step_that_fails(&url).await;
        let file = folder.path().join("addon-host.db");
        let copy = beside(&file, &format!("schema-{LAST}"));
        files::check(&copy).await.unwrap();
        assert!(!beside(&copy, "partial").exists());
        // The newest two are kept.
        let store = Store::connect(&url, GuestLimits::default()).await.unwrap();
        for version in (1..LAST).chain([LAST + 1]) {
            std::fs::write(beside(&file, &format!("schema-{version}")), "old").unwrap();
        }
        store.keep_copy(&file, LAST + 2).await.unwrap();
        let kept: Vec<i64> = (1..=LAST + 2)
            .filter(|version| beside(&file, &format!("schema-{version}")).exists())
            .collect();
        assert_eq!(kept, [LAST + 1, LAST + 2]);
    }

    #[tokio::test]
    async fn a_step_that_fails_leaves_a_postgresql_database_as_it_was() {
        if let Some(server) = postgres_server::shared() {
            a_step_that_fails(&server.database()).await;
        }
    }
}
