//! `addon-host report`: the rows that a run left behind.

use std::process::ExitCode;

use addon_host::exports::{Export, ReportExport};
use addon_host::store::{ReportRow, RunId, Store};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::context::{Context, installed};
use super::files;
use super::output::{object, table};

#[derive(Args)]
pub struct Report {
    /// Number of the run, as `runs` lists it
    run: RunId,
    /// A report of the run, such as `plan`
    report: String,
    #[command(flatten)]
    file: files::Target,
}

/// Rows that are read at once.
const PAGE: u32 = 1000;

impl Report {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let store = context.store().await?;
        let run = store.run(self.run).await?;
        let kinds = store.report_kinds(run.id).await?;
        if !kinds.iter().any(|(kind, _)| *kind == self.report) {
            let known: Vec<&str> = kinds.iter().map(|(kind, _)| kind.as_str()).collect();
            let known = if known.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has {}", known.join(", "))
            };
            bail!("run {} has no report `{}`; {known}", run.id, self.report);
        }
        let (_, manifest) = installed(&store, &run.installation).await?;
        let spec = manifest.report(&self.report);
        let columns = spec.map(|spec| &spec.columns);
        if self.file.is_given() {
            let export = ReportExport::new(store, run.id, &self.report, columns);
            self.file.write(Export::Report(export)).await?;
            return Ok(ExitCode::SUCCESS);
        }
        let rows = rows(&store, run.id, &self.report).await?;
        let titles = columns.map_or(&[][..], |columns| columns.titles.as_slice());
        let json = rows.iter().map(|row| json(titles, row)).collect();
        context.output.show(json, || {
            let headings: Vec<&str> = titles.iter().map(String::as_str).collect();
            let lines = rows.iter().map(|row| row.cells.clone());
            table(&headings, lines, "The report is empty.")
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// All rows of one report.
pub async fn rows(store: &Store, run: RunId, kind: &str) -> Result<Vec<ReportRow>> {
    let mut rows = Vec::new();
    let mut after = 0;
    loop {
        let page = store.report_rows(run, kind, after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(rows);
        };
        after = *last;
        rows.extend(page.into_iter().map(|(_, row)| row));
    }
}

/// A row for programs: its cells in their order, and by the titles of their columns.
pub fn json(columns: &[String], row: &ReportRow) -> Value {
    let named: serde_json::Map<String, Value> = columns
        .iter()
        .zip(&row.cells)
        .map(|(title, cell)| (title.clone(), cell.as_str().into()))
        .collect();
    json!({ "id": row.id, "columns": named, "cells": row.cells, "more": object(&row.more) })
}
