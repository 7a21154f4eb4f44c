//! What an operator changed about the limits of add-ons: for one installation, or for all of them.

use std::collections::BTreeMap;

use sqlx::Row;

use super::records::{json, to_json};
use super::{Store, StoreError, Subject};

/// Stands for all installations of the host; no installation can have this name.
pub const ALL: &str = "*";

impl Store {
    /// Name of the limit → value; empty where nothing was changed. `scope`: an installation, or [`ALL`].
    pub async fn changed_limits(&self, scope: &str) -> Result<BTreeMap<String, u64>, StoreError> {
        let row = sqlx::query("SELECT document FROM guest_limit WHERE scope = $1")
            .bind(scope)
            .fetch_optional(&self.pool)
            .await?;
        row.map_or_else(|| Ok(BTreeMap::new()), |row| json(row.try_get("document")?))
    }

    /// Replaces what was changed before.
    pub async fn set_changed_limits(
        &self,
        scope: &str,
        changed: &BTreeMap<String, u64>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(Subject::Installation(scope)).await?;
        sqlx::query(
            "INSERT INTO guest_limit (scope, document) VALUES ($1, $2) \
             ON CONFLICT (scope) DO UPDATE SET document = $2",
        )
        .bind(scope)
        .bind(to_json(changed))
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await
    }
}
