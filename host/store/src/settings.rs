//! Stored settings as they are: plain texts, and secrets as the vault sealed them. Defaults, validation and opening the
//! secrets happen above.

use chrono::{DateTime, Utc};
use sqlx::Row;

use super::master_key::check_seals;
use super::records::{instant, millis, text};
use super::{Store, StoreError, WriteLock, setting_changes};

#[derive(Debug, Clone)]
pub struct StoredSetting {
    pub key: String,
    pub value: StoredValue,
    pub changed_at: DateTime<Utc>,
    pub changed_by: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredValue {
    Plain(String),
    Sealed(Vec<u8>),
}

/// A setting to store, or to remove where there is no value.
#[derive(Debug, Clone)]
pub struct SettingChange {
    pub key: String,
    pub value: Option<StoredValue>,
}

impl Store {
    /// What is stored for an installation, by key; mappings included.
    pub async fn settings(&self, installation: &str) -> Result<Vec<StoredSetting>, StoreError> {
        let rows = sqlx::query("SELECT * FROM setting WHERE installation = $1 ORDER BY key")
            .bind(installation)
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let key = text(row, "key")?;
                let value = match (row.try_get("plain")?, row.try_get("sealed")?) {
                    (Some(plain), None) => StoredValue::Plain(plain),
                    (None, Some(sealed)) => StoredValue::Sealed(sealed),
                    _ => {
                        return Err(StoreError::Corrupt(format!(
                            "setting `{key}` is neither plain nor sealed"
                        )));
                    }
                };
                Ok(StoredSetting {
                    key,
                    value,
                    changed_at: instant(row, "changed_at")?,
                    changed_by: text(row, "changed_by")?,
                })
            })
            .collect()
    }

    /// Stores all changes or none. `actor`: who did it. Refused where something is sealed with another master key than the one in
    /// use.
    pub async fn save_settings(
        &self,
        installation: &str,
        changes: &[SettingChange],
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        for change in changes {
            setting_changes::note(&mut writing, installation, change, actor, now).await?;
            let (plain, sealed) = match &change.value {
                None => {
                    sqlx::query("DELETE FROM setting WHERE installation = $1 AND key = $2")
                        .bind(installation)
                        .bind(&change.key)
                        .execute(&mut *writing.transaction)
                        .await?;
                    continue;
                }
                Some(StoredValue::Plain(plain)) => (Some(plain.as_str()), None),
                Some(StoredValue::Sealed(sealed)) => (None, Some(sealed.as_slice())),
            };
            sqlx::query(
                "INSERT INTO setting (installation, key, plain, sealed, changed_at, changed_by) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (installation, key) \
                 DO UPDATE SET plain = $3, sealed = $4, changed_at = $5, changed_by = $6",
            )
            .bind(installation)
            .bind(&change.key)
            .bind(plain)
            .bind(sealed)
            .bind(millis(now))
            .bind(actor)
            .execute(&mut *writing.transaction)
            .await?;
        }
        let sealed = changes.iter().filter_map(|change| match &change.value {
            Some(StoredValue::Sealed(sealed)) => Some(sealed.as_slice()),
            _ => None,
        });
        check_seals(&mut writing.transaction, sealed).await?;
        writing.commit().await
    }
}
