//! A run as one line of a list.

use super::installation_page::InstallationPage;
use crate::App;
use crate::frame::{Moment, duration};
use crate::texts;
use addon_store::{Run, RunState, Trigger};

pub struct RunLine {
    pub id: i64,
    pub href: String,
    pub job: String,
    pub preview: bool,
    pub by: String,
    /// Also the name of its colour.
    pub state: &'static str,
    pub started: Moment,
    pub took: String,
    /// Counts, or why it did not come to its end.
    pub told: String,
}

impl RunLine {
    pub fn new(app: &App, subject: &InstallationPage, run: &Run) -> Self {
        let now = app.clock.now();
        Self {
            id: run.id,
            href: app.href(&format!("/runs/{}", run.id)),
            job: subject.job_title(&run.job),
            preview: run.preview,
            by: by(run),
            state: state(run),
            started: subject.moment(run.started_at),
            took: duration(run.ended_at.unwrap_or(now) - run.started_at),
            told: told(run),
        }
    }
}

/// The state as people see it.
pub fn state(run: &Run) -> &'static str {
    match run.state {
        RunState::Running if run.stop_requested => "stopping",
        state => state.as_str(),
    }
}

pub fn by(run: &Run) -> String {
    match run.trigger {
        Trigger::Person => run.actor.clone(),
        Trigger::Schedule => texts::runs::SCHEDULE.to_owned(),
        Trigger::Event => texts::runs::EVENT.to_owned(),
        Trigger::Resume => texts::runs::RESUMED.to_owned(),
    }
}

fn told(run: &Run) -> String {
    let Some(outcome) = &run.outcome else {
        return progress(run);
    };
    match &outcome.why {
        Some(why) => why.message.clone(),
        None => outcome
            .counts
            .iter()
            .map(|(name, count)| format!("{name}: {count}"))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Stage and numbers of a run that works.
pub fn progress(run: &Run) -> String {
    let progress = &run.progress;
    match (progress.stage.as_str(), progress.total) {
        ("", _) => String::new(),
        (stage, 0) => texts::runs::progress(stage, progress.done),
        (stage, total) => texts::runs::progress_of(stage, progress.done, total),
    }
}
