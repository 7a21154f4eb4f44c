//! An installation's tables as they were before its add-on migrated them: a migration that fails is undone whole.
//!
//! Both ways are one transaction under the fence of the run that migrates, so nothing else can write in between.

use super::leases::Fence;
use super::{Store, StoreError, WriteLock};

impl Store {
    /// Keeps a copy of the tables, in the place of an earlier one. False: the lease is lost.
    pub async fn keep_snapshot(&self, fence: &Fence) -> Result<bool, StoreError> {
        self.copy_tables(fence, "guest_entry", "guest_snapshot", None)
            .await
    }

    /// Puts the tables back as they were kept. `bytes`: what they held then. False: the lease is lost.
    pub async fn restore_snapshot(&self, fence: &Fence, bytes: u64) -> Result<bool, StoreError> {
        self.copy_tables(fence, "guest_snapshot", "guest_entry", Some(bytes))
            .await
    }

    async fn copy_tables(
        &self,
        fence: &Fence,
        from: &str,
        to: &str,
        bytes: Option<u64>,
    ) -> Result<bool, StoreError> {
        let name = fence.installation.as_str();
        let mut writing = self.write(WriteLock::Installation(name)).await?;
        if !writing.holds(fence).await? {
            return Ok(false);
        }
        let clear = format!("DELETE FROM {to} WHERE installation = $1");
        let copy = format!(
            "INSERT INTO {to} (installation, collection, key, value) \
             SELECT installation, collection, key, value FROM {from} WHERE installation = $1"
        );
        for sql in [clear, copy] {
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(name)
                .execute(&mut *writing.transaction)
                .await?;
        }
        if let Some(bytes) = bytes {
            sqlx::query("UPDATE installation SET stored_bytes = $2 WHERE name = $1")
                .bind(name)
                .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
                .execute(&mut *writing.transaction)
                .await?;
        }
        writing.commit().await?;
        Ok(true)
    }
}
