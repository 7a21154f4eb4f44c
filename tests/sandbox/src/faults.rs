//! What goes wrong between a client and a service, as data: which requests, and what happens to them.
//!
//! A plan decides; [`apply`] carries the decision out as far as it is a matter of values. Closing sockets and waiting are left to
//! the server, and to simulations, which read both off a [`Delivery`]. Beware (on purpose): most faults strike *after*
//! the service has acted, so that a failed request has had its effect.

use chrono::{DateTime, Utc};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::{Request, Response, Service};

/// The two services, by the names that plans use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    Splynx,
    Sage,
}

/// A plan as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Of several faults that fall on one request, the first one happens.
    pub faults: Vec<Fault>,
    /// Faults by chance, drawn for the requests that no planned fault falls on.
    pub rates: Vec<Rate>,
    /// What the chances are drawn from: same seed and same requests, same faults.
    pub seed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub service: Party,
    #[serde(default)]
    pub when: When,
    #[serde(rename = "do")]
    pub act: Act,
}

/// Which requests: all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    pub method: Option<String>,
    /// A part of the path, such as `TaxInvoice/Save`, in any case of letters.
    pub path: Option<String>,
    /// A part of the body, such as a document's reference, exactly.
    pub body: Option<String>,
    /// Only the nth of the requests with this method and path, counted from 1.
    pub nth: Option<u64>,
    /// Every nth of them, counted from `from`.
    pub every: Option<u64>,
    /// Not before this one; 1 if not given.
    pub from: Option<u64>,
    /// So many times at most.
    pub count: Option<u64>,
}

/// A fault that falls on some requests by chance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub service: Party,
    pub method: Option<String>,
    /// As in [`When`].
    pub path: Option<String>,
    /// Of a thousand requests, so many on average.
    pub per_mille: u32,
    #[serde(rename = "do")]
    pub act: Act,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// The connection is closed before the service sees the request.
    Refuse,
    /// The service acts, then the connection is closed without an answer.
    DropAfter,
    /// Another answer.
    Status(Substitute),
    /// The service acts at once, its answer comes so many milliseconds later.
    Delay(u64),
    /// The request lies so many milliseconds on the way, and is acted on then, whether or not the client still waits.
    Late(u64),
    /// The service acts; the connection is closed after so many bytes of the answer's body.
    Truncate(usize),
    /// The service acts; a proxy's page comes back with status 200.
    Html,
    /// The service acts; the body that comes back is `null`.
    Null,
    /// The service acts; the body that comes back is a JSON string.
    BareString,
    /// The client is sent to another address; the service sees nothing.
    Redirect(String),
    /// 429 as that service would write it, from something in front of the service.
    RateLimit,
}

/// An answer that takes the place of the service's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Substitute {
    pub code: u16,
    #[serde(default)]
    pub body: String,
    #[serde(default = "plain_text")]
    pub content_type: String,
    /// The service never sees the request; false: it acts first.
    #[serde(default = "yes")]
    pub before: bool,
}

fn plain_text() -> String {
    "text/plain".to_owned()
}

fn yes() -> bool {
    true
}

/// A mistake in a plan.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    #[error("the fault plan cannot be read: {0}")]
    Shape(String),
    #[error("fault {index}: `{field}` counts from 1")]
    Zero { index: usize, field: &'static str },
    #[error("fault {index}: {code} is no final HTTP status (200 to 599)")]
    Status { index: usize, code: u16 },
    #[error("rate {index}: `per_mille` is at most 1000")]
    Chance { index: usize },
}

impl Plan {
    /// Reads and checks a plan.
    pub fn from_json(plan: &Value) -> Result<Self, PlanError> {
        let plan: Self = serde_json::from_value(plan.clone())
            .map_err(|error| PlanError::Shape(error.to_string()))?;
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), PlanError> {
        for (index, fault) in self.faults.iter().enumerate() {
            let counted = [
                ("nth", fault.when.nth),
                ("every", fault.when.every),
                ("from", fault.when.from),
                ("count", fault.when.count),
            ];
            if let Some((field, _)) = counted.into_iter().find(|(_, n)| *n == Some(0)) {
                return Err(PlanError::Zero { index, field });
            }
            fault.act.check(index)?;
        }
        for (index, rate) in self.rates.iter().enumerate() {
            if rate.per_mille > 1000 {
                return Err(PlanError::Chance { index });
            }
            rate.act.check(index)?;
        }
        Ok(())
    }
}

impl Act {
    fn check(&self, index: usize) -> Result<(), PlanError> {
        match self {
            Self::Status(Substitute { code, .. }) if !(200..600).contains(code) => {
                Err(PlanError::Status { index, code: *code })
            }
            _ => Ok(()),
        }
    }
}

/// A plan at work: it counts the requests that it sees.
#[derive(Debug, Clone)]
pub struct FaultPlan {
    plan: Plan,
    /// For each fault: requests that its method and path fit, and how often it struck.
    counts: Vec<(u64, u64)>,
    struck_by_chance: Vec<u64>,
    chance: ChaCha8Rng,
}

impl Default for FaultPlan {
    /// Nothing goes wrong.
    fn default() -> Self {
        Self::new(Plan::default())
    }
}

impl FaultPlan {
    pub fn new(plan: Plan) -> Self {
        Self {
            counts: vec![(0, 0); plan.faults.len()],
            struck_by_chance: vec![0; plan.rates.len()],
            chance: ChaCha8Rng::seed_from_u64(plan.seed),
            plan,
        }
    }

    /// What happens to this request, `None` for nothing. Each request is to be asked about once.
    pub fn decide(&mut self, service: Party, request: &Request) -> Option<Act> {
        let mut struck = None;
        for (fault, (seen, hits)) in self.plan.faults.iter().zip(&mut self.counts) {
            let when = &fault.when;
            if fault.service != service
                || !fits(&when.method, &when.path, request)
                || !when
                    .body
                    .as_ref()
                    .is_none_or(|part| holds(&request.body, part))
            {
                continue;
            }
            *seen += 1;
            // All that fit go on counting, so that one fault does not shift another's "nth".
            if struck.is_none() && when.strikes(*seen, *hits) {
                *hits += 1;
                struck = Some(fault.act.clone());
            }
        }
        for (rate, hits) in self.plan.rates.iter().zip(&mut self.struck_by_chance) {
            if rate.service != service || !fits(&rate.method, &rate.path, request) {
                continue;
            }
            // Drawn in any case, so that a planned fault does not shift the later draws.
            let drawn = self.chance.random_range(0..1000) < rate.per_mille;
            if drawn && struck.is_none() {
                *hits += 1;
                struck = Some(rate.act.clone());
            }
        }
        struck
    }

    /// How often each fault struck, in the order of the plan.
    pub fn report(&self) -> Value {
        let faults: Vec<u64> = self.counts.iter().map(|(_, hits)| *hits).collect();
        json!({"faults": faults, "rates": self.struck_by_chance})
    }
}

impl When {
    /// `seen`: which of the fitting requests this is, from 1; `hits`: how often the fault struck before.
    fn strikes(&self, seen: u64, hits: u64) -> bool {
        let from = self.from.unwrap_or(1);
        seen >= from
            && self.nth.is_none_or(|nth| seen == nth)
            && self
                .every
                .is_none_or(|every| (seen - from + 1).is_multiple_of(every))
            && self.count.is_none_or(|count| hits < count)
    }
}

fn holds(body: &[u8], part: &str) -> bool {
    String::from_utf8_lossy(body).contains(part)
}

fn fits(method: &Option<String>, path: &Option<String>, request: &Request) -> bool {
    method
        .as_ref()
        .is_none_or(|method| method.eq_ignore_ascii_case(&request.method))
        && path.as_ref().is_none_or(|part| {
            let whole = request.path.to_ascii_lowercase();
            whole.contains(&part.to_ascii_lowercase())
        })
}

/// What comes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    Answer(Response),
    /// The connection is closed without an answer; `effect`: the service has acted.
    Dropped {
        effect: bool,
    },
    /// The connection is closed after so many bytes of the body.
    Truncated {
        response: Response,
        bytes: usize,
    },
    /// The answer, so many milliseconds later.
    Delayed {
        response: Response,
        ms: u64,
    },
    /// The service has not seen the request yet: whoever delivers hands it over so many milliseconds later.
    Late {
        ms: u64,
    },
}

/// Hands a request to a service, unless the plan has something else in store.
pub fn apply<S: Service + ?Sized>(
    service: &mut S,
    party: Party,
    request: &Request,
    now: DateTime<Utc>,
    plan: &mut FaultPlan,
) -> Delivery {
    let Some(act) = plan.decide(party, request) else {
        return Delivery::Answer(service.handle(request, now));
    };
    match act {
        Act::Refuse => Delivery::Dropped { effect: false },
        Act::DropAfter => {
            service.handle(request, now);
            Delivery::Dropped { effect: true }
        }
        Act::Status(substitute) => {
            if !substitute.before {
                service.handle(request, now);
            }
            let Substitute {
                code,
                body,
                content_type,
                ..
            } = substitute;
            Delivery::Answer(Response::text(code, &content_type, &body))
        }
        Act::Delay(ms) => Delivery::Delayed {
            response: service.handle(request, now),
            ms,
        },
        Act::Late(ms) => Delivery::Late { ms },
        Act::Truncate(bytes) => Delivery::Truncated {
            response: service.handle(request, now),
            bytes,
        },
        Act::Html => {
            service.handle(request, now);
            Delivery::Answer(Response::text(200, "text/html", PROXY_PAGE))
        }
        Act::Null => Delivery::Answer(with_body(service.handle(request, now), &Value::Null)),
        Act::BareString => {
            let body = Value::from("The request was processed.");
            Delivery::Answer(with_body(service.handle(request, now), &body))
        }
        Act::Redirect(url) => Delivery::Answer(Response::empty(302).with("location", &url)),
        Act::RateLimit => Delivery::Answer(rate_limit(party)),
    }
}

const PROXY_PAGE: &str =
    "<html><head><title>One moment</title></head><body><h1>One moment, please</h1></body></html>";

/// The answer with its status and another body.
fn with_body(answer: Response, body: &Value) -> Response {
    Response::json(answer.status, body)
}

fn rate_limit(party: Party) -> Response {
    match party {
        Party::Splynx => {
            Response::text(429, "text/plain", "Too many requests").with("retry-after", "30")
        }
        // Sage sends no Retry-After (Sage API, request limits).
        Party::Sage => {
            let text = "Your IP address has exceeded the allowed number of transactions per minute \
                        and has been blocked for 1 hour";
            Response::json(429, &Value::from(text)).with("x-requestlimit-exceededreason", text)
        }
    }
}
