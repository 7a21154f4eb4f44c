//! Which requests a host sends at all (`http.wit`): pure checks, the same for every world.
//!
//! As strict as a real host, so that a plugin which passes here is not refused there.

use std::collections::BTreeMap;

use crate::contract::{Request, Unanswered};
use crate::hosts_headers::is_hosts;

/// By connection: the paths to which a POST reads, as the manifest names them.
pub type Reads = BTreeMap<String, Vec<String>>;

/// What the export that runs may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Jobs and acts: everything.
    Write,
    /// HTTP that reads.
    Preview,
    /// Checks and choices: HTTP that reads, and settings that are fetched.
    Check,
    /// Pages: stored data, as it is.
    View,
    /// Migrations: stored data.
    Migrate,
}

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"];

/// Ok where a host would send the request.
pub fn check(request: &Request, rights: Rights, reads: &Reads) -> Result<(), Unanswered> {
    if matches!(rights, Rights::View | Rights::Migrate) {
        return Err(Unanswered::not_sent(
            "no-http",
            "pages and migrations work on stored data only",
        ));
    }
    if !matches!(request.effect.as_str(), "read" | "write") {
        return Err(invalid(format!(
            "the effect `{}` is neither read nor write",
            request.effect
        )));
    }
    if writes(request, reads) && rights != Rights::Write {
        return Err(Unanswered::not_sent(
            "preview",
            "nothing is written now: this only looks",
        ));
    }
    if !METHODS.contains(&request.method.as_str()) {
        return Err(invalid(format!("there is no method `{}`", request.method)));
    }
    check_path(&request.path)?;
    if request.query.iter().any(|(name, _)| name.is_empty()) {
        return Err(invalid("a parameter of the query has no name"));
    }
    if let Some((name, _)) = request.query.iter().find(|(name, _)| is_override(name)) {
        return Err(invalid(format!(
            "the query parameter `{name}` may take the method's place"
        )));
    }
    for (name, value) in &request.headers {
        check_header(name, value)?;
    }
    match request
        .options
        .iter()
        .find(|(name, value)| name != "priority" || !["high", "low"].contains(&value.as_str()))
    {
        Some((name, value)) => Err(invalid(format!("there is no option `{name}` = `{value}`"))),
        None => Ok(()),
    }
}

/// Whether it may change the other side, whatever it says of itself.
fn writes(request: &Request, reads: &Reads) -> bool {
    let named = |path: &String| *path == request.path;
    request.effect == "write"
        || match request.method.as_str() {
            "GET" | "HEAD" | "OPTIONS" => false,
            "POST" => !reads
                .get(&request.connection)
                .is_some_and(|paths| paths.iter().any(named)),
            _ => true,
        }
}

/// Names that services take for the method.
fn is_override(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    name == "-method" || name.starts_with("x-http-method") || name.starts_with("x-method")
}

fn check_path(path: &str) -> Result<(), Unanswered> {
    if path.starts_with('/') {
        return Err(invalid(format!(
            "`{path}` is not relative to the connection's address"
        )));
    }
    // The host encodes; what is encoded already is decoded by one server and not by the next.
    if path.contains(['%', '\\', '?', '#', ':', ';']) || path.chars().any(char::is_control) {
        return Err(invalid(format!(
            "`{}` is not the plain text of a path",
            path.escape_debug()
        )));
    }
    let inner = path.strip_suffix('/').unwrap_or(path);
    let odd = |segment: &str| segment.is_empty() || segment.chars().all(|c| c == '.');
    if !path.is_empty() && inner.split('/').any(odd) {
        return Err(invalid(format!(
            "`{path}` has a segment that is empty or made of dots"
        )));
    }
    Ok(())
}

fn check_header(name: &str, value: &str) -> Result<(), Unanswered> {
    // A token (RFC 9110, 5.6.2).
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let shown = name.escape_debug();
    if name.is_empty() || !name.bytes().all(token) {
        return Err(invalid(format!("`{shown}` is not a header's name")));
    }
    if is_override(name) {
        return Err(invalid(format!(
            "the header `{shown}` may take the method's place"
        )));
    }
    if is_hosts(name) {
        return Err(invalid(format!(
            "the header `{shown}` is the host's to set"
        )));
    }
    if !value
        .bytes()
        .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
    {
        return Err(invalid(format!(
            "the header `{shown}` holds other than printable ASCII characters"
        )));
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> Unanswered {
    Unanswered::not_sent("invalid-request", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str) -> Request {
        Request {
            connection: "sage".to_owned(),
            effect: "read".to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: String::new(),
            options: Vec::new(),
        }
    }

    fn code(request: &Request, rights: Rights) -> Option<String> {
        let reads = BTreeMap::from([("sage".to_owned(), vec!["a".to_owned()])]);
        check(request, rights, &reads)
            .err()
            .map(|refused| refused.reason.code)
    }

    #[test]
    fn requests_that_no_host_would_send_are_refused() {
        for path in [
            "",
            "Item/Get",
            "Customer/Get/",
            "admin/finance/invoices/12",
            "x..y/.z",
            "a b/ü",
        ] {
            assert_eq!(code(&request("GET", path), Rights::Write), None, "{path:?}");
        }
        for path in [
            "/",
            "/Item",
            "//evil.example/x",
            "https://evil.example/",
            "a/../b",
            "..",
            "./a",
            "a//b",
            "a/...",
            "%2e%2e/x",
            "a%2fb",
            "a?b=1",
            "a#b",
            "a\\..\\b",
            "a;b",
            "a\r\nb",
            "@evil.example:80/",
        ] {
            assert_eq!(
                code(&request("GET", path), Rights::Write).as_deref(),
                Some("invalid-request"),
                "{path:?}"
            );
        }
        assert_eq!(
            code(&request("TRACE", "a"), Rights::Write).as_deref(),
            Some("invalid-request")
        );
        for (name, value) in [
            ("Authorization", "x"),
            ("COOKIE", "x"),
            ("Host", "x"),
            ("Proxy-Authorization", "x"),
            ("X-Api-Key", "x"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("x_method_override", "DELETE"),
            ("x y", "x"),
            ("x-a", "1\r\nhost: e"),
            ("x-a", "ä"),
            ("", "x"),
        ] {
            let mut with = request("GET", "a");
            with.headers.push((name.to_owned(), value.to_owned()));
            assert_eq!(
                code(&with, Rights::Write).as_deref(),
                Some("invalid-request"),
                "{name:?}"
            );
        }
        let mut nameless = request("GET", "a");
        nameless.query.push((String::new(), "x".to_owned()));
        assert_eq!(
            code(&nameless, Rights::Write).as_deref(),
            Some("invalid-request")
        );
    }

    #[test]
    fn what_a_request_may_do_depends_on_who_runs() {
        let read = request("POST", "a");
        let mut write = request("POST", "a");
        write.effect = "write".to_owned();
        write
            .headers
            .push(("Content-Type".to_owned(), "application/json".to_owned()));
        write
            .options
            .push(("priority".to_owned(), "high".to_owned()));
        for (rights, reads, writes) in [
            (Rights::Write, None, None),
            (Rights::Preview, None, Some("preview")),
            (Rights::Check, None, Some("preview")),
            (Rights::View, Some("no-http"), Some("no-http")),
            (Rights::Migrate, Some("no-http"), Some("no-http")),
        ] {
            assert_eq!(code(&read, rights).as_deref(), reads, "{rights:?}");
            assert_eq!(code(&write, rights).as_deref(), writes, "{rights:?}");
        }
        for (method, path) in [("POST", "b"), ("PUT", "a"), ("DELETE", "a")] {
            let said_to_read = request(method, path);
            let told = code(&said_to_read, Rights::Preview);
            assert_eq!(told.as_deref(), Some("preview"), "{method} {path}");
            assert_eq!(code(&said_to_read, Rights::Write), None, "{method} {path}");
        }
        write.options.push(("retries".to_owned(), "3".to_owned()));
        assert_eq!(
            code(&write, Rights::Write).as_deref(),
            Some("invalid-request")
        );
        write.effect = "maybe".to_owned();
        assert_eq!(
            code(&write, Rights::Write).as_deref(),
            Some("invalid-request")
        );
    }
}
