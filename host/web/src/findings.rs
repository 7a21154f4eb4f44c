//! The last readiness check of each installation: a check takes a while and talks to the services, so pages show the last one with
//! its time instead of making one. What was found is in the store; what is under way, or did not work, is known here alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::App;
use super::failure::Failure;
use addon_service::host::{Finding, HostError};
use addon_settings::FieldProblem;

/// How long a page waits for a check; it goes on without the page.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub enum Checked {
    /// It was begun then.
    Underway(DateTime<Utc>),
    Found(DateTime<Utc>, Vec<Finding>),
    /// Why the check itself did not work.
    Failed(DateTime<Utc>, String),
}

#[derive(Default)]
pub struct Findings(Mutex<HashMap<String, Checked>>);

impl Findings {
    /// What is known here.
    fn own(&self, installation: &str) -> Option<Checked> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(installation)
            .cloned()
    }

    fn keep(&self, installation: &str, checked: Option<Checked>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match checked {
            Some(checked) => all.insert(installation.to_owned(), checked),
            None => all.remove(installation),
        };
    }
}

/// The last check of an installation; `None`: there was none yet.
pub async fn last(app: &App, installation: &str) -> Result<Option<Checked>, Failure> {
    if let Some(own) = app.findings.own(installation) {
        return Ok(Some(own));
    }
    let last = app.host.last_check(installation).await?;
    Ok(last.map(|(at, findings)| Checked::Found(at, findings)))
}

/// Why the work came to nothing.
pub enum Refusal {
    /// These fields cannot be saved so.
    Fields(Vec<FieldProblem>),
    Whole(String),
}

/// Does what answers findings (a check, saving settings) and keeps them; settings that were refused leave the last ones as they
/// are. Returns when it is done, with what went wrong, or when it has taken so long that a page should appear without it.
pub async fn record(
    app: &App,
    installation: &str,
    work: impl Future<Output = Result<Vec<Finding>, HostError>> + Send + 'static,
) -> Result<Option<Refusal>, Failure> {
    let before = app.findings.own(installation);
    app.findings
        .keep(installation, Some(Checked::Underway(app.clock.now())));
    let (app, name) = (app.clone(), installation.to_owned());
    let working = App::detached(async move {
        let answer = match work.await {
            Err(HostError::Settings(problems)) => {
                app.findings.keep(&name, before);
                return Some(Refusal::Fields(problems));
            }
            answer => answer.map_err(|error| Failure::from(error).message),
        };
        let problem = answer.err();
        app.choices.forget(&name);
        let failed = problem
            .clone()
            .map(|problem| Checked::Failed(app.clock.now(), problem));
        app.findings.keep(&name, failed);
        problem.map(Refusal::Whole)
    });
    match tokio::time::timeout(PATIENCE, working).await {
        Ok(done) => done,
        Err(_) => Ok(None),
    }
}
