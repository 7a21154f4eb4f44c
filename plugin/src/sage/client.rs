//! Requests to Sage, and the one place that decides what an answer to a Save means.

use serde_json::Value;

use super::{CONNECTION, Service};
use crate::capability::{Answer, Effect, Failure, Pair, Request, Response, Unanswered};
use crate::json;
use crate::planted::{Mistake, is_planted};
use crate::write::ledger::{Halt, Job, Run};

/// The most rows that Sage lists at once (Sage API 1.6).
const PAGE: usize = 100;
/// The most parts of a batch; no maximum is published (Sage API 2.13).
pub const LARGEST_BATCH: usize = 100;
/// After 429 Sage blocks for an hour, and asking meanwhile lengthens it (Sage API 1.6).
const BLOCK_SECONDS: u64 = 65 * 60;
/// While the service is down for maintenance.
const REST_SECONDS: u64 = 5 * 60;

/// What Sage made of a Save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The stored object.
    Stored(Value),
    /// It is not there (any more): the answer to a Delete.
    Removed,
    /// Not stored, and Sage says why.
    Refused(String),
    /// It may have been stored: no answer, or one that cannot be read.
    Uncertain(Failure),
    /// Not stored, and nothing more can be sent for now.
    NotSent(Halt),
}

/// Reads the answer to a Save or Delete (architecture, write protocol, 3).
pub fn reply_of(method: &str, answer: Answer, now: u64) -> Reply {
    let response = match answer {
        Ok(response) => response,
        Err(unanswered) if unanswered.maybe_sent => return Reply::Uncertain(unanswered.reason),
        Err(unanswered) => return Reply::NotSent(unanswered.reason.into()),
    };
    match response.status {
        200..=299 | 404 if method == "DELETE" => Reply::Removed,
        200..=299 => match serde_json::from_str::<Value>(&response.body) {
            Ok(object) if json::integer(&object, "ID").is_some_and(|id| id > 0) => {
                Reply::Stored(object)
            }
            _ => Reply::Uncertain(Failure::new(
                "unreadable-answer",
                format!(
                    "Sage answered {} without the stored object.",
                    response.status
                ),
            )),
        },
        401 | 402 | 429 => Reply::NotSent(trouble(&response, now)),
        400..=499 => Reply::Refused(said(&response.body)),
        status => Reply::Uncertain(Failure::new(
            "sage-trouble",
            format!("Sage answered {status}: {}", said(&response.body)),
        )),
    }
}

/// The replies for the parts of a batch, in their order (Sage API 2.7).
pub fn replies_of(answer: Option<Answer>, parts: usize, now: u64) -> Vec<Reply> {
    let answer = answer.unwrap_or_else(|| {
        Err(Unanswered {
            maybe_sent: true,
            reason: Failure::new("internal", "The host did not answer a request."),
        })
    });
    let objects = match &answer {
        Ok(response) if (200..300).contains(&response.status) => {
            serde_json::from_str::<Vec<Value>>(&response.body).ok()
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
                reply_of("POST", Ok(part), now)
            })
            .collect(),
        _ => vec![reply_of("POST", answer, now); parts],
    }
}

/// The request that saves an object. `own_number`: Sage is to keep the document number that we send (F33).
pub fn save_request(run: &Run, service: Service, object: &Value, own_number: bool) -> Request {
    let mut query = company(run);
    if !matches!(service, Service::Customer | Service::Allocation) {
        let system_number = if own_number { "false" } else { "true" };
        query.push((
            "useSystemDocumentNumber".to_owned(),
            system_number.to_owned(),
        ));
    }
    Request {
        effect: Effect::Write,
        method: "POST",
        body: object.to_string(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        ..read(format!("{}/Save", service.name()), query)
    }
}

/// One request for all of them: their bodies as one bare array.
pub fn save_batch_request(requests: &[Request]) -> Request {
    let bodies: Vec<&str> = requests
        .iter()
        .map(|request| request.body.as_str())
        .collect();
    let first = &requests[0];
    Request {
        path: format!("{}Batch", first.path),
        body: format!("[{}]", bodies.join(",")),
        ..first.clone()
    }
}

pub fn delete_request(run: &Run, service: Service, id: i64) -> Request {
    Request {
        effect: Effect::Write,
        method: "DELETE",
        ..read(format!("{}/Delete/{id}", service.name()), company(run))
    }
}

/// The next page of objects whose id is above `above`, in the order of their ids, and whether it is the last.
/// `filter`: a further condition. Numbers and dates are the conditions that work for sure (Sage API 1.7).
pub fn newer(
    run: &mut Run,
    service: &str,
    above: i64,
    filter: Option<&str>,
) -> Job<(Vec<Value>, bool)> {
    let condition = match filter {
        Some(filter) => format!("ID gt {above} and {filter}"),
        None => format!("ID gt {above}"),
    };
    let mut query = company(run);
    query.push(("$filter".to_owned(), condition));
    query.push(("$orderby".to_owned(), "ID".to_owned()));
    query.push(("$top".to_owned(), PAGE.to_string()));
    let path = format!("{service}/Get");
    let list = match fetch(run, read(path.clone(), query)) {
        Err(Halt::Failed(_)) if is_planted(Mistake::FailedLookUpMeansAbsent) => {
            return Ok((Vec::new(), true));
        }
        list => list?,
    };
    let total = json::integer(&list, "TotalResults").unwrap_or(0);
    let mut rows = results(list, &path)?;
    if is_planted(Mistake::LastPageDropped) && rows.len() < PAGE {
        rows.clear();
    }
    let mut last = above;
    for row in &rows {
        let id = json::integer(row, "ID").unwrap_or(i64::MIN);
        if id <= last {
            return Err(unexpected(
                &path,
                "the list is not in the order that was asked for",
            ));
        }
        last = id;
    }
    // A page may be shorter than was asked for and still not the last.
    let is_short = rows.len() < PAGE && i64::try_from(rows.len()).is_ok_and(|have| have >= total);
    let complete = rows.is_empty() || is_short;
    Ok((rows, complete))
}

/// Ids in one filter: keeps the address below what web servers take.
pub const IDS: usize = 100;

/// The objects of these ids that exist, a hundred a request. What is not in the answer is asked for once more on its own, so that a
/// filter that was ignored is never taken for a deletion.
pub fn by_ids(run: &mut Run, service: Service, ids: &[i64]) -> Job<Vec<Value>> {
    let mut found = Vec::new();
    for chunk in ids.chunks(IDS) {
        let conditions: Vec<String> = chunk.iter().map(|id| format!("ID eq {id}")).collect();
        let mut query = company(run);
        query.push(("$filter".to_owned(), conditions.join(" or ")));
        query.push(("$orderby".to_owned(), "ID".to_owned()));
        query.push(("$top".to_owned(), PAGE.to_string()));
        let path = format!("{}/Get", service.name());
        let list = fetch(run, read(path.clone(), query))?;
        let mut rows = results(list, &path)?;
        let id_of = |row: &Value| json::integer(row, "ID");
        rows.retain(|row| id_of(row).is_some_and(|id| chunk.contains(&id)));
        for id in chunk {
            if !rows.iter().any(|row| id_of(row) == Some(*id)) {
                found.extend(get_one(run, service, *id)?);
            }
        }
        found.extend(rows);
    }
    Ok(found)
}

/// A whole list, however its ids run (built-in ones can be negative).
pub fn list_all(run: &mut Run, service: &str) -> Job<Vec<Value>> {
    let path = format!("{service}/Get");
    let mut all: Vec<Value> = Vec::new();
    loop {
        let mut query = company(run);
        query.push(("$orderby".to_owned(), "ID".to_owned()));
        query.push(("$skip".to_owned(), all.len().to_string()));
        query.push(("$top".to_owned(), PAGE.to_string()));
        let list = fetch(run, read(path.clone(), query))?;
        let total = json::integer(&list, "TotalResults").unwrap_or(0);
        let rows = results(list, &path)?;
        let page = rows.len();
        all.extend(rows);
        if page == 0 || i64::try_from(all.len()).is_ok_and(|have| have >= total) {
            return Ok(all);
        }
    }
}

/// The companies that the login can see; needs no company id (Sage API 1.2).
pub fn companies(run: &mut Run) -> Job<Vec<Value>> {
    let list = fetch(run, read("Company/Get".to_owned(), Vec::new()))?;
    results(list, "Company/Get")
}

/// The company that the installation works with (Sage API 2.1).
pub fn current_company(run: &mut Run) -> Job<Value> {
    let query = company(run);
    fetch(run, read("Company/Current".to_owned(), query))
}

/// What Sage would store of an invoice, or what it says against it. Nothing is stored (Sage API 1.8).
pub fn calculate(run: &mut Run, invoice: &Value) -> Job<Result<Value, String>> {
    let path = "TaxInvoice/Calculate";
    let request = Request {
        method: "POST",
        body: invoice.to_string(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        ..read(path.to_owned(), company(run))
    };
    let response = run.send(request)?;
    if response.status == 400 {
        return Ok(Err(said(&response.body)));
    }
    body(check(run, response)?, path).map(Ok)
}

/// How many rows a search finds; none where Sage refuses it.
pub fn probe(run: &mut Run, service: &str, filter: &str) -> Job<Option<i64>> {
    let path = format!("{service}/Get");
    let mut query = company(run);
    query.push(("$filter".to_owned(), filter.to_owned()));
    query.push(("$top".to_owned(), "1".to_owned()));
    let response = run.send(read(path.clone(), query))?;
    if response.status == 400 {
        return Ok(None);
    }
    let list = body(check(run, response)?, &path)?;
    Ok(json::integer(&list, "TotalResults"))
}

/// The object as Sage has it now; none where it is gone.
pub fn get_one(run: &mut Run, service: Service, id: i64) -> Job<Option<Value>> {
    get_one_as(run, service, id, "")
}

/// The same, with a priority.
pub fn get_one_as(
    run: &mut Run,
    service: Service,
    id: i64,
    priority: &'static str,
) -> Job<Option<Value>> {
    let path = format!("{}/Get/{id}", service.name());
    let query = company(run);
    let response = run.send(Request {
        priority,
        ..read(path.clone(), query)
    })?;
    if matches!(response.status, 204 | 404) {
        return Ok(None);
    }
    let object = body(check(run, response)?, &path)?;
    if object.is_object() && json::integer(&object, "ID") == Some(id) {
        return Ok(Some(object));
    }
    // Nothing may also come as the literal null (Sage API 1.5), but so may a failure: a list is plainer.
    if object.is_null() {
        let only = format!("ID eq {id}");
        let (rows, _) = newer(run, service.name(), id - 1, Some(&only))?;
        if rows.is_empty() {
            return Ok(None);
        }
    }
    Err(unexpected(&path, "the object was expected"))
}

fn company(run: &Run) -> Vec<Pair> {
    vec![("CompanyId".to_owned(), run.settings.company_id.clone())]
}

fn read(path: String, query: Vec<Pair>) -> Request {
    Request {
        connection: CONNECTION,
        effect: Effect::Read,
        method: "GET",
        path,
        query,
        headers: Vec::new(),
        body: String::new(),
        priority: "",
    }
}

fn results(list: Value, path: &str) -> Job<Vec<Value>> {
    match list {
        Value::Object(mut envelope) => match envelope.remove("Results") {
            Some(Value::Array(rows)) => Ok(rows),
            _ => Err(unexpected(path, "a list was expected")),
        },
        _ => Err(unexpected(path, "a list was expected")),
    }
}

fn fetch(run: &mut Run, request: Request) -> Job<Value> {
    let path = request.path.clone();
    let response = run.send(request)?;
    body(check(run, response)?, &path)
}

fn check(run: &mut Run, response: Response) -> Job<Response> {
    if (200..300).contains(&response.status) {
        Ok(response)
    } else {
        let now = run.cap.now();
        Err(trouble(&response, now))
    }
}

/// Why no request can succeed for now, with the cure.
fn trouble(response: &Response, now: u64) -> Halt {
    let said = said(&response.body);
    let pause = |seconds: u64, message: String| {
        Halt::Paused(Failure {
            retry_at: Some(now + seconds),
            ..Failure::new("paused", message)
        })
    };
    match response.status {
        401 => Halt::Failed(Failure::new(
            "denied",
            format!(
                "Sage refused the login, password or API key ({said}). Enter them again under Settings, Sage; nothing is sent until then."
            ),
        )),
        402 => Halt::Failed(Failure::new(
            "registration-expired",
            format!(
                "The company's registration with Sage has expired ({said}). Renew it with Sage, then run again."
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
        status => Halt::Failed(Failure::new(
            "sage-trouble",
            format!(
                "Sage answered {status} ({said}). Try again later; if it stays, look at the company in Sage."
            ),
        )),
    }
}

fn body(response: Response, path: &str) -> Job<Value> {
    serde_json::from_str(&response.body).map_err(|_| unexpected(path, "the answer is not JSON"))
}

fn unexpected(path: &str, what: &str) -> Halt {
    Halt::Failed(Failure::new(
        "unexpected-answer",
        format!(
            "Sage answered {path} in a form that is not understood: {what}. Nothing was changed; try again later or ask support."
        ),
    ))
}

/// The message of an error body: a bare string, `{Message}`, `{Message, ModelState}`, a list of texts, else the text itself.
fn said(body: &str) -> String {
    let message = match serde_json::from_str::<Value>(body) {
        Ok(Value::String(text)) => text,
        Ok(Value::Array(texts)) => texts
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join("; "),
        Ok(Value::Object(object)) => {
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
        reply_of("POST", Ok(response), 1_000)
    }

    #[test]
    fn every_answer_to_a_save_has_one_meaning() {
        assert!(matches!(answered(201, r#"{"ID": 5}"#), Reply::Stored(_)));
        assert!(matches!(answered(200, r#"{"ID": 5}"#), Reply::Stored(_)));
        for (status, body) in [
            (201, ""),
            (200, "null"),
            (200, "<html></html>"),
            (200, r#"{"ID": 0}"#),
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
            ("<html>", "no reason given"),
        ] {
            assert_eq!(answered(400, body), Reply::Refused(said.to_owned()));
        }
        assert!(matches!(answered(401, ""), Reply::NotSent(Halt::Failed(f)) if f.code == "denied"));
        assert!(
            matches!(answered(429, ""), Reply::NotSent(Halt::Paused(f)) if f.retry_at == Some(1_000 + 3_900))
        );
        for maybe_sent in [true, false] {
            let reply = reply_of(
                "POST",
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
