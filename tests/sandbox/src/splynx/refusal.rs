//! Why a request is refused, and the body that says so (Splynx API, errors).
//!
//! The shape of a 422 is not documented, so it is a switch: clients must accept them all.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use crate::http::Response;

/// A field that failed validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("{message}")]
    Plain {
        status: u16,
        code: &'static str,
        message: String,
    },
    #[error("{}", .0.iter().map(|e| e.message.as_str()).collect::<Vec<_>>().join(" "))]
    Invalid(Vec<FieldError>),
}

/// How a 422 is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvalidShape {
    /// `[{"field": …, "message": …}]` (assumed)
    #[default]
    List,
    /// `{field: [messages]}`
    Object,
    /// `{"error": {…}}` like every other error
    Error,
    Text,
}

impl Refusal {
    fn plain(status: u16, code: &'static str, message: &str) -> Self {
        Refusal::Plain {
            status,
            code,
            message: message.to_owned(),
        }
    }

    pub fn bad_request(message: &str) -> Self {
        Self::plain(400, "BAD_REQUEST", message)
    }

    /// 401 with one of the codes that Splynx tells apart.
    pub fn unauthorized(code: &'static str, message: &str) -> Self {
        Self::plain(401, code, message)
    }

    pub fn forbidden() -> Self {
        Self::plain(
            403,
            "FORBIDDEN",
            "You don't have permission to access this resource.",
        )
    }

    pub fn not_found() -> Self {
        Self::plain(404, "NOT_FOUND", "Entity not found.")
    }

    pub fn method_disabled() -> Self {
        Self::plain(405, "METHOD_DISABLED", "Method is disabled!")
    }

    pub fn other_partner() -> Self {
        Self::plain(
            405,
            "NOT_ALLOWED_BY_PARTNER_RESTRICTION",
            "Entity belongs to another partner.",
        )
    }

    pub fn cannot_delete(message: &str) -> Self {
        Self::plain(405, "ENTITY_CANNOT_BE_DELETED", message)
    }

    /// One failed field; the message is a whole sentence.
    pub fn invalid(field: &str, message: &str) -> Self {
        Refusal::Invalid(vec![FieldError {
            field: field.to_owned(),
            message: message.to_owned(),
        }])
    }

    pub fn response(&self, shape: InvalidShape) -> Response {
        match self {
            Refusal::Plain {
                status,
                code,
                message,
            } => Response::json(*status, &error_body(message, *status, code)),
            Refusal::Invalid(errors) => match shape {
                InvalidShape::List => {
                    let list: Vec<Value> = errors
                        .iter()
                        .map(|e| json!({"field": e.field, "message": e.message}))
                        .collect();
                    Response::json(422, &Value::Array(list))
                }
                InvalidShape::Object => {
                    let object: Value = errors
                        .iter()
                        .map(|e| (e.field.clone(), json!([e.message])))
                        .collect();
                    Response::json(422, &object)
                }
                InvalidShape::Error => Response::json(
                    422,
                    &error_body(&self.to_string(), 422, "INVALID_INPUT_DATA"),
                ),
                InvalidShape::Text => {
                    Response::text(422, "text/plain; charset=utf-8", &self.to_string())
                }
            },
        }
    }
}

fn error_body(message: &str, status: u16, code: &str) -> Value {
    json!({"error": {"message": message, "code": status, "internal_code": code}})
}
