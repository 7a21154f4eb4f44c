//! Access tokens: short lived, bound to the address and the program that asked for them, renewable.

use std::collections::HashMap;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::auth::Caller;
use super::refusal::Refusal;
use crate::http::Request;

const ACCESS_SECONDS: i64 = 30 * 60;
const REFRESH_SECONDS: i64 = 7 * 24 * 3600;

#[derive(Debug, Clone)]
struct Grant {
    caller: Caller,
    peer: IpAddr,
    user_agent: String,
    refresh: String,
    access_until: i64,
    refresh_until: i64,
    banned: bool,
}

/// The tokens given out. They follow from a counter, so the same history gives the same tokens.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    by_access: HashMap<String, Grant>,
    given: u64,
}

impl Tokens {
    /// Gives new tokens to a caller, as the fields of the answer.
    pub fn grant(&mut self, caller: Caller, request: &Request, unix: i64) -> Map<String, Value> {
        self.given += 1;
        let (subject, id) = match caller {
            Caller::Key { id, .. } => ("api_key", id),
            Caller::Admin { id, .. } => ("admin", id),
            Caller::Screen => ("screen", 0),
        };
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({
            "sub": subject, "id": id, "exp": unix + ACCESS_SECONDS, "jti": self.given,
        });
        let text = format!(
            "{}.{}",
            part(json!({"alg": "HS256", "typ": "JWT"})),
            part(claims)
        );
        let access = format!("{text}.{}", URL_SAFE_NO_PAD.encode(digest(&text)));
        let refresh = hex::encode(&digest(&format!("refresh {}", self.given))[..16]);
        let grant = Grant {
            caller,
            peer: request.peer,
            user_agent: user_agent(request),
            refresh: refresh.clone(),
            access_until: unix + ACCESS_SECONDS,
            refresh_until: unix + REFRESH_SECONDS,
            banned: false,
        };
        let answer = json!({
            "access_token": access,
            "access_token_expiration": grant.access_until,
            "refresh_token": refresh,
            "refresh_token_expiration": grant.refresh_until,
        });
        self.by_access.insert(access, grant);
        match answer {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    /// The caller of an access token.
    pub fn admit(&self, token: &str, request: &Request, unix: i64) -> Result<Caller, Refusal> {
        if token.is_empty() {
            return Err(Refusal::unauthorized(
                "EMPTY_ACCESS_TOKEN",
                "Access token is empty.",
            ));
        }
        let grant = self
            .by_access
            .get(token)
            .ok_or_else(|| Refusal::unauthorized("UNAUTHORIZED", "Invalid access token."))?;
        grant.check(request)?;
        if unix >= grant.access_until {
            return Err(Refusal::unauthorized(
                "EXPIRED_ACCESS_TOKEN",
                "Access token is expired.",
            ));
        }
        Ok(grant.caller)
    }

    /// New tokens for a refresh token, which is used up.
    pub fn renew(
        &mut self,
        refresh: &str,
        request: &Request,
        unix: i64,
    ) -> Result<Map<String, Value>, Refusal> {
        let access = self.access_of(refresh)?;
        let grant = &self.by_access[&access];
        grant.check(request)?;
        if unix >= grant.refresh_until {
            return Err(Refusal::unauthorized(
                "EXPIRED_REFRESH_TOKEN",
                "Refresh token is expired.",
            ));
        }
        let caller = grant.caller;
        self.by_access.remove(&access);
        Ok(self.grant(caller, request, unix))
    }

    /// Logs out: neither token is good any more.
    pub fn ban(&mut self, refresh: &str) -> Result<(), Refusal> {
        let access = self.access_of(refresh)?;
        if let Some(grant) = self.by_access.get_mut(&access) {
            grant.banned = true;
        }
        Ok(())
    }

    fn access_of(&self, refresh: &str) -> Result<String, Refusal> {
        self.by_access
            .iter()
            .find(|(_, grant)| grant.refresh == refresh)
            .map(|(access, _)| access.clone())
            .ok_or_else(Refusal::not_found)
    }
}

impl Grant {
    fn check(&self, request: &Request) -> Result<(), Refusal> {
        if self.banned {
            Err(Refusal::unauthorized("TOKEN_BANNED", "Token is banned."))
        } else if self.peer != request.peer {
            Err(Refusal::unauthorized(
                "IP_CHANGED",
                "IP address was changed.",
            ))
        } else if self.user_agent != user_agent(request) {
            Err(Refusal::unauthorized(
                "USER_AGENT_CHANGED",
                "User agent was changed.",
            ))
        } else {
            Ok(())
        }
    }
}

fn user_agent(request: &Request) -> String {
    request.header("user-agent").unwrap_or_default().to_owned()
}

fn digest(text: &str) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(b"sandbox tokens").expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}
