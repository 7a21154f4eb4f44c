//! A guest's request, checked against the contract (`http.wit`) and the caller's rights before anything is added to it.

use std::sync::Arc;

use reqwest::Method;

use super::address::AddressError;
use super::connection_queue::PendingRequest;
use super::effect;
use super::egress::Outgoing;
use super::governor::Priority;
use super::hosts_headers::is_hosts;
use super::route::Route;
use super::{Caller, Request, Rights};
use addon_store::Failure;

/// Most bytes of a request's body.
const LARGEST_BODY: usize = 16 << 20;

const METHODS: [Method; 6] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
];

pub(super) fn check(
    caller: &Caller,
    request: Request,
    index: usize,
) -> Result<(Arc<Route>, PendingRequest), Failure> {
    let Request {
        connection,
        effect,
        method,
        path,
        query,
        headers,
        body,
        options,
    } = request;
    if caller.rights == Rights::Nothing {
        return Err(Failure::new(
            "no-http",
            "Pages and migrations work on stored data only; they send nothing.",
        ));
    }
    let said_to_write = match effect.as_str() {
        "read" => false,
        "write" => true,
        _ => {
            return Err(invalid(format!(
                "the effect `{}` is neither read nor write",
                effect.escape_debug()
            )));
        }
    };
    let may_write = matches!(caller.rights, Rights::Write(_));
    if said_to_write && !may_write {
        return Err(Failure::new(
            "preview",
            "Nothing is written now: this only looks.",
        ));
    }
    let route = caller
        .access
        .route(&connection)
        .ok_or_else(|| {
            invalid(format!(
                "the manifest has no connection `{}`",
                connection.escape_debug()
            ))
        })?
        .clone()?;
    let method = METHODS
        .into_iter()
        .find(|known| known.as_str() == method)
        .ok_or_else(|| invalid(format!("there is no method `{}`", method.escape_debug())))?;
    let reserved = route
        .credentials
        .iter()
        .filter_map(|credential| credential.query_name());
    for reserved in reserved {
        // Services compare names of parameters without regard to case (Sage API, URL).
        if query
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(reserved))
        {
            return Err(invalid(format!(
                "the query parameter `{reserved}` is the host's to set"
            )));
        }
    }
    if let Some((name, _)) = query.iter().find(|(name, _)| effect::is_override(name)) {
        return Err(invalid(format!(
            "the query parameter `{}` may take the method's place",
            name.escape_debug()
        )));
    }
    let url = route.base.join(
        &path,
        query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let url = url.map_err(refused)?;
    if body.len() > LARGEST_BODY {
        return Err(invalid(format!(
            "the body has more than {LARGEST_BODY} bytes"
        )));
    }
    let headers = checked_headers(headers, !body.is_empty())?;
    let reserved = route
        .credentials
        .iter()
        .filter_map(|credential| credential.header_name());
    for reserved in reserved {
        if headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(reserved))
        {
            return Err(invalid(format!(
                "the header `{reserved}` is the host's to set"
            )));
        }
    }
    let priority = priority(&options)?;
    let outgoing = Outgoing {
        method,
        url,
        headers,
        body,
    };
    let write = said_to_write || effect::is_write(&outgoing, &path, &route.reads);
    if write && !may_write {
        return Err(writes_all_the_same(&route.title, &outgoing.method, &path));
    }
    Ok((
        route,
        PendingRequest {
            index,
            outgoing,
            write,
            priority,
        },
    ))
}

/// The add-on says that it reads.
fn writes_all_the_same(title: &str, method: &Method, path: &str) -> Failure {
    let why = match *method {
        Method::POST => format!(
            "a POST to `{}` of {title} counts as a write, since the manifest does not name that path under `reads`",
            path.escape_debug()
        ),
        _ => format!("a {method} changes something at {title}, whatever the add-on says of it"),
    };
    Failure::new(
        "preview",
        format!("Nothing is written now: this only looks, and {why}."),
    )
}

fn checked_headers(
    headers: Vec<(String, String)>,
    has_body: bool,
) -> Result<Vec<(String, String)>, Failure> {
    let mut checked = Vec::with_capacity(headers.len() + 2);
    for (name, value) in headers {
        check_header(&name, &value)?;
        checked.push((name.to_ascii_lowercase(), value));
    }
    // Both sides speak JSON, unless the guest says otherwise.
    for usual in [Some("accept"), has_body.then_some("content-type")]
        .into_iter()
        .flatten()
    {
        if !checked.iter().any(|(name, _)| name == usual) {
            checked.push((usual.to_owned(), "application/json".to_owned()));
        }
    }
    Ok(checked)
}

/// Whether a guest may set the header; names are compared in lower case.
fn check_header(name: &str, value: &str) -> Result<(), Failure> {
    let refused = |why: &str| {
        Err(invalid(format!(
            "the header `{}` {why}",
            name.escape_debug()
        )))
    };
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return refused("is not a header's name");
    }
    if effect::is_override(name) {
        return refused("may take the method's place");
    }
    if is_hosts(name) {
        return refused("is the host's to set");
    }
    if !value
        .bytes()
        .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
    {
        return refused("has a value with other than printable ASCII characters");
    }
    Ok(())
}

fn priority(options: &[(String, String)]) -> Result<Priority, Failure> {
    let mut priority = Priority::Normal;
    for (name, value) in options {
        match (name.as_str(), value.as_str()) {
            ("priority", "high") => priority = Priority::High,
            ("priority", "low") => priority = Priority::Low,
            _ => {
                let (name, value) = (name.escape_debug(), value.escape_debug());
                return Err(invalid(format!(
                    "this host knows no option `{name}` = `{value}`"
                )));
            }
        }
    }
    Ok(priority)
}

fn refused(error: AddressError) -> Failure {
    invalid(error.to_string())
}

fn invalid(why: String) -> Failure {
    Failure::new(
        "invalid-request",
        format!("The request was not sent: {why}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_host_are_refused_in_every_spelling() {
        for name in [
            "accept",
            "Content-Type",
            "If-Modified-Since",
            "x-request-id",
        ] {
            assert_eq!(check_header(name, "text/plain; q=1"), Ok(()), "{name}");
        }
        for name in [
            "Authorization",
            "COOKIE",
            "Host",
            "content-length",
            "Transfer-Encoding",
            "Proxy-Authorization",
            "X-Forwarded-For",
            "X-Api-Key",
            "apikey",
            "Connection",
            "te",
            "Expect",
            "X_Forwarded_For",
            "X-HTTP-Method-Override",
            "x_http_method_override",
            "X-HTTP-Method",
            "X-Method-Override",
            "X-METHOD",
            "_method",
            "",
            "a b",
            "a:b",
            "ä",
            "a\r\nHost",
        ] {
            assert!(check_header(name, "x").is_err(), "{name:?}");
        }
        for value in ["a\r\nHost: evil", "a\0", "ä", "\u{7f}"] {
            assert!(check_header("accept", value).is_err(), "{value:?}");
        }
    }
}
