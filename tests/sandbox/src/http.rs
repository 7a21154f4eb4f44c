//! Requests and answers as plain values, so that a service is a function of state, request and time.

use std::net::{IpAddr, Ipv4Addr};

use chrono::{DateTime, Utc};

/// A request as it arrived: the path and the query are percent-decoded, header names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// With its leading slash.
    pub path: String,
    /// In order; names may repeat.
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Who sends: tokens and request limits look at it.
    pub peer: IpAddr,
}

impl Request {
    /// A request without query, headers or body, from the loopback address.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::text(status, "application/json; charset=utf-8", &body.to_string())
    }

    pub fn text(status: u16, content_type: &str, body: &str) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.as_bytes().to_vec(),
        }
    }

    /// Adds a header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The pairs of a URL-encoded text, decoded, in order. Bytes that are no UTF-8 are replaced.
pub fn parse_query(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| {
        percent_encoding::percent_decode_str(&part.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// One of the two services: what it stores, and what it answers.
pub trait Service {
    /// The answer to one request at one moment. Pure: same state, request and time give the same answer.
    fn handle(&mut self, request: &Request, now: DateTime<Utc>) -> Response;

    /// Everything stored, in the service's own wire shapes, and `requests`: what was asked and refused.
    fn state(&self) -> serde_json::Value;

    /// A change that a user of the service makes on its own screens.
    fn edit(
        &mut self,
        change: &serde_json::Value,
        now: DateTime<Utc>,
    ) -> Result<serde_json::Value, String>;
}
