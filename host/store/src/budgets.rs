//! What all runs, installations and processes share about a service: the governor's state by what the service counts, and
//! the growing nonces of signed requests. Keys are made by the caller, and hold no secret: hashes, where they come from one.

use std::collections::HashMap;

use sqlx::Row;

use super::{Store, StoreError, WriteLock};

impl Store {
    /// Reads a bucket, lets `change` decide, and stores what it answers, all in one write transaction: of two processes
    /// that ask, one sees what the other took. `change` gets the stored text (`None`: never used) and answers the new text
    /// (`None`: leave it) and a result. It must be quick and pure: everybody waits.
    pub async fn with_bucket<T>(
        &self,
        key: &str,
        change: impl FnOnce(Option<&str>) -> (Option<String>, T),
    ) -> Result<T, StoreError> {
        self.with_bucket_beside(key, key, |stored, _| Ok(change(stored)))
            .await
    }

    /// The same, with the state of another bucket to look at. Where `change` fails nothing is stored.
    pub async fn with_bucket_beside<T>(
        &self,
        key: &str,
        beside: &str,
        change: impl FnOnce(Option<&str>, Option<&str>) -> Result<(Option<String>, T), StoreError>,
    ) -> Result<T, StoreError> {
        let mut writing = self.write(WriteLock::Bucket(key)).await?;
        let rows = sqlx::query("SELECT key, state FROM bucket WHERE key IN ($1, $2)")
            .bind(key)
            .bind(beside)
            .fetch_all(&mut *writing.transaction)
            .await?;
        let mut found: HashMap<&str, &str> = HashMap::new();
        for row in &rows {
            found.insert(row.try_get(0)?, row.try_get(1)?);
        }
        let (state, result) = change(found.get(key).copied(), found.get(beside).copied())?;
        if let Some(state) = state {
            sqlx::query("INSERT INTO bucket (key, state) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET state = $2")
                .bind(key)
                .bind(state)
                .execute(&mut *writing.transaction)
                .await?;
        }
        writing.commit().await?;
        Ok(result)
    }

    /// A bucket as it stands; for showing, never for deciding.
    pub async fn bucket(&self, key: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT state FROM bucket WHERE key = $1")
            .bind(key)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get("state")).transpose()?)
    }

    /// The next nonce of a key: greater than every earlier one, and at least `at_least`.
    pub async fn next_nonce(&self, key: &str, at_least: i64) -> Result<i64, StoreError> {
        let mut writing = self.write(WriteLock::Nonce(key)).await?;
        let row = sqlx::query(
            "INSERT INTO nonce (key, last) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE \
             SET last = CASE WHEN nonce.last < $2 THEN $2 ELSE nonce.last + 1 END RETURNING last",
        )
        .bind(key)
        .bind(at_least)
        .fetch_one(&mut *writing.transaction)
        .await?;
        writing.commit().await?;
        Ok(row.try_get("last")?)
    }
}
