//! One run: how far it is, what came of it, its reports and its log.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderName;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::activity::Filter;
use super::cells::{Cell, Column, cells, headings};
use super::chart::Chart;
use super::installation_page::{InstallationPage, Place};
use super::run_line::{self, RunLine};
use super::traffic::{self, TrafficPart};
use crate::App;
use crate::download;
use crate::failure::Failure;
use crate::frame::{Frame, Moment, page};
use crate::login::session::Visitor;
use crate::texts;
use addon_service::exports::{Export, ReportExport};
use addon_store::{LogRow, RecordingKind, Role, Run, RunId, RunState};

/// Rows of a report, and lines of the log, on one page.
const PAGE: u32 = 200;

/// Characters that the list of runs keeps of an option.
const KEPT_OPTION: usize = 200;

/// Tells the script that there is nothing left to watch.
const OVER: HeaderName = HeaderName::from_static("x-over");

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    frame: Frame,
    id: RunId,
    href: String,
    live: Live,
    preview: bool,
    by: String,
    /// What it was started with.
    options: Vec<(String, String)>,
    started: Moment,
    ended: Option<Moment>,
    resumes: Option<Moment>,
    why: Option<Why>,
    counts: Vec<(String, u64)>,
    more: Vec<(String, String)>,
    reports: Vec<Report>,
    log: Vec<LogPart>,
    more_log: Option<String>,
    activity: String,
    /// Where it was recorded.
    recording: Option<String>,
    /// Of a preview: where its job is started in earnest, with the same options.
    do_it: Option<String>,
    zone: &'static str,
}

/// The part that changes while it works; the script asks for it alone.
#[derive(Template)]
#[template(path = "run_live.html")]
struct Live {
    state: &'static str,
    running: bool,
    /// It paused, and goes on by itself.
    waits: bool,
    stoppable: bool,
    stop: String,
    job: String,
    progress: String,
    done: u64,
    total: u64,
    took: String,
    /// How long the stage will still take.
    left: Option<String>,
    traffic: Vec<TrafficPart>,
}

struct Why {
    code: String,
    message: String,
    retry_at: Option<Moment>,
}

struct Report {
    kind: String,
    title: String,
    amount: u64,
    chart: Option<Chart>,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    next: Option<String>,
    csv: String,
    xlsx: String,
}

struct LogPart {
    at: Moment,
    level: String,
    message: String,
}

/// Where the reader has paged to.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct At {
    /// The report that `after` is about.
    report: String,
    after: i64,
    log: i64,
}

/// `GET /runs/{run}`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<RunId>,
    Query(at): Query<At>,
) -> Result<Response, Failure> {
    let run = app.host.store().run(run).await?;
    let subject = InstallationPage::load(&app, &run.installation).await?;
    let href = app.href(&format!("/runs/{}", run.id));
    let log = app.host.store().log_lines(run.id, at.log, PAGE).await?;
    let full = log.len() == PAGE as usize;
    let outcome = run.outcome.as_ref();
    let epoch = |seconds: u64| {
        Some(subject.moment(DateTime::<Utc>::from_timestamp(
            i64::try_from(seconds).ok()?,
            0,
        )?))
    };
    let why = outcome
        .and_then(|outcome| outcome.why.as_ref())
        .map(|why| Why {
            code: why.code.clone(),
            message: why.message.clone(),
            retry_at: why.retry_at.and_then(epoch),
        });
    Ok(page(&RunPage {
        frame: subject.frame(&app, &visitor, Place::Runs, &texts::run::title(run.id)),
        id: run.id,
        live: Live::load(&app, &subject, &run).await,
        preview: run.preview,
        by: run_line::by(&run),
        options: run.options.clone(),
        started: subject.moment(run.started_at),
        ended: run.ended_at.map(|at| subject.moment(at)),
        resumes: outcome
            .and_then(|outcome| outcome.resume_at)
            .and_then(epoch),
        why,
        counts: outcome
            .map(|outcome| outcome.counts.clone())
            .unwrap_or_default(),
        more: outcome
            .map(|outcome| outcome.more.clone())
            .unwrap_or_default(),
        reports: reports(&app, &subject, &run, &href, &at).await?,
        more_log: log
            .last()
            .filter(|_| full)
            .map(|last| format!("{href}?log={}#log", last.number)),
        log: log.into_iter().map(|row| log_part(&subject, row)).collect(),
        recording: recorded(&app, &run)
            .await?
            .then(|| format!("{href}/recording")),
        activity: Filter::of_run(run.id).address(&subject.href(&app, Place::Activity)),
        do_it: (run.preview && run.state == RunState::Finished)
            .then(|| startable(&subject, &run))
            .filter(|is_startable| *is_startable && visitor.role >= Role::Operate)
            .map(|_| format!("{}/{}", subject.href(&app, Place::Jobs), run.job)),
        zone: subject.zone.name(),
        href,
    }))
}

async fn recorded(app: &App, run: &Run) -> Result<bool, Failure> {
    let kind = RecordingKind::Whole;
    let recorded = app.host.store().recorded_runs(&run.installation, kind);
    Ok(recorded.await?.contains(&run.id))
}

/// `GET /runs/{run}/recording`
pub async fn recording(
    State(app): State<App>,
    Path(run): Path<RunId>,
) -> Result<Response, Failure> {
    let store = app.host.store();
    let run = store.run(run).await?;
    let recording = store.recording(run.id, RecordingKind::Whole).await?;
    let recording = recording.ok_or_else(|| Failure::not_found(texts::failure::NO_RECORDING))?;
    let name = format!("{}-run-{}-recording.json", run.installation, run.id);
    Ok(download::attachment(
        &name,
        "application/json",
        recording.into(),
    ))
}

/// Whether a run can be begun anew from what is kept of it: of long options only the beginning is.
fn startable(subject: &InstallationPage, run: &Run) -> bool {
    let whole = |(_, value): &(String, String)| value.chars().count() < KEPT_OPTION;
    subject.situation.manifest.job(&run.job).is_some() && run.options.iter().all(whole)
}

/// `GET /runs/{run}/live`: only what changes.
pub async fn live(State(app): State<App>, Path(run): Path<RunId>) -> Result<Response, Failure> {
    let run = app.host.store().run(run).await?;
    let subject = InstallationPage::load(&app, &run.installation).await?;
    let over = if run.state == RunState::Running {
        "no"
    } else {
        "yes"
    };
    let live = Live::load(&app, &subject, &run).await;
    Ok(([(OVER, over)], page(&live)).into_response())
}

/// `GET /runs/{run}/reports/{report}/{format}`: all rows of one report.
pub async fn download(
    State(app): State<App>,
    Path((run, kind, format)): Path<(RunId, String, String)>,
) -> Result<Response, Failure> {
    let format = download::format(&format)?;
    let store = app.host.store();
    let run = store.run(run).await?;
    if !store
        .report_kinds(run.id)
        .await?
        .iter()
        .any(|(known, _)| *known == kind)
    {
        return Err(Failure::not_found(texts::failure::NO_REPORT));
    }
    let subject = InstallationPage::load(&app, &run.installation).await?;
    let spec = subject.situation.manifest.report(&kind);
    let columns = spec.map(|spec| &spec.columns);
    let name = format!("{}-run-{}-{kind}", run.installation, run.id);
    let export = ReportExport::new(store.clone(), run.id, &kind, columns);
    download::file(Export::Report(export), format, &name).await
}

/// `POST /runs/{run}/stop`: one that works ends; one that paused does not go on.
pub async fn stop(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<RunId>,
) -> Result<Redirect, Failure> {
    let found = app.host.store().run(run).await?;
    if found.state == RunState::Paused && waits(&app, &found).await? {
        let author = visitor.account.as_str();
        app.host
            .cancel_pause(&found.installation, &found.job, author)
            .await?;
    } else {
        app.host.request_stop(run).await?;
    }
    Ok(Redirect::to(&app.href(&format!("/runs/{run}"))))
}

/// Whether it is to go on by itself: it paused, and no later run of the job began.
async fn waits(app: &App, run: &Run) -> Result<bool, Failure> {
    if run.state != RunState::Paused || run.preview {
        return Ok(false);
    }
    let store = app.host.store();
    let states = store.schedule_states(&run.installation).await?;
    let last = store
        .run_span(&run.installation, &run.job)
        .await?
        .last_start;
    let waits = states
        .get(&run.job)
        .is_some_and(|state| state.resume_at.is_some());
    Ok(waits && last == Some(run.started_at))
}

impl Live {
    async fn load(app: &App, subject: &InstallationPage, run: &Run) -> Self {
        let line = RunLine::new(app, subject, run);
        let running = run.state == RunState::Running;
        // What cannot be estimated is left out.
        let left = app.host.time_left(run).await.ok().flatten();
        let traffic = if running {
            traffic::load(app, subject).await
        } else {
            Vec::new()
        };
        Self {
            state: line.state,
            // What cannot be told is left out.
            waits: waits(app, run).await.unwrap_or(false),
            running,
            stoppable: running && !run.stop_requested,
            stop: format!("{}/stop", line.href),
            job: line.job,
            progress: run_line::progress(run),
            done: run.progress.done,
            total: run.progress.total,
            took: line.took,
            left: left.map(|forecast| forecast.text),
            traffic,
        }
    }
}

async fn reports(
    app: &App,
    subject: &InstallationPage,
    run: &Run,
    href: &str,
    at: &At,
) -> Result<Vec<Report>, Failure> {
    let store = app.host.store();
    let mut reports = Vec::new();
    for (kind, amount) in store.report_kinds(run.id).await? {
        let spec = subject.situation.manifest.report(&kind);
        let after = if at.report == kind { at.after } else { 0 };
        let rows = store.report_rows(run.id, &kind, after, PAGE).await?;
        let full = rows.len() == PAGE as usize;
        let place = utf8_percent_encode(&kind, NON_ALPHANUMERIC);
        let next = rows
            .last()
            .filter(|_| full)
            .map(|(number, _)| format!("{href}?report={place}&after={number}#report-{place}"));
        let csv = format!("{href}/reports/{place}/csv");
        let xlsx = format!("{href}/reports/{place}/xlsx");
        let columns = spec.map(|spec| spec.columns.clone()).unwrap_or_default();
        let chart = spec.and_then(|spec| spec.chart.as_ref());
        let chart = chart
            .and_then(|chart| Chart::draw(chart, &columns.titles, rows.iter().map(|(_, row)| row)));
        reports.push(Report {
            chart,
            title: spec.map_or_else(|| kind.clone(), |spec| spec.title.clone()),
            rows: rows
                .into_iter()
                .map(|(_, row)| cells(&columns, row.cells))
                .collect(),
            columns: headings(&columns),
            kind,
            amount,
            next,
            csv,
            xlsx,
        });
    }
    Ok(reports)
}

fn log_part(subject: &InstallationPage, row: LogRow) -> LogPart {
    LogPart {
        at: subject.moment(row.line.at),
        level: row.line.level,
        message: row.line.message,
    }
}
