//! `addon-host log`: the activity log, oldest first, so that the end of the output is what happened last.

use std::process::ExitCode;

use addon_host::days;
use addon_host::exports::{Export, Format, LogExport};
use addon_host::manifest::nearest;
use addon_host::runs::time_zone;
use addon_host::scheduler::InstallationView;
use addon_host::store::{ACTIONS, ActivityFilter, ActivityRow, ENTITIES, Store};
use anyhow::{Result, anyhow, bail};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use clap::{Args, ValueEnum};

use super::context::Context;
use super::files;
use super::output::{self, instant, table};

#[derive(Args)]
pub struct Log {
    /// Name of the installation
    installation: String,
    /// Only these kinds of record: customer, invoice, payment, … (several: give it again)
    #[arg(long)]
    entity: Vec<String>,
    /// Only this kind of event, or the state that records came to: created, held, failed, …
    #[arg(long)]
    action: Option<String>,
    /// Only this reason, such as mapping-missing
    #[arg(long)]
    code: Option<String>,
    /// Only what belongs to this customer
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Only from this day or time on: 2026-01-31 (in the installation's time zone) or 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Time>,
    /// Only up to this day, with the whole of it, or before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Time>,
    /// Most entries to show, counted from the newest [default: 1000 in a table, all in csv, json and xlsx]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// How to print; --json is the same as --format json
    #[arg(long, value_enum)]
    format: Option<Shape>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    Table,
    Csv,
    Json,
    /// For a spreadsheet, on standard output: > FILE.xlsx
    Xlsx,
}

#[derive(Clone, Copy)]
enum Time {
    Day(NaiveDate),
    Instant(DateTime<Utc>),
}

/// Entries that a table shows.
const FOR_PEOPLE: u32 = 1000;

impl Log {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let store = context.store().await?;
        let InstallationView {
            manifest, settings, ..
        } = InstallationView::load(&store, &self.installation).await?;
        let zone = time_zone(&manifest, &settings);
        for entity in &self.entity {
            let filter = ActivityFilter {
                entities: vec![entity.clone()],
                ..ActivityFilter::default()
            };
            known(
                &store,
                &self.installation,
                ("entity", entity),
                &ENTITIES,
                filter,
            )
            .await?;
        }
        if let Some(action) = &self.action {
            let filter = ActivityFilter {
                action: Some(action.clone()),
                ..ActivityFilter::default()
            };
            known(
                &store,
                &self.installation,
                ("action", action),
                &ACTIONS,
                filter,
            )
            .await?;
        }
        let is_narrowed = !self.entity.is_empty()
            || [&self.action, &self.code, &self.customer]
                .into_iter()
                .any(Option::is_some)
            || self.since.is_some()
            || self.until.is_some();
        let mut filter = ActivityFilter {
            entities: self.entity,
            action: self.action,
            code: self.code,
            customer: self.customer,
            since: self.since.map(|time| time.begins(zone)),
            until: self.until.map(|time| time.ends(zone)),
            limit: self.limit.unwrap_or(FOR_PEOPLE),
            ..ActivityFilter::default()
        };
        let usual = if context.output.json {
            Shape::Json
        } else {
            Shape::Table
        };
        let format = match self.format.unwrap_or(usual) {
            Shape::Csv => Format::Csv,
            Shape::Json => Format::Json,
            Shape::Xlsx => Format::Xlsx,
            Shape::Table => {
                let mut rows = store.activities(&self.installation, &filter).await?;
                rows.reverse();
                let headings = ["time", "what", "record", "here", "there", "told"];
                let lines = rows.iter().map(line);
                output::print(&table(
                    &headings,
                    lines,
                    match is_narrowed {
                        true => "Nothing in the log is like that.",
                        false => "Nothing has happened yet.",
                    },
                ))?;
                return Ok(ExitCode::SUCCESS);
            }
        };
        if let Some(limit) = self.limit {
            // The first of the newest: everything from there on.
            let first = store.activities(&self.installation, &filter).await?;
            filter.after = first
                .last()
                .filter(|_| first.len() == limit as usize)
                .map(|row| row.id - 1);
        }
        let export = LogExport::new(store, &self.installation, filter, format, zone);
        files::write(Export::Log(export), format, "-").await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuses a word that neither the contract nor this log knows: it would find nothing, which looks as if nothing had happened.
async fn known(
    store: &Store,
    installation: &str,
    (option, word): (&str, &str),
    words: &[&str],
    filter: ActivityFilter,
) -> Result<()> {
    if words.contains(&word) {
        return Ok(());
    }
    let filter = ActivityFilter { limit: 1, ..filter };
    if !store.activities(installation, &filter).await?.is_empty() {
        return Ok(());
    }
    match nearest(word, words.iter().copied()) {
        Some(meant) => bail!("--{option}: there is no `{word}`; did you mean `{meant}`?"),
        None => bail!(
            "--{option}: there is no `{word}`; there are {}",
            words.join(", ")
        ),
    }
}

impl Time {
    fn begins(self, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Day(day) => days::beginning(day, zone),
            Self::Instant(at) => at,
        }
    }

    fn ends(self, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Day(day) => days::beginning(days::next(day), zone),
            Self::Instant(at) => at,
        }
    }
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

fn time(text: &str) -> Result<Time> {
    if let Ok(day) = text.parse() {
        return Ok(Time::Day(day));
    }
    let instant = DateTime::parse_from_rfc3339(text);
    let instant = instant.map_err(|_| anyhow!("write it as 2026-01-31 or 2026-01-31T08:00:00Z"))?;
    Ok(Time::Instant(instant.to_utc()))
}
