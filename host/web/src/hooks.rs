//! Where services tell of changes: `POST /hooks/INSTALLATION/HOOK`, without a session, proven by a signature.
//!
//! The answer is quick: a message is queued, and worked on later. Whoever is refused learns nothing but that. Refusals are counted in
//! memory and written down once a minute at most, so that nobody can fill a log or a database by them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tower_http::limit::RequestBodyLimitLayer;

use super::App;
use addon_service::host::Received;

/// A record with all of its fields; none of Splynx's is near it.
const MOST_BODY_BYTES: usize = 256 << 10;

/// How often refusals are written down.
const PACE: Duration = Duration::from_secs(60);

pub fn bodies() -> RequestBodyLimitLayer {
    RequestBodyLimitLayer::new(MOST_BODY_BYTES)
}

/// `POST /hooks/{installation}/{hook}`
pub async fn receive(
    State(app): State<App>,
    Path((installation, hook)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let work = async move {
        let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let received = app
            .host
            .receive_hook(&installation, &hook, header, &body)
            .await;
        if matches!(received, Ok(Received::Refused)) {
            app.note_refusal(&installation, &hook).await;
        }
        received
    };
    // To its end, also where the sender goes away: what it delivers again is known then.
    let (status, text) = match App::detached(work).await {
        Ok(Ok(received)) => answer(received),
        Ok(Err(error)) => {
            tracing::error!("a message of a service could not be taken: {error}");
            // Services try again.
            (StatusCode::SERVICE_UNAVAILABLE, "try again later")
        }
        Err(failure) => return failure.into_response(),
    };
    (status, text).into_response()
}

/// Services want 200 for everything that they need not send again.
fn answer(received: Received) -> (StatusCode, &'static str) {
    match received {
        Received::Unknown => (StatusCode::NOT_FOUND, "not found"),
        Received::Refused => (StatusCode::UNAUTHORIZED, "refused"),
        Received::NoJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "JSON is wanted"),
        Received::Ping => (StatusCode::OK, "pong"),
        Received::PassedOver => (StatusCode::OK, "passed over"),
        Received::Known => (StatusCode::OK, "known"),
        Received::Queued => (StatusCode::OK, "queued"),
        Received::Flood => (StatusCode::OK, "a sync is due"),
    }
}

/// Refusals that are not written down yet, by installation and hook; only hooks that there are come here.
#[derive(Default)]
pub struct Refusals(Mutex<HashMap<(String, String), Counted>>);

#[derive(Default)]
struct Counted {
    refused: u32,
    written: Option<Instant>,
}

impl Refusals {
    /// Counts one; answers how many are to be written down now.
    fn count(&self, installation: &str, hook: &str) -> Option<u32> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = all
            .entry((installation.to_owned(), hook.to_owned()))
            .or_default();
        counted.refused = counted.refused.saturating_add(1);
        if counted.written.is_some_and(|at| at.elapsed() < PACE) {
            return None;
        }
        counted.written = Some(Instant::now());
        Some(std::mem::take(&mut counted.refused))
    }
}

impl App {
    async fn note_refusal(&self, installation: &str, hook: &str) {
        let Some(refused) = self.refusals.count(installation, hook) else {
            return;
        };
        tracing::warn!(
            installation,
            hook,
            refused,
            "messages without the right signature were refused"
        );
        let store = self.host.store();
        let now = self.clock.now();
        if let Err(error) = store.count_refused(installation, hook, refused, now).await {
            tracing::error!("refused messages could not be counted: {error}");
        }
    }
}
