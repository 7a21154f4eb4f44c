//! Who changed which setting, when, and from what to what: written with the change itself, in one transaction, and never changed
//! afterwards.

use chrono::{DateTime, Utc};
use sqlx::Row;

use super::records::{instant, millis, number, text};
use super::settings::{SettingChange, StoredValue};
use super::{Store, StoreError, Writing};

/// What stands in place of a secret.
const SECRET: &str = "set";

/// One change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChanged {
    /// From one within the installation.
    pub number: i64,
    pub key: String,
    pub at: DateTime<Utc>,
    pub by: String,
    pub secret: bool,
    /// `None`: it was not set. A secret's value is never told.
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Store {
    /// Changes of an installation's settings, the newest first; `before`: only numbers below it.
    pub async fn setting_changes(
        &self,
        installation: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<SettingChanged>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM setting_change WHERE installation = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
        )
        .bind(installation)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(SettingChanged {
                    number: number(row, "number")?,
                    key: text(row, "key")?,
                    at: instant(row, "changed_at")?,
                    by: text(row, "changed_by")?,
                    secret: number(row, "secret")? != 0,
                    before: row.try_get("before")?,
                    after: row.try_get("after")?,
                })
            })
            .collect()
    }
}

/// Notes a change before it is made; what changes nothing is not noted.
pub(super) async fn note(
    writing: &mut Writing,
    installation: &str,
    change: &SettingChange,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT plain, sealed FROM setting WHERE installation = $1 AND key = $2")
        .bind(installation)
        .bind(&change.key)
        .fetch_optional(&mut *writing.transaction)
        .await?;
    let (plain, sealed): (Option<String>, Option<Vec<u8>>) = match &row {
        Some(row) => (row.try_get("plain")?, row.try_get("sealed")?),
        None => (None, None),
    };
    let secret = sealed.is_some() || matches!(change.value, Some(StoredValue::Sealed(_)));
    let before = sealed.map(|_| SECRET.to_owned()).or(plain);
    let after = match &change.value {
        None => None,
        Some(StoredValue::Plain(plain)) => Some(plain.as_str()),
        Some(StoredValue::Sealed(_)) => Some(SECRET),
    };
    // A secret that is entered anew may be another.
    if before.as_deref() == after && !(secret && after.is_some()) {
        return Ok(());
    }
    let last = sqlx::query(
        "SELECT COALESCE(MAX(number), 0) AS last FROM setting_change WHERE installation = $1",
    )
    .bind(installation)
    .fetch_one(&mut *writing.transaction)
    .await?;
    sqlx::query(
        "INSERT INTO setting_change (installation, number, key, changed_at, changed_by, secret, before, after) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(installation)
    .bind(number(&last, "last")? + 1)
    .bind(&change.key)
    .bind(millis(now))
    .bind(actor)
    .bind(i64::from(secret))
    .bind(before)
    .bind(after)
    .execute(&mut *writing.transaction)
    .await?;
    Ok(())
}
