//! How much an installation keeps in all, and whether there is room for more of it.
//!
//! Two sums stand with each installation: the bytes in its tables, which every commit keeps exact, and those that its runs told people
//! (activities, reports, lines of logs, outcomes, settings that it fetched), which only grow. One limit is for both.
//!
//! On SQLite's disk add-ons leave a part free for everybody else: for what the host itself has to write, and for other installations'
//! settings and logs. Beware: the host's own writes never ask here, so that a run ends in good order when there is no room.

use std::path::PathBuf;

use super::guest::CommitError;
use super::records::number;
use super::{RunId, Store, StoreError, WriteLock, Writing};

/// Bytes of the disk that add-ons leave free.
pub(super) const FLOOR: u64 = 512 << 20;

/// What each thing that a run tells counts for besides its texts.
pub(super) const OVERHEAD: usize = 64;

/// A disk that no add-on may fill.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    /// A folder on it.
    pub folder: PathBuf,
    /// Bytes that stay free.
    pub floor: u64,
}

impl Store {
    /// With another number of bytes that add-ons leave free on the database's disk.
    #[must_use]
    pub fn with_floor(mut self, bytes: u64) -> Self {
        if let Some(disk) = &mut self.disk {
            disk.floor = bytes;
        }
        self
    }

    /// Whether an installation may keep more; [`CommitError::Full`] or [`CommitError::Disk`] says why not.
    pub async fn has_room(&self, installation: &str, most_bytes: u64) -> Result<(), CommitError> {
        self.disk_has_room()?;
        let row = sqlx::query(
            "SELECT stored_bytes + told_bytes AS kept FROM installation WHERE name = $1",
        )
        .bind(installation)
        .fetch_one(&self.pool)
        .await?;
        within(number(&row, "kept")?, most_bytes)
    }

    /// Counts what a call told that acts for no run.
    pub async fn count_told(&self, installation: &str, bytes: usize) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        sqlx::query("UPDATE installation SET told_bytes = told_bytes + $2 WHERE name = $1")
            .bind(installation)
            .bind(counted(bytes))
            .execute(&mut *writing.transaction)
            .await?;
        writing.commit().await
    }

    pub(super) fn disk_has_room(&self) -> Result<(), CommitError> {
        match &self.disk {
            Some(disk) => disk.has_room(),
            None => Ok(()),
        }
    }
}

impl Writing {
    /// Counts what a run told. The installation's row belongs to another subject, so this comes last in its transaction.
    pub(super) async fn count_run(&mut self, run: RunId, bytes: usize) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE installation SET told_bytes = told_bytes + $2 \
             WHERE name = (SELECT installation FROM run WHERE id = $1)",
        )
        .bind(run)
        .bind(counted(bytes))
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }
}

impl Disk {
    #[cfg(unix)]
    fn has_room(&self) -> Result<(), CommitError> {
        // A disk that does not tell is no reason to stop anybody: a write that fails is undone and told of.
        let Ok(found) = rustix::fs::statvfs(&self.folder) else {
            return Ok(());
        };
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        if free >= self.floor {
            return Ok(());
        }
        Err(CommitError::Disk {
            free_mib: free >> 20,
            floor_mib: self.floor >> 20,
        })
    }

    #[cfg(not(unix))]
    fn has_room(&self) -> Result<(), CommitError> {
        Ok(())
    }
}

/// Whether what is kept is within the limit.
pub(super) fn within(kept: i64, most_bytes: u64) -> Result<(), CommitError> {
    if u64::try_from(kept).unwrap_or(0) <= most_bytes {
        return Ok(());
    }
    Err(CommitError::Full { limit: most_bytes })
}

pub(super) fn counted(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
