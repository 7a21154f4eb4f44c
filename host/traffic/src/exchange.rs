//! One request of a queue, from the last checks to the redacted answer, and the words for what goes wrong on the way.
//!
//! Beware: between checking the lease and sending lies nothing that waits. A run that slept through its lease must not
//! write beside the one that took over.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::auth::{Credential, Proof, Stamp, prove, splynx_nonce_at};
use super::budget::Rest;
use super::cancellation::Reason;
use super::connection_queue::PendingRequest;
use super::egress::{Broken, Received};
use super::governor::{By, Limits, Why};
use super::haul::Haul;
use super::redact::Redactor;
use super::route::Route;
use super::{Answer, Caller, Connections, Response, Rights, Unanswered, token};
use addon_store::{Failure, StoreError};

/// The longest rest that an answer may ask for, in seconds.
const LONGEST_REST: u32 = 24 * 60 * 60;

/// Characters of a service's words that are kept.
const LONGEST_SAID: usize = 300;

/// What every request of a queue needs.
#[derive(Clone)]
pub(super) struct RequestContext {
    pub connections: Connections,
    pub caller: Caller,
    pub route: Arc<Route>,
    /// Of the batch.
    pub haul: Haul,
}

/// What an answer tells of the connection.
#[derive(Debug, Default)]
pub(super) enum ConnectionSignal {
    /// None came.
    #[default]
    Nothing,
    /// The credentials are good.
    Accepted,
    /// 401.
    Refused,
    /// 429.
    Limited(Rest),
}

impl RequestContext {
    pub fn now(&self) -> DateTime<Utc> {
        self.connections.budget.clock.now()
    }

    pub async fn fly(&self, pending: &PendingRequest) -> (Answer, ConnectionSignal) {
        match self.exchange(pending).await {
            Ok((response, signal)) => (Ok(response), signal),
            Err(unanswered) => (Err(unanswered), ConnectionSignal::Nothing),
        }
    }

    async fn exchange(
        &self,
        pending: &PendingRequest,
    ) -> Result<(Response, ConnectionSignal), Unanswered> {
        if !self.route.credentials.iter().any(Credential::signs) {
            return self.deliver(pending, 0).await;
        }
        let turn = self.take_turn().await.map_err(Unanswered::unsent)?;
        let result = match self.next_nonce().await {
            Ok(nonce) => self.deliver(pending, nonce).await,
            Err(error) => Err(Unanswered::unsent(error.into())),
        };
        self.give_back(turn).await;
        result
    }

    async fn deliver(
        &self,
        pending: &PendingRequest,
        nonce: i64,
    ) -> Result<(Response, ConnectionSignal), Unanswered> {
        let Connections {
            budget,
            tokens,
            clocks,
            egress,
            ..
        } = &self.connections;
        let token = tokens.get(&self.route, self.now());
        let proof = prove(
            &self.route.credentials,
            Stamp {
                nonce,
                token: token.as_ref(),
            },
        );
        if let (true, Rights::Write(fence)) = (pending.write, &self.caller.rights) {
            let held = budget.store.holds_lease(fence, self.now()).await;
            if !held.map_err(|error| Unanswered::unsent(error.into()))? {
                return Err(Unanswered::unsent(cancelled(Reason::Fenced)));
            }
        }
        let received = egress
            .exchange(self.route.terms(), &pending.outgoing, &proof, &self.haul)
            .await;
        let received = received.map_err(|broken| self.unanswered(&broken))?;
        clocks.hear(&self.route, &received.headers, self.now());
        let proven = proof
            .headers
            .iter()
            .map(|(_, value)| value)
            .chain(proof.query.iter().map(|(_, value)| value));
        let redactor = self.caller.access.redactor().and(proven.chain(&token));
        let Received {
            status,
            headers,
            body,
        } = received;
        let clean = |text: &str| redactor.clean(text).into_owned();
        let cleaned = headers.iter();
        let cleaned = cleaned.map(|(name, value)| (clean(name), clean(value)));
        let cleaned = cleaned.collect();
        let response = Response {
            status,
            headers: cleaned,
            body: self.clean_body(redactor, body).await,
        };
        let signal = ConnectionSignal::of(status, &headers, &response.body);
        Ok((response, signal))
    }

    /// Fetches an access token. A failure is why nothing can be sent.
    pub async fn log_in(&self) -> (ConnectionSignal, Option<Failure>) {
        let turn = match self.take_turn().await {
            Ok(turn) => turn,
            Err(failure) => return (ConnectionSignal::Nothing, Some(failure)),
        };
        let result = match self.next_nonce().await {
            Ok(nonce) => self.fetch_token(nonce).await,
            Err(error) => (ConnectionSignal::Nothing, Some(error.into())),
        };
        self.give_back(turn).await;
        result
    }

    async fn fetch_token(&self, nonce: i64) -> (ConnectionSignal, Option<Failure>) {
        let result = match token::request(&self.route, nonce) {
            Ok(outgoing) => {
                self.connections
                    .egress
                    .exchange(self.route.terms(), &outgoing, &Proof::default(), &self.haul)
                    .await
            }
            Err(error) => Err(Broken::Unsendable(error.to_string())),
        };
        match result {
            Err(broken) => (
                ConnectionSignal::Nothing,
                Some(self.unanswered(&broken).reason),
            ),
            Ok(received) if (200..300).contains(&received.status) && self.keep_token(&received) => {
                (ConnectionSignal::Accepted, None)
            }
            Ok(received) => {
                let redactor = self.caller.access.redactor().clone();
                let body = self.clean_body(redactor, received.body).await;
                let message = format!(
                    "{} issued no access token (status {}).",
                    self.route.title, received.status
                );
                (
                    ConnectionSignal::of(received.status, &received.headers, &body),
                    Some(self.failure("unreachable", message)),
                )
            }
        }
    }

    /// The add-on asked for the answer, so what it takes to go through it counts as the add-on's computing.
    async fn clean_body(&self, redactor: Redactor, body: Vec<u8>) -> String {
        let (cleaned, time) = redactor.clean_body(body).await;
        self.caller.usage.add_computed(time);
        cleaned
    }

    fn keep_token(&self, received: &Received) -> bool {
        self.connections
            .tokens
            .keep(&self.route, &received.body, self.now())
    }

    async fn next_nonce(&self) -> Result<i64, StoreError> {
        let store = &self.connections.budget.store;
        store
            .next_nonce(&self.route.nonces, splynx_nonce_at(self.now()))
            .await
    }

    fn unanswered(&self, broken: &Broken) -> Unanswered {
        let title = &self.route.title;
        let seconds = self.route.timeout.as_secs();
        let (maybe_sent, code, message) = match broken {
            Broken::Unsendable(why) => (
                false,
                "not-configured",
                format!("Nothing can be sent to {title}: {why}."),
            ),
            Broken::Forbidden => {
                let why = "its address is inside a network that this connection may not reach";
                (
                    false,
                    "forbidden-host",
                    format!("{title} was not called: {why}."),
                )
            }
            Broken::Unreachable(why) => (
                false,
                "unreachable",
                format!("{title} cannot be reached: {why}."),
            ),
            Broken::Timeout => (
                true,
                "timeout",
                format!("{title} did not answer within {seconds} s."),
            ),
            Broken::Lost(why) => (
                true,
                "connection-lost",
                format!("{title} broke off before its answer was whole: {why}."),
            ),
            Broken::HaulFull => (true, "too-large", self.haul.failure("too-large").message),
            Broken::TooLarge => {
                let most = self.route.max_response_bytes;
                (
                    true,
                    "too-large",
                    format!("The answer of {title} has more than {most} bytes."),
                )
            }
        };
        let message = self.caller.access.redactor().clean(message).into_owned();
        Unanswered {
            maybe_sent,
            reason: self.failure(code, message),
        }
    }

    pub fn denied(&self) -> Failure {
        let title = &self.route.title;
        let cure = "Nothing more is sent until they are entered anew in the settings";
        self.failure(
            "denied",
            format!("{title} refused the credentials. {cure}."),
        )
    }

    pub fn paused(&self, until: DateTime<Utc>, why: Why) -> Failure {
        let title = &self.route.title;
        let time = until.format("%Y-%m-%d %H:%M:%S UTC");
        let Limits {
            per_day, reserve, ..
        } = self.route.limits;
        let day = per_day.unwrap_or_default();
        let (limit, message) = match why {
            Why::Block => ("block", format!("{title} wants no requests until {time}.")),
            Why::Day if self.caller.by == By::Schedule && reserve > 0 => (
                "day",
                format!(
                    "The day's requests to {title} that automatic runs may make are used up; they go on at {time}. Of {day} a \
                     day, {reserve} are kept for people."
                ),
            ),
            Why::Day => (
                "day",
                format!("The day's requests to {title} are used up; it goes on at {time}."),
            ),
            Why::Share => (
                "share",
                format!(
                    "What is left of the day's requests to {title} is kept for what matters more; the rest goes on at {time}."
                ),
            ),
            Why::Pace | Why::Turn | Why::Login => (
                "pace",
                format!("{title} takes no more requests before {time}."),
            ),
        };
        self.failure("paused", message)
            .until(until)
            .with("limit", limit)
    }

    fn failure(&self, code: &str, message: String) -> Failure {
        Failure::new(code, message).with("connection", &self.route.name)
    }
}

impl ConnectionSignal {
    /// `body`: without secrets.
    fn of(status: u16, headers: &[(String, String)], body: &str) -> Self {
        match status {
            401 => Self::Refused,
            429 => {
                let header = headers.iter().find(|(name, _)| name == "retry-after");
                // Seconds are honoured, dates are not: no service that we know sends them.
                let retry_after = header
                    .and_then(|(_, value)| value.trim().parse().ok())
                    .unwrap_or(0);
                let lower = body.to_lowercase();
                // "Your Username has exceeded … and has been blocked for 24 hours" (Sage API, request limits)
                let a_day = lower.contains("blocked for 24 hours");
                let seconds = if a_day { LONGEST_REST } else { retry_after };
                Self::Limited(Rest {
                    seconds: LONGEST_REST.min(seconds),
                    // "Your IP address has exceeded …" (Sage API, request limits)
                    sender: lower.contains("ip address"),
                    said: body.chars().take(LONGEST_SAID).collect(),
                })
            }
            _ => Self::Accepted,
        }
    }
}

pub(super) fn cancelled(reason: Reason) -> Failure {
    match reason {
        Reason::Stopped => Failure::new("stopped", "A person asked this run to stop."),
        Reason::HostStops => Failure::new("stopped", "The host is being stopped."),
        Reason::TimeUp => Failure::new("stopped", "The run has worked for as long as a run may."),
        Reason::Fenced => Failure::new(
            "fenced",
            "This run lost its lease: another run works on the installation.",
        ),
    }
}
