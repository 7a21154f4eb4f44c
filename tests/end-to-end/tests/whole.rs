//! From an empty data folder to books in step, with the programs that operators run.

use std::time::{Duration, Instant};

use end_to_end::{Serve, Stage, component, get, post_form};
use serde_json::Value;

fn bytes() -> Option<Vec<u8>> {
    component().map(|path| std::fs::read(path).expect("the component"))
}

fn writes(stage: &Stage) -> u64 {
    [stage.sage_state(), stage.splynx_state()]
        .iter()
        .filter_map(|state| state["requests"]["writes"].as_u64())
        .sum()
}

#[test]
fn a_newcomer_sees_the_books_in_step_and_a_second_sync_writes_nothing() {
    let Some(component) = bytes() else { return };
    let stage = Stage::new("small");
    stage.set_up(&component);
    stage.host(&["check", "isp"]).ok();
    stage.host(&["run", "isp", "import-mapping"]).ok();
    let items = stage.host(&["choices", "isp", "sage-items"]).ok();
    assert!(items.contains("2007"), "{items}");
    let plan = stage.host(&["run", "isp", "sync", "--preview", "--json"]);
    assert_eq!(plan.code, 0, "{}", plan.err);
    assert_eq!(writes(&stage), 0, "a preview writes nothing");
    let run: Value =
        serde_json::from_str(&stage.host(&["run", "isp", "sync", "--json"]).ok()).expect("JSON");
    assert_eq!(run["state"], "finished");
    // What the preview told people to expect is what it took (±5 %).
    let plan: Value = serde_json::from_str(&plan.out).expect("JSON");
    let count = |json: &Value, name: &str| json["counts"][name].as_u64().unwrap_or(0);
    for connection in ["sage", "splynx"] {
        let [requests, writes] =
            ["requests", "writes"].map(|kind| format!("{kind} to {connection}"));
        let told = count(&plan, &requests) + count(&plan, &writes);
        let took = count(&run, &requests);
        assert!(
            told.abs_diff(took) * 20 <= took.max(100),
            "{connection}: told {told}, took {took}"
        );
    }
    let text = plan["estimate"]["text"].as_str().unwrap_or_default();
    assert!(text.contains(" requests to "), "{plan}");

    let (splynx, sage) = (stage.splynx_state(), stage.sage_state());
    let comparison = sandbox::compare::Comparison::of(&splynx, &sage);
    assert!(comparison.is_clean(), "{comparison}");
    assert_eq!(comparison.sage_customers, comparison.splynx_customers);
    let unsent: Vec<usize> = comparison
        .kinds
        .iter()
        .map(|kind| kind.splynx.0 - kind.equal)
        .collect();
    let outcome = &run["counts"];
    let left =
        |names: &[&str]| -> u64 { names.iter().filter_map(|name| outcome[name].as_u64()).sum() };
    assert_eq!(unsent[0] as u64, left(&["invoices skipped"]));
    assert_eq!(unsent[1], 0, "every credit note");
    assert_eq!(
        unsent[2] as u64,
        left(&["payments skipped", "payments owed"])
    );

    let before = writes(&stage);
    assert!(before > 1_000);
    stage.host(&["run", "isp", "sync"]).ok();
    assert_eq!(writes(&stage), before, "the second sync writes nothing");
    for secret in stage
        .isp("--secrets")
        .lines()
        .filter_map(|line| line.split_once('='))
    {
        let told = stage.host(&["settings", "isp", "--json"]).ok()
            + &stage.host(&["log", "isp", "--json"]).ok();
        assert!(!told.contains(secret.1), "{} is shown to nobody", secret.0);
    }
}

#[test]
fn a_changed_plugin_is_installed_and_runs_with_the_same_host() {
    let Some(component) = bytes() else { return };
    let stage = Stage::new("tiny");
    stage.set_up(&component);
    stage.host(&["run", "isp", "export-customers"]).ok();
    // A custom section changes the file, not what it does: 0, its length, the length of its name, its name.
    let changed = [component.as_slice(), &[0, 5, 4], b"next"].concat();
    let (packed, package) = stage.pack("next", &Stage::manifest("0.2.0"), &changed);
    packed.ok();
    stage.host(&["addon", "update", &package]).ok();
    let addons: Value =
        serde_json::from_str(&stage.host(&["addon", "list", "--json"]).ok()).expect("JSON");
    let active = addons
        .as_array()
        .into_iter()
        .flatten()
        .find(|addon| addon["active"] == true);
    assert_eq!(active.expect("an active version")["version"], "0.2.0");
    stage.host(&["run", "isp", "sync"]).ok();
    let sage = stage.sage_state();
    assert_eq!(
        sage["customers"].as_array().map(Vec::len),
        Some(3),
        "its state was kept"
    );
    assert_eq!(sage["invoices"].as_array().map(Vec::len), Some(6));
}

#[test]
fn what_cannot_work_is_refused_with_its_cure_and_nothing_is_lost() {
    let Some(component) = bytes() else { return };
    let mut stage = Stage::new("tiny");
    let manifest = Stage::manifest("0.1.0");
    let foreign = wat::parse_str(r#"(component (import "wasi:keyvalue/store@0.2.0" (instance)))"#)
        .expect("a component");
    let module = wat::parse_str("(module)").expect("a module");
    for (name, manifest, component, told) in [
        ("text", manifest.clone(), b"hello".to_vec(), "component"),
        ("module", manifest.clone(), module, "component"),
        ("foreign", manifest.clone(), foreign, "wasi:keyvalue/store"),
        (
            "typo",
            manifest.replace("per_minute = 70", "per_minit = 70"),
            component.clone(),
            "per_minute",
        ),
        (
            "broken",
            manifest.replace("[[jobs]]", "[[jobs"),
            component.clone(),
            "line",
        ),
    ] {
        let (packed, package) = stage.pack(name, &manifest, &component);
        let refused = if packed.code == 0 {
            stage.host(&["addon", "install", &package, "--yes"])
        } else {
            packed
        };
        assert_eq!(refused.code, 1, "{name}: {}", refused.out);
        assert!(refused.err.contains(told), "{name}: {}", refused.err);
    }

    stage.set_up(&component);
    // One attempt, then silence and a message.
    stage.set_secret("sage_password", "wrong");
    let asked = |stage: &Stage| {
        stage.sage_state()["requests"]["refused"]["401"]
            .as_u64()
            .unwrap_or(0)
    };
    let attempts = asked(&stage);
    assert!(attempts <= 1, "saving a password tries it once");
    for _ in 0..3 {
        let failed = stage.host(&["run", "isp", "export-customers"]);
        assert_eq!(failed.code, 1);
        assert!(
            failed.err.contains("refused") || failed.out.contains("refused"),
            "{failed:?}"
        );
    }
    assert_eq!(asked(&stage), 1, "one attempt in all");
    let secrets = stage.isp("--secrets");
    let right = secrets
        .lines()
        .find_map(|line| line.strip_prefix("sage_password="))
        .expect("the password");
    stage.set_secret("sage_password", right).ok();
    stage.host(&["run", "isp", "export-customers"]).ok();
    assert_eq!(
        stage.sage_state()["customers"].as_array().map(Vec::len),
        Some(3)
    );

    stage.stop_services();
    let unreachable = stage.host(&["run", "isp", "sync"]);
    assert_eq!(unreachable.code, 1);
    assert!(
        unreachable.out.contains("cannot be reached"),
        "{unreachable:?}"
    );
}

#[test]
fn a_person_logs_in_presses_a_button_and_reads_what_happened() {
    let Some(component) = bytes() else { return };
    let stage = Stage::new("tiny");
    stage.set_up(&component);
    // The schedule must not be quicker than the person.
    stage
        .host(&[
            "settings",
            "isp",
            "set",
            "cron_customers=off",
            "cron_invoices=off",
            "cron_credit_notes=off",
            "cron_payments=off",
        ])
        .ok();
    let mut serve = Serve::start(&stage);
    let password = serve.first_password();
    let at = |path: &str| serve.at(path);

    assert_ne!(
        get(&at("installations"), "").status,
        200,
        "nobody gets in without logging in"
    );
    let refused = serve.log_in("wrong");
    assert!(
        refused
            .header("set-cookie")
            .is_none_or(|cookie| !cookie.contains("session")),
        "{refused:?}"
    );
    let entered = serve.log_in(&password);
    let cookie = entered
        .header("set-cookie")
        .expect("a session")
        .split(';')
        .next()
        .expect("a cookie")
        .to_owned();
    assert!(
        get(&at("installations/isp/jobs"), &cookie)
            .body
            .contains("Export customers to Sage")
    );

    let started = post_form(&at("installations/isp/jobs/export-customers"), &cookie, "");
    assert_eq!(started.status, 303, "{started:?}");
    let run = started
        .header("location")
        .expect("the run's page")
        .to_owned();
    let run = at(&run);
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let page = get(&run, &cookie).body;
        if page.contains("customers created") {
            break;
        }
        assert!(Instant::now() < patience, "{page}");
        std::thread::sleep(Duration::from_millis(200));
    }
    let log = get(&at("installations/isp/activity"), &cookie).body;
    assert_eq!(
        stage.sage_state()["customers"].as_array().map(Vec::len),
        Some(3)
    );
    let names: Vec<String> = stage.sage_state()["customers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|customer| customer["Name"].as_str().map(str::to_owned))
        .collect();
    for name in names {
        let shown = name.replace('&', "&amp;").replace('\'', "&#39;");
        assert!(
            log.contains(&shown) || log.contains(&name),
            "{name} is in the log"
        );
    }
}
