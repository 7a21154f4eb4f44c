//! The settings of an installation as a form, by the groups of the manifest.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::check_part::CheckPart;
use super::fields::{self, Control, Field};
use super::form::{Feedback, Saved, Submitted, submit};
use super::subject::{Place, Subject};
use crate::web::App;
use crate::web::choices::Choices;
use crate::web::failure::Failure;
use crate::web::frame::{Frame, page_with};
use crate::web::login::session::Visitor;
use crate::web::texts;

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
}

struct Group {
    title: String,
    fields: Vec<Field>,
}

/// `GET /installations/{name}/settings`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(saved): Query<Saved>,
) -> Result<Response, Failure> {
    let subject = Subject::load(&app, &name).await?;
    draw(&app, &visitor, &subject, StatusCode::OK, saved.into()).await
}

/// `POST /installations/{name}/settings`
pub async fn save(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let subject = Subject::load(&app, &name).await?;
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
    subject: &Subject,
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
    let mut groups: Vec<Group> = Vec::new();
    for (spec, field) in manifest.settings.iter().zip(fields) {
        match groups.iter_mut().find(|group| group.title == spec.group) {
            Some(group) => group.fields.push(field),
            None => groups.push(Group {
                title: spec.group.clone(),
                fields: vec![field],
            }),
        }
    }
    let template = SettingsPage {
        frame: subject.frame(app, visitor, Place::Settings, texts::settings::TITLE),
        href: subject.href(app, Place::Settings),
        saved: feedback.saved,
        wrong,
        problem: feedback.problem,
        check,
        changes: subject.href(app, Place::Changes),
        groups,
    };
    Ok(page_with(status, &template))
}
