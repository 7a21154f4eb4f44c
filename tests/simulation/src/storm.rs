//! What goes wrong in a run: strikes that were drawn ahead, and the places at the capability seam where they fall.
//!
//! A strike names a fault and the how-manieth fitting place of its run it falls on, so a history's faults can be taken out one by one.
//! Beware: a fault must be one that the product can tell from the truth. A proxy's 404 for one record, or a `null` in its place, says
//! what a deletion says; neither is ever sent for a single record.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use mock_host::contract::{Failure, Request};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sandbox::faults::Party;
use sandbox::http::Response;
use serde_json::Value;

use crate::people::People;

/// Where a fault can fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Any request that a service is sent.
    Request,
    /// One to Sage.
    Sage,
    /// One that changes something.
    Write,
    Commit,
    /// Where the run tells how far it is.
    Progress,
    /// Any capability call.
    Call,
    /// The run as a whole.
    Run,
}

macro_rules! faults {
    ($($fault:ident $name:literal $place:ident,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault { $($fault),* }

        impl Fault {
            pub const ALL: &'static [Self] = &[$(Self::$fault),*];

            /// As in reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$fault => $name),* }
            }

            pub fn place(self) -> Place {
                match self { $(Self::$fault => Place::$place),* }
            }
        }
    };
}

faults! {
    Refused "connection refused" Request,
    LostBefore "lost before the effect" Request,
    LostAfter "lost after the effect" Write,
    TimeOutBefore "time-out before the effect" Request,
    TimeOutAfter "time-out after the effect" Write,
    TimeOutLate "time-out, and the effect later" Write,
    PasswordChanged "401: password changed" Sage,
    Expired "402" Sage,
    NotFound "404" Request,
    Conflict "409" Write,
    TooManyAMinute "429: a minute" Request,
    TooManyADay "429: a day" Sage,
    TooManyLogins "429: logins" Sage,
    ErrorBefore "500 before the effect" Request,
    ErrorAfter "500 after the effect" Write,
    AwayBefore "503 before the effect" Request,
    AwayAfter "503 after the effect" Write,
    Truncated "body truncated" Request,
    Malformed "body malformed" Request,
    Html "HTML for JSON" Request,
    BareString "a bare string" Request,
    Null "null" Request,
    WrongType "wrong content type" Request,
    Slow "slow body" Request,
    Redirect "redirect" Request,
    Edited "edited between two requests" Request,
    ShortPages "pages that shift" Run,
    Lag "lists lag behind" Run,
    FiltersIgnored "string filters ignored" Run,
    FiltersEmpty "string filters empty" Run,
    FiltersRefused "string filters refused" Run,
    DiskFull "disk full" Commit,
    StoreLocked "store locked" Commit,
    LeaseLost "lease lost" Commit,
    ClockForward "clock forward" Request,
    ClockBack "clock back" Request,
    Midnight "midnight" Request,
    MonthEnd "month end" Request,
    Stopped "stopped by a person" Progress,
    Updated "add-on updated" Progress,
    DiedBefore "died before a call" Call,
    DiedWithin "died within a batch" Call,
    DiedAfter "died after a call" Call,
}

/// One fault of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    pub fault: Fault,
    /// Of the places that fit it, counted from 1: this one, or the next on which it makes sense.
    pub at: u32,
    pub seed: u64,
}

/// One request of a run, as seen from outside.
#[derive(Debug, Clone)]
pub struct Asked {
    pub party: Party,
    pub method: String,
    pub path: String,
    pub is_write: bool,
    /// Of a write.
    pub body: String,
    pub struck: Option<Fault>,
    /// The client got an answer that it can use.
    pub answered: bool,
}

/// What goes wrong, and what was seen.
#[derive(Clone, Default)]
pub struct Storm {
    strikes: Vec<Strike>,
    seen: BTreeMap<u8, u32>,
    /// How often each fault fell, over all runs.
    pub fallen: BTreeMap<&'static str, u64>,
    /// Requests that are still on their way, though nobody waits for them.
    pub late: Vec<(DateTime<Utc>, Party, sandbox::http::Request)>,
    /// Lists show what was created so long ago.
    pub lag: TimeDelta,
    /// The most rows that a list gives at once.
    pub page: Option<u32>,
    /// The run has lost its lease: it may neither send nor store.
    pub fenced: bool,
    /// An update was asked for.
    pub updating: bool,
    pub people: People,
    /// The requests of the run; `None`: nobody looks.
    pub asked: Option<Vec<Asked>>,
    /// What is told of each request and run, where somebody wants it.
    pub story: Option<Vec<String>>,
}

impl Storm {
    /// A run begins, with its strikes.
    pub fn begin(&mut self, strikes: &[Strike]) {
        self.strikes = strikes.to_vec();
        self.seen.clear();
        self.fenced = false;
        self.updating = false;
        if let Some(asked) = &mut self.asked {
            asked.clear();
        }
    }

    /// The strikes of a run that fall on it as a whole, or on a capability call.
    pub fn of_run(&mut self) -> Vec<Strike> {
        let (now, later) = std::mem::take(&mut self.strikes)
            .into_iter()
            .partition(|strike| matches!(strike.fault.place(), Place::Run | Place::Call));
        self.strikes = later;
        now
    }

    pub fn note(&mut self, fault: Fault) {
        *self.fallen.entry(fault.name()).or_default() += 1;
        self.tell(|| format!("    ! {}", fault.name()));
    }

    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(line());
        }
    }

    /// The strike on this place, if one is due that makes sense here.
    fn strike(&mut self, places: &[Place], fits: impl Fn(Fault) -> bool) -> Option<Strike> {
        if self.strikes.is_empty() {
            return None;
        }
        for place in places {
            *self.seen.entry(*place as u8).or_default() += 1;
        }
        let due = self.strikes.iter().position(|strike| {
            let place = strike.fault.place();
            places.contains(&place)
                && self.seen.get(&(place as u8)).copied().unwrap_or(0) >= strike.at
                && fits(strike.fault)
        })?;
        let strike = self.strikes.remove(due);
        self.note(strike.fault);
        Some(strike)
    }

    /// What falls on a request.
    pub fn on_request(&mut self, party: Party, request: &Request) -> Option<Strike> {
        let is_write = request.effect == "write";
        let mut places = vec![Place::Request];
        if party == Party::Sage {
            places.push(Place::Sage);
        }
        if is_write {
            places.push(Place::Write);
        }
        let of_one = is_of_one(&request.path);
        let is_head = request.method == "HEAD";
        self.strike(&places, |fault| match fault {
            Fault::NotFound => !of_one,
            Fault::Null => !of_one || is_write,
            Fault::Conflict => is_write && request.method != "DELETE",
            // A count has no body, and an empty answer that is read as none of it only makes more work.
            Fault::Malformed | Fault::Html | Fault::BareString | Fault::Truncated => !is_head,
            _ => true,
        })
    }

    /// What the store answers instead of writing.
    pub fn on_commit(&mut self) -> Option<Failure> {
        let strike = self.strike(&[Place::Commit], |_| true)?;
        Some(match strike.fault {
            Fault::DiskFull => Failure::new("full", "The installation's storage is full."),
            Fault::LeaseLost => {
                self.fenced = true;
                fenced()
            }
            _ => Failure::new(
                "internal",
                "The host cannot reach its database; see the host's log.",
            ),
        })
    }

    /// Whether the run is asked to stop.
    pub fn goes_on(&mut self) -> bool {
        let Some(strike) = self.strike(&[Place::Progress], |_| true) else {
            return true;
        };
        self.updating |= strike.fault == Fault::Updated;
        false
    }
}

pub fn fenced() -> Failure {
    Failure::new("fenced", "This run has lost its lease.")
}

/// Whether a path names one record.
pub fn is_of_one(path: &str) -> bool {
    path.rsplit('/')
        .next()
        .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
}

/// What a client gets in place of the service's answer; `effect`: the service acts before.
pub struct Instead {
    pub effect: bool,
    pub answer: Answered,
}

pub enum Answered {
    Response(Response),
    /// The service's own answer, changed.
    Changed(fn(Response) -> Response),
    Lost {
        code: &'static str,
        maybe_sent: bool,
        after: TimeDelta,
    },
    /// The service's own answer, later.
    Slow(TimeDelta),
    /// Nobody waits for it any more when it comes about.
    Late(TimeDelta),
}

/// What a fault makes of a request. `None`: it lets the request pass.
pub fn instead(strike: &Strike, party: Party, url: &str) -> Option<Instead> {
    let mut rng = ChaCha8Rng::seed_from_u64(strike.seed);
    let lost = |code, maybe_sent, seconds| Answered::Lost {
        code,
        maybe_sent,
        after: TimeDelta::seconds(seconds),
    };
    let status =
        |code: u16, body: &str| Answered::Response(Response::text(code, "text/plain", body));
    let json = |code: u16, body: &str| Answered::Response(Response::json(code, &Value::from(body)));
    let (effect, answer) = match strike.fault {
        Fault::Refused => (false, lost("unreachable", false, 1)),
        Fault::LostBefore => (false, lost("connection-lost", true, 1)),
        Fault::LostAfter => (true, lost("connection-lost", true, 1)),
        Fault::Truncated => (true, lost("connection-lost", true, 1)),
        Fault::TimeOutBefore => (false, lost("timeout", true, 60)),
        Fault::TimeOutAfter => (true, lost("timeout", true, 60)),
        Fault::TimeOutLate => {
            let late = TimeDelta::seconds(rng.random_range(61..150));
            (false, Answered::Late(late))
        }
        Fault::Expired => (false, status(402, "Registration expired")),
        Fault::NotFound => (false, status(404, "Not found")),
        Fault::Conflict => (false, json(409, "The record is in use by another user")),
        Fault::TooManyAMinute => (
            false,
            Answered::Response(too_many(
                party,
                "per minute and has been blocked for 1 hour",
            )),
        ),
        Fault::TooManyADay => (false, Answered::Response(too_many(party, "per day"))),
        Fault::TooManyLogins => {
            let text = "Your Username has exceeded the allowed number of login attempts and has been blocked for 24 hours";
            (false, json(429, text))
        }
        Fault::ErrorBefore => (false, json(500, "An error has occurred.")),
        Fault::ErrorAfter => (true, json(500, "An error has occurred.")),
        Fault::AwayBefore => (false, status(503, "Service unavailable")),
        Fault::AwayAfter => (true, status(503, "Service unavailable")),
        Fault::Html => {
            // Proxies like to show the address, and with it what stands in it.
            let page = format!("<html><body><h1>One moment, please</h1><p>{url}</p></body></html>");
            (
                true,
                Answered::Response(Response::text(200, "text/html", &page)),
            )
        }
        Fault::Redirect => {
            let elsewhere = format!("https://elsewhere.example/{url}");
            (
                false,
                Answered::Response(Response::empty(302).with("location", &elsewhere)),
            )
        }
        Fault::Malformed => (true, Answered::Changed(cut_in_half)),
        Fault::BareString => (
            true,
            Answered::Changed(|answer| with_body(&answer, "\"The request was processed.\"")),
        ),
        Fault::Null => (true, Answered::Changed(|answer| with_body(&answer, "null"))),
        Fault::WrongType => (true, Answered::Changed(wrong_type)),
        Fault::Slow => (
            true,
            Answered::Slow(TimeDelta::seconds(rng.random_range(5..58))),
        ),
        _ => return None,
    };
    Some(Instead { effect, answer })
}

fn too_many(party: Party, what: &str) -> Response {
    match party {
        Party::Splynx => {
            Response::text(429, "text/plain", "Too many requests").with("retry-after", "30")
        }
        Party::Sage => {
            let text =
                format!("Your IP address has exceeded the allowed number of transactions {what}");
            Response::json(429, &Value::from(text))
        }
    }
}

fn with_body(answer: &Response, body: &str) -> Response {
    Response::text(answer.status, "application/json", body)
}

fn cut_in_half(answer: Response) -> Response {
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    let half = body.len() / 2;
    let cut = (0..=half).rev().find(|at| body.is_char_boundary(*at));
    with_body(&answer, &body[..cut.unwrap_or(0)])
}

fn wrong_type(mut answer: Response) -> Response {
    answer.headers.retain(|(name, _)| name != "content-type");
    answer.with("content-type", "text/html")
}

/// Drops the rows of one of Sage's lists that were created since.
pub fn lagging(answer: Response, since: &str) -> Response {
    let Ok(Value::Object(mut list)) = serde_json::from_slice(&answer.body) else {
        return answer;
    };
    let Some(Value::Array(rows)) = list.get_mut("Results") else {
        return answer;
    };
    let before = rows.len();
    rows.retain(|row| {
        row["Created"]
            .as_str()
            .is_none_or(|created| created <= since)
    });
    let (hidden, left) = (before - rows.len(), rows.len());
    let total = list
        .get("TotalResults")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    list.insert(
        "TotalResults".to_owned(),
        total.saturating_sub(hidden as u64).into(),
    );
    list.insert("ReturnedResults".to_owned(), left.into());
    Response::json(answer.status, &Value::Object(list))
}
