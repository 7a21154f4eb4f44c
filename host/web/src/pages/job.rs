//! Starting a job: at once, or with a form where it has options.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::fields::{Control, Field};
use super::inputs::{given, inputs, offers, unplaced};
use super::installation_page::{InstallationPage, Place};
use super::jobs;
use crate::App;
use crate::failure::Failure;
use crate::frame::{Frame, page_with};
use crate::login::session::Visitor;
use crate::texts;
use addon_service::host::{HostError, RunRequest};
use addon_settings::FieldProblem;
use addon_store::Trigger;

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    frame: Frame,
    title: String,
    help: String,
    href: String,
    back: String,
    preview: bool,
    problem: Option<String>,
    inputs: Vec<Field>,
}

/// What is to be said about the form when it is shown again.
#[derive(Default)]
struct Feedback {
    typed: Vec<(String, String)>,
    problems: Vec<FieldProblem>,
    problem: Option<String>,
}

/// `GET /installations/{name}/jobs/{job}/form`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path((name, job)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    let feedback = Feedback::default();
    draw(&app, &visitor, &subject, &job, StatusCode::OK, feedback).await
}

/// `POST /installations/{name}/jobs/{job}`; `preview` = `1`: only list what would be done.
pub async fn start(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path((name, job)): Path<(String, String)>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    let spec = subject.situation.manifest.job(&job);
    let typed = given(spec.map_or(&[], |spec| &spec.options), &form);
    let request = RunRequest {
        preview: form
            .iter()
            .any(|(name, value)| name == "preview" && value == "1"),
        trigger: Trigger::Person,
        options: typed.clone(),
        actor: visitor.account.clone(),
    };
    let (host, installation, id) = (app.host.clone(), name.clone(), job.clone());
    let started =
        App::detached(async move { host.start_run(&installation, &id, request).await }).await?;
    let error = match started {
        Ok(run) => {
            let address = app.href(&format!("/runs/{}", run.id()));
            return Ok(Redirect::to(&address).into_response());
        }
        Err(error) => error,
    };
    let has_form = spec.is_some_and(|spec| !spec.options.is_empty());
    let problems = match &error {
        HostError::Inputs(problems) => problems.clone(),
        _ => Vec::new(),
    };
    let Failure { status, message } = error.into();
    if !has_form {
        return Ok(jobs::draw(&app, &visitor, &subject, status, Some(message)));
    }
    // What belongs to a field is told there.
    let problem = problems.is_empty().then_some(message);
    let feedback = Feedback {
        typed,
        problems,
        problem,
    };
    draw(&app, &visitor, &subject, &job, status, feedback).await
}

async fn draw(
    app: &App,
    visitor: &Visitor,
    subject: &InstallationPage,
    job: &str,
    status: StatusCode,
    feedback: Feedback,
) -> Result<Response, Failure> {
    let manifest = &subject.situation.manifest;
    let spec = manifest
        .job(job)
        .ok_or_else(|| Failure::not_found(texts::failure::NO_JOB))?;
    let back = subject.href(app, Place::Jobs);
    let offers = offers(app, visitor, subject.name(), &spec.options, None).await;
    Ok(page_with(
        status,
        &JobPage {
            frame: subject.frame(app, visitor, Place::Jobs, &spec.title),
            title: spec.title.clone(),
            help: spec.help.clone(),
            href: format!("{back}/{job}"),
            back,
            preview: spec.preview,
            problem: feedback
                .problem
                .or_else(|| unplaced(&spec.options, &feedback.problems)),
            inputs: inputs(
                &spec.options,
                None,
                &offers,
                &feedback.typed,
                &feedback.problems,
            ),
        },
    ))
}
