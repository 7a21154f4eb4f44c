//! Somebody between the host and the services who makes every text in their answers hostile: what a service says if its own
//! customers, or whoever has broken into it, wrote all of it.
//!
//! Generic on purpose: it walks whatever JSON comes by, so that a field which the stand-ins learn to give out is hostile from its
//! first day. The same text of the same field is always hostile in the same way, because services repeat themselves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use attacks::{Field, marks};
use serde_json::Value;

use crate::http::{Answer, send};
use crate::stage::Stage;

/// Values of closed sets, by which the services' records are told apart: with these hostile, hardly a record would be read. They are
/// left alone until [`Middleman::poison_codes`].
const CODES: &[&str] = &[
    "access_token",
    "billing_type",
    "category",
    "role_name",
    "status",
    "Status",
    "type",
    "timezone",
    "currency",
];

/// Texts that may look like numbers.
const TEXTS: &[&str] = &["zip_code", "PostalAddress03"];

/// Serves as long as the test lasts.
pub struct Middleman {
    fields: Arc<Fields>,
}

/// Every field that came by, in the order in which it was first seen; its place is its number.
#[derive(Default)]
struct Fields {
    names: Mutex<Vec<String>>,
    codes_too: AtomicBool,
}

impl Middleman {
    /// Stands between a stage's services and all that the stage starts from now on.
    pub fn before(stage: &mut Stage) -> Self {
        let fields = Arc::default();
        stage.splynx = serve("splynx", &stage.splynx, &fields);
        stage.sage = serve("sage", &stage.sage, &fields);
        Self { fields }
    }

    /// From now on nothing is spared.
    pub fn poison_codes(&self) {
        self.fields.codes_too.store(true, Ordering::SeqCst);
    }

    /// The fields that were made hostile, by their numbers: `sage Customer/Get: Results Name`.
    pub fn fields(&self) -> Vec<String> {
        let names = self.fields.names.lock();
        names.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the host is told where that text stands in that field.
    pub fn poisoned(&self, field: &str, text: &str) -> String {
        self.fields.field(field.to_owned()).poison(text)
    }
}

impl Fields {
    fn field(&self, name: String) -> Field {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names.iter().position(|known| *known == name);
        Field(known.unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        }))
    }

    /// Makes the texts in a value hostile; `name`: of where it stands, `key`: of itself.
    fn poison(&self, value: &mut Value, name: &str, key: &str) {
        match value {
            Value::String(text) if self.is_spared(key, text) => {}
            Value::String(text) => *text = self.field(name.to_owned()).poison(text),
            Value::Array(items) => items
                .iter_mut()
                .for_each(|item| self.poison(item, name, key)),
            Value::Object(parts) => parts
                .iter_mut()
                .for_each(|(key, part)| self.poison(part, &format!("{name} {key}"), key)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn is_spared(&self, key: &str, text: &str) -> bool {
        // What was hostile when the host sent it there comes back as it is.
        if !marks(text).is_empty() {
            return true;
        }
        let is_code = CODES.contains(&key) || is_measure(text) && !TEXTS.contains(&key);
        is_code && !self.codes_too.load(Ordering::SeqCst)
    }
}

/// Amounts, switches, ids, dates and GUIDs. Numbers of documents are longer than ids.
fn is_measure(text: &str) -> bool {
    let is_number = text.parse::<f64>().is_ok() && (text.len() < 6 || text.contains('.'));
    let first = text.split([' ', 'T']).next().unwrap_or_default();
    let of = |shape: &str| {
        first.len() == shape.len()
            && shape
                .chars()
                .zip(first.chars())
                .all(|(wanted, found)| match wanted {
                    '0' => found.is_ascii_digit(),
                    'x' => found.is_ascii_hexdigit(),
                    other => found == other,
                })
    };
    is_number || of("0000-00-00") || of("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
}

/// Listens in front of a service; the address with which it is reached from now on.
fn serve(service: &'static str, target: &str, fields: &Arc<Fields>) -> String {
    let rest = target.strip_prefix("http://").expect("a plain address");
    let (host, base) = rest.split_once('/').expect("an address with a path");
    let (host, base) = (host.to_owned(), format!("/{base}"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a port");
    let (own_base, fields) = (base.clone(), Arc::clone(fields));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (host, base, fields) = (host.clone(), own_base.clone(), Arc::clone(&fields));
            std::thread::spawn(move || {
                pass_on(&stream, &host, |path, answer| {
                    // Orders to the stand-ins are the test's own.
                    if path.starts_with("/_sandbox/") {
                        return answer.body;
                    }
                    let path = path.split('?').next().unwrap_or_default();
                    let path = path.strip_prefix(&base).unwrap_or(path);
                    let parts = path.split('/').filter(|part| part.parse::<i64>().is_err());
                    let parts: Vec<&str> = parts.collect();
                    let name = format!("{service} {}:", parts.join("/"));
                    match serde_json::from_str(&answer.body) {
                        Ok(mut value) => {
                            fields.poison(&mut value, &name, "");
                            value.to_string()
                        }
                        Err(_) if answer.body.is_empty() => answer.body,
                        Err(_) => fields.field(name).poison(&answer.body),
                    }
                })
            });
        }
    });
    format!("http://{address}{base}")
}

/// One request and its answer, whose body is changed on the way.
fn pass_on(stream: &TcpStream, host: &str, change: impl Fn(&str, Answer) -> String) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        // Whoever goes away is not answered.
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line.trim().is_empty() {
            break;
        }
        let name = line.split(':').next().unwrap_or_default().to_lowercase();
        if name == "content-length" {
            length = line[name.len() + 1..].trim().parse().unwrap_or(0);
        }
        if name != "connection" {
            head.push(line);
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let first = head.first().cloned().unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default();
    let request = format!("{}Connection: close\r\n\r\n", head.concat());
    let answer = send(host, &[request.into_bytes(), body].concat());
    let kept = answer.head.lines().filter(|line| {
        let name = line.split(':').next().unwrap_or_default().to_lowercase();
        !["content-length", "transfer-encoding", "connection"].contains(&name.as_str())
    });
    let kept: Vec<&str> = kept.collect();
    let kept = kept.join("\r\n");
    let changed = change(path, answer);
    // The host may have hung up.
    let _ = write!(
        &*stream,
        "{kept}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{changed}",
        changed.len()
    );
}
