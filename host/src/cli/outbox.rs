//! `addon-host outbox`: the add-on's page `outbox` on the command line, with the acts that people may do there.

use std::process::ExitCode;

use addon_host::host::{Host, Query};
use addon_host::store::ReportRow;
use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::{Context, installed};
use super::output::{object, printable, table};

#[derive(Args)]
pub struct Outbox {
    /// Name of the installation
    installation: String,
    /// Only records in this state: planned, held, owed, …
    #[arg(long)]
    state: Option<String>,
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Subcommand)]
enum Act {
    /// Tries the records again with the next run
    Retry(Records),
    /// Never sends the records
    Exclude(Records),
    /// Notes that somebody entered the records by hand
    Done(Records),
    /// Links a record to one that is there already
    Link { record: String, remote_id: String },
}

#[derive(Args)]
struct Records {
    /// Ids as the list shows them
    #[arg(required = true)]
    records: Vec<String>,
}

const PAGE_ID: &str = "outbox";

/// Rows that are asked for at once.
const PAGE: u32 = 200;

impl Outbox {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let host = context.host().await?;
        let name = &self.installation;
        let Some(act) = self.act else {
            let (_, manifest) = installed(host.store(), name).await?;
            let page = manifest
                .page(PAGE_ID)
                .ok_or_else(|| anyhow!("add-on `{}` has no outbox", manifest.addon.id))?;
            let rows = rows(&host, name, self.state).await?;
            context.output.show(rows.iter().map(json).collect(), || {
                let headings = std::iter::once("id").chain(page.columns.iter().map(String::as_str));
                let lines = rows
                    .iter()
                    .map(|row| [std::slice::from_ref(&row.id), &row.cells].concat());
                table(&headings.collect::<Vec<_>>(), lines, "Nothing waits.")
            })?;
            return Ok(ExitCode::SUCCESS);
        };
        let (act, records, values) = match act {
            Act::Retry(Records { records }) => ("retry", records, Vec::new()),
            Act::Exclude(Records { records }) => ("exclude", records, Vec::new()),
            Act::Done(Records { records }) => ("done", records, Vec::new()),
            Act::Link { record, remote_id } => (
                "link",
                vec![record],
                vec![("remote-id".to_owned(), remote_id)],
            ),
        };
        let told = host
            .act(name, PAGE_ID, act, records, values, &context.actor())
            .await?;
        context
            .output
            .show(json!({ "message": told }), || printable(&told))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// All rows of the page, however many pages the add-on makes of them.
async fn rows(host: &Host, installation: &str, state: Option<String>) -> Result<Vec<ReportRow>> {
    let filters: Vec<_> = state
        .into_iter()
        .map(|state| ("state".to_owned(), state))
        .collect();
    let mut rows = Vec::new();
    let mut after = String::new();
    loop {
        let query = Query {
            filters: filters.clone(),
            after,
            limit: PAGE,
            ..Query::default()
        };
        let page = host.view(installation, PAGE_ID, query).await?;
        let over = page.next.is_empty() || page.rows.is_empty();
        rows.extend(page.rows);
        if over {
            return Ok(rows);
        }
        after = page.next;
    }
}

fn json(row: &ReportRow) -> Value {
    json!({ "id": row.id, "cells": row.cells, "more": object(&row.more) })
}
