//! The runs of an installation, the newest first, and how its connections stand with their limits.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{Redirect, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::installation_page::{InstallationPage, Place};
use super::run_line::RunLine;
use super::traffic::{self, TrafficPart};
use crate::App;
use crate::failure::Failure;
use crate::frame::{Frame, page};
use crate::login::session::Visitor;
use crate::texts;

/// Rows of one page.
const PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    frame: Frame,
    traffic: Vec<TrafficPart>,
    runs: Vec<RunLine>,
    /// Whether the next run is recorded.
    records_next: bool,
    record: String,
    support: String,
    newest: Option<String>,
    older: Option<String>,
    zone: &'static str,
}

#[derive(Deserialize)]
pub struct Older {
    before: Option<i64>,
}

/// `GET /installations/{name}/runs`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(Older { before }): Query<Older>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    let mut found = app.host.store().runs(&name, before, PAGE + 1).await?;
    let is_more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let href = subject.href(&app, Place::Runs);
    Ok(page(&RunsPage {
        frame: subject.frame(&app, &visitor, Place::Runs, texts::runs::TITLE),
        traffic: match before {
            None => traffic::load(&app, &subject).await,
            Some(_) => Vec::new(),
        },
        records_next: app.host.store().records_next(&name).await?,
        record: format!("{href}/record"),
        support: app.href(&format!("/installations/{name}/support")),
        runs: found
            .iter()
            .map(|run| RunLine::new(&app, &subject, run))
            .collect(),
        older: found
            .last()
            .filter(|_| is_more)
            .map(|last| format!("{href}?before={}", last.id)),
        newest: before.map(|_| href.clone()),
        zone: subject.zone.name(),
    }))
}

/// Whether the next run is to be recorded.
#[derive(Deserialize)]
pub struct Record {
    next: bool,
}

/// `POST /installations/{name}/runs/record`
pub async fn record(
    State(app): State<App>,
    Path(name): Path<String>,
    Form(Record { next }): Form<Record>,
) -> Result<Redirect, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    app.host.store().set_record_next(&name, next).await?;
    Ok(Redirect::to(&subject.href(&app, Place::Runs)))
}
