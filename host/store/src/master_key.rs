//! Which master key the secrets are sealed with. There is one at a time: what changes it seals all secrets anew in the same
//! transaction, and nobody stores one that was sealed with another key (see [`Store::save_settings`]).

use chrono::{DateTime, Utc};
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Executor, Row};
use thiserror::Error;

use super::records::{instant, millis, text};
use super::{Store, StoreError, WriteLock, Writing};
use addon_vault::sealed_with;

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
    /// `None`: nothing was sealed here yet, or by a host that did not note with which key.
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
        let mut writing = self.write(WriteLock::MasterKey).await?;
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
            put_sealed(&installation, key, sealed)
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
        writing
            .transaction
            .execute("UPDATE alert_channel SET sealed = NULL")
            .await?;
        writing
            .transaction
            .execute("DELETE FROM second_factor")
            .await?;
        put(&mut writing, id, fingerprinting, now).await?;
        writing.commit().await?;
        rows.iter()
            .map(|row| Ok((text(row, "installation")?, text(row, "key")?)))
            .collect()
    }

    /// A transaction beside which nobody stores secrets.
    async fn write_alone(&self) -> Result<Writing, StoreError> {
        let mut writing = self.write(WriteLock::MasterKey).await?;
        for table in ["setting", "alert_channel", "second_factor"] {
            if let Some(lock) = self.dialect.lock_writers(table) {
                writing.transaction.execute(AssertSqlSafe(lock)).await?;
            }
        }
        Ok(writing)
    }
}

/// What comes before a channel's name where its secret is sealed; the installation's name is empty there.
pub const OF_CHANNELS: &str = "alerts ";

/// The same before an account's name where its second factor is sealed.
pub const OF_SECOND_FACTORS: &str = "second factor ";

const SEALED: &str = "SELECT installation, key, sealed FROM setting WHERE sealed IS NOT NULL \
                      UNION ALL SELECT '' AS installation, 'alerts ' || name AS key, sealed FROM alert_channel \
                      WHERE sealed IS NOT NULL \
                      UNION ALL SELECT '' AS installation, 'second factor ' || account AS key, sealed FROM second_factor ORDER BY installation, key";

/// Puts what was sealed anew where it belongs.
fn put_sealed(
    installation: &str,
    key: String,
    sealed: Vec<u8>,
) -> Query<'static, Any, AnyArguments> {
    let hosts = installation.is_empty();
    let of = |what| key.strip_prefix(what).filter(|_| hosts).map(str::to_owned);
    let (sql, name) = if let Some(name) = of(OF_CHANNELS) {
        ("UPDATE alert_channel SET sealed = $2 WHERE name = $1", name)
    } else if let Some(account) = of(OF_SECOND_FACTORS) {
        let sql = "UPDATE second_factor SET sealed = $2 WHERE account = $1";
        (sql, account)
    } else {
        let sql = "UPDATE setting SET sealed = $2 WHERE key = $1 AND installation = $3";
        let query = sqlx::query(sql).bind(key).bind(sealed);
        return query.bind(installation.to_owned());
    };
    sqlx::query(sql).bind(name).bind(sealed)
}

/// Refuses what is sealed with another key than the one in use. Asked after the writing: whoever changes the key waits for that, or was
/// done before.
pub(super) async fn check_seals<'s>(
    database: &mut AnyConnection,
    sealed: impl IntoIterator<Item = &'s [u8]>,
) -> Result<(), StoreError> {
    let Some(in_use) = current_key(database).await? else {
        return Ok(());
    };
    let keys = sealed.into_iter().filter_map(sealed_with);
    match keys.map(|id| id.to_string()).find(|with| *with != in_use) {
        Some(with) => Err(StoreError::OldKey { with, in_use }),
        None => Ok(()),
    }
}

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
