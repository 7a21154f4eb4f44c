//! One connection's part of a batch: its requests leave in order, as pace, parallelism and the governor allow, and every one
//! of them gets an answer.
//!
//! A queue waits for three things at once: answers, its turn, and the word to stop. What stops it (refused credentials, a
//! block, a stop) answers everything that has not left; what is in flight is waited for. Beware: an exchange that was
//! begun is never cancelled by the queue, since then nobody would know whether the service acted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{Id, JoinError, JoinSet};

use super::budget::Admission;
use super::egress::Outgoing;
use super::exchange::{ConnectionSignal, RequestContext, cancelled};
use super::gate::{Gate, Permit};
use super::governor::{Ask, Class, LEAVES_WITHIN_MS, Priority, Why};
use super::{Answer, Unanswered};
use addon_store::{Failure, StoreError};

/// A wait that a run's log tells of.
const LONG_WAIT: TimeDelta = TimeDelta::seconds(5);

/// For how many times as many requests as leave at once the budget is asked.
const MOST_ROUNDS: usize = 4;

/// A request that waits to leave.
pub(super) struct PendingRequest {
    /// Its place in the batch.
    pub index: usize,
    pub outgoing: Outgoing,
    pub write: bool,
    pub priority: Priority,
}

pub(super) struct ConnectionQueue {
    context: RequestContext,
    queue: VecDeque<PendingRequest>,
    gate: Arc<Gate>,
    /// Waited for, and not used yet.
    spare: Option<Permit>,
    /// What may leave without asking again.
    admitted: Option<Admitted>,
    /// How long the last exchange took.
    flight: Option<TimeDelta>,
    /// Its name in the line of those who wait.
    who: u64,
    waiting: Option<Waiting>,
    /// What the next answer tells of the credentials is noted before anything else leaves.
    vouching: bool,
    flights: JoinSet<Completed>,
    /// Where each flight's answer belongs, should the flight itself break down.
    places: HashMap<Id, usize>,
    answers: Vec<(usize, Answer)>,
    /// Why nothing more leaves.
    over: Option<Failure>,
}

/// The queue stands in the line.
struct Waiting {
    since: DateTime<Utc>,
    /// The run's log was told.
    told: bool,
}

/// Requests that the budget let go, and that have not left.
struct Admitted {
    left: usize,
    priority: Priority,
    until: DateTime<Utc>,
    /// The gate's count of refusals then.
    refusals: u64,
}

/// A flight that came back.
struct Completed {
    index: usize,
    took: TimeDelta,
    answer: Answer,
    signal: ConnectionSignal,
    /// Kept until what the answer tells is noted: nobody may follow a refused password before that.
    permit: Permit,
}

/// What the queue does next.
enum Next {
    /// Something changed: look again.
    Look,
    /// Nothing to do but wait for answers.
    Land,
    /// Other queues have the slots.
    Permit,
    Later(DateTime<Utc>),
}

impl Admitted {
    /// Whether requests of a priority may still leave on it.
    fn covers(&self, priority: Priority, gate: &Gate, now: DateTime<Utc>) -> bool {
        self.left > 0
            && self.priority == priority
            // A clock that was set back tells nothing.
            && (self.until - TimeDelta::milliseconds(LEAVES_WITHIN_MS)..self.until).contains(&now)
            && self.refusals == gate.refusals()
    }
}

impl ConnectionQueue {
    pub fn new(context: RequestContext, mut pending_requests: Vec<PendingRequest>) -> Self {
        pending_requests.sort_by_key(|pending| std::cmp::Reverse(pending.priority));
        Self {
            gate: context.connections.gates.of(&context.route),
            context,
            queue: pending_requests.into(),
            spare: None,
            admitted: None,
            flight: None,
            who: rand::random(),
            waiting: None,
            vouching: false,
            flights: JoinSet::new(),
            places: HashMap::new(),
            answers: Vec::new(),
            over: None,
        }
    }

    pub async fn run(mut self) -> Vec<(usize, Answer)> {
        loop {
            if let Some(reason) = self.context.caller.cancellation.reason() {
                self.over.get_or_insert_with(|| cancelled(reason));
            }
            if self.context.haul.is_full() {
                let full = || self.context.haul.failure("limit");
                self.over.get_or_insert_with(full);
            }
            if let Some(why) = &self.over {
                let unsent = self
                    .queue
                    .drain(..)
                    .map(|pending| (pending.index, Err(Unanswered::unsent(why.clone()))));
                self.answers.extend(unsent);
            }
            if self.queue.is_empty() && self.flights.is_empty() {
                self.leave_line().await;
                return self.answers;
            }
            match self.next().await {
                Ok(Next::Look) => {}
                Ok(next) => self.wait(next).await,
                Err(error) => self.over = Some(error.into()),
            }
        }
    }

    /// Lets leave what may leave now.
    async fn next(&mut self) -> Result<Next, StoreError> {
        let Some(head) = self.queue.front() else {
            return Ok(Next::Land);
        };
        if self.vouching {
            return Ok(Next::Land);
        }
        let priority = head.priority;
        let RequestContext {
            connections,
            caller,
            route,
            ..
        } = &self.context;
        let began = self.context.now();
        let login = connections.tokens.lacks(route, began);
        let left = match &self.admitted {
            Some(admitted) if !login && admitted.covers(priority, &self.gate, began) => {
                admitted.left
            }
            _ => 0,
        };
        // A class of its own: what matters less must not leave on the others' account.
        let equal = self
            .queue
            .iter()
            .take_while(|pending| pending.priority == priority)
            .count();
        let free = route.parallel.saturating_sub(self.flights.len());
        let want = match (login, left) {
            (true, _) => 1,
            (false, 0) => free.min(equal),
            (false, left) => free.min(equal).min(left),
        };
        let mut permits = Vec::from_iter(self.spare.take());
        while permits.len() < want
            && let Some(permit) = self.gate.try_enter()
        {
            permits.push(permit);
        }
        if permits.is_empty() {
            return Ok(if self.flights.is_empty() {
                Next::Permit
            } else {
                Next::Land
            });
        }
        if left > 0 {
            self.launch(permits.into_iter().take(left));
            return Ok(Next::Look);
        }
        let more = match login {
            true => 0,
            false => self.follow_soon().min(equal - permits.len().min(equal)),
        };
        let refusals = self.gate.refusals();
        let ask = Ask {
            credentials: &route.fingerprint,
            class: Class {
                by: caller.by,
                priority: if caller.urgent {
                    Priority::High
                } else {
                    priority
                },
            },
            want: u32::try_from(permits.len()).unwrap_or(1),
            more: u32::try_from(more).unwrap_or(0),
            who: self.who,
            since: self
                .waiting
                .as_ref()
                .map(|waiting| waiting.since.timestamp_millis()),
            flight_ms: i64::try_from(route.timeout.as_millis()).unwrap_or(i64::MAX / 4),
            run: caller.run.map(|run| caller.usage.pace(run, &route.name)),
        };
        match connections.budget.admit(route, &ask).await? {
            Admission::Go { count, vouch } => {
                self.end_wait();
                self.vouching = vouch;
                if login {
                    self.count_call();
                    let (signal, failure) = self.context.log_in().await;
                    self.over = failure;
                    self.take_note(signal).await?;
                } else {
                    let left = usize::try_from(count).unwrap_or(usize::MAX);
                    self.admitted = Some(Admitted {
                        left,
                        priority,
                        until: began + TimeDelta::milliseconds(LEAVES_WITHIN_MS),
                        refusals,
                    });
                    self.launch(permits.into_iter().take(left));
                }
            }
            Admission::Wait(until, why) => {
                self.begin_wait(until, why);
                return Ok(Next::Later(until));
            }
            Admission::Paused(until, why) => self.pause(until, why),
            Admission::Denied => self.over = Some(self.context.denied()),
        }
        Ok(Next::Look)
    }

    fn begin_wait(&mut self, until: DateTime<Utc>, why: Why) {
        let now = self.context.now();
        let waiting = self.waiting.get_or_insert(Waiting {
            since: now,
            told: false,
        });
        let RequestContext { caller, route, .. } = &self.context;
        let long = until - waiting.since >= LONG_WAIT;
        if !long || waiting.told || !caller.usage.may_tell_wait(&route.name, now) {
            return;
        }
        waiting.told = true;
        let why = match why {
            Why::Pace | Why::Day | Why::Share => "its limits",
            Why::Turn => "others whose turn is first",
            Why::Login => "the answer to another's login",
            Why::Block => "the end of a block",
        };
        (caller.tell)("info", &format!("{} waits for {why}.", route.title));
    }

    fn end_wait(&mut self) {
        if let Some(Waiting { since, told: true }) = self.waiting.take() {
            let (seconds, title) = (
                (self.context.now() - since).num_seconds(),
                &self.context.route.title,
            );
            (self.context.caller.tell)("info", &format!("{title} goes on after {seconds} s."));
        }
    }

    /// Nothing more leaves for longer than anybody waits.
    fn pause(&mut self, until: DateTime<Utc>, why: Why) {
        let failure = self.context.paused(until, why);
        (self.context.caller.tell)("warn", &failure.message);
        self.over = Some(failure);
    }

    /// Others need not wait for one that wants nothing more. Where this fails the claim ends by itself.
    async fn leave_line(&mut self) {
        if self.waiting.take().is_none() {
            return;
        }
        let RequestContext {
            connections, route, ..
        } = &self.context;
        if let Err(error) = connections.budget.leave(route, self.who).await {
            tracing::warn!(connection = route.name, %error, "a place in the line could not be given up");
        }
    }

    /// How many requests will follow those that leave at once before their admission is over, if exchanges take as long as the last.
    fn follow_soon(&self) -> usize {
        let most = MOST_ROUNDS * self.context.route.parallel;
        match self.flight.map(|flight| flight.num_milliseconds().max(1)) {
            // Half of the time, so that hardly any is admitted in vain.
            Some(millis) => {
                let rounds = usize::try_from(LEAVES_WITHIN_MS / 2 / millis).unwrap_or(0);
                most.min(rounds * self.context.route.parallel)
            }
            None => 0,
        }
    }

    fn count_call(&self) {
        let RequestContext { caller, route, .. } = &self.context;
        caller.usage.add_calls(&route.name, 1);
    }

    fn launch(&mut self, permits: impl Iterator<Item = Permit>) {
        for permit in permits {
            let Some(pending) = self.queue.pop_front() else {
                return;
            };
            if let Some(admitted) = &mut self.admitted {
                admitted.left = admitted.left.saturating_sub(1);
            }
            self.count_call();
            self.launch_one(pending, permit);
        }
    }

    fn launch_one(&mut self, pending: PendingRequest, permit: Permit) {
        let context = self.context.clone();
        let index = pending.index;
        let flight = self.flights.spawn(async move {
            let began = context.now();
            let (answer, signal) = context.fly(&pending).await;
            Completed {
                index,
                took: context.now() - began,
                answer,
                signal,
                permit,
            }
        });
        self.places.insert(flight.id(), index);
    }

    async fn wait(&mut self, next: Next) {
        let began = self.context.now();
        let turn = if let Next::Later(until) = next {
            Some(until)
        } else {
            None
        };
        let (gate, clock) = (
            self.gate.clone(),
            self.context.connections.budget.clock.clone(),
        );
        let mut cancellation = self.context.caller.cancellation.clone();
        tokio::select! {
            Some(completed) = self.flights.join_next() => self.land(completed).await,
            permit = gate.enter(), if matches!(next, Next::Permit) => self.spare = permit,
            () = clock.sleep_until(turn.unwrap_or(began)), if turn.is_some() => {}
            _ = cancellation.said(), if self.over.is_none() => {}
        }
        if !matches!(next, Next::Land) {
            self.context
                .caller
                .usage
                .add_wait(self.context.now() - began);
        }
    }

    async fn land(&mut self, completed: Result<Completed, JoinError>) {
        match completed {
            Ok(Completed {
                index,
                took,
                answer,
                signal,
                permit,
            }) => {
                self.flight = Some(took);
                self.answers.push((index, answer));
                if let Err(error) = self.take_note(signal).await {
                    self.over = Some(error.into());
                }
                drop(permit);
            }
            Err(broken) => {
                tracing::error!(connection = self.context.route.name, error = %broken, "an exchange broke down");
                if let Some(index) = self.places.get(&broken.id()) {
                    self.answers.push((*index, Err(Unanswered::broken_down())));
                }
            }
        }
    }

    /// What an answer says of the connection.
    async fn take_note(&mut self, signal: ConnectionSignal) -> Result<(), StoreError> {
        let RequestContext {
            connections, route, ..
        } = &self.context;
        let budget = &connections.budget;
        let vouched = std::mem::take(&mut self.vouching);
        match signal {
            ConnectionSignal::Accepted if vouched => budget.answered(route, 200).await?,
            ConnectionSignal::Accepted => {}
            // The token was refused, not the key: perhaps it was withdrawn. The next request fetches another one.
            ConnectionSignal::Refused if connections.tokens.forget(route) => {
                budget.unanswered(route).await?
            }
            ConnectionSignal::Refused => {
                self.gate.note_refusal();
                budget.answered(route, 401).await?;
                self.over = Some(self.context.denied());
            }
            ConnectionSignal::Limited(rest) => {
                self.gate.note_refusal();
                let until = budget.rest(route, &rest).await?;
                self.pause(until, Why::Block);
            }
            ConnectionSignal::Nothing if vouched => budget.unanswered(route).await?,
            ConnectionSignal::Nothing => {}
        }
        Ok(())
    }
}
