//! Who may log in here, and what they may do. Passwords are made up by the host and shown once, on the answer to the request that asked
//! for them: never in an address, never kept.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono_tz::Tz;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::App;
use crate::failure::Failure;
use crate::frame::{Frame, Moment, page_with};
use crate::login::account::{AccountError, with_new_password};
use crate::login::session::Visitor;
use crate::texts;
use crate::zone;
use addon_store::{Role, StoreError};

const ROLES: [Role; 3] = [Role::View, Role::Operate, Role::Administer];

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    frame: Frame,
    zone: Tz,
    href: String,
    people: Vec<Line>,
    /// Installations whose administrators in the service may log in.
    admitted: Vec<String>,
    /// An account and its new password.
    made: Option<(String, String)>,
    problem: Option<String>,
}

struct Line {
    name: String,
    /// Address of what can be done with it.
    href: String,
    role: Role,
    /// The installation whose service vouches for it; empty: it has a password here.
    source: String,
    has_second_factor: bool,
    since: Moment,
    /// The one that is looking.
    is_this: bool,
}

impl Line {
    /// What it may do, and what else there is.
    fn roles(&self) -> [(Role, bool); 3] {
        ROLES.map(|role| (role, role == self.role))
    }
}

#[derive(Deserialize)]
pub struct Wanted {
    name: String,
    role: String,
}

#[derive(Deserialize)]
pub struct NewRole {
    role: String,
}

/// What came of a request.
enum Notice {
    None,
    Made(String, String),
    Refused(StatusCode, String),
}

/// `GET /people`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Failure> {
    draw(&app, &visitor, Notice::None).await
}

/// `POST /people`: a new account.
pub async fn make(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Failure> {
    let name = wanted.name.trim().to_owned();
    let role = parsed(&wanted.role)?;
    if app.host.store().account(&name).await?.is_some() {
        let problem = texts::people::taken(&name);
        return draw(
            &app,
            &visitor,
            Notice::Refused(StatusCode::CONFLICT, problem),
        )
        .await;
    }
    let notice = with_password(&app, &visitor, name, Some(role)).await?;
    draw(&app, &visitor, notice).await
}

/// `POST /people/{name}/password`: another password, and out everywhere.
pub async fn renew(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    if app.host.store().account(&name).await?.is_none() {
        return Err(Failure::not_found(texts::failure::NO_ACCOUNT));
    }
    let notice = with_password(&app, &visitor, name, None).await?;
    draw(&app, &visitor, notice).await
}

/// `POST /people/{name}/role`
pub async fn change_role(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(new): Form<NewRole>,
) -> Result<Response, Failure> {
    let role = parsed(&new.role)?;
    let changed = app
        .host
        .store()
        .set_role(&name, role, &visitor.author(&app))
        .await;
    answer(&app, &visitor, changed).await
}

/// `POST /people/{name}/remove`
pub async fn remove(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let removed = app
        .host
        .store()
        .remove_account(&name, &visitor.author(&app))
        .await;
    answer(&app, &visitor, removed).await
}

async fn with_password(
    app: &App,
    visitor: &Visitor,
    name: String,
    role: Option<Role>,
) -> Result<Notice, Failure> {
    let made = with_new_password(app.host.store(), &name, role, &visitor.author(app)).await;
    Ok(match made {
        Ok(password) => Notice::Made(name, password.expose().to_owned()),
        Err(AccountError::Store(error)) => {
            let Failure { status, message } = error.into();
            Notice::Refused(status, message)
        }
        Err(error @ AccountError::Name(_)) => {
            Notice::Refused(StatusCode::UNPROCESSABLE_ENTITY, format!("{error}."))
        }
        Err(error) => return Err(Failure::internal(&error)),
    })
}

async fn answer(
    app: &App,
    visitor: &Visitor,
    done: Result<(), StoreError>,
) -> Result<Response, Failure> {
    match done {
        Ok(()) => Ok(Redirect::to(&app.href("/people")).into_response()),
        Err(error) => {
            let Failure { status, message } = error.into();
            draw(app, visitor, Notice::Refused(status, message)).await
        }
    }
}

fn parsed(role: &str) -> Result<Role, Failure> {
    let role = role.parse::<Role>();
    role.map_err(|error| Failure::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{error}.")))
}

async fn draw(app: &App, visitor: &Visitor, notice: Notice) -> Result<Response, Failure> {
    let store = app.host.store();
    let zone = zone::shared(app).await?;
    let people = store.accounts().await?.into_iter().map(|account| Line {
        is_this: account.name == visitor.account,
        href: app.href(&format!(
            "/people/{}",
            utf8_percent_encode(&account.name, NON_ALPHANUMERIC)
        )),
        name: account.name,
        role: account.role,
        source: account.source,
        has_second_factor: account.has_second_factor,
        since: Moment::new(account.created_at, zone),
    });
    let sources = store.login_sources().await?;
    let (status, made, problem) = match notice {
        Notice::None => (StatusCode::OK, None, None),
        Notice::Made(name, password) => (StatusCode::OK, Some((name, password)), None),
        Notice::Refused(status, problem) => (status, None, Some(problem)),
    };
    let template = PeoplePage {
        frame: Frame::new(app.base.as_str(), Some(visitor), texts::people::TITLE),
        href: app.href("/people"),
        people: people.collect(),
        admitted: sources
            .into_iter()
            .map(|source| source.installation)
            .collect(),
        made,
        problem,
        zone,
    };
    Ok(page_with(status, &template))
}
