//! What a run did: every capability call with its arguments and its answer, in order.
//!
//! Nothing here depends on the machine or the moment, so two traces of the same run are equal, and a trace can be compared
//! with another host's.

use serde::Serialize;

use crate::contract::{
    Activity, Answer, Change, Entry, Failure, Pair, Request, Row, serialize_answer,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// From 1, as in [`crate::DeathPoint`].
    pub number: u64,
    pub call: Call,
}

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchange {
    pub request: Request,
    /// False: the host refused it before it reached the world.
    pub sent: bool,
    #[serde(serialize_with = "serialize_answer")]
    pub answer: Answer,
}

/// A capability call. `failure` is none where the call succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    Send {
        exchanges: Vec<Exchange>,
    },
    Get {
        table: String,
        keys: Vec<String>,
        found: Vec<Entry>,
        failure: Option<Failure>,
    },
    Scan {
        table: String,
        prefix: String,
        after: String,
        limit: u32,
        found: Vec<Entry>,
        failure: Option<Failure>,
    },
    Commit {
        expect: Vec<Change>,
        changes: Vec<Change>,
        activities: Vec<Activity>,
        failure: Option<Failure>,
    },
    Settings {
        answer: Vec<Pair>,
    },
    SetFetched {
        key: String,
        value: String,
        failure: Option<Failure>,
    },
    Context {
        answer: Vec<Pair>,
    },
    Now {
        answer: u64,
    },
    Log {
        level: String,
        message: String,
    },
    Progress {
        stage: String,
        done: u64,
        total: u64,
        goes_on: bool,
    },
    Report {
        kind: String,
        rows: Vec<Row>,
    },
}

/// The exchanges of all `send` calls of a trace, in order.
pub fn exchanges(steps: &[Step]) -> impl Iterator<Item = &Exchange> {
    steps.iter().flat_map(|step| match &step.call {
        Call::Send { exchanges } => exchanges.as_slice(),
        _ => &[],
    })
}
