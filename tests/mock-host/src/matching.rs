//! Which requests a rule or an expectation of a script means.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::Request;

/// What is left out matches anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestMatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// `*` stands for any text, also with slashes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Parameters that must be there, each `name=value`, before encoding; `*` stands for any text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<String>,
    /// Texts that must be in the body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub body_contains: Vec<String>,
    /// The whole body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// No wildcards: the path and the query as they stand here, in this order, and nothing besides. Recordings use it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
}

impl RequestMatch {
    /// This request and no other.
    pub fn exactly(request: &Request) -> Self {
        Self {
            connection: Some(request.connection.clone()),
            method: Some(request.method.clone()),
            path: Some(request.path.clone()),
            query: parameters(request),
            body_contains: Vec::new(),
            body: Some(request.body.clone()),
            exact: true,
        }
    }

    pub fn matches(&self, request: &Request) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        let parameters = parameters(request);
        let place = if self.exact {
            is(&self.path, &request.path) && self.query == parameters
        } else {
            self.path
                .as_deref()
                .is_none_or(|path| glob(path, &request.path))
                && self
                    .query
                    .iter()
                    .all(|wanted| parameters.iter().any(|found| glob(wanted, found)))
        };
        place
            && is(&self.connection, &request.connection)
            && is(&self.method, &request.method)
            && is(&self.body, &request.body)
            && self
                .body_contains
                .iter()
                .all(|text| request.body.contains(text))
    }
}

impl fmt::Display for RequestMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
        write!(
            f,
            "{} {} {}",
            part(&self.method),
            part(&self.connection),
            part(&self.path)
        )
    }
}

fn parameters(request: &Request) -> Vec<String> {
    request
        .query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

/// `*` in the pattern stands for any text.
pub fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    // Each piece between two stars is taken where it comes first: that leaves the most for those behind it.
    let (pieces, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in pieces.split('*') {
        match text.split_once(piece) {
            Some((_, behind)) => text = behind,
            None => return false,
        }
    }
    text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "a/b", true),
            ("a*", "ba", false),
            ("*c", "abc", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "ac", false),
            ("*b*b*", "ab", false),
            ("**", "x", true),
            ("a*bc*c", "abc", false),
            ("limit=*", "limit=100", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
