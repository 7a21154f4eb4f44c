//! What all runs, installations and processes share about a service: the governor's state by what the service counts, and
//! the growing nonces of signed requests. Keys are made by the caller, and hold no secret: hashes, where they come from one.

use sqlx::Row;

use super::{Store, StoreError, Subject};

impl Store {
    /// Reads a bucket, lets `change` decide, and stores what it answers, all in one write transaction: of two processes
    /// that ask, one sees what the other took. `change` gets the stored text (none: never used) and answers the new text
    /// (none: leave it) and a result. It must be quick and pure: everybody waits.
    pub async fn with_bucket<T>(
        &self,
        key: &str,
        change: impl FnOnce(Option<&str>) -> (Option<String>, T),
    ) -> Result<T, StoreError> {
        let mut writing = self.write(Subject::Bucket(key)).await?;
        let row = sqlx::query("SELECT state FROM bucket WHERE key = $1")
            .bind(key)
            .fetch_optional(&mut *writing.transaction)
            .await?;
        let found: Option<&str> = row.as_ref().map(|row| row.try_get("state")).transpose()?;
        let (state, result) = change(found);
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
        let mut writing = self.write(Subject::Nonce(key)).await?;
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
