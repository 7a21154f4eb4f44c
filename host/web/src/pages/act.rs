//! A person's act on rows of a page. One that needs values or a confirmation shows a page first, and does nothing until that is
//! sent; what the add-on answers is shown on the page that it was asked from.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::fields::{Control, Field};
use super::inputs::{given, inputs, offers, unplaced};
use super::installation_page::{InstallationPage, Place};
use super::rows::{self, Notice, RowsQuery};
use crate::App;
use crate::failure::Failure;
use crate::frame::{Frame, page_with};
use crate::login::session::Visitor;
use crate::texts;
use addon_manifest::ActSpec;
use addon_service::host::{ActRequest, HostError, answer};
use addon_settings::FieldProblem;

/// How long a page waits for an act; after it, the page of its run tells the rest.
const PATIENCE: Duration = Duration::from_secs(30);

/// Rows that are named before they are only counted.
const NAMED: usize = 20;

#[derive(Template)]
#[template(path = "act.html")]
struct ActPage {
    frame: Frame,
    /// The form's address.
    href: String,
    back: String,
    act: String,
    title: String,
    help: String,
    confirm: Option<String>,
    rows: Vec<String>,
    named: String,
    /// Where the person was on the page.
    kept: Vec<(String, String)>,
    inputs: Vec<Field>,
    problem: Option<String>,
}

/// `POST /installations/{name}/pages/{page}/act`: `act`, `row` (several), values, and where the person was; `confirmed` = `1`
/// where it was confirmed.
pub async fn submit(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path((name, page)): Path<(String, String)>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    let all = |wanted: &'static str| {
        form.iter()
            .filter(move |(name, _)| name == wanted)
            .map(|(_, value)| value.clone())
    };
    let act = all("act").next().unwrap_or_default();
    let spec = subject.situation.manifest.page(&page);
    let spec = spec
        .and_then(|spec| spec.act(&act))
        .ok_or_else(|| Failure::not_found(texts::failure::NO_ACT))?;
    let request = ActRequest {
        page: page.clone(),
        act,
        rows: all("row").collect(),
        values: given(&spec.values, &form),
        actor: visitor.account.clone(),
    };
    let wish = RowsQuery::of(&form);
    let asks = spec.confirm.is_some() || !spec.values.is_empty();
    let confirmed = all("confirmed").any(|value| value == "1");
    if asks && !confirmed && spec.rows.fits(request.rows.len()) {
        let draft = Draft::new(spec, &request, &wish);
        return Ok(draft.draw(&app, &visitor, &subject, StatusCode::OK).await);
    }
    let (host, installation, wanted) = (app.host.clone(), name.clone(), request.clone());
    let started = App::detached(async move { host.start_act(&installation, wanted).await }).await?;
    let error = match started {
        Err(error) => error,
        Ok(handle) => {
            let run = handle.id();
            let Ok(outcome) = tokio::time::timeout(PATIENCE, handle.wait()).await else {
                return Ok(Redirect::to(&app.href(&format!("/runs/{run}"))).into_response());
            };
            match answer(&outcome) {
                Err(error) => error,
                Ok(_) => {
                    // What a row has to choose from may be another now.
                    app.choices.forget(&name);
                    let address = wish.address(&subject.href(&app, Place::Page(&page)), run);
                    return Ok(Redirect::to(&address).into_response());
                }
            }
        }
    };
    let problems = match &error {
        HostError::Inputs(problems) => problems.clone(),
        _ => Vec::new(),
    };
    let is_no = matches!(&error, HostError::Addon(_));
    let Failure { status, message } = error.into();
    // The add-on works, and what it answered is no.
    let status = if is_no {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        status
    };
    if asks && spec.rows.fits(request.rows.len()) {
        let mut draft = Draft::new(spec, &request, &wish);
        draft.problem = problems.is_empty().then_some(message);
        draft.problems = problems;
        return Ok(draft.draw(&app, &visitor, &subject, status).await);
    }
    let notice = Notice::Refused(status, message);
    rows::draw(&app, &visitor, &subject, &page, &wish, notice).await
}

/// An act that is not done yet.
struct Draft<'a> {
    spec: &'a ActSpec,
    request: &'a ActRequest,
    wish: &'a RowsQuery,
    problems: Vec<FieldProblem>,
    problem: Option<String>,
}

impl<'a> Draft<'a> {
    fn new(spec: &'a ActSpec, request: &'a ActRequest, wish: &'a RowsQuery) -> Self {
        Self {
            spec,
            request,
            wish,
            problems: Vec::new(),
            problem: None,
        }
    }

    async fn draw(
        self,
        app: &App,
        visitor: &Visitor,
        subject: &InstallationPage,
        status: StatusCode,
    ) -> Response {
        let place = Place::Page(&self.request.page);
        let href = subject.href(app, place);
        let rows = &self.request.rows;
        let row = match rows.as_slice() {
            [row] => Some(row.as_str()),
            _ => None,
        };
        let offers = offers(app, visitor, subject.name(), &self.spec.values, row).await;
        let first = &rows[..rows.len().min(NAMED)];
        let named = match subject.situation.manifest.page(&self.request.page) {
            Some(page) => rows::names(app, subject, page, self.wish, first).await,
            None => first.to_vec(),
        };
        let named = match rows.len().checked_sub(NAMED) {
            Some(rest) if rest > 0 => texts::act::and_more(&named.join(", "), rest),
            _ => named.join(", "),
        };
        let template = ActPage {
            frame: subject.frame(app, visitor, place, &self.spec.title),
            back: self.wish.again(&href),
            href: format!("{href}/act"),
            act: self.spec.id.clone(),
            title: self.spec.title.clone(),
            help: self.spec.help.clone(),
            confirm: self.spec.confirm.clone(),
            rows: rows.clone(),
            named,
            kept: self.wish.fields(),
            inputs: inputs(
                &self.spec.values,
                row,
                &offers,
                &self.request.values,
                &self.problems,
            ),
            problem: self
                .problem
                .or_else(|| unplaced(&self.spec.values, &self.problems)),
        };
        page_with(status, &template)
    }
}
