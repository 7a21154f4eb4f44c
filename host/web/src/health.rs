//! For monitors, proxies and service managers, without a log-in: whether the process answers at all (`/health/alive`), and whether
//! work can be given to it (`/health`). What is wrong is told in plain words, and nothing about whom it is wrong for.
//!
//! Beware: whoever restarts a host for not being ready makes an outage of the database worse. Restart for not being alive.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use super::App;
use addon_service::scheduler::Pulse;

/// What a server knows of itself.
#[derive(Clone)]
pub struct Vitals {
    pulse: Arc<Pulse>,
    stopping: watch::Receiver<bool>,
}

impl Vitals {
    /// `stopping` says true once the server was told to stop.
    pub fn new(pulse: Arc<Pulse>, stopping: watch::Receiver<bool>) -> Self {
        Self { pulse, stopping }
    }

    /// Whether the server was told to stop.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// What is wrong with the process itself, if anything.
    pub fn ailment(&self) -> Option<String> {
        let pause = self.pulse.stands_still()?;
        Some(format!(
            "the scheduler has not looked for {} s: the log says why; restart the host",
            pause.as_secs()
        ))
    }
}

/// `GET /health/alive`
pub async fn alive() -> &'static str {
    "ok"
}

/// `GET /health`
pub async fn ready(State(app): State<App>) -> Response {
    if app.vitals.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping").into_response();
    }
    if let Some(ailment) = app.vitals.ailment() {
        return (StatusCode::SERVICE_UNAVAILABLE, ailment).into_response();
    }
    match app.host.store().account_count().await {
        Ok(_) => "ok".into_response(),
        Err(error) => {
            tracing::error!("the database does not answer: {error}");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer: the log says why",
            )
                .into_response()
        }
    }
}
