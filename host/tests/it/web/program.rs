//! `serve` and `user set` of the program itself.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use reqwest::{Client, StatusCode, redirect};

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
