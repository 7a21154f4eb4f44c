//! `send` against a service on this machine: what leaves, what comes back, and what stops it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use addon_host::clock::{Clock, SystemClock};
use addon_host::connections::halt::{Halter, Reason, halt};
use addon_host::connections::{Access, Answer, Caller, Connections, Priority, Request, Rights};
use addon_host::manifest::Manifest;
use addon_host::settings::{Settings, validate};
use addon_host::store::{ConnectionOverride, Fence, LeaseAnswer, Store};
use addon_host::vault::Vault;
use tempfile::TempDir;

use crate::fixtures::{install, start_run, store};
use crate::service::{Reply, Service, answer};

const PASSWORD: &str = "correct horse/battery";

/// The manifest of one connection, with its terms.
fn manifest(terms: &str) -> Manifest {
    let setting = |key: &str, kind: &str| format!("[[settings]]\nkey = \"{key}\"\ntitle = \"{key}\"\ntype = \"{kind}\"\n");
    let settings = [("url", "url"), ("login", "text"), ("password", "secret"), ("key", "secret")];
    let settings = settings.map(|(key, kind)| setting(key, kind)).concat();
    let text = format!(
        r#"[addon]
id = "example"
version = "1.2.3"
title = "Example"
interface = "splynx:addon@1.0.0"
component = "example.wasm"
state = 3
[connections.books]
title = "Books"
base_url = "{{url}}api/"
hosts = ["{{url}}"]
counted_by = ["url", "login"]
{terms}
{settings}
[[jobs]]
id = "sync"
title = "Synchronise"
"#
    );
    Manifest::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

const BASIC: &str = r#"auth = [
  { type = "basic", user = "login", password = "password" }, { type = "query-key", name = "apikey", value = "{{{key}}}" }]
private_addresses = true
parallel = 4
"#;

/// One installation's way out.
struct Rig {
    store: Store,
    vault: Vault,
    manifest: Manifest,
    connections: Connections,
    address: String,
    _folder: TempDir,
}

impl Rig {
    async fn new(terms: &str, address: String) -> Self {
        let (store, folder) = store().await;
        install(&store, "isp").await;
        let vault = Vault::open(&folder.path().join("master.key")).unwrap();
        let connections = Connections::new(store.clone(), Arc::new(SystemClock));
        Self { store, vault, manifest: manifest(terms), connections, address, _folder: folder }
    }

    async fn access(&self, password: &str) -> Arc<Access> {
        let values = [("url", self.address.as_str()), ("login", "ann"), ("password", password), ("key", "SECRET-KEY")];
        let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let changes = validate(&self.manifest, &values).unwrap();
        let settings = Settings::default().with_changes(&self.manifest, &changes);
        Arc::new(Access::open(&self.store, &self.vault, &self.manifest, &settings, "isp").await.unwrap())
    }

    async fn caller(&self, rights: Rights, password: &str) -> (Caller, Halter) {
        let (halter, halt) = halt();
        let access = self.access(password).await;
        (Caller { access, rights, priority: Priority::Normal, halt, waited: Arc::default() }, halter)
    }

    /// Sends as a job's preview does, with the right password.
    async fn send(&self, requests: Vec<Request>) -> Vec<Answer> {
        let (caller, _halter) = self.caller(Rights::Read, PASSWORD).await;
        self.connections.send(&caller, requests).await
    }

    async fn fence(&self) -> Fence {
        let run = start_run(&self.store, "isp").await;
        match self.store.acquire_lease("isp", run, SystemClock.now()).await.unwrap() {
            LeaseAnswer::Acquired(fence) => fence,
            busy => panic!("{busy:?}"),
        }
    }
}

fn get(path: &str) -> Request {
    let texts = |text: &str| text.to_owned();
    Request { connection: texts("books"), effect: texts("read"), method: texts("GET"), path: texts(path), ..Request::default() }
}

fn code(answer: &Answer) -> (bool, &str) {
    let unanswered = answer.as_ref().unwrap_err();
    (unanswered.maybe_sent, unanswered.reason.code.as_str())
}

fn status(answer: &Answer) -> u16 {
    answer.as_ref().unwrap().status
}

#[tokio::test]
async fn requests_carry_credentials_and_answers_carry_none() {
    let service = Service::start(|seen| Reply::Answer {
        status: 201,
        headers: vec![
            ("Set-Cookie", "session=1".to_owned()),
            ("WWW-Authenticate", "Basic".to_owned()),
            ("X-Echo", seen.header("authorization").unwrap_or_default().to_owned()),
        ],
        body: format!("{}\n{:?}\n{PASSWORD}\n{}", seen.line, seen.headers, seen.body),
    })
    .await;
    let rig = Rig::new(&format!("{BASIC}per_minute = 600"), service.address()).await;
    let request = Request {
        method: "POST".to_owned(),
        query: vec![("$filter".to_owned(), "a eq 'b'".to_owned()), ("x".to_owned(), "1".to_owned())],
        headers: vec![("X-Trace".to_owned(), "7".to_owned())],
        body: "{\"a\":1}".to_owned(),
        ..get("Customer/Save")
    };
    let answers = rig.send(vec![request]).await;
    let response = answers[0].as_ref().unwrap();

    let seen = &service.seen()[0];
    assert_eq!(
        seen.line,
        "POST /api/Customer/Save?$filter=a%20eq%20%27b%27&x=1&apikey=%7BSECRET-KEY%7D HTTP/1.1"
    );
    assert_eq!(seen.header("authorization"), Some("Basic YW5uOmNvcnJlY3QgaG9yc2UvYmF0dGVyeQ=="));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("x-trace"), Some("7"));
    assert_eq!(seen.body, "{\"a\":1}");

    assert_eq!(response.status, 201);
    let names: Vec<_> = response.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["content-length", "x-echo"]);
    let told = format!("{:?}{}", response.headers, response.body);
    for secret in [PASSWORD, "SECRET-KEY", "YW5uOmNvcnJlY3Q"] {
        assert!(!told.contains(secret), "{secret} came back: {told}");
    }
    assert!(told.contains("[redacted]") && told.contains("{\"a\":1}"));
}

#[tokio::test]
async fn whatever_goes_wrong_on_the_way_says_whether_the_service_may_have_acted() {
    let service = Service::start(|seen| match seen.line.split(['/', ' ', '?']).nth(3) {
        Some("drop") => Reply::Drop,
        Some("truncate") => Reply::Truncate,
        Some("late") => Reply::Late(Duration::from_secs(5)),
        Some("large") => answer(200, "x".repeat(3000)),
        Some("moved") => Reply::Answer {
            status: 302,
            headers: vec![("Location", "http://127.0.0.1:9/".to_owned())],
            body: String::new(),
        },
        Some("latin1") => answer(500, "caf\u{e9}"),
        path => panic!("{path:?}"),
    })
    .await;
    let terms = format!("{BASIC}per_minute = 600\ntimeout_seconds = 1\nmax_response_bytes = 2048");
    let rig = Rig::new(&terms, service.address()).await;
    for (path, expected) in [
        ("drop", (true, "connection-lost")),
        ("truncate", (true, "connection-lost")),
        ("late", (true, "timeout")),
        ("large", (true, "too-large")),
    ] {
        let answers = rig.send(vec![get(path)]).await;
        assert_eq!(code(&answers[0]), expected, "{path}");
        let message = &answers[0].as_ref().unwrap_err().reason.message;
        assert!(message.starts_with("Books") || message.contains("of Books"), "{message}");
        assert!(!message.contains("apikey") && !message.contains("SECRET"), "{message}");
    }
    assert_eq!(status(&rig.send(vec![get("moved")]).await[0]), 302, "redirects are answers");
    assert_eq!(service.count(), 5, "and nothing is tried twice");

    // Nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let rig = Rig::new(&terms, format!("http://127.0.0.1:{closed}/")).await;
    let answers = rig.send(vec![get("a")]).await;
    assert_eq!(code(&answers[0]), (false, "unreachable"));
}

#[tokio::test]
async fn internal_addresses_are_reached_only_where_somebody_said_so() {
    let service = Service::start(|_| answer(200, "inside")).await;
    let terms = "per_minute = 600\nauth = []";
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let rig = Rig::new(terms, format!("http://{host}:{}/", service.port)).await;
        let answers = rig.send(vec![get("a")]).await;
        // The mapped address is not even this machine, so it would need https.
        let expected = if host.starts_with('[') { "not-configured" } else { "forbidden-host" };
        assert_eq!(code(&answers[0]), (false, expected), "{host}");
    }
    assert_eq!(service.count(), 0);

    let rig = Rig::new(terms, format!("http://localhost:{}/", service.port)).await;
    let allowed = ConnectionOverride { allow_hosts: vec!["localhost".to_owned()], ..ConnectionOverride::default() };
    rig.store.set_connection_override("isp", "books", &allowed).await.unwrap();
    assert_eq!(status(&rig.send(vec![get("a")]).await[0]), 200);
}

#[tokio::test]
async fn requests_against_the_contract_do_not_leave() {
    let service = Service::start(|_| answer(200, "")).await;
    let rig = Rig::new(&format!("{BASIC}per_minute = 600"), service.address()).await;
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let write = Request { effect: "write".to_owned(), ..get("a") };
    let cases = [
        (Request { connection: "elsewhere".to_owned(), ..get("a") }, "invalid-request"),
        (Request { effect: "destroy".to_owned(), ..get("a") }, "invalid-request"),
        (Request { method: "get".to_owned(), ..get("a") }, "invalid-request"),
        (Request { method: "CONNECT".to_owned(), ..get("a") }, "invalid-request"),
        (get("http://evil.example/"), "invalid-request"),
        (get("../a"), "invalid-request"),
        (Request { query: pair("ApiKey", "mine"), ..get("a") }, "invalid-request"),
        (Request { headers: pair("Authorization", "Basic x"), ..get("a") }, "invalid-request"),
        (Request { options: pair("priority", "highest"), ..get("a") }, "invalid-request"),
        (Request { options: pair("retries", "3"), ..get("a") }, "invalid-request"),
        (write.clone(), "preview"),
    ];
    let (requests, codes): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let answers = rig.send(requests).await;
    for (index, expected) in codes.into_iter().enumerate() {
        assert_eq!(code(&answers[index]), (false, expected), "case {index}");
    }
    let (caller, _halter) = rig.caller(Rights::Nothing, PASSWORD).await;
    assert_eq!(code(&rig.connections.send(&caller, vec![get("a")]).await[0]), (false, "no-http"));

    // A run that lost its lease.
    let fence = rig.fence().await;
    rig.store.release_lease(&fence).await.unwrap();
    let (caller, _halter) = rig.caller(Rights::Write(fence), PASSWORD).await;
    assert_eq!(code(&rig.connections.send(&caller, vec![write.clone()]).await[0]), (false, "fenced"));
    assert_eq!(service.count(), 0);

    let fence = rig.fence().await;
    let (caller, _halter) = rig.caller(Rights::Write(fence), PASSWORD).await;
    assert_eq!(status(&rig.connections.send(&caller, vec![write]).await[0]), 200);
    let most = vec![get("a"); 1001];
    assert!(rig.send(most).await.iter().all(|answer| code(answer) == (false, "limit")));
    assert_eq!(service.count(), 1);
}

#[tokio::test]
async fn a_batch_leaves_together_and_is_answered_in_order() {
    let in_flight = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (flying, peak) = (in_flight.clone(), most.clone());
    let service = Service::start(move |seen| {
        peak.fetch_max(flying.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        flying.fetch_sub(1, Ordering::SeqCst);
        answer(200, seen.line.clone())
    })
    .await;
    let rig = Rig::new(&format!("{BASIC}per_minute = 6000\nburst = 100"), service.address()).await;
    let answers = rig.send((0..12).map(|number| get(&format!("n/{number}"))).collect()).await;
    for (number, answer) in answers.iter().enumerate() {
        let body = &answer.as_ref().unwrap().body;
        assert!(body.contains(&format!("/n/{number}?")), "{number}: {body}");
    }
    assert!(most.load(Ordering::SeqCst) <= 4, "parallel = 4");
    let first = service.seen()[0].line.clone();
    assert!(first.contains("/n/0?"), "credentials that are not proven go alone, and in order: {first}");
}

#[tokio::test]
async fn refused_credentials_are_tried_once_until_somebody_changes_them() {
    let service = Service::start(|seen| match seen.header("authorization") {
        Some("Basic YW5uOmNvcnJlY3QgaG9yc2UvYmF0dGVyeQ==") => answer(200, "in"),
        _ => answer(401, "{\"Message\":\"denied\"}"),
    })
    .await;
    let rig = Rig::new(&format!("{BASIC}per_minute = 600"), service.address()).await;
    let (wrong, _halter) = rig.caller(Rights::Read, "wrong password").await;
    let batch = || vec![get("a"), get("b"), get("c"), get("d"), get("e")];
    let answers = rig.connections.send(&wrong, batch()).await;
    assert_eq!(status(&answers[0]), 401, "the guest sees what the service said");
    assert!(answers[1..].iter().all(|answer| code(answer) == (false, "denied")));
    assert_eq!(service.count(), 1);

    // Another process on the same database.
    let restarted = Connections::new(rig.store.clone(), Arc::new(SystemClock));
    assert!(restarted.send(&wrong, batch()).await.iter().all(|answer| code(answer) == (false, "denied")));
    assert_eq!(service.count(), 1);

    // A person says that it is right: one attempt again.
    rig.connections.forgive(&wrong.access, "books").await.unwrap();
    assert_eq!(status(&rig.connections.send(&wrong, batch()).await[0]), 401);
    assert_eq!(service.count(), 2);

    assert!(rig.send(batch()).await.iter().all(|answer| status(answer) == 200), "changed credentials are tried");
    assert_eq!(service.count(), 7);
}

#[tokio::test]
async fn a_block_is_kept_to_and_one_for_the_sender_covers_all_budgets() {
    let service = Service::start(|seen| match seen.line.contains("/own?") {
        true => answer(429, "too many"),
        false => answer(429, "Your IP address has exceeded the allowed number of transactions per minute"),
    })
    .await;
    let terms = format!("{BASIC}per_minute = 600\nrest_after_429_seconds = 3900");
    let rig = Rig::new(&terms, service.address()).await;
    let soon = SystemClock.now().timestamp() as u64;
    let answers = rig.send(vec![get("own"), get("own"), get("own")]).await;
    assert_eq!(status(&answers[0]), 429);
    for answer in &answers[1..] {
        let reason = &answer.as_ref().unwrap_err().reason;
        assert_eq!(code(answer), (false, "paused"));
        assert!(reason.retry_at.unwrap() >= soon + 3900, "{reason:?}");
    }
    assert_eq!(code(&rig.send(vec![get("own")]).await[0]), (false, "paused"));
    assert_eq!(service.count(), 1);

    // The same sender with another login is counted apart, unless the block is for the address.
    let mut other = Rig::new(&terms.replace("user = \"login\"", "user = \"key\""), service.address()).await;
    other.manifest.connections.get_mut("books").unwrap().counted_by = vec!["key".to_owned()];
    other.store = rig.store.clone();
    other.connections = rig.connections.clone();
    assert_eq!(status(&other.send(vec![get("all")]).await[0]), 429);
    let mut third = Rig::new(&terms, service.address()).await;
    third.manifest.connections.get_mut("books").unwrap().counted_by = vec!["password".to_owned()];
    third.store = rig.store.clone();
    third.connections = rig.connections.clone();
    assert_eq!(code(&third.send(vec![get("all")]).await[0]), (false, "paused"));
    assert_eq!(service.count(), 2);
}

#[tokio::test]
async fn waiting_for_the_pace_ends_with_the_word_to_stop_and_long_waits_are_not_begun() {
    let service = Service::start(|_| answer(200, "")).await;
    let rig = Rig::new(&format!("{BASIC}per_minute = 2\nburst = 1"), service.address()).await;
    let (caller, halter) = rig.caller(Rights::Read, PASSWORD).await;
    let connections = rig.connections.clone();
    let sending = tokio::spawn(async move { connections.send(&caller, vec![get("a"), get("b"), get("c")]).await });
    while service.count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    halter.halt(Reason::Stopped);
    let answers = sending.await.unwrap();
    assert_eq!(status(&answers[0]), 200, "what is in flight is waited for");
    assert_eq!((code(&answers[1]), code(&answers[2])), ((false, "stopped"), (false, "stopped")));

    let rig = Rig::new(&format!("{BASIC}per_minute = 60\nper_day = 2"), service.address()).await;
    let answers = rig.send(vec![get("a"), get("b"), get("c")]).await;
    assert_eq!((status(&answers[0]), status(&answers[1])), (200, 200));
    assert_eq!(code(&answers[2]), (false, "paused"));
    let reason = &answers[2].as_ref().unwrap_err().reason;
    assert!(reason.message.contains("day") && reason.retry_at.is_some(), "{reason:?}");
    assert_eq!(service.count(), 3);
}

#[tokio::test]
async fn signed_requests_arrive_one_by_one_with_growing_nonces() {
    let service = Service::start(|_| answer(200, "")).await;
    let terms = "per_minute = 6000\nburst = 100\nparallel = 1\nprivate_addresses = true
auth = [{ type = \"splynx-signature\", key = \"key\", secret = \"password\" }]";
    let rig = Rig::new(terms, service.address()).await;
    let batch = |amount: usize| vec![get("a"); amount];
    let (one, two) = tokio::join!(rig.send(batch(6)), rig.send(batch(6)));
    assert!(one.iter().chain(&two).all(|answer| status(answer) == 200));
    let restarted = Connections::new(rig.store.clone(), Arc::new(SystemClock));
    let (caller, _halter) = rig.caller(Rights::Read, PASSWORD).await;
    restarted.send(&caller, batch(2)).await;
    let nonces: Vec<u64> = service
        .seen()
        .iter()
        .map(|seen| {
            let proof = seen.header("authorization").unwrap();
            let nonce = proof.strip_prefix("Splynx-EA (key=SECRET-KEY&nonce=").unwrap().split('&').next().unwrap();
            nonce.parse().unwrap()
        })
        .collect();
    assert_eq!(nonces.len(), 14);
    assert!(nonces.is_sorted_by(|earlier, later| earlier < later), "{nonces:?}");
}

#[tokio::test]
async fn access_tokens_are_fetched_once_and_again_when_they_are_withdrawn() {
    let issued = Arc::new(AtomicUsize::new(0));
    let counter = issued.clone();
    let service = Service::start(move |seen| {
        if seen.line.starts_with("POST /api/admin/auth/tokens ") {
            assert!(seen.body.contains("\"auth_type\":\"api_key\"") && seen.body.contains("\"key\":\"SECRET-KEY\""));
            let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
            let expires = SystemClock.now().timestamp() + 1800;
            return answer(201, format!(r#"{{"access_token":"token-number-{number}","access_token_expiration":{expires}}}"#));
        }
        let current = format!("Splynx-EA (access_token=token-number-{})", counter.load(Ordering::SeqCst));
        let withdrawn = seen.line.contains("/withdrawn") && current.contains("number-1)");
        match seen.header("authorization") == Some(current.as_str()) && !withdrawn {
            true => answer(200, current),
            false => answer(401, ""),
        }
    })
    .await;
    let terms = "per_minute = 6000\nburst = 100\nprivate_addresses = true
auth = [{ type = \"splynx-token\", key = \"key\", secret = \"password\" }]";
    let rig = Rig::new(terms, service.address()).await;
    let answers = rig.send(vec![get("a"), get("b"), get("withdrawn"), get("c")]).await;
    let statuses: Vec<_> = answers.iter().map(status).collect();
    assert_eq!(statuses, [200, 200, 401, 200]);
    assert_eq!(issued.load(Ordering::SeqCst), 2);
    assert_eq!(answers[0].as_ref().unwrap().body, "Splynx-EA (access_token=[redacted])");
}
