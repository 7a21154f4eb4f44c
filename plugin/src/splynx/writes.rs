//! Changes of Splynx, what their answers mean, and finding again what was made.
//!
//! Splynx has no idempotency key either, so whoever creates something gives it a key of ours in a field that can be searched. The
//! trap: a search that a server does not know is ignored, not refused, so absence counts only where no stranger was listed.

use serde_json::{Value, json};

use super::CONNECTION;
use super::client::{check, condition, fetch_list, is_page, one, said};
use crate::capability::{Answer, Effect, Request};
use crate::json;
use crate::write::ledger::{Run, RunError, RunResult};

pub const STATEMENTS: &str = "admin/finance/bank-statements";
pub const PAYMENTS: &str = "admin/finance/payments";

/// Values in one search, and rows of one page.
const VALUES: usize = 80;
const PAGE: usize = 200;

/// What Splynx made of a POST or PUT.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done; the id of what a POST made, 0 of a PUT.
    Done(i64),
    /// Not done, and Splynx says why.
    Refused(String),
    /// It may have been done: no answer, or one that cannot be read.
    Uncertain(String),
    /// Not done, and nothing more can be sent for now.
    NotSent(RunError),
}

pub fn post(path: &str, object: &Value) -> Request {
    request("POST", path.to_owned(), object)
}

/// Changes the fields that `object` names; the others stay (Splynx API 2.1).
pub fn put(path: &str, id: i64, object: &Value) -> Request {
    request("PUT", format!("{path}/{id}"), object)
}

fn request(method: &'static str, path: String, object: &Value) -> Request {
    Request {
        connection: CONNECTION,
        effect: Effect::Write,
        method,
        path,
        query: Vec::new(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: object.to_string(),
        priority: "",
    }
}

/// Reads the answer to a POST or PUT (Splynx API 2.1, 2.3).
pub fn reply_of(answer: Answer, path: &str, is_post: bool) -> Reply {
    let response = match answer {
        Ok(response) => response,
        Err(unanswered) if unanswered.maybe_sent => {
            return Reply::Uncertain(unanswered.reason.message);
        }
        Err(unanswered) => return Reply::NotSent(unanswered.reason.into()),
    };
    match response.status {
        // A page, of a log-in say, is the word of something between here and Splynx.
        200..=299 if !is_post && !is_page(&response.body) => Reply::Done(0),
        // A record that somebody deleted needs no change any more.
        404 if !is_post && !is_page(&response.body) => Reply::Done(0),
        200..=299 => json::parse(&response.body)
            .and_then(|made| json::integer(&made, "id"))
            .filter(|id| *id > 0)
            .map_or_else(
                || Reply::Uncertain("Splynx answered without an id.".to_owned()),
                Reply::Done,
            ),
        // 405 is about the record here: it is another partner's, say (Splynx API 1.5).
        400 | 404 | 405 | 409 | 422 if !is_page(&response.body) => {
            Reply::Refused(said(&response.body))
        }
        // The request came too slowly, or not whole: nobody knows how far it got.
        400..=499 if response.status != 408 => match check(response, path) {
            Err(halt) => Reply::NotSent(halt),
            Ok(_) => Reply::Uncertain("Splynx gave no answer.".to_owned()),
        },
        status => Reply::Uncertain(format!("Splynx answered {status} to {path}.")),
    }
}

/// The rows whose `field` has one of the values, and all of them.
pub fn find(run: &mut Run, path: &str, field: &str, values: &[String]) -> RunResult<Vec<Value>> {
    find_with(run, path, field, values, None)
}

/// The same, of those in which another field has that value.
pub fn find_with(
    run: &mut Run,
    path: &str,
    field: &str,
    values: &[String],
    also: Option<(&str, &str)>,
) -> RunResult<Vec<Value>> {
    let mut found = Vec::new();
    for chunk in values.chunks(VALUES) {
        let name = |rest: &str| format!("main_attributes[{field}]{rest}");
        let mut search = vec![(name("[0]"), "IN".to_owned())];
        search.extend(
            chunk
                .iter()
                .enumerate()
                .map(|(place, value)| (name(&format!("[1][{place}]")), value.clone())),
        );
        search.extend(
            also.iter()
                .flat_map(|(name, value)| condition(name, "=", value)),
        );
        let is_wanted = |row: &Value| {
            chunk.contains(&json::text(row, field))
                && also.is_none_or(|(name, value)| json::text(row, name) == value)
        };
        let mut after = 0;
        loop {
            let mut query = search.clone();
            query.extend(condition("id", ">", &after.to_string()));
            query.push(("order[id]".to_owned(), "ASC".to_owned()));
            query.push(("limit".to_owned(), PAGE.to_string()));
            let mut rows = fetch_list(run, path, query)?;
            let before = after;
            // An ignored search lists everything: then everything is read, and looked through here.
            for row in &rows {
                after = json::integer(row, "id").unwrap_or(0).max(after);
            }
            let complete = rows.len() < PAGE || after == before;
            rows.retain(is_wanted);
            found.extend(rows);
            if complete {
                break;
            }
        }
    }
    Ok(found)
}

/// Whether Splynx says (404) that there is no such record.
pub fn is_gone(run: &mut Run, path: &str, id: i64) -> RunResult<bool> {
    Ok(one(run, path, id)?.is_none())
}

/// A statement by its title; the first where people made several.
pub fn statement(run: &mut Run, title: &str) -> RunResult<Option<i64>> {
    let rows = find(run, STATEMENTS, "title", &[title.to_owned()])?;
    Ok(rows.iter().find_map(|row| json::integer(row, "id")))
}

/// The request that makes a statement.
pub fn statement_request(title: &str) -> Request {
    post(
        STATEMENTS,
        &json!({"title": title, "handler": "SageOne", "status": "success"}),
    )
}
