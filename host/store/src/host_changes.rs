//! Who changed what of the host itself: people, add-ons, installations, terms of connections, limits, channels of alerts, trusted keys.
//! Written with the change, in one transaction, and never changed afterwards. What is secret is never in it. Changes of settings have a
//! record of their own (`setting_changes.rs`).

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row};

use super::records::{instant, millis, number, text};
use super::{Store, StoreError, Writing};

/// Who does something, and when.
#[derive(Debug, Clone)]
pub struct Author {
    pub name: String,
    pub at: DateTime<Utc>,
}

impl Author {
    pub fn new(name: impl Into<String>, at: DateTime<Utc>) -> Self {
        let name = name.into();
        Self { name, at }
    }

    /// What nobody asked it for.
    pub fn host(at: DateTime<Utc>) -> Self {
        Self::new("the host", at)
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostChanged {
    /// From one.
    pub number: i64,
    pub at: DateTime<Utc>,
    pub by: String,
    /// `account`, `alert channel`, `connection`, …
    pub what: String,
    pub name: String,
    /// `None`: it was not there.
    pub before: Option<String>,
    /// `None`: it was removed.
    pub after: Option<String>,
}

impl Store {
    /// Changes of the host, the newest first; `before`: only numbers below it.
    pub async fn host_changes(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<HostChanged>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM host_change WHERE number < $1 ORDER BY number DESC LIMIT $2",
        )
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(HostChanged {
                    number: number(row, "number")?,
                    at: instant(row, "changed_at")?,
                    by: text(row, "changed_by")?,
                    what: text(row, "what")?,
                    name: text(row, "name")?,
                    before: row.try_get("before")?,
                    after: row.try_get("after")?,
                })
            })
            .collect()
    }
}

impl Writing {
    /// Notes a change; what changes nothing is not noted.
    pub(super) async fn note(
        &mut self,
        author: &Author,
        what: &str,
        name: &str,
        before: Option<String>,
        after: Option<String>,
    ) -> Result<(), StoreError> {
        if before == after {
            return Ok(());
        }
        // Other subjects have writers of their own, and all count here.
        if let Some(lock) = self.dialect.lock_writers("host_change") {
            sqlx::query(AssertSqlSafe(lock))
                .execute(&mut *self.transaction)
                .await?;
        }
        let last = sqlx::query("SELECT COALESCE(MAX(number), 0) AS last FROM host_change")
            .fetch_one(&mut *self.transaction)
            .await?;
        sqlx::query(
            "INSERT INTO host_change (number, changed_at, changed_by, what, name, before, after) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(number(&last, "last")? + 1)
        .bind(millis(author.at))
        .bind(&author.name)
        .bind(what)
        .bind(name)
        .bind(before)
        .bind(after)
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }
}

/// Terms as people read them: `allow_hosts books.example, per_minute 60`. `None`: there are none.
pub(super) fn words(terms: &impl Serialize) -> Option<String> {
    let Ok(Value::Object(terms)) = serde_json::to_value(terms) else {
        return None;
    };
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => {
            let all = all.iter().map(|one| match one {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            all.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    };
    let words = terms
        .iter()
        .map(|(name, value)| format!("{name} {}", plain(value)));
    let words = words.collect::<Vec<_>>().join(", ");
    (!words.is_empty()).then_some(words)
}
