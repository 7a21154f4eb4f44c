//! The first page of an installation: what it is connected to, its jobs as buttons, its last runs, and the readiness check.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use serde::Deserialize;

use super::charts::{self, ChartPart};
use super::check_part::CheckPart;
use super::run_line::RunLine;
use super::setup::{self, GuidePart};
use super::subject::{Connected, Next, Place, Subject};
use super::traffic::{self, TrafficPart};
use super::waiting::{self, Waiting};
use crate::store::{Run, RunState};
use crate::web::App;
use crate::web::failure::Failure;
use crate::web::findings;
use crate::web::frame::{Frame, page_with};
use crate::web::login::session::Visitor;
use crate::web::texts;

/// Runs that the page shows.
const LAST_RUNS: u32 = 5;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    href: String,
    problem: Option<String>,
    guide: Option<GuidePart>,
    charts: Vec<ChartPart>,
    /// Runs that are not over.
    working: Vec<RunLine>,
    connected: Vec<Connected>,
    next: Vec<Next>,
    traffic: Vec<TrafficPart>,
    waiting: Option<Waiting>,
    outbox: String,
    check: CheckPart,
    readiness: String,
    jobs: Vec<JobPart>,
    runs: Vec<RunLine>,
    zone: &'static str,
}

struct JobPart {
    title: String,
    help: String,
    href: String,
    preview: bool,
    /// It has options: the button leads to a form.
    asks: bool,
}

/// `GET /installations/{name}`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    draw(&app, &visitor, &name, StatusCode::OK, None).await
}

/// Where a check was asked for: the page of the readiness, or a step of the set-up.
#[derive(Deserialize)]
pub struct From {
    step: Option<usize>,
}

/// `POST /installations/{name}/check`
pub async fn check(
    State(app): State<App>,
    Path(name): Path<String>,
    Form(from): Form<From>,
) -> Result<Redirect, Failure> {
    let subject = Subject::load(&app, &name).await?;
    let (host, installation) = (app.host.clone(), name.clone());
    findings::record(&app, &name, async move { host.check(&installation).await }).await?;
    let back = from
        .step
        .map_or(Place::Readiness, |step| Place::Setup(Some(step)));
    Ok(Redirect::to(&subject.href(&app, back)))
}

/// The page, also where something was refused that was asked for on it.
pub async fn draw(
    app: &App,
    visitor: &Visitor,
    name: &str,
    status: StatusCode,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let subject = Subject::load(app, name).await?;
    let runs = app.host.store().runs(name, None, LAST_RUNS).await?;
    let line = |run: &Run| RunLine::new(app, &subject, run);
    let href = subject.href(app, Place::Overview);
    let jobs = subject.situation.manifest.jobs.iter().map(|job| JobPart {
        title: job.title.clone(),
        help: job.help.clone(),
        href: format!("{href}/jobs/{}", job.id),
        preview: job.preview,
        asks: !job.options.is_empty(),
    });
    Ok(page_with(
        status,
        &OverviewPage {
            frame: subject.frame(app, visitor, Place::Overview, texts::overview::TITLE),
            problem,
            guide: setup::guide(app, &subject).await?,
            charts: charts::load(app, &subject).await,
            working: runs
                .iter()
                .filter(|run| run.state == RunState::Running)
                .map(line)
                .collect(),
            connected: subject.connected(app, visitor),
            next: subject.next(app.clock.now()),
            traffic: traffic::load(app, &subject).await,
            waiting: waiting::count(app, &subject).await,
            outbox: subject.href(app, Place::Page("outbox")),
            check: CheckPart::load(app, &subject).await?,
            readiness: subject.href(app, Place::Readiness),
            jobs: jobs.collect(),
            runs: runs.iter().map(line).collect(),
            zone: subject.zone.name(),
            href,
        },
    ))
}
