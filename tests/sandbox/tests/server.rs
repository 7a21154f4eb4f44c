//! The services over real HTTP: orders, broken deliveries as a client sees them, web hooks, and the program itself.
//!
//! The client here speaks HTTP by hand, because what matters is when a connection ends and what came before.

mod program;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use sandbox::faults::{FaultPlan, Party};
use sandbox::isp::{Isp, Size};
use sandbox::sage::Sage;
use sandbox::server::{Clock, Seat, Server, World, send_web_hooks};
use sandbox::splynx::{Splynx, hook_signature};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use program::{Program, sandbox};

/// Both services of the tiny provider, at noon of a day.
struct Sandbox {
    isp: Isp,
    splynx: SocketAddr,
    sage: SocketAddr,
}

const NOON: &str = "2026-03-01T12:00:00Z";

impl Sandbox {
    async fn start() -> Self {
        let isp = Isp::seeded(Size::Tiny, 1);
        let noon: DateTime<Utc> = NOON.parse().expect("a time");
        let world = World::new(Clock::still(noon), FaultPlan::default());
        let again = isp.clone();
        let splynx = Seat::new(
            Party::Splynx,
            world.clone(),
            Splynx::from_isp(&isp),
            move || Ok(Splynx::from_isp(&again)),
        );
        let again = isp.clone();
        let sage = Seat::new(Party::Sage, world, Sage::from_isp(&isp, false), move || {
            Ok(Sage::from_isp(&again, false))
        });
        tokio::spawn(send_web_hooks(splynx.clone()));
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let splynx = Server::bind(splynx, anywhere).await.expect("a free port");
        let sage = Server::bind(sage, anywhere).await.expect("a free port");
        let addresses = (splynx.address(), sage.address());
        tokio::spawn(splynx.run());
        tokio::spawn(sage.run());
        Self {
            isp,
            splynx: addresses.0,
            sage: addresses.1,
        }
    }

    /// Gives an order.
    async fn order(&self, to: SocketAddr, method: &str, order: &str, body: &Value) -> (u16, Value) {
        let path = format!("/_sandbox/{order}");
        let raw = send(to, method, &path, &[], &body.to_string()).await;
        let answer = Answer::read(&raw).expect("an answer");
        (
            answer.status,
            serde_json::from_str(&answer.body).unwrap_or(Value::Null),
        )
    }

    async fn state(&self, of: SocketAddr) -> Value {
        self.order(of, "GET", "state", &Value::Null).await.1
    }

    async fn fail(&self, act: &Value) {
        let when = json!({"method": "POST", "path": "Customer/Save", "nth": 1});
        let plan = json!({"faults": [{"service": "sage", "when": when, "do": act}]});
        let (status, counts) = self.order(self.splynx, "POST", "faults", &plan).await;
        assert_eq!((status, counts), (200, json!({"faults": 1, "rates": 0})));
    }

    /// A request that makes a customer in Sage.
    fn save_customer(&self, name: &str) -> (String, String, String) {
        let sage = &self.isp.sage;
        let path = format!(
            "/api/2.0.0/Customer/Save?apikey=%7B{}%7D&CompanyId={}",
            sage.api_key, sage.id
        );
        let login = STANDARD.encode(format!("{}:{}", sage.login, sage.password));
        let body = json!({"Name": name, "Active": true}).to_string();
        (path, format!("Basic {login}"), body)
    }

    /// Sends it, and everything that comes back until the connection ends.
    async fn try_to_save(&self, name: &str) -> String {
        let (path, login, body) = self.save_customer(name);
        send(
            self.sage,
            "POST",
            &path,
            &[("authorization", &login)],
            &body,
        )
        .await
    }

    async fn customers(&self) -> usize {
        let state = self.state(self.sage).await;
        state["customers"].as_array().map_or(0, Vec::len)
    }
}

/// Sends one request; all that comes back until the other side closes the connection.
async fn send(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> String {
    let mut stream = TcpStream::connect(to).await.expect("a listening server");
    let request = write_request(method, path, headers, body);
    stream
        .write_all(request.as_bytes())
        .await
        .expect("a request sent");
    let mut raw = Vec::new();
    // A reset is an end of the connection too.
    let _ended = stream.read_to_end(&mut raw).await;
    String::from_utf8(raw).expect("text")
}

fn write_request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
    /// What the head announced.
    length: usize,
}

impl Answer {
    fn read(raw: &str) -> Option<Self> {
        let (head, body) = raw.split_once("\r\n\r\n")?;
        let header = |wanted: &str| {
            head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case(wanted).then(|| value.to_owned())
            })
        };
        Some(Self {
            status: head.split(' ').nth(1)?.parse().ok()?,
            length: header("content-length")
                .and_then(|length| length.parse().ok())
                .unwrap_or(0),
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }
}

#[tokio::test]
async fn orders_show_move_change_and_reset_a_service() {
    let sandbox = Sandbox::start().await;
    let (splynx, sage) = (sandbox.splynx, sandbox.sage);

    let raw = send(
        splynx,
        "GET",
        "/api/2.0/admin/finance/invoices?limit=1",
        &[],
        "",
    )
    .await;
    assert_eq!(Answer::read(&raw).map(|answer| answer.status), Some(401));
    let state = sandbox.state(splynx).await;
    assert_eq!(state["invoices"].as_array().map(Vec::len), Some(6));
    assert_eq!(
        state["requests"]["by_path"],
        json!({"GET admin/finance/invoices": 1})
    );
    assert_eq!(state["requests"]["refused"], json!({"401": 1}));
    assert_eq!(state["now"], json!(NOON));

    // The clock is one for both.
    let (status, now) = sandbox
        .order(sage, "POST", "clock", &json!({"advance": 90}))
        .await;
    assert_eq!((status, &now["now"]), (200, &json!("2026-03-01T12:01:30Z")));
    assert_eq!(sandbox.state(splynx).await["now"], now["now"]);

    let customer = sandbox.isp.customers[0].id;
    let fields = json!({"phone": "+27 21 555 9999"});
    let edit = json!({"entity": "customers", "act": "update", "id": customer, "fields": fields});
    assert_eq!(sandbox.order(splynx, "POST", "edit", &edit).await.0, 200);
    let state = sandbox.state(splynx).await;
    assert_eq!(state["customers"][0]["phone"], json!("+27 21 555 9999"));
    assert_eq!(
        sandbox.order(splynx, "POST", "reset", &json!({})).await.0,
        200
    );
    let state = sandbox.state(splynx).await;
    assert_eq!(
        state["customers"][0]["phone"],
        json!(sandbox.isp.customers[0].phone)
    );
    assert_eq!(state["requests"]["total"], json!(0));

    for (method, order, body, expected) in [
        ("GET", "dragons", json!({}), 404),
        ("GET", "reset", json!({}), 405),
        ("POST", "state", json!({}), 405),
        ("POST", "clock", json!({"advance": -5}), 400),
        ("POST", "clock", json!({"advance": 1.5}), 400),
        (
            "POST",
            "faults",
            json!({"faults": [{"service": "sage", "do": "explode"}]}),
            400,
        ),
        (
            "POST",
            "edit",
            json!({"entity": "dragons", "act": "create"}),
            400,
        ),
    ] {
        let (status, answer) = sandbox.order(splynx, method, order, &body).await;
        assert_eq!(status, expected, "{method} {order} {body}");
        assert!(
            answer["error"].is_string(),
            "{method} {order} {body}: {answer}"
        );
    }
    let raw = send(splynx, "POST", "/_sandbox/edit", &[], "{").await;
    assert_eq!(Answer::read(&raw).map(|answer| answer.status), Some(400));
}

#[tokio::test]
async fn a_service_behind_http_reads_the_request_that_was_sent() {
    let sandbox = Sandbox::start().await;
    let (path, login, _) = sandbox.save_customer("");
    let name = "Zoë \"& Söns\" 株式会社";
    let body = json!({"Name": name, "Active": true}).to_string();
    let headers = [("Authorization", login.as_str())];
    let raw = send(sandbox.sage, "POST", &path, &headers, &body).await;
    let answer = Answer::read(&raw).expect("an answer");
    assert_eq!(answer.status, 201, "{answer:?}");
    let stored: Value = serde_json::from_str(&answer.body).expect("the stored customer");
    assert_eq!(stored["Name"], json!(name));
    // Queries come percent-encoded, with blanks as + or %20.
    let filter = "&$filter=Name+eq+%27Zo%C3%AB%20%22%26+S%C3%B6ns%22%20%E6%A0%AA%E5%BC%8F%E4%BC%9A%E7%A4%BE%27";
    let path = path.replace("Customer/Save", "Customer/Get") + filter;
    let raw = send(sandbox.sage, "GET", &path, &headers, "").await;
    let answer = Answer::read(&raw).expect("an answer");
    let found: Value = serde_json::from_str(&answer.body).expect("a list");
    assert_eq!(found["TotalResults"], json!(1), "{found}");
}

#[tokio::test]
async fn broken_deliveries_reach_the_client_as_planned() {
    let sandbox = Sandbox::start().await;

    sandbox.fail(&json!("refuse")).await;
    assert_eq!(
        sandbox.try_to_save("Anele").await,
        "",
        "closed without a byte"
    );
    assert_eq!(sandbox.customers().await, 0, "before it had an effect");
    let saved = sandbox.try_to_save("Anele").await;
    assert_eq!(
        Answer::read(&saved).map(|answer| answer.status),
        Some(201),
        "only the first"
    );

    sandbox.fail(&json!("drop-after")).await;
    assert_eq!(
        sandbox.try_to_save("Botha").await,
        "",
        "closed without a byte"
    );
    assert_eq!(sandbox.customers().await, 2, "after it had its effect");

    sandbox.fail(&json!({"truncate": 10})).await;
    let answer = Answer::read(&sandbox.try_to_save("Cele").await).expect("the beginning of one");
    assert_eq!((answer.status, answer.body.len()), (201, 10));
    assert!(answer.length > 10, "{answer:?}");
    assert_eq!(sandbox.customers().await, 3);

    sandbox.fail(&json!({"truncate": 1_000_000})).await;
    let answer = Answer::read(&sandbox.try_to_save("Dlamini").await).expect("most of one");
    assert_eq!(
        answer.body.len() + 1,
        answer.length,
        "something is missing in any case"
    );

    sandbox.fail(&json!({"delay": 30})).await;
    let answer = Answer::read(&sandbox.try_to_save("Fourie").await).expect("an answer");
    assert_eq!(answer.status, 201);

    sandbox
        .fail(&json!({"redirect": "http://127.0.0.1:9/elsewhere"}))
        .await;
    let answer = Answer::read(&sandbox.try_to_save("Gouws").await).expect("an answer");
    assert_eq!(answer.status, 302);
    assert!(
        answer
            .head
            .contains("location: http://127.0.0.1:9/elsewhere"),
        "{answer:?}"
    );

    let substitute =
        json!({"code": 500, "body": "{}", "content_type": "application/json", "before": false});
    sandbox.fail(&json!({"status": substitute})).await;
    let answer = Answer::read(&sandbox.try_to_save("Hendricks").await).expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (500, "{}"));
    assert_eq!(sandbox.customers().await, 6, "all but the redirected one");

    let state = sandbox.state(sandbox.sage).await;
    assert_eq!(state["faults_struck"], json!({"faults": [1], "rates": []}));
}

#[tokio::test]
async fn a_late_request_has_its_effect_after_its_client_has_gone() {
    let sandbox = Sandbox::start().await;
    sandbox.fail(&json!({"late": 300})).await;
    let (path, login, body) = sandbox.save_customer("Nomsa");
    let mut stream = TcpStream::connect(sandbox.sage)
        .await
        .expect("a listening server");
    let request = write_request("POST", &path, &[("authorization", &login)], &body);
    stream
        .write_all(request.as_bytes())
        .await
        .expect("a request sent");
    // Long enough to arrive, not to be acted on.
    while sandbox.state(sandbox.sage).await["faults_struck"]["faults"] != json!([1]) {
        tokio::task::yield_now().await;
    }
    drop(stream);
    while sandbox.customers().await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn web_hooks_are_sent_with_their_signature() {
    let sandbox = Sandbox::start().await;
    let receiver = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!(
        "http://{}/hook?from=splynx",
        receiver.local_addr().expect("an address")
    );
    let fields = json!({"title": "Add-on", "enabled": true, "url": url, "secret": "s"});
    let hook = json!({"entity": "hooks", "act": "create", "fields": fields});
    assert_eq!(
        sandbox.order(sandbox.splynx, "POST", "edit", &hook).await.0,
        200
    );
    let ping = receive(&receiver).await;
    assert!(
        ping.head.starts_with("POST /hook?from=splynx HTTP/1.1"),
        "{ping:?}"
    );
    assert_eq!(ping.body, r#"{"type":"ping"}"#);

    let customer = sandbox.isp.customers[0].id;
    let edit =
        json!({"entity": "customers", "act": "update", "id": customer, "fields": {"phone": "1"}});
    assert_eq!(
        sandbox.order(sandbox.splynx, "POST", "edit", &edit).await.0,
        200
    );
    let event = receive(&receiver).await;
    let signature = format!("x-splynx-signature: {}", hook_signature("s", &event.body));
    assert!(event.head.contains(&signature), "{event:?}");
    let body: Value = serde_json::from_str(&event.body).expect("JSON");
    assert_eq!(
        body["data"]["attributes"]["id"],
        json!(customer.to_string())
    );
}

/// Takes one request, as the receiver of web hooks.
async fn receive(listener: &TcpListener) -> Answer {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut raw = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.expect("a message");
        raw.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&raw).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let announced = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse::<usize>().ok())?
        });
        if let Some(length) = announced.filter(|length| body.len() >= *length) {
            let (head, body) = (head.to_owned(), body.to_owned());
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await.expect("an answer sent");
            return Answer {
                status: 0,
                head,
                body,
                length,
            };
        }
    }
}

#[tokio::test]
async fn the_program_serves_both_and_says_where() {
    let anywhere = "127.0.0.1:0";
    let arguments = [
        "serve",
        "--isp",
        "tiny",
        "--seed",
        "9",
        "--splynx",
        anywhere,
        "--sage",
        anywhere,
        "--clock",
        "virtual",
        "--limits",
        "off",
        "--in-step",
    ];
    let child = sandbox(&arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut program = Program(child);
    let out = BufReader::new(program.0.stdout.take().expect("a pipe"));
    let lines: Vec<String> = out
        .lines()
        .take(3)
        .map(|line| line.expect("text"))
        .collect();
    let address = |line: &str, service: &str, path: &str| -> SocketAddr {
        let url = line
            .strip_prefix(&format!("{service} http://"))
            .expect("the service's name");
        url.strip_suffix(path)
            .expect("its path")
            .parse()
            .expect("its address")
    };
    let splynx = address(&lines[0], "splynx", "/");
    let sage = address(&lines[1], "sage", "/api/2.0.0/");
    assert_eq!(lines[2], "ready");

    let isp = Isp::seeded(Size::Tiny, 9);
    for (service, entity) in [(splynx, "invoices"), (sage, "invoices")] {
        let raw = send(service, "GET", "/_sandbox/state", &[], "").await;
        let answer = Answer::read(&raw).expect("an answer");
        let state: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(
            state[entity].as_array().map(Vec::len),
            Some(isp.invoices.len()),
            "{service}"
        );
        assert_eq!(state["now"], json!("2026-03-01T06:00:00Z"), "{service}");
    }
}

#[test]
fn the_program_prints_providers_and_explains_mistakes() {
    let output = sandbox(&["isp", "--size", "tiny", "--seed", "4"])
        .output()
        .expect("the program");
    let printed: Isp = serde_json::from_slice(&output.stdout).expect("a provider");
    assert_eq!(printed, Isp::seeded(Size::Tiny, 4));

    for (flag, pairs) in [
        ("--setup", printed.setup()),
        ("--secrets", printed.secrets()),
    ] {
        let output = sandbox(&["isp", "--size", "tiny", "--seed", "4", flag]).output();
        let text = String::from_utf8(output.expect("the program").stdout).expect("text");
        let expected: Vec<String> = pairs
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    let plan = std::env::temp_dir().join(format!("sandbox-bad-plan-{}.json", std::process::id()));
    std::fs::write(
        &plan,
        r#"{"faults": [{"service": "sage", "do": "explode"}]}"#,
    )
    .expect("a file");
    let plan_name = plan.display().to_string();
    for (arguments, expected) in [
        (
            vec!["isp", "--size", "huge"],
            "\"huge\" is no size: use tiny, small, medium or large",
        ),
        (
            vec!["isp", "--size", "no-such-file.json"],
            "cannot open no-such-file.json",
        ),
        (vec!["isp", "--size", plan_name.as_str()], "is no provider"),
        (
            vec!["serve", "--faults", plan_name.as_str()],
            "unknown variant `explode`",
        ),
        (
            vec!["serve", "--isp", "tiny", "--splynx", "192.0.2.1:1"],
            "cannot serve Splynx on 192.0.2.1:1",
        ),
    ] {
        let output = sandbox(&arguments).output().expect("the program");
        let errors = String::from_utf8(output.stderr).expect("text");
        assert!(
            !output.status.success() && errors.contains(expected),
            "{arguments:?}: {errors}"
        );
    }
    std::fs::remove_file(plan).expect("the file is there");
}
