//! When scheduled jobs last started, and when paused ones go on. Whether something is due is decided elsewhere; starting
//! is claimed here, so that of several schedulers one starts it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use sqlx::Row;

use super::records::{json, maybe_instant, millis, text, to_json};
use super::{Store, StoreError, WriteLock};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScheduleState {
    pub last_start: Option<DateTime<Utc>>,
    /// A run of the job ended `paused` until then.
    pub resume_at: Option<DateTime<Utc>>,
}

impl Store {
    /// What is known, by job; jobs that never started are not in it.
    pub async fn schedule_states(
        &self,
        installation: &str,
    ) -> Result<BTreeMap<String, ScheduleState>, StoreError> {
        let rows = sqlx::query(
            "SELECT job, last_start_at, resume_at FROM schedule WHERE installation = $1",
        )
        .bind(installation)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let state = ScheduleState {
                    last_start: maybe_instant(row, "last_start_at")?,
                    resume_at: maybe_instant(row, "resume_at")?,
                };
                Ok((text(row, "job")?, state))
            })
            .collect()
    }

    /// Notes a start, and that nothing waits to be resumed, provided that nobody did so since `seen` was read. False:
    /// somebody else starts it.
    pub async fn claim_start(
        &self,
        installation: &str,
        job: &str,
        seen: ScheduleState,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        let row = sqlx::query(
            "SELECT last_start_at, resume_at FROM schedule WHERE installation = $1 AND job = $2",
        )
        .bind(installation)
        .bind(job)
        .fetch_optional(&mut *writing.transaction)
        .await?;
        let found = match &row {
            Some(row) => ScheduleState {
                last_start: maybe_instant(row, "last_start_at")?,
                resume_at: maybe_instant(row, "resume_at")?,
            },
            None => ScheduleState::default(),
        };
        if found != seen {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO schedule (installation, job, last_start_at, resume_at) VALUES ($1, $2, $3, NULL) \
             ON CONFLICT (installation, job) \
             DO UPDATE SET last_start_at = $3, resume_at = NULL, resume_options = '[]'",
        )
        .bind(installation)
        .bind(job)
        .bind(millis(now))
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await?;
        Ok(true)
    }

    /// Notes when a paused job goes on, and with which options; no time: nothing waits.
    pub async fn set_resume(
        &self,
        installation: &str,
        job: &str,
        resume_at: Option<DateTime<Utc>>,
        options: &[(String, String)],
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        sqlx::query(
            "INSERT INTO schedule (installation, job, resume_at, resume_options) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (installation, job) DO UPDATE SET resume_at = $3, resume_options = $4",
        )
        .bind(installation)
        .bind(job)
        .bind(resume_at.map(millis))
        .bind(to_json(&options))
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await
    }

    /// The options of the run that waits to be resumed. A claim forgets them: read them before.
    pub async fn resume_options(
        &self,
        installation: &str,
        job: &str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let row =
            sqlx::query("SELECT resume_options FROM schedule WHERE installation = $1 AND job = $2")
                .bind(installation)
                .bind(job)
                .fetch_optional(&self.pool)
                .await?;
        row.map_or(Ok(Vec::new()), |row| json(row.try_get("resume_options")?))
    }
}
