//! A person's word that a paused job is not to go on.

use chrono::SecondsFormat;

use super::records::maybe_instant;
use super::{Author, Store, StoreError, WriteLock};

impl Store {
    /// Has a job not go on after its pause. False: it did not wait to.
    pub async fn cancel_pause(
        &self,
        installation: &str,
        job: &str,
        author: &Author,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        let row = sqlx::query(
            "SELECT resume_at FROM schedule WHERE installation = $1 AND job = $2 AND resume_at IS NOT NULL",
        )
        .bind(installation)
        .bind(job)
        .fetch_optional(&mut *writing.transaction)
        .await?;
        let waits = match row {
            Some(row) => maybe_instant(&row, "resume_at")?,
            None => None,
        };
        let Some(at) = waits else {
            return Ok(false);
        };
        sqlx::query(
            "UPDATE schedule SET resume_at = NULL, resume_options = '[]' WHERE installation = $1 AND job = $2",
        )
        .bind(installation)
        .bind(job)
        .execute(&mut *writing.transaction)
        .await?;
        let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (name, before) = (format!("{installation}, {job}"), format!("goes on at {at}"));
        writing
            .note(author, "pause", &name, Some(before), None)
            .await?;
        writing.commit().await?;
        Ok(true)
    }
}
