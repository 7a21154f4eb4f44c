//! `send` against a service on this machine: what leaves, and what comes back.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use addon_host::connections::{Request, Rights};
use addon_host::store::ConnectionOverride;

use crate::fixtures::{at, by};
use crate::rig::{BASIC, PASSWORD, Rig, code, get, status};
use crate::service::{Reply, Service, answer};

#[tokio::test]
async fn requests_carry_credentials_and_answers_carry_none() {
    let service = Service::start(|seen| Reply::Answer {
        status: 201,
        headers: vec![
            ("Set-Cookie", "session=1".to_owned()),
            ("WWW-Authenticate", "Basic".to_owned()),
            (
                "X-Echo",
                seen.header("authorization").unwrap_or_default().to_owned(),
            ),
        ],
        body: format!(
            "{}\n{:?}\n{PASSWORD}\n{}",
            seen.line, seen.headers, seen.body
        ),
    })
    .await;
    let terms = format!("{BASIC}per_minute = 600\nreads = [\"Customer/Save\"]");
    let rig = Rig::new(&terms, service.address()).await;
    let request = Request {
        method: "POST".to_owned(),
        query: vec![
            ("$filter".to_owned(), "a eq 'b'".to_owned()),
            ("x".to_owned(), "1".to_owned()),
        ],
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
    assert_eq!(
        seen.header("authorization"),
        Some("Basic YW5uOmNvcnJlY3QgaG9yc2UvYmF0dGVyeQ==")
    );
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("x-trace"), Some("7"));
    assert_eq!(seen.body, "{\"a\":1}");

    assert_eq!(response.status, 201);
    let names: Vec<_> = response
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
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
        assert!(
            message.starts_with("Books") || message.contains("of Books"),
            "{message}"
        );
        assert!(
            !message.contains("apikey") && !message.contains("SECRET"),
            "{message}"
        );
    }
    assert_eq!(
        status(&rig.send(vec![get("moved")]).await[0]),
        302,
        "redirects are answers"
    );
    assert_eq!(service.count(), 5, "and nothing is tried twice");

    // Nobody listens there, or nobody who speaks TLS.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in plain.incoming() {
            let _ = stream
                .unwrap()
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    for address in [
        format!("http://127.0.0.1:{closed}/"),
        format!("https://127.0.0.1:{port}/"),
    ] {
        let rig = Rig::new(&terms, address.clone()).await;
        let answers = rig.send(vec![get("a")]).await;
        assert_eq!(code(&answers[0]), (false, "unreachable"), "{address}");
    }
}

/// For a library without optimisations to come to the end of what it has read.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service has a time-out's length for its answer, but not a core for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_never_comes_to_its_answer_is_cut_off() {
    let service = Service::start(|seen| {
        let (head, piece) = match seen.line.split(['/', ' ', '?']).nth(3) {
            Some("crumbs") => (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                "1\r\nx\r\n",
            ),
            Some("headers") => ("HTTP/1.1 200 OK\r\n", "x-more: 1\r\n"),
            Some("header") => ("HTTP/1.1 200 OK\r\nx-long: ", "x"),
            Some("trailers") => (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
                "x-more: 1\r\n",
            ),
            Some("extension") => (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;",
                "x",
            ),
            Some("not-yet") => ("", "HTTP/1.1 102 Processing\r\n\r\n"),
            path => panic!("{path:?}"),
        };
        Reply::Endless { head, piece }
    })
    .await;
    let terms =
        format!("{BASIC}per_minute = 600\ntimeout_seconds = 8\nmax_response_bytes = 16777216");
    let rig = Rig::new(&terms, service.address()).await;
    for (path, expected) in [
        ("crumbs", (true, "connection-lost")),
        ("headers", (true, "connection-lost")),
        ("header", (true, "connection-lost")),
        ("trailers", (true, "connection-lost")),
        ("extension", (true, "connection-lost")),
        // Whoever says that it works on it may do so, up to the time-out.
        ("not-yet", (true, "timeout")),
    ] {
        let begun = Instant::now();
        let answers = rig.send(vec![get(path)]).await;
        let took = begun.elapsed();
        assert_eq!(code(&answers[0]), expected, "{path}");
        let most = if expected.1 == "timeout" { 12 } else { 4 };
        assert!(took < Duration::from_secs(most), "{path}: {took:?}");
        // Nothing goes on behind it: what was read so far is looked through, and no more is read.
        let begun = Instant::now();
        while service.endless() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert!(begun.elapsed() < PATIENCE, "{path} is still taken");
        }
    }
}

#[tokio::test]
async fn internal_addresses_are_reached_only_where_somebody_said_so() {
    let service = Service::start(|_| answer(200, "inside")).await;
    let terms = "per_minute = 600\nauth = []";
    for host in ["127.0.0.1", "localhost"] {
        let rig = Rig::new(terms, format!("http://{host}:{}/", service.port)).await;
        let answers = rig.send(vec![get("a")]).await;
        assert_eq!(code(&answers[0]), (false, "forbidden-host"), "{host}");
    }
    assert_eq!(service.count(), 0);

    let rig = Rig::new(terms, format!("http://localhost:{}/", service.port)).await;
    let allowed = ConnectionOverride {
        allow_hosts: vec!["localhost".to_owned()],
        ..ConnectionOverride::default()
    };
    rig.store
        .set_connection_override("isp", "books", &allowed, &by(at(0)))
        .await
        .unwrap();
    assert_eq!(status(&rig.send(vec![get("a")]).await[0]), 200);
}

#[tokio::test]
async fn requests_against_the_contract_do_not_leave() {
    let service = Service::start(|_| answer(200, "")).await;
    let rig = Rig::new(&format!("{BASIC}per_minute = 600"), service.address()).await;
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let write = Request {
        effect: "write".to_owned(),
        ..get("a")
    };
    let cases = [
        (
            Request {
                connection: "elsewhere".to_owned(),
                ..get("a")
            },
            "invalid-request",
        ),
        (
            Request {
                effect: "destroy".to_owned(),
                ..get("a")
            },
            "invalid-request",
        ),
        (
            Request {
                method: "get".to_owned(),
                ..get("a")
            },
            "invalid-request",
        ),
        (
            Request {
                method: "CONNECT".to_owned(),
                ..get("a")
            },
            "invalid-request",
        ),
        (get("http://evil.example/"), "invalid-request"),
        (get("../a"), "invalid-request"),
        (
            Request {
                query: pair("ApiKey", "mine"),
                ..get("a")
            },
            "invalid-request",
        ),
        (
            Request {
                headers: pair("Authorization", "Basic x"),
                ..get("a")
            },
            "invalid-request",
        ),
        (
            Request {
                options: pair("priority", "highest"),
                ..get("a")
            },
            "invalid-request",
        ),
        (
            Request {
                options: pair("retries", "3"),
                ..get("a")
            },
            "invalid-request",
        ),
        (write.clone(), "preview"),
    ];
    let (requests, codes): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let answers = rig.send(requests).await;
    for (index, expected) in codes.into_iter().enumerate() {
        assert_eq!(code(&answers[index]), (false, expected), "case {index}");
    }
    let (caller, _halter) = rig.caller(Rights::Nothing, PASSWORD).await;
    assert_eq!(
        code(&rig.connections.send(&caller, vec![get("a")]).await[0]),
        (false, "no-http")
    );

    // A run that lost its lease.
    let fence = rig.fence().await;
    rig.store.release_lease(&fence).await.unwrap();
    let (caller, _halter) = rig.caller(Rights::Write(fence), PASSWORD).await;
    assert_eq!(
        code(&rig.connections.send(&caller, vec![write.clone()]).await[0]),
        (false, "fenced")
    );
    assert_eq!(service.count(), 0);

    let fence = rig.fence().await;
    let (caller, _halter) = rig.caller(Rights::Write(fence), PASSWORD).await;
    assert_eq!(
        status(&rig.connections.send(&caller, vec![write]).await[0]),
        200
    );
    let most = vec![get("a"); 1001];
    assert!(
        rig.send(most)
            .await
            .iter()
            .all(|answer| code(answer) == (false, "limit"))
    );
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
    let rig = Rig::new(
        &format!("{BASIC}per_minute = 6000\nburst = 100"),
        service.address(),
    )
    .await;
    let answers = rig
        .send((0..12).map(|number| get(&format!("n/{number}"))).collect())
        .await;
    for (number, answer) in answers.iter().enumerate() {
        let body = &answer.as_ref().unwrap().body;
        assert!(body.contains(&format!("/n/{number}?")), "{number}: {body}");
    }
    assert!(most.load(Ordering::SeqCst) <= 4, "parallel = 4");
    let first = service.seen()[0].line.clone();
    assert!(
        first.contains("/n/0?"),
        "credentials that are not proven go alone, and in order: {first}"
    );
}

#[tokio::test]
async fn what_was_admitted_for_later_does_not_leave_after_a_refusal() {
    const GOOD: usize = 9;
    let answered = AtomicUsize::new(0);
    let service = Service::start(move |_| {
        let before = answered.fetch_add(1, Ordering::SeqCst);
        answer(if before < GOOD { 200 } else { 401 }, "")
    })
    .await;
    let one_by_one = BASIC.replace("parallel = 4", "parallel = 1");
    let terms = format!("{one_by_one}per_minute = 6000\nburst = 100");
    let rig = Rig::new(&terms, service.address()).await;
    // Two runs at once: the one is refused while the other has been told that more of its requests may go.
    let many = || rig.send(vec![get("a"); 20]);
    let (one, other) = tokio::join!(many(), many());
    assert_eq!(
        service.count(),
        GOOD + 1,
        "a refused password is tried once"
    );
    let unsent = one.iter().chain(&other).filter(|answer| answer.is_err());
    assert_eq!(unsent.count(), 2 * 20 - GOOD - 1);
}
