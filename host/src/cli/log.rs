//! `addon-host log`: the activity log, oldest first, so that the end of the output is what happened last.

use std::process::ExitCode;

use addon_host::store::{ActivityFilter, ActivityRow};
use anyhow::{Result, anyhow};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::output::{instant, object, table};

#[derive(Args)]
pub struct Log {
    /// Name of the installation
    installation: String,
    /// Only this kind of record: customer, invoice, payment, …
    #[arg(long)]
    entity: Option<String>,
    /// Only this kind of event: created, held, failed, …
    #[arg(long)]
    action: Option<String>,
    /// Only what belongs to this customer
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Only from this time on: 2026-01-31 or 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<DateTime<Utc>>,
    /// Most entries to show, counted from the newest
    #[arg(long, default_value_t = 1000)]
    limit: u32,
}

impl Log {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let store = context.store().await?;
        store.installation(&self.installation).await?;
        let filter = ActivityFilter {
            entity: self.entity,
            action: self.action,
            customer: self.customer,
            since: self.since,
            limit: self.limit,
            ..ActivityFilter::default()
        };
        let mut rows = store.activities(&self.installation, &filter).await?;
        rows.reverse();
        context.output.show(rows.iter().map(json).collect(), || {
            let headings = ["time", "what", "record", "here", "there", "told"];
            table(
                &headings,
                rows.iter().map(line),
                "Nothing has happened yet.",
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn json(row: &ActivityRow) -> Value {
    let activity = &row.activity;
    json!({
        "id": row.id, "at": instant(row.at), "run": row.run, "entity": activity.entity, "action": activity.action,
        "local_id": activity.local_id, "remote_id": activity.remote_id, "customer_id": activity.customer_id,
        "label": activity.label, "code": activity.code, "message": activity.message, "more": object(&activity.more),
    })
}

fn line(row: &ActivityRow) -> [String; 6] {
    let activity = &row.activity;
    [
        instant(row.at),
        format!("{} {}", activity.entity, activity.action),
        activity.label.clone(),
        activity.local_id.clone(),
        activity.remote_id.clone(),
        activity.message.clone(),
    ]
}

/// An instant with its zone, or a day, which begins at midnight UTC.
fn time(text: &str) -> Result<DateTime<Utc>> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    let instant = DateTime::parse_from_rfc3339(text);
    Ok(instant
        .map_err(|_| anyhow!("write it as 2026-01-31 or 2026-01-31T08:00:00Z"))?
        .to_utc())
}
