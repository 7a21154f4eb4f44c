//! The template's add-on in the real host, beside nothing of Sage: Splynx's stand-in on one side, a web hook of the test on the other.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use end_to_end::{Stage, template};
use serde_json::Value;

/// Idempotency key → the bodies that came under it.
type Posted = Arc<Mutex<BTreeMap<String, Vec<Value>>>>;

/// Takes invoices, and hangs up on the second one that it gets: its sender cannot know what became of it.
fn receiver(posted: Posted) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for (place, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a connection");
            let (head, body) = read(&mut stream);
            let key = head.get("idempotency-key").cloned().unwrap_or_default();
            assert_eq!(
                head.get("authorization").map(String::as_str),
                Some("Bearer t0ken")
            );
            let body = serde_json::from_str(&body).expect("JSON");
            posted
                .lock()
                .expect("a lock")
                .entry(key)
                .or_default()
                .push(body);
            if place != 1 {
                let answer =
                    "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(answer.as_bytes()).expect("it listens");
            }
        }
    });
    format!("http://{address}/")
}

fn read(stream: &mut TcpStream) -> (BTreeMap<String, String>, String) {
    let mut reader = BufReader::new(stream);
    let mut head = BTreeMap::new();
    let mut line = String::new();
    reader.read_line(&mut line).expect("a request");
    assert!(line.starts_with("POST /invoices "), "{line}");
    loop {
        line.clear();
        reader.read_line(&mut line).expect("a header");
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        head.insert(name.to_lowercase(), value.to_owned());
    }
    let length = head["content-length"].parse().expect("a number");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    (head, String::from_utf8(body).expect("text"))
}

#[test]
fn the_templates_addon_posts_each_invoice_once_in_a_host_that_knows_nothing_of_it() {
    let Some(component) = template() else { return };
    let posted = Posted::default();
    let address = receiver(posted.clone());
    let stage = Stage::new("tiny");
    let manifest = include_str!("../../../plugin/template/addon.toml");
    let component = std::fs::read(component).expect("the component");
    let (packed, package) = stage.pack("digest", manifest, &component);
    packed.ok();
    stage.host(&["addon", "install", &package, "--yes"]).ok();
    stage
        .host(&["installation", "create", "isp", "--addon", "invoice-digest"])
        .ok();
    for line in stage.isp("--secrets").lines() {
        let (key, value) = line.split_once('=').expect("KEY=VALUE");
        if key.starts_with("splynx_") {
            stage.set_secret(key, value).ok();
        }
    }
    stage.set_secret("receiver_token", "t0ken").ok();
    let domain = format!("splynx_api_domain={}", stage.splynx);
    let receiver = format!("receiver_url={address}");
    stage
        .host(&["settings", "isp", "set", &domain, &receiver])
        .ok();
    assert!(stage.host(&["check", "isp"]).code == 0);

    stage.host(&["run", "isp", "post", "--preview"]).ok();
    assert!(
        posted.lock().expect("a lock").is_empty(),
        "a preview posts nothing"
    );
    // The receiver hangs up on the second: the run fails there, and the next one goes on with it.
    assert_ne!(stage.host(&["run", "isp", "post"]).code, 0);
    stage.host(&["run", "isp", "post"]).ok();
    stage.host(&["run", "isp", "post"]).ok();

    let state = stage.splynx_state();
    let invoices = state["invoices"].as_array().expect("a list");
    let posted = posted.lock().expect("a lock");
    assert_eq!(posted.len(), invoices.len());
    let numbers = |value: &Value| value["number"].as_str().map(str::to_owned);
    for invoice in invoices {
        let bodies = &posted[&format!("invoice-{}", invoice["id"])];
        assert!(bodies.iter().all(|body| numbers(body) == numbers(invoice)));
    }
    let twice = posted.values().filter(|bodies| bodies.len() == 2).count();
    let once = posted.values().filter(|bodies| bodies.len() == 1).count();
    assert_eq!(
        (twice, once),
        (1, invoices.len() - 1),
        "only the one in doubt came again"
    );
    let page = stage.host(&["page", "isp", "posted", "--json"]).ok();
    let page: Value = serde_json::from_str(&page).expect("JSON");
    assert_eq!(page.as_array().map(Vec::len), Some(invoices.len()));
}
