//! Messages from services: a queue that outlives the host, and the memory of what came before.
//!
//! A message waits until a run was begun with it; whoever hands messages over takes them for a while, so that of several hosts one does,
//! and that a host's death gives them back. Beware: the queue is bounded. Beyond that all are dropped, which is noted as a flood: then
//! the add-on's ordinary job is due, which finds what they were about.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;

use super::records::{count, flag, instant, maybe_instant, millis, text};
use super::{RunId, Store, StoreError, WriteLock, Writing};

/// Messages of one hook that may wait; a billing run of a large provider stays below it.
const MOST_WAITING: i64 = 2000;

/// How long a message is known again. Services try again for hours.
const MEMORY: TimeDelta = TimeDelta::days(7);

/// How long a host may take to begin a run.
const HAND_OVER: TimeDelta = TimeDelta::seconds(60);

/// What became of a message that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    Waits,
    /// It came before.
    Known,
    /// Too many wait: it was dropped, with all others.
    Flood,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewHookEvent<'a> {
    /// SHA-256 of the raw body, in hexadecimal digits.
    pub digest: &'a str,
    /// What it is about; empty: it stands for itself.
    pub record: &'a str,
    pub body: &'a str,
}

/// A hook whose messages wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingHook {
    pub installation: String,
    pub hook: String,
    /// When the oldest came.
    pub since: DateTime<Utc>,
    /// They were dropped.
    pub flood: bool,
}

/// A message that a host has taken in order to hand it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenEvent {
    pub digest: String,
    pub body: String,
}

/// A message as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookEvent {
    pub record: String,
    pub received_at: DateTime<Utc>,
    /// `waiting`, `superseded`, `dropped`, `handed`
    pub state: String,
    pub run: Option<RunId>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookState {
    /// Since when messages are dropped.
    pub flood_at: Option<DateTime<Utc>>,
    /// Messages without the right signature.
    pub refused: u64,
    pub refused_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Queues a message, once. One that waits about the same record gives way to it.
    pub async fn queue_event(
        &self,
        installation: &str,
        hook: &str,
        event: NewHookEvent<'_>,
        now: DateTime<Utc>,
    ) -> Result<Queued, StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        sqlx::query(
            "DELETE FROM hook_event WHERE installation = $1 AND hook = $2 AND received_at < $3 AND state <> 'waiting'",
        )
        .bind(installation)
        .bind(hook)
        .bind(millis(now - MEMORY))
        .execute(&mut *writing.transaction)
        .await?;
        let is_known = sqlx::query(
            "SELECT 1 FROM hook_event WHERE installation = $1 AND hook = $2 AND digest = $3",
        )
        .bind(installation)
        .bind(hook)
        .bind(event.digest)
        .fetch_optional(&mut *writing.transaction)
        .await?
        .is_some();
        if is_known {
            return Ok(Queued::Known);
        }
        let is_flooded = is_flooded(&mut writing, installation, hook, now).await?;
        if !is_flooded && !event.record.is_empty() {
            // One that a host has taken is on its way.
            sqlx::query(
                "UPDATE hook_event SET state = 'superseded', body = NULL WHERE installation = $1 AND hook = $2 \
                 AND record = $3 AND state = 'waiting' AND taken_until <= $4",
            )
            .bind(installation)
            .bind(hook)
            .bind(event.record)
            .bind(millis(now))
            .execute(&mut *writing.transaction)
            .await?;
        }
        sqlx::query(
            "INSERT INTO hook_event (installation, hook, digest, record, received_at, state, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(installation)
        .bind(hook)
        .bind(event.digest)
        .bind(event.record)
        .bind(millis(now))
        .bind(if is_flooded { "dropped" } else { "waiting" })
        .bind((!is_flooded).then_some(event.body))
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await?;
        Ok(if is_flooded {
            Queued::Flood
        } else {
            Queued::Waits
        })
    }

    /// All hooks with something to hand over, the longest waiting first.
    pub async fn waiting_hooks(&self, now: DateTime<Utc>) -> Result<Vec<WaitingHook>, StoreError> {
        let rows = sqlx::query(
            "SELECT installation, hook, MIN(received_at) AS since, CAST(0 AS BIGINT) AS flood FROM hook_event \
             WHERE state = 'waiting' AND taken_until <= $1 GROUP BY installation, hook \
             UNION ALL SELECT installation, hook, flood_at AS since, CAST(1 AS BIGINT) AS flood FROM hook WHERE flood_at IS NOT NULL \
             ORDER BY since",
        )
        .bind(millis(now))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(WaitingHook {
                    installation: text(row, "installation")?,
                    hook: text(row, "hook")?,
                    since: instant(row, "since")?,
                    flood: flag(row, "flood")?,
                })
            })
            .collect()
    }

    /// Takes the oldest messages of a hook, as many as fit into so many bytes; one always does.
    pub async fn take_events(
        &self,
        installation: &str,
        hook: &str,
        most: u32,
        most_bytes: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<TakenEvent>, StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        let rows = sqlx::query(
            "SELECT digest, body FROM hook_event WHERE installation = $1 AND hook = $2 AND state = 'waiting' \
             AND taken_until <= $3 ORDER BY received_at, digest LIMIT $4",
        )
        .bind(installation)
        .bind(hook)
        .bind(millis(now))
        .bind(i64::from(most))
        .fetch_all(&mut *writing.transaction)
        .await?;
        let mut taken: Vec<TakenEvent> = Vec::new();
        let mut bytes = 0;
        for row in &rows {
            let event = TakenEvent {
                digest: text(row, "digest")?,
                body: text(row, "body")?,
            };
            bytes += event.body.len();
            if bytes > most_bytes && !taken.is_empty() {
                break;
            }
            sqlx::query(
                "UPDATE hook_event SET taken_until = $4 WHERE installation = $1 AND hook = $2 AND digest = $3",
            )
            .bind(installation)
            .bind(hook)
            .bind(&event.digest)
            .bind(millis(now + HAND_OVER))
            .execute(&mut *writing.transaction)
            .await?;
            taken.push(event);
        }
        writing.commit().await?;
        Ok(taken)
    }

    /// Notes to which run messages were handed, which answers for them from now on; `None`: they wait again.
    pub async fn hand_over_events(
        &self,
        installation: &str,
        hook: &str,
        events: &[TakenEvent],
        run: Option<RunId>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        let change = match run {
            Some(_) => "state = 'handed', body = NULL, run = $4",
            None => "taken_until = 0, run = $4",
        };
        let sql = format!(
            "UPDATE hook_event SET {change} WHERE installation = $1 AND hook = $2 AND digest = $3 AND state = 'waiting'"
        );
        for event in events {
            sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
                .bind(installation)
                .bind(hook)
                .bind(&event.digest)
                .bind(run)
                .execute(&mut *writing.transaction)
                .await?;
        }
        writing.commit().await
    }

    /// Ends a flood: messages are queued again. False: somebody else did so since it was `seen`.
    pub async fn end_flood(
        &self,
        installation: &str,
        hook: &str,
        seen: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        let ended = sqlx::query(
            "UPDATE hook SET flood_at = NULL WHERE installation = $1 AND hook = $2 AND flood_at = $3",
        )
        .bind(installation)
        .bind(hook)
        .bind(millis(seen))
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await?;
        Ok(ended.rows_affected() == 1)
    }

    /// The flood's job could not begin: it stays due.
    pub async fn begin_flood(
        &self,
        installation: &str,
        hook: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        note_flood(&mut writing, installation, hook, now).await?;
        writing.commit().await
    }

    /// Counts messages without the right signature.
    pub async fn count_refused(
        &self,
        installation: &str,
        hook: &str,
        refused: u32,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        sqlx::query(
            "INSERT INTO hook (installation, hook, refused, refused_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (installation, hook) DO UPDATE SET refused = hook.refused + $3, refused_at = $4",
        )
        .bind(installation)
        .bind(hook)
        .bind(i64::from(refused))
        .bind(millis(now))
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await
    }

    /// How a hook fares.
    pub async fn hook_state(
        &self,
        installation: &str,
        hook: &str,
    ) -> Result<HookState, StoreError> {
        let row = sqlx::query("SELECT * FROM hook WHERE installation = $1 AND hook = $2")
            .bind(installation)
            .bind(hook)
            .fetch_optional(&self.pool)
            .await?;
        row.map_or(Ok(HookState::default()), |row| {
            Ok(HookState {
                flood_at: maybe_instant(&row, "flood_at")?,
                refused: count(&row, "refused")?,
                refused_at: maybe_instant(&row, "refused_at")?,
            })
        })
    }

    /// The last messages of a hook, the newest first.
    pub async fn hook_events(
        &self,
        installation: &str,
        hook: &str,
        limit: u32,
    ) -> Result<Vec<HookEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT record, received_at, state, run FROM hook_event WHERE installation = $1 AND hook = $2 \
             ORDER BY received_at DESC, digest LIMIT $3",
        )
        .bind(installation)
        .bind(hook)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(HookEvent {
                    record: text(row, "record")?,
                    received_at: instant(row, "received_at")?,
                    state: text(row, "state")?,
                    run: row.try_get("run")?,
                })
            })
            .collect()
    }
}

/// Whether messages are dropped now. Where one more would be too many, that begins here.
async fn is_flooded(
    writing: &mut Writing,
    installation: &str,
    hook: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let flooded = sqlx::query(
        "SELECT 1 FROM hook WHERE installation = $1 AND hook = $2 AND flood_at IS NOT NULL",
    )
    .bind(installation)
    .bind(hook)
    .fetch_optional(&mut *writing.transaction)
    .await?
    .is_some();
    if flooded {
        return Ok(true);
    }
    let row = sqlx::query(
        "SELECT COUNT(*) AS waiting FROM hook_event WHERE installation = $1 AND hook = $2 AND state = 'waiting'",
    )
    .bind(installation)
    .bind(hook)
    .fetch_one(&mut *writing.transaction)
    .await?;
    if row.try_get::<i64, _>("waiting")? < MOST_WAITING {
        return Ok(false);
    }
    note_flood(writing, installation, hook, now).await?;
    Ok(true)
}

async fn note_flood(
    writing: &mut Writing,
    installation: &str,
    hook: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hook (installation, hook, flood_at, refused) VALUES ($1, $2, $3, 0) \
         ON CONFLICT (installation, hook) DO UPDATE SET flood_at = $3",
    )
    .bind(installation)
    .bind(hook)
    .bind(millis(now))
    .execute(&mut *writing.transaction)
    .await?;
    sqlx::query(
        "UPDATE hook_event SET state = 'dropped', body = NULL WHERE installation = $1 AND hook = $2 AND state = 'waiting'",
    )
    .bind(installation)
    .bind(hook)
    .execute(&mut *writing.transaction)
    .await?;
    Ok(())
}
