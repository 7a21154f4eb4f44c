//! News as a message: for people a subject and plain text, for programs JSON. What add-ons and services wrote stays a text: the subject is
//! one line, and nothing in it is markup.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::incident::{Held, Incident, Kind, News};
use addon_store::StoreError;

/// What one message tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertContent {
    pub news: Vec<News>,
    /// Those recipients who did not get it with the others; empty: it went to nobody yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
}

/// Where the admin pages are, as people reach them; `None`: nobody said.
pub type Address<'a> = Option<&'a str>;

/// A subject longer than this is cut by mail programs anyway.
const LONGEST_SUBJECT: usize = 120;

/// A message of an add-on longer than this is not for reading on the way.
const LONGEST_MESSAGE: usize = 600;

impl AlertContent {
    pub fn of(news: Vec<News>) -> Self {
        Self {
            news,
            only: Vec::new(),
        }
    }

    /// The same, for these recipients alone.
    pub fn only(self, recipients: Vec<String>) -> Self {
        Self {
            only: recipients,
            ..self
        }
    }

    /// As the store keeps it.
    pub fn stored(&self) -> String {
        serde_json::to_string(self).expect("records of texts, numbers and times serialise")
    }

    /// What [`AlertContent::stored`] wrote.
    pub fn read(stored: &str) -> Result<Self, StoreError> {
        serde_json::from_str(stored)
            .map_err(|error| StoreError::Corrupt(format!("an alert: {error}")))
    }

    /// One line.
    pub fn subject(&self) -> String {
        let subject = match self.news.as_slice() {
            [] => "nothing to tell".to_owned(),
            [one] => headline(one),
            [first, others @ ..] => format!("{} (and {} more)", headline(first), others.len()),
        };
        one_line(&subject, LONGEST_SUBJECT)
    }

    /// Plain text, for reading.
    pub fn text(&self, address: Address<'_>) -> String {
        let mut text = String::new();
        for one in &self.news {
            let _ = writeln!(text, "{}\n", one_line(&headline(one), LONGEST_MESSAGE));
            for line in details(one) {
                let _ = writeln!(text, "  {}", one_line(&line, LONGEST_MESSAGE));
            }
            if let Some(link) = link(one, address) {
                let _ = writeln!(text, "  {link}");
            }
            text.push('\n');
        }
        text.push_str(
            "-- \nThe add-on host tells this once, and at most every six hours while it lasts.\n",
        );
        text
    }

    /// For programs; `text` for those that only show a text.
    pub fn json(&self, id: &str, made_at: DateTime<Utc>, address: Address<'_>) -> Value {
        let news = self.news.iter().map(|one| {
            let mut value = json!(one);
            if let (Value::Object(fields), Some(link)) = (&mut value, link(one, address)) {
                fields.insert("link".to_owned(), link.into());
            }
            value
        });
        json!({
            "id": id,
            "made_at": made_at.to_rfc3339(),
            "subject": self.subject(),
            "text": self.text(address),
            "news": news.collect::<Vec<_>>(),
        })
    }
}

fn headline(news: &News) -> String {
    match news {
        News::Began(incident) => format!("{}: {}", incident.installation, what(incident)),
        News::Lasts(incident) => format!("{}: still, {}", incident.installation, what(incident)),
        News::Ended { incident, .. } => {
            format!("{}: over: {}", incident.installation, what(incident))
        }
        News::Held(held) => match total(held) {
            1 => format!("{}: one record needs you", held.installation),
            records => format!("{}: {records} records need you", held.installation),
        },
        News::Away { .. } => "the add-on host was away".to_owned(),
        News::Test => "a test of the add-on host's alerts".to_owned(),
    }
}

fn what(incident: &Incident) -> String {
    match (incident.kind, incident.title.as_str()) {
        (Kind::Failing, title) => format!("{title} fails"),
        (Kind::NotStarted, "") => "nothing can be started".to_owned(),
        (Kind::NotStarted, title) => format!("{title} does not start"),
        (Kind::NothingDone, _) => "nothing was done for a day".to_owned(),
    }
}

fn details(news: &News) -> Vec<String> {
    match news {
        News::Began(incident) | News::Lasts(incident) => {
            let mut lines = vec![since(incident)];
            if !incident.message.is_empty() {
                lines.push(incident.message.clone());
            }
            lines
        }
        News::Ended { incident, at } => {
            vec![format!(
                "{} Over by {}.",
                since(incident),
                moment(*at, &incident.zone)
            )]
        }
        News::Held(held) => held
            .groups
            .iter()
            .map(|group| format!("{} x {}: {}", group.records, group.entity, group.message))
            .collect(),
        News::Away { from, until } => vec![
            format!(
                "No host looked after the schedules from {} until {}.",
                moment(*from, "UTC"),
                moment(*until, "UTC")
            ),
            "What was due then was not done; what is due now is done now.".to_owned(),
        ],
        News::Test => vec!["If you read this, alerts reach you.".to_owned()],
    }
}

fn since(incident: &Incident) -> String {
    let runs = match incident.times {
        0 => String::new(),
        1 => ", one run".to_owned(),
        times => format!(", {times} runs"),
    };
    format!("Since {}{runs}.", moment(incident.since, &incident.zone))
}

fn total(held: &Held) -> u64 {
    held.groups.iter().map(|group| group.records).sum()
}

/// The page on which a person goes on.
fn link(news: &News, address: Address<'_>) -> Option<String> {
    let address = address?.trim_end_matches('/');
    let run = match news {
        News::Began(incident) | News::Lasts(incident) => incident.run,
        _ => None,
    };
    Some(match (run, news.installation()) {
        (Some(run), _) => format!("{address}/runs/{run}"),
        (None, Some(installation)) => format!("{address}/installations/{installation}"),
        (None, None) => format!("{address}/installations"),
    })
}

fn moment(at: DateTime<Utc>, zone: &str) -> String {
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    format!(
        "{} ({})",
        at.with_timezone(&zone).format("%Y-%m-%d %H:%M"),
        zone.name()
    )
}

/// Without what would end a header or a line, and not longer than that.
fn one_line(text: &str, longest: usize) -> String {
    let clean: String = text
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    match clean.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}
