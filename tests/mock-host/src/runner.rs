//! One run by a script, and all that is to be told about it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::contract::{Activity, Failure, Outcome, Row};
use crate::host::MockHost;
use crate::script::Script;
use crate::scripted::ScriptedWorld;
use crate::trace::Step;

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunEnd {
    Outcome(Outcome),
    /// The job returned a failure.
    Failure(Failure),
    /// The component did not return; the text says why.
    Crash(String),
}

impl RunEnd {
    /// The outcome's state, `failed` or `crashed`.
    pub fn state(&self) -> &str {
        match self {
            Self::Outcome(outcome) => &outcome.state,
            Self::Failure(_) => "failed",
            Self::Crash(_) => "crashed",
        }
    }

    /// The failure, or why an outcome is as it is.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Outcome(outcome) => outcome.why.as_ref(),
            Self::Failure(failure) => Some(failure),
            Self::Crash(_) => None,
        }
    }

    pub fn counts(&self) -> &[(String, u64)] {
        match self {
            Self::Outcome(outcome) => &outcome.counts,
            Self::Failure(_) | Self::Crash(_) => &[],
        }
    }
}

impl fmt::Display for RunEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.state())?;
        match self {
            Self::Crash(why) => write!(f, " ({why})"),
            _ => match self.failure() {
                Some(failure) => write!(f, " ({}: {})", failure.code, failure.message),
                None => Ok(()),
            },
        }
    }
}

/// Everything that a run did, as it is printed.
#[derive(Debug, Clone, Serialize)]
pub struct RunRecord {
    pub job: String,
    pub preview: bool,
    pub end: RunEnd,
    /// Expectations that were not met.
    pub unmet: Vec<String>,
    pub steps: Vec<Step>,
    pub activities: Vec<Activity>,
    pub reports: BTreeMap<String, Vec<Row>>,
    /// At the end of the run: table, key, value.
    pub storage: BTreeMap<String, BTreeMap<String, String>>,
}

impl RunRecord {
    /// What is left of a run by `script`: for those who run native code instead of a component.
    pub fn new(
        script: &Script,
        job: &str,
        preview: bool,
        host: &MockHost<ScriptedWorld>,
        end: RunEnd,
    ) -> Self {
        Self {
            job: job.to_owned(),
            preview,
            unmet: script.expect.unmet(host, &end),
            end,
            steps: host.trace().to_vec(),
            activities: host.storage.activities().to_vec(),
            reports: host.reports.clone(),
            storage: host
                .storage
                .tables()
                .map(|(name, entries)| (name.to_owned(), entries.clone()))
                .collect(),
        }
    }
}

#[cfg(feature = "component")]
impl crate::component::Plugin {
    /// Runs a job as a script has it.
    pub fn run_script(
        &self,
        script: &Script,
        job: &str,
        preview: bool,
    ) -> Result<RunRecord, crate::script::ScriptError> {
        let (host, ending) = self.run_job(script.host()?, job, preview, &script.options());
        let end = match ending {
            Ok(Ok(outcome)) => RunEnd::Outcome(outcome),
            Ok(Err(failure)) => RunEnd::Failure(failure),
            Err(crash) => RunEnd::Crash(crash.to_string()),
        };
        Ok(RunRecord::new(script, job, preview, &host, end))
    }
}
