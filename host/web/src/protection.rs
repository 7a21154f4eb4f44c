//! What guards every page, whatever it does: changes from other sites refused, bodies bounded, headers that tell the
//! browser to trust nothing but this host's own files, and a panic that ends one request instead of the connection.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, map_response};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::App;
use super::base_path::BasePath;
use super::failure::{Failure, FailureText, failure_page};
use super::texts;
use addon_manifest::LONGEST_TEXT_BYTES;
use addon_packages::LARGEST_PACKAGE;

/// Forms of the largest mapping tables stay well below it.
const MOST_BODY_BYTES: usize = 1 << 20;

/// A long text, of which a form sends most bytes of punctuation as three, and what else there is.
const MOST_LONG_BODY_BYTES: usize = 3 * LONGEST_TEXT_BYTES + MOST_BODY_BYTES;

/// Sent with every answer.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // For browsers that do not know `frame-ancestors`.
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// For routes that take a form of settings, or nothing.
pub fn short_bodies() -> RequestBodyLimitLayer {
    RequestBodyLimitLayer::new(MOST_BODY_BYTES)
}

/// For routes that take long texts.
pub fn long_bodies() -> RequestBodyLimitLayer {
    RequestBodyLimitLayer::new(MOST_LONG_BODY_BYTES)
}

/// For routes that take a package.
pub fn package_bodies() -> RequestBodyLimitLayer {
    RequestBodyLimitLayer::new(LARGEST_PACKAGE + MOST_BODY_BYTES)
}

/// Puts the guards around the routes, each of which bounds its bodies itself. `within`: how long a request may take.
pub fn layers(routes: Router<App>, base: &BasePath, within: Duration) -> Router<App> {
    let base = base.as_str().to_owned();
    routes
        .layer(DefaultBodyLimit::disable())
        .layer(
            CsrfLayer::new().with_rejection_response(|_: ProtectionError| {
                Failure::new(StatusCode::FORBIDDEN, texts::failure::FOREIGN).into_response()
            }),
        )
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            within,
        ))
        .layer(CatchPanicLayer::custom(|_| {
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, texts::failure::TROUBLE).into_response()
        }))
        .layer(map_response(move |answer: Response| {
            let base = base.clone();
            async move {
                match answer.extensions().get::<FailureText>() {
                    Some(told) => failure_page(&base, answer.status(), &told.message),
                    None => answer,
                }
            }
        }))
}

/// What the router refuses by itself it tells in plain text and in the words of programmers, with what was asked for in the middle.
/// People get a page.
pub async fn in_our_words(answer: Response) -> Response {
    let status = answer.status();
    let is_plain = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !status.is_client_error() || !is_plain {
        return answer;
    }
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => texts::failure::TOO_LARGE,
        _ => texts::failure::UNREADABLE,
    };
    Failure::new(status, message).into_response()
}

/// Adds the headers. Pages are nobody's to keep: they show an ISP's customers.
pub async fn headers(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    answer
}
