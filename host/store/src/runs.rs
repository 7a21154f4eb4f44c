//! Runs: one row each, from the start to the stored outcome. Progress and the wish to stop travel through the row, since
//! the process that shows a run need not be the one that works on it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::lost_runs::this_host;
use super::records::{count, flag, instant, json, maybe_instant, millis, number, text, to_json};
use super::{Store, StoreError, WriteLock};

/// Grows over all installations.
pub type RunId = i64;

/// What made a run start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    Person,
    Schedule,
    Event,
    /// An earlier run ended `paused`, and its time has come; or it lost its host.
    Resume,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    Running,
    Finished,
    /// To be run again at `resume_at`.
    Paused,
    /// A person asked for it.
    Stopped,
    Failed,
}

/// Why something did not work (`types.wit`, `failure`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: String,
    pub message: String,
    /// Seconds since the Unix epoch.
    pub retry_at: Option<u64>,
    pub more: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy)]
pub struct NewRun<'a> {
    pub installation: &'a str,
    pub job: &'a str,
    pub trigger: Trigger,
    /// The person, or what stands for one (`scheduler`).
    pub actor: &'a str,
    pub preview: bool,
    /// The package that the run uses to its end, also where an update comes in between.
    pub package_sha256: &'a str,
    /// What the person gave with it, as it is to be shown; nothing reads it back for work.
    pub options: &'a [(String, String)],
    /// The same, whole, of a job that another host goes on with where this one dies.
    pub whole_options: Option<&'a [(String, String)]>,
}

/// How far a stage has come; `total` 0: not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    pub stage: String,
    pub done: u64,
    pub total: u64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Anything but `Running`.
    pub state: RunState,
    /// Seconds since the Unix epoch; of a paused run.
    pub resume_at: Option<u64>,
    pub why: Option<Failure>,
    pub counts: Vec<(String, u64)>,
    pub more: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub struct Run {
    pub id: RunId,
    pub installation: String,
    pub job: String,
    pub trigger: Trigger,
    pub actor: String,
    pub preview: bool,
    pub package_sha256: String,
    /// The host that works, or worked, on it: machine, process and since when.
    pub host: String,
    pub state: RunState,
    pub started_at: DateTime<Utc>,
    /// The last sign of life.
    pub seen_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub stop_requested: bool,
    pub progress: Progress,
    pub options: Vec<(String, String)>,
    /// None while it runs.
    pub outcome: Option<Outcome>,
}

impl Trigger {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Schedule => "schedule",
            Self::Event => "event",
            Self::Resume => "resume",
        }
    }

    fn read(text: &str) -> Result<Self, StoreError> {
        [Self::Person, Self::Schedule, Self::Event, Self::Resume]
            .into_iter()
            .find(|trigger| trigger.as_str() == text)
            .ok_or_else(|| StoreError::Corrupt(format!("`{text}` starts no run")))
    }
}

impl RunState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    fn read(text: &str) -> Result<Self, StoreError> {
        [
            Self::Running,
            Self::Finished,
            Self::Paused,
            Self::Stopped,
            Self::Failed,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| StoreError::Corrupt(format!("`{text}` is no state of a run")))
    }
}

/// How many runs of a job are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTally {
    pub installation: String,
    pub job: String,
    pub state: String,
    pub kept: i64,
    /// Milliseconds since the Unix epoch; none while they work.
    pub last_end: Option<i64>,
}

/// When the runs of a job that are kept began and ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunSpan {
    pub first_start: Option<DateTime<Utc>>,
    pub last_start: Option<DateTime<Utc>>,
    /// When the last one came to its end.
    pub last_finish: Option<DateTime<Utc>>,
}

impl Store {
    pub async fn insert_run(
        &self,
        new: NewRun<'_>,
        now: DateTime<Utc>,
    ) -> Result<RunId, StoreError> {
        let mut writing = self
            .write(WriteLock::Installation(new.installation))
            .await?;
        let id = writing.next_number("run").await?;
        sqlx::query(
            "INSERT INTO run (id, installation, job, started_by, actor, preview, package_sha256, state, started_at, \
             seen_at, stop_requested, stage, done, total, options, host, alive_until, whole_options) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8, $8, 0, '', 0, 0, $9, $10, $11, $12)",
        )
        .bind(id)
        .bind(new.installation)
        .bind(new.job)
        .bind(new.trigger.as_str())
        .bind(new.actor)
        .bind(i64::from(new.preview))
        .bind(new.package_sha256)
        .bind(millis(now))
        .bind(to_json(&new.options))
        .bind(this_host())
        .bind(self.alive_until(now))
        .bind(new.whole_options.map(|options| to_json(&options)))
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await?;
        Ok(id)
    }

    /// Notes progress. True: a person asked it to stop.
    pub async fn set_progress(&self, run: RunId, progress: &Progress) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Run(run)).await?;
        let row = sqlx::query(
            "UPDATE run SET stage = $2, done = $3, total = $4 WHERE id = $1 RETURNING stop_requested",
        )
        .bind(run)
        .bind(&progress.stage)
        .bind(signed(progress.done))
        .bind(signed(progress.total))
        .fetch_optional(&mut *writing.transaction)
        .await?
        .ok_or_else(|| missing(run))?;
        writing.commit().await?;
        flag(&row, "stop_requested")
    }

    /// A sign of life; due as often as the lease's renewal.
    pub async fn touch_run(&self, run: RunId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Run(run)).await?;
        sqlx::query("UPDATE run SET seen_at = $2, alive_until = $3 WHERE id = $1")
            .bind(run)
            .bind(millis(now))
            .bind(self.alive_until(now))
            .execute(&mut *writing.transaction)
            .await?;
        writing.commit().await
    }

    /// Whether a person asked it to stop. A read: cheap enough to be asked often.
    pub async fn stop_requested(&self, run: RunId) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT stop_requested FROM run WHERE id = $1")
            .bind(run)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| missing(run))?;
        flag(&row, "stop_requested")
    }

    /// Asks a run to stop. False: it is over already.
    pub async fn request_stop(&self, run: RunId) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Run(run)).await?;
        let asked =
            sqlx::query("UPDATE run SET stop_requested = 1 WHERE id = $1 AND state = 'running'")
                .bind(run)
                .execute(&mut *writing.transaction)
                .await?;
        writing.commit().await?;
        if asked.rows_affected() == 0 {
            self.run(run).await?;
        }
        Ok(asked.rows_affected() == 1)
    }

    /// Stores how it ended. False: it had ended before (its host was thought lost), and that outcome stands.
    pub async fn finish_run(
        &self,
        run: RunId,
        outcome: &Outcome,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Run(run)).await?;
        let told = to_json(outcome);
        let told_bytes = told.len();
        let ended = sqlx::query(
            "UPDATE run SET state = $2, outcome = $3, ended_at = $4, seen_at = $4, whole_options = NULL \
             WHERE id = $1 AND state = 'running'",
        )
        .bind(run)
        .bind(outcome.state.as_str())
        .bind(told)
        .bind(millis(now))
        .execute(&mut *writing.transaction)
        .await?;
        if ended.rows_affected() == 1 {
            writing.count_run(run, told_bytes).await?;
        }
        writing.commit().await?;
        Ok(ended.rows_affected() == 1)
    }

    /// The run of that id, or [`StoreError::Missing`].
    pub async fn run(&self, id: RunId) -> Result<Run, StoreError> {
        let row = sqlx::query("SELECT * FROM run WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| missing(id))?;
        run(&row)
    }

    /// Runs of an installation, the newest first; `before`: only ids below it.
    pub async fn runs(
        &self,
        installation: &str,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<Run>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM run WHERE installation = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(installation)
        .bind(before.unwrap_or(RunId::MAX))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(run).collect()
    }

    /// Runs of one job that have ended and are kept, the newest first.
    pub async fn ended_runs(
        &self,
        installation: &str,
        job: &str,
        limit: u32,
    ) -> Result<Vec<Run>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM run WHERE installation = $1 AND job = $2 AND ended_at IS NOT NULL ORDER BY id DESC LIMIT $3",
        )
        .bind(installation)
        .bind(job)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(run).collect()
    }

    /// The newest run of a job that came to its end.
    pub async fn finished_run(
        &self,
        installation: &str,
        job: &str,
        preview: bool,
    ) -> Result<Option<Run>, StoreError> {
        let row = sqlx::query(
            "SELECT * FROM run WHERE installation = $1 AND job = $2 AND preview = $3 AND state = 'finished' ORDER BY id DESC LIMIT 1",
        )
        .bind(installation)
        .bind(job)
        .bind(i64::from(preview))
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(run).transpose()
    }

    /// When a job ran, without its previews.
    pub async fn run_span(&self, installation: &str, job: &str) -> Result<RunSpan, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(started_at) AS first, MAX(started_at) AS last, \
             MAX(CASE WHEN state = 'finished' THEN ended_at END) AS finish \
             FROM run WHERE installation = $1 AND job = $2 AND preview = 0",
        )
        .bind(installation)
        .bind(job)
        .fetch_one(&self.pool)
        .await?;
        Ok(RunSpan {
            first_start: maybe_instant(&row, "first")?,
            last_start: maybe_instant(&row, "last")?,
            last_finish: maybe_instant(&row, "finish")?,
        })
    }

    /// The runs that wrote and are still kept, by installation, job and state.
    pub async fn run_tallies(&self) -> Result<Vec<RunTally>, StoreError> {
        let rows = sqlx::query(
            "SELECT installation, job, state, COUNT(*) AS kept, MAX(ended_at) AS last FROM run WHERE preview = 0 \
             GROUP BY installation, job, state ORDER BY installation, job, state",
        )
        .fetch_all(&self.pool)
        .await?;
        let tally = |row: &AnyRow| {
            Ok(RunTally {
                installation: text(row, "installation")?,
                job: text(row, "job")?,
                state: text(row, "state")?,
                kept: number(row, "kept")?,
                last_end: row.try_get("last")?,
            })
        };
        rows.iter().map(tally).collect()
    }

    /// How the last three runs of a package ended that wrote, the newest first, with the codes of their failures; and then one that
    /// came to a good end, if any ever did.
    pub async fn ends_of(
        &self,
        package_sha256: &str,
    ) -> Result<Vec<(RunState, Option<String>)>, StoreError> {
        let mut ends = Vec::new();
        for (states, most) in [
            ("('finished', 'paused', 'stopped', 'failed')", 3),
            ("('finished', 'paused')", 1),
        ] {
            let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
                "SELECT * FROM run WHERE package_sha256 = $1 AND preview = 0 AND state IN {states} ORDER BY id DESC LIMIT {most}"
            )))
            .bind(package_sha256)
            .fetch_all(&self.pool)
            .await?;
            for row in &rows {
                let run = run(row)?;
                let why = run.outcome.and_then(|outcome| outcome.why);
                ends.push((run.state, why.map(|why| why.code)));
            }
        }
        Ok(ends)
    }
}

fn run(row: &AnyRow) -> Result<Run, StoreError> {
    let outcome: Option<String> = row.try_get("outcome")?;
    Ok(Run {
        id: row.try_get("id")?,
        installation: text(row, "installation")?,
        job: text(row, "job")?,
        trigger: Trigger::read(row.try_get("started_by")?)?,
        actor: text(row, "actor")?,
        preview: flag(row, "preview")?,
        package_sha256: text(row, "package_sha256")?,
        host: text(row, "host")?,
        state: RunState::read(row.try_get("state")?)?,
        started_at: instant(row, "started_at")?,
        seen_at: instant(row, "seen_at")?,
        ended_at: maybe_instant(row, "ended_at")?,
        stop_requested: flag(row, "stop_requested")?,
        progress: Progress {
            stage: text(row, "stage")?,
            done: count(row, "done")?,
            total: count(row, "total")?,
        },
        options: json(row.try_get("options")?)?,
        outcome: outcome.as_deref().map(json).transpose()?,
    })
}

fn missing(run: RunId) -> StoreError {
    StoreError::Missing {
        what: "run",
        name: run.to_string(),
    }
}

/// A guest may count as far as it likes; the column ends at `i64::MAX`.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
