//! A script: what a run finds (time, settings, stored data, answers) and what is expected of it. JSON; README.md beside this
//! crate explains every field.
//!
//! Reading it checks all of it, so that a mistake in a script never looks like one of the plugin.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::contract::{Change, Pair};
use crate::expect::Expectations;
use crate::host::MockHost;
use crate::memory::MemoryStorage;
use crate::rules::Rule;
use crate::scripted::{Ready, ScriptedWorld};

#[derive(Debug, Error)]
pub enum ScriptError {
    #[error("{path} cannot be read")]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Line and column are in the source's text.
    #[error("{path} is no script")]
    Malformed {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("{rule}: {why}")]
    Answer { rule: String, why: &'static str },
    #[error("storage: {0}")]
    Storage(String),
}

/// The file as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Of which run it is the recording, for people.
    #[serde(default, rename = "about")]
    _about: Value,
    /// The time at which the run begins, such as `2026-03-02T08:00:00Z`.
    pub now: DateTime<Utc>,
    /// Seconds that each `send` takes.
    #[serde(default)]
    pub advance_per_send: u64,
    #[serde(default = "an_hour")]
    pub rest_after_429_seconds: u64,
    /// Settings and mappings as the guest sees them: of a secret, `set`.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The settings that the guest may store with `set-fetched`.
    #[serde(default)]
    pub fetched_settings: BTreeSet<String>,
    /// By connection: the paths to which a POST reads, as the manifest names them.
    #[serde(default)]
    pub reads: BTreeMap<String, Vec<String>>,
    /// Replaces or adds to what [`Script::host`] fills in.
    #[serde(default)]
    pub context: BTreeMap<String, String>,
    /// Of the job.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Table, key, value; a value that is not a text is stored as compact JSON.
    #[serde(default)]
    pub storage: BTreeMap<String, BTreeMap<String, Value>>,
    /// Recordings, relative to the script's file. Their rules come behind those of `http`.
    #[serde(default)]
    pub replay: Vec<PathBuf>,
    #[serde(default)]
    pub http: Vec<Rule>,
    /// After so many calls of `progress`, a person asks to stop.
    #[serde(default)]
    pub stop_after_progress: Option<u64>,
    /// Codes (`conflict`, `full`, `fenced`, …) with which commits fail, by their number in the run, from 1.
    #[serde(default)]
    pub commit_failures: BTreeMap<u64, String>,
    #[serde(default)]
    pub expect: Expectations,
    /// The rules of `replay`, each with the name of its file.
    #[serde(skip)]
    recorded: Vec<(String, Rule)>,
}

/// What `--record` writes and `replay` reads.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    pub http: Vec<Rule>,
}

fn an_hour() -> u64 {
    3600
}

impl Script {
    /// Reads a script and the recordings that it names.
    pub fn read(path: &Path) -> Result<Self, ScriptError> {
        let mut script: Self = parse(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for recording in &script.replay {
            let name = recording.display().to_string();
            let rules = parse::<Recording>(&folder.join(recording))?.http;
            script
                .recorded
                .extend(rules.into_iter().map(|rule| (name.clone(), rule)));
        }
        Ok(script)
    }

    /// A script without recordings, from its text.
    pub fn from_json(text: &str) -> Result<Self, ScriptError> {
        let path = PathBuf::from("script");
        serde_json::from_str(text).map_err(|source| ScriptError::Malformed { path, source })
    }

    /// A host that is ready for the run.
    pub fn host(&self) -> Result<MockHost<ScriptedWorld>, ScriptError> {
        let mut host = MockHost::new(self.world()?);
        host.storage = self.storage()?;
        host.settings = self.settings.clone();
        host.reads = self.reads.clone();
        host.fetched_settings = self.fetched_settings.clone();
        let today = self.now.format("%Y-%m-%d").to_string();
        let usual = [
            ("run", "1"),
            ("trigger", "person"),
            ("today", &today),
            ("installed-on", &today),
            ("time-zone", "UTC"),
            ("locale", "en"),
        ];
        host.context = usual
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        host.context.extend(self.context.clone());
        Ok(host)
    }

    /// The job's options as the contract wants them.
    pub fn options(&self) -> Vec<Pair> {
        self.options.clone().into_iter().collect()
    }

    fn world(&self) -> Result<ScriptedWorld, ScriptError> {
        let written = self
            .http
            .iter()
            .enumerate()
            .map(|(index, rule)| (format!("http[{index}]"), rule));
        let recorded = self
            .recorded
            .iter()
            .enumerate()
            .map(|(index, (file, rule))| (format!("{file}[{index}]"), rule));
        let ready = |(name, rule): (String, &Rule)| match rule.answer.to_answer() {
            Ok(answer) => Ok(Ready {
                name,
                request: rule.request.clone(),
                answer,
                left: rule.times,
                used: false,
            }),
            Err(why) => Err(ScriptError::Answer { rule: name, why }),
        };
        // A time before 1970 is nobody's.
        let mut world = ScriptedWorld::at(u64::try_from(self.now.timestamp()).unwrap_or(0));
        world.rules = written
            .chain(recorded)
            .map(ready)
            .collect::<Result<_, _>>()?;
        world.advance_per_send = self.advance_per_send;
        world.rest_after_429 = self.rest_after_429_seconds;
        world.stop_after_progress = self.stop_after_progress;
        world.commit_failures = self.commit_failures.clone();
        Ok(world)
    }

    fn storage(&self) -> Result<MemoryStorage, ScriptError> {
        let mut storage = MemoryStorage::default();
        for (table, entries) in &self.storage {
            for (key, value) in entries {
                let value = match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let change = Change {
                    table: table.clone(),
                    key: key.clone(),
                    value: Some(value),
                };
                storage
                    .commit(&[], &[change], &[])
                    .map_err(|refused| ScriptError::Storage(refused.message))?;
            }
        }
        Ok(storage)
    }
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ScriptError> {
    let text = std::fs::read_to_string(path).map_err(|source| ScriptError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|source| ScriptError::Malformed {
        path: path.to_owned(),
        source,
    })
}
