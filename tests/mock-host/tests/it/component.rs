//! A built add-on in the mock host: any that implements the contract and has a job `sync`.
//!
//! Where none is built, these tests say so and pass, so that they need no WebAssembly toolchain; with `REQUIRE_COMPONENT=1`
//! they fail instead.

use std::path::{Path, PathBuf};
use std::process::Command;

use mock_host::component::{Crash, Ending, Limits, LoadError, Plugin};
use mock_host::contract::{Answer, Outcome, Query, Request, Unanswered};
use mock_host::{DeathPoint, MockHost, Side, World};

/// `ADDON_COMPONENT`, or what `scripts/build-plugin` makes.
fn built() -> Option<PathBuf> {
    let usual =
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugin/splynx-sageone.wasm");
    let path = std::env::var_os("ADDON_COMPONENT").map_or_else(usual, PathBuf::from);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var_os("REQUIRE_COMPONENT").is_some_and(|value| value == "1");
    assert!(
        !required,
        "REQUIRE_COMPONENT=1, and there is no {}",
        path.display()
    );
    eprintln!(
        "not tested: there is no {}; scripts/build-plugin makes it",
        path.display()
    );
    None
}

/// Nobody answers.
struct Silence;

impl World for Silence {
    fn send(&mut self, requests: Vec<Request>) -> Vec<Answer> {
        requests
            .iter()
            .map(|_| Err(Unanswered::not_sent("unreachable", "nobody is there")))
            .collect()
    }

    fn now(&mut self) -> u64 {
        1_772_438_400
    }
}

fn host() -> MockHost<Silence> {
    let mut host = MockHost::new(Silence);
    for (name, value) in [
        ("today", "2026-03-02"),
        ("installed-on", "2026-01-01"),
        ("time-zone", "Africa/Johannesburg"),
    ] {
        host.context.insert(name.to_owned(), value.to_owned());
    }
    for (name, value) in [
        ("splynx_api_domain", "https://isp.example/"),
        ("cron_customers", "on"),
        ("customer_name_pattern", "{name}"),
    ] {
        host.settings.insert(name.to_owned(), value.to_owned());
    }
    host
}

fn sync(plugin: &Plugin, host: MockHost<Silence>) -> (MockHost<Silence>, Ending<Outcome>) {
    plugin.run_job(host, "sync", false, &[])
}

#[test]
fn a_file_that_is_no_add_on_is_refused_with_the_reason() {
    let component = b"\0asm\x0d\0\x01\0".to_vec();
    // A component that imports an instance `evil:host/x`: a type section with an empty instance type, an import section.
    let evil: Vec<u8> = [
        component.as_slice(),
        b"\x07\x03\x01\x42\0",
        b"\x0a\x10\x01\0\x0bevil:host/x\x05\0",
    ]
    .concat();
    let refused = |bytes: &[u8]| Plugin::from_bytes(bytes).map(|_| ()).unwrap_err();
    assert_eq!(
        refused(b"{}").to_string(),
        "it is no component: not even WebAssembly"
    );
    assert_eq!(
        refused(b"\0asm\x01\0\0\0").to_string(),
        "it is no component: a core module; build it for wasm32-wasip2"
    );
    assert!(matches!(
        refused(&[component.as_slice(), b"\xff"].concat()),
        LoadError::NotAComponent(_)
    ));
    assert_eq!(
        refused(&evil).to_string(),
        "it imports `evil:host/x`, which no add-on gets: add-ons may use the contract and, of WASI, wasi:cli, wasi:clocks, \
         wasi:filesystem, wasi:http, wasi:io, wasi:random, wasi:sockets"
    );
    let empty = refused(&component).to_string();
    assert!(empty.contains("splynx:addon/addon@1.0.0"), "{empty}");
    assert!(matches!(
        Plugin::load(Path::new("nowhere.wasm")),
        Err(LoadError::Unreadable { .. })
    ));
}

#[test]
fn the_same_run_leaves_the_same_trace_and_can_die_at_every_call() {
    let Some(path) = built() else { return };
    let plugin = Plugin::load(&path).unwrap();
    let (undisturbed, ending) = sync(&plugin, host());
    assert!(ending.is_ok(), "{ending:?}");
    assert!(
        undisturbed.calls() > 1,
        "a run that asks for nothing shows nothing"
    );
    let (again, second) = sync(&plugin, host());
    assert_eq!((again.trace(), &second), (undisturbed.trace(), &ending));
    for call in 1..=undisturbed.calls() {
        for side in [Side::Before, Side::After] {
            let point = DeathPoint { call, side };
            let mut host = host();
            host.die_at(point);
            let (host, death) = sync(&plugin, host);
            assert!(
                matches!(&death, Err(Crash::Death(death)) if death.0 == point),
                "{point:?}: {death:?}"
            );
            assert_eq!(host.calls(), call);
            let (_, after) = sync(&plugin, host);
            let state = |ending: &Ending<Outcome>| match ending {
                Ok(Ok(outcome)) => outcome.state.clone(),
                Ok(Err(failure)) => failure.code.clone(),
                Err(crash) => crash.to_string(),
            };
            assert_eq!(state(&after), state(&ending), "the run after {point:?}");
        }
    }
}

#[test]
fn limits_end_a_run_and_the_host_stays() {
    let Some(path) = built() else { return };
    let few = Limits {
        fuel: 1_000,
        ..Limits::default()
    };
    let (kept, ending) = sync(&Plugin::load(&path).unwrap().with_limits(few), host());
    assert_eq!(ending, Err(Crash::OutOfFuel));
    let small = Limits {
        memory_bytes: 1 << 10,
        ..Limits::default()
    };
    let (kept, ending) = sync(&Plugin::load(&path).unwrap().with_limits(small), kept);
    assert!(matches!(ending, Err(Crash::Trap(_))), "{ending:?}");
    let (_, ending) = sync(&Plugin::load(&path).unwrap(), kept);
    assert!(ending.is_ok(), "{ending:?}");
}

#[test]
fn every_export_can_be_called_and_pages_send_nothing() {
    let Some(path) = built() else { return };
    let plugin = Plugin::load(&path).unwrap();
    let (host, findings) = plugin.check(host());
    assert!(findings.is_ok(), "{findings:?}");
    let (host, choices) = plugin.choices(host, "no-such-source");
    assert!(choices.is_ok(), "{choices:?}");
    let (host, rows) = plugin.view(
        host,
        "outbox",
        Query {
            limit: 10,
            ..Query::default()
        },
    );
    assert!(rows.is_ok(), "{rows:?}");
    assert!(mock_host::trace::exchanges(host.trace()).all(|exchange| !exchange.sent));
    let (host, told) = plugin.act(host, "no-such-page", "retry", &["1".to_owned()], &[]);
    assert!(told.is_ok(), "{told:?}");
    let (_, version) = plugin.migrate(host, 1);
    assert!(version.is_ok(), "{version:?}");
}

#[test]
fn the_program_exits_by_what_it_found() {
    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let program = |plugin: &Path, script: &Path, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-host"));
        let output = command
            .arg("run")
            .arg(plugin)
            .arg("sync")
            .arg("--script")
            .arg(script)
            .args(more)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let good = script(
        "good.json",
        r#"{"now": "2026-03-02T08:00:00Z", "expect": {"state": "wondrous"}}"#,
    );
    let bad = script("bad.json", r#"{"now": 5}"#);
    let (code, _, told) = program(Path::new("nowhere.wasm"), &good, &[]);
    assert_eq!(
        (code, told.contains("nowhere.wasm")),
        (Some(2), true),
        "{told}"
    );
    let (code, _, told) = program(Path::new("nowhere.wasm"), &bad, &[]);
    assert_eq!(
        (code, told.contains("line 1 column")),
        (Some(2), true),
        "{told}"
    );

    let Some(path) = built() else { return };
    let recorded = folder.path().join("recorded.json");
    let (code, printed, told) = program(
        &path,
        &good,
        &["--preview", "--record", &recorded.to_string_lossy()],
    );
    assert_eq!(
        (code, told.contains("state: expected wondrous")),
        (Some(1), true),
        "{told}"
    );
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["preview"], true);
    assert!(
        printed["steps"]
            .as_array()
            .is_some_and(|steps| !steps.is_empty())
    );
    let end = printed["end"]["outcome"]["state"]
        .as_str()
        .unwrap_or("failed");
    // Every request went unanswered then; the recording says so, and a replay of it meets what is expected.
    let replay = script(
        "replay.json",
        &format!(
            r#"{{"now": "2026-03-02T08:00:00Z", "replay": ["recorded.json"],
                 "expect": {{"state": "{end}", "all_answers_used": true}}}}"#
        ),
    );
    let (code, _, told) = program(&path, &replay, &["--preview"]);
    assert_eq!((code, told.as_str()), (Some(0), ""));
}
