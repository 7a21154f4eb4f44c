//! Alerts: where people are told, what was told so far, and the messages that are on their way.
//!
//! Several hosts look at the same troubles. Who looks has a [`AlertTurn`], which nobody else has meanwhile, so that a trouble is told
//! once. A message is taken for a while and crossed off once it was sent; a host that dies in between gives it back, so that it comes twice
//! rather than never.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::host_changes::{Author, words};
use super::master_key::check_seals;
use super::records::{count, instant, json, maybe_instant, millis, number, text};
use super::{RunId, Store, StoreError, WriteLock, Writing};

/// How long a message is kept after it was made.
const MEMORY: TimeDelta = TimeDelta::days(30);

/// How long a host may take to send a message.
const SENDING: TimeDelta = TimeDelta::minutes(3);

/// In the record of changes.
const CHANNEL: &str = "alert channel";

/// A way to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertChannel {
    pub name: String,
    /// Of which it tells; `None`: of all.
    pub installation: Option<String>,
    /// JSON.
    pub terms: String,
    /// As the vault sealed it.
    pub sealed: Option<Vec<u8>>,
}

/// The turn to look at troubles. What is not ended with [`AlertTurn::end`] did not happen.
pub struct AlertTurn {
    writing: Writing,
    /// What was seen and told so far, as JSON.
    pub past: Option<String>,
}

/// Which messages a host would send.
#[derive(Debug, Clone, Copy)]
pub enum DueAlert<'a> {
    /// Of this channel, the one that has been due longest.
    Of(&'a str),
    /// This one.
    Message(i64),
}

/// A message that a host has taken in order to send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenAlert {
    pub id: i64,
    pub channel: AlertChannel,
    pub letter: String,
    pub made_at: DateTime<Utc>,
    /// This one included.
    pub attempts: u64,
}

/// A message as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertMessage {
    pub id: i64,
    pub channel: String,
    pub letter: String,
    pub made_at: DateTime<Utc>,
    /// `waiting`, `sent`, `given-up`
    pub state: String,
    pub attempts: u64,
    pub sent_at: Option<DateTime<Utc>>,
    pub error: Option<String>,
}

/// A job that failed since it last came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingJob {
    pub installation: String,
    pub job: String,
    pub times: u64,
    pub since: DateTime<Utc>,
    /// The newest that failed.
    pub run: RunId,
}

/// Records that people have to see to, of one kind and for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewlyHeld {
    pub entity: String,
    pub code: String,
    pub records: u64,
    /// What the newest of them says.
    pub message: String,
}

impl Store {
    pub async fn alert_channels(&self) -> Result<Vec<AlertChannel>, StoreError> {
        let rows = sqlx::query("SELECT * FROM alert_channel ORDER BY name")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(channel).collect()
    }

    /// Makes a channel, or puts it in the place of the one of that name.
    pub async fn save_alert_channel(
        &self,
        channel: &AlertChannel,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Alerts).await?;
        let before = terms_of(&mut writing, &channel.name).await?;
        let resealed = before
            .as_ref()
            .is_some_and(|before| before.1 != channel.sealed);
        sqlx::query(
            "INSERT INTO alert_channel (name, installation, terms, sealed) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (name) DO UPDATE SET installation = $2, terms = $3, sealed = $4",
        )
        .bind(&channel.name)
        .bind(&channel.installation)
        .bind(&channel.terms)
        .bind(&channel.sealed)
        .execute(&mut *writing.transaction)
        .await?;
        check_seals(&mut writing.transaction, channel.sealed.as_deref()).await?;
        // What could not be sent may have been for the terms.
        sqlx::query(
            "UPDATE alert_message SET next_at = $2 WHERE channel = $1 AND state = 'waiting' AND error IS NOT NULL",
        )
        .bind(&channel.name)
        .bind(millis(author.at))
        .execute(&mut *writing.transaction)
        .await?;
        let after = terms_of(&mut writing, &channel.name).await?;
        let after = after.map(|(terms, _)| match resealed {
            true => format!("{terms}, with another secret"),
            false => terms,
        });
        let before = before.map(|(terms, _)| terms);
        writing
            .note(author, CHANNEL, &channel.name, before, after)
            .await?;
        writing.commit().await
    }

    /// Removes it with its messages. False: there is none.
    pub async fn remove_alert_channel(
        &self,
        name: &str,
        author: &Author,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Alerts).await?;
        let before = terms_of(&mut writing, name).await?;
        let removed = sqlx::query("DELETE FROM alert_channel WHERE name = $1")
            .bind(name)
            .execute(&mut *writing.transaction)
            .await?;
        let before = before.map(|(terms, _)| terms);
        writing.note(author, CHANNEL, name, before, None).await?;
        writing.commit().await?;
        Ok(removed.rows_affected() > 0)
    }

    /// Waits until nobody else looks at troubles.
    pub async fn alert_turn(&self) -> Result<AlertTurn, StoreError> {
        let mut writing = self.write(WriteLock::Alerts).await?;
        let row = sqlx::query("SELECT past FROM alert_watch")
            .fetch_optional(&mut *writing.transaction)
            .await?;
        let past = row.map(|row| text(&row, "past")).transpose()?;
        Ok(AlertTurn { writing, past })
    }

    /// Hands over a letter for one channel; answers the message's id.
    pub async fn queue_alert(
        &self,
        channel: &str,
        letter: &str,
        now: DateTime<Utc>,
    ) -> Result<i64, StoreError> {
        let mut writing = self.write(WriteLock::Alerts).await?;
        let known = sqlx::query("SELECT 1 FROM alert_channel WHERE name = $1")
            .bind(channel)
            .fetch_optional(&mut *writing.transaction)
            .await?;
        if known.is_none() {
            return Err(StoreError::Missing {
                what: "alert channel",
                name: channel.to_owned(),
            });
        }
        let id = queue(&mut writing, channel, letter, now).await?;
        writing.commit().await?;
        Ok(id)
    }

    /// The channels with messages that are due.
    pub async fn due_alert_channels(&self, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT channel FROM alert_message WHERE state = 'waiting' AND next_at <= $1 ORDER BY channel",
        )
        .bind(millis(now))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| text(row, "channel")).collect()
    }

    /// Takes a message, where it is due and nobody else has it.
    pub async fn take_alert(
        &self,
        due: DueAlert<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<TakenAlert>, StoreError> {
        let (channel_name, id) = match due {
            DueAlert::Of(channel) => (Some(channel), None),
            DueAlert::Message(id) => (None, Some(id)),
        };
        let mut writing = self.write(WriteLock::Alerts).await?;
        let row = sqlx::query(
            "SELECT m.id, m.letter, m.made_at, m.attempts, c.name, c.installation, c.terms, c.sealed \
             FROM alert_message m JOIN alert_channel c ON c.name = m.channel \
             WHERE m.state = 'waiting' AND m.next_at <= $1 AND (m.channel = $2 OR m.id = $3) \
             ORDER BY m.next_at, m.id LIMIT 1",
        )
        .bind(millis(now))
        .bind(channel_name)
        .bind(id)
        .fetch_optional(&mut *writing.transaction)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let taken = TakenAlert {
            id: number(&row, "id")?,
            channel: channel(&row)?,
            letter: text(&row, "letter")?,
            made_at: instant(&row, "made_at")?,
            attempts: count(&row, "attempts")? + 1,
        };
        sqlx::query("UPDATE alert_message SET attempts = attempts + 1, next_at = $2 WHERE id = $1")
            .bind(taken.id)
            .bind(millis(now + SENDING))
            .execute(&mut *writing.transaction)
            .await?;
        writing.commit().await?;
        Ok(Some(taken))
    }

    /// Notes that it was sent; `missed`: whom it did not reach, and will not.
    pub async fn alert_sent(
        &self,
        id: i64,
        missed: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Alerts).await?;
        sqlx::query(
            "UPDATE alert_message SET state = 'sent', sent_at = $2, error = $3 WHERE id = $1",
        )
        .bind(id)
        .bind(millis(now))
        .bind(missed)
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await
    }

    /// Notes why it was not sent. `again`: when it is tried again; `None`: it is given up. `rest`: what is still to be sent, where a part of
    /// it was.
    pub async fn alert_not_sent(
        &self,
        id: i64,
        error: &str,
        again: Option<DateTime<Utc>>,
        rest: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Alerts).await?;
        sqlx::query(
            "UPDATE alert_message SET state = $2, error = $3, next_at = COALESCE($4, next_at), \
             letter = COALESCE($5, letter) WHERE id = $1",
        )
        .bind(id)
        .bind(if again.is_some() {
            "waiting"
        } else {
            "given-up"
        })
        .bind(error)
        .bind(again.map(millis))
        .bind(rest)
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await
    }

    /// Keeps a channel's messages until it is saved anew; those that are older than `most` by then are tried a last time.
    pub async fn hold_alerts(
        &self,
        channel: &str,
        error: &str,
        most: TimeDelta,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Alerts).await?;
        sqlx::query(
            "UPDATE alert_message SET error = $2, next_at = made_at + $3 WHERE channel = $1 AND state = 'waiting'",
        )
        .bind(channel)
        .bind(error)
        .bind(most.num_milliseconds())
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await
    }

    /// The newest first.
    pub async fn alert_messages(&self, limit: u32) -> Result<Vec<AlertMessage>, StoreError> {
        let rows = sqlx::query("SELECT * FROM alert_message ORDER BY id DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(message).collect()
    }

    /// The message of that id, or [`StoreError::Missing`].
    pub async fn alert_message(&self, id: i64) -> Result<AlertMessage, StoreError> {
        let row = sqlx::query("SELECT * FROM alert_message WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| StoreError::Missing {
                what: "alert",
                name: id.to_string(),
            })?;
        message(&row)
    }

    /// Channels whose messages could not be sent, with none that was sent since: each with when the oldest of those was made that are still
    /// to be sent, or were given up.
    pub async fn stuck_alert_channels(&self) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT m.channel, MIN(m.made_at) AS since FROM alert_message m WHERE (m.state = 'waiting' AND m.error IS NOT NULL) \
             OR (m.state = 'given-up' AND m.id > COALESCE((SELECT MAX(s.id) FROM alert_message s \
             WHERE s.channel = m.channel AND s.state = 'sent'), 0)) GROUP BY m.channel ORDER BY m.channel",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| Ok((text(row, "channel")?, instant(row, "since")?)))
            .collect()
    }

    /// Jobs whose newest runs failed. Previews are left out, and what a person stopped says nothing.
    pub async fn failing_jobs(&self) -> Result<Vec<FailingJob>, StoreError> {
        let rows = sqlx::query(
            "SELECT r.installation, r.job, COUNT(*) AS times, MIN(r.ended_at) AS since, MAX(r.id) AS run FROM run r \
             WHERE r.preview = 0 AND r.state = 'failed' AND r.job NOT LIKE '%/%' AND r.id > COALESCE((SELECT MAX(g.id) FROM run g \
             WHERE g.installation = r.installation AND g.job = r.job AND g.preview = 0 AND g.state IN ('finished', 'paused')), 0) \
             GROUP BY r.installation, r.job ORDER BY r.installation, r.job",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(FailingJob {
                    installation: text(row, "installation")?,
                    job: text(row, "job")?,
                    times: count(row, "times")?,
                    since: instant(row, "since")?,
                    run: number(row, "run")?,
                })
            })
            .collect()
    }

    /// Records that were held, or that are owed by a person, in activities after that one. Answers the newest activity too.
    pub async fn newly_held(
        &self,
        installation: &str,
        after: i64,
    ) -> Result<(i64, Vec<NewlyHeld>), StoreError> {
        let newest = self.newest_activity(installation).await?;
        let rows = sqlx::query(
            "SELECT a.entity, a.code, COUNT(DISTINCT a.local_id) AS records, MAX(a.id) AS newest FROM activity a \
             WHERE a.installation = $1 AND a.id > $2 AND a.id <= $3 AND a.action IN ('held', 'owed') \
             GROUP BY a.entity, a.code ORDER BY records DESC, a.entity, a.code",
        )
        .bind(installation)
        .bind(after)
        .bind(newest)
        .fetch_all(&self.pool)
        .await?;
        let mut held = Vec::new();
        for row in &rows {
            let said =
                sqlx::query("SELECT message FROM activity WHERE installation = $1 AND id = $2")
                    .bind(installation)
                    .bind(number(row, "newest")?)
                    .fetch_one(&self.pool)
                    .await?;
            held.push(NewlyHeld {
                entity: text(row, "entity")?,
                code: text(row, "code")?,
                records: count(row, "records")?,
                message: text(&said, "message")?,
            });
        }
        Ok((newest, held))
    }

    /// The id of an installation's newest activity; 0: there is none.
    pub async fn newest_activity(&self, installation: &str) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT COALESCE(MAX(id), 0) FROM activity WHERE installation = $1")
            .bind(installation)
            .fetch_one(&self.pool)
            .await?;
        Ok(row.try_get(0)?)
    }
}

impl AlertTurn {
    /// Notes what was seen and told by now, and hands over what is to be sent: the names of channels, each with a letter.
    pub async fn end(
        mut self,
        past: &str,
        letters: &[(String, String)],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO alert_watch (id, past) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET past = $1",
        )
        .bind(past)
        .execute(&mut *self.writing.transaction)
        .await?;
        sqlx::query("DELETE FROM alert_message WHERE made_at < $1 AND state <> 'waiting'")
            .bind(millis(now - MEMORY))
            .execute(&mut *self.writing.transaction)
            .await?;
        for (channel, letter) in letters {
            queue(&mut self.writing, channel, letter, now).await?;
        }
        self.writing.commit().await
    }
}

async fn queue(
    writing: &mut Writing,
    channel: &str,
    letter: &str,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let id = writing.next_number("alert").await?;
    sqlx::query(
        "INSERT INTO alert_message (id, channel, made_at, letter, state, attempts, next_at) \
         VALUES ($1, $2, $3, $4, 'waiting', 0, $3)",
    )
    .bind(id)
    .bind(channel)
    .bind(millis(now))
    .bind(letter)
    .execute(&mut *writing.transaction)
    .await?;
    Ok(id)
}

fn channel(row: &AnyRow) -> Result<AlertChannel, StoreError> {
    Ok(AlertChannel {
        name: text(row, "name")?,
        installation: row.try_get("installation")?,
        terms: text(row, "terms")?,
        sealed: row.try_get("sealed")?,
    })
}

fn message(row: &AnyRow) -> Result<AlertMessage, StoreError> {
    Ok(AlertMessage {
        id: number(row, "id")?,
        channel: text(row, "channel")?,
        letter: text(row, "letter")?,
        made_at: instant(row, "made_at")?,
        state: text(row, "state")?,
        attempts: count(row, "attempts")?,
        sent_at: maybe_instant(row, "sent_at")?,
        error: row.try_get("error")?,
    })
}

/// A channel's terms as people read them, and its secrets as they are sealed; `None`: there is no such channel.
async fn terms_of(
    writing: &mut Writing,
    name: &str,
) -> Result<Option<(String, Option<Vec<u8>>)>, StoreError> {
    let row = sqlx::query("SELECT * FROM alert_channel WHERE name = $1")
        .bind(name)
        .fetch_optional(&mut *writing.transaction)
        .await?;
    let Some(channel) = row.as_ref().map(channel).transpose()? else {
        return Ok(None);
    };
    let terms: serde_json::Value = json(&channel.terms)?;
    let about = channel.installation.as_deref().unwrap_or("everything");
    let terms = words(&terms).unwrap_or_default();
    Ok(Some((format!("about {about}: {terms}"), channel.sealed)))
}
