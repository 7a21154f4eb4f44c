//! Whether a service knows a person by a password. Splynx does so for its administrators (Splynx API, access tokens).
//!
//! The password goes to the connection's own address and nowhere else, and neither it nor the answer to it is logged, kept or handed
//! on: a token that comes back is given back at once. Beware: these requests count like any other, and a wrong password here is the
//! person's, so it must not be taken for a refusal of the connection's credentials.

use reqwest::Method;
use serde::Deserialize;

use super::auth::{Credential, Proof};
use super::budget::Admission;
use super::egress::{Outgoing, Received};
use super::exchange::RequestContext;
use super::governor::{Ask, By, Class, Priority};
use super::haul::Haul;
use super::{Caller, Connections, Request};
use addon_store::Failure;
use addon_vault::Secret;

const TOKENS: &str = "admin/auth/tokens";
const ADMINISTRATORS: &str = "admin/administration/administrators";

/// How often it is asked whether the service may be asked: a person waits.
const TRIES: usize = 20;

/// A person at the door.
pub struct Person<'a> {
    pub login: &'a str,
    pub password: &'a Secret,
    /// Of the second factor; empty: none was given.
    pub code: &'a str,
}

/// What the service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouched {
    /// It is one of its people, who has this role there.
    Known {
        role: String,
    },
    /// The password is right; the code of the second factor is missing or wrong.
    CodeWanted,
    Unknown,
}

#[derive(Deserialize)]
struct Administrator {
    login: String,
    #[serde(default)]
    role_name: String,
}

#[derive(Deserialize)]
struct Opened {
    refresh_token: Option<String>,
}

impl Connections {
    /// Asks a service for a person: for the password, and then, with the connection's own credentials, for the role.
    pub async fn vouch(
        &self,
        caller: &Caller,
        connection: &str,
        person: &Person<'_>,
    ) -> Result<Vouched, Failure> {
        let route = caller
            .access
            .route(connection)
            .ok_or_else(|| unfit("there is no such connection"))?
            .clone()?;
        let fits = |credential: &Credential| credential.signs() || credential.token_key().is_some();
        if !route.credentials.iter().any(fits) {
            return Err(unfit("its connection is none to Splynx"));
        }
        // First, so that wrong credentials of the connection are found without anybody's password.
        let role = self.role(caller, connection, person.login).await?;
        let context = RequestContext {
            connections: self.clone(),
            caller: caller.clone(),
            route,
            haul: Haul::default(),
        };
        let body = serde_json::json!({
            "auth_type": "admin", "login": person.login, "password": person.password.expose(), "code": person.code,
        });
        // Also for somebody whom it does not know: both take as long.
        let answer = context.ask(Method::POST, TOKENS, body.to_string()).await?;
        let told = String::from_utf8_lossy(&answer.body);
        match answer.status {
            200..=299 => {
                context.give_token_back(&answer.body).await;
                Ok(role.map_or(Vouched::Unknown, |role| Vouched::Known { role }))
            }
            400..=499 if told.contains("TWO_FACTOR_CODE") => Ok(Vouched::CodeWanted),
            400 | 401 | 403 | 422 => Ok(Vouched::Unknown),
            status => Err(unfit(&format!("it answers with status {status}"))),
        }
    }

    /// `None`: the service has nobody of that name.
    async fn role(
        &self,
        caller: &Caller,
        connection: &str,
        login: &str,
    ) -> Result<Option<String>, Failure> {
        let request = Request {
            connection: connection.to_owned(),
            effect: "read".to_owned(),
            method: "GET".to_owned(),
            path: ADMINISTRATORS.to_owned(),
            query: vec![("main_attributes[login]".to_owned(), login.to_owned())],
            ..Request::default()
        };
        let answer = self.send(caller, vec![request]).await.pop();
        let response = answer
            .ok_or_else(|| unfit("it gave no answer"))?
            .map_err(|unanswered| unanswered.reason)?;
        if response.status != 200 {
            return Err(unfit(&format!(
                "the API key may not list administrators (status {})",
                response.status
            )));
        }
        let found: Vec<Administrator> = serde_json::from_str(&response.body)
            .map_err(|_| unfit("its list of administrators cannot be read"))?;
        let own = found.into_iter().find(|known| known.login == login);
        Ok(own.map(|known| known.role_name))
    }
}

impl RequestContext {
    /// One request without the connection's credentials, as the governor allows.
    async fn ask(&self, method: Method, path: &str, body: String) -> Result<Received, Failure> {
        self.admit().await?;
        let url = self.route.base.join(path, []);
        let outgoing = Outgoing {
            method,
            url: url.map_err(|error| unfit(&error.to_string()))?,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body,
        };
        let egress = &self.connections.egress;
        let answer = egress
            .exchange(self.route.terms(), &outgoing, &Proof::default(), &self.haul)
            .await;
        answer.map_err(|_| unfit("it cannot be reached"))
    }

    async fn admit(&self) -> Result<(), Failure> {
        let since = self.now().timestamp_millis();
        let who = rand::random();
        for _ in 0..TRIES {
            let ask = Ask {
                credentials: &self.route.fingerprint,
                class: Class {
                    by: By::Person,
                    priority: Priority::High,
                },
                want: 1,
                more: 0,
                who,
                since: Some(since),
                flight_ms: i64::try_from(self.route.timeout.as_millis()).unwrap_or(i64::MAX / 4),
                run: None,
            };
            let budget = &self.connections.budget;
            match budget.admit(&self.route, &ask).await? {
                Admission::Go { vouch, .. } => {
                    if vouch {
                        // This answer says nothing of the connection's credentials.
                        budget.unanswered(&self.route).await?;
                    }
                    return Ok(());
                }
                Admission::Wait(until, _) => budget.clock.sleep_until(until).await,
                Admission::Paused(until, why) => return Err(self.paused(until, why)),
                Admission::Denied => return Err(self.denied()),
            }
        }
        self.connections.budget.leave(&self.route, who).await?;
        Err(unfit("it has no time now"))
    }

    /// Nobody needs the token. It ends by itself where this fails.
    async fn give_token_back(&self, answer: &[u8]) {
        let refresh = serde_json::from_slice::<Opened>(answer).ok();
        let plain = |token: &String| token.chars().all(|c| c.is_ascii_alphanumeric());
        let Some(token) = refresh
            .and_then(|opened| opened.refresh_token)
            .filter(plain)
        else {
            return;
        };
        let path = format!("{TOKENS}/{token}");
        if self
            .ask(Method::DELETE, &path, String::new())
            .await
            .is_err()
        {
            tracing::debug!(connection = self.route.name, "a token was not given back");
        }
    }
}

fn unfit(why: &str) -> Failure {
    Failure::new(
        "login",
        format!("The service cannot be asked who you are: {why}."),
    )
}
