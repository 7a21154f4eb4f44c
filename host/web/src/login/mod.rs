//! Logging in and out, and the guard in front of every page that needs it.

pub mod account;
mod browser;
mod first_account;
mod known;
pub mod password;
pub mod session;
pub mod throttle;

pub use browser::Sender;
pub use first_account::first_account;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tokio::sync::Semaphore;
use url::Url;

use self::session::{SessionError, Visitor};
use self::throttle::Throttle;
use super::App;
use super::failure::Failure;
use super::frame::{Frame, page, page_with};
use super::texts;
use addon_service::host::Entry;
use addon_store::{Account, LoginSource, Role};
use addon_traffic::Person;
use addon_vault::Secret;

/// What stands between a visitor and an account.
pub struct LoginGuard {
    throttle: Mutex<Throttle>,
    /// Each verification takes 64 MiB: two at a time, the others queue.
    verifying: Semaphore,
    /// Each keeps a service busy for its while.
    asking: Semaphore,
}

impl Default for LoginGuard {
    fn default() -> Self {
        Self {
            throttle: Mutex::default(),
            verifying: Semaphore::new(2),
            asking: Semaphore::new(4),
        }
    }
}

/// For a service to say who somebody is.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest name that is looked up.
const LONGEST_NAME: usize = 100;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    account: String,
    next: String,
    problem: Option<String>,
    /// Somebody may come in by a service's word.
    has_sources: bool,
    /// The code of the second factor is asked for.
    wants_code: bool,
    /// Shows that the password was right; empty: it is asked for.
    mark: String,
}

#[derive(Deserialize)]
pub struct LoginQuery {
    /// The page to go to.
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub struct Credentials {
    account: String,
    #[serde(default)]
    password: String,
    /// Of the second factor, a service's or ours.
    #[serde(default)]
    code: String,
    /// In the place of the password, once that was right.
    #[serde(default)]
    mark: String,
    #[serde(default)]
    next: String,
}

/// What somebody shows for being who they say.
struct Proof {
    password: Secret,
    code: String,
    mark: String,
}

/// What becomes of an attempt.
enum Attempt {
    /// Into the account.
    In,
    /// A service wants one with the password.
    CodeWanted,
    /// The password is right, and the account has a second factor.
    HalfIn {
        mark: String,
        /// A code was given, and is not the one.
        wrong: bool,
    },
    Refused,
    /// The service that was asked gave no answer.
    Unanswered,
}

/// `GET /login`
pub async fn show(
    State(app): State<App>,
    Query(wish): Query<LoginQuery>,
) -> Result<Response, Failure> {
    let form = login_page(&app, String::new(), wish.next).await?;
    Ok(page(&form))
}

/// `POST /login`
pub async fn enter(
    State(app): State<App>,
    sender: Option<Extension<Sender>>,
    headers: HeaderMap,
    Form(Credentials {
        account,
        password,
        code,
        mark,
        next,
    }): Form<Credentials>,
) -> Result<Response, Failure> {
    let account: String = account.trim().chars().take(LONGEST_NAME).collect();
    let proof = Proof {
        password: Secret::new(password),
        code,
        mark,
    };
    let stored = app.host.store().account(&account).await?;
    let sender = sender.map(|Extension(sender)| sender);
    let counted = counted(&app, &account, stored.as_ref(), &headers, sender).await?;
    let counting = app.door.throttle().attempt(&counted, app.clock.now());
    if let Err(seconds) = counting {
        let mut form = login_page(&app, account, next).await?;
        form.problem = Some(texts::login::too_many(seconds));
        return Ok((
            [(header::RETRY_AFTER, seconds)],
            page_with(StatusCode::TOO_MANY_REQUESTS, &form),
        )
            .into_response());
    }
    let attempt = attempt(&app, &account, stored, proof).await?;
    if matches!(attempt, Attempt::In) {
        return admit(&app, &headers, &account, &counted, &next).await;
    }
    let form = login_page(&app, account, next).await?;
    Ok(ask_again(form, attempt))
}

/// The form once more, with what is wrong or wanted.
fn ask_again(mut form: LoginPage, attempt: Attempt) -> Response {
    form.wants_code = matches!(attempt, Attempt::CodeWanted | Attempt::HalfIn { .. });
    let mut status = StatusCode::UNAUTHORIZED;
    let problem = match attempt {
        Attempt::HalfIn { mark, wrong } => {
            form.mark = mark;
            wrong.then_some(texts::login::WRONG_CODE)
        }
        Attempt::CodeWanted => Some(texts::login::CODE_WANTED),
        Attempt::In | Attempt::Refused => Some(texts::login::WRONG),
        Attempt::Unanswered => {
            status = StatusCode::BAD_GATEWAY;
            Some(texts::login::UNANSWERED)
        }
    };
    form.problem = problem.map(str::to_owned);
    page_with(status, &form)
}

/// Counts an attempt to prove that somebody is who is logged in; refused: the seconds to wait.
pub async fn count(
    app: &App,
    account: &str,
    headers: &HeaderMap,
    sender: Option<Sender>,
) -> Result<Result<throttle::Attempt, i64>, Failure> {
    let stored = app.host.store().account(account).await?;
    let counted = counted(app, account, stored.as_ref(), headers, sender).await?;
    let counting = app.door.throttle().attempt(&counted, app.clock.now());
    Ok(counting.map(|()| counted))
}

/// As what an attempt counts. A service may not care how its people's names are written.
async fn counted(
    app: &App,
    account: &str,
    stored: Option<&Account>,
    headers: &HeaderMap,
    sender: Option<Sender>,
) -> Result<throttle::Attempt, Failure> {
    let name = account.to_lowercase();
    let stored = match stored {
        Some(stored) => Some(stored.password_hash.clone()),
        None => {
            let alike = app.host.store().account(&name).await?;
            alike.map(|stored| stored.password_hash)
        }
    };
    Ok(throttle::Attempt {
        from: browser::origin(app, &name, headers, sender),
        stored,
        name,
    })
}

/// Opens a session and shows the way to the page that was asked for.
async fn admit(
    app: &App,
    headers: &HeaderMap,
    account: &str,
    counted: &throttle::Attempt,
    next: &str,
) -> Result<Response, Failure> {
    app.door.succeeded(counted);
    let store = app.host.store();
    // A token that somebody else may know ends here.
    session::close(store, headers).await?;
    let token = session::open(store, account, headers, app.clock.now()).await?;
    tracing::info!(account, "logged in");
    let cookie = session::set_cookie(Some(&token), app.base.cookie_path(), headers);
    let known = browser::set_cookie(app, &counted.name, headers)?;
    let mut answer = Redirect::to(&inside(app, next)).into_response();
    for cookie in [cookie, known] {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(answer)
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
        texts::failure::forbidden(needed, &visitor.account, visitor.role),
    ))
}

impl LoginGuard {
    /// What was tried was right.
    pub fn succeeded(&self, attempt: &throttle::Attempt) {
        self.throttle().succeeded(attempt);
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        // Counts stay counts, whoever panicked.
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By the password that is stored here, or by a service's word where the name is one of its people's.
async fn attempt(
    app: &App,
    account: &str,
    stored: Option<Account>,
    proof: Proof,
) -> Result<Attempt, Failure> {
    let stored = stored.filter(|account| account.source.is_empty());
    if stored.is_none()
        && let Some((source, login)) = app.host.source_of(account).await?
    {
        let person = Person {
            login,
            password: &proof.password,
            code: &proof.code,
        };
        return ask(app, &source, &person).await;
    }
    if let Some(stored) = &stored
        && app
            .host
            .is_password_mark(account, &stored.password_hash, &proof.mark)
    {
        return second_factor(app, stored, &proof.code).await;
    }
    let hash = stored.as_ref().map(|account| account.password_hash.clone());
    match (verify(app, hash, proof.password).await?, stored) {
        (true, Some(stored)) => return second_factor(app, &stored, &proof.code).await,
        (_, Some(_)) => tracing::warn!(account, "a password was refused"),
        // Not even its name: people type their password into the wrong field.
        (_, None) => tracing::warn!("a log-in to an account that does not exist was refused"),
    }
    Ok(Attempt::Refused)
}

/// What is left where the password was right.
async fn second_factor(app: &App, account: &Account, code: &str) -> Result<Attempt, Failure> {
    if !account.has_second_factor {
        return Ok(Attempt::In);
    }
    let wrong = !code.is_empty();
    if wrong && app.host.take_code(&account.name, code).await? {
        return Ok(Attempt::In);
    }
    if wrong {
        tracing::warn!(account = account.name, "a code was refused");
    }
    let mark = app
        .host
        .password_mark(&account.name, &account.password_hash);
    Ok(Attempt::HalfIn { mark, wrong })
}

async fn ask(app: &App, source: &LoginSource, person: &Person<'_>) -> Result<Attempt, Failure> {
    let _turn = app
        .door
        .asking
        .acquire()
        .await
        .map_err(|closed| Failure::internal(&closed))?;
    let asked = tokio::time::timeout(PATIENCE, app.host.admit(source, person)).await;
    let installation = &source.installation;
    Ok(match asked {
        Ok(Ok(Entry::Admitted)) => Attempt::In,
        Ok(Ok(Entry::CodeWanted)) => Attempt::CodeWanted,
        Ok(Ok(Entry::Refused)) => {
            tracing::warn!(installation, "a service refused somebody's password");
            Attempt::Refused
        }
        Ok(Err(error)) => {
            tracing::error!(
                installation,
                "nobody can log in by a service's word: {error}"
            );
            Attempt::Unanswered
        }
        Err(_) => {
            tracing::error!(
                installation,
                "a service did not say in time who somebody is"
            );
            Attempt::Unanswered
        }
    })
}

/// Whether the password is the one that was hashed; without a hash it takes the same time to say no.
/// Whether a password is the account's. Whoever calls this counts the attempt.
pub async fn is_password(app: &App, account: &str, password: Secret) -> Result<bool, Failure> {
    let stored = app.host.store().account(account).await?;
    verify(app, stored.map(|account| account.password_hash), password).await
}

async fn verify(app: &App, hash: Option<String>, password: Secret) -> Result<bool, Failure> {
    let _turn = app
        .door
        .verifying
        .acquire()
        .await
        .map_err(|closed| Failure::internal(&closed))?;
    let verifying =
        tokio::task::spawn_blocking(move || password::verify(&password, hash.as_deref()));
    verifying.await.map_err(|error| Failure::internal(&error))
}

async fn login_page(app: &App, account: String, next: String) -> Result<LoginPage, Failure> {
    Ok(LoginPage {
        frame: Frame::new(app.base.as_str(), None, texts::login::TITLE),
        account,
        next,
        problem: None,
        has_sources: !app.host.store().login_sources().await?.is_empty(),
        wants_code: false,
        mark: String::new(),
    })
}

/// The address of the page that was asked for, where it is one of ours; a link cannot lead people elsewhere through
/// their log-in. `next` is relative to the base path.
fn inside(app: &App, next: &str) -> String {
    let plain = next.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    let ours = ["/installations", "/runs/"].map(|ours| app.href(ours));
    let wanted = app.href(next);
    // As a browser reads it: `..` leads up, also where it is encoded.
    let read = Url::parse("http://host").and_then(|host| host.join(&wanted));
    let is_ours = |url: Url| ours.iter().any(|ours| url.path().starts_with(ours));
    if plain && next.starts_with('/') && read.is_ok_and(is_ours) {
        wanted
    } else {
        app.href("/installations")
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Store(error) => error.into(),
            random @ SessionError::Random(_) => Self::internal(&random),
        }
    }
}
