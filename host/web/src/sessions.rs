//! Who is logged in where: each visitor's own sessions, and everybody's for those who administer. Any of them can be ended here.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use chrono_tz::Tz;

use super::App;
use super::failure::Failure;
use super::frame::{Frame, Moment, page};
use super::login::session::Visitor;
use super::texts;
use super::zone;
use addon_store::Role;

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    frame: Frame,
    is_everybodys: bool,
    sessions: Vec<Line>,
    zone: Tz,
}

struct Line {
    id: String,
    account: String,
    role: Role,
    agent: String,
    begun: Moment,
    used: Moment,
    /// The one that this page is shown to.
    is_this: bool,
}

/// `GET /sessions`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Failure> {
    let is_everybodys = visitor.role >= Role::Administer;
    let zone = zone::shared(&app).await?;
    let sessions = app.host.store().sessions(app.clock.now()).await?;
    let sessions = sessions
        .into_iter()
        .filter(|session| is_everybodys || session.account == visitor.account)
        .map(|session| Line {
            is_this: session.id == visitor.session,
            id: session.id,
            account: session.account,
            role: session.role,
            agent: session.agent,
            begun: Moment::new(session.created_at, zone),
            used: Moment::new(session.seen_at, zone),
        })
        .collect();
    Ok(page(&SessionsPage {
        frame: Frame::new(app.base.as_str(), Some(&visitor), texts::sessions::TITLE),
        is_everybodys,
        sessions,
        zone,
    }))
}

/// `POST /sessions/{session}/revoke`
pub async fn revoke(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(session): Path<String>,
) -> Result<Response, Failure> {
    // Others' sessions are as good as none for those who do not administer.
    let own = (visitor.role < Role::Administer).then_some(visitor.account.as_str());
    if !app.host.store().revoke_session(&session, own).await? {
        return Err(Failure::not_found(texts::failure::NO_SESSION));
    }
    tracing::info!(by = visitor.account, session, "a session was ended");
    Ok(Redirect::to(&app.href("/sessions")).into_response())
}
