//! What reads and what writes is decided by what is sent: an add-on that calls its writes reads, and what became of them.

use std::sync::Arc;

use addon_host::clock::{Clock, SystemClock};
use addon_host::host::{Host, HostConfig, HostError, RunRequest, Terms};
use addon_host::installations;
use addon_host::runs::Limits;
use addon_host::store::{RunState, Store, Trigger};
use tempfile::TempDir;

use crate::fixtures::by;
use crate::guest::{built, guest, manifest, package, scripted};
use crate::hostile::request;
use crate::service::{Service, answer};

/// A path to which a POST reads, and a list that the add-on asks for.
fn with_reads(version: &str) -> String {
    manifest(version, 1).replace("auth = ", "reads = [\"calculate\"]\nauth = ")
}

/// A component whose job and whose choices send one request, and fail with why it did not go.
pub fn sending(method: &str, path: &str, header: Option<(&str, &str)>) -> Vec<u8> {
    let (body, parts) = request("books", method, path, header);
    let before = "#choices\") (param i32 i32) (result i32) (i32.const 512))";
    let choices = format!(
        "#choices\") (param i32 i32) (result i32) (local $n i32) {body} (i32.store (i32.const 520) (i32.const 0)) (i32.store (i32.const 524) (i32.const 0)) (i32.const 512))"
    );
    let module = scripted(&body, &parts, "");
    assert!(module.contains(before));
    built(&module.replace(before, &choices))
}

async fn host_for(folder: &TempDir, address: &str) -> Host {
    let config = HostConfig {
        data_dir: folder.path().to_owned(),
        database_url: Store::default_url(folder.path()),
    };
    let clock = Arc::new(SystemClock);
    let host = Host::open_with(config, clock.clone(), Limits::default())
        .await
        .unwrap();
    let packed = package(&with_reads("1.0.0"), guest());
    host.install_package(&packed, Terms::DEVELOPMENT, "ann")
        .await
        .unwrap();
    installations::create(host.store(), "isp", "guest", &by(clock.now()))
        .await
        .unwrap();
    let values = [("books_url", address), ("login", "ann"), ("password", "p")];
    let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
    host.save_settings("isp", &values, "ann").await.unwrap();
    host
}

async fn run(host: &Host, preview: bool) -> (RunState, String) {
    let request = RunRequest {
        preview,
        trigger: Trigger::Person,
        options: Vec::new(),
        actor: "ann".to_owned(),
    };
    let run = host.start_run("isp", "finish", request).await.unwrap();
    let outcome = run.wait().await;
    let code = outcome.why.map(|why| why.code).unwrap_or_default();
    (outcome.state, code)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_sends_nothing_that_writes_whatever_the_add_on_calls_it() {
    let service = Service::start(|_| answer(200, "{}")).await;
    let folder = tempfile::tempdir().unwrap();
    let host = host_for(&folder, &service.address()).await;
    let method_over = |name| Some((name, "DELETE"));
    let mut version = 0;
    // Method, path, header; the code where it only looks, and where it may write.
    for (method, path, header, looking, working) in [
        ("GET", "items", None, "", ""),
        ("POST", "calculate", None, "", ""),
        ("POST", "items", None, "preview", ""),
        ("POST", "calculate/1", None, "preview", ""),
        ("PUT", "calculate", None, "preview", ""),
        ("DELETE", "items/1", None, "preview", ""),
        (
            "GET",
            "items/1",
            method_over("X-HTTP-Method-Override"),
            "invalid-request",
            "invalid-request",
        ),
        (
            "POST",
            "calculate",
            method_over("x_http_method"),
            "invalid-request",
            "invalid-request",
        ),
    ] {
        version += 1;
        let component = sending(method, path, header);
        let packed = package(&with_reads(&format!("1.0.{version}")), &component);
        host.install_package(&packed, Terms::DEVELOPMENT, "ann")
            .await
            .unwrap();
        let told = format!("{method} {path} {header:?}");
        let sent = service.count();
        let (_, previewed) = run(&host, true).await;
        assert_eq!(previewed, looking, "a preview: {told}");
        let chosen = match host.choices("isp", "items", true).await {
            Err(HostError::Addon(why)) => why.code,
            other => other.map(|_| String::new()).unwrap(),
        };
        assert_eq!(chosen, looking, "a list: {told}");
        let looks = if looking.is_empty() { 2 } else { 0 };
        assert_eq!(service.count() - sent, looks, "{told}");
        let stored = host.choices("isp", "items", false).await;
        let Err(HostError::Addon(why)) = stored else {
            panic!("a page of somebody who may only look had it sent: {told}");
        };
        assert_eq!(why.code, "no-http", "{told}");
        let (_, worked) = run(&host, false).await;
        assert_eq!(worked, working, "a run with its lease: {told}");
        let works = if working.is_empty() { 1 } else { 0 };
        assert_eq!(service.count() - sent, looks + works, "{told}");
    }
}
