//! Who calls: signatures, Basic, access tokens, and what the caller may do (Splynx API, authentication).
//!
//! The signature covers the nonce and the key only, so a replay of a whole header passes unless the key checks
//! its nonces. Tokens are in `tokens`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::NaiveDateTime;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::record::record;
use super::refusal::Refusal;
use super::table::Table;
use super::tokens::Tokens;
use super::wire::{Flag, Moment};
use crate::http::{Request, parse_query};

record! {
    /// An API key with what it may do. `permissions`: controller → action → `allow` | `deny`; what is not
    /// named is allowed. `white_list`: addresses that may use the key; empty: all.
    ApiKey {
        id: i64 = Shown "ID";
        partner_id: i64 = May "Partner";
        title: String = May(128) "Title";
        key: String = May(32) "Key";
        unsecure_auth: Flag = May "Unsecure access";
        check_nonce: Flag = May "Check nonce";
        white_list: Value = May "White list";
        permissions: Value = May "Permissions";
        last_nonce: i64 = Shown "Last nonce";
        last_ip: String = Shown "Last IP";
        last_dt: Moment = Shown "Last date & time";
        usage_count: i64 = Shown "Usage count";
    }
    plus {
        secret: String,
    }
}

/// Who calls, after the credentials were found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    Key {
        id: i64,
        partner: i64,
    },
    Admin {
        id: i64,
        partner: i64,
    },
    /// A person on Splynx's own screens: not through the API, so nothing is checked.
    Screen,
}

impl Caller {
    /// The partner that the caller is bound to; 0 = any.
    pub fn partner(self) -> i64 {
        match self {
            Caller::Key { partner, .. } | Caller::Admin { partner, .. } => partner,
            Caller::Screen => 0,
        }
    }
}

/// The signature of a nonce: HMAC-SHA256 over nonce and key, in upper-case hex.
pub fn signature(key: &str, secret: &str, nonce: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(nonce.as_bytes());
    mac.update(key.as_bytes());
    hex::encode_upper(mac.finalize().into_bytes())
}

/// What authentication needs to know of the service.
pub struct Gate<'a> {
    pub keys: &'a mut Table<ApiKey>,
    pub tokens: &'a Tokens,
    /// A signature in lower case is refused.
    pub strict_signature_case: bool,
    /// For all keys, whatever their own switches say.
    pub check_nonce: bool,
    pub unsecure_auth: bool,
    /// Server-local.
    pub at: NaiveDateTime,
    /// Unix seconds.
    pub unix: i64,
}

impl Gate<'_> {
    /// Checks the Authorization header.
    pub fn admit(&mut self, request: &Request) -> Result<Caller, Refusal> {
        let header = request.header("authorization").ok_or_else(|| {
            Refusal::unauthorized(
                "MISSED_AUTHORIZATION_HEADER",
                "Authorization header is missing.",
            )
        })?;
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        match scheme {
            "Basic" => self.basic(rest, request),
            "Splynx-EA" => {
                let inner = rest
                    .trim()
                    .strip_prefix('(')
                    .and_then(|text| text.strip_suffix(')'))
                    .ok_or_else(wrong)?;
                let parameters = parse_query(inner);
                let get = |name: &str| {
                    parameters
                        .iter()
                        .find(|(n, _)| n == name)
                        .map(|(_, value)| value.as_str())
                };
                if get("sash").is_some() {
                    // There are no administrator sessions here whose hash it could be.
                    return Err(Refusal::unauthorized("INVALID_SASH", "Invalid sash."));
                }
                if let Some(token) = get("access_token") {
                    return self.tokens.admit(token, request, self.unix);
                }
                let part = |name| get(name).ok_or_else(wrong);
                self.signed(part("key")?, part("nonce")?, part("signature")?, request)
            }
            _ => Err(wrong()),
        }
    }

    /// Checks a signature, in a header or in a request for a token.
    pub fn signed(
        &mut self,
        key: &str,
        nonce: &str,
        given: &str,
        request: &Request,
    ) -> Result<Caller, Refusal> {
        let found = self.keys.iter().find(|k| k.key == key).ok_or_else(wrong)?;
        let expected = signature(key, &found.secret, nonce);
        let same = if self.strict_signature_case {
            expected == given
        } else {
            expected.eq_ignore_ascii_case(given)
        };
        let number: i64 = nonce.parse().map_err(|_| wrong())?;
        let checked = self.check_nonce || found.check_nonce.0;
        if !same || (checked && number <= found.last_nonce) {
            return Err(wrong());
        }
        let id = found.id;
        let caller = self.used(id, request)?;
        if let Some(key) = self.keys.get_mut(id) {
            key.last_nonce = key.last_nonce.max(number);
        }
        Ok(caller)
    }

    fn basic(&mut self, encoded: &str, request: &Request) -> Result<Caller, Refusal> {
        let bytes = STANDARD.decode(encoded.trim()).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (key, secret) = text.split_once(':').ok_or_else(wrong)?;
        let found = self
            .keys
            .iter()
            .find(|k| k.key == key && k.secret == secret)
            .filter(|k| self.unsecure_auth || k.unsecure_auth.0)
            .ok_or_else(wrong)?;
        self.used(found.id, request)
    }

    /// Notes the use of a key, if its caller's address may use it.
    fn used(&mut self, id: i64, request: &Request) -> Result<Caller, Refusal> {
        let key = self.keys.get_mut(id).ok_or_else(wrong)?;
        let peer = request.peer.to_string();
        if let Some(list) = key.white_list.as_array().filter(|list| !list.is_empty())
            && !list.iter().any(|address| address.as_str() == Some(&peer))
        {
            return Err(Refusal::unauthorized(
                "UNAUTHORIZED",
                "Access from this address is not allowed.",
            ));
        }
        key.usage_count += 1;
        key.last_ip = peer;
        key.last_dt = Some(self.at);
        Ok(Caller::Key {
            id,
            partner: key.partner_id,
        })
    }
}

pub fn wrong() -> Refusal {
    Refusal::unauthorized("UNAUTHORIZED", "Invalid credentials.")
}

/// What a call does, as permissions name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Index,
    View,
    Add,
    Update,
    Delete,
}

impl Action {
    pub const ALL: [Action; 5] = [
        Action::Index,
        Action::View,
        Action::Add,
        Action::Update,
        Action::Delete,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Action::Index => "index",
            Action::View => "view",
            Action::Add => "add",
            Action::Update => "update",
            Action::Delete => "delete",
        }
    }
}

impl ApiKey {
    pub fn allows(&self, controller: &str, action: Action) -> bool {
        self.permissions
            .get(controller)
            .and_then(|actions| actions.get(action.name()))
            .and_then(Value::as_str)
            != Some("deny")
    }
}
