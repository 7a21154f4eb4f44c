//! The program itself, as people and scripts call it. What needs a component is tested where one is built.

use std::path::Path;
use std::process::{Command, Output};

use addon_host::store::{Activity, Commit, Failure, LogLine, Outcome, RunState, Store};
use serde_json::{Value, json};

use crate::fixtures::{MANIFEST, at, leased};

struct Program<'d> {
    data: &'d Path,
}

impl Program<'_> {
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_addon-host"))
            .arg("--data")
            .arg(self.data)
            .args(arguments)
            .env_remove("ADDON_HOST_DATABASE")
            .env_remove("ADDON_HOST_MASTER_KEY_FILE")
            .output()
            .unwrap()
    }

    /// Standard output of a call that works.
    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), error.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// The complaint of a call that does not.
    fn error(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            !output.status.success() && output.stdout.is_empty(),
            "{arguments:?}"
        );
        String::from_utf8(output.stderr).unwrap()
    }
}

/// An installation with a finished run, a log and an activity.
async fn lived_in(data: &Path) {
    let store = Store::open(&Store::default_url(data)).await.unwrap();
    let fence = leased(&store, "isp").await;
    let activity = |customer: &str, label: &str| Activity {
        entity: "invoice".into(),
        action: "created".into(),
        local_id: "501".into(),
        remote_id: "9".into(),
        customer_id: customer.into(),
        label: label.into(),
        message: "Total\u{1b}[31m 115.00".into(),
        more: vec![("amount".into(), "115.00".into())],
        ..Activity::default()
    };
    let activities = [activity("7", "2026-0001"), activity("8", "2026-0002")];
    let commit = Commit {
        fence: &fence,
        expect: &[],
        changes: &[],
        activities: &activities,
    };
    store.guest_commit(commit, at(1)).await.unwrap();
    let line = LogLine {
        at: at(2),
        level: "info".into(),
        message: "read 2 invoices".into(),
    };
    store.append_log(fence.run, &[line]).await.unwrap();
    let why = Failure {
        code: "limit".into(),
        message: "Sage rests.".into(),
        retry_at: Some(99),
        more: Vec::new(),
    };
    let outcome = Outcome {
        state: RunState::Paused,
        resume_at: Some(99),
        why: Some(why),
        counts: vec![("invoices created".into(), 2)],
        more: Vec::new(),
    };
    store.finish_run(fence.run, &outcome, at(3)).await.unwrap();
    store.release_lease(&fence).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn what_is_stored_is_shown_to_people_and_programs() {
    let folder = tempfile::tempdir().unwrap();
    lived_in(folder.path()).await;
    let program = Program {
        data: folder.path(),
    };

    assert_eq!(
        program.json(&["installation", "list"])[0]["addon"],
        "example"
    );
    let run = &program.json(&["runs", "isp"])[0];
    assert_eq!(
        (&run["state"], &run["outcome"]["counts"]["invoices created"]),
        (&json!("paused"), &json!(2))
    );
    assert!(program.text(&["runs", "isp"]).contains("Sage rests."));
    assert!(
        program
            .text(&["runs", "isp", "--log", "1"])
            .contains("info  read 2 invoices")
    );
    let log = program.json(&["log", "isp", "--customer", "8"]);
    assert_eq!(
        (log.as_array().unwrap().len(), &log[0]["label"]),
        (1, &json!("2026-0002"))
    );
    assert_eq!(log[0]["more"], json!({ "amount": "115.00" }));
    let text = program.text(&["log", "isp"]);
    assert!(
        text.find("2026-0001") < text.find("2026-0002"),
        "the last comes last: {text}"
    );
    assert!(
        !text.contains('\u{1b}'),
        "nobody else's text speaks to the terminal"
    );
    assert_eq!(
        program.json(&["log", "isp", "--since", "2030-01-01"]),
        json!([])
    );

    let settings = program.text(&["settings", "isp"]);
    assert!(
        settings.contains("every") && settings.contains("15") && settings.contains("(default)"),
        "{settings}"
    );
    assert!(
        settings
            .lines()
            .any(|line| line.contains("password") && line.contains("required")),
        "{settings}"
    );
    let every = program.json(&["settings", "isp"]);
    let every = every
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["key"] == "every")
        .unwrap();
    assert_eq!(
        (&every["value"], &every["changed_by"]),
        (&json!("15"), &Value::Null)
    );

    program.text(&[
        "connection",
        "isp",
        "books",
        "set",
        "per-minute=20",
        "allow-host=127.0.0.1",
        "settle=400",
    ]);
    program.text(&["connection", "isp", "books", "set", "settle="]);
    let terms = program.json(&["connection", "isp", "books"]);
    assert_eq!(
        terms[0],
        json!({ "name": "per-minute", "value": "20", "manifest": "90" })
    );
    assert_eq!(
        terms[3],
        json!({ "name": "settle", "value": "300", "manifest": "300" })
    );
    assert_eq!(terms[4]["value"], "127.0.0.1");
}

#[tokio::test]
async fn what_cannot_be_is_answered_with_a_reason_and_the_exit_code_says_so() {
    let folder = tempfile::tempdir().unwrap();
    lived_in(folder.path()).await;
    let program = Program {
        data: folder.path(),
    };
    let broken = folder.path().join("broken.addon");
    std::fs::write(&broken, "no zip").unwrap();
    let broken = broken.to_str().unwrap();
    for (arguments, says) in [
        (vec!["log", "nobody"], "there is no installation `nobody`"),
        (
            vec!["log", "isp", "--since", "yesterday"],
            "write it as 2026-01-31",
        ),
        (
            vec!["installation", "create", "new", "--addon", "other"],
            "there is no add-on `other`",
        ),
        (
            vec!["installation", "create", "isp", "--addon", "example"],
            "the installation `isp` is there already",
        ),
        (
            vec!["installation", "create", "No Name", "--addon", "example"],
            "cannot be an installation's name",
        ),
        (
            vec!["addon", "remove", "example"],
            "installation `isp` runs it",
        ),
        (vec!["addon", "inspect", broken], "is no package"),
        (vec!["addon", "install", broken], "is no package"),
        (vec!["addon", "inspect", "/no/such/file"], "cannot be read"),
        (
            vec!["connection", "isp", "bank"],
            "there is no connection `bank`; there are books",
        ),
        (
            vec!["connection", "isp", "books", "set", "per-minute=0"],
            "write at least 1",
        ),
        (
            vec!["connection", "isp", "books", "set", "settle=60"],
            "in flight for 60 s",
        ),
        (
            vec!["connection", "isp", "books", "set", "speed=9"],
            "there is no such term",
        ),
        (
            vec!["settings", "isp", "set", "password=hunter2"],
            "set-secret password",
        ),
        (
            vec!["settings", "isp", "set-secret", "login"],
            "not a secret",
        ),
        (vec!["runs", "isp", "--log", "77"], "there is no run `77`"),
    ] {
        let error = program.error(&arguments);
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
}

#[test]
fn a_folder_is_packed_and_the_package_inspected() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program {
        data: folder.path(),
    };
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (source, package) = (path("source"), path("example.addon"));
    std::fs::create_dir(&source).unwrap();
    std::fs::write(format!("{source}/addon.toml"), MANIFEST).unwrap();
    std::fs::write(format!("{source}/example.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
    let packed = program.json(&["addon", "pack", &source, "-o", &package]);
    let shown = program.json(&["addon", "inspect", &package]);
    assert_eq!(
        (&packed["sha256"], &shown["addon"]),
        (&shown["sha256"], &json!("example"))
    );
    assert_eq!(
        shown["connections"]["books"]["auth"],
        json!(["basic", "query-key"])
    );
    assert!(
        program
            .text(&["addon", "inspect", &package])
            .contains("books.example, {books_url}")
    );

    std::fs::write(
        format!("{source}/addon.toml"),
        MANIFEST.replace("title = \"Example\"", "titel = \"Example\""),
    )
    .unwrap();
    let error = program.error(&["addon", "pack", &source, "-o", &package]);
    assert!(
        error.contains("line 4, addon.titel: unknown key `titel`. Did you mean `title`?"),
        "{error}"
    );
}
