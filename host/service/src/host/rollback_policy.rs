//! A new version is on probation until one of its runs came to a good end: where it breaks down three times in a row, or cannot bring
//! the stored state up to date, the host goes back to the version before by itself and says so.
//!
//! Only what is the add-on's own fault counts: a service that does not answer or refuses credentials does the same to any version. The
//! trap: several hosts judge at once, so only whoever still finds the version active goes back from it.

use super::{Host, HostError};
use addon_runs::{MIGRATION_FAILED, Starter, Task, Work};
use addon_store::{
    AddonVersion, Author, Failure, Installation, LogLine, Outcome, RunId, RunState, StoreError,
};

/// Failures in a row.
const PATIENCE: usize = 3;

/// Codes of failures that are the add-on's own fault.
const FAULTS: [&str; 4] = ["crashed", "cpu-limit", "memory-limit", "unknown-state"];

/// What came of bringing an installation's state up to date.
pub struct Migrated {
    pub installation: String,
    /// `None`: it is up to date; a run is working there, or the host is, and the next run does it.
    pub failure: Option<Failure>,
}

impl Host {
    /// Brings the state of every installation that runs a version up to date, where no run is at work. Otherwise its next run does.
    pub async fn migrate_installations(
        &self,
        version: &AddonVersion,
        actor: &str,
    ) -> Result<Vec<Migrated>, HostError> {
        let mut migrated = Vec::new();
        for installation in self.store().installations().await? {
            let (installation, loaded) = match installation.addon == version.addon {
                true => self.situation(&installation.name).await?,
                false => continue,
            };
            let state = loaded.manifest.addon.state;
            if loaded.sha256 != version.sha256 || installation.state >= state {
                continue;
            }
            let name = installation.name.clone();
            let begun = self
                .begin(installation, loaded, Task::Migrate, Starter::person(actor))
                .await;
            let outcome = match begun {
                Ok(run) => run.wait().await,
                Err(HostError::Begin(_)) => continue,
                Err(other) => return Err(other),
            };
            migrated.push(Migrated {
                installation: name,
                failure: outcome.why.filter(|_| outcome.state == RunState::Failed),
            });
        }
        Ok(migrated)
    }

    /// Looks at how a run of a version ended, and goes back where that was once too often.
    pub(super) async fn judge(&self, work: &Work, outcome: &Outcome) {
        if outcome.state != RunState::Failed || work.is_preview() {
            return;
        }
        if let Err(error) = self.try_judge(work, outcome).await {
            tracing::warn!(%error, "the host could not go back to an earlier version");
        }
    }

    async fn try_judge(&self, work: &Work, outcome: &Outcome) -> Result<(), StoreError> {
        let Some(why) = outcome.why.as_ref() else {
            return Ok(());
        };
        let sha256 = &work.loaded().sha256;
        let at_once = why.code == MIGRATION_FAILED;
        if !at_once {
            let ends = self.store().ends_of(sha256).await?;
            if !is_given_up(&ends) {
                return Ok(());
            }
        }
        let installation = self.store().installation(&work.installation().name).await?;
        let back = self.step_back_from(&installation, sha256, why).await?;
        if let Some((from, to)) = back {
            let message = format!(
                "Version {from} of the add-on failed, and the host went back to version {to}: {}",
                why.message
            );
            tracing::warn!(installation = installation.name, "{message}");
            self.tell(work.id(), message).await?;
        }
        Ok(())
    }

    /// The versions from and to, where there was one to go back to.
    async fn step_back_from(
        &self,
        installation: &Installation,
        sha256: &str,
        why: &Failure,
    ) -> Result<Option<(String, String)>, StoreError> {
        let store = self.store();
        let author = Author::host(self.0.services.clock.now());
        let versions = store.versions_of(&installation.addon).await?;
        let Some(from) = versions.iter().find(|version| version.sha256 == sha256) else {
            return Ok(None);
        };
        if installation.pinned == sha256 {
            let Some(active) = versions
                .iter()
                .find(|other| other.active && other.sha256 != sha256)
            else {
                return Ok(None);
            };
            store.pin(&installation.name, None, &author).await?;
            return Ok(Some((from.version.clone(), active.version.clone())));
        }
        let earlier = versions.iter().find(|other| {
            other.sha256 != sha256
                && other.withdrawn.is_empty()
                && other.installed_at <= from.installed_at
        });
        let Some(to) = earlier else {
            return Ok(None);
        };
        let why = format!(
            "the host went back to {} by itself: {}",
            to.version, why.message
        );
        let gone = store.step_back(from, to, &why, &author).await?;
        Ok(gone.then(|| (from.version.clone(), to.version.clone())))
    }

    /// A line for people in the log of a run that is over.
    async fn tell(&self, run: RunId, message: String) -> Result<(), StoreError> {
        let at = self.0.services.clock.now();
        let line = LogLine {
            at,
            level: "error".to_owned(),
            message,
        };
        self.store().append_log(run, &[line]).await
    }
}

/// `ends`: of the version's runs, the newest first, with the codes of their failures.
fn is_given_up(ends: &[(RunState, Option<String>)]) -> bool {
    let is_fault = |(state, code): &(RunState, Option<String>)| {
        *state == RunState::Failed && code.as_deref().is_some_and(|code| FAULTS.contains(&code))
    };
    let is_good = |(state, _): &(RunState, Option<String>)| {
        matches!(state, RunState::Finished | RunState::Paused)
    };
    ends.len() >= PATIENCE && ends[..PATIENCE].iter().all(is_fault) && !ends.iter().any(is_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_breakdowns_in_a_row_end_a_version_that_never_worked() {
        let end = |text: &str| match text {
            "good" => (RunState::Finished, None),
            "paused" => (RunState::Paused, None),
            "stopped" => (RunState::Stopped, None),
            code => (RunState::Failed, Some(code.to_owned())),
        };
        for (ends, given_up) in [
            ("", false),
            ("crashed crashed", false),
            ("crashed crashed crashed", true),
            ("cpu-limit memory-limit crashed", true),
            ("crashed denied crashed crashed", false),
            ("crashed crashed crashed denied", true),
            ("crashed crashed crashed stopped", true),
            ("stopped crashed crashed crashed", false),
            ("crashed crashed crashed good", false),
            ("crashed crashed crashed stopped paused", false),
        ] {
            let list: Vec<_> = ends.split_whitespace().map(end).collect();
            assert_eq!(is_given_up(&list), given_up, "{ends}");
        }
    }
}
