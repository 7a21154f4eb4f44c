//! How a script writes requests and their answers, and how a run is written down so that a script can replay it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::contract::{Answer, Failure, Pair, Response, Unanswered};
use crate::matching::RequestMatch;
use crate::trace::{Step, exchanges};

/// The first rule that matches a request and is not used up answers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub request: RequestMatch,
    pub answer: AnswerSpec,
    /// How often it may answer; left out: always. Rules that follow one another with `1` are a sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// Either `status` (with `headers`, and `json` or `text`), or `unanswered`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnswerSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<UnansweredSpec>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnansweredSpec {
    /// As in `http.wit`: `timeout`, `unreachable`, …
    pub code: String,
    /// True: the other side may have acted on it.
    pub maybe_sent: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Seconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<u64>,
}

impl AnswerSpec {
    /// What the guest gets, or why this is no answer.
    pub fn to_answer(&self) -> Result<Answer, &'static str> {
        match (self.status, &self.unanswered) {
            (Some(_), Some(_)) => Err("it has both a `status` and `unanswered`"),
            (None, None) => Err("it has neither a `status` nor `unanswered`"),
            (Some(status), None) => self.to_response(status).map(Ok),
            (None, Some(_))
                if !self.headers.is_empty() || self.json.is_some() || self.text.is_some() =>
            {
                Err("what is unanswered has no headers and no body")
            }
            (
                None,
                Some(UnansweredSpec {
                    code,
                    maybe_sent,
                    message,
                    retry_at,
                }),
            ) => {
                let mut reason = Failure::new(code, message.clone());
                reason.retry_at = *retry_at;
                Ok(Err(Unanswered {
                    maybe_sent: *maybe_sent,
                    reason,
                }))
            }
        }
    }

    fn to_response(&self, status: u16) -> Result<Response, &'static str> {
        if !(100..=599).contains(&status) {
            return Err("its `status` is no HTTP status");
        }
        let mut headers: Vec<Pair> = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect();
        let body = match (&self.json, &self.text) {
            (Some(_), Some(_)) => return Err("it has both a `json` and a `text` body"),
            (Some(json), None) => {
                if !headers.iter().any(|(name, _)| name == "content-type") {
                    headers.push((
                        "content-type".to_owned(),
                        "application/json; charset=utf-8".to_owned(),
                    ));
                }
                json.to_string()
            }
            (None, text) => text.clone().unwrap_or_default(),
        };
        Ok(Response {
            status,
            headers,
            body,
        })
    }

    fn of(answer: &Answer) -> Self {
        match answer {
            Ok(Response {
                status,
                headers,
                body,
            }) => Self {
                status: Some(*status),
                headers: headers.iter().cloned().collect(),
                // As text: a body is what was sent, byte for byte.
                text: Some(body.clone()),
                ..Self::default()
            },
            Err(Unanswered { maybe_sent, reason }) => Self {
                unanswered: Some(UnansweredSpec {
                    code: reason.code.clone(),
                    maybe_sent: *maybe_sent,
                    message: reason.message.clone(),
                    retry_at: reason.retry_at,
                }),
                ..Self::default()
            },
        }
    }
}

/// The exchanges of a run as rules that each answer once: what a script's `replay` reads.
pub fn recording(steps: &[Step]) -> Vec<Rule> {
    exchanges(steps)
        .filter(|exchange| exchange.sent)
        .map(|exchange| Rule {
            request: RequestMatch::exactly(&exchange.request),
            answer: AnswerSpec::of(&exchange.answer),
            times: Some(1),
        })
        .collect()
}
