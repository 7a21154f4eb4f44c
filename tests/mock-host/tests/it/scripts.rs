//! What a script says, and what a run by it finds: with native code in the plugin's place.

use mock_host::contract::{Answer, Change, Outcome, Request};
use mock_host::rules::recording;
use mock_host::runner::{RunEnd, RunRecord};
use mock_host::script::{Recording, Script, ScriptError};
use mock_host::{MockHost, Rights, ScriptedWorld};

type Host = MockHost<ScriptedWorld>;

pub fn request(method: &str, connection: &str, path: &str) -> Request {
    Request {
        connection: connection.to_owned(),
        effect: if method == "GET" { "read" } else { "write" }.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        body: String::new(),
        options: Vec::new(),
    }
}

fn script(text: &str) -> Script {
    Script::from_json(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn host(text: &str) -> Host {
    script(text).host().unwrap()
}

/// Status and body, or the code and whether it may have been sent.
fn short(answer: &Answer) -> String {
    match answer {
        Ok(response) => format!("{} {}", response.status, response.body),
        Err(unanswered) => format!("{} {}", unanswered.reason.code, unanswered.maybe_sent),
    }
}

fn send(host: &mut Host, requests: &[Request]) -> Vec<String> {
    host.send(requests.to_vec())
        .unwrap()
        .iter()
        .map(short)
        .collect()
}

#[test]
fn the_first_rule_that_matches_and_is_not_used_up_answers() {
    let mut host = host(
        r#"{"now": "2026-03-02T08:00:00Z", "http": [
            {"request": {"connection": "sage", "method": "GET", "path": "Item/Get", "query": ["$skip=0"]},
             "answer": {"status": 200, "json": {"Total": 10.10, "Results": []}}, "times": 2},
            {"request": {"connection": "sage", "path": "Item/*"}, "answer": {"status": 404, "text": "gone"}},
            {"request": {"method": "POST", "body_contains": ["\"a\"", "1"]}, "answer": {"status": 201}, "times": 1},
            {"request": {"method": "POST", "body": "{}"}, "answer": {"unanswered": {"code": "timeout", "maybe_sent": true}}},
            {"request": {"connection": "splynx", "path": "x", "query": ["a=1"], "exact": true}, "answer": {"status": 204}}
        ]}"#,
    );
    let mut paged = request("GET", "sage", "Item/Get");
    paged.query = vec![
        ("$filter".to_owned(), "x".to_owned()),
        ("$skip".to_owned(), "0".to_owned()),
    ];
    assert_eq!(
        send(
            &mut host,
            &[paged.clone(), request("GET", "sage", "Item/Get")]
        ),
        ["200 {\"Results\":[],\"Total\":10.10}", "404 gone"]
    );
    assert_eq!(
        send(&mut host, &[paged.clone(), paged])[1],
        "404 gone",
        "the first rule is used up"
    );
    let mut post = request("POST", "sage", "Customer/Save");
    post.body = r#"{"a":1}"#.to_owned();
    assert_eq!(
        send(&mut host, &[post.clone(), post.clone()]),
        ["201 ", "unreachable false"]
    );
    post.body = "{}".to_owned();
    assert_eq!(send(&mut host, &[post]), ["timeout true"]);
    let mut exact = request("GET", "splynx", "x");
    exact.query = vec![("a".to_owned(), "1".to_owned())];
    let mut more = exact.clone();
    more.query.push(("b".to_owned(), "2".to_owned()));
    assert_eq!(
        send(&mut host, &[exact, more]),
        ["204 ", "unreachable false"]
    );
    assert_eq!(
        host.world.unexpected(),
        ["POST sage Customer/Save", "GET splynx x?a=1&b=2"]
    );
}

#[test]
fn refused_credentials_and_limits_silence_a_connection_as_a_host_does() {
    let mut host = host(
        r#"{"now": "1970-01-01T00:16:40Z", "advance_per_send": 10, "http": [
            {"request": {"path": "short"}, "answer": {"status": 429, "headers": {"Retry-After": "60"}}},
            {"request": {"path": "long"}, "answer": {"status": 429}},
            {"request": {"path": "secret"}, "answer": {"status": 401}},
            {"request": {"path": "told"}, "answer": {"unanswered": {"code": "paused", "maybe_sent": false, "retry_at": 7}}},
            {"request": {}, "answer": {"status": 200}}
        ]}"#,
    );
    let [short_block, long_block, refused, told, other] =
        ["short", "long", "secret", "told", "x"].map(|path| request("GET", "sage", path));
    let elsewhere = request("GET", "splynx", "x");
    assert_eq!(
        send(&mut host, &[short_block, other.clone(), elsewhere.clone()]),
        ["429 ", "paused false", "200 "],
        "the rest of the list is not sent, other connections are"
    );
    assert_eq!(host.now(), Ok(1010));
    assert_eq!(send(&mut host, std::slice::from_ref(&other)), ["200 "]);
    assert_eq!(host.now(), Ok(1070), "a short block is waited out");
    assert_eq!(send(&mut host, &[long_block]), ["429 "]);
    let paused = host
        .send(vec![other.clone()])
        .unwrap()
        .remove(0)
        .unwrap_err();
    assert_eq!(
        (paused.maybe_sent, paused.reason.retry_at),
        (false, Some(1070 + 3600))
    );
    assert_eq!(
        send(&mut host, &[told]),
        ["paused false"],
        "a rule of the script may say it in its own way"
    );
    let refused = Request {
        connection: "splynx".to_owned(),
        ..refused
    };
    assert_eq!(
        send(&mut host, &[refused, elsewhere.clone()]),
        ["401 ", "denied false"]
    );
    assert_eq!(send(&mut host, &[elsewhere]), ["denied false"]);
}

#[test]
fn a_run_sees_what_the_script_gives_it() {
    let script = script(
        r#"{"now": "2026-03-02T08:00:00Z", "settings": {"a": "1"}, "fetched_settings": ["company"],
            "context": {"time-zone": "Africa/Johannesburg", "settle.sage": "300"}, "options": {"event": "{}"},
            "storage": {"t": {"text": "x", "json": {"n": 1.50}}}, "stop_after_progress": 1,
            "commit_failures": {"2": "fenced"}}"#,
    );
    assert_eq!(script.options(), [("event".to_owned(), "{}".to_owned())]);
    let mut host = script.host().unwrap();
    host.begin(Rights::Write);
    let value = |pairs: &[(String, String)], name: &str| {
        pairs.iter().find(|(n, _)| n == name).unwrap().1.clone()
    };
    let context = host.context().unwrap();
    for (name, expected) in [
        ("today", "2026-03-02"),
        ("installed-on", "2026-03-02"),
        ("time-zone", "Africa/Johannesburg"),
        ("settle.sage", "300"),
        ("trigger", "person"),
    ] {
        assert_eq!(value(&context, name), expected, "{name}");
    }
    assert_eq!(host.storage.value("t", "json"), Some("{\"n\":1.50}"));
    assert_eq!(
        host.set_fetched("a", "2").unwrap().unwrap_err().code,
        "invalid-settings"
    );
    assert_eq!(host.set_fetched("company", "7"), Ok(Ok(())));
    assert_eq!(value(&host.settings().unwrap(), "company"), "7");
    let change = Change {
        table: "t".to_owned(),
        key: "k".to_owned(),
        value: Some("v".to_owned()),
    };
    assert_eq!(
        host.commit(vec![], vec![change.clone()], vec![]),
        Ok(Ok(()))
    );
    assert_eq!(
        host.commit(vec![], vec![change.clone()], vec![])
            .unwrap()
            .unwrap_err()
            .code,
        "fenced"
    );
    assert_eq!(
        host.commit(vec![], vec![change.clone()], vec![]),
        Ok(Ok(())),
        "only the second one fails"
    );
    assert_eq!(host.progress("s", 0, 2), Ok(true));
    assert_eq!(host.progress("s", 1, 2), Ok(false));
    assert_eq!(
        send(&mut host, &[request("GET", "sage", "x")]),
        ["stopped false"]
    );
    host.begin(Rights::Preview);
    assert_eq!(
        host.commit(vec![], vec![change], vec![])
            .unwrap()
            .unwrap_err()
            .code,
        "preview"
    );
    assert_eq!(
        host.set_fetched("company", "8").unwrap().unwrap_err().code,
        "preview"
    );
    assert_eq!(
        send(&mut host, &[request("POST", "sage", "x")]),
        ["preview false"]
    );
}

/// A job: reads one page, writes one record.
fn job(host: &mut Host) -> RunEnd {
    host.begin(Rights::Write);
    host.log("info", "begins").unwrap();
    let page = host
        .send(vec![request("GET", "splynx", "invoices")])
        .unwrap()
        .remove(0);
    if let Err(unanswered) = page {
        return RunEnd::Failure(unanswered.reason);
    }
    host.send(vec![request("POST", "sage", "TaxInvoice/Save")])
        .unwrap()
        .remove(0)
        .ok();
    let row = mock_host::contract::Row {
        id: "1".to_owned(),
        cells: vec!["create".to_owned(), "I1".to_owned()],
        more: vec![],
    };
    host.report("plan", vec![row]).unwrap().unwrap();
    let stored = Change {
        table: "outbox".to_owned(),
        key: "invoice/1".to_owned(),
        value: Some("synced 10.50".to_owned()),
    };
    let activity = mock_host::contract::Activity {
        entity: "invoice".to_owned(),
        action: "created".to_owned(),
        more: vec![("amount".to_owned(), "10.50".to_owned())],
        ..Default::default()
    };
    host.commit(vec![], vec![stored], vec![activity])
        .unwrap()
        .unwrap();
    let counts = vec![("invoices created".to_owned(), 1)];
    RunEnd::Outcome(Outcome {
        state: "finished".to_owned(),
        resume_at: None,
        why: None,
        counts,
        more: vec![],
    })
}

fn run(text: &str) -> (RunRecord, Host) {
    let script = script(text);
    let mut host = script.host().unwrap();
    let end = job(&mut host);
    (RunRecord::new(&script, "job", false, &host, end), host)
}

#[test]
fn every_expectation_is_met_or_named() {
    let with = |expect: &str| {
        run(&format!(
            r#"{{"now": "2026-03-02T08:00:00Z", "expect": {{{expect}}}, "http": [
                {{"request": {{"method": "GET"}}, "answer": {{"status": 200}}}},
                {{"request": {{"path": "TaxInvoice/*"}}, "answer": {{"status": 200}}, "times": 2}}]}}"#
        ))
        .0
        .unmet
    };
    for met in [
        "",
        r#""state": "finished", "counts": {"invoices created": 1, "customers created": 0}"#,
        r#""calls": [{"request": {"method": "POST"}, "count": 1}, {"request": {"path": "Customer/*"}, "count": 0}]"#,
        r#""calls": [{"request": {}, "count": {"min": 2}}, {"request": {}, "count": {"max": 2}}]"#,
        r#""storage": [{"table": "outbox", "key": "invoice/*", "contains": ["10.50"]}, {"table": "x", "key": "*", "count": 0}]"#,
        r#""activities": [{"activity": {"entity": "invoice", "more": {"amount": "10.*"}}}]"#,
        r#""reports": [{"kind": "plan", "id": "1", "cells": ["create"], "count": 1}, {"kind": "rejected", "count": 0}]"#,
        r#""log": [{"level": "info", "message": "beg*"}, {"level": "error", "count": 0}]"#,
    ] {
        assert_eq!(with(met), Vec::<String>::new(), "{met}");
    }
    for (unmet, named) in [
        (
            r#""state": "paused""#,
            "state: expected paused, found finished",
        ),
        (r#""code": "denied""#, "code: expected `denied`, found ``"),
        (
            r#""counts": {"invoices created": 2}"#,
            "counts: expected invoices created = 2, found 1",
        ),
        (
            r#""calls": [{"request": {"method": "POST", "path": "T*"}, "count": 0}]"#,
            "calls[0] (POST * T*): expected 0, found 1",
        ),
        (
            r#""calls": [{"request": {}, "count": {"min": 3, "max": 4}}]"#,
            "calls[0] (* * *): expected 3 to 4, found 2",
        ),
        (
            r#""storage": [{"table": "outbox", "key": "invoice/1", "value": "held"}]"#,
            "storage[0] (invoice/1 in outbox): expected at least 1, found 0",
        ),
        (
            r#""activities": [{"activity": {"action": "held"}}]"#,
            "activities[0]: expected at least 1, found 0",
        ),
        (
            r#""reports": [{"kind": "plan", "cells": ["create", "I1", "x"]}]"#,
            "reports[0] (plan): expected at least 1, found 0",
        ),
        (
            r#""log": [{"message": "begin", "count": {"max": 0}}, {"count": 2}]"#,
            "log[1]: expected 2, found 1",
        ),
        (
            r#""all_answers_used": true"#,
            "all_answers_used: http[1] was not used up",
        ),
    ] {
        assert_eq!(with(unmet), [named], "{unmet}");
    }
    let silent = run(
        r#"{"now": "2026-03-02T08:00:00Z", "expect": {"state": "failed", "code": "unreachable"}}"#,
    )
    .0;
    assert_eq!(
        silent.unmet,
        ["the script has no answer to GET splynx invoices"],
        "even where the job may fail"
    );
}

#[test]
fn a_recorded_run_can_be_replayed() {
    let answers = r#""http": [{"request": {}, "answer": {"status": 200, "json": [{"total": 10.50}]}, "times": 1},
                              {"request": {}, "answer": {"unanswered": {"code": "timeout", "maybe_sent": true}}}]"#;
    let (first, host) = run(&format!(r#"{{"now": "2026-03-02T08:00:00Z", {answers}}}"#));
    let folder = tempfile::tempdir().unwrap();
    let recorded = serde_json::to_string(&Recording {
        http: recording(host.trace()),
    })
    .unwrap();
    std::fs::write(folder.path().join("recorded.json"), recorded).unwrap();
    let path = folder.path().join("script.json");
    let text = r#"{"now": "2026-03-02T08:00:00Z", "replay": ["recorded.json"], "expect": {"all_answers_used": true}}"#;
    std::fs::write(&path, text).unwrap();
    let script = Script::read(&path).unwrap();
    let mut host = script.host().unwrap();
    let end = job(&mut host);
    let second = RunRecord::new(&script, "job", false, &host, end);
    assert_eq!(second.unmet, Vec::<String>::new());
    assert_eq!(second.steps, first.steps);
}

#[test]
fn a_mistake_in_a_script_is_told_before_anything_runs() {
    for (text, told) in [
        ("{", "EOF"),
        (r#"{"now": "yesterday"}"#, "line 1 column"),
        (
            r#"{"now": "2026-03-02T08:00:00Z", "htpp": []}"#,
            "unknown field `htpp`",
        ),
        (
            r#"{"now": "2026-03-02T08:00:00Z", "http": [{"request": {"metod": "GET"}, "answer": {}}]}"#,
            "unknown field `metod`",
        ),
        (
            r#"{"now": "2026-03-02T08:00:00Z", "expect": {"calls": [{"request": {}, "count": -1}]}}"#,
            "a count is",
        ),
        (
            r#"{"now": "2026-03-02T08:00:00Z", "expect": {"calls": [{"request": {}, "count": {"least": 1}}]}}"#,
            "a count is",
        ),
        (
            r#"{"now": "2026-03-02T08:00:00Z", "http": [{"request": {}, "answer": {}}]}"#,
            "http[0]: it has neither",
        ),
        (
            r#"{"now": "2026-03-02T08:00:00Z", "http": [{"request": {}, "answer": {"status": 200, "json": 1, "text": "1"}}]}"#,
            "http[0]: it has both a `json`",
        ),
        (
            r#"{"now": "2026-03-02T08:00:00Z", "http": [{"request": {}, "answer": {"status": 20}}]}"#,
            "no HTTP status",
        ),
        (
            r#"{"now": "2026-03-02T08:00:00Z", "storage": {"": {"k": "v"}}}"#,
            "storage: ",
        ),
    ] {
        let error = Script::from_json(text)
            .and_then(|script| script.host())
            .map(|_| ())
            .unwrap_err();
        let told_all = match &error {
            ScriptError::Malformed { source, .. } => source.to_string(),
            other => other.to_string(),
        };
        assert!(told_all.contains(told), "{text}: {told_all}");
    }
}

#[test]
fn the_script_that_the_readme_shows_is_one() {
    let readme = include_str!("../../README.md");
    let (_, behind) = readme.split_once("```json\n").unwrap();
    let (example, _) = behind.split_once("```").unwrap();
    host(example);
}
