//! A secret in every place where one can be, a busy life with successes, failures, refusals and traps, and then the search through
//! everything that the host gave away or left behind: to guests, services, pages, commands, logs, databases and backups.
//!
//! The program itself runs, with its log at the finest level. Only two things may hold a secret: the key file, and the requests
//! to the service that it is for.

mod canary;
mod program;
mod service;

use std::sync::Mutex;
use std::time::Duration;

use addon_host::settings::{Settings, validate};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Client, Method, StatusCode, redirect};
use sqlx::{AssertSqlSafe, Row};

use self::canary::{Canaries, secret};
use self::program::{Browser, Program, serve};
use self::service::{JOBS, SECRETS, manifest, reply};
use crate::fixtures::{Database, on_both_databases};
use crate::guest::{built, package};
use crate::rig::{BASIC, Rig};
use crate::service::Service;

on_both_databases!(no_secret_is_found_outside_its_place_after_a_busy_life);

async fn no_secret_is_found_outside_its_place_after_a_busy_life(database: Database) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut canaries = Canaries::default();
    let mut secrets: Vec<(String, String)> = Vec::new();
    let others = [
        "issued",
        "login_password",
        "wrong_password",
        "database_password",
        "service_password",
        "second_factor",
    ];
    for name in SECRETS.iter().chain(&others) {
        let value = secret(&name.replace('_', ""));
        canaries.add(name, &value);
        secrets.push(((*name).to_owned(), value));
    }
    let value = |name: &str| {
        secrets
            .iter()
            .find(|(known, _)| known == name)
            .unwrap()
            .1
            .clone()
    };
    let known = secrets.clone();
    let service = Service::start(move |seen| reply(seen, &known)).await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let program = Program {
        data: &data,
        url: &database.url,
        outputs: Mutex::default(),
    };

    // Set up, with the mistakes that people make.
    let bundle = folder.path().join("spy.addon");
    std::fs::write(
        &bundle,
        package(&manifest(), &built(include_str!("spy.wat"))),
    )
    .unwrap();
    let bundle = bundle.to_str().unwrap();
    assert!(program.run(
        &["addon", "install", bundle, "--allow-unsigned", "--yes"],
        ""
    ));
    assert!(program.run(&["installation", "create", "isp", "--addon", "spy"], ""));
    assert!(program.run(&["user", "set", "ann"], &value("login_password")));
    assert!(!program.run(&["user", "set", "<ann>"], &value("login_password")));
    let address = format!("url={}", service.address());
    assert!(program.run(&["settings", "isp", "set", &address, "login=ann"], ""));
    for key in SECRETS {
        assert!(
            program.run(&["settings", "isp", "set-secret", key], &value(key)),
            "{key}"
        );
    }
    for wrong in ["password", "pasword"] {
        // What is typed as an argument is in the shell's history whatever we do; it is not repeated all the same.
        let change = format!("{wrong}={}", value("password"));
        assert!(!program.run(&["settings", "isp", "set", &change], ""));
    }
    for wrong in ["login", "pasword"] {
        let arguments = ["settings", "isp", "set-secret", wrong];
        assert!(!program.run(&arguments, &value("password")), "{wrong}");
    }
    let admit = [
        "user",
        "admit",
        "isp",
        "--connection",
        "signs",
        "--role",
        "boss=administer",
    ];
    assert!(program.run(&admit, ""));
    let foreign = format!(
        "postgres://ann:{}@127.0.0.1:1/nothing",
        hex::encode(value("database_password"))
    );
    assert!(!program.run(&["--database", &foreign, "installation", "list"], ""));

    // Runs of every kind, by command and by message; in the middle of them the master key is changed.
    for (number, job) in JOBS.iter().enumerate() {
        if number == 4 {
            assert!(program.run(&["master-key", "rotate"], ""));
        }
        program.run(&["run", "isp", job], "");
    }
    let server = serve(&program);
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .build()
        .unwrap();
    let mut browser = Browser {
        program: &program,
        client,
        address: server.address.clone(),
        cookie: String::new(),
    };
    browse(&mut browser, &value, &mut canaries).await;
    server.stop();

    for arguments in [
        &["settings", "isp"][..],
        &["check", "isp"],
        &["runs", "isp"],
        &["runs", "isp", "--log", "1"],
        &["log", "isp"],
        &["outbox", "isp"],
        &["report", "1", "plan"],
        &["hooks", "isp"],
        &["connection", "isp", "basic"],
        &["addon", "list"],
        &["addon", "inspect", bundle],
        &["master-key", "show"],
        &["check-database"],
    ] {
        program.run(&[arguments, &["--json"]].concat(), "");
        program.run(&[arguments, &["-vv"]].concat(), "");
    }
    let backup = folder.path().join("all.backup");
    assert!(program.run(&["backup", backup.to_str().unwrap()], ""));

    // The key file is where the master keys are; everything else is searched.
    let key_file = data.join("master.key");
    for (number, key) in std::fs::read_to_string(&key_file)
        .unwrap()
        .lines()
        .enumerate()
    {
        canaries.add_key(&format!("master key {number}"), &hex::decode(key).unwrap());
    }
    let mut searched = program.outputs.into_inner().unwrap();
    let mut folders = vec![folder.path().to_owned()];
    folders.extend(
        database
            .folder
            .as_ref()
            .map(|folder| folder.path().to_owned()),
    );
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path != key_file {
                let bytes = std::fs::read(&path).unwrap();
                searched.push((path.display().to_string(), bytes));
            }
        }
    }
    searched.extend(tables(&database).await);
    let (mut dumps, mut redacted) = (0, 0);
    for seen in service.seen() {
        if seen.line.contains("/dump/dump") {
            dumps += 1;
            let memory = hex::decode(&seen.body).unwrap();
            let has = |text: &str| memchr::memmem::find(&memory, text.as_bytes()).is_some();
            assert!(has("url") && has("set"), "a guest knows its settings");
            assert!(
                has("marker") || has("Basic") || has("token"),
                "and what it was told"
            );
            redacted += memchr::memmem::find_iter(&memory, "[redacted]").count();
            searched.push((format!("memory of guest {dumps}"), memory));
        }
    }
    // A run that was refused its credentials gives its memory away too.
    assert!(dumps >= JOBS.len() && redacted > 100, "{dumps} {redacted}");
    let bytes: usize = searched.iter().map(|(_, text)| text.len()).sum();
    println!("{} places, {bytes} bytes", searched.len());
    let found: Vec<String> = searched
        .iter()
        .filter_map(|(place, text)| {
            let (name, around) = canaries.find(text)?;
            Some(format!("{name} in {place}: …{around}…"))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn what_a_panic_would_print_of_the_types_that_hold_secrets_holds_none() {
    let rig = Rig::new(
        &format!("{BASIC}per_minute = 60"),
        "http://127.0.0.1:1/".to_owned(),
    )
    .await;
    let password = secret("password");
    let mut canaries = Canaries::default();
    canaries.add("password", &password);
    let changes = [("password".to_owned(), password.clone())];
    let changes = validate(&rig.manifest, &changes).unwrap();
    let settings = Settings::default().with_changes(&rig.manifest, &changes);
    let sealed = changes[0].seal(&rig.vault, "isp").unwrap();
    let access = rig.access(&password).await;
    let told = format!(
        "{changes:?} {settings:?} {sealed:?} {access:?} {:?}",
        rig.vault
    );
    assert!(told.contains("Secret(…)"));
    assert_eq!(canaries.find(told.as_bytes()), None);
}

/// All rows of all tables as PostgreSQL or SQLite prints them.
async fn tables(database: &Database) -> Vec<(String, Vec<u8>)> {
    if database.folder.is_some() {
        // Its file is searched byte by byte.
        return Vec::new();
    }
    let raw = database.raw().await;
    let names = sqlx::query("SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'public'")
        .fetch_all(&raw)
        .await
        .unwrap();
    let mut tables = Vec::new();
    for name in names.iter().map(|row| row.get::<String, _>(0)) {
        let sql = AssertSqlSafe(format!("SELECT CAST(t AS TEXT) FROM {name} t"));
        for row in sqlx::query(sql).fetch_all(&raw).await.unwrap() {
            tables.push((
                format!("table {name}"),
                row.get::<String, _>(0).into_bytes(),
            ));
        }
    }
    assert!(tables.len() > 20);
    raw.close().await;
    tables
}

/// What people do at the pages, and services at the hook, rightly and wrongly.
async fn browse(
    browser: &mut Browser<'_>,
    value: &impl Fn(&str) -> String,
    canaries: &mut Canaries,
) {
    let (right, wrong) = (value("login_password"), value("wrong_password"));
    for (account, password) in [("ann", &wrong), ("nobody", &right)] {
        let form = [("account", account), ("password", password)];
        let status = browser.post("/login", &form).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    // Who types the password into the field of the name sees it there again, and nobody else does.
    let login = format!("{}/login", browser.address);
    let body: String = url::form_urlencoded::byte_serialize(right.as_bytes()).collect();
    let confused = browser.client.post(login);
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let confused = confused.header(kind.0, kind.1);
    let confused = confused.body(format!("account={body}&password={body}"));
    let confused = confused.send().await.unwrap();
    assert_eq!(confused.status(), StatusCode::UNAUTHORIZED);
    let form = [("account", "ann"), ("password", right.as_str())];
    assert_eq!(browser.post("/login", &form).await, StatusCode::SEE_OTHER);
    let token = |browser: &Browser<'_>| browser.cookie.split_once('=').unwrap().1.to_owned();
    canaries.add("session token", &token(browser));
    // By the word of a service, whose key was refused before and is entered again.
    let (right, code, key) = (
        value("service_password"),
        value("second_factor"),
        value("sign_secret"),
    );
    browser
        .post("/installations/isp/settings", &[("sign_secret", &key)])
        .await;
    for (name, status) in [
        ("nobody@isp", StatusCode::UNAUTHORIZED),
        ("ann@isp", StatusCode::SEE_OTHER),
    ] {
        let form = [("account", name), ("password", &right), ("code", &code)];
        assert_eq!(browser.post("/login", &form).await, status);
    }
    canaries.add("another session token", &token(browser));
    let password = value("password");
    for form in [
        [("password", password.as_str()), ("every", "no number")],
        [("password", &password), ("url", "http://[")],
        [("api_key", &value("api_key")), ("login", "ann")],
    ] {
        browser.post("/installations/isp/settings", &form).await;
    }
    browser.post("/installations/isp/check", &[]).await;
    for job in ["echo", "error", "trap"] {
        browser
            .post(&format!("/installations/isp/jobs/{job}"), &[])
            .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let body = r#"{"type":"event","data":{"id":1}}"#;
    let secret = value("hook_secret");
    let mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    let signed = hex::encode(mac.chain_update(body).finalize().into_bytes());
    for (signature, status) in [
        (signed.as_str(), StatusCode::OK),
        (&signed[1..], StatusCode::UNAUTHORIZED),
        ("", StatusCode::UNAUTHORIZED),
    ] {
        let header = ("x-signature", signature);
        let answered = browser
            .send(Method::POST, "/hooks/isp/told", header, body.to_owned())
            .await;
        assert_eq!(answered, status);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let pages = [
        "",
        "/settings",
        "/mappings",
        "/activity",
        "/runs",
        "/pages/outbox",
        "/activity/csv",
    ];
    for page in pages {
        browser.get(&format!("/installations/isp{page}")).await;
    }
    for path in ["/", "/installations", "/health", "/nothing", "/login"] {
        browser.get(path).await;
    }
    for run in 1..=JOBS.len() {
        assert_eq!(browser.get(&format!("/runs/{run}")).await, StatusCode::OK);
        browser.get(&format!("/runs/{run}/live")).await;
        browser.get(&format!("/runs/{run}/reports/plan/csv")).await;
    }
    browser.post("/logout", &[]).await;
}
