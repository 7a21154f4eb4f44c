//! The world outside of a run: who answers its requests, and what time it is.
//!
//! Scripts are one world ([`crate::ScriptedWorld`]); a simulation brings its own, with the services' state machines behind
//! it. A world sees only requests that a real host would send: [`crate::MockHost`] refuses the others before.

use crate::contract::{Answer, Failure, Request};

pub trait World: Send {
    /// Answers the requests of one `send`, in their order: exactly one answer each.
    fn send(&mut self, requests: Vec<Request>) -> Vec<Answer>;

    /// Seconds since the Unix epoch.
    fn now(&mut self) -> u64;

    /// What `progress` is answered. False: a person asked to stop; from then on nothing is sent any more.
    fn goes_on(&mut self, _stage: &str, _done: u64, _total: u64) -> bool {
        true
    }

    /// Trouble of the store, asked before every commit; with a failure, nothing is written.
    fn commit_trouble(&mut self) -> Option<Failure> {
        None
    }
}
