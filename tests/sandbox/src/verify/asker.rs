//! How the real services are asked: counted, within the limits, and with nothing that the mode forbids.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::Value;
use thiserror::Error;

use crate::faults::Party;
use crate::http::{Request, Response};
use crate::splynx::signature;

/// What may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only requests that store nothing.
    Reading,
    /// Also objects that are made and removed, in a company that holds nothing else.
    Trial,
}

/// How requests reach the services.
pub trait Transport {
    /// The answer, or what kept it away. Paths are those of the stand-ins: `/api/2.0.0/…` at Sage, `/api/2.0/…` at Splynx.
    fn send(&mut self, to: Party, request: &Request) -> Result<Response, String>;
    fn now(&self) -> DateTime<Utc>;
    /// Lets seconds pass, so that a later moment has another stamp.
    fn wait(&mut self, seconds: u32);
}

/// What lets a client in to Sage.
#[derive(Clone)]
pub struct SageAccess {
    pub login: String,
    pub password: String,
    pub api_key: String,
    /// The company; none where the login sees one only.
    pub company: Option<i64>,
}

/// What lets a client in to Splynx.
#[derive(Clone)]
pub struct SplynxAccess {
    pub key: String,
    pub secret: String,
}

/// Why asking ends before all was asked. Each message says what cures it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Stop {
    #[error(
        "{0} does not answer: {1}. Check the address and this machine's connection, then ask again."
    )]
    Unreachable(&'static str, String),
    #[error(
        "Sage refused the login, the password or the API key ({0}). Correct them before you ask again: after 20 failed logins in an hour Sage blocks the user for a day."
    )]
    SageCredentials(u16),
    #[error(
        "Splynx refused the API key ({0}). Check key, secret and the addresses that may use the key. A key that another program uses with larger nonces refuses all others: make a key for this."
    )]
    SplynxCredentials(u16),
    #[error(
        "{0} asks to wait ({1}): its limit of requests is passed. Wait an hour without any request, stop other programs that use the same company, then ask again."
    )]
    TooMany(&'static str, u16),
    #[error("The company's registration at Sage has expired (402). Renew it, then ask again.")]
    Expired,
    #[error(
        "{MOST} requests are sent and more would be needed, which should not be. Please report it."
    )]
    Spent,
    #[error("{0} would store something, and only reading is allowed. Please report it.")]
    Forbidden(String),
    #[error("{0}")]
    Unfit(String),
}

impl Stop {
    /// Whether the services are to be left alone from now on: what a trial made then stays until the next one.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Unfit(_))
    }
}

/// Most requests to both services together.
pub const MOST: u32 = 200;

/// An answer, as far as facts look at it.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// Null where the body is no JSON.
    pub body: Value,
    pub is_json: bool,
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The rows of a list of Sage or Splynx; none where it is no list.
    pub fn rows(&self) -> Option<&Vec<Value>> {
        let rows = match &self.body {
            Value::Object(envelope) => envelope.get("Results")?,
            list => list,
        };
        rows.as_array().filter(|_| self.is_success())
    }
}

/// The body that goes with a request.
pub type Body<'b> = Option<&'b Value>;

/// Sends what the mode allows.
pub struct Asker<'t> {
    pub transport: &'t mut dyn Transport,
    mode: Mode,
    sent: BTreeMap<&'static str, u32>,
    nonce: i64,
    progress: &'t mut dyn FnMut(&'static str, u32),
}

impl<'t> Asker<'t> {
    pub fn new(
        transport: &'t mut dyn Transport,
        mode: Mode,
        progress: &'t mut dyn FnMut(&'static str, u32),
    ) -> Self {
        Self {
            transport,
            mode,
            sent: BTreeMap::new(),
            nonce: 0,
            progress,
        }
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Requests so far, by service.
    pub fn sent(&self, service: Party) -> u32 {
        self.sent.get(title(service)).copied().unwrap_or(0)
    }

    /// One call of Sage: `Customer/Get`. Without a company where it is none's.
    pub fn sage(
        &mut self,
        access: &SageAccess,
        method: &str,
        call: &str,
        params: &[(&str, &str)],
        body: Body,
    ) -> Result<Reply, Stop> {
        let mut request = Request::new(method, &format!("/api/2.0.0/{call}"));
        request
            .query
            .push(("apikey".to_owned(), access.api_key.clone()));
        if let Some(company) = access.company {
            request
                .query
                .push(("CompanyId".to_owned(), company.to_string()));
        }
        let login = STANDARD.encode(format!("{}:{}", access.login, access.password));
        let reply = self.ask(
            Party::Sage,
            request,
            params,
            body,
            &format!("Basic {login}"),
        )?;
        match reply.status {
            402 => Err(Stop::Expired),
            429 => Err(Stop::TooMany("Sage", 429)),
            _ => Ok(reply),
        }
    }

    /// One call of Splynx, signed: `admin/finance/invoices`.
    pub fn splynx(
        &mut self,
        access: &SplynxAccess,
        method: &str,
        path: &str,
        params: &[(&str, &str)],
        body: Body,
    ) -> Result<Reply, Stop> {
        let nonce = self.next_nonce();
        let signed = signed(access, nonce, &signature_of(access, nonce));
        self.splynx_as(&signed, method, path, params, body)
    }

    /// One call of Splynx under another proof.
    pub fn splynx_as(
        &mut self,
        authorization: &str,
        method: &str,
        path: &str,
        params: &[(&str, &str)],
        body: Body,
    ) -> Result<Reply, Stop> {
        let request = Request::new(method, &format!("/api/2.0/{path}"));
        let reply = self.ask(Party::Splynx, request, params, body, authorization)?;
        match reply.status {
            429 => Err(Stop::TooMany("Splynx", 429)),
            _ => Ok(reply),
        }
    }

    /// Hundredths of a second, each larger than the last.
    pub fn next_nonce(&mut self) -> i64 {
        let now = self.transport.now().timestamp_millis() / 10;
        self.nonce = now.max(self.nonce + 1);
        self.nonce
    }

    fn ask(
        &mut self,
        service: Party,
        mut request: Request,
        params: &[(&str, &str)],
        body: Body,
        authorization: &str,
    ) -> Result<Reply, Stop> {
        if self.mode == Mode::Reading && !stores_nothing(&request) {
            return Err(Stop::Forbidden(format!(
                "{} {}",
                request.method, request.path
            )));
        }
        if self.sent.values().sum::<u32>() >= MOST {
            return Err(Stop::Spent);
        }
        let params = params
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        request.query.extend(params);
        request
            .headers
            .push(("authorization".to_owned(), authorization.to_owned()));
        if let Some(body) = body {
            request
                .headers
                .push(("content-type".to_owned(), "application/json".to_owned()));
            request.body = body.to_string().into_bytes();
        }
        let name = title(service);
        let sent = self.sent.entry(name).or_default();
        *sent += 1;
        (self.progress)(name, *sent);
        let answer = self.transport.send(service, &request);
        let answer = answer.map_err(|why| Stop::Unreachable(name, why))?;
        let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
        Ok(Reply {
            status: answer.status,
            is_json: body.is_some(),
            body: body.unwrap_or_default(),
        })
    }
}

/// What people call a service.
pub fn title(service: Party) -> &'static str {
    match service {
        Party::Sage => "Sage",
        Party::Splynx => "Splynx",
    }
}

/// Whether a request changes nothing at the service, whatever its answer.
fn stores_nothing(request: &Request) -> bool {
    match request.method.as_str() {
        "GET" | "HEAD" | "OPTIONS" => !request.path.contains("/auth/tokens"),
        "POST" => {
            request.path.ends_with("/TaxInvoice/Calculate")
                || request.path.ends_with("/admin/finance/calculate-finance")
        }
        _ => false,
    }
}

pub fn signature_of(access: &SplynxAccess, nonce: i64) -> String {
    signature(&access.key, &access.secret, &nonce.to_string())
}

/// The header of a signed request.
pub fn signed(access: &SplynxAccess, nonce: i64, signature: &str) -> String {
    let key = &access.key;
    format!("Splynx-EA (key={key}&nonce={nonce}&signature={signature})")
}

/// The header of a key that is sent as it is.
pub fn unsigned(access: &SplynxAccess) -> String {
    let plain = STANDARD.encode(format!("{}:{}", access.key, access.secret));
    format!("Basic {plain}")
}
