//! The program itself, as people and scripts call it. What needs a component is tested where one is built.

use std::path::Path;
use std::process::{Command, Output};

use addon_host::host::{Host, HostConfig, Terms};
use addon_host::installations;
use addon_host::store::{Activity, Commit, Failure, LogLine, Outcome, ReportRow, RunState, Store};
use serde_json::{Value, json};

use crate::fixtures::{MANIFEST, at, by, leased};
use crate::guest::{guest, package, table_guest};
use crate::web::tables;

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

    /// Whether the database was left as a crash leaves it.
    fn left_open(&self) -> bool {
        Store::was_left_open(&Store::default_url(self.data))
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
        most_bytes: u64::MAX,
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
async fn a_job_that_waits_to_go_on_is_ended_by_command_and_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    lived_in(folder.path()).await;
    let store = Store::open(&Store::default_url(folder.path()))
        .await
        .unwrap();
    store
        .set_resume("isp", "sync", Some(at(500)), &[])
        .await
        .unwrap();
    store.close().await;
    let program = Program {
        data: folder.path(),
    };
    let told = program.text(&["stop", "isp", "sync"]);
    assert!(told.contains("sync does not go on by itself"), "{told}");
    let told = program.error(&["stop", "isp", "sync"]);
    assert!(told.contains("neither works nor waits"), "{told}");
    let changes = program.text(&["changes"]);
    assert!(changes.contains("pause: isp, sync"), "{changes}");
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
    // 22:26:41 in Johannesburg. A day is the installation's, and `until` has the whole of it; a time ends before itself.
    for (arguments, expected) in [
        (vec!["--until", "2026-05-28"], 2),
        (vec!["--until", "2026-05-27"], 0),
        (vec!["--since", "2026-05-28", "--until", "2026-05-28"], 2),
        (vec!["--since", "2026-05-29"], 0),
        (vec!["--since", "2026-05-28T20:26:41Z"], 2),
        (vec!["--until", "2026-05-28T20:26:41Z"], 0),
        (vec!["--code", "mapping-missing"], 0),
        (vec!["--entity", "customer", "--entity", "invoice"], 2),
        (vec!["--entity", "customer"], 0),
        (vec!["--limit", "1"], 1),
        (vec!["--limit", "5"], 2),
    ] {
        let arguments = [&["log", "isp"], arguments.as_slice()].concat();
        let log = program.json(&arguments);
        assert_eq!(log.as_array().unwrap().len(), expected, "{arguments:?}");
        if expected > 0 {
            assert_eq!(
                log[expected - 1]["label"],
                "2026-0002",
                "the newest is last"
            );
        }
    }
    let csv = program.text(&["log", "isp", "--format", "csv", "--customer", "7"]);
    assert_eq!(
        csv,
        "Time (Africa/Johannesburg),Record,What happened,Number or name,Id here,Id there,Customer,Amount,Code,Told,More,\
         Run\r\n2026-05-28 22:26:41,invoice,created,2026-0001,501,9,7,115.00,,Total\u{1b}[31m 115.00,,1\r\n"
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
    program.text(&["connection", "isp", "books", "set", "reserve=100"]);
    let books = program.json(&["connection", "isp", "books"]);
    let terms = &books["terms"];
    assert_eq!(
        terms[0],
        json!({ "name": "per-minute", "value": "20", "manifest": "90" })
    );
    assert_eq!(
        terms[2],
        json!({ "name": "reserve", "value": "100", "manifest": "450" })
    );
    assert_eq!(
        terms[4],
        json!({ "name": "settle", "value": "300", "manifest": "300" })
    );
    assert_eq!(terms[7]["value"], "127.0.0.1");
    program.text(&[
        "connection",
        "isp",
        "books",
        "set",
        "timeout=10",
        "answer-mib=4",
    ]);
    let books = program.json(&["connection", "isp", "books"]);
    assert_eq!(
        books["terms"][5],
        json!({ "name": "timeout", "value": "10", "manifest": "60" })
    );
    assert_eq!(books["terms"][6]["value"], "4");
    for wrong in ["timeout=300", "answer-mib=100000"] {
        program.error(&["connection", "isp", "books", "set", wrong]);
    }
}

#[tokio::test]
async fn limits_are_set_for_all_or_for_one_and_an_empty_value_takes_them_back() {
    let folder = tempfile::tempdir().unwrap();
    lived_in(folder.path()).await;
    let cli = Program {
        data: folder.path(),
    };
    cli.text(&["limits", "set", "cpu-seconds=120"]);
    let set = ["limits", "isp", "set", "stored-mib=512", "cpu-seconds=30"];
    cli.text(&set);
    let limit = |name: &str| cli.json(&["limits", "isp"])[name].clone();
    let cpu = limit("cpu-seconds");
    assert_eq!(
        (&cpu["value"], &cpu["otherwise"]),
        (&json!(30), &json!(120))
    );
    assert_eq!(limit("stored-mib")["value"], 512);
    assert!(cli.text(&["limits", "isp"]).contains("otherwise 120"));
    cli.text(&["limits", "isp", "set", "cpu-seconds="]);
    assert_eq!(limit("cpu-seconds")["value"], 120);
    assert_eq!(cli.json(&["limits"])["stored-mib"]["value"], 4096);
    for (arguments, complaint) in [
        (
            &["limits", "isp", "set", "cpu-seconds=0"][..],
            "from 1 to 86400",
        ),
        (
            &["limits", "isp", "set", "cpu-seconds=soon"],
            "a whole number",
        ),
        (
            &["limits", "isp", "set", "patience=5"],
            "there are run-seconds",
        ),
        (&["limits", "nobody"], "nobody"),
    ] {
        let error = cli.error(arguments);
        assert!(error.contains(complaint), "{arguments:?}: {error}");
    }
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
        (
            vec!["addon", "install", broken, "--allow-unsigned"],
            "is no package",
        ),
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
            vec!["connection", "isp", "books", "set", "reserve=2251"],
            "half of per-day can be kept, 2250",
        ),
        (
            vec!["connection", "isp", "set", "burst=1"],
            "say which connection; there are books",
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
    let told = program.error(&["runs", "no\u{1b}[2Jbody"]);
    assert!(
        told.contains("no [2Jbody") && !told.contains('\u{1b}'),
        "nobody else speaks to the terminal: {told:?}"
    );
}

#[tokio::test]
async fn the_facts_of_a_file_of_answers_that_differ_are_shown_as_the_file_has_them() {
    let folder = tempfile::tempdir().unwrap();
    lived_in(folder.path()).await;
    let program = Program {
        data: folder.path(),
    };
    let file = folder.path().join("answers.json");
    let path = file.to_str().unwrap();
    let facts = |facts: Value| {
        let file = json!({
            "format": 1, "asked_on": "2031-05-01", "by": "reading", "version": "1.2.3",
            "ledgers": {"requests": 3, "switches": {"odd": 2.50}, "facts": facts},
        });
        file.to_string()
    };
    let assumed = "Names have 100 characters";
    std::fs::write(
        &file,
        facts(json!({
            "BOOKS-1": {"assumed": "It adds up", "verdict": "as-assumed"},
            "BOOKS-2": {"assumed": assumed, "verdict": "otherwise", "answer": "6\u{1b}[2J0"},
            "BOOKS-3": {"assumed": "It rains", "verdict": "not-told", "answer": "nobody asked"},
        })),
    )
    .unwrap();
    let arguments = ["check", "isp", "--facts", path];
    let told = program.run(&arguments);
    let (out, err) = (
        String::from_utf8(told.stdout).unwrap(),
        String::from_utf8(told.stderr),
    );
    assert_eq!(told.status.code(), Some(1), "{out}");
    assert!(
        out.contains(assumed) && out.contains("6 [2J0") && !out.contains("BOOKS-1"),
        "{out}"
    );
    let err = err.unwrap();
    assert!(
        err.contains("1 as assumed, 1 not told") && !err.contains("warning"),
        "{err}"
    );
    let told = program.run(&[&arguments[..], &["--json"]].concat());
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(
        (&told["as_assumed"], &told["installed_version"]),
        (&json!(1), &json!("1.2.3"))
    );
    assert_eq!(
        told["differing"],
        json!([{"service": "ledgers", "fact": "BOOKS-2", "assumed": assumed, "answer": "6\u{1b}[2J0"}])
    );
    // Another version may assume other things, and nothing that differs is no failure.
    let other = facts(json!({"BOOKS-1": {"verdict": "as-assumed"}})).replace("1.2.3", "1.3.0");
    std::fs::write(&file, other).unwrap();
    let told = program.run(&arguments);
    let err = String::from_utf8(told.stderr).unwrap();
    assert!(told.status.success() && told.stdout.is_empty(), "{err}");
    assert!(
        err.contains("what version 1.3.0 assumes, and isp runs 1.2.3") && err.contains("No fact"),
        "{err}"
    );
    for (text, says) in [
        ("no file of answers".to_owned(), "it is no file of answers"),
        (facts(json!({})), "it lacks `facts`"),
        (
            facts(json!({"BOOKS-1": {"verdict": "otherwise", "answer": "6"}})),
            "it lacks `assumed`",
        ),
        (
            facts(json!({"BOOKS-1": {"verdict": "perhaps"}})),
            "the verdict `perhaps`",
        ),
        (
            facts(json!({})).replace("\"format\":1", "\"format\":2"),
            "its format is 2",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = program.error(&arguments);
        assert!(error.contains(says) && error.contains(path), "{error}");
    }
}

#[tokio::test]
async fn a_second_factor_that_was_lost_is_taken_off_and_the_password_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Store::default_url(folder.path()))
        .await
        .unwrap();
    store.save_account("ann", "hash", &by(at(0))).await.unwrap();
    assert!(store.offer_second_factor("ann", b"x", at(0)).await.unwrap());
    assert!(
        store
            .prove_second_factor("ann", b"x", 1, &by(at(0)))
            .await
            .unwrap()
    );
    let session = store.insert_session("token", "ann", "", at(0), at(1000));
    session.await.unwrap();
    store.close().await;
    let program = Program {
        data: folder.path(),
    };
    let listed = program.json(&["user", "list"]);
    assert_eq!(listed[0]["second_factor"], true);
    let take_off = ["user", "set", "ann", "--no-second-factor"];
    program.text(&take_off);
    let error = program.error(&take_off);
    assert!(error.contains("ann has no second factor"), "{error}");
    let error = program.error(&["user", "set", "bob", "--no-second-factor"]);
    assert!(error.contains("there is no account `bob`"), "{error}");
    let changes = program.json(&["changes"]);
    assert_eq!(changes[0]["what"], "second factor");
    let store = Store::open(&Store::default_url(folder.path()))
        .await
        .unwrap();
    let ann = store.account("ann").await.unwrap().unwrap();
    assert_eq!(
        (ann.password_hash.as_str(), ann.has_second_factor),
        ("hash", false)
    );
    assert!(store.session("token", at(1)).await.unwrap().is_none());
}

#[test]
fn a_command_closes_the_database_behind_itself_even_where_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program {
        data: folder.path(),
    };
    program.text(&["limits", "set", "cpu-seconds=120"]);
    assert!(!program.left_open());
    program.error(&["limits", "nobody"]);
    assert!(!program.left_open());
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
    // What every host refuses is not packed.
    let foreign = wat::parse_str(r#"(component (import "acme:spy/eyes@1.0.0" (instance)))"#);
    std::fs::write(format!("{source}/example.wasm"), foreign.unwrap()).unwrap();
    let error = program.error(&["addon", "pack", &source, "-o", &package]);
    assert!(
        error.contains("acme:spy/eyes") && error.contains("wasi:sockets"),
        "{error}"
    );
    std::fs::write(format!("{source}/example.wasm"), guest()).unwrap();
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

/// The guest of `table.wat`, installed.
async fn with_tables(data: &Path) -> Host {
    let config = HostConfig {
        data_dir: data.to_owned(),
        database_url: Store::default_url(data),
    };
    let host = Host::open(config).await.unwrap();
    host.install_package(
        &package(tables::MANIFEST, table_guest()),
        Terms::DEVELOPMENT,
        "ann",
    )
    .await
    .unwrap();
    installations::create(host.store(), "isp", "guest", &by(at(0)))
        .await
        .unwrap();
    host
}

#[tokio::test]
async fn pages_acts_options_and_reports_are_at_hand_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let host = with_tables(folder.path()).await;
    let program = Program {
        data: folder.path(),
    };
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();

    let rows = program.json(&["page", "isp", "records"]);
    let ids: Vec<&str> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["r1", "r2", "r3"]);
    assert_eq!(rows[0]["more"]["customer-id"], "88");
    let narrowed = [
        "page",
        "isp",
        "records",
        "--search",
        "ann",
        "--filter",
        "kind=invoice",
        "--filter",
        "state=held",
    ];
    assert_eq!(
        program.json(&narrowed)[0]["cells"][0],
        "ann kind=invoice state=held"
    );
    assert!(program.text(&["page", "isp", "records"]).contains("ID"));
    let csv =
        "Name,Amount\r\n'=1+1,<b>held</b>\r\n\"Zoë, \"\"Z\"\"\",-12.50\r\n<b>held</b>,'=1+1\r\n";
    assert_eq!(program.text(&["page", "isp", "records", "--csv", "-"]), csv);
    assert_eq!(
        program.text(&["page", "isp", "records", "--csv", &path("rows.csv")]),
        ""
    );
    // As the browser's file begins.
    let with_mark = format!("\u{feff}{csv}");
    assert_eq!(
        std::fs::read_to_string(path("rows.csv")).unwrap(),
        with_mark
    );
    assert_eq!(
        program.text(&["page", "isp", "records", "--xlsx", &path("rows.xlsx")]),
        ""
    );
    let mut workbook = calamine::open_workbook_auto(path("rows.xlsx")).unwrap();
    let rows = calamine::Reader::worksheet_range_at(&mut workbook, 0)
        .unwrap()
        .unwrap();
    let rows: Vec<Vec<String>> = rows
        .rows()
        .map(|row| row.iter().map(ToString::to_string).collect())
        .collect();
    assert_eq!(rows[1], ["=1+1", "<b>held</b>"]);
    // No column of amounts by the manifest: as it was written.
    assert_eq!(rows[2], ["Zoë, \"Z\"", "-12.50"]);

    std::fs::write(path("id.txt"), "41\n").unwrap();
    let from_file = format!("remote-id=@{}", path("id.txt"));
    for (arguments, told) in [
        (
            vec!["act", "isp", "records", "retry", "r1", "r2"],
            "records/retry r1 r2",
        ),
        (vec!["act", "isp", "records", "load"], "records/load"),
        (
            vec![
                "act",
                "isp",
                "records",
                "link",
                "r1",
                "--value",
                "remote-id=7",
            ],
            "records/link r1 remote-id=7",
        ),
        (
            vec!["act", "isp", "records", "link", "r1", "--value", &from_file],
            "records/link r1 remote-id=41",
        ),
    ] {
        assert_eq!(program.text(&arguments).trim_end(), told);
        assert_eq!(program.json(&arguments), json!({ "message": told }));
    }

    std::fs::write(path("list.csv"), "id;name\r\n1;Zoë\r\n").unwrap();
    std::fs::write(path("latin.csv"), b"Zo\xeb").unwrap();
    let list = format!("csv=@{}", path("list.csv"));
    let run = program.json(&[
        "run", "isp", "pair", "--option", &list, "--option", "dry=yes",
    ]);
    let log = program.json(&["runs", "isp", "--log", &run["run"].to_string()]);
    assert_eq!(log[0]["message"], " csv=id;name\n1;Zoë\n dry=on");
    let runs = program.json(&["runs", "isp", "--limit", "1"]);
    assert_eq!(
        runs[0]["options"],
        json!({ "csv": "id;name\n1;Zoë\n", "dry": "on" })
    );

    let run = run["run"].as_i64().unwrap();
    let row = ReportRow {
        id: "1".into(),
        cells: vec!["1".into(), "-2+3".into(), "unknown".into()],
        more: Vec::new(),
    };
    host.store()
        .append_report(run, "rejected", &[row])
        .await
        .unwrap();
    let number = run.to_string();
    assert_eq!(
        program.text(&["report", &number, "rejected", "--csv", "-"]),
        "id,name,why\r\n1,'-2+3,unknown\r\n"
    );
    assert!(
        program
            .text(&["report", &number, "rejected"])
            .contains("unknown")
    );
    assert_eq!(
        program.json(&["report", &number, "rejected"])[0]["cells"][1],
        "-2+3"
    );

    let latin = format!("csv=@{}", path("latin.csv"));
    for (arguments, says) in [
        (
            vec!["page", "isp", "record"],
            "has no page `record`; did you mean `records`?",
        ),
        (
            vec!["page", "isp", "records", "--filter", "kind=refund"],
            "kind: `refund` is not offered. One of invoice, payment",
        ),
        (
            vec!["page", "isp", "records", "--filter", "kid=x"],
            "the filter `kid` is none of this add-on's; did you mean `kind`",
        ),
        (
            vec!["act", "isp", "records", "rety", "r1"],
            "did you mean `retry`?",
        ),
        (
            vec!["act", "isp", "records", "link", "r1"],
            "remote-id: is missing",
        ),
        (vec!["act", "isp", "records", "no", "r1"], "Not today."),
        (
            vec![
                "act",
                "isp",
                "records",
                "link",
                "r1",
                "--value",
                "remote-id=@/no/such",
            ],
            "/no/such cannot be read",
        ),
        (
            vec!["run", "isp", "pair"],
            "csv: is missing. List is needed",
        ),
        (
            vec![
                "run", "isp", "pair", "--option", "cvs=x", "--option", "csv=x",
            ],
            "cvs: is not known here. Known: csv, from, amount, dry, note",
        ),
        (
            vec!["run", "isp", "finish", "--option", "csv=x"],
            "csv: is not known here. There are none",
        ),
        (
            vec!["run", "isp", "pair", "--option", "csv"],
            "write it as KEY=VALUE",
        ),
        (
            vec!["run", "isp", "pair", "--option", &latin],
            "save it as CSV UTF-8",
        ),
        (
            vec!["report", &number, "plan"],
            "has no report `plan`; it has rejected",
        ),
        (
            vec!["settings", "isp", "set", "method=77"],
            "method: `77` is not among the 2 of `items`. Choose one of the list",
        ),
        (
            vec!["settings", "isp", "set", "item.5=77"],
            "press Import mapping settings",
        ),
    ] {
        let error = program.error(&arguments);
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
}

/// `--help` of a command and of all below it, each under its name, without what all commands have in common.
fn reference(program: &Program, command: &[&str], common: &[String], text: &mut String) {
    let help = program.text(&[command, &["--help"]].concat());
    let name = [&["addon-host"], command].concat().join(" ");
    let mut lines: Vec<&str> = help
        .lines()
        .map(str::trim_end)
        .filter(|line| !common.iter().any(|known| known == line))
        .collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    let shown = lines.join("\n");
    // Most have no options but those that all have.
    let shown = shown.trim_end().trim_end_matches("Options:").trim_end();
    text.push_str(&format!("\n## {name}\n\n```\n{shown}\n```\n"));
    let below = lines.iter().skip_while(|line| **line != "Commands:");
    for line in below.skip(1).take_while(|line| !line.is_empty()) {
        let is_name = line.starts_with("  ") && !line.starts_with("   ");
        match line.split_whitespace().next() {
            Some(name) if is_name && name != "help" => {
                reference(program, &[command, &[name]].concat(), common, text);
            }
            _ => {}
        }
    }
}

/// `UPDATE_DOCS=1 cargo test -p addon-host --test it -- commands` writes it anew.
#[test]
fn the_reference_of_commands_is_what_the_program_says() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program {
        data: folder.path(),
    };
    let help = program.text(&["--help"]);
    let (commands, options) = help.split_once("\nOptions:\n").unwrap();
    let common: Vec<String> = options
        .lines()
        .map(|line| line.trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    let mut text = format!(
        "# Commands\n\nWhat `--help` says of every command of the host. All have these options:\n\n```\n{}\n```\n",
        options.trim_end()
    );
    assert!(commands.contains("Commands:"));
    reference(&program, &[], &common, &mut text);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/commands.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&file).unwrap_or_default(),
        text,
        "write it anew: UPDATE_DOCS=1 cargo test -p addon-host --test it -- commands"
    );
}
