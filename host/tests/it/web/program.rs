//! `serve` and `user set` of the program itself.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use addon_host::packages::make_keys;
use addon_host::store::Store;
use reqwest::{Client, StatusCode, redirect};

use super::addons::signed;
use super::site::MANIFEST;
use crate::fixtures::leased;

fn command(data: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_addon-host"));
    command
        .arg("--data")
        .arg(data)
        .env_remove("ADDON_HOST_DATABASE")
        .env_remove("ADDON_HOST_MASTER_KEY_FILE");
    command
}

/// Starts `serve` and answers its lines up to the address, with the address.
fn serve(
    data: &std::path::Path,
    more: &[&str],
) -> (Child, String, BufReader<std::process::ChildStdout>) {
    let mut child = command(data)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("admin page: ").unwrap().to_owned();
    (child, address, lines)
}

async fn log_in(address: &str, password: &str) -> StatusCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .build()
        .unwrap();
    let body = format!("account=admin&password={password}");
    let request = client
        .post(format!("{address}login"))
        .header("content-type", "application/x-www-form-urlencoded");
    request.body(body).send().await.unwrap().status()
}

fn terminate(mut child: Child) {
    assert!(
        Command::new("kill")
            .arg("-TERM")
            .arg(child.id().to_string())
            .status()
            .unwrap()
            .success()
    );
    assert!(child.wait().unwrap().success());
}

fn set_password(data: &std::path::Path, name: &str, password: &str) -> bool {
    let mut child = command(data)
        .args(["user", "set", name])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(password.as_bytes())
        .unwrap();
    child.wait().unwrap().success()
}

#[tokio::test]
async fn quickstart_leads_from_an_empty_folder_to_the_set_up_page_and_asks_before_it_trusts() {
    let data = tempfile::tempdir().unwrap();
    let keys = make_keys(None).unwrap();
    let file = data.path().join("guest.addon");
    std::fs::write(&file, signed(MANIFEST, &keys)).unwrap();
    let file = file.to_str().unwrap();
    let line = keys.key.line();
    let other = make_keys(None).unwrap().key.line();
    let quickstart = |more: &[&str]| {
        let mut command = command(&data.path().join("host"));
        let listen = ["quickstart", file, "--listen", "127.0.0.1:0"];
        command.args(listen).args(more).stdin(Stdio::null());
        command
    };
    for (more, says) in [
        (&[][..], "Give the whole of it with --key"),
        (
            &["--key", &line],
            &*format!("signed with the key {line} of the makers"),
        ),
        (&["--key", &other, "--yes"], "and this is the key"),
        (
            &["--key", &keys.key.id(), "--yes"],
            "no minisign public key",
        ),
    ] {
        let output = quickstart(more).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(says), "{told}");
        assert!(output.stdout.is_empty());
    }
    let store = Store::open(&Store::default_url(&data.path().join("host")))
        .await
        .unwrap();
    assert!(store.trusted_keys().await.unwrap().is_empty());
    assert!(store.addon_versions().await.unwrap().is_empty());

    let mut child = quickstart(&["--key", &line, "--yes", "--installation", "isp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let mut told = |before: &str| {
        let line = lines.next().unwrap();
        line.strip_prefix(before)
            .unwrap_or_else(|| panic!("{line}"))
            .to_owned()
    };
    let address = told("admin page: ");
    let first = told("first login: admin / ");
    let next = told("next: ");
    assert_eq!(next, format!("{address}installations/isp/setup"));
    let first = first.split(' ').next().unwrap();
    assert_eq!(log_in(&address, first).await, StatusCode::SEE_OTHER);
    assert_eq!(store.trusted_keys().await.unwrap()[0].name, "the makers");
    assert_eq!(store.installation("isp").await.unwrap().addon, "guest");
    terminate(child);
    let output = quickstart(&["--key", &line, "--yes"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("this host is in use"), "{told}");
}

#[tokio::test]
async fn the_first_start_tells_a_password_which_user_set_changes() {
    let data = tempfile::tempdir().unwrap();
    let (child, address, mut lines) = serve(data.path(), &["--base-path", "/x/"]);
    assert!(
        address.starts_with("http://127.0.0.1:") && address.ends_with("/x/"),
        "{address}"
    );
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let told = line.strip_prefix("first login: admin / ").unwrap();
    let first = told.split(' ').next().unwrap();
    assert_eq!(log_in(&address, first).await, StatusCode::SEE_OTHER);
    assert!(!set_password(data.path(), "admin", "short\n"));
    assert!(!set_password(
        data.path(),
        "<admin>",
        "long enough by far\n"
    ));
    assert!(set_password(data.path(), "admin", "long-enough-by-far\n"));
    assert_eq!(log_in(&address, first).await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        log_in(&address, "long-enough-by-far").await,
        StatusCode::SEE_OTHER
    );
    terminate(child);

    let (child, _, mut lines) = serve(data.path(), &[]);
    terminate(child);
    let mut rest = String::new();
    lines.read_line(&mut rest).unwrap();
    assert_eq!(rest, "", "told once");

    let refused = command(data.path())
        .args(["serve", "--base-path", "x;y"])
        .output()
        .unwrap();
    assert!(
        String::from_utf8(refused.stderr)
            .unwrap()
            .contains("is no base path")
    );
}

/// A command's answer as JSON.
fn json(data: &std::path::Path, arguments: &[&str]) -> serde_json::Value {
    let output = command(data)
        .args(arguments)
        .arg("--json")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(data: &std::path::Path, arguments: &[&str]) -> String {
    let output = command(data).args(arguments).output().unwrap();
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn people_and_their_sessions_are_looked_after_by_command_while_the_server_runs() {
    let data = tempfile::tempdir().unwrap();
    assert!(set_password(data.path(), "admin", "long-enough-by-far\n"));
    let (child, address, _lines) = serve(data.path(), &[]);
    for _ in 0..2 {
        assert_eq!(
            log_in(&address, "long-enough-by-far").await,
            StatusCode::SEE_OTHER
        );
    }
    let sessions = json(data.path(), &["session", "list"]);
    let first = sessions[0]["id"].as_str().unwrap();
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    assert_eq!(
        (&sessions[0]["account"], &sessions[0]["role"]),
        (&"admin".into(), &"administer".into())
    );
    assert_eq!(json(data.path(), &["session", "revoke", first])["ended"], 1);
    assert!(refused(data.path(), &["session", "revoke", first]).contains("no session"));
    assert!(refused(data.path(), &["session", "revoke"]).contains("required"));
    assert_eq!(
        json(data.path(), &["session", "revoke", "--account", "admin"])["ended"],
        1
    );
    assert!(
        refused(data.path(), &["session", "revoke", "--account", "nobody"]).contains("no account")
    );
    assert_eq!(
        json(data.path(), &["session", "revoke", "--all"])["ended"],
        0
    );

    assert!(
        refused(data.path(), &["user", "role", "admin", "view"])
            .contains("nobody would administer")
    );
    assert!(refused(data.path(), &["user", "role", "admin", "own"]).contains("is no role"));
    assert!(set_password(data.path(), "ann", "long-enough-by-far\n"));
    assert_eq!(
        json(data.path(), &["user", "role", "ann", "operate"])["role"],
        "operate"
    );
    let users = json(data.path(), &["user", "list"]);
    assert_eq!(
        (&users[1]["account"], &users[1]["role"]),
        (&"ann".into(), &"operate".into())
    );
    assert_eq!(
        json(data.path(), &["user", "remove", "ann"])["removed"],
        "ann"
    );
    assert!(refused(data.path(), &["user", "remove", "admin"]).contains("nobody would administer"));
    terminate(child);
}

#[tokio::test]
async fn a_certificate_is_read_again_when_the_server_is_told_so() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let data = tempfile::tempdir().unwrap();
    let (cert, key) = (data.path().join("cert.pem"), data.path().join("key.pem"));
    let renew = || {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
        let client = Client::builder().no_proxy().tls_certs_only([trusted]);
        client.build().unwrap()
    };
    let (cert_file, key_file) = (cert.to_str().unwrap(), key.to_str().unwrap());
    assert!(refused(data.path(), &["serve", "--tls-cert", cert_file]).contains("--tls-key"));
    assert!(
        refused(
            data.path(),
            &["serve", "--tls-cert", cert_file, "--tls-key", key_file]
        )
        .contains("cert.pem")
    );
    let first = renew();
    let (child, address, _lines) = serve(
        data.path(),
        &["--tls-cert", cert_file, "--tls-key", key_file],
    );
    assert!(address.starts_with("https://"), "{address}");
    let health = format!("{address}health");
    assert!(
        first
            .get(&health)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    let second = renew();
    assert!(second.get(&health).send().await.is_err());
    let told = Command::new("kill")
        .args(["-HUP", &child.id().to_string()])
        .status();
    assert!(told.unwrap().success());
    while second.get(&health).send().await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    terminate(child);
}

#[tokio::test]
async fn monitors_are_answered_at_an_address_of_their_own() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(&Store::default_url(data.path())).await.unwrap();
    leased(&store, "isp").await;
    drop(store);
    let (child, pages, mut lines) = serve(data.path(), &["--metrics", "127.0.0.1:0"]);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("metrics: ").unwrap().to_owned();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().build().unwrap();
    let get = async |address: String| client.get(address).send().await.unwrap();
    let answer = get(address.clone()).await;
    let form = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(form.starts_with("application/openmetrics-text"), "{form}");
    let text = answer.text().await.unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        text.contains(&format!("addon_host_build{{version=\"{version}\"}} 1")),
        "{text}"
    );
    for line in [
        "addon_host_runs{installation=\"isp\",addon_job=\"sync\",state=\"failed\"} 1",
        "addon_host_stored_bytes{installation=\"isp\"} 0",
        "addon_host_connection_ready{installation=\"isp\",connection=\"books\"} 0",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
    // Neither address has what the other one has.
    let elsewhere = address.replace("/metrics", "/login");
    assert_eq!(get(elsewhere).await.status(), StatusCode::NOT_FOUND);
    let inside = get(format!("{pages}metrics")).await;
    assert_eq!(inside.status(), StatusCode::NOT_FOUND);
    terminate(child);
}
