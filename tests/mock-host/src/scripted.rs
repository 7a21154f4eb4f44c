//! A world out of a script: answers by rules, a clock that moves only as it is told.
//!
//! What a host does of itself it does too: refused credentials (401) silence a connection for good, a limit's block (429)
//! until it is over; a wait of up to 120 s is waited out on the clock. Beware: a request that no rule answers is kept in
//! [`ScriptedWorld::unexpected`] and makes the script fail, whatever the guest makes of it.

use std::collections::{BTreeMap, HashMap};

use crate::contract::{Answer, Failure, Request, Unanswered};
use crate::matching::RequestMatch;
use crate::world::World;

/// The longest that a host lets a `send` wait, in seconds (`http.wit`).
const LONGEST_WAIT: u64 = 120;

/// A rule of the script, with its answer made.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    /// Where it stands, for messages.
    pub name: String,
    pub request: RequestMatch,
    pub answer: Answer,
    /// How often it may still answer; `None`: always.
    pub left: Option<u32>,
    pub used: bool,
}

/// Why nothing is sent on a connection.
#[derive(Debug, Clone, Copy)]
enum Block {
    Denied,
    Until(u64),
}

#[derive(Debug, Clone)]
pub struct ScriptedWorld {
    pub(crate) rules: Vec<Ready>,
    /// Seconds since the Unix epoch.
    pub(crate) now: u64,
    /// Seconds that each `send` takes.
    pub(crate) advance_per_send: u64,
    /// Seconds that a connection rests after a 429 without a `retry-after`.
    pub(crate) rest_after_429: u64,
    /// After so many calls of `progress`, a person asks to stop.
    pub(crate) stop_after_progress: Option<u64>,
    /// Codes with which commits fail, by their number in the run.
    pub(crate) commit_failures: BTreeMap<u64, String>,
    blocks: HashMap<String, Block>,
    progressed: u64,
    commits: u64,
    unexpected: Vec<String>,
}

impl ScriptedWorld {
    /// A world at this time (seconds since the Unix epoch), in which nothing is answered.
    pub(crate) fn at(now: u64) -> Self {
        Self {
            rules: Vec::new(),
            now,
            advance_per_send: 0,
            rest_after_429: 3600,
            stop_after_progress: None,
            commit_failures: BTreeMap::new(),
            blocks: HashMap::new(),
            progressed: 0,
            commits: 0,
            unexpected: Vec::new(),
        }
    }

    /// Requests that no rule answered.
    pub fn unexpected(&self) -> &[String] {
        &self.unexpected
    }

    /// Rules that still had answers to give: those with `times` that were not used up, the others that were not used.
    pub fn unused(&self) -> impl Iterator<Item = &str> {
        self.rules
            .iter()
            .filter(|rule| rule.left.map_or(!rule.used, |left| left > 0))
            .map(|rule| rule.name.as_str())
    }

    fn answer(&mut self, request: &Request) -> Answer {
        let block = self.blocks.get(&request.connection).copied();
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.left != Some(0) && rule.request.matches(request));
        // A rule that says that nothing was sent (a recorded `paused`, say) holds also while nothing is sent.
        let rule = match block {
            Some(block) => {
                match rule.filter(|rule| rule.answer.as_ref().is_err_and(|why| !why.maybe_sent)) {
                    Some(rule) => rule,
                    None => return Err(block.as_unanswered(&request.connection)),
                }
            }
            None => match rule {
                Some(rule) => rule,
                None => return Err(self.no_rule(request)),
            },
        };
        rule.used = true;
        rule.left = rule.left.map(|left| left - 1);
        let answer = rule.answer.clone();
        if let Ok(response) = &answer {
            let block = match response.status {
                401 => Some(Block::Denied),
                429 => {
                    let wait = response
                        .headers
                        .iter()
                        .find(|(name, _)| name == "retry-after");
                    let wait = wait
                        .and_then(|(_, value)| value.parse().ok())
                        .unwrap_or(self.rest_after_429);
                    Some(Block::Until(self.now.saturating_add(wait)))
                }
                _ => None,
            };
            self.blocks
                .extend(block.map(|block| (request.connection.clone(), block)));
        }
        answer
    }

    fn no_rule(&mut self, request: &Request) -> Unanswered {
        let Request {
            connection,
            method,
            path,
            ..
        } = request;
        let query: Vec<String> = request
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let question = if query.is_empty() { "" } else { "?" };
        let asked = format!("{method} {connection} {path}{question}{}", query.join("&"));
        self.unexpected.push(asked.clone());
        Unanswered::not_sent(
            "unreachable",
            format!("the script has no answer to {asked}"),
        )
    }

    /// Waits out the blocks that end soon.
    fn wait(&mut self, requests: &[Request]) {
        for request in requests {
            if let Some(Block::Until(end)) = self.blocks.get(&request.connection).copied()
                && end <= self.now.saturating_add(LONGEST_WAIT)
            {
                self.now = self.now.max(end);
                self.blocks.remove(&request.connection);
            }
        }
    }
}

impl World for ScriptedWorld {
    fn send(&mut self, requests: Vec<Request>) -> Vec<Answer> {
        self.wait(&requests);
        let answers = requests
            .iter()
            .map(|request| self.answer(request))
            .collect();
        self.now = self.now.saturating_add(self.advance_per_send);
        answers
    }

    fn now(&mut self) -> u64 {
        self.now
    }

    fn goes_on(&mut self, _stage: &str, _done: u64, _total: u64) -> bool {
        self.progressed += 1;
        self.stop_after_progress
            .is_none_or(|most| self.progressed <= most)
    }

    fn commit_trouble(&mut self) -> Option<Failure> {
        self.commits += 1;
        let code = self.commit_failures.get(&self.commits)?;
        Some(Failure::new(
            code,
            format!("the script lets commit {} fail", self.commits),
        ))
    }
}

impl Block {
    fn as_unanswered(self, connection: &str) -> Unanswered {
        match self {
            Self::Denied => Unanswered::not_sent(
                "denied",
                format!("{connection} refused the credentials earlier"),
            ),
            Self::Until(end) => {
                let mut paused =
                    Unanswered::not_sent("paused", format!("{connection} is blocked by its limit"));
                paused.reason.retry_at = Some(end);
                paused
            }
        }
    }
}
