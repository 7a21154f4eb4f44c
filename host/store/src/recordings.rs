//! Recordings of runs, and the wish that the next run be recorded. What stands in one is made elsewhere; here it is a text.

use super::records::{flag, number, text};
use super::{RunId, Store, StoreError, WriteLock};

/// What of a run is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingKind {
    /// Everything that it takes to do it again.
    Whole,
    /// Exchanges that failed.
    Failed,
}

impl RecordingKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Failed => "failed",
        }
    }

    /// How many are kept of an installation, the newest.
    fn most(self) -> i64 {
        match self {
            Self::Whole => 3,
            Self::Failed => 10,
        }
    }
}

impl Store {
    /// Keeps one, and forgets what is too old.
    pub async fn save_recording(
        &self,
        installation: &str,
        run: RunId,
        kind: RecordingKind,
        content: &str,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        sqlx::query(
            "INSERT INTO recording (run, kind, installation, content) VALUES ($1, $2, $3, $4)",
        )
        .bind(run)
        .bind(kind.as_str())
        .bind(installation)
        .bind(content)
        .execute(&mut *writing.transaction)
        .await?;
        sqlx::query(
            "DELETE FROM recording WHERE installation = $1 AND kind = $2 AND run NOT IN \
             (SELECT run FROM recording WHERE installation = $1 AND kind = $2 ORDER BY run DESC LIMIT $3)",
        )
        .bind(installation)
        .bind(kind.as_str())
        .bind(kind.most())
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await
    }

    /// `None`: there is none, or it is forgotten.
    pub async fn recording(
        &self,
        run: RunId,
        kind: RecordingKind,
    ) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT content FROM recording WHERE run = $1 AND kind = $2")
            .bind(run)
            .bind(kind.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| text(&row, "content")).transpose()
    }

    /// The runs that there are recordings of, the newest first.
    pub async fn recorded_runs(
        &self,
        installation: &str,
        kind: RecordingKind,
    ) -> Result<Vec<RunId>, StoreError> {
        let rows = sqlx::query(
            "SELECT run FROM recording WHERE installation = $1 AND kind = $2 ORDER BY run DESC",
        )
        .bind(installation)
        .bind(kind.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| number(row, "run")).collect()
    }

    /// Has the next run of a job recorded, or not.
    pub async fn set_record_next(
        &self,
        installation: &str,
        is_wanted: bool,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        sqlx::query("UPDATE installation SET record_next = $2 WHERE name = $1")
            .bind(installation)
            .bind(i64::from(is_wanted))
            .execute(&mut *writing.transaction)
            .await?;
        writing.commit().await
    }

    pub async fn records_next(&self, installation: &str) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT record_next FROM installation WHERE name = $1")
            .bind(installation)
            .fetch_optional(&self.pool)
            .await?;
        row.map_or(Ok(false), |row| flag(&row, "record_next"))
    }

    /// Whether the run that begins is the one to be recorded; the next one is not.
    pub async fn take_record_next(&self, installation: &str) -> Result<bool, StoreError> {
        let is_wanted = self.records_next(installation).await?;
        if is_wanted {
            self.set_record_next(installation, false).await?;
        }
        Ok(is_wanted)
    }
}
