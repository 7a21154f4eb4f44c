//! Installations: one add-on with one configuration. Removing one removes everything that belongs to it.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::any::AnyRow;

use super::records::{count, date, instant, maybe_instant, millis, number, text};
use super::{Author, Store, StoreError, WriteLock};

#[derive(Debug, Clone)]
pub struct Installation {
    pub name: String,
    pub addon: String,
    pub created_at: DateTime<Utc>,
    /// The day in the installation's time zone at which it was made; dates of documents are compared with it.
    pub created_on: NaiveDate,
    /// Version of the guest's stored state.
    pub state: u32,
    /// Bytes in the guest's tables.
    pub stored_bytes: u64,
    /// Bytes of what its runs told people: activities, reports, logs, outcomes.
    pub told_bytes: u64,
    /// When a backup of it was put back: its state may be older than the world since.
    pub restored_at: Option<DateTime<Utc>>,
    /// Of the package that it stays at; empty: it goes with its add-on's active one.
    pub pinned: String,
}

#[derive(Debug, Clone, Copy)]
pub struct NewInstallation<'a> {
    pub name: &'a str,
    pub addon: &'a str,
    pub created_on: NaiveDate,
    /// The manifest's `state`: a new installation has nothing to migrate.
    pub state: u32,
}

/// As people call it.
const INSTALLATION: &str = "installation";

impl Store {
    /// Refused where the name is taken or the add-on has no active version.
    pub async fn create_installation(
        &self,
        new: NewInstallation<'_>,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Addons).await?;
        let addon = sqlx::query("SELECT addon FROM addon_version WHERE addon = $1 AND active = 1")
            .bind(new.addon)
            .fetch_optional(&mut *writing.transaction)
            .await?;
        if addon.is_none() {
            return Err(StoreError::Missing {
                what: "add-on",
                name: new.addon.to_owned(),
            });
        }
        let created = sqlx::query(
            "INSERT INTO installation (name, addon, created_at, created_on, state, stored_bytes) \
             VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (name) DO NOTHING",
        )
        .bind(new.name)
        .bind(new.addon)
        .bind(millis(author.at))
        .bind(new.created_on.to_string())
        .bind(i64::from(new.state))
        .execute(&mut *writing.transaction)
        .await?;
        if created.rows_affected() == 0 {
            return Err(StoreError::Exists {
                what: INSTALLATION,
                name: new.name.to_owned(),
            });
        }
        writing
            .note(
                author,
                INSTALLATION,
                new.name,
                None,
                Some(new.addon.to_owned()),
            )
            .await?;
        writing.commit().await
    }

    /// The installation of that name, or [`StoreError::Missing`].
    pub async fn installation(&self, name: &str) -> Result<Installation, StoreError> {
        let row = sqlx::query("SELECT * FROM installation WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| StoreError::Missing {
                what: "installation",
                name: name.to_owned(),
            })?;
        installation(&row)
    }

    /// All of them, by name.
    pub async fn installations(&self) -> Result<Vec<Installation>, StoreError> {
        let rows = sqlx::query("SELECT * FROM installation ORDER BY name")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(installation).collect()
    }

    /// Removes an installation with its settings, state, runs and log; refused while a writing run holds its lease.
    pub async fn remove_installation(&self, name: &str, author: &Author) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(name)).await?;
        let lease =
            sqlx::query("SELECT run FROM lease WHERE installation = $1 AND expires_at > $2")
                .bind(name)
                .bind(self.surely_over(author.at))
                .fetch_optional(&mut *writing.transaction)
                .await?;
        if let Some(lease) = lease {
            let by = format!("run {} is working; stop it first", number(&lease, "run")?);
            return Err(StoreError::InUse {
                what: "installation",
                name: name.to_owned(),
                by,
            });
        }
        sqlx::query("DELETE FROM guest_limit WHERE scope = $1")
            .bind(name)
            .execute(&mut *writing.transaction)
            .await?;
        let removed = sqlx::query("DELETE FROM installation WHERE name = $1 RETURNING addon")
            .bind(name)
            .fetch_optional(&mut *writing.transaction)
            .await?;
        let Some(removed) = removed else {
            return Err(StoreError::Missing {
                what: INSTALLATION,
                name: name.to_owned(),
            });
        };
        let addon = text(&removed, "addon")?;
        writing
            .note(author, INSTALLATION, name, Some(addon), None)
            .await?;
        writing.commit().await
    }

    /// Notes the version that the guest's state was migrated to.
    pub async fn set_state_version(&self, name: &str, state: u32) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(name)).await?;
        sqlx::query("UPDATE installation SET state = $2 WHERE name = $1")
            .bind(name)
            .bind(i64::from(state))
            .execute(&mut *writing.transaction)
            .await?;
        writing.commit().await
    }
}

fn installation(row: &AnyRow) -> Result<Installation, StoreError> {
    let state = number(row, "state")?;
    Ok(Installation {
        name: text(row, "name")?,
        addon: text(row, "addon")?,
        created_at: instant(row, "created_at")?,
        created_on: date(row, "created_on")?,
        state: u32::try_from(state)
            .map_err(|_| StoreError::Corrupt(format!("state version {state}")))?,
        stored_bytes: count(row, "stored_bytes")?,
        told_bytes: count(row, "told_bytes")?,
        restored_at: maybe_instant(row, "restored_at")?,
        pinned: text(row, "pinned")?,
    })
}
