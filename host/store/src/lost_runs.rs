//! Runs whose host died. Each sign of life of a run says how long it counts, which is as long as the run's lease; a running run
//! beyond that has lost its host, and any other host ends it and has the job gone on with.
//!
//! Beware: a job that kills every host that touches it must not be handed from one to the next for ever. Going on at once
//! happens once; where the run before was lost too, the next try waits.

use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sqlx::Row;

use super::records::{json, maybe_instant, millis, text, to_json};
use super::{Failure, Outcome, RunId, RunState, Store, StoreError, WriteLock};

/// Code of a run that lost its host.
const HOST_LOST: &str = "host-lost";

/// How long a job rests whose last two runs lost their hosts.
const REST: TimeDelta = TimeDelta::minutes(5);

/// This process, as others name it: machine, process, and since when, since numbers of processes are used again.
pub(super) fn this_host() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname")
            .ok()
            .or_else(|| std::env::var("HOSTNAME").ok())
            .or_else(|| std::env::var("COMPUTERNAME").ok())
            .unwrap_or_default();
        let machine = machine.trim();
        let machine = if machine.is_empty() { "host" } else { machine };
        let since = DateTime::<Utc>::from(std::time::SystemTime::now());
        format!(
            "{machine} (process {}, since {})",
            std::process::id(),
            since.to_rfc3339_opts(SecondsFormat::Secs, true)
        )
    });
    &NAME
}

impl Store {
    /// How long a sign of life counts, in milliseconds: until the run's lease, renewed with it, is over on every clock.
    pub(super) fn alive_until(&self, now: DateTime<Utc>) -> i64 {
        millis(now + self.lease + self.clock_tolerance())
    }

    /// Ends, as failed with code `host-lost`, the runs whose last sign of life does not count any more, and has their jobs
    /// resumed. A person's wish to stop one is kept.
    pub async fn fail_lost_runs(&self, now: DateTime<Utc>) -> Result<Vec<RunId>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, installation FROM run WHERE state = 'running' AND alive_until <= $1 ORDER BY id",
        )
        .bind(millis(now))
        .fetch_all(&self.pool)
        .await?;
        let mut lost = Vec::new();
        for row in rows {
            let run = row.try_get("id")?;
            if self
                .fail_lost_run(run, &text(&row, "installation")?, now)
                .await?
            {
                lost.push(run);
            }
        }
        Ok(lost)
    }

    /// When the first of the running runs is lost unless it shows a sign of life before.
    pub async fn next_loss(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let row = sqlx::query("SELECT MIN(alive_until) AS first FROM run WHERE state = 'running'")
            .fetch_one(&self.pool)
            .await?;
        maybe_instant(&row, "first")
    }

    /// False: another host did so, or it is alive after all.
    async fn fail_lost_run(
        &self,
        run: RunId,
        installation: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        let row =
            sqlx::query("SELECT job, host, whole_options, stop_requested FROM run WHERE id = $1")
                .bind(run)
                .fetch_optional(&mut *writing.transaction)
                .await?;
        let Some(row) = row else { return Ok(false) };
        let failed = sqlx::query(
            "UPDATE run SET state = 'failed', outcome = $2, ended_at = $3, whole_options = NULL \
             WHERE id = $1 AND state = 'running' AND alive_until <= $3",
        )
        .bind(run)
        .bind(to_json(&lost(&format!(
            "Its host died: {}.",
            text(&row, "host")?
        ))))
        .bind(millis(now))
        .execute(&mut *writing.transaction)
        .await?;
        if failed.rows_affected() == 0 {
            return Ok(false);
        }
        let whole_options: Option<String> = row.try_get("whole_options")?;
        let asked_to_stop = row.try_get::<i64, _>("stop_requested")? != 0;
        if let Some(options) = whole_options.filter(|_| !asked_to_stop) {
            let job = text(&row, "job")?;
            let before = sqlx::query(
                "SELECT outcome FROM run WHERE installation = $1 AND job = $2 AND id < $3 AND preview = 0 \
                 ORDER BY id DESC LIMIT 1",
            )
            .bind(installation)
            .bind(&job)
            .bind(run)
            .fetch_optional(&mut *writing.transaction)
            .await?;
            let before: Option<String> = before
                .map(|row| row.try_get("outcome"))
                .transpose()?
                .flatten();
            let before: Option<Outcome> = before.as_deref().map(json).transpose()?;
            let again = before
                .and_then(|outcome| outcome.why)
                .is_some_and(|why| why.code == HOST_LOST);
            sqlx::query(
                "INSERT INTO schedule (installation, job, resume_at, resume_options) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (installation, job) DO UPDATE SET resume_at = $3, resume_options = $4",
            )
            .bind(installation)
            .bind(&job)
            .bind(millis(if again { now + REST } else { now }))
            .bind(options)
            .execute(&mut *writing.transaction)
            .await?;
        }
        writing.commit().await?;
        Ok(true)
    }
}

/// How a run ends that nobody works on any more.
pub(super) fn lost(why: &str) -> Outcome {
    Outcome {
        state: RunState::Failed,
        resume_at: None,
        why: Some(Failure {
            code: HOST_LOST.to_owned(),
            message: format!(
                "{why} Nothing is lost: the job goes on from what is stored, by itself where a host is running, or when it \
                 is run again."
            ),
            retry_at: None,
            more: Vec::new(),
        }),
        counts: Vec::new(),
        more: Vec::new(),
    }
}
