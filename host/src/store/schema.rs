//! The schema and its way forward: a list of steps, each applied once, in order, in a transaction of its own.
//!
//! A step that shipped is never edited; a change is a new step. A database from a newer host is refused untouched.

use sqlx::{Executor, Row};

use super::{Store, StoreError};

/// Step N brings the schema from version N - 1 to N (counted from one).
const STEPS: &[&str] = &[include_str!("schema_1.sql"), include_str!("schema_2.sql")];

impl Store {
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        let known = STEPS.len() as i64;
        loop {
            // Another process may be doing the same: the version is read again under the lock of each step.
            let mut writing = self.write().await?;
            writing
                .transaction
                .execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
                .await?;
            let row = sqlx::query("SELECT COALESCE(MAX(version), 0) FROM schema_version")
                .fetch_one(&mut *writing.transaction)
                .await?;
            let found: i64 = row.try_get(0)?;
            if found > known {
                return Err(StoreError::NewerSchema { found, known });
            }
            let Some(step) = usize::try_from(found).ok().and_then(|done| STEPS.get(done)) else {
                return writing.commit().await;
            };
            writing.transaction.execute(sqlx::raw_sql(*step)).await?;
            sqlx::query("INSERT INTO schema_version (version) VALUES ($1)")
                .bind(found + 1)
                .execute(&mut *writing.transaction)
                .await?;
            writing.commit().await?;
        }
    }

    /// The version of the open database's schema.
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT MAX(version) FROM schema_version")
            .fetch_one(&self.pool)
            .await?;
        Ok(row.try_get(0)?)
    }
}
