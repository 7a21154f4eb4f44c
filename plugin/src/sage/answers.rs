//! The one place that decides what an answer of Sage means: to a Save, to a request for something, and to one that it refuses.
//!
//! Beware: a refusal is either about the record that was sent, or about the sender. The second kind is never put on a record.

use serde_json::Value;

use super::Object;
use crate::capability::{Answer, Failure, Response, Unanswered};
use crate::json;
use crate::write::allowed::NOT_ALLOWED;
use crate::write::ledger::{Run, RunError, RunResult};

/// After 429 Sage blocks for an hour, and asking meanwhile lengthens it (Sage API 1.6).
const BLOCK_SECONDS: u64 = 65 * 60;
/// While the service is down for maintenance.
const REST_SECONDS: u64 = 5 * 60;

/// What Sage made of a Save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The stored object.
    Stored(Object),
    /// It is not there (any more): the answer to a Delete.
    Removed,
    /// Not stored, and Sage says why.
    Refused(String),
    /// It may have been stored: no answer, or one that cannot be read.
    Uncertain(Failure),
    /// Not stored, and nothing more can be sent for now.
    NotSent(RunError),
}

/// Reads the answer to a Save or Delete (architecture, write protocol, 3).
pub fn reply_of(method: &str, path: &str, answer: Answer, now: u64) -> Reply {
    let response = match answer {
        Ok(response) => response,
        // What becomes of other paths, this one does not tell.
        Err(unanswered) if unanswered.maybe_sent => {
            return Reply::Uncertain(unanswered.reason.on_path(path));
        }
        Err(unanswered) => return Reply::NotSent(unanswered.reason.into()),
    };
    match response.status {
        200..=299 | 404 if method == "DELETE" && !is_page(&response.body) => Reply::Removed,
        200..=299 => match stored_object(&response.body) {
            Some(object) => Reply::Stored(object.into()),
            None => unreadable(response.status, path),
        },
        400 | 404 | 409 | 413 | 422 if !is_page(&response.body) => {
            Reply::Refused(said(&response.body))
        }
        // The request came too slowly, or not whole: nobody knows how far it got.
        400..=499 if response.status != 408 => Reply::NotSent(trouble(&response, path, now)),
        status => Reply::Uncertain(Failure::about(
            path,
            "sage-trouble",
            format!("Sage answered {status} to {path}: {}", said(&response.body)),
        )),
    }
}

/// The one object that Sage says it stored, alone or as a list of one.
fn stored_object(body: &str) -> Option<Value> {
    let object = match json::parse(body)? {
        Value::Array(mut objects) if objects.len() == 1 => objects.pop()?,
        other => other,
    };
    let id = json::integer(&object, "ID")?;
    (id > 0).then_some(object)
}

fn unreadable(status: u16, path: &str) -> Reply {
    Reply::Uncertain(Failure::about(
        path,
        "unreadable-answer",
        format!("Sage answered {status} to {path} without the stored object."),
    ))
}

/// The replies for the parts of a batch, in their order (Sage API 2.7).
pub fn replies_of(path: &str, answer: Option<Answer>, parts: usize, now: u64) -> Vec<Reply> {
    let answer = answer.unwrap_or_else(|| {
        Err(Unanswered {
            maybe_sent: true,
            reason: Failure::new("internal", "The host did not answer a request."),
        })
    });
    let objects = match &answer {
        Ok(response) if (200..300).contains(&response.status) => {
            json::parse(&response.body).and_then(json::into_list)
        }
        _ => None,
    };
    match objects {
        Some(objects) if objects.len() == parts => objects
            .into_iter()
            .map(|object| {
                let body = object.to_string();
                let part = Response {
                    status: 200,
                    headers: Vec::new(),
                    body,
                };
                reply_of("POST", path, Ok(part), now)
            })
            .collect(),
        // Whose object is missing, nobody can tell.
        Some(_) => vec![unreadable(200, path); parts],
        None => vec![reply_of("POST", path, answer, now); parts],
    }
}

/// The answer where it is a success, else why not.
pub fn check(run: &mut Run, response: Response, path: &str) -> RunResult<Response> {
    if (200..300).contains(&response.status) {
        Ok(response)
    } else {
        let now = run.cap.now();
        Err(trouble(&response, path, now))
    }
}

/// The rows of a list, and how many there are in all where Sage says so. `None`: nothing at all, which a client in production takes for
/// an empty list (Sage API 1.7).
pub fn rows(list: Value, path: &str) -> RunResult<Option<(Vec<Value>, Option<i64>)>> {
    let total = json::integer(&list, "TotalResults");
    let rows = match list {
        Value::Object(mut envelope) if envelope.contains_key("Results") => {
            envelope.remove("Results").unwrap_or_default()
        }
        other => other,
    };
    if rows.is_null() {
        return Ok(None);
    }
    json::into_list(rows)
        .map(|rows| Some((rows, total)))
        .ok_or_else(|| unexpected(path, "a list was expected"))
}

/// The JSON of an answer; an answer without a body is null.
pub fn body(response: &Response, path: &str) -> RunResult<Value> {
    if response.status == 204 {
        return Ok(Value::Null);
    }
    json::parse(&response.body).ok_or_else(|| {
        let what = match response.body.trim() {
            "" => "it is empty",
            page if is_page(page) => {
                "it is a web page, as something between here and Sage may send"
            }
            _ => "it is not JSON",
        };
        unexpected(path, what)
    })
}

/// Why no request of that kind can succeed for now, with the cure.
fn trouble(response: &Response, path: &str, now: u64) -> RunError {
    let said = said(&response.body);
    let pause = |seconds: u64, message: String| {
        RunError::Paused(Failure {
            retry_at: Some(now + seconds),
            ..Failure::new("paused", message)
        })
    };
    match response.status {
        401 => RunError::Failed(Failure::new(
            "denied",
            format!(
                "Sage refused the login, password or API key ({said}). Enter them again under Settings, Sage; nothing is sent until then."
            ),
        )),
        402 => RunError::Failed(Failure::new(
            "registration-expired",
            format!(
                "The company's registration with Sage has expired ({said}). Renew it with Sage, then run again."
            ),
        )),
        // An invited user without the right gets 405, a key or address that is not let in 403 (Sage API 1.5).
        status @ (403 | 405) => RunError::Failed(Failure::about(
            path,
            NOT_ALLOWED,
            format!(
                "Sage does not let this login use {path}: it answered {status} ({said}). In Sage, give the login the right to it, or enter the API key that belongs to this address under Settings, Sage. What waits for it goes on by itself; it is asked for again within the hour, or at once where a person starts a run."
            ),
        )),
        429 => pause(
            BLOCK_SECONDS,
            format!("Sage has blocked requests for a while ({said}). The run goes on by itself."),
        ),
        503 => pause(
            REST_SECONDS,
            "Sage is down for maintenance. The run goes on by itself.".to_owned(),
        ),
        status if is_page(&response.body) || matches!(status, 407 | 411 | 415) => {
            RunError::Failed(Failure::about(
                path,
                "sage-connection",
                format!(
                    "{path} was answered with {status} by something between here and Sage ({said}). Look at the proxy or firewall there, and at the address under Settings, Sage. It is tried again with the next run."
                ),
            ))
        }
        status => RunError::Failed(Failure::about(
            path,
            "sage-trouble",
            format!(
                "Sage answered {status} to {path} ({said}). It is tried again with the next run; if it stays, look at the company in Sage."
            ),
        )),
    }
}

pub fn unexpected(path: &str, what: &str) -> RunError {
    RunError::Failed(Failure::about(
        path,
        "unexpected-answer",
        format!(
            "Sage answered {path} in a form that is not understood: {what}. It is tried again with the next run; if it stays, ask support."
        ),
    ))
}

/// Whether a body is for a browser: Sage's own server and proxies send such where Sage itself was not reached.
pub fn is_page(body: &str) -> bool {
    body.trim_start().starts_with('<')
}

/// The message of an error body: a bare string, `{Message}`, `{Message, ModelState}`, a list of texts, else the text itself.
pub fn said(body: &str) -> String {
    let message = match json::parse(body) {
        Some(Value::String(text)) => text,
        Some(Value::Array(texts)) => texts
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join("; "),
        Some(Value::Object(object)) => {
            let mut parts: Vec<&str> = ["Message", "MessageDetail"]
                .iter()
                .filter_map(|name| object.get(*name)?.as_str())
                .collect();
            if let Some(Value::Object(fields)) = object.get("ModelState") {
                let texts = fields.values().filter_map(Value::as_array).flatten();
                parts.extend(texts.filter_map(Value::as_str));
            }
            parts.join(" ")
        }
        _ => body.split('<').next().unwrap_or_default().trim().to_owned(),
    };
    if message.is_empty() {
        "no reason given".to_owned()
    } else {
        message.chars().take(300).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Reply {
        let body = body.to_owned();
        let headers = Vec::new();
        let response = Response {
            status,
            headers,
            body,
        };
        reply_of("POST", "TaxInvoice/Save", Ok(response), 1_000)
    }

    #[test]
    fn every_answer_to_a_save_has_one_meaning() {
        assert!(matches!(answered(201, r#"{"ID": 5}"#), Reply::Stored(_)));
        assert!(matches!(answered(200, r#"{"ID": 5}"#), Reply::Stored(_)));
        assert!(matches!(answered(200, r#"[{"ID": 5}]"#), Reply::Stored(_)));
        for (status, body) in [
            (201, ""),
            (200, "null"),
            (200, "<html></html>"),
            (200, r#"{"ID": 0}"#),
            (200, "[]"),
            (200, r#"[{"ID": 5}, {"ID": 6}]"#),
            (500, r#"{"Message":"An error has occurred."}"#),
            (503, ""),
            (302, ""),
        ] {
            let reply = answered(status, body);
            assert!(
                matches!(reply, Reply::Uncertain(_)),
                "{status} {body}: {reply:?}"
            );
        }
        for (body, said) in [
            (
                r#""Document Number already exists""#,
                "Document Number already exists",
            ),
            (r#"{"Message":"a","MessageDetail":"b"}"#, "a b"),
            (
                r#"{"Message":"a","ModelState":{"x.Name":["c","d"]}}"#,
                "a c d",
            ),
            (r#"["a","b"]"#, "a; b"),
            ("Username is Required.", "Username is Required."),
        ] {
            assert_eq!(answered(400, body), Reply::Refused(said.to_owned()));
        }
        // About the sender, and not about what was sent.
        for (status, body, code) in [
            (401, "", "denied"),
            (402, "", "registration-expired"),
            (403, r#""Forbidden""#, NOT_ALLOWED),
            (405, r#"{"Message":"no access"}"#, NOT_ALLOWED),
            (400, "<html>", "sage-connection"),
            (404, "<html>", "sage-connection"),
            (407, "", "sage-connection"),
            (411, "<html>", "sage-connection"),
            (418, "", "sage-trouble"),
        ] {
            let reply = answered(status, body);
            assert!(
                matches!(&reply, Reply::NotSent(RunError::Failed(f)) if f.code == code),
                "{status} {body}: {reply:?}"
            );
        }
        assert!(matches!(answered(408, ""), Reply::Uncertain(_)));
        assert!(
            matches!(answered(401, ""), Reply::NotSent(RunError::Failed(f)) if f.code == "denied")
        );
        assert!(
            matches!(answered(429, ""), Reply::NotSent(RunError::Paused(f)) if f.retry_at == Some(1_000 + 3_900))
        );
        for maybe_sent in [true, false] {
            let reply = reply_of(
                "POST",
                "TaxInvoice/Save",
                Err(Unanswered {
                    maybe_sent,
                    reason: Failure::new("timeout", "no answer"),
                }),
                0,
            );
            assert_eq!(matches!(reply, Reply::Uncertain(_)), maybe_sent);
        }
    }
}
