//! `addon-host runs`

use std::process::ExitCode;

use addon_host::store;
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::output::{instant, object, printable, table};
use super::progress::forecast_json;
use super::run::outcome_json;

#[derive(Args)]
pub struct Runs {
    /// Name of the installation
    installation: String,
    /// Most runs to show
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Shows the log of one run instead
    #[arg(long, value_name = "RUN")]
    log: Option<store::RunId>,
}

/// Log lines that are read at once.
const PAGE: u32 = 1000;

impl Runs {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let host = context.host().await?;
        let store = host.store();
        store.installation(&self.installation).await?;
        match self.log {
            Some(run) => log(context, store, &self.installation, run).await?,
            None => {
                let runs = store.runs(&self.installation, None, self.limit).await?;
                let mut listed = Vec::new();
                for run in &runs {
                    let left = host.time_left(run).await?;
                    let mut json = json(run);
                    json["estimate"] = left.as_ref().map(forecast_json).into();
                    listed.push(json);
                }
                context.output.show(listed.into(), || {
                    let headings = [
                        "run",
                        "job",
                        "started",
                        "by",
                        "state",
                        "host",
                        "progress or reason",
                    ];
                    table(&headings, runs.iter().map(row), "No job has run yet.")
                })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn log(
    context: &Context,
    store: &store::Store,
    installation: &str,
    run: store::RunId,
) -> Result<()> {
    let found = store.run(run).await?;
    anyhow::ensure!(
        found.installation == installation,
        "run {run} is not one of `{installation}`"
    );
    let mut lines = Vec::new();
    loop {
        let page = store.log_lines(run, lines.len() as i64, PAGE).await?;
        if page.is_empty() {
            break;
        }
        lines.extend(page.into_iter().map(|row| row.line));
    }
    let json = lines
        .iter()
        .map(|line| json!({ "at": instant(line.at), "level": line.level, "message": line.message }))
        .collect();
    context.output.show(json, || {
        lines
            .iter()
            .map(|line| {
                format!(
                    "{} {:<5} {}\n",
                    instant(line.at),
                    line.level,
                    printable(&line.message)
                )
            })
            .collect()
    })?;
    Ok(())
}

fn json(run: &store::Run) -> Value {
    json!({
        "run": run.id, "job": run.job, "preview": run.preview, "trigger": run.trigger.as_str(), "actor": run.actor,
        "state": run.state.as_str(), "package": run.package_sha256, "started_at": instant(run.started_at), "ended_at": run.ended_at.map(instant),
        "stop_requested": run.stop_requested, "host": run.host, "options": object(&run.options),
        "progress": { "stage": run.progress.stage, "done": run.progress.done, "total": run.progress.total },
        "outcome": run.outcome.as_ref().map(outcome_json),
    })
}

fn row(run: &store::Run) -> [String; 7] {
    let job = if run.preview {
        format!("{} (preview)", run.job)
    } else {
        run.job.clone()
    };
    let told = match &run.outcome {
        None => format!(
            "{} {}/{}",
            run.progress.stage, run.progress.done, run.progress.total
        ),
        Some(outcome) => outcome
            .why
            .as_ref()
            .map(|why| why.message.clone())
            .unwrap_or_default(),
    };
    let by = format!("{}, {}", run.trigger.as_str(), run.actor);
    [
        run.id.to_string(),
        job,
        instant(run.started_at),
        by,
        run.state.as_str().to_owned(),
        run.host.clone(),
        told,
    ]
}
