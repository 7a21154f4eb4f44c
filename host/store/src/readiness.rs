//! What the last readiness check of an installation found. What a finding is, is the add-ons' business: here it is a document.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;

use super::records::{instant, json, millis, to_json};
use super::{Store, StoreError, WriteLock};

impl Store {
    /// Replaces the last one.
    pub async fn save_readiness<T: Serialize>(
        &self,
        installation: &str,
        at: DateTime<Utc>,
        findings: &T,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        sqlx::query(
            "INSERT INTO readiness (installation, checked_at, findings) VALUES ($1, $2, $3) \
             ON CONFLICT (installation) DO UPDATE SET checked_at = $2, findings = $3",
        )
        .bind(installation)
        .bind(millis(at))
        .bind(to_json(findings))
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await
    }

    /// `None`: it was never checked.
    pub async fn readiness<T: DeserializeOwned>(
        &self,
        installation: &str,
    ) -> Result<Option<(DateTime<Utc>, T)>, StoreError> {
        let row = sqlx::query("SELECT * FROM readiness WHERE installation = $1")
            .bind(installation)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| {
            Ok((
                instant(&row, "checked_at")?,
                json(row.try_get("findings")?)?,
            ))
        })
        .transpose()
    }
}
