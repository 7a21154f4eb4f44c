//! What strangers try at the door. Forged requests, forced browsing and stolen sessions are in `protection` and `people`, guessed
//! passwords in `login`.

use std::time::Duration;

use addon_host::server::ConnectionLimits;
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::site::{MANIFEST, Site};
use crate::guest::guest;

/// How long a test waits before it calls something endless.
const PATIENCE: Duration = Duration::from_secs(30);

async fn connect(site: &Site) -> TcpStream {
    TcpStream::connect(site.address.strip_prefix("http://").unwrap())
        .await
        .unwrap()
}

/// Sends bytes as they are, and reads until the server closes.
async fn raw(site: &Site, request: &[u8]) -> String {
    let mut stream = connect(site).await;
    // A server that has heard enough closes before all is said.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn paths_lead_nowhere_else_and_headers_are_the_servers_own() {
    let site = Site::new("").await;
    // Kept from before the address is read: an answer is a refusal, the way to the log-in, or nothing.
    for path in [
        "/assets/../../../../etc/passwd",
        "/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/%2e%2e/Cargo.toml",
        "/assets/....//....//etc/passwd",
        "/assets/style.css%00.html",
        "/assets//etc/passwd",
        "//etc/passwd",
        "/../../etc/passwd",
        "/hooks/../../etc",
        "/%2e%2e%2fmaster.key",
        "/assets/%252e%252e%252f%252e%252e%252fCargo.toml",
        "/assets/..%5c..%5cCargo.toml",
        "/assets/%c0%ae%c0%ae%c0%afCargo.toml",
        "/login/../installations",
        "/installations/..%2f..%2fmaster.key",
        "/installations/isp/pages/..%2f..%2f/csv",
        "http://other.example/installations",
        "/health/..;/installations",
    ] {
        let answer = raw(&site, &get(path)).await;
        let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let is_login = status == 303 && answer.contains("location: /login");
        assert!(is_login || [400, 404].contains(&status), "{path}: {answer}");
        assert!(
            !answer.contains("root:") && !answer.contains("[package]"),
            "{path}"
        );
    }
    // With a session they find nothing either, and no package is too large to be refused before it is read.
    let mut ann = site.ann().await;
    let announced = format!(
        "POST /addons HTTP/1.1\r\nHost: x\r\nCookie: {}\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Connection: close\r\nContent-Length: 999999999\r\n\r\n--b",
        ann.cookie.as_deref().unwrap()
    );
    let answer = raw(&site, announced.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    for path in [
        "/installations/..%2f..%2fmaster.key",
        "/installations/isp/pages/..%2f..%2fetc",
        "/installations/isp/activity/..%2fcsv",
        "/runs/..%2f1",
        "/runs/1/reports/..%2f..%2fmaster.key/csv",
        "/runs/1/reports/%252e%252e%252fmaster.key/csv",
        "/installations/%252e%252e%252fmaster.key",
        "/installations/isp/jobs/..%2f..%2fmaster.key/form",
        "/installations/isp%2fsettings",
    ] {
        let status = ann.get(path).await.status;
        assert!(
            [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST].contains(&status),
            "{path}: {status}"
        );
    }

    // What is asked for comes back in the address of the log-in, and breaks out of no header.
    for path in [
        "/installations/x%0d%0aSet-Cookie:%20a=b",
        "/installations?next=%0d%0a%0d%0a%3Cscript%3E",
        "/runs/1%0aX-Evil:%201",
    ] {
        let answer = raw(&site, &get(path)).await;
        let (head, _) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("location: /login?next="), "{answer}");
        assert!(
            !head.to_lowercase().contains("\nset-cookie")
                && !head.to_lowercase().contains("\nx-evil"),
            "{answer}"
        );
    }
    for bad in [
        "GET /login HTTP/1.1\r\nHost: x\r\nCookie: a\0b\r\n\r\n",
        "GET /login HTTP/1.1\r\nHost: x\r\nX: a\r\n\tfolded: b\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /log\x01in HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "nonsense\r\n\r\n",
    ] {
        let answer = raw(&site, bad.as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{bad:?}: {answer}"
        );
    }
    site.stop().await;
}

#[tokio::test]
async fn who_says_too_much_or_too_slowly_is_sent_away_and_keeps_nobody_else_out() {
    let limits = ConnectionLimits {
        headers: Duration::from_millis(400),
        connections: 3,
        ..ConnectionLimits::default()
    };
    let site = Site::serving("", MANIFEST, guest(), |server| server.limited(limits)).await;
    // Every place is taken by somebody who says nothing, says half, or has said all and stays.
    let mut slow = Vec::new();
    for begun in [
        "",
        "GET /health HTTP/1.1\r\nHost:",
        "GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let mut stream = connect(&site).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // It waits for a place, and gets one.
    assert_eq!(site.visitor().get("/health").await.text, "ok");
    for mut stream in slow {
        let mut rest = Vec::new();
        // An end, however it is told.
        let _ = stream.read_to_end(&mut rest).await;
    }
    // A header without an end, and a thousand of them.
    let endless = [
        b"GET /health HTTP/1.1\r\nX: ".as_slice(),
        &vec![b'x'; 2 << 20],
    ]
    .concat();
    let answer = raw(&site, &endless).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    let many = format!("GET /health HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000));
    let answer = raw(&site, many.as_bytes()).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    let long = raw(&site, &get(&format!("/{}", "x".repeat(100_000)))).await;
    assert!(
        !long.starts_with("HTTP/1.1 200") && !long.starts_with("HTTP/1.1 5"),
        "{long}"
    );
    // A body that was announced as too long is not waited for.
    let announced = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                     Connection: close\r\nContent-Length: 99999999\r\n\r\na";
    let answer = raw(&site, announced.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(site.visitor().get("/health").await.text, "ok");
    site.stop().await;
}

#[tokio::test]
async fn who_sends_without_end_or_takes_nothing_is_sent_away_and_keeps_nobody_else_out() {
    let limits = ConnectionLimits {
        requests: Duration::from_millis(400),
        untaken: Duration::from_millis(400),
        connections: 2,
        ..ConnectionLimits::default()
    };
    let site = Site::serving("", MANIFEST, guest(), |server| server.limited(limits)).await;
    let login = site.visitor().get("/login").await.text;
    let (_, style) = login.split_once("rel=\"stylesheet\" href=\"").unwrap();
    let style = style.split('"').next().unwrap();

    // Every place is taken by somebody who asks for more than the network holds, and reads none of it.
    let wish = format!("GET {style} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(5000);
    let mut greedy = Vec::new();
    for _ in 0..limits.connections {
        let (reading, mut writing) = connect(&site).await.into_split();
        let wish = wish.clone();
        // The server stops listening long before all is said.
        let saying = tokio::spawn(async move { writing.write_all(wish.as_bytes()).await });
        greedy.push((reading, saying));
    }
    let told = tokio::time::timeout(PATIENCE, async { site.visitor().get("/health").await.text });
    assert_eq!(told.await.expect("it got a place"), "ok");
    drop(greedy);

    // A form that never ends, and one that trickles in.
    for rest in ["", "ccount=a"] {
        let mut stream = connect(&site).await;
        let begun = format!(
            "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: 1000\r\n\r\na{rest}"
        );
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
        read.expect("it was sent away").unwrap();
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
    // Where nobody is waited for, a body that never comes is not waited for either.
    for path in [
        "/logout",
        "/installations/isp/settings",
        "/addons",
        "/hooks/isp/none",
    ] {
        let begun = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nConnection: close\r\n\r\na"
        );
        let answer = tokio::time::timeout(PATIENCE, raw(&site, begun.as_bytes())).await;
        let answer = answer.expect("it was answered");
        assert!(answer.starts_with("HTTP/1.1 "), "{path}: {answer}");
    }
    assert_eq!(site.visitor().get("/health").await.text, "ok");
    site.stop().await;
}
