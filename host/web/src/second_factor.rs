//! The second factor of whoever is looking. What codes are made from is shown once, on the answer to the request that asked for it: never
//! in an address, never again.

use addon_service::host::{Offered, Standing};
use addon_vault::Secret;
use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::App;
use super::failure::Failure;
use super::frame::{Frame, page_with};
use super::login::session::Visitor;
use super::login::throttle::Attempt;
use super::login::{self, Sender};
use super::texts;

#[derive(Template)]
#[template(path = "second_factor.html")]
struct SecondFactorPage {
    frame: Frame,
    standing: Standing,
    /// The account has no password here.
    is_theirs: bool,
    offered: Option<Offered>,
    problem: Option<String>,
}

#[derive(Deserialize)]
pub struct Code {
    code: String,
}

#[derive(Deserialize)]
pub struct Password {
    password: String,
}

/// `GET /second-factor`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Failure> {
    draw(&app, &visitor, StatusCode::OK, None, None).await
}

/// `POST /second-factor`: a new one, which counts once it is proven. Whoever found a browser open must not lock its owner out.
pub async fn offer(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    sender: Option<Extension<Sender>>,
    headers: HeaderMap,
    Form(Password { password }): Form<Password>,
) -> Result<Response, Failure> {
    let counted = match count(&app, &visitor, sender, &headers).await? {
        Ok(counted) => counted,
        Err(refused) => return Ok(refused),
    };
    if !login::is_password(&app, &visitor.account, Secret::new(password)).await? {
        let problem = Some(texts::second_factor::WRONG_PASSWORD.to_owned());
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return draw(&app, &visitor, status, None, problem).await;
    }
    app.door.succeeded(&counted);
    match app.host.offer_second_factor(&visitor.account).await? {
        Some(offered) => draw(&app, &visitor, StatusCode::OK, Some(offered), None).await,
        None => {
            let problem = texts::second_factor::CANNOT.to_owned();
            draw(&app, &visitor, StatusCode::CONFLICT, None, Some(problem)).await
        }
    }
}

/// `POST /second-factor/prove`: the first code.
pub async fn prove(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    sender: Option<Extension<Sender>>,
    headers: HeaderMap,
    Form(Code { code }): Form<Code>,
) -> Result<Response, Failure> {
    let account = &visitor.account;
    let proving = async || {
        let proven = app.host.prove_second_factor(account, &code, account).await;
        Ok(proven?)
    };
    try_code(&app, &visitor, sender, &headers, proving).await
}

/// `POST /second-factor/off`
pub async fn turn_off(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    sender: Option<Extension<Sender>>,
    headers: HeaderMap,
    Form(Code { code }): Form<Code>,
) -> Result<Response, Failure> {
    let account = &visitor.account;
    let turning = async || {
        if !app.host.take_code(account, &code).await? {
            return Ok(false);
        }
        let author = visitor.author(&app);
        app.host
            .store()
            .remove_second_factor(account, &author)
            .await?;
        Ok(true)
    };
    try_code(&app, &visitor, sender, &headers, turning).await
}

/// Tries a code, as often as a password may be tried.
async fn try_code(
    app: &App,
    visitor: &Visitor,
    sender: Option<Extension<Sender>>,
    headers: &HeaderMap,
    is_right: impl AsyncFnOnce() -> Result<bool, Failure>,
) -> Result<Response, Failure> {
    let counted = match count(app, visitor, sender, headers).await? {
        Ok(counted) => counted,
        Err(refused) => return Ok(refused),
    };
    if is_right().await? {
        app.door.succeeded(&counted);
        return Ok(Redirect::to(&app.href("/second-factor")).into_response());
    }
    let problem = Some(texts::login::WRONG_CODE.to_owned());
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    draw(app, visitor, status, None, problem).await
}

/// Counts an attempt as one of a log-in; else the page that says how long to wait.
async fn count(
    app: &App,
    visitor: &Visitor,
    sender: Option<Extension<Sender>>,
    headers: &HeaderMap,
) -> Result<Result<Attempt, Response>, Failure> {
    let sender = sender.map(|Extension(sender)| sender);
    Ok(
        match login::count(app, &visitor.account, headers, sender).await? {
            Ok(counted) => Ok(counted),
            Err(seconds) => {
                let problem = Some(texts::login::too_many(seconds));
                let status = StatusCode::TOO_MANY_REQUESTS;
                Err(draw(app, visitor, status, None, problem).await?)
            }
        },
    )
}

async fn draw(
    app: &App,
    visitor: &Visitor,
    status: StatusCode,
    offered: Option<Offered>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let account = app.host.store().account(&visitor.account).await?;
    let template = SecondFactorPage {
        frame: Frame::new(
            app.base.as_str(),
            Some(visitor),
            texts::second_factor::TITLE,
        ),
        standing: app.host.second_factor(&visitor.account).await?,
        is_theirs: account.is_some_and(|account| !account.source.is_empty()),
        offered,
        problem,
    };
    Ok(page_with(status, &template))
}
