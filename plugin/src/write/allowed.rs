//! What the services do not let this installation do.
//!
//! A right that is missing concerns one path, and only a person can give it. An automatic run takes the refusal of the last hour for an
//! answer, and leaves the day's requests to what works; a run that a person starts asks anew.

use crate::capability::{Answer, Change, Failure, Request, Response, Unanswered};
use crate::collect::{Map, ToMap};
use crate::sage;
use crate::stored::{self, stored};
use crate::text;
use crate::write::ledger::{META, Run};

/// The code of a failure for want of a right.
pub const NOT_ALLOWED: &str = "not-allowed";

/// In [`META`], before what was refused.
const PREFIX: &str = "refused/";
const ASK_AGAIN_SECONDS: u64 = 60 * 60;
/// Refusals that are remembered; there are not so many paths.
const MOST: u32 = 100;
/// Of a refusal's text.
const LENGTH: usize = 2_000;

/// An answer that is as good as another one for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    until: u64,
    status: u32,
    body: String,
}

stored!(Refusal {
    until,
    status,
    body
});

/// What one right is about: `sage POST TaxInvoice/Save`, `splynx GET admin/finance/invoices`.
fn subject(request: &Request) -> String {
    let path = request.path.trim_end_matches(|c: char| c.is_ascii_digit());
    let path = path.trim_end_matches('/');
    format!("{} {} {path}", request.connection, request.method)
}

/// Whether an answer says that a right is missing. Splynx's 405 is about a record, Sage's is not (Sage API 1.5).
fn is_for_want_of_a_right(connection: &str, status: u16) -> bool {
    status == 403 || status == 405 && connection == sage::CONNECTION
}

impl Run<'_> {
    /// The answers to requests, in their order.
    pub fn send_all(&mut self, requests: Vec<Request>) -> Vec<Answer> {
        let about: Vec<(&str, String)> = requests
            .iter()
            .map(|request| (request.connection, subject(request)))
            .collect();
        let known: Vec<Option<Response>> = about
            .iter()
            .map(|(_, subject)| self.known_refusal(subject))
            .collect();
        let to_send = requests.into_iter().zip(&known);
        let to_send = to_send.filter(|(_, known)| known.is_none());
        let to_send: Vec<Request> = to_send.map(|(request, _)| request).collect();
        let mut answers = Vec::new().into_iter();
        if !to_send.is_empty() {
            answers = self.cap.send(to_send).into_iter();
        }
        let mut all = Vec::new();
        for ((connection, subject), known) in about.into_iter().zip(known) {
            all.push(match known {
                Some(refusal) => Ok(refusal),
                None => {
                    let answer = answers.next().unwrap_or_else(unanswered);
                    self.note_refusal(connection, subject, &answer);
                    answer
                }
            });
        }
        all
    }

    /// What an automatic run need not ask.
    fn known_refusal(&mut self, subject: &str) -> Option<Response> {
        if !self.settings.is_automatic {
            return None;
        }
        let refusal = self.refusals().get(subject)?.clone();
        (self.cap.now() < refusal.until).then(|| Response {
            status: u16::try_from(refusal.status).unwrap_or(403),
            headers: Vec::new(),
            body: refusal.body,
        })
    }

    /// Remembers a refusal, and forgets it once there is another answer. Where nothing may be stored, the next run asks again.
    fn note_refusal(&mut self, connection: &str, subject: String, answer: &Answer) {
        let Ok(response) = answer else { return };
        let key = format!("{PREFIX}{subject}");
        let value = if is_for_want_of_a_right(connection, response.status) {
            let refusal = Refusal {
                until: self.cap.now() + ASK_AGAIN_SECONDS,
                status: response.status.into(),
                body: text::first(&response.body, LENGTH).to_owned(),
            };
            let text = stored::to_text(&refusal);
            self.refusals().insert(subject, refusal);
            Some(text)
        } else if self.refusals().remove(&subject).is_some() {
            None
        } else {
            return;
        };
        let change = Change {
            table: META,
            key,
            value,
        };
        let _ = self.cap.commit(Vec::new(), vec![change], Vec::new());
    }

    fn refusals(&mut self) -> &mut Map<String, Refusal> {
        if self.refusals.is_none() {
            let entries = self.cap.scan(META, PREFIX, "", MOST).unwrap_or_default();
            let refusals = entries.into_iter().filter_map(|entry| {
                let subject = entry.key.strip_prefix(PREFIX)?.to_owned();
                Some((subject, stored::from_text(&entry.value)?))
            });
            self.refusals = Some(refusals.to_map());
        }
        self.refusals.get_or_insert_default()
    }
}

fn unanswered() -> Answer {
    Err(Unanswered {
        maybe_sent: true,
        reason: Failure::new("internal", "The host did not answer a request."),
    })
}
