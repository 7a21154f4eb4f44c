//! `addon-host run`: runs a job to its end. Ctrl-C asks it to stop; what is in flight is finished first.

use std::process::ExitCode;

use addon_host::host::{Host, RunRequest};
use addon_host::manifest::{Manifest, nearest};
use addon_host::store::{Outcome, RecordingKind, RunId, RunState, Store, Trigger};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::context::{Context, installed};
use super::output::{object, printable, table};
use super::settings::pair;
use super::{files, progress, report};

#[derive(Args)]
pub struct Run {
    /// Name of the installation
    installation: String,
    /// A job of the add-on, such as `sync`; without one: lists them
    job: Option<String>,
    /// Lists what the job would do, and writes nothing
    #[arg(long)]
    preview: bool,
    /// An option of the job; `@FILE` and `@-` read it from a file or standard input
    #[arg(long = "option", value_name = "KEY=VALUE", value_parser = pair)]
    options: Vec<(String, String)>,
    /// Writes what the run said to the services and heard from them to a file that `mock-host` replays: without secrets, and with made-up
    /// words and numbers for people's
    #[arg(long, value_name = "FILE")]
    record: Option<String>,
}

/// Rows of a report that a terminal shows; all of them are in the JSON, on the web page and in `addon-host report`.
const ROWS_FOR_PEOPLE: u32 = 200;

impl Run {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let Some(job) = self.job else {
            return jobs(context, &self.installation).await;
        };
        let options = files::values(self.options)?;
        let host = context.host().await?;
        let (_, manifest) = installed(host.store(), &self.installation).await?;
        if manifest.job(&job).is_none() {
            bail!(no_job(&manifest, &job));
        }
        let request = RunRequest {
            preview: self.preview,
            trigger: Trigger::Person,
            options,
            actor: context.actor(),
        };
        let installation = &self.installation;
        let handle = match self.record {
            Some(_) => host.record_run(installation, &job, request).await?,
            None => host.start_run(installation, &job, request).await?,
        };
        let run = handle.id();
        let stop_on_interrupt = tokio::spawn(stop_on_interrupt(host.clone(), run));
        progress::follow(&host, run).await?;
        let outcome = handle.wait().await;
        stop_on_interrupt.abort();
        if let Some(file) = &self.record {
            let recording = host.store().recording(run, RecordingKind::Whole).await?;
            let recording = recording.context("the run could not be recorded; see the log")?;
            files::write_bytes(file, recording.as_bytes())?;
        }
        let forecast = match self.preview && outcome.state == RunState::Finished {
            true => host.forecast(&self.installation, run, &outcome).await?,
            false => None,
        };

        let json = if context.output.json {
            let mut json = report_json(host.store(), &manifest, run, &outcome).await?;
            json["estimate"] = forecast.as_ref().map(progress::forecast_json).into();
            json
        } else {
            Value::Null
        };
        let text = if context.output.json {
            String::new()
        } else {
            let mut text = summary(host.store(), &manifest, run, self.preview, &outcome).await?;
            if let Some(forecast) = &forecast {
                text.push_str(&format!("  it would take {}\n", printable(&forecast.text)));
            }
            text
        };
        context.output.show(json, || text)?;
        Ok(match outcome.state {
            RunState::Finished => ExitCode::SUCCESS,
            RunState::Paused => ExitCode::from(3),
            RunState::Stopped => ExitCode::from(4),
            RunState::Failed | RunState::Running => ExitCode::FAILURE,
        })
    }
}

/// What there is to run.
async fn jobs(context: &Context, installation: &str) -> Result<ExitCode> {
    let store = context.store().await?;
    let (_, manifest) = installed(&store, installation).await?;
    let json = manifest
        .jobs
        .iter()
        .map(|job| json!({ "job": job.id, "title": job.title, "preview": job.preview, "help": job.help }));
    context.output.show(json.collect(), || {
        let rows = manifest.jobs.iter().map(|job| {
            let preview = if job.preview { "--preview" } else { "" };
            [job.id.clone(), preview.to_owned(), job.title.clone()]
        });
        table(
            &["job", "can be previewed", "title"],
            rows,
            "The add-on has no jobs.",
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

fn no_job(manifest: &Manifest, job: &str) -> String {
    let known: Vec<&str> = manifest.jobs.iter().map(|job| job.id.as_str()).collect();
    let cure = match nearest(job, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}", known.join(", ")),
    };
    format!("add-on `{}` has no job `{job}`; {cure}", manifest.addon.id)
}

async fn stop_on_interrupt(host: Host, run: RunId) {
    while tokio::signal::ctrl_c().await.is_ok() {
        eprintln!("Stopping: what is in flight is finished first.");
        if let Err(error) = host.request_stop(run).await {
            eprintln!("error: {error}");
        }
    }
}

async fn report_json(
    store: &Store,
    manifest: &Manifest,
    run: RunId,
    outcome: &Outcome,
) -> Result<Value> {
    let mut reports = serde_json::Map::new();
    for (kind, _) in store.report_kinds(run).await? {
        let rows = report::rows(store, run, &kind).await?;
        let spec = manifest.report(&kind);
        let titles = spec.map_or(&[][..], |spec| spec.columns.titles.as_slice());
        let rows = rows.iter().map(|row| report::json(titles, row)).collect();
        reports.insert(kind, rows);
    }
    let mut json = outcome_json(outcome);
    json["run"] = json!(run);
    json["reports"] = Value::Object(reports);
    Ok(json)
}

/// How a run ended, without its reports.
pub fn outcome_json(outcome: &Outcome) -> Value {
    let why = outcome.why.as_ref().map(|why| {
        json!({ "code": why.code, "message": why.message, "retry_at": why.retry_at, "more": object(&why.more) })
    });
    let counts: serde_json::Map<_, _> = outcome
        .counts
        .iter()
        .map(|(name, count)| (name.clone(), Value::from(*count)))
        .collect();
    json!({
        "state": outcome.state.as_str(), "resume_at": outcome.resume_at, "why": why, "counts": counts,
        "more": object(&outcome.more),
    })
}

async fn summary(
    store: &Store,
    manifest: &Manifest,
    run: RunId,
    preview: bool,
    outcome: &Outcome,
) -> Result<String> {
    let mut text = String::new();
    for (kind, amount) in store.report_kinds(run).await? {
        let spec = manifest.report(&kind);
        let title = spec.map_or(kind.as_str(), |spec| spec.title.as_str());
        let columns: Vec<&str> = spec
            .iter()
            .flat_map(|spec| spec.columns.titles.iter().map(String::as_str))
            .collect();
        let rows = store.report_rows(run, &kind, 0, ROWS_FOR_PEOPLE).await?;
        text.push_str(&format!(
            "{title}: {amount}\n{}",
            table(&columns, rows.into_iter().map(|(_, row)| row.cells), "")
        ));
        if amount > u64::from(ROWS_FOR_PEOPLE) {
            text.push_str(&format!("… the first {ROWS_FOR_PEOPLE} of {amount}\n"));
        }
        text.push('\n');
    }
    let what = if preview {
        "preview, nothing was written, "
    } else {
        ""
    };
    text.push_str(&format!("Run {run}: {what}{}\n", outcome.state.as_str()));
    for (name, count) in &outcome.counts {
        text.push_str(&format!("  {}: {count}\n", printable(name)));
    }
    if let Some(why) = &outcome.why {
        text.push_str(&format!(
            "  {} ({})\n",
            printable(&why.message),
            printable(&why.code)
        ));
    }
    Ok(text)
}
