//! One connection's part of a batch: its requests leave in order, as pace, parallelism and the governor allow, and every one
//! of them gets an answer.
//!
//! A lane waits for three things at once: answers, its turn, and the word to stop. What stops it (refused credentials, a
//! block, a stop) answers everything that has not left; what is in flight is waited for. The trap: an exchange that was
//! begun is never cancelled by the lane, since then nobody would know whether the service acted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{Id, JoinError, JoinSet};

use super::budget::Admission;
use super::egress::Outgoing;
use super::exchange::{Crew, Tells, halted};
use super::gate::{Gate, Slot, Urgent};
use super::governor::Why;
use super::{Answer, Priority, Unanswered};
use crate::store::{Failure, StoreError};

/// How long to give way to somebody urgent before asking again.
const GIVE_WAY: TimeDelta = TimeDelta::milliseconds(100);

/// A request that waits to leave.
pub(super) struct Errand {
    /// Its place in the batch.
    pub index: usize,
    pub outgoing: Outgoing,
    pub write: bool,
    pub priority: Priority,
}

pub(super) struct Lane {
    crew: Crew,
    queue: VecDeque<Errand>,
    gate: Arc<Gate>,
    /// Waited for, and not used yet.
    spare: Option<Slot>,
    /// Held while the head of the queue has priority and waits.
    urgent: Option<Urgent>,
    flights: JoinSet<Landed>,
    /// Where each flight's answer belongs, should the flight itself break down.
    places: HashMap<Id, usize>,
    answers: Vec<(usize, Answer)>,
    /// Why nothing more leaves.
    over: Option<Failure>,
}

/// A flight that came back.
struct Landed {
    index: usize,
    answer: Answer,
    tells: Tells,
    /// Kept until what the answer tells is noted: nobody may follow a refused password before that.
    slot: Slot,
}

/// What the lane does next.
enum Next {
    /// Something changed: look again.
    Look,
    /// Nothing to do but wait for answers.
    Land,
    /// Other lanes have the slots.
    Slot {
        alone: bool,
    },
    Later(DateTime<Utc>),
}

impl Lane {
    pub fn new(crew: Crew, mut errands: Vec<Errand>) -> Self {
        errands.sort_by_key(|errand| std::cmp::Reverse(errand.priority));
        Self {
            gate: crew.connections.gates.of(&crew.route),
            crew,
            queue: errands.into(),
            spare: None,
            urgent: None,
            flights: JoinSet::new(),
            places: HashMap::new(),
            answers: Vec::new(),
            over: None,
        }
    }

    pub async fn run(mut self) -> Vec<(usize, Answer)> {
        loop {
            if let Some(reason) = self.crew.caller.halt.reason() {
                self.over.get_or_insert_with(|| halted(reason));
            }
            if let Some(why) = &self.over {
                let unsent = self
                    .queue
                    .drain(..)
                    .map(|errand| (errand.index, Err(Unanswered::unsent(why.clone()))));
                self.answers.extend(unsent);
            }
            if self.queue.is_empty() && self.flights.is_empty() {
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
        let priority = head.priority.max(self.crew.caller.priority);
        let Crew {
            connections, route, ..
        } = &self.crew;
        let login = connections.tokens.lacks(route, self.crew.now());
        let alone = login || !self.gate.is_proven(&route.fingerprint, self.crew.now());
        // Taken out in any case: whoever gives way must hold none.
        let mut slots = Vec::from_iter(self.spare.take());
        if priority == Priority::High {
            self.urgent.get_or_insert_with(|| self.gate.claim());
        } else if self.gate.is_claimed() && self.flights.is_empty() {
            return Ok(Next::Later(self.crew.now() + GIVE_WAY));
        } else if self.gate.is_claimed() {
            return Ok(Next::Land);
        }
        let want = if alone {
            1
        } else {
            self.queue
                .len()
                .min(route.parallel.saturating_sub(self.flights.len()))
        };
        while slots.len() < want
            && let Some(slot) = self.gate.try_enter(alone)
        {
            slots.push(slot);
        }
        if slots.is_empty() {
            return Ok(if self.flights.is_empty() {
                Next::Slot { alone }
            } else {
                Next::Land
            });
        }
        match connections
            .budget
            .admit(route, u32::try_from(slots.len()).unwrap_or(1))
            .await?
        {
            Admission::Go(_) if login => {
                self.urgent = None;
                let (tells, failure) = self.crew.log_in().await;
                self.over = failure;
                self.take_note(tells).await?;
            }
            Admission::Go(count) => {
                self.urgent = None;
                for slot in slots
                    .into_iter()
                    .take(usize::try_from(count).unwrap_or(usize::MAX))
                {
                    self.launch(slot);
                }
            }
            Admission::Wait(until) => return Ok(Next::Later(until)),
            Admission::Paused(until, why) => self.over = Some(self.crew.paused(until, why)),
            Admission::Denied => self.over = Some(self.crew.denied()),
        }
        Ok(Next::Look)
    }

    fn launch(&mut self, slot: Slot) {
        let Some(errand) = self.queue.pop_front() else {
            return;
        };
        let crew = self.crew.clone();
        let index = errand.index;
        let flight = self.flights.spawn(async move {
            let (answer, tells) = crew.fly(&errand).await;
            Landed {
                index,
                answer,
                tells,
                slot,
            }
        });
        self.places.insert(flight.id(), index);
    }

    async fn wait(&mut self, next: Next) {
        let began = self.crew.now();
        let turn = if let Next::Later(until) = next {
            Some(until)
        } else {
            None
        };
        let slot = if let Next::Slot { alone } = next {
            Some(alone)
        } else {
            None
        };
        let (gate, clock) = (
            self.gate.clone(),
            self.crew.connections.budget.clock.clone(),
        );
        let mut halt = self.crew.caller.halt.clone();
        tokio::select! {
            Some(landed) = self.flights.join_next() => self.land(landed).await,
            slot = gate.enter(slot.unwrap_or_default()), if slot.is_some() => self.spare = slot,
            () = clock.sleep_until(turn.unwrap_or(began)), if turn.is_some() => {}
            _ = halt.said(), if self.over.is_none() => {}
        }
        if !matches!(next, Next::Land) {
            self.crew.caller.waited.add(self.crew.now() - began);
        }
    }

    async fn land(&mut self, landed: Result<Landed, JoinError>) {
        match landed {
            Ok(Landed {
                index,
                answer,
                tells,
                slot,
            }) => {
                self.answers.push((index, answer));
                if let Err(error) = self.take_note(tells).await {
                    self.over = Some(error.into());
                }
                drop(slot);
            }
            Err(broken) => {
                tracing::error!(connection = self.crew.route.name, error = %broken, "an exchange broke down");
                if let Some(index) = self.places.get(&broken.id()) {
                    self.answers.push((*index, Err(Unanswered::broken_down())));
                }
            }
        }
    }

    /// What an answer says of the connection.
    async fn take_note(&mut self, tells: Tells) -> Result<(), StoreError> {
        let Crew {
            connections, route, ..
        } = &self.crew;
        match tells {
            Tells::Nothing => {}
            Tells::Accepted => self.gate.prove(&route.fingerprint, true, self.crew.now()),
            // The token was refused, not the key: perhaps it was withdrawn. The next request fetches another one.
            Tells::Refused if connections.tokens.forget(route) => {}
            Tells::Refused => {
                self.gate.prove(&route.fingerprint, false, self.crew.now());
                connections.budget.refuse(route).await?;
                self.over = Some(self.crew.denied());
            }
            Tells::Limited {
                retry_after,
                sender,
            } => {
                let until = connections.budget.rest(route, retry_after, sender).await?;
                self.over = Some(self.crew.paused(until, Why::Block));
            }
        }
        Ok(())
    }
}
