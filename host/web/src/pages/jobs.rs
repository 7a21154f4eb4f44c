//! All that can be run, as buttons.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::installation_page::{InstallationPage, Place};
use crate::App;
use crate::failure::Failure;
use crate::frame::{Frame, page_with};
use crate::login::session::Visitor;
use crate::texts;
use addon_manifest::JobSpec;

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    frame: Frame,
    problem: Option<String>,
    jobs: Vec<JobPart>,
}

pub struct JobPart {
    pub title: String,
    pub help: String,
    pub href: String,
    pub preview: bool,
    /// It has options: the button leads to a form.
    pub asks: bool,
}

impl JobPart {
    pub fn new(app: &App, subject: &InstallationPage, job: &JobSpec) -> Self {
        Self {
            title: job.title.clone(),
            help: job.help.clone(),
            href: format!("{}/{}", subject.href(app, Place::Jobs), job.id),
            preview: job.preview,
            asks: !job.options.is_empty(),
        }
    }
}

/// `GET /installations/{name}/jobs`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    Ok(draw(&app, &visitor, &subject, StatusCode::OK, None))
}

/// The page, also where a job was refused that was asked for on it.
pub fn draw(
    app: &App,
    visitor: &Visitor,
    subject: &InstallationPage,
    status: StatusCode,
    problem: Option<String>,
) -> Response {
    let jobs = subject.situation.manifest.jobs.iter();
    page_with(
        status,
        &JobsPage {
            frame: subject.frame(app, visitor, Place::Jobs, texts::jobs::TITLE),
            problem,
            jobs: jobs.map(|job| JobPart::new(app, subject, job)).collect(),
        },
    )
}
