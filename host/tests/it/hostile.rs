//! Components that mean harm, each in a real run: what it came to is told, the host stays up, and another installation's run goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use addon_host::clock::{Clock, SystemClock};
use addon_host::host::{Host, HostConfig, HostError, Query, RunRequest, Terms};
use addon_host::installations;
use addon_host::runs::Limits;
use addon_host::store::{ALL_INSTALLATIONS, Outcome, RunState, Store, Trigger};

use tokio::task::JoinSet;

use crate::fixtures::by;
use crate::guest::{built, guest, manifest, package, scripted};
use crate::service::{Reply, Service, answer};

/// What a component does, and what is to be told of it: the code, and some words of the message.
struct Harm {
    name: &'static str,
    body: String,
    parts: String,
    allocating: &'static str,
    told: (&'static str, &'static str),
}

fn harm(name: &'static str, body: impl Into<String>, told: (&'static str, &'static str)) -> Harm {
    Harm {
        name,
        body: body.into(),
        parts: String::new(),
        allocating: "",
        told,
    }
}

/// A request at 1088, whose texts are given; then it is sent, and why it was not is the job's failure.
pub fn request(
    connection: &str,
    method: &str,
    path: &str,
    header: Option<(&str, &str)>,
) -> (String, String) {
    let escaped = |text: &str| {
        let bytes = text.bytes().map(|byte| format!("\\{byte:02x}"));
        bytes.collect::<String>()
    };
    let mut parts = String::new();
    let mut words = Vec::new();
    let mut at = 1300;
    let (name, value) = header.unwrap_or_default();
    for text in [connection, "read", method, path, name, value] {
        parts.push_str(&format!("(data (i32.const {at}) \"{}\")\n", escaped(text)));
        words.push((at, text.len()));
        at += text.len().next_multiple_of(8) + 8;
    }
    let mut stores = String::new();
    let mut store = |address: usize, (pointer, length): (usize, usize)| {
        stores.push_str(&format!(
            "(i32.store (i32.const {address}) (i32.const {pointer})) (i32.store (i32.const {}) (i32.const {length}))\n",
            address + 4
        ));
    };
    for (place, word) in words[..4].iter().enumerate() {
        store(1088 + place * 8, *word);
    }
    // Query, headers, body, options.
    let headers = usize::from(header.is_some());
    for (place, list) in [(4, (0, 0)), (5, (1200, headers)), (6, (0, 0)), (7, (0, 0))] {
        store(1088 + place * 8, list);
    }
    store(1200, words[4]);
    store(1208, words[5]);
    let body = format!(
        "{stores}
        (call $send (i32.const 1088) (i32.const 1) (i32.const 256))
        (local.set $n (i32.load (i32.const 256)))
        (if (i32.load8_u (local.get $n)) (then (return (call $failed (i32.add (local.get $n) (i32.const 16))))))"
    );
    (body, parts)
}

fn sending(
    name: &'static str,
    (body, parts): (String, String),
    told: (&'static str, &'static str),
) -> Harm {
    Harm {
        parts,
        ..harm(name, body, told)
    }
}

/// Commits a value of 64 KiB under ever new keys.
const STORAGE_FLOOD: &str = r#"
    (i32.store (i32.const 1024) (i32.const 64)) (i32.store (i32.const 1028) (i32.const 5))
    (i32.store (i32.const 1032) (i32.const 1100)) (i32.store (i32.const 1036) (i32.const 4))
    (i32.store (i32.const 1040) (i32.const 1))
    (i32.store (i32.const 1044) (i32.const 65536)) (i32.store (i32.const 1048) (i32.const 65536))
    (memory.fill (i32.const 65536) (i32.const 0x61) (i32.const 65536))
    (loop $on
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (i32.store8 (i32.const 1100) (i32.add (i32.const 0x61) (i32.and (local.get $n) (i32.const 15))))
      (i32.store8 (i32.const 1101) (i32.add (i32.const 0x61) (i32.and (i32.shr_u (local.get $n) (i32.const 4)) (i32.const 15))))
      (i32.store8 (i32.const 1102) (i32.add (i32.const 0x61) (i32.and (i32.shr_u (local.get $n) (i32.const 8)) (i32.const 15))))
      (i32.store8 (i32.const 1103) (i32.const 0x61))
      (call $commit (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 256))
      (br_if $on (i32.eqz (i32.load8_u (i32.const 256)))))
    (return (call $failed (i32.const 264)))"#;

/// Reports sixty rows again and again.
const REPORT_FLOOD: &str = r#"
    (i32.store (i32.const 1024) (i32.const 16)) (i32.store (i32.const 1028) (i32.const 8))
    (loop $fill
      (i32.store (i32.add (i32.const 2048) (i32.mul (local.get $n) (i32.const 24))) (i32.const 16))
      (i32.store (i32.add (i32.const 2052) (i32.mul (local.get $n) (i32.const 24))) (i32.const 8))
      (i32.store (i32.add (i32.const 2056) (i32.mul (local.get $n) (i32.const 24))) (i32.const 1024))
      (i32.store (i32.add (i32.const 2060) (i32.mul (local.get $n) (i32.const 24))) (i32.const 1))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $fill (i32.lt_u (local.get $n) (i32.const 60))))
    (loop $on
      (call $report (i32.const 32) (i32.const 7) (i32.const 2048) (i32.const 60) (i32.const 256))
      (br_if $on (i32.eqz (i32.load8_u (i32.const 256)))))
    (return (call $failed (i32.const 264)))"#;

/// Commits thirty empty activities again and again.
const ACTIVITY_FLOOD: &str = r#"
    (loop $on
      (call $commit (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1600) (i32.const 30) (i32.const 256))
      (br_if $on (i32.eqz (i32.load8_u (i32.const 256)))))
    (return (call $failed (i32.const 264)))"#;

/// Asks for the first entry of the flood three hundred times in one call.
const GET_FLOOD: &str = r#"
    (i32.store (i32.const 1100) (i32.const 0x61616162))
    (loop $fill
      (i32.store (i32.add (i32.const 8192) (i32.mul (local.get $n) (i32.const 8))) (i32.const 1100))
      (i32.store (i32.add (i32.const 8196) (i32.mul (local.get $n) (i32.const 8))) (i32.const 4))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $fill (i32.lt_u (local.get $n) (i32.const 300))))
    (global.set $heap (i32.const 16384))
    (call $get (i32.const 64) (i32.const 5) (i32.const 8192) (i32.const 300) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then (return (call $failed (i32.const 264)))))"#;

/// Fails with a message of 100,000 letters.
const LONG_MESSAGE: &str = r#"
    (memory.fill (i32.const 65536) (i32.const 0x61) (i32.const 100000))
    (i32.store (i32.const 1024) (i32.const 64)) (i32.store (i32.const 1028) (i32.const 5))
    (i32.store (i32.const 1032) (i32.const 65536)) (i32.store (i32.const 1036) (i32.const 100000))
    (return (call $failed (i32.const 1024)))"#;

/// Ends with this state (address and length) and a list of counts of this length.
pub fn outcome(state: i64, length: i64, counts: i64) -> String {
    format!(
        "(i32.store (i32.const 520) (i32.const {state})) (i32.store (i32.const 524) (i32.const {length}))
         (i32.store (i32.const 592) (i32.const 65536)) (i32.store (i32.const 596) (i32.const {counts}))
         (return (i32.const 512))"
    )
}

fn harms() -> Vec<Harm> {
    let stranger = "invalid-request";
    let table = Harm {
        parts: "(table $many 1 funcref)".to_owned(),
        ..harm(
            "a table without end",
            "(loop $on (br_if $on (i32.ne (table.grow $many (ref.null func) (i32.const 10000)) (i32.const -1)))) unreachable",
            ("table-limit", "more than 100000 entries"),
        )
    };
    let stack = Harm {
        parts: "(func $deeper (param i64) (result i64) (i64.add (call $deeper (local.get 0)) (i64.const 1)))".to_owned(),
        ..harm("a stack without end", "(drop (call $deeper (i64.const 1)))", ("crashed", "stack"))
    };
    let again = Harm {
        allocating: "(drop (call $now))",
        ..harm(
            "a call from within an allocation",
            "(call $settings (i32.const 256))",
            ("crashed", "leave"),
        )
    };
    let nowhere = Harm {
        allocating: "(return (i32.const 0x7ffffff0))",
        ..harm(
            "an allocation that is nowhere",
            "(call $settings (i32.const 256))",
            ("crashed", ""),
        )
    };
    vec![
        harm(
            "a loop without end",
            "(loop $on (br $on))",
            ("cpu-limit", "computed for more than"),
        ),
        harm(
            "calls without end",
            "(loop $on (drop (call $now)) (br $on))",
            ("calls-limit", "called its host more than"),
        ),
        harm(
            "memory without end",
            "(loop $on (drop (memory.grow (i32.const 16))) (br $on))",
            ("memory-limit", "more than 8 MiB of memory"),
        ),
        table,
        stack,
        harm("a panic", "unreachable", ("crashed", "unreachable")),
        again,
        nowhere,
        harm(
            "a log without end",
            "(loop $on (call $log (i32.const 48) (i32.const 4) (i32.const 16) (i32.const 8)) (br $on))",
            ("calls-limit", ""),
        ),
        harm(
            "storage without end",
            STORAGE_FLOOD,
            ("full", "storage is full (1048576 bytes)"),
        ),
        harm(
            "one entry without end",
            GET_FLOOD,
            ("limit", "bytes of one get"),
        ),
        harm(
            "a report without end",
            REPORT_FLOOD,
            ("limit", "report-rows"),
        ),
        harm(
            "activities without end",
            ACTIVITY_FLOOD,
            ("limit", "activities"),
        ),
        harm(
            "a text from outside its memory",
            "(call $log (i32.const 48) (i32.const 4) (i32.const 0x7fffff00) (i32.const 4096))",
            ("crashed", ""),
        ),
        harm(
            "more than may be handed over",
            "(drop (memory.grow (i32.const 40))) (call $log (i32.const 48) (i32.const 4) (i32.const 0) (i32.const 2000000))",
            ("call-limit", "more than 1 MiB at once"),
        ),
        harm(
            "a report of nobody",
            "(call $report (i32.const 64) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 256)) (return (call $failed (i32.const 264)))",
            (stranger, "has no report"),
        ),
        harm(
            "a state of its own",
            outcome(64, 5, 0),
            ("unknown-state", "table"),
        ),
        harm(
            "a state that is no text",
            format!(
                "(i32.store (i32.const 1024) (i32.const -1)) {}",
                outcome(1024, 4, 0)
            ),
            ("crashed", "utf-8"),
        ),
        harm(
            "a state from nowhere",
            outcome(0x7fff_ff00, 4096, 0),
            ("crashed", ""),
        ),
        harm(
            "results without end",
            outcome(16, 8, 0x0fff_ffff),
            ("crashed", ""),
        ),
        harm("words without end", LONG_MESSAGE, ("table", "aaa…")),
        harm(
            "counts of nothing without end",
            outcome(16, 8, 12_000),
            ("limit", "more than 256 KiB at once"),
        ),
        redirected(),
        sending(
            "another connection",
            request("bank", "GET", "items", None),
            (stranger, "bank"),
        ),
        sending(
            "another address",
            request("books", "GET", "http://elsewhere.example/", None),
            (stranger, ""),
        ),
        sending(
            "an absolute path",
            request("books", "GET", "/admin", None),
            (stranger, ""),
        ),
        sending(
            "a way up",
            request("books", "GET", "../secrets", None),
            (stranger, ""),
        ),
        sending(
            "a disguised way up",
            request("books", "GET", "%2e%2e/secrets", None),
            (stranger, ""),
        ),
        sending(
            "another host's name",
            request("books", "GET", "items", Some(("Host", "elsewhere.example"))),
            (stranger, ""),
        ),
        sending(
            "credentials of its own",
            request(
                "books",
                "GET",
                "items",
                Some(("Authorization", "Basic eDp5")),
            ),
            (stranger, ""),
        ),
        sending(
            "a length of its own",
            request("books", "GET", "items", Some(("Content-Length", "1"))),
            (stranger, ""),
        ),
        sending(
            "two headers in one",
            request("books", "GET", "items", Some(("x-one", "1\r\nx-two: 2"))),
            (stranger, ""),
        ),
        sending(
            "a method of its own",
            request("books", "CONNECT", "items", None),
            (stranger, ""),
        ),
        sending(
            "an answer without end",
            request("books", "GET", "large", None),
            ("too-large", ""),
        ),
    ]
}

/// What comes of a redirect is looked at in the test: nothing arrives where it points.
fn redirected() -> Harm {
    let (body, parts) = request("books", "GET", "moved", None);
    let harm = sending(
        "a way to another host",
        (format!("{body} unreachable"), parts),
        ("crashed", "unreachable"),
    );
    assert!(harm.body.ends_with("unreachable"));
    harm
}

/// The manifest, with a report.
fn reporting(version: &str) -> String {
    let report = "[[reports]]\nid = \"company\"\ntitle = \"Report\"\ncolumns = [\"One\"]\n";
    format!("{}\n{report}", manifest(version, 1))
}

fn told(outcome: &Outcome) -> (&str, &str) {
    outcome
        .why
        .as_ref()
        .map_or(("", ""), |why| (why.code.as_str(), why.message.as_str()))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_component_does_ends_its_own_run_and_nothing_else() {
    let strayed = Arc::new(AtomicUsize::new(0));
    let seen = strayed.clone();
    let foreign = Service::start(|_| answer(200, "{}")).await;
    let elsewhere = foreign.address();
    let service = Service::start(move |request| {
        if request.line.contains("/moved") {
            return Reply::Answer {
                status: 302,
                headers: vec![("location", elsewhere.clone())],
                body: String::new(),
            };
        }
        if request.line.contains("/large") {
            return answer(200, "x".repeat(80 << 20));
        }
        seen.fetch_add(1, Ordering::Relaxed);
        answer(200, "{}")
    })
    .await;
    let data = tempfile::tempdir().unwrap();
    let config = HostConfig {
        data_dir: data.path().to_owned(),
        database_url: Store::default_url(data.path()),
    };
    let clock = Arc::new(SystemClock);
    let host = Host::open_with(config, clock.clone(), Limits::default())
        .await
        .unwrap();
    let limits = [
        ("cpu-seconds", 1),
        ("calls", 20_000),
        ("memory-mib", 8),
        ("call-mib", 1),
        ("stored-mib", 1),
        ("log-lines", 10),
        ("report-rows", 100),
        ("activities", 100),
    ];
    let limits = limits.map(|(name, value)| (name.to_owned(), value));
    host.store()
        .set_changed_limits("hostile", &limits.into(), &by(clock.now()))
        .await
        .unwrap();
    host.store()
        .set_changed_limits(
            ALL_INSTALLATIONS,
            &[("calls".to_owned(), 1_000_000_000)].into(),
            &by(clock.now()),
        )
        .await
        .unwrap();
    let address = service.address();
    let neighbour = manifest("1.0.0", 1).replace("id = \"guest\"", "id = \"neighbour\"");
    for (manifest, component, name, addon) in [
        (neighbour, guest().to_vec(), "neighbour", "neighbour"),
        (manifest("1.0.0", 1), guest().to_vec(), "hostile", "guest"),
    ] {
        host.install_package(&package(&manifest, &component), Terms::DEVELOPMENT, "ann")
            .await
            .unwrap();
        installations::create(host.store(), name, addon, &by(clock.now()))
            .await
            .unwrap();
        let values = [
            ("books_url", address.as_str()),
            ("login", "ann"),
            ("password", "p"),
        ];
        let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
        host.save_settings(name, &values, "ann").await.unwrap();
    }
    let request = || RunRequest {
        preview: false,
        trigger: Trigger::Person,
        options: Vec::new(),
        actor: "ann".to_owned(),
    };
    // Works until it is told to stop.
    let neighbour = host
        .start_run("neighbour", "progress", request())
        .await
        .unwrap();
    let mut version = 1;
    for harm in harms() {
        version += 1;
        let component = built(&scripted(&harm.body, &harm.parts, harm.allocating));
        let packed = package(&reporting(&format!("1.0.{version}")), &component);
        host.install_package(&packed, Terms::DEVELOPMENT, "ann")
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", harm.name));
        let run = host
            .start_run("hostile", "finish", request())
            .await
            .unwrap();
        let id = run.id();
        let outcome = run.wait().await;
        assert_eq!(
            outcome.state,
            RunState::Failed,
            "{}: {outcome:?}",
            harm.name
        );
        let (code, message) = told(&outcome);
        assert_eq!(code, harm.told.0, "{}: {message}", harm.name);
        assert!(
            message.to_lowercase().contains(&harm.told.1.to_lowercase()),
            "{}: {message}",
            harm.name
        );
        assert!(message.len() < 10_000, "{}: {}", harm.name, message.len());
        let stored = host
            .store()
            .runs("hostile", None, 1)
            .await
            .unwrap()
            .remove(0);
        assert_eq!(
            (stored.id, stored.outcome),
            (id, Some(outcome)),
            "{}",
            harm.name
        );
        let lines = host.store().log_lines(id, 0, 1000).await.unwrap();
        assert!(lines.len() <= 11, "{}: {} lines", harm.name, lines.len());
        if harm.name == "a log without end" {
            let last = lines.last().map(|row| row.line.message.as_str());
            assert!(lines.len() == 11 && last.is_some_and(|text| text.contains("more lines")));
        }
        let lease = host
            .store()
            .lease_holder("hostile", clock.now())
            .await
            .unwrap();
        assert_eq!(lease, None, "{}", harm.name);
    }
    assert_eq!(
        strayed.load(Ordering::Relaxed),
        0,
        "nothing came of it outside"
    );
    assert_eq!(foreign.count(), 0, "nobody went where a redirect points");
    host.request_stop(neighbour.id()).await.unwrap();
    assert_eq!(
        neighbour.wait().await.state,
        RunState::Stopped,
        "the neighbour went on"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_never_answered_keeps_nobody_waiting() {
    let data = tempfile::tempdir().unwrap();
    let config = HostConfig {
        data_dir: data.path().to_owned(),
        database_url: Store::default_url(data.path()),
    };
    let clock = Arc::new(SystemClock);
    let host = Host::open_with(config, clock.clone(), Limits::default())
        .await
        .unwrap();
    let (before, after) = scripted("", "", "")
        .split_once("addon@1.0.0#view\")")
        .map(|(before, after)| (before.to_owned(), after.to_owned()))
        .unwrap();
    let endless = after.replacen(
        "(result i32) (i32.const 512)",
        "(result i32) (loop $again (br $again)) (i32.const 512)",
        1,
    );
    let component = built(&format!("{before}addon@1.0.0#view\"){endless}"));
    let packed = package(&manifest("1.0.0", 1), &component);
    host.install_package(&packed, Terms::DEVELOPMENT, "ann")
        .await
        .unwrap();
    installations::create(host.store(), "hostile", "guest", &by(clock.now()))
        .await
        .unwrap();
    let limits = [("answer-seconds".to_owned(), 1)];
    host.store()
        .set_changed_limits("hostile", &limits.into(), &by(clock.now()))
        .await
        .unwrap();
    let honest = manifest("1.0.0", 1).replace("id = \"guest\"", "id = \"neighbour\"");
    let component = built(&scripted("", "", ""));
    host.install_package(&package(&honest, &component), Terms::DEVELOPMENT, "ann")
        .await
        .unwrap();
    installations::create(host.store(), "neighbour", "neighbour", &by(clock.now()))
        .await
        .unwrap();
    // In twelve tabs: as many guests as may be at once, and a plain word for the rest.
    let mut tabs = JoinSet::new();
    for _ in 0..12 {
        let host = host.clone();
        tabs.spawn(async move { host.view("hostile", "outbox", Query::default()).await });
    }
    host.view("neighbour", "outbox", Query::default())
        .await
        .unwrap();
    let mut crowded = 0;
    while let Some(asked) = tabs.join_next().await {
        let Err(HostError::Addon(failure)) = asked.unwrap() else {
            panic!("it was answered");
        };
        assert_eq!(failure.code, "timeout", "{failure:?}");
        crowded += usize::from(failure.message.starts_with("As many pages"));
    }
    assert!(crowded > 0, "all twelve ran at once");
    // What can be answered still is.
    host.check("hostile").await.unwrap();
}
