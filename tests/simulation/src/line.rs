//! One connection as the host keeps it: what it proves itself with, and how much it may send (the host's own governor and proofs).

use addon_traffic::auth::{Credential, Stamp, prove, splynx_nonce_at};
use addon_traffic::governor::{Ask, Bucket, Limits, Verdict, Why};
use addon_traffic::redact::Redactor;
use addon_vault::Secret;
use chrono::{DateTime, TimeDelta, Utc};
use mock_host::contract::{Failure, Request, Unanswered};
use sandbox::isp::Isp;

/// What would wait longer is answered `paused` (http.wit, `send`).
const LONGEST_WAIT: TimeDelta = TimeDelta::seconds(120);

/// One connection: what it proves itself with, and how much it may send.
#[derive(Clone)]
pub struct Line {
    pub base: &'static str,
    pub credentials: Vec<Credential>,
    pub limits: Limits,
    pub bucket: Bucket,
    pub last_nonce: i64,
    pub redactor: Redactor,
    /// Of the credentials: changes where they do.
    pub fingerprint: String,
}

impl Line {
    /// When the request may go; or why it is not sent.
    pub fn wait_for_turn(&mut self, mut now: DateTime<Utc>) -> Result<DateTime<Utc>, Unanswered> {
        let ask = Ask {
            credentials: &self.fingerprint,
            want: 1,
            ..Ask::default()
        };
        loop {
            match self.bucket.admit(&self.limits, &ask, millis(now)) {
                Verdict::Go { .. } => return Ok(now),
                Verdict::Wait { until, .. }
                    if until - millis(now) <= LONGEST_WAIT.num_milliseconds() =>
                {
                    now = DateTime::from_timestamp_millis(until).expect("a time near now");
                }
                Verdict::Wait { until, why } => {
                    let message = match why {
                        Why::Pace | Why::Turn | Why::Login => "The pace of the service.",
                        Why::Day | Why::Share => "The day's requests are used up.",
                        Why::Block => "The service blocks requests for a while.",
                    };
                    return Err(Unanswered {
                        maybe_sent: false,
                        reason: Failure {
                            retry_at: u64::try_from(until / 1_000 + 1).ok(),
                            ..Failure::new("paused", message)
                        },
                    });
                }
                Verdict::Refused => {
                    return Err(Unanswered::not_sent(
                        "denied",
                        "The credentials were refused; enter them again.",
                    ));
                }
            }
        }
    }

    pub fn enter(&mut self, credentials: Vec<Credential>) {
        self.fingerprint = fingerprint(&credentials);
        self.credentials = credentials;
    }

    pub fn on_the_wire(&mut self, request: &Request, now: DateTime<Utc>) -> sandbox::http::Request {
        self.last_nonce = splynx_nonce_at(now).max(self.last_nonce + 1);
        let stamp = Stamp {
            nonce: self.last_nonce,
            token: None,
        };
        let proof = prove(&self.credentials, stamp);
        let mut wire =
            sandbox::http::Request::new(&request.method, &format!("{}{}", self.base, request.path));
        wire.query = request.query.clone();
        wire.query.extend(
            proof
                .query
                .into_iter()
                .map(|(name, value)| (name, value.expose().to_owned())),
        );
        wire.headers = request.headers.clone();
        wire.headers.extend(
            proof
                .headers
                .into_iter()
                .map(|(name, value)| (name.into_owned(), value.expose().to_owned())),
        );
        wire.body = request.body.clone().into_bytes();
        wire
    }
}

pub fn fingerprint(credentials: &[Credential]) -> String {
    let proof = prove(credentials, Stamp::default());
    proof
        .headers
        .iter()
        .map(|(_, value)| value.expose().to_owned())
        .collect()
}

pub fn sage_credentials(isp: &Isp, password: &str) -> Vec<Credential> {
    vec![
        Credential::Basic {
            user: Secret::new(isp.sage.login.clone()),
            password: Secret::new(password.to_owned()),
        },
        Credential::QueryKey {
            name: "apikey".to_owned(),
            value: Secret::new(format!("{{{}}}", isp.sage.api_key)),
        },
    ]
}

pub fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}
