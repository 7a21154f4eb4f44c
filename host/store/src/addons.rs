//! Installed add-ons: packages by content, the versions that each add-on has had here, and which of them is active.
//! Whether a package may be installed is decided above; this file keeps what was decided.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::records::{flag, instant, millis, number, text};
use super::{Author, Installation, Store, StoreError, WriteLock, Writing};

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
    /// New runs use it, but for installations that stay at another. One version of an add-on is.
    pub active: bool,
    /// The manifest's.
    pub serial: u32,
    /// The id of the trusted key that it was signed with; empty: it was taken unsigned.
    pub signed_by: String,
    /// Why nothing runs it any more, where it was left behind by a roll-back.
    pub withdrawn: String,
}

/// A package to keep and activate.
#[derive(Debug, Clone, Copy)]
pub struct NewAddonVersion<'a> {
    pub addon: &'a str,
    pub version: &'a str,
    pub serial: u32,
    pub sha256: &'a str,
    pub manifest: &'a str,
    /// The package's archive.
    pub package: &'a [u8],
    /// As the package bore it, or empty.
    pub signature: &'a str,
    /// The id of the trusted key that it was made with, or empty.
    pub signed_by: &'a str,
    pub installed_by: &'a str,
}

const COLUMNS: &str = "addon, version, sha256, manifest, installed_at, installed_by, active, serial, signed_by, withdrawn";

/// In the record of changes.
const ADDON: &str = "add-on";

/// How many versions of an add-on are kept to go back to.
const KEPT: usize = 3;

impl Store {
    /// Keeps a package and makes it the active version of its add-on, in one step. The same package again only becomes
    /// active again.
    pub async fn activate_addon(
        &self,
        new: NewAddonVersion<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Addons).await?;
        let before = active(&mut writing, new.addon).await?;
        sqlx::query("UPDATE addon_version SET active = 0 WHERE addon = $1")
            .bind(new.addon)
            .execute(&mut *writing.transaction)
            .await?;
        keep(&mut writing, new, true, now).await?;
        forget_old(&mut writing, new.addon).await?;
        let author = Author::new(new.installed_by, now);
        let after = new.version.to_owned();
        writing
            .note(&author, ADDON, new.addon, before, Some(after))
            .await?;
        writing.commit().await
    }

    /// Keeps a package and has one installation stay at it, in one step.
    pub async fn install_for(
        &self,
        new: NewAddonVersion<'_>,
        installation: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Addons).await?;
        keep(&mut writing, new, false, now).await?;
        let author = Author::new(new.installed_by, now);
        pin(&mut writing, installation, new.sha256, &author).await?;
        writing.commit().await
    }

    /// Has an installation stay at a version of its add-on; `None`: it goes with the active one.
    pub async fn pin(
        &self,
        installation: &str,
        version: Option<&AddonVersion>,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Addons).await?;
        let sha256 = version.map_or("", |version| &version.sha256);
        pin(&mut writing, installation, sha256, author).await?;
        writing.commit().await
    }

    /// Makes an earlier version the active one in place of `from`, whose withdrawal is noted with its reason. False: `from` is not the
    /// active one (any more), and nothing was done.
    pub async fn step_back(
        &self,
        from: &AddonVersion,
        to: &AddonVersion,
        why: &str,
        author: &Author,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Addons).await?;
        let left = sqlx::query(
            "UPDATE addon_version SET active = 0, withdrawn = $3 WHERE addon = $1 AND sha256 = $2 AND active = 1",
        )
        .bind(&from.addon)
        .bind(&from.sha256)
        .bind(why)
        .execute(&mut *writing.transaction)
        .await?;
        if left.rows_affected() == 0 {
            return Ok(false);
        }
        let taken = sqlx::query(
            "UPDATE addon_version SET active = 1, withdrawn = '' WHERE addon = $1 AND sha256 = $2",
        )
        .bind(&from.addon)
        .bind(&to.sha256)
        .execute(&mut *writing.transaction)
        .await?;
        if taken.rows_affected() == 0 {
            return Err(StoreError::Missing {
                what: "version",
                name: to.version.clone(),
            });
        }
        let (before, after) = (from.version.clone(), format!("{}: {why}", to.version));
        writing
            .note(author, ADDON, &from.addon, Some(before), Some(after))
            .await?;
        writing.commit().await?;
        Ok(true)
    }

    /// The version that an installation runs: the one that it stays at, or its add-on's active one.
    pub async fn addon_of(
        &self,
        installation: &Installation,
    ) -> Result<Option<AddonVersion>, StoreError> {
        if installation.pinned.is_empty() {
            return self.active_addon(&installation.addon).await;
        }
        self.addon_version(&installation.addon, &installation.pinned)
            .await
    }

    /// A version by its package.
    pub async fn addon_version(
        &self,
        addon: &str,
        sha256: &str,
    ) -> Result<Option<AddonVersion>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM addon_version WHERE addon = $1 AND sha256 = $2"
        )))
        .bind(addon)
        .bind(sha256)
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(version).transpose()
    }

    /// The versions of an add-on, the newest installation first.
    pub async fn versions_of(&self, addon: &str) -> Result<Vec<AddonVersion>, StoreError> {
        let mut versions = self.addon_versions().await?;
        versions.retain(|version| version.addon == addon);
        Ok(versions)
    }

    /// The highest serial number of an add-on that was installed here.
    pub async fn highest_serial(&self, addon: &str) -> Result<u32, StoreError> {
        let versions = self.versions_of(addon).await?;
        Ok(versions
            .iter()
            .map(|version| version.serial)
            .max()
            .unwrap_or(0))
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
    pub async fn remove_addon(&self, addon: &str, author: &Author) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Addons).await?;
        let before = active(&mut writing, addon).await?;
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
        forget_packages(&mut writing).await?;
        writing.note(author, ADDON, addon, before, None).await?;
        writing.commit().await
    }
}

/// The version of an add-on that is in use.
async fn active(writing: &mut Writing, addon: &str) -> Result<Option<String>, StoreError> {
    let row = sqlx::query("SELECT version FROM addon_version WHERE addon = $1 AND active = 1")
        .bind(addon)
        .fetch_optional(&mut *writing.transaction)
        .await?;
    row.map(|row| text(&row, "version")).transpose()
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
        serial: u32::try_from(number(row, "serial")?).map_err(|_| {
            StoreError::Corrupt("a serial number is negative or too large".to_owned())
        })?,
        signed_by: text(row, "signed_by")?,
        withdrawn: text(row, "withdrawn")?,
    })
}

async fn keep(
    writing: &mut Writing,
    new: NewAddonVersion<'_>,
    active: bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO package (sha256, bytes) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING",
    )
    .bind(new.sha256)
    .bind(new.package)
    .execute(&mut *writing.transaction)
    .await?;
    sqlx::query(
        "INSERT INTO addon_version \
         (addon, sha256, version, manifest, installed_at, installed_by, active, serial, signature, signed_by, withdrawn) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '') ON CONFLICT (addon, sha256) DO UPDATE \
         SET installed_at = $5, installed_by = $6, active = $7, signature = $9, signed_by = $10, withdrawn = ''",
    )
    .bind(new.addon)
    .bind(new.sha256)
    .bind(new.version)
    .bind(new.manifest)
    .bind(millis(now))
    .bind(new.installed_by)
    .bind(i64::from(active))
    .bind(i64::from(new.serial))
    .bind(new.signature)
    .bind(new.signed_by)
    .execute(&mut *writing.transaction)
    .await?;
    Ok(())
}

async fn pin(
    writing: &mut Writing,
    installation: &str,
    sha256: &str,
    author: &Author,
) -> Result<(), StoreError> {
    let before = stays_at(writing, installation).await?;
    let pinned = sqlx::query("UPDATE installation SET pinned = $2 WHERE name = $1")
        .bind(installation)
        .bind(sha256)
        .execute(&mut *writing.transaction)
        .await?;
    if pinned.rows_affected() == 0 {
        return Err(StoreError::Missing {
            what: "installation",
            name: installation.to_owned(),
        });
    }
    let after = stays_at(writing, installation).await?;
    let what = "add-on of an installation";
    writing
        .note(author, what, installation, before, after)
        .await
}

/// The version that an installation stays at; `None`: it goes with its add-on.
async fn stays_at(writing: &mut Writing, installation: &str) -> Result<Option<String>, StoreError> {
    let row = sqlx::query(
        "SELECT version FROM addon_version JOIN installation ON addon_version.sha256 = pinned WHERE name = $1",
    )
    .bind(installation)
    .fetch_optional(&mut *writing.transaction)
    .await?;
    row.map(|row| text(&row, "version")).transpose()
}

/// Versions beyond those that are kept, but for those in use, by an installation or by a run under way; and the one with the highest
/// serial, by which downgrades are told.
async fn forget_old(writing: &mut Writing, addon: &str) -> Result<(), StoreError> {
    let rows = sqlx::query(
        "SELECT sha256 FROM addon_version WHERE addon = $1 AND active = 0 \
         AND sha256 NOT IN (SELECT pinned FROM installation) \
         AND sha256 NOT IN (SELECT package_sha256 FROM run WHERE state = 'running') \
         AND serial < (SELECT MAX(serial) FROM addon_version WHERE addon = $1) \
         ORDER BY installed_at DESC, sha256",
    )
    .bind(addon)
    .fetch_all(&mut *writing.transaction)
    .await?;
    // The active one is the first of those that are kept.
    for row in rows.iter().skip(KEPT - 1) {
        sqlx::query("DELETE FROM addon_version WHERE addon = $1 AND sha256 = $2")
            .bind(addon)
            .bind(text(row, "sha256")?)
            .execute(&mut *writing.transaction)
            .await?;
    }
    forget_packages(writing).await
}

async fn forget_packages(writing: &mut Writing) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM package WHERE sha256 NOT IN (SELECT sha256 FROM addon_version)")
        .execute(&mut *writing.transaction)
        .await?;
    Ok(())
}
