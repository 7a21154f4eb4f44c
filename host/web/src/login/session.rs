//! Sessions: a random token in a cookie, its hash in the store. A new token comes with each login; a session ends after
//! half an hour without use, after twelve hours in any case, at log-out, and with a new password.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::App;
use addon_store::{Author, Role, Store, StoreError};

const COOKIE: &str = "addon_host_session";

const IDLE: TimeDelta = TimeDelta::minutes(30);
const ABSOLUTE: TimeDelta = TimeDelta::hours(12);

/// Use is noted this often at most: it is a write.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Characters of a browser's name that are kept.
const LONGEST_AGENT: usize = 200;

#[derive(Debug, Error)]
pub enum SessionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the machine gives no random numbers: {0}")]
    Random(String),
}

/// Who is logged in.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub account: String,
    pub role: Role,
    /// Of the session.
    pub session: String,
}

impl Visitor {
    /// As the one who changes something now.
    pub fn author(&self, app: &App) -> Author {
        Author::new(&*self.account, app.clock.now())
    }
}

/// Opens a session; answers the token for the cookie.
pub async fn open(
    store: &Store,
    account: &str,
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Result<String, SessionError> {
    let mut token = [0; 32];
    SysRng
        .try_fill_bytes(&mut token)
        .map_err(|error| SessionError::Random(error.to_string()))?;
    let token = BASE64_URL_SAFE_NO_PAD.encode(token);
    store
        .insert_session(
            &digest(&token),
            account,
            &agent(headers),
            now,
            now + ABSOLUTE,
        )
        .await?;
    Ok(token)
}

/// Whose session the request belongs to. `in_use`: a person is there, so it goes on; a page that refreshes itself is
/// not a person.
pub async fn find(
    store: &Store,
    headers: &HeaderMap,
    in_use: bool,
    now: DateTime<Utc>,
) -> Result<Option<Visitor>, StoreError> {
    let Some(token) = cookie(headers, COOKIE) else {
        return Ok(None);
    };
    let hash = digest(token);
    let Some(session) = store.session(&hash, now).await? else {
        return Ok(None);
    };
    if now - session.seen_at > IDLE {
        store.delete_session(&hash).await?;
        return Ok(None);
    }
    if in_use && now - session.seen_at > TOUCH_EVERY {
        store.touch_session(&hash, now).await?;
    }
    Ok(Some(Visitor {
        account: session.account,
        role: session.role,
        session: session.id,
    }))
}

/// Ends the session that the request belongs to, if any.
pub async fn close(store: &Store, headers: &HeaderMap) -> Result<(), StoreError> {
    match cookie(headers, COOKIE) {
        Some(token) => store.delete_session(&digest(token)).await,
        None => Ok(()),
    }
}

/// The header that sets the cookie; without a token, the one that removes it.
pub fn set_cookie(token: Option<&str>, path: &str, request: &HeaderMap) -> HeaderValue {
    match token {
        Some(token) => cookie_text(COOKIE, token, ABSOLUTE, path, request),
        None => cookie_text(COOKIE, "", TimeDelta::zero(), path, request),
    }
}

/// The header that sets a cookie of this host's. `value`: of URL characters.
pub fn cookie_text(
    name: &str,
    value: &str,
    kept: TimeDelta,
    path: &str,
    request: &HeaderMap,
) -> HeaderValue {
    let age = kept.num_seconds();
    let secure = if is_https(request) { "; Secure" } else { "" };
    let text =
        format!("{name}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("value and path are of URL characters")
}

/// Whether the browser speaks TLS, to a proxy in front of this host. Who lies about it does so about the own cookie only.
fn is_https(headers: &HeaderMap) -> bool {
    let says = |name: &str, text: &str| {
        let values = headers
            .get_all(name)
            .into_iter()
            .filter_map(|value| value.to_str().ok());
        values.into_iter().any(|value| {
            value
                .to_ascii_lowercase()
                .split([',', ';'])
                .any(|part| part.trim() == text)
        })
    };
    says("x-forwarded-proto", "https") || says("forwarded", "proto=https")
}

/// What the browser says that it is.
fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.and_then(|value| value.to_str().ok());
    agent
        .unwrap_or_default()
        .chars()
        .take(LONGEST_AGENT)
        .collect()
}

/// The value of a cookie.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let values = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, value)| *found == name && !value.is_empty())
        .map(|(_, value)| value)
}

/// Who reads the database learns no token. Tokens are random, so a quick hash will do.
fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}
