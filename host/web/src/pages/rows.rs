//! A page of the manifest: rows that the add-on answers, with filters, search, paging, and what people can do with them.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::activity::Filter;
use super::cells::{Cell, Column, amount, cells, headings};
use super::chart::Chart;
use super::fields::{Choice, options};
use super::installation_page::{InstallationPage, Place};
use super::reports;
use crate::App;
use crate::download;
use crate::failure::Failure;
use crate::frame::{Frame, page_with};
use crate::login::session::Visitor;
use crate::texts;
use addon_manifest::{ActRows, Columns, FilterSpec, PageContent, PageSpec};
use addon_service::exports::{Export, PageExport};
use addon_service::host::{self, answer};
use addon_store::{ReportRow, Role, RunId};

/// Rows of one page.
const PAGE: u32 = 100;

/// Name of the value with which a row says whose it is (`storage.wit`, `activity`).
const CUSTOMER: &str = "customer-id";

/// Columns by which a row is known where the manifest does not name them.
const TELLING: usize = 2;

/// In front of a filter's key, in addresses and forms.
const FILTER: &str = "filter.";

#[derive(Template)]
#[template(path = "rows.html")]
struct RowsPage {
    frame: Frame,
    href: String,
    title: String,
    /// `None`: the page has no search.
    search: Option<String>,
    filters: Vec<FilterPart>,
    /// By what the page is narrowed besides, for a link that led here.
    undeclared: Vec<(String, String)>,
    narrowed: bool,
    chart: Option<Chart>,
    columns: Vec<Column>,
    rows: Vec<Line>,
    acts: Vec<ActPart>,
    /// Whether rows can be ticked.
    ticks: bool,
    /// Where the person is, for coming back to it after an act.
    kept: Vec<(String, String)>,
    first: Option<String>,
    next: Option<String>,
    csv: String,
    xlsx: String,
    told: Option<String>,
    problem: Option<String>,
}

pub struct FilterPart {
    pub name: String,
    pub title: String,
    pub options: Vec<Choice>,
}

struct ActPart {
    id: String,
    title: String,
    help: String,
}

struct Line {
    id: String,
    cells: Vec<Cell>,
    /// Address of what happened to that customer.
    activity: Option<String>,
}

/// What a person wants to see, as addresses and forms carry it.
#[derive(Default)]
pub struct RowsQuery {
    search: String,
    /// A place that the add-on named.
    after: String,
    /// Keys and values.
    filters: Vec<(String, String)>,
}

/// What is to be said about an act that was just done or refused.
pub enum Notice {
    None,
    /// The run tells what the add-on answered.
    Done(RunId),
    Refused(StatusCode, String),
}

impl RowsQuery {
    pub fn of(fields: &[(String, String)]) -> Self {
        let mut wish = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "search" => wish.search.clone_from(value),
                "after" => wish.after.clone_from(value),
                name => {
                    if let Some(key) = name.strip_prefix(FILTER).filter(|_| !value.is_empty()) {
                        wish.filters.push((key.to_owned(), value.clone()));
                    }
                }
            }
        }
        wish
    }

    pub fn search(&self) -> &str {
        &self.search
    }

    pub fn after(&self) -> &str {
        &self.after
    }

    /// The value of a filter.
    pub fn filter(&self, key: &str) -> Option<&str> {
        let chosen = self.filters.iter().find(|(known, _)| known == key)?;
        Some(&chosen.1)
    }

    pub fn is_narrow(&self) -> bool {
        !self.search.is_empty() || !self.filters.is_empty()
    }

    /// As fields of an address or a form.
    pub fn fields(&self) -> Vec<(String, String)> {
        let own = [("search", &self.search), ("after", &self.after)]
            .map(|(name, value)| (name.to_owned(), value.clone()));
        let filters = self.filters.iter();
        let filters = filters.map(|(key, value)| (format!("{FILTER}{key}"), value.clone()));
        own.into_iter()
            .filter(|(_, value)| !value.is_empty())
            .chain(filters)
            .collect()
    }

    /// The page as it was.
    pub fn again(&self, href: &str) -> String {
        address(href, self.fields())
    }

    /// The same, with what came of an act.
    pub fn address(&self, href: &str, done: RunId) -> String {
        let mut fields = self.fields();
        fields.push(("done".to_owned(), done.to_string()));
        address(href, fields)
    }

    /// The page with the rows behind a place.
    pub fn at(&self, href: &str, after: &str) -> String {
        let mut fields = self.fields();
        fields.retain(|(name, _)| name != "after");
        if !after.is_empty() {
            fields.push(("after".to_owned(), after.to_owned()));
        }
        address(href, fields)
    }

    fn query(&self) -> host::Query {
        host::Query {
            search: self.search.clone(),
            filters: self.filters.clone(),
            after: self.after.clone(),
            limit: PAGE,
            ..host::Query::default()
        }
    }
}

pub fn address(href: &str, fields: Vec<(String, String)>) -> String {
    if fields.is_empty() {
        return href.to_owned();
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields);
    format!("{href}?{}", query.finish())
}

/// `GET /installations/{name}/pages/{page}`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path((name, id)): Path<(String, String)>,
    Query(fields): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    if let PageContent::Reports { job, reports } = &page(&subject, &id)?.content {
        let shown = reports::Shown {
            page: &id,
            job,
            reports,
        };
        return reports::draw(&app, &visitor, &subject, &shown, &fields).await;
    }
    let done = fields.iter().find(|(name, _)| name == "done");
    let notice = match done.and_then(|(_, run)| run.parse().ok()) {
        Some(run) => Notice::Done(run),
        None => Notice::None,
    };
    draw(
        &app,
        &visitor,
        &subject,
        &id,
        &RowsQuery::of(&fields),
        notice,
    )
    .await
}

/// What people know rows by, in the order of `ids`. A row that is not there any more keeps its id.
pub async fn names(
    app: &App,
    subject: &InstallationPage,
    page: &PageSpec,
    wish: &RowsQuery,
    ids: &[String],
) -> Vec<String> {
    let rows = app.host.view(subject.name(), &page.id, wish.query()).await;
    let rows = rows.map(|rows| rows.rows).unwrap_or_default();
    let Columns {
        titles,
        money,
        naming,
    } = &page.columns;
    let naming = match naming.as_slice() {
        [] => &titles[..titles.len().min(TELLING)],
        named => named,
    };
    let name = |id: &String| {
        let row = rows.iter().find(|row| row.id == *id)?;
        let cells = titles.iter().zip(&row.cells);
        let telling = cells.filter(|(title, cell)| naming.contains(title) && !cell.is_empty());
        let written = telling.map(|(title, cell)| match money.contains(title) {
            true => amount(cell),
            false => cell.clone(),
        });
        Some(written.collect::<Vec<_>>().join(" ")).filter(|name| !name.is_empty())
    };
    ids.iter()
        .map(|id| name(id).unwrap_or_else(|| id.clone()))
        .collect()
}

/// `GET /installations/{name}/pages/{page}/{format}`: all rows that fit.
pub async fn download(
    State(app): State<App>,
    Path((name, id, format)): Path<(String, String, String)>,
    Query(fields): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let format = download::format(&format)?;
    let subject = InstallationPage::load(&app, &name).await?;
    let spec = page(&subject, &id)?;
    let query = RowsQuery::of(&fields).query();
    let export = PageExport::new(app.host.clone(), &name, &id, &spec.columns, query);
    download::file(Export::Page(export), format, &format!("{name}-{id}")).await
}

/// The page, with what is to be said.
pub async fn draw(
    app: &App,
    visitor: &Visitor,
    subject: &InstallationPage,
    id: &str,
    wish: &RowsQuery,
    notice: Notice,
) -> Result<Response, Failure> {
    let spec = page(subject, id)?;
    let (mut status, rows, mut problem) =
        match app.host.view(subject.name(), id, wish.query()).await {
            Ok(rows) => (StatusCode::OK, Some(rows), None),
            Err(error) => {
                let Failure { status, message } = error.into();
                (status, None, Some(message))
            }
        };
    let mut told = None;
    match notice {
        Notice::None => {}
        Notice::Done(run) => told = answered(app, subject, id, run).await,
        Notice::Refused(refused, message) => {
            (status, problem) = (refused, Some(message));
        }
    }
    let (rows, next) = rows.map(|rows| (rows.rows, rows.next)).unwrap_or_default();
    let chart = spec.chart.as_ref();
    let href = subject.href(app, Place::Page(id));
    let log = subject.href(app, Place::Activity);
    let template = RowsPage {
        frame: subject.frame(app, visitor, Place::Page(id), &spec.title),
        title: spec.title.clone(),
        search: spec.search.then(|| wish.search.clone()),
        filters: spec
            .filters
            .iter()
            .map(|spec| filter(spec, wish.filter(&spec.key)))
            .collect(),
        undeclared: wish
            .filters
            .iter()
            .filter(|(key, _)| spec.filters.iter().all(|filter| filter.key != *key))
            .map(|(key, value)| (format!("{FILTER}{key}"), value.clone()))
            .collect(),
        narrowed: wish.is_narrow(),
        chart: chart.and_then(|chart| Chart::draw(chart, &spec.columns.titles, &rows)),
        columns: headings(&spec.columns),
        rows: rows.into_iter().map(|row| line(spec, row, &log)).collect(),
        acts: acts(spec),
        ticks: visitor.role >= Role::Operate
            && spec.acts.iter().any(|act| act.rows != ActRows::None),
        kept: wish.fields(),
        first: (!wish.after.is_empty()).then(|| wish.at(&href, "")),
        next: (!next.is_empty()).then(|| wish.at(&href, &next)),
        csv: wish.at(&format!("{href}/csv"), ""),
        xlsx: wish.at(&format!("{href}/xlsx"), ""),
        told,
        problem,
        href,
    };
    Ok(page_with(status, &template))
}

fn page<'s>(subject: &'s InstallationPage, id: &str) -> Result<&'s PageSpec, Failure> {
    let found = subject.situation.manifest.page(id);
    found.ok_or_else(|| Failure::not_found(texts::failure::NO_PAGE))
}

/// What the add-on answered to an act on this page. From the run itself: an address must not put words into its mouth.
async fn answered(app: &App, subject: &InstallationPage, page: &str, run: RunId) -> Option<String> {
    let run = app.host.store().run(run).await.ok()?;
    let is_ours = run.installation == subject.name()
        && run
            .job
            .strip_prefix(page)
            .is_some_and(|act| act.starts_with('/'));
    let text = answer(run.outcome.as_ref().filter(|_| is_ours)?).ok()?;
    Some(text).filter(|text| !text.is_empty())
}

/// A filter as a form shows it.
pub fn filter(spec: &FilterSpec, chosen: Option<&str>) -> FilterPart {
    let offered: Vec<(String, String)> = spec
        .options
        .iter()
        .map(|option| (option.value.clone(), option.title.clone()))
        .collect();
    FilterPart {
        name: format!("{FILTER}{}", spec.key),
        title: spec.title.clone(),
        options: options(&offered, chosen.as_slice()),
    }
}

fn acts(spec: &PageSpec) -> Vec<ActPart> {
    let part = |act: &addon_manifest::ActSpec| ActPart {
        id: act.id.clone(),
        title: act.title.clone(),
        help: act.help.clone(),
    };
    spec.acts.iter().map(part).collect()
}

fn line(spec: &PageSpec, row: ReportRow, log: &str) -> Line {
    let customer = row
        .more
        .iter()
        .find(|(name, value)| name == CUSTOMER && !matches!(value.as_str(), "" | "0"));
    Line {
        activity: customer.map(|(_, id)| Filter::of_customer(id).address(log)),
        id: row.id,
        cells: cells(&spec.columns, row.cells),
    }
}
