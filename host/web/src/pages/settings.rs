//! The settings of an installation as a form, by the groups of the manifest.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::check_part::CheckPart;
use super::fields::{self, Control, Group};
use super::form::{Feedback, Saved, Submitted, submit};
use super::installation_page::{InstallationPage, Place};
use crate::App;
use crate::choices::Choices;
use crate::failure::Failure;
use crate::frame::{Frame, page_with};
use crate::login::session::Visitor;
use crate::texts;
use addon_manifest::HookSpec;
use addon_service::scheduler::InstallationView;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    href: String,
    saved: Option<usize>,
    /// Fields that cannot be saved: key and title.
    wrong: Vec<(String, String)>,
    problem: Option<String>,
    check: CheckPart,
    /// Address of who changed what.
    changes: String,
    groups: Vec<Group>,
    hooks: Vec<Hook>,
}

/// Where a service sends its messages.
struct Hook {
    title: String,
    /// Below the name of this host.
    path: String,
    is_on: bool,
    /// Title of the secret that it signs with.
    secret: String,
}

/// `GET /installations/{name}/settings`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(saved): Query<Saved>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    draw(&app, &visitor, &subject, StatusCode::OK, saved.into()).await
}

/// `POST /installations/{name}/settings`
pub async fn save(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    let changes = fields::requested(
        &subject.situation.manifest,
        &subject.situation.settings,
        &form,
    );
    match submit(&app, &visitor, &subject, Place::Settings.into(), changes).await? {
        Submitted::Saved(redirect) => Ok(redirect),
        Submitted::Refused(status, feedback) => {
            draw(&app, &visitor, &subject, status, feedback).await
        }
    }
}

async fn draw(
    app: &App,
    visitor: &Visitor,
    subject: &InstallationPage,
    status: StatusCode,
    feedback: Feedback,
) -> Result<Response, Failure> {
    let manifest = &subject.situation.manifest;
    let choices = Choices::load(app, visitor, subject.name(), fields::sources(manifest)).await;
    let check = CheckPart::load(app, subject).await?;
    let fields = fields::fields(
        subject,
        &choices,
        &feedback.typed,
        &feedback.problems,
        &check.findings,
    );
    let wrong = fields.iter().filter(|field| field.error.is_some());
    let wrong = wrong
        .map(|field| (field.key.clone(), field.title.clone()))
        .collect();
    let template = SettingsPage {
        frame: subject.frame(app, visitor, Place::Settings, texts::settings::TITLE),
        href: subject.href(app, Place::Settings),
        saved: feedback.saved,
        wrong,
        problem: feedback.problem,
        check,
        changes: subject.href(app, Place::Changes),
        groups: fields::grouped(manifest, fields),
        hooks: manifest
            .hooks
            .iter()
            .map(|spec| hook(app, subject, spec))
            .collect(),
    };
    Ok(page_with(status, &template))
}

fn hook(app: &App, subject: &InstallationPage, spec: &HookSpec) -> Hook {
    let InstallationView {
        manifest, secrets, ..
    } = &subject.situation;
    let secret = &spec.signature.secret;
    Hook {
        title: spec.title.clone(),
        path: app.href(&format!("/hooks/{}/{}", subject.name(), spec.id)),
        is_on: secrets.contains(secret),
        secret: manifest
            .setting(secret)
            .map_or_else(|| secret.clone(), |setting| setting.title.clone()),
    }
}
