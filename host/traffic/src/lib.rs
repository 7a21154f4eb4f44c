//! HTTP for guests (`http.wit`): a guest names a connection and a path, the host knows address, credentials, limits and
//! time-outs.
//!
//! One request's way: checked (`check`), queued in the `queue` of its connection, admitted by the `governor` through the
//! `budget`, proven and sent (`exchange`), redacted (`redact`), answered. `governor`, `auth`, `address`, `reach` and
//! `redact` are pure. Beware: whatever a guest supplied is checked before credentials are added, never after.

pub mod address;
pub mod auth;
mod budget;
pub mod cancellation;
mod check;
pub mod clock;
mod clocks;
mod connection_queue;
mod connection_turn;
mod effect;
mod egress;
mod exchange;
mod gate;
pub mod governor;
mod haul;
mod hosts_headers;
mod notice;
mod people;
pub mod reach;
pub mod redact;
mod route;
mod token;
mod usage;

pub use governor::{By, Priority};
pub use people::{Person, Vouched};
pub use route::{Access, Route};
pub use usage::Usage;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use tokio::task::JoinSet;

use self::budget::Budget;
use self::cancellation::CancellationToken;
use self::clocks::Clocks;
use self::connection_queue::{ConnectionQueue, PendingRequest};
use self::egress::Egress;
use self::exchange::RequestContext;
use self::gate::Gates;
use self::governor::{Class, Estimate, Figures};
use self::haul::Haul;
use self::token::Tokens;
use crate::clock::Clock;
use addon_store::{Failure, Fence, RunId, Store, StoreError, Trigger};

impl By {
    /// What a run that a person started does when it goes on after a pause, it does while nobody waits.
    pub fn of(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Person => Self::Person,
            Trigger::Schedule | Trigger::Event | Trigger::Resume => Self::Schedule,
        }
    }
}

/// As in `http.wit`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    pub connection: String,
    pub effect: String,
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub options: Vec<(String, String)>,
}

/// As in `http.wit`; without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// As in `http.wit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// The other side may have acted on it.
    pub maybe_sent: bool,
    pub reason: Failure,
}

pub type Answer = Result<Response, Unanswered>;

/// Most requests in one batch.
const LARGEST_BATCH: usize = 1000;

/// On whose behalf requests are sent.
#[derive(Clone)]
pub struct Caller {
    pub access: Arc<Access>,
    pub rights: Rights,
    pub by: By,
    /// A person waits at a page: all its requests are urgent, whatever the add-on says of them.
    pub urgent: bool,
    /// `None`: it acts for no run.
    pub run: Option<RunId>,
    pub cancellation: CancellationToken,
    pub usage: Arc<Usage>,
    /// Hears what the run's log should say of waits and pauses.
    pub tell: Tell,
}

/// A line for the log of whoever sends: its level, and its text.
pub type Tell = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// What a caller may do to the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights {
    /// No HTTP at all (`view`, `migrate`).
    Nothing,
    /// A preview, a check, a list of choices.
    Read,
    /// As long as the lease is held.
    Write(Fence),
}

impl Unanswered {
    /// It never left the host.
    pub fn unsent(reason: Failure) -> Self {
        Self {
            maybe_sent: false,
            reason,
        }
    }

    /// The host itself failed on the way.
    fn broken_down() -> Self {
        let reason = Failure::new(
            "internal",
            "The host failed while it sent this; see the host's log.",
        );
        Self {
            maybe_sent: true,
            reason,
        }
    }
}

/// Everything that is sent by this process goes through one of these; clones are the same one.
#[derive(Clone)]
pub struct Connections {
    budget: Budget,
    egress: Arc<Egress>,
    tokens: Arc<Tokens>,
    clocks: Arc<Clocks>,
    gates: Arc<Gates>,
}

impl Connections {
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self {
            budget: Budget { store, clock },
            egress: Arc::default(),
            tokens: Arc::default(),
            clocks: Arc::default(),
            gates: Arc::default(),
        }
    }

    /// Sends the requests, together as far as limits allow, and answers in their order. Connections do not wait for each
    /// other. Dropping the future abandons what is in flight, as killing the host would.
    pub async fn send(&self, caller: &Caller, requests: Vec<Request>) -> Vec<Answer> {
        if requests.len() > LARGEST_BATCH {
            let why = Failure::new(
                "limit",
                format!("One call sends at most {LARGEST_BATCH} requests."),
            );
            return requests
                .iter()
                .map(|_| Err(Unanswered::unsent(why.clone())))
                .collect();
        }
        let mut answers: Vec<Option<Answer>> = vec![None; requests.len()];
        let mut pending_requests: BTreeMap<String, (Arc<Route>, Vec<PendingRequest>)> =
            BTreeMap::new();
        for (index, request) in requests.into_iter().enumerate() {
            match check::check(caller, request, index) {
                Ok((route, pending)) => {
                    pending_requests
                        .entry(route.name.clone())
                        .or_insert_with(|| (route, Vec::new()))
                        .1
                        .push(pending);
                }
                Err(reason) => answers[index] = Some(Err(Unanswered::unsent(reason))),
            }
        }
        let largest = pending_requests
            .values()
            .map(|(route, _)| route.max_response_bytes);
        let haul = Haul::for_answers_of(largest.max().unwrap_or_default());
        let mut queues = JoinSet::new();
        for (route, pending_requests) in pending_requests.into_values() {
            let context = RequestContext {
                connections: self.clone(),
                caller: caller.clone(),
                route,
                haul: haul.clone(),
            };
            queues.spawn(ConnectionQueue::new(context, pending_requests).run());
        }
        while let Some(queue) = queues.join_next().await {
            match queue {
                Ok(done) => done
                    .into_iter()
                    .for_each(|(index, answer)| answers[index] = Some(answer)),
                Err(error) => tracing::error!(%error, "a batch broke down"),
            }
        }
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(|| Err(Unanswered::broken_down())))
            .collect()
    }

    /// Tries the credentials of a connection again that were refused: a person entered them anew.
    pub async fn forgive(&self, access: &Access, connection: &str) -> Result<(), StoreError> {
        match access.route(connection) {
            Some(Ok(route)) => self.budget.forgive(route).await,
            _ => Ok(()),
        }
    }

    /// How a connection stands; `None`: it cannot be used.
    pub async fn figures(
        &self,
        access: &Access,
        connection: &str,
    ) -> Result<Option<Figures>, StoreError> {
        match access.route(connection) {
            Some(Ok(route)) => self.budget.figures(route).await.map(Some),
            _ => Ok(None),
        }
    }

    /// How far a service's clock was ahead of ours at its last answer; `None`: not noticeably.
    pub fn clock_ahead(&self, access: &Access, connection: &str) -> Option<TimeDelta> {
        match access.route(connection) {
            Some(Ok(route)) => self.clocks.ahead(route),
            _ => None,
        }
    }

    /// How long so many requests take; `None`: the connection cannot be used.
    pub async fn estimate(
        &self,
        access: &Access,
        connection: &str,
        by: By,
        requests: u64,
    ) -> Result<Option<Estimate>, StoreError> {
        let class = Class {
            by,
            priority: Priority::Normal,
        };
        match access.route(connection) {
            Some(Ok(route)) => self.budget.estimate(route, class, requests).await.map(Some),
            _ => Ok(None),
        }
    }
}
