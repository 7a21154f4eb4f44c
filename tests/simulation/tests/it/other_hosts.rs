//! The component in hosts that are not ours (`tests/hosts`): by the same scripts it makes the same calls as under the mock host.
//!
//! The scripts are recorded from the simulated world, so they are always about the add-on as it is.

use std::path::Path;
use std::process::Command;

use mock_host::rules::recording;
use mock_host::script::Script;
use sandbox::isp::{Isp, Size};
use serde_json::{Value, json};
use simulation::installation::Installation;

use crate::component::{component, path};

/// Name, the variable with its program, and its text.
const HOSTS: [(&str, &str, &str); 2] = [
    ("node", "NODE_HOST", "../hosts/node/host.mjs"),
    ("python", "PYTHON_HOST", "../hosts/python/host.py"),
];

/// A first synchronisation of the tiny provider as a script: every request with its answer, in order.
fn recorded() -> Value {
    let isp = Isp::seeded(Size::Tiny, 1);
    let mut installation = Installation::new(&isp, false);
    installation.host().keep_trace();
    let now = installation.world().now;
    installation.run("sync").expect("nothing goes wrong");
    let host = installation.host();
    json!({
        "now": now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "advance_per_send": 1,
        "settings": host.settings,
        "fetched_settings": host.fetched_settings,
        "reads": host.reads,
        "context": host.context,
        "http": recording(host.trace()),
    })
}

/// Name, script, job, preview, and how it ends in the mock host.
fn scripts() -> Vec<(&'static str, Value, &'static str, bool, &'static str)> {
    let whole = recorded();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut script = whole.clone();
        change(&mut script);
        // What the recorded run did not ask for.
        let rules = script["http"].as_array_mut().expect("rules");
        rules.push(json!({"request": {}, "answer": {"unanswered": {"code": "unreachable", "maybe_sent": false, "message": "no way"}}}));
        script
    };
    let first_save = |script: &mut Value, answer: Value| {
        let rules = script["http"].as_array_mut().expect("rules");
        let save = |rule: &&mut Value| rule["request"]["path"] == "Customer/Save";
        let rule = rules.iter_mut().find(save).expect("a customer is saved");
        rule["answer"] = answer;
    };
    vec![
        (
            "a whole synchronisation",
            whole.clone(),
            "sync",
            false,
            "finished",
        ),
        (
            "its preview",
            with(&|script| {
                // It looks for what the run had just made, and knew.
                let nothing = [
                    (
                        "sage",
                        json!({"TotalResults": 0, "ReturnedResults": 0, "Results": []}),
                    ),
                    ("splynx", json!([])),
                ];
                let rules = script["http"].as_array_mut().expect("rules");
                rules.extend(nothing.map(|(connection, body)| {
                    json!({"request": {"connection": connection, "method": "GET"}, "answer": {"status": 200, "text": body.to_string()}})
                }));
            }),
            "sync",
            true,
            "finished",
        ),
        (
            "an answer that is lost",
            with(&|script| {
                first_save(
                    script,
                    json!({"unanswered": {"code": "timeout", "maybe_sent": true, "message": "no answer"}}),
                );
            }),
            "sync",
            false,
            "failed",
        ),
        (
            "a limit that is met",
            with(&|script| {
                first_save(
                    script,
                    json!({"status": 429, "headers": {"Retry-After": "1800"}, "text": "too many requests"}),
                );
            }),
            "sync",
            false,
            "paused",
        ),
        (
            "refused credentials",
            with(&|script| {
                first_save(
                    script,
                    json!({"status": 401, "text": "{\"Message\":\"no\"}"}),
                );
            }),
            "sync",
            false,
            "failed",
        ),
        (
            "a state that others changed",
            with(&|script| {
                script["commit_failures"] = json!({"5": "conflict"});
            }),
            "sync",
            false,
            "failed",
        ),
        (
            "a person who says stop",
            with(&|script| script["stop_after_progress"] = json!(4)),
            "sync",
            false,
            "stopped",
        ),
        (
            "a job that nobody knows",
            with(&|_| {}),
            "paint",
            false,
            "failed",
        ),
    ]
}

/// What a host prints, without what only the mock host says.
fn run(
    program: &str,
    host: &Path,
    component: &Path,
    script: &Path,
    job: &str,
    preview: bool,
) -> Value {
    let mut command = Command::new(program);
    command.arg(host).arg(component).arg(script).arg(job);
    command.args(preview.then_some("--preview"));
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", host.display());
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{program}: {error}: {told}"))
}

#[track_caller]
fn assert_same(expected: &Value, found: &Value, told: &str) {
    let steps = |run: &Value| run["steps"].as_array().expect("steps").clone();
    let (wanted, made) = (steps(expected), steps(found));
    for (place, (wanted, made)) in wanted.iter().zip(&made).enumerate() {
        assert_eq!(wanted, made, "{told}: call {}", place + 1);
    }
    assert_eq!(wanted.len(), made.len(), "{told}: the number of calls");
    for part in ["end", "activities", "reports", "storage"] {
        assert_eq!(expected[part], found[part], "{told}: {part}");
    }
}

#[test]
fn the_component_makes_the_same_calls_in_other_hosts() {
    let Some(plugin) = component() else {
        return;
    };
    let path = path();
    let folder = tempfile::tempdir().expect("a folder");
    for (name, variable, host) in HOSTS {
        let Some(program) = std::env::var_os(variable) else {
            println!(
                "{name} is passed over: {variable} names no program; scripts/other-hosts installs what it needs"
            );
            continue;
        };
        let program = program.to_string_lossy().into_owned();
        let host = Path::new(env!("CARGO_MANIFEST_DIR")).join(host);
        for (told, script, job, preview, state) in scripts() {
            let file = folder.path().join("script.json");
            let text = script.to_string();
            std::fs::write(&file, &text).expect("it can be written");
            let script = Script::from_json(&text).expect("a script");
            let expected = plugin.run_script(&script, job, preview).expect("it runs");
            assert_eq!(expected.end.state(), state, "{told}: {}", expected.end);
            let expected = serde_json::to_value(&expected).expect("JSON");
            let found = run(&program, &host, &path, &file, job, preview);
            assert_same(&expected, &found, &format!("{name}: {told}"));
        }
    }
}
