//! The first page of an installation: is all well, what needs people, what it is connected to, the books as charts, its last runs.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::response::{Redirect, Response};
use serde::Deserialize;

use super::charts::{self, ChartPart};
use super::check_part::CheckPart;
use super::glance::Glance;
use super::installation_page::{Connected, InstallationPage, Next, Place};
use super::jobs::JobPart;
use super::run_line::RunLine;
use super::setup::{self, GuidePart};
use super::todo::ToDo;
use super::traffic;
use super::verdict::{Evidence, VerdictPart};
use super::waiting::{self, Waiting};
use crate::App;
use crate::failure::Failure;
use crate::findings;
use crate::frame::{Frame, page};
use crate::login::session::Visitor;
use crate::texts;
use addon_store::{Run, RunState};

/// Runs that are looked through for what happened last.
const LAST_RUNS: u32 = 30;

/// Runs that the page shows.
const SHOWN_RUNS: usize = 5;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    href: String,
    verdict: VerdictPart,
    todo: ToDo,
    todo_href: String,
    guide: Option<GuidePart>,
    charts: Vec<ChartPart>,
    /// Runs that are not over.
    working: Vec<RunLine>,
    connected: Vec<Connected>,
    next: Vec<Next>,
    waiting: Option<Waiting>,
    outbox: String,
    check: CheckPart,
    readiness: String,
    /// Those that people start often.
    jobs: Vec<JobPart>,
    runs: Vec<RunLine>,
    zone: &'static str,
}

/// `GET /installations/{name}`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    draw(&app, &visitor, &subject).await
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
    let subject = InstallationPage::load(&app, &name).await?;
    let (host, installation) = (app.host.clone(), name.clone());
    findings::record(&app, &name, async move { host.check(&installation).await }).await?;
    let back = from
        .step
        .map_or(Place::Readiness, |step| Place::Setup(Some(step)));
    Ok(Redirect::to(&subject.href(&app, back)))
}

async fn draw(
    app: &App,
    visitor: &Visitor,
    subject: &InstallationPage,
) -> Result<Response, Failure> {
    let store = app.host.store();
    let runs = store.runs(subject.name(), None, LAST_RUNS).await?;
    let line = |run: &Run| RunLine::new(app, subject, run);
    let traffic = traffic::load(app, subject).await;
    let check = CheckPart::load(app, subject).await?;
    let guide = setup::guide(app, subject, &check).await?;
    let mut glance = Glance::new(app, subject);
    let todo = ToDo::load(app, subject, &mut glance).await;
    let evidence = Evidence {
        app,
        subject,
        traffic: &traffic,
        guide: guide.as_ref(),
        check: &check,
        todo: &todo,
        runs: &runs,
    };
    let often = subject.situation.manifest.jobs.iter();
    let often = often.filter(|job| job.home && job.options.is_empty());
    Ok(page(&OverviewPage {
        frame: subject.frame(app, visitor, Place::Overview, texts::overview::TITLE),
        verdict: evidence.verdict().await?,
        guide,
        charts: charts::load(app, subject, &mut glance).await,
        working: runs
            .iter()
            .filter(|run| run.state == RunState::Running)
            .map(line)
            .collect(),
        connected: subject.connected(app, visitor),
        next: subject.next(app.clock.now()),
        waiting: waiting::count(subject, &mut glance).await,
        outbox: subject.href(app, Place::Page("outbox")),
        check,
        readiness: subject.href(app, Place::Readiness),
        jobs: often.map(|job| JobPart::new(app, subject, job)).collect(),
        runs: runs.iter().take(SHOWN_RUNS).map(line).collect(),
        zone: subject.zone.name(),
        todo_href: subject.href(app, Place::ToDo),
        todo,
        href: subject.href(app, Place::Overview),
    }))
}
