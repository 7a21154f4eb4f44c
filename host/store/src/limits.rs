//! What an operator changed about the limits of add-ons: for one installation, or for all of them.

use std::collections::BTreeMap;

use sqlx::{Any, Executor, Row};

use super::host_changes::{Author, words};
use super::records::{json, to_json};
use super::{Store, StoreError, WriteLock};

/// Stands for all installations of the host; no installation can have this name.
pub const ALL: &str = "*";

impl Store {
    /// Name of the limit → value; empty where nothing was changed. `scope`: an installation, or [`ALL`].
    pub async fn changed_limits(&self, scope: &str) -> Result<BTreeMap<String, u64>, StoreError> {
        document(&self.pool, scope).await
    }

    /// Replaces what was changed before.
    pub async fn set_changed_limits(
        &self,
        scope: &str,
        changed: &BTreeMap<String, u64>,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(scope)).await?;
        let before = document(&mut *writing.transaction, scope).await?;
        sqlx::query(
            "INSERT INTO guest_limit (scope, document) VALUES ($1, $2) \
             ON CONFLICT (scope) DO UPDATE SET document = $2",
        )
        .bind(scope)
        .bind(to_json(changed))
        .execute(&mut *writing.transaction)
        .await?;
        let name = if scope == ALL { "all" } else { scope };
        writing
            .note(author, "limits", name, words(&before), words(changed))
            .await?;
        writing.commit().await
    }
}

async fn document(
    database: impl Executor<'_, Database = Any>,
    scope: &str,
) -> Result<BTreeMap<String, u64>, StoreError> {
    let row = sqlx::query("SELECT document FROM guest_limit WHERE scope = $1")
        .bind(scope)
        .fetch_optional(database)
        .await?;
    row.map_or_else(|| Ok(BTreeMap::new()), |row| json(row.try_get("document")?))
}
