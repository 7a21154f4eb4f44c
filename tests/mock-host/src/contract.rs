//! The contract's records (`wit/`) as plain values, for worlds, scripts and traces.
//!
//! Field by field the same as in the contract, which documents them; nothing here knows of components.

use serde::{Serialize, Serializer};

/// A name and a value.
pub type Pair = (String, String);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub code: String,
    pub message: String,
    /// Seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Pair>,
}

impl Failure {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            retry_at: None,
            more: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    pub connection: String,
    pub effect: String,
    pub method: String,
    pub path: String,
    pub query: Vec<Pair>,
    pub headers: Vec<Pair>,
    pub body: String,
    pub options: Vec<Pair>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<Pair>,
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unanswered {
    /// True: the other side may have acted on it.
    pub maybe_sent: bool,
    pub reason: Failure,
}

impl Unanswered {
    /// It never left the host.
    pub fn not_sent(code: &str, message: impl Into<String>) -> Self {
        Self {
            maybe_sent: false,
            reason: Failure::new(code, message),
        }
    }
}

/// What became of one request.
pub type Answer = Result<Response, Unanswered>;

/// An answer without the wrapping that serde gives a `Result`: the two kinds share no field.
pub(crate) fn serialize_answer<S: Serializer>(
    answer: &Answer,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match answer {
        Ok(response) => response.serialize(serializer),
        Err(unanswered) => unanswered.serialize(serializer),
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub key: String,
    pub value: String,
}

/// A value to write or to expect; none means absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub table: String,
    pub key: String,
    pub value: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Activity {
    pub entity: String,
    pub action: String,
    pub local_id: String,
    pub remote_id: String,
    pub customer_id: String,
    pub label: String,
    pub code: String,
    pub message: String,
    pub more: Vec<Pair>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    pub id: String,
    pub cells: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Pair>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// `finished`, `stopped` or `paused`.
    pub state: String,
    /// Seconds since the Unix epoch.
    pub resume_at: Option<u64>,
    pub why: Option<Failure>,
    pub counts: Vec<(String, u64)>,
    pub more: Vec<Pair>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: String,
    pub severity: String,
    pub message: String,
    pub cure: String,
    pub field: String,
    pub more: Vec<Pair>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    pub search: String,
    pub filters: Vec<Pair>,
    pub sort: String,
    pub after: String,
    pub limit: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    pub rows: Vec<Row>,
    pub next: String,
    pub more: Vec<Pair>,
}
