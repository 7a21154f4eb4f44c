//! Access tokens of Splynx: fetched with key and secret, kept in memory only, replaced shortly before they expire (Splynx
//! API, access tokens). The refresh token is not used: it is bound to address and user agent, and fetching anew is one
//! request in half an hour. Beware: an answer here is made of secrets; nothing of it is ever logged or handed on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde::Deserialize;

use super::address::AddressError;
use super::auth::{Credential, splynx_signature};
use super::egress::Outgoing;
use super::route::Route;
use addon_vault::Secret;

const PATH: &str = "admin/auth/tokens";

/// Not used any more so long before they expire: a request takes its time to arrive.
const SPARE: TimeDelta = TimeDelta::seconds(65);

/// The life of a token where the answer gives no end (Splynx API, access tokens).
const USUAL_LIFE: TimeDelta = TimeDelta::minutes(30);

/// Tokens by the fingerprint of the credentials that they were fetched with.
#[derive(Debug, Default)]
pub struct Tokens(Mutex<HashMap<String, Token>>);

#[derive(Debug)]
struct Token {
    access: Secret,
    good_until: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Issued {
    access_token: String,
    /// Seconds since the Unix epoch.
    access_token_expiration: Option<i64>,
}

impl Tokens {
    /// Whether the route needs a token that is not there.
    pub fn lacks(&self, route: &Route, now: DateTime<Utc>) -> bool {
        route
            .credentials
            .iter()
            .any(|credential| credential.token_key().is_some())
            && self.get(route, now).is_none()
    }

    pub fn get(&self, route: &Route, now: DateTime<Utc>) -> Option<Secret> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens
            .get(&route.fingerprint)
            .filter(|token| token.good_until > now)
            .map(|token| token.access.clone())
    }

    /// Keeps what the service issued. False: the answer holds no token.
    pub fn keep(&self, route: &Route, answer: &[u8], now: DateTime<Utc>) -> bool {
        let Ok(issued) = serde_json::from_slice::<Issued>(answer) else {
            return false;
        };
        let expires = issued
            .access_token_expiration
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let good_until = expires.unwrap_or(now + USUAL_LIFE) - SPARE;
        let token = Token {
            access: Secret::new(issued.access_token),
            good_until,
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(route.fingerprint.clone(), token);
        true
    }

    /// Forgets a token that was refused. True: there was one.
    pub fn forget(&self, route: &Route) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&route.fingerprint)
            .is_some()
    }
}

/// The request for a token.
pub fn request(route: &Route, nonce: i64) -> Result<Outgoing, AddressError> {
    let url = route.base.join(PATH, [])?;
    let body = match route.credentials.iter().find_map(Credential::token_key) {
        Some((key, secret)) => serde_json::json!({
            "auth_type": "api_key",
            "key": key.expose(),
            "nonce": nonce,
            "signature": splynx_signature(key.expose(), secret.expose(), nonce),
        })
        .to_string(),
        None => String::new(),
    };
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Ok(Outgoing {
        method: Method::POST,
        url,
        headers,
        body,
    })
}
