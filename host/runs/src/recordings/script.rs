//! A recording as `mock-host` reads it: a script with what the run found, what was answered, and how it ended.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::cast::{Cast, headers};
use super::tape::{Tape, TapeContents};
use super::vocabulary::Vocabulary;
use addon_manifest::{Manifest, SettingKind};
use addon_store::{Outcome, RecordingKind};
use addon_traffic::{Answer, Request};

/// Which run it was.
#[derive(Debug, Clone, Copy)]
pub struct About<'r> {
    pub manifest: &'r Manifest,
    /// The add-on's package.
    pub package: &'r [u8],
    pub job: &'r str,
    pub preview: bool,
    pub options: &'r [(String, String)],
    pub started: DateTime<Utc>,
    pub outcome: &'r Outcome,
}

/// What is kept of a run's tape.
pub fn made(tape: &Tape, taken: &TapeContents, about: About<'_>) -> Vec<(RecordingKind, String)> {
    let vocabulary = Vocabulary::of_package(about.package);
    let cast = Cast::of(taken, about.manifest, &vocabulary);
    if tape.is_whole() {
        let script = script(&cast, taken, about);
        return vec![(RecordingKind::Whole, format!("{script:#}\n"))];
    }
    let failed = json!({ "http": rules(&cast, taken) });
    vec![(RecordingKind::Failed, format!("{failed:#}\n"))]
}

/// The whole run.
fn script(cast: &Cast<'_>, taken: &TapeContents, about: About<'_>) -> Value {
    let manifest = about.manifest;
    let mut stored: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for ((table, key), value) in &taken.stored {
        let (key, value) = cast.entry(table, key, value);
        stored.entry(table).or_default().insert(key, value.into());
    }
    let settings = taken.settings.iter().flatten();
    let settings: Map<String, Value> = settings
        .map(|(key, value)| (key.clone(), cast.setting(key, value).into()))
        .collect();
    let context: BTreeMap<&str, &str> = taken
        .context
        .iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let options: BTreeMap<&str, String> = about
        .options
        .iter()
        .map(|(key, value)| (key.as_str(), cast.option(value)))
        .collect();
    let fetched = manifest.settings.iter();
    let fetched = fetched.filter(|spec| matches!(spec.kind, SettingKind::Fetched { .. }));
    let fetched: Vec<&str> = fetched.map(|spec| spec.key.as_str()).collect();
    let reads: BTreeMap<&str, &[String]> = manifest
        .connections
        .iter()
        .map(|(name, connection)| (name.as_str(), connection.reads.as_slice()))
        .collect();
    json!({
        "about": {
            "add-on": manifest.addon.id,
            "version": manifest.addon.version.to_string(),
            "host": env!("CARGO_PKG_VERSION"),
            "job": about.job,
            "preview": about.preview,
            "cut": taken.is_cut(),
        },
        "now": taken.began.unwrap_or(about.started),
        "advance_per_send": pace(taken),
        "settings": settings,
        "fetched_settings": fetched,
        "reads": reads,
        "context": context,
        "options": options,
        "storage": stored,
        "http": rules(cast, taken),
        "commit_failures": taken.failed_commits,
        "stop_after_progress": taken.stopped_after,
        "expect": expectations(about.outcome),
    })
}

/// Seconds that a batch of requests took, on average.
fn pace(taken: &TapeContents) -> u64 {
    let took = taken.began.zip(taken.ended).map(|(from, to)| to - from);
    let seconds = took.map_or(0, |took| took.num_seconds());
    u64::try_from(seconds).unwrap_or_default() / taken.sends.max(1)
}

fn rules(cast: &Cast<'_>, taken: &TapeContents) -> Vec<Value> {
    let exchanges = taken.exchanges.iter();
    exchanges
        .map(|(asked, answer)| {
            json!({ "request": request(cast, asked), "answer": answered(cast, asked, answer), "times": 1 })
        })
        .collect()
}

fn request(cast: &Cast<'_>, asked: &Request) -> Value {
    let query: Vec<String> = asked
        .query
        .iter()
        .map(|(name, value)| {
            let value = cast.parameter(&asked.connection, name, value);
            format!("{name}={value}")
        })
        .collect();
    json!({
        "connection": asked.connection,
        "method": asked.method,
        "path": cast.path(&asked.path),
        "query": query,
        "body": cast.body(&asked.connection, &asked.body),
        "exact": true,
    })
}

fn answered(cast: &Cast<'_>, asked: &Request, answer: &Answer) -> Value {
    match answer {
        Ok(response) => json!({
            "status": response.status,
            "headers": headers(answer),
            "text": cast.body(&asked.connection, &response.body),
        }),
        Err(unanswered) => json!({
            "unanswered": {
                "code": unanswered.reason.code,
                "maybe_sent": unanswered.maybe_sent,
                "message": unanswered.reason.message,
                "retry_at": unanswered.reason.retry_at,
            },
        }),
    }
}

/// The decisions: how the run ended, and how much of what it did. What the host itself ended is none of them.
fn expectations(outcome: &Outcome) -> Value {
    let code = outcome.why.as_ref().map(|why| why.code.as_str());
    let counts: BTreeMap<&str, u64> = outcome
        .counts
        .iter()
        .filter(|(name, _)| !name.starts_with(crate::CALLS_TO))
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    json!({
        "state": outcome.state.as_str(),
        "code": code,
        "counts": counts,
        "all_answers_used": true,
    })
}
