//! Getting in: the health check, log-in and tokens, and what a caller is permitted to do.

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::Splynx;
use super::auth::{self, Action, Caller, Gate};
use super::input::{form_or_json, plain_text};
use super::ledger::Stamp;
use super::refusal::Refusal;
use super::routes::ROUTES;
use crate::http::{Request, Response};

impl Splynx {
    /// The server's own time.
    fn local(&self, now: DateTime<Utc>) -> NaiveDateTime {
        let now = self.clock(now);
        FixedOffset::east_opt(self.behaviour.utc_offset_minutes.saturating_mul(60))
            .map_or(now.naive_utc(), |zone| {
                now.with_timezone(&zone).naive_local()
            })
    }

    /// What the server's own clock says.
    pub fn clock(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + TimeDelta::minutes(self.behaviour.clock_minutes.into())
    }

    /// How what a caller does is stamped.
    pub(super) fn stamp(&self, caller: Caller, now: DateTime<Utc>) -> Stamp {
        let (by, by_id) = match caller {
            Caller::Key { id, .. } => ("api", id),
            Caller::Admin { id, .. } => ("admin", id),
            Caller::Screen => ("admin", 1),
        };
        Stamp {
            at: self.local(now),
            by,
            by_id,
        }
    }

    pub(super) fn gate(&mut self, now: DateTime<Utc>) -> Gate<'_> {
        Gate {
            at: self.local(now),
            unix: now.timestamp(),
            strict_signature_case: self.behaviour.strict_signature_case,
            check_nonce: self.behaviour.check_nonce,
            unsecure_auth: self.behaviour.unsecure_auth,
            keys: &mut self.keys,
            tokens: &self.tokens,
        }
    }

    pub(super) fn permit(
        &self,
        caller: Caller,
        controller: &str,
        action: Action,
    ) -> Result<(), Refusal> {
        match caller {
            Caller::Key { id, .. } => match self.keys.get(id) {
                Some(key) if key.allows(controller, action) => Ok(()),
                _ => Err(Refusal::forbidden()),
            },
            Caller::Admin { .. } | Caller::Screen => Ok(()),
        }
    }

    /// `admin/api/check`: needs credentials only where it is asked to test them.
    pub(super) fn answer_check(
        &mut self,
        request: &Request,
        now: DateTime<Utc>,
    ) -> Result<Response, Refusal> {
        if request.method != "GET" {
            return Err(Refusal::method_disabled());
        }
        let asked = |(name, value): &(String, String)| {
            name == "checkAuth" && matches!(value.as_str(), "true" | "1")
        };
        if request.query.iter().any(asked) {
            self.gate(now).admit(request)?;
        }
        Ok(Response::json(
            200,
            &json!({"status": "ok", "message": "API is valid", "same_server": false}),
        ))
    }

    pub(super) fn answer_tokens(
        &mut self,
        request: &Request,
        refresh: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Response, Refusal> {
        let unix = now.timestamp();
        match (request.method.as_str(), refresh) {
            ("POST", None) => {
                let caller = self.log_in(request, now)?;
                let mut answer = self.tokens.grant(caller, request, unix);
                answer.insert("permissions".to_owned(), self.permissions(caller));
                Ok(Response::json(201, &Value::Object(answer)))
            }
            ("GET", Some(token)) => {
                let answer = self.tokens.renew(token, request, unix)?;
                Ok(Response::json(200, &Value::Object(answer)))
            }
            ("DELETE", Some(token)) => {
                self.tokens.ban(token)?;
                Ok(self.deleted())
            }
            ("PUT" | "DELETE", None) => Err(Refusal::bad_request("Id is missing.")),
            _ => Err(Refusal::method_disabled()),
        }
    }

    fn log_in(&mut self, request: &Request, now: DateTime<Utc>) -> Result<Caller, Refusal> {
        let body = form_or_json(request);
        let text = |name: &str| body.get(name).map(plain_text).unwrap_or_default();
        match text("auth_type").as_str() {
            "api_key" => {
                let (key, nonce) = (text("key"), text("nonce"));
                self.gate(now)
                    .signed(&key, &nonce, &text("signature"), request)
            }
            "admin" => self
                .administrators
                .iter()
                .find(|admin| {
                    !admin.password.is_empty()
                        && admin.login == text("login")
                        && admin.password == text("password")
                })
                .map(|admin| Caller::Admin {
                    id: admin.id,
                    partner: admin.partner_id,
                })
                .ok_or_else(auth::wrong),
            // The stand-in has neither customers' passwords nor browser sessions, so none is right.
            "customer" | "session" => Err(Refusal::unauthorized("INVALID_USER", "Invalid user.")),
            _ => Err(Refusal::unauthorized(
                "INVALID_AUTH_TYPE",
                "Invalid authentication type.",
            )),
        }
    }

    /// What a caller may do: controller → action → `allow` | `deny`.
    fn permissions(&self, caller: Caller) -> Value {
        ROUTES
            .iter()
            .map(|route| {
                let actions: Value = Action::ALL
                    .iter()
                    .map(|action| {
                        let allowed = self.permit(caller, route.controller, *action).is_ok();
                        let text = if allowed { "allow" } else { "deny" };
                        (action.name().to_owned(), Value::from(text))
                    })
                    .collect();
                (route.controller.to_owned(), actions)
            })
            .collect()
    }
}
