//! Just enough of an HTTP client: one request, one connection, no surprises.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// A header's value; names in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// # Panics
    /// Where the body is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// GET with a cookie (or none).
pub fn get(url: &str, cookie: &str) -> Answer {
    exchange("GET", url, &[("Cookie", cookie)], "")
}

/// POST of a form, as a browser on that page would send it.
pub fn post_form(url: &str, cookie: &str, form: &str) -> Answer {
    exchange("POST", url, &[("Cookie", cookie)], form)
}

/// POST of JSON to one who takes no other.
pub fn post_json(url: &str, json: &Value) -> Answer {
    exchange("POST", url, &[], &json.to_string())
}

/// POST of a text with a header, as a service sends it.
pub fn post_signed(url: &str, header: (&str, &str), body: &str) -> Answer {
    exchange("POST", url, &[header], body)
}

fn exchange(method: &str, url: &str, headers: &[(&str, &str)], form: &str) -> Answer {
    let rest = url.strip_prefix("http://").expect("a plain address");
    let (host, path) = rest.split_once('/').expect("an address with a path");
    let mut head = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if method == "POST" {
        head.push_str(&format!(
            "Origin: http://{host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            form.len()
        ));
    }
    send(host, format!("{head}\r\n{form}").as_bytes())
}

/// Sends a request that is written already, and reads until the other side closes.
pub(crate) fn send(host: &str, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(host).unwrap_or_else(|error| panic!("{host}: {error}"));
    stream.write_all(request).expect("the request can be sent");
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .expect("the answer can be read");
    let (head, body) = parted(&answer, b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("an answer has a status");
    let answer = Answer {
        status,
        head,
        body: String::new(),
    };
    let body = match answer.header("transfer-encoding") {
        Some("chunked") => unchunked(body),
        _ => body.to_vec(),
    };
    Answer {
        // A file that is no text is looked at for its kind only.
        body: String::from_utf8_lossy(&body).into_owned(),
        ..answer
    }
}

/// What is before and behind the first of these bytes.
fn parted<'b>(bytes: &'b [u8], between: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes
        .windows(between.len())
        .position(|window| window == between)?;
    Some((&bytes[..at], &bytes[at + between.len()..]))
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some((size, rest)) = parted(body, b"\r\n") {
        let size = String::from_utf8_lossy(size);
        let size = usize::from_str_radix(size.trim(), 16).expect("a chunk's size");
        if size == 0 {
            break;
        }
        whole.extend_from_slice(&rest[..size]);
        body = rest[size..].strip_prefix(b"\r\n").unwrap_or(&rest[size..]);
    }
    whole
}
