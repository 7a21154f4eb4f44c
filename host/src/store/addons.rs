//! Installed add-ons: packages by content, the versions that each add-on has had here, and which of them is active.
//! Whether a package may be installed is decided above; this file keeps what was decided.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::records::{flag, instant, millis, text};
use super::{Store, StoreError, Subject};

/// One package of an add-on that was installed here at some time.
#[derive(Debug, Clone)]
pub struct AddonVersion {
    pub addon: String,
    pub version: String,
    /// Of the package file, in lower-case hexadecimal.
    pub sha256: String,
    /// The text of `addon.toml`.
    pub manifest: String,
    pub installed_at: DateTime<Utc>,
    pub installed_by: String,
    /// New runs use it. One version of an add-on is.
    pub active: bool,
}

/// A package to keep and activate.
#[derive(Debug, Clone, Copy)]
pub struct NewAddonVersion<'a> {
    pub addon: &'a str,
    pub version: &'a str,
    pub sha256: &'a str,
    pub manifest: &'a str,
    /// The whole package file.
    pub package: &'a [u8],
    pub installed_by: &'a str,
}

const COLUMNS: &str = "addon, version, sha256, manifest, installed_at, installed_by, active";

impl Store {
    /// Keeps a package and makes it the active version of its add-on, in one step. The same package again only becomes
    /// active again.
    pub async fn activate_addon(
        &self,
        new: NewAddonVersion<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(Subject::Addons).await?;
        sqlx::query(
            "INSERT INTO package (sha256, bytes) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING",
        )
        .bind(new.sha256)
        .bind(new.package)
        .execute(&mut *writing.transaction)
        .await?;
        sqlx::query("UPDATE addon_version SET active = 0 WHERE addon = $1")
            .bind(new.addon)
            .execute(&mut *writing.transaction)
            .await?;
        sqlx::query(
            "INSERT INTO addon_version (addon, sha256, version, manifest, installed_at, installed_by, active) \
             VALUES ($1, $2, $3, $4, $5, $6, 1) \
             ON CONFLICT (addon, sha256) DO UPDATE SET installed_at = $5, installed_by = $6, active = 1",
        )
        .bind(new.addon)
        .bind(new.sha256)
        .bind(new.version)
        .bind(new.manifest)
        .bind(millis(now))
        .bind(new.installed_by)
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await
    }

    /// The active version of an add-on.
    pub async fn active_addon(&self, addon: &str) -> Result<Option<AddonVersion>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM addon_version WHERE addon = $1 AND active = 1"
        )))
        .bind(addon)
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(version).transpose()
    }

    /// All versions of all add-ons, by add-on, the newest installation first.
    pub async fn addon_versions(&self) -> Result<Vec<AddonVersion>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM addon_version ORDER BY addon, installed_at DESC, sha256"
        )))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(version).collect()
    }

    /// The bytes of a package file.
    pub async fn package(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT bytes FROM package WHERE sha256 = $1")
            .bind(sha256)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Removes an add-on with all its versions; refused while an installation uses it.
    pub async fn remove_addon(&self, addon: &str) -> Result<(), StoreError> {
        let mut writing = self.write(Subject::Addons).await?;
        let user =
            sqlx::query("SELECT name FROM installation WHERE addon = $1 ORDER BY name LIMIT 1")
                .bind(addon)
                .fetch_optional(&mut *writing.transaction)
                .await?;
        if let Some(user) = user {
            let by = format!(
                "installation `{}` runs it; remove that first",
                text(&user, "name")?
            );
            return Err(StoreError::InUse {
                what: "add-on",
                name: addon.to_owned(),
                by,
            });
        }
        let removed = sqlx::query("DELETE FROM addon_version WHERE addon = $1")
            .bind(addon)
            .execute(&mut *writing.transaction)
            .await?;
        if removed.rows_affected() == 0 {
            return Err(StoreError::Missing {
                what: "add-on",
                name: addon.to_owned(),
            });
        }
        sqlx::query("DELETE FROM package WHERE sha256 NOT IN (SELECT sha256 FROM addon_version)")
            .execute(&mut *writing.transaction)
            .await?;
        writing.commit().await
    }
}

fn version(row: &AnyRow) -> Result<AddonVersion, StoreError> {
    Ok(AddonVersion {
        addon: text(row, "addon")?,
        version: text(row, "version")?,
        sha256: text(row, "sha256")?,
        manifest: text(row, "manifest")?,
        installed_at: instant(row, "installed_at")?,
        installed_by: text(row, "installed_by")?,
        active: flag(row, "active")?,
    })
}
