//! For monitors and proxies: whether the host works, that is, whether its database answers. Tells nothing else.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::App;

/// `GET /health`
pub async fn show(State(app): State<App>) -> Response {
    let (status, text) = match app.host.store().account_count().await {
        Ok(_) => (StatusCode::OK, "ok"),
        Err(error) => {
            tracing::error!("the database does not answer: {error}");
            (StatusCode::SERVICE_UNAVAILABLE, "database")
        }
    };
    (status, text).into_response()
}
