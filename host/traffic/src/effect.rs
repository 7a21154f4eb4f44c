//! Whether a request changes something at the service: decided from what is sent, and never from the add-on's word alone.
//!
//! Pure. GET, HEAD and OPTIONS read (RFC 9110, 9.2.1); everything else writes, but for a POST to a path that the manifest names
//! under `reads`, to which a person agreed. Beware: frameworks on the other side let a header, a parameter or a field take the
//! method's place (Yii `X-Http-Method-Override` and `_method`, Rails, Laravel and Symfony `_method`, ASP.NET `X-HTTP-Method`), so what
//! is sent as a GET may arrive as a DELETE.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde::de::IgnoredAny;
use url::form_urlencoded;

use super::egress::Outgoing;

/// Names that stand for the method, without their separators and in lower case.
const OVERRIDES: [&str; 6] = [
    "xhttpmethod",
    "xhttpmethodoverride",
    "xmethod",
    "xmethodoverride",
    "httpmethod",
    "httpmethodoverride",
];

/// Whether a request to a path changes something. `reads`: the paths to which a POST reads.
pub(super) fn is_write(outgoing: &Outgoing, path: &str, reads: &BTreeSet<String>) -> bool {
    match outgoing.method {
        Method::GET | Method::HEAD | Method::OPTIONS => false,
        Method::POST => !reads.contains(path) || overrides_within(outgoing),
        _ => true,
    }
}

/// Whether a header, a parameter or a field of this name may take the method's place.
pub(super) fn is_override(name: &str) -> bool {
    // PHP drops blanks in front of a field's name, and makes `_` of most marks.
    let lower = name.trim_start().to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric();
    let squeezed: String = lower.chars().filter(|c| plain(*c)).collect();
    let marked = lower.starts_with(|c: char| !plain(c)) && squeezed == "method";
    marked || OVERRIDES.contains(&squeezed.as_str())
}

/// Whether the body has such a field, read as JSON and as a form. What is sent in parts, or begins like JSON and is none, is not
/// looked into: it counts as having one.
fn overrides_within(outgoing: &Outgoing) -> bool {
    let in_parts = outgoing.headers.iter().any(|(name, value)| {
        name == "content-type" && value.to_ascii_lowercase().contains("multipart/")
    });
    let body = outgoing.body.trim_start_matches('\u{feff}').trim_start();
    let in_json = || match serde_json::from_str::<BTreeMap<String, IgnoredAny>>(body) {
        Ok(fields) => fields.keys().any(|name| is_override(name)),
        Err(_) => body.starts_with('{'),
    };
    let in_form = || form_urlencoded::parse(body.as_bytes()).any(|(name, _)| is_override(&name));
    in_parts || in_json() || in_form()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_says_whether_it_writes() {
        let reads = BTreeSet::from(["TaxInvoice/Calculate".to_owned()]);
        let json = "application/json";
        let form = "application/x-www-form-urlencoded";
        for (method, path, kind, body, writes) in [
            ("GET", "TaxInvoice/Get", json, "", false),
            ("HEAD", "a", json, "", false),
            ("OPTIONS", "a", json, "", false),
            ("PUT", "TaxInvoice/Calculate", json, "", true),
            ("PATCH", "TaxInvoice/Calculate", json, "", true),
            ("DELETE", "TaxInvoice/Calculate", json, "", true),
            ("POST", "TaxInvoice/Save", json, "{}", true),
            ("POST", "TaxInvoice/Calculate", json, "", false),
            ("POST", "TaxInvoice/Calculate", json, r#"{"ID":0}"#, false),
            ("POST", "TaxInvoice/Calculate", json, "[1, 2]", false),
            ("POST", "taxinvoice/calculate", json, "{}", true),
            ("POST", "TaxInvoice/Calculate/", json, "{}", true),
            ("POST", "TaxInvoice/Calculate/1", json, "{}", true),
            (
                "POST",
                "TaxInvoice/Calculate",
                json,
                r#"{"_method":"PUT"}"#,
                true,
            ),
            (
                "POST",
                "TaxInvoice/Calculate",
                json,
                r#"{"\u005fmethod":"PUT"}"#,
                true,
            ),
            ("POST", "TaxInvoice/Calculate", json, "{'a': 1}", true),
            ("POST", "TaxInvoice/Calculate", form, "method=x&a=b", false),
            ("POST", "TaxInvoice/Calculate", form, "a=b&_method=x", true),
            ("POST", "TaxInvoice/Calculate", form, "%5Fmethod=x", true),
            (
                "POST",
                "TaxInvoice/Calculate",
                "multipart/form-data",
                "",
                true,
            ),
        ] {
            let outgoing = Outgoing {
                method: method.parse().unwrap(),
                url: "https://books.example/".parse().unwrap(),
                headers: vec![("content-type".to_owned(), kind.to_owned())],
                body: body.to_owned(),
            };
            assert_eq!(
                is_write(&outgoing, path, &reads),
                writes,
                "{method} {path} {kind} {body}"
            );
        }
        for name in [
            "_method",
            " _METHOD",
            ".method",
            "X-HTTP-Method-Override",
            "x_http_method",
            "$httpMethod",
        ] {
            assert!(is_override(name), "{name}");
        }
        for name in ["method", "payment_method", "methods", "http", "_methods"] {
            assert!(!is_override(name), "{name}");
        }
    }
}
