//! Why Sage says no, and how that looks on the wire (Sage API, status codes and error bodies).

use serde_json::json;

use super::behaviour::{Behaviour, ErrorShape};
use crate::http::Response;

/// A refusal of one request. Whatever it was about to change stays as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A rule was broken: 400, in the shape that `Behaviour::error_shape` names.
    Invalid { field: String, text: String },
    /// 404 for an entity that is not there, or not this company's.
    NotFound,
    /// 409: deletion of something in use.
    InUse(String),
    /// 404 for a service that does not exist.
    NoService { uri: String },
    /// 404 for a method that the service does not have.
    NoMethod { service: String, method: String },
    /// 405.
    Verb { verb: String, allow: &'static str },
    /// 411: a POST that says nothing about its length.
    NoLength,
    /// 415: the body is not declared as JSON.
    NotJson,
    /// 400 before anything was looked at.
    NoUserName,
    /// 401: wrong API key, answered by the web server in front.
    WrongKey,
    /// 401: wrong user or password, or no right to the company.
    Denied,
    /// 401, 403 or 405: the right to the method is missing.
    NoRight(u16),
    /// 402: the company's registration has expired.
    Expired,
    /// 429, with its text.
    TooMany(&'static str),
}

impl Refusal {
    /// A broken rule about one field.
    pub fn invalid(field: &str, text: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.to_owned(),
            text: text.into(),
        }
    }

    /// The answer; `service` is the name that field errors are prefixed with.
    pub fn response(&self, service: &str, behaviour: &Behaviour) -> Response {
        match self {
            Self::Invalid { field, text } => invalid(service, field, text, behaviour.error_shape),
            Self::NotFound => message(404, "The requested resource was not found."),
            Self::InUse(text) => Response::json(409, &json!(text)),
            Self::NoService { uri } => message(
                404,
                &format!("No HTTP resource was found that matches the request URI '{uri}'."),
            ),
            Self::NoMethod { service, method } => Response::json(
                404,
                &json!(format!(
                    "No action was found on the controller '{service}' that matches the name '{method}'."
                )),
            ),
            Self::Verb { verb, allow } => message(
                405,
                &format!("The requested resource does not support http method '{verb}'."),
            )
            .with("allow", allow),
            Self::NoLength => page(411, "Length Required"),
            Self::NotJson => message(
                415,
                "The request entity's media type is not supported for this resource.",
            ),
            Self::NoUserName => Response::text(400, "text/plain", "Username is Required."),
            Self::WrongKey => page(
                401,
                "Unauthorized: Access is denied due to invalid credentials.",
            )
            .with("x-apikey", "Invalid"),
            Self::Denied => message(401, "Authorization has been denied for this request.")
                .with("www-authenticate", "Basic"),
            Self::NoRight(status) => message(*status, "Access to this method is not allowed."),
            Self::Expired => message(402, "The company's registration has expired."),
            Self::TooMany(text) => {
                Response::json(429, &json!(text)).with("x-requestlimit-exceededreason", text)
            }
        }
    }

    /// One line, for whoever made the change on a screen.
    pub fn text(&self, behaviour: &Behaviour) -> String {
        let answer = self.response("", behaviour);
        format!(
            "{} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        )
    }
}

fn invalid(service: &str, field: &str, text: &str, shape: ErrorShape) -> Response {
    let body = match shape {
        ErrorShape::BareString => json!(text),
        ErrorShape::Message => {
            json!({"Message": "The request is invalid.", "MessageDetail": text})
        }
        ErrorShape::ModelState => {
            let name = format!("{}.{field}", service.to_lowercase());
            json!({"Message": "The request is invalid.", "ModelState": {name: [text]}})
        }
        ErrorShape::Array => json!([text]),
    };
    Response::json(400, &body)
}

fn message(status: u16, text: &str) -> Response {
    Response::json(status, &json!({"Message": text}))
}

/// A page of the web server itself, where Sage's own code was never reached.
fn page(status: u16, text: &str) -> Response {
    let body = format!(
        "<!DOCTYPE html>\r\n<html><head><title>IIS Detailed Error - {status}</title></head>\
         <body><h2>HTTP Error {status}</h2><h3>{text}</h3></body></html>\r\n"
    );
    Response::text(status, "text/html", &body)
}
