//! The contract for one's own code: JSON over a connection, entries, and short ways to write its records. Every add-on that was begun from
//! the template has this file; nothing in it is about one of them.

/// Generated code, which crosses the boundary by raw pointers.
#[allow(unsafe_code)]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "sync-addon" });
    use crate::Addon;
    export!(Addon);
}

pub use bindings::exports::splynx::addon::addon::{Finding, Guest, Outcome, Query, Row, Rows};
pub use bindings::splynx::addon::storage::{Activity, Change};
pub use bindings::splynx::addon::types::{Failure, Pair};
pub use bindings::splynx::addon::{run, storage};

use bindings::splynx::addon::http;
use serde_json::Value;

/// Names and values, for queries and headers.
pub type Words<'w> = &'w [(&'w str, &'w str)];

/// A list or an object of a service.
pub fn get(connection: &str, path: &str, query: Words) -> Result<Value, Failure> {
    let body = send(connection, ["read", "GET", path], query, &[], String::new())?;
    serde_json::from_str(&body).map_err(|_| {
        failure(
            "unexpected-answer",
            format!("{connection} did not answer {path} with JSON."),
        )
    })
}

/// Hands something over; any answer that is no success is a failure.
pub fn post(connection: &str, path: &str, headers: Words, body: &Value) -> Result<(), Failure> {
    let json = [("content-type", "application/json")];
    let headers = [&json, headers].concat();
    send(
        connection,
        ["write", "POST", path],
        &[],
        &headers,
        body.to_string(),
    )
    .map(|_| ())
}

fn send(
    connection: &str,
    [effect, method, path]: [&str; 3],
    query: Words,
    headers: Words,
    body: String,
) -> Result<String, Failure> {
    let request = http::Request {
        connection: connection.to_owned(),
        effect: effect.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        query: pairs(query),
        headers: pairs(headers),
        body,
        options: Vec::new(),
    };
    match http::send(&[request]).pop() {
        Some(Ok(response)) if (200..300).contains(&response.status) => Ok(response.body),
        Some(Ok(response)) => Err(failure(
            "refused",
            format!(
                "{connection} answered {} to {path}. Look there for the reason.",
                response.status
            ),
        )),
        Some(Err(unanswered)) => Err(unanswered.reason),
        None => Err(failure("internal", "The host did not answer a request.")),
    }
}

fn pairs(words: Words) -> Vec<Pair> {
    let pair = |(name, value): &(&str, &str)| Pair {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    words.iter().map(pair).collect()
}

/// A stored value.
pub fn stored(table: &str, key: &str) -> Result<Option<String>, Failure> {
    let found = storage::get(table, &[key.to_owned()])?;
    Ok(found.into_iter().next().map(|entry| entry.value))
}

/// A value to store.
pub fn put(table: &str, key: impl Into<String>, value: impl Into<String>) -> Change {
    Change {
        table: table.to_owned(),
        key: key.into(),
        value: Some(value.into()),
    }
}

/// How a job ended: `finished` or `stopped`, and how much was done.
pub fn outcome(state: &str, what: &str, count: u64) -> Outcome {
    Outcome {
        state: state.to_owned(),
        resume_at: None,
        why: None,
        counts: vec![(what.to_owned(), count)],
        more: Vec::new(),
    }
}

/// What people are told in place of a result: what happened, and what cures it.
pub fn failure(code: &str, message: impl Into<String>) -> Failure {
    Failure {
        code: code.to_owned(),
        message: message.into(),
        retry_at: None,
        more: Vec::new(),
    }
}

/// A member as text; services write numbers as numbers or as texts.
pub fn text(value: &Value, name: &str) -> String {
    let member = &value[name];
    member
        .as_str()
        .map_or_else(|| member.to_string(), str::to_owned)
}
