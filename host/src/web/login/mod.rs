//! Logging in and out, and the guard in front of every page that needs it.

mod first_account;
pub mod password;
pub mod session;
mod throttle;

pub use first_account::{FirstAccountError, first_account};

use std::sync::{Mutex, MutexGuard, PoisonError};

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tokio::sync::Semaphore;

use self::session::{SessionError, Visitor};
use self::throttle::Throttle;
use super::App;
use super::failure::Failure;
use super::frame::{Frame, page, page_with};
use crate::store::Role;
use crate::vault::Secret;

/// What stands between a visitor and an account.
pub struct Door {
    throttle: Mutex<Throttle>,
    /// Each verification takes 64 MiB: two at a time, the others queue.
    verifying: Semaphore,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            throttle: Mutex::default(),
            verifying: Semaphore::new(2),
        }
    }
}

/// Longest name that is looked up.
const LONGEST_NAME: usize = 100;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    account: String,
    next: String,
    problem: Option<String>,
}

#[derive(Deserialize)]
pub struct Wish {
    /// The page to go to.
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub struct Credentials {
    account: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `GET /login`
pub async fn show(State(app): State<App>, Query(wish): Query<Wish>) -> Response {
    page(&login_page(&app, String::new(), wish.next, None))
}

/// `POST /login`
pub async fn enter(
    State(app): State<App>,
    headers: HeaderMap,
    Form(Credentials {
        account,
        password,
        next,
    }): Form<Credentials>,
) -> Result<Response, Failure> {
    let account: String = account.trim().chars().take(LONGEST_NAME).collect();
    let password = Secret::new(password);
    if let Err(seconds) = app.door.throttle().attempt(&account, app.clock.now()) {
        let problem = format!("Too many attempts. Try again in {seconds} s.");
        let form = login_page(&app, account, next, Some(problem));
        return Ok((
            [(header::RETRY_AFTER, seconds)],
            page_with(StatusCode::TOO_MANY_REQUESTS, &form),
        )
            .into_response());
    }
    if !verify(&app, &account, password).await? {
        let form = login_page(
            &app,
            account,
            next,
            Some("The name or the password is wrong.".to_owned()),
        );
        return Ok(page_with(StatusCode::UNAUTHORIZED, &form));
    }
    app.door.throttle().succeeded(&account);
    let store = app.host.store();
    // A token that somebody else may know ends here.
    session::close(store, &headers).await?;
    let token = session::open(store, &account, &headers, app.clock.now()).await?;
    tracing::info!(account, "logged in");
    let cookie = session::set_cookie(Some(&token), app.base.cookie_path(), &headers);
    Ok((
        [(header::SET_COOKIE, cookie)],
        Redirect::to(&inside(&app, &next)),
    )
        .into_response())
}

/// `POST /logout`
pub async fn leave(State(app): State<App>, headers: HeaderMap) -> Result<Response, Failure> {
    session::close(app.host.store(), &headers).await?;
    let cookie = session::set_cookie(None, app.base.cookie_path(), &headers);
    Ok((
        [(header::SET_COOKIE, cookie)],
        Redirect::to(&app.href("/login")),
    )
        .into_response())
}

/// Lets requests of a session pass, with their [`session::Visitor`]; others are shown the way to the log-in.
pub async fn require(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let watching = request.uri().path().ends_with("/live");
    let visitor = session::find(
        app.host.store(),
        request.headers(),
        !watching,
        app.clock.now(),
    )
    .await?;
    if let Some(visitor) = visitor {
        request.extensions_mut().insert(visitor);
        return Ok(next.run(request).await);
    }
    if watching {
        return Ok(StatusCode::UNAUTHORIZED.into_response());
    }
    let mut login = app.href("/login");
    if request.method() == Method::GET {
        let wish: String =
            url::form_urlencoded::byte_serialize(request.uri().to_string().as_bytes()).collect();
        login = format!("{login}?next={wish}");
    }
    Ok(Redirect::to(&login).into_response())
}

/// Lets visitors of a role pass; stands behind [`require`].
pub async fn permit(
    State(needed): State<Role>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    if visitor.role >= needed {
        return Ok(next.run(request).await);
    }
    Err(Failure::new(
        StatusCode::FORBIDDEN,
        format!(
            "This needs the role “{needed}”, and {} has “{}”. Somebody who administers can change that.",
            visitor.account, visitor.role
        ),
    ))
}

impl Door {
    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        // Counts stay counts, whoever panicked.
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is such an account and the password is its own; both take the same time to refuse.
async fn verify(app: &App, account: &str, password: Secret) -> Result<bool, Failure> {
    let stored = app
        .host
        .store()
        .account(account)
        .await?
        .map(|account| account.password_hash);
    let _turn = app
        .door
        .verifying
        .acquire()
        .await
        .map_err(|closed| Failure::internal(&closed))?;
    let is_known = stored.is_some();
    let verifying =
        tokio::task::spawn_blocking(move || password::verify(&password, stored.as_deref()));
    let verified = verifying.await.map_err(|error| Failure::internal(&error))?;
    match (verified, is_known) {
        (true, _) => {}
        (false, true) => tracing::warn!(account, "a password was refused"),
        // Not even its name: people type their password into the wrong field.
        (false, false) => tracing::warn!("a log-in to an account that does not exist was refused"),
    }
    Ok(verified)
}

fn login_page(app: &App, account: String, next: String, problem: Option<String>) -> LoginPage {
    LoginPage {
        frame: Frame::new(app.base.as_str(), None, "Log in"),
        account,
        next,
        problem,
    }
}

/// The address of the page that was asked for, where it is one of ours; a link cannot lead people elsewhere through
/// their log-in. `next` is relative to the base path.
fn inside(app: &App, next: &str) -> String {
    let plain = next.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    let ours = next.starts_with("/installations") || next.starts_with("/runs/");
    app.href(if plain && ours {
        next
    } else {
        "/installations"
    })
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Store(error) => error.into(),
            random @ SessionError::Random(_) => Self::internal(&random),
        }
    }
}
