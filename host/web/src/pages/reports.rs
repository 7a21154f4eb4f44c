//! A page of what the runs of one job reported, run by run: the reconciliation, above all. Rows come from the store and not from
//! the add-on, so the page is read only by nature.

use askama::Template;
use axum::response::Response;

use super::cells::{Cell, Column, cells, headings};
use super::chart::Chart;
use super::installation_page::{InstallationPage, Place};
use super::rows::{FilterPart, RowsQuery, address, filter};
use super::run_line::RunLine;
use crate::App;
use crate::failure::Failure;
use crate::frame::{Frame, page};
use crate::login::session::Visitor;
use crate::texts;
use addon_manifest::ReportSpec;
use addon_store::{ReportRow, RunId, StoreError};

/// Rows of one page.
const PAGE: u32 = 100;

/// Runs that are offered.
const RUNS: u32 = 50;

/// Rows of which a chart is made: of several kinds, a year of months each.
const CHARTED: u32 = 500;

/// The page of the manifest.
pub struct Shown<'s> {
    pub page: &'s str,
    pub job: &'s str,
    pub reports: &'s [String],
}

#[derive(Template)]
#[template(path = "reports.html")]
struct ReportsPage {
    frame: Frame,
    href: String,
    title: String,
    help: String,
    /// Address at which the job is started.
    start: String,
    /// The job has options: the button leads to a form.
    asks: bool,
    /// The run that is shown; `None`: the job has never run.
    run: Option<RunLine>,
    /// Its id and words, for choosing another.
    runs: Vec<(RunId, String)>,
    tabs: Vec<Tab>,
    report: String,
    /// Which rows there are, as counted by the run.
    counts: Vec<(String, u64)>,
    search: String,
    filters: Vec<FilterPart>,
    narrowed: bool,
    chart: Option<Chart>,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    first: Option<String>,
    next: Option<String>,
    csv: String,
    xlsx: String,
    zone: &'static str,
}

struct Tab {
    title: String,
    href: String,
    amount: u64,
    current: bool,
}

pub async fn draw(
    app: &App,
    visitor: &Visitor,
    subject: &InstallationPage,
    shown: &Shown<'_>,
    fields: &[(String, String)],
) -> Result<Response, Failure> {
    let store = app.host.store();
    let manifest = &subject.situation.manifest;
    let asked = |wanted: &str| {
        let field = fields.iter().find(|(name, _)| name == wanted);
        field.map_or("", |(_, value)| value.as_str())
    };
    let spec = shown
        .reports
        .iter()
        .find(|report| *report == asked("report"))
        .or(shown.reports.first())
        .and_then(|report| manifest.report(report))
        .ok_or_else(|| Failure::not_found(texts::failure::NO_REPORT))?;
    let runs = store.ended_runs(subject.name(), shown.job, RUNS).await?;
    let run = runs
        .iter()
        .find(|run| run.id.to_string() == asked("run"))
        .or(runs.first());
    let wish = RowsQuery::of(fields);
    let href = subject.href(app, Place::Page(shown.page));
    let kept = |run: RunId, report: &str| {
        let kept = [("run", run.to_string()), ("report", report.to_owned())];
        kept.map(|(name, value)| (name.to_owned(), value))
    };
    let (mut tabs, mut rows, mut next, mut charted) = (Vec::new(), Vec::new(), None, Vec::new());
    if let Some(run) = run {
        let amounts = store.report_kinds(run.id).await?;
        for report in shown.reports.iter().filter_map(|id| manifest.report(id)) {
            let amount = amounts.iter().find(|(kind, _)| *kind == report.id);
            tabs.push(Tab {
                title: report.title.clone(),
                href: address(&href, kept(run.id, &report.id).to_vec()),
                amount: amount.map_or(0, |(_, amount)| *amount),
                current: report.id == spec.id,
            });
        }
        (rows, next) = find(app, run.id, spec, &wish).await?;
        if spec.chart.is_some() {
            charted = store.report_rows(run.id, &spec.id, 0, CHARTED).await?;
        }
    }
    let job = manifest.job(shown.job);
    let moved = |after: &str| {
        let mut fields = wish.fields();
        fields.retain(|(name, _)| name != "after");
        fields.extend(run.into_iter().flat_map(|run| kept(run.id, &spec.id)));
        if !after.is_empty() {
            fields.push(("after".to_owned(), after.to_owned()));
        }
        address(&href, fields)
    };
    let title = manifest.page(shown.page).map(|page| page.title.clone());
    let title = title.unwrap_or_default();
    let download = |format: &str| {
        let file = |id| format!("/runs/{id}/reports/{}/{format}", spec.id);
        run.map(|run| app.href(&file(run.id))).unwrap_or_default()
    };
    Ok(page(&ReportsPage {
        frame: subject.frame(app, visitor, Place::Page(shown.page), &title),
        title,
        help: job.map(|job| job.help.clone()).unwrap_or_default(),
        start: format!("{}/jobs/{}", subject.href(app, Place::Overview), shown.job),
        asks: job.is_some_and(|job| !job.options.is_empty()),
        run: run.map(|run| RunLine::new(app, subject, run)),
        runs: runs
            .iter()
            .map(|run| (run.id, subject.moment(run.started_at).text))
            .collect(),
        tabs,
        counts: run
            .and_then(|run| run.outcome.as_ref())
            .map(|outcome| outcome.counts.clone())
            .unwrap_or_default(),
        search: wish.search().to_owned(),
        filters: spec
            .filters
            .iter()
            .map(|spec| filter(spec, wish.filter(&spec.key)))
            .collect(),
        narrowed: wish.is_narrow(),
        chart: spec.chart.as_ref().and_then(|chart| {
            let rows = charted.iter().map(|(_, row)| row);
            Chart::draw(chart, &spec.columns.titles, rows)
        }),
        columns: headings(&spec.columns),
        rows: rows
            .into_iter()
            .map(|row| cells(&spec.columns, row.cells))
            .collect(),
        first: (!wish.after().is_empty()).then(|| moved("")),
        next: next.map(|after| moved(&after.to_string())),
        csv: download("csv"),
        xlsx: download("xlsx"),
        report: spec.id.clone(),
        zone: subject.zone.name(),
        href,
    }))
}

/// The rows that fit, and behind which number there are more.
async fn find(
    app: &App,
    run: RunId,
    spec: &ReportSpec,
    wish: &RowsQuery,
) -> Result<(Vec<ReportRow>, Option<i64>), StoreError> {
    let wanted: Vec<(usize, &str)> = spec
        .filters
        .iter()
        .filter_map(|filter| {
            let place = spec
                .columns
                .titles
                .iter()
                .position(|title| *title == filter.key)?;
            Some((place, wish.filter(&filter.key)?))
        })
        .collect();
    let texts: Vec<&str> = wanted
        .iter()
        .map(|(_, value)| *value)
        .chain(Some(wish.search()).filter(|text| !text.is_empty()))
        .collect();
    let mut after = wish.after().parse().unwrap_or(0);
    let mut fitting = Vec::new();
    // The store finds a value in any column; that it stands in its own is seen here.
    loop {
        let found = app
            .host
            .store()
            .report_rows_with(run, &spec.id, &texts, after, PAGE)
            .await?;
        let is_last = found.len() < PAGE as usize;
        for (number, row) in found {
            after = number;
            let fits = |(place, value): &(usize, &str)| {
                row.cells.get(*place).is_some_and(|cell| cell == value)
            };
            if wanted.iter().all(fits) {
                fitting.push(row);
            }
            if fitting.len() == PAGE as usize {
                return Ok((fitting, Some(after)));
            }
        }
        if is_last {
            return Ok((fitting, None));
        }
    }
}
