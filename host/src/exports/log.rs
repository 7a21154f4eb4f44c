//! The activity log as a file, oldest first, as it happened. Rows that come in meanwhile are not in it: it ends with what was
//! the newest when it began.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{Format, csv};
use crate::store::{ActivityFilter, ActivityRow, Order, Store, StoreError};

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
    /// Everything that fits the filter behind its `after`, whatever its order and limit. Times of CSV are in `zone`.
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

    pub(super) async fn next(&mut self) -> Result<Option<String>, StoreError> {
        let mut text = String::new();
        let mut has_rows = match self.state {
            State::Over => return Ok(None),
            State::Begins => {
                self.filter.before = self.end().await?;
                self.begin(&mut text);
                false
            }
            State::Goes(has_rows) => has_rows,
        };
        let rows = self
            .store
            .activities(&self.installation, &self.filter)
            .await?;
        for row in &rows {
            match self.format {
                Format::Csv => csv::line(&mut text, self.cells(row)),
                Format::Json => {
                    text.push_str(if has_rows { ",\n" } else { "\n" });
                    text.push_str(&activity_json(row).to_string());
                }
            }
            has_rows = true;
        }
        self.filter.after = rows.last().map(|row| row.id).or(self.filter.after);
        self.state = State::Goes(has_rows);
        if rows.len() < PAGE as usize {
            if self.format == Format::Json {
                text.push_str(if has_rows { "\n]\n" } else { "]\n" });
            }
            self.state = State::Over;
        }
        Ok(Some(text))
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

    fn begin(&self, text: &mut String) {
        match self.format {
            Format::Csv => csv::line(
                text,
                [
                    &format!("Time ({})", self.zone.name()),
                    "Record",
                    "What happened",
                    "Number or name",
                    "Id here",
                    "Id there",
                    "Customer",
                    "Amount",
                    "Code",
                    "Told",
                    "More",
                    "Run",
                ],
            ),
            Format::Json => text.push('['),
        }
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
