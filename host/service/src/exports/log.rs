//! The activity log as a file, oldest first, as it happened. Rows that come in meanwhile are not in it: it ends with what was
//! the newest when it began.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{Format, Rows};
use addon_store::{ActivityFilter, ActivityRow, Order, Store, StoreError};

/// Rows of one piece.
const PAGE: u32 = 1000;

pub struct LogExport {
    store: Store,
    installation: String,
    filter: ActivityFilter,
    format: Format,
    zone: Tz,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Begins,
    /// Whether there was a row.
    Goes(bool),
    Over,
}

impl LogExport {
    /// Everything that fits the filter behind its `after`, whatever its order and limit. Times of rows are in `zone`.
    pub fn new(
        store: Store,
        installation: &str,
        filter: ActivityFilter,
        format: Format,
        zone: Tz,
    ) -> Self {
        Self {
            store,
            installation: installation.to_owned(),
            filter: ActivityFilter {
                before: None,
                order: Order::OldestFirst,
                limit: PAGE,
                ..filter
            },
            format,
            zone,
            state: State::Begins,
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// The next rows, the headings first; none at the end.
    pub(super) async fn rows(&mut self) -> Result<Option<Rows>, StoreError> {
        let begins = self.state == State::Begins;
        let Some(found) = self.piece().await? else {
            return Ok(None);
        };
        let headings = begins.then(|| self.headings());
        let rows = found.iter().map(|row| self.cells(row).to_vec());
        Ok(Some(headings.into_iter().chain(rows).collect()))
    }

    /// The next piece of the list; none at the end.
    pub(super) async fn json(&mut self) -> Result<Option<String>, StoreError> {
        let (begins, mut has_rows) = match self.state {
            State::Begins => (true, false),
            State::Goes(has_rows) => (false, has_rows),
            State::Over => return Ok(None),
        };
        let found = self.piece().await?.unwrap_or_default();
        let mut text = String::new();
        if begins {
            text.push('[');
        }
        for row in &found {
            text.push_str(if has_rows { ",\n" } else { "\n" });
            text.push_str(&activity_json(row).to_string());
            has_rows = true;
        }
        if self.state == State::Over {
            text.push_str(if has_rows { "\n]\n" } else { "]\n" });
        }
        Ok(Some(text))
    }

    /// The next entries; none at the end.
    async fn piece(&mut self) -> Result<Option<Vec<ActivityRow>>, StoreError> {
        let had_rows = match self.state {
            State::Over => return Ok(None),
            State::Begins => {
                self.filter.before = self.end().await?;
                false
            }
            State::Goes(had_rows) => had_rows,
        };
        let rows = self
            .store
            .activities(&self.installation, &self.filter)
            .await?;
        self.filter.after = rows.last().map(|row| row.id).or(self.filter.after);
        self.state = match rows.len() < PAGE as usize {
            true => State::Over,
            false => State::Goes(had_rows || !rows.is_empty()),
        };
        Ok(Some(rows))
    }

    /// The first id that is not in it any more.
    async fn end(&self) -> Result<Option<i64>, StoreError> {
        let newest = ActivityFilter {
            limit: 1,
            ..ActivityFilter::default()
        };
        let newest = self.store.activities(&self.installation, &newest).await?;
        Ok(newest.first().map(|row| row.id + 1))
    }

    fn headings(&self) -> Vec<String> {
        let time = format!("Time ({})", self.zone.name());
        let headings = [
            &time,
            "Record",
            "What happened",
            "Number or name",
            "Id here",
            "Id there",
            "Customer",
            AMOUNTS,
            "Code",
            "Told",
            "More",
            "Run",
        ];
        headings.map(str::to_owned).to_vec()
    }

    fn cells(&self, row: &ActivityRow) -> [String; 12] {
        let activity = row.activity.clone();
        let rest = activity.more.iter().filter(|(name, _)| name != AMOUNT);
        let rest: Vec<String> = rest
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let at = row.at.with_timezone(&self.zone);
        [
            at.format("%Y-%m-%d %H:%M:%S").to_string(),
            activity.entity,
            activity.action,
            activity.label,
            activity.local_id,
            activity.remote_id,
            activity.customer_id,
            activity
                .more
                .iter()
                .find(|(name, _)| name == AMOUNT)
                .map(|(_, amount)| amount.clone())
                .unwrap_or_default(),
            activity.code,
            activity.message,
            rest.join(", "),
            row.run.map(|run| run.to_string()).unwrap_or_default(),
        ]
    }
}

/// The heading above amounts.
pub(super) const AMOUNTS: &str = "Amount";

/// Name of the value that is a money amount (`storage.wit`, `activity`).
pub const AMOUNT: &str = "amount";

/// An activity for programs.
pub fn activity_json(row: &ActivityRow) -> Value {
    let activity = &row.activity;
    let more: serde_json::Map<String, Value> = activity
        .more
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    json!({
        "id": row.id, "at": instant(row.at), "run": row.run, "entity": activity.entity, "action": activity.action,
        "local_id": activity.local_id, "remote_id": activity.remote_id, "customer_id": activity.customer_id,
        "label": activity.label, "code": activity.code, "message": activity.message, "more": more,
    })
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
