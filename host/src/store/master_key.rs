//! Which master key the secrets are sealed with. There is one at a time: what changes it seals all secrets anew in the same
//! transaction, and nobody stores one that was sealed with another key (see [`Store::save_settings`]).

use chrono::{DateTime, Utc};
use sqlx::{AnyConnection, AssertSqlSafe, Executor, Row};
use thiserror::Error;

use super::records::{instant, millis, text};
use super::{Store, StoreError, Subject, Writing};

/// What the database knows of the master key.
#[derive(Debug, Clone)]
pub struct StoredKey {
    pub id: String,
    /// The key of the fingerprints, sealed.
    pub fingerprinting: Vec<u8>,
    pub since: DateTime<Utc>,
}

/// Why a change of the key did not happen; everything is as it was.
#[derive(Debug, Error)]
pub enum ResealError<E> {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the master key was changed by somebody else meanwhile; look at `master-key show`")]
    Changed,
    #[error(transparent)]
    Seal(E),
}

impl Store {
    /// None: nothing was sealed here yet, or by a host that did not note with which key.
    pub async fn master_key(&self) -> Result<Option<StoredKey>, StoreError> {
        let row = sqlx::query("SELECT * FROM master_key")
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| {
            Ok(StoredKey {
                id: text(&row, "id")?,
                fingerprinting: row.try_get("fingerprinting")?,
                since: instant(&row, "since_at")?,
            })
        })
        .transpose()
    }

    /// Notes the first key, unless there is one by now.
    pub async fn register_master_key(
        &self,
        id: &str,
        fingerprinting: &[u8],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(Subject::MasterKey).await?;
        if current_key(&mut writing.transaction).await?.is_none() {
            put(&mut writing, id, fingerprinting, now).await?;
        }
        writing.commit().await
    }

    /// Takes another key into use: every secret is sealed anew by `seal`, which is given installation, setting and what was
    /// sealed so far. All of them or none. Answers how many there are.
    pub async fn reseal<E>(
        &self,
        (from, to): (&str, &str),
        fingerprinting: &[u8],
        now: DateTime<Utc>,
        mut seal: impl FnMut(&str, &str, &[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<usize, ResealError<E>> {
        let mut writing = self.write_alone().await?;
        if current_key(&mut writing.transaction).await?.as_deref() != Some(from) {
            return Err(ResealError::Changed);
        }
        let rows = sqlx::query(SEALED)
            .fetch_all(&mut *writing.transaction)
            .await
            .map_err(StoreError::from)?;
        for row in &rows {
            let (installation, key) = (text(row, "installation")?, text(row, "key")?);
            let sealed: Vec<u8> = row.try_get("sealed").map_err(StoreError::from)?;
            let sealed = seal(&installation, &key, &sealed).map_err(ResealError::Seal)?;
            sqlx::query("UPDATE setting SET sealed = $3 WHERE installation = $1 AND key = $2")
                .bind(installation)
                .bind(key)
                .bind(sealed)
                .execute(&mut *writing.transaction)
                .await
                .map_err(StoreError::from)?;
        }
        put(&mut writing, to, fingerprinting, now).await?;
        writing.commit().await?;
        Ok(rows.len())
    }

    /// Removes every secret and takes another key into use: for when the old one is lost. Answers installation and setting of what
    /// is gone.
    pub async fn forget_secrets(
        &self,
        id: &str,
        fingerprinting: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let mut writing = self.write_alone().await?;
        let rows = sqlx::query(SEALED)
            .fetch_all(&mut *writing.transaction)
            .await?;
        writing
            .transaction
            .execute("DELETE FROM setting WHERE sealed IS NOT NULL")
            .await?;
        put(&mut writing, id, fingerprinting, now).await?;
        writing.commit().await?;
        rows.iter()
            .map(|row| Ok((text(row, "installation")?, text(row, "key")?)))
            .collect()
    }

    /// A transaction beside which nobody stores settings.
    async fn write_alone(&self) -> Result<Writing, StoreError> {
        let mut writing = self.write(Subject::MasterKey).await?;
        if let Some(lock) = self.dialect.lock_writers("setting") {
            writing.transaction.execute(AssertSqlSafe(lock)).await?;
        }
        Ok(writing)
    }
}

const SEALED: &str = "SELECT installation, key, sealed FROM setting WHERE sealed IS NOT NULL \
                      ORDER BY installation, key";

/// The id of the key in use.
pub(super) async fn current_key(
    database: &mut AnyConnection,
) -> Result<Option<String>, StoreError> {
    let row = sqlx::query("SELECT id FROM master_key")
        .fetch_optional(database)
        .await?;
    row.map(|row| text(&row, "id")).transpose()
}

/// In the place of the one before.
async fn put(
    writing: &mut Writing,
    id: &str,
    fingerprinting: &[u8],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    writing
        .transaction
        .execute("DELETE FROM master_key")
        .await?;
    sqlx::query("INSERT INTO master_key (id, fingerprinting, since_at) VALUES ($1, $2, $3)")
        .bind(id)
        .bind(fingerprinting)
        .bind(millis(now))
        .execute(&mut *writing.transaction)
        .await?;
    Ok(())
}
