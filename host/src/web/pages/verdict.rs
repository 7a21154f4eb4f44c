//! Is all well? One sentence about an installation, its colour, and the place to go on.

use super::check_part::CheckPart;
use super::run_line::progress;
use super::setup::GuidePart;
use super::subject::{Place, Subject};
use super::todo::ToDo;
use super::traffic::TrafficPart;
use crate::store::{Run, RunState};
use crate::web::App;
use crate::web::failure::Failure;
use crate::web::frame::Moment;
use crate::web::texts;

pub struct VerdictPart {
    /// The name of its colour.
    pub tone: &'static str,
    pub text: String,
    /// Before a time, if there is one.
    pub at: Option<Moment>,
    pub detail: String,
    /// Where to go on, and what the link says.
    pub link: Option<(String, String)>,
}

/// What the verdict follows from. The worst counts.
pub struct Evidence<'e> {
    pub traffic: &'e [TrafficPart],
    pub guide: Option<&'e GuidePart>,
    pub check: &'e CheckPart,
    pub todo: &'e ToDo,
    /// The newest first.
    pub runs: &'e [Run],
}

impl VerdictPart {
    pub async fn load(
        app: &App,
        subject: &Subject,
        evidence: Evidence<'_>,
    ) -> Result<Self, Failure> {
        let plain = |tone, text: String, detail: String, link| Self {
            tone,
            text,
            at: None,
            detail,
            link,
        };
        let stopped = evidence
            .traffic
            .iter()
            .find_map(|part| Some((&part.title, part.problem.as_ref()?)));
        let last = last_success(app, subject).await?;
        if let (Some(guide), None) = (evidence.guide, &last) {
            return Ok(plain(
                "fresh",
                texts::verdict::NOT_SET_UP.to_owned(),
                texts::setup::far(guide.done, guide.all, &guide.next),
                Some((guide.href.clone(), texts::setup::TITLE.to_owned())),
            ));
        }
        if let Some((title, problem)) = stopped {
            let settings = subject.href(app, Place::Settings);
            return Ok(plain(
                "error",
                texts::verdict::stopped(title),
                problem.clone(),
                Some((settings, texts::settings::TITLE.to_owned())),
            ));
        }
        if let Some(run) = failed(evidence.runs) {
            let why = run
                .outcome
                .as_ref()
                .and_then(|outcome| outcome.why.as_ref());
            return Ok(Self {
                at: Some(subject.moment(run.ended_at.unwrap_or(run.started_at))),
                ..plain(
                    "error",
                    texts::verdict::failed(&subject.job_title(&run.job)),
                    why.map(|why| why.message.clone()).unwrap_or_default(),
                    Some((
                        app.href(&format!("/runs/{}", run.id)),
                        texts::setup::run(run.id),
                    )),
                )
            });
        }
        if evidence.check.is_known() && !evidence.check.is_green() {
            return Ok(plain(
                "error",
                texts::verdict::IN_THE_WAY.to_owned(),
                evidence.check.wanting(),
                Some((
                    subject.href(app, Place::Readiness),
                    texts::check::FOUND.to_owned(),
                )),
            ));
        }
        let needs = evidence.todo.count();
        if needs > 0 {
            return Ok(plain(
                "warning",
                texts::verdict::needs(needs),
                String::new(),
                Some((
                    subject.href(app, Place::ToDo),
                    texts::todo::TITLE.to_owned(),
                )),
            ));
        }
        let working = evidence
            .runs
            .iter()
            .find(|run| run.state == RunState::Running && !run.preview);
        Ok(match (working, last) {
            (Some(run), _) => plain(
                "fresh",
                texts::verdict::working(&subject.job_title(&run.job)),
                progress(run),
                Some((
                    app.href(&format!("/runs/{}", run.id)),
                    texts::setup::run(run.id),
                )),
            ),
            (None, Some(run)) => Self {
                at: Some(subject.moment(run.ended_at.unwrap_or(run.started_at))),
                ..plain(
                    "ok",
                    texts::verdict::IN_STEP.to_owned(),
                    String::new(),
                    None,
                )
            },
            (None, None) => plain(
                "fresh",
                texts::verdict::NEVER_RUN.to_owned(),
                String::new(),
                None,
            ),
        })
    }
}

/// The newest run of a scheduled job that came to its end.
async fn last_success(app: &App, subject: &Subject) -> Result<Option<Run>, Failure> {
    let mut last: Option<Run> = None;
    for schedule in &subject.situation.manifest.schedules {
        let run = app
            .host
            .store()
            .finished_run(subject.name(), &schedule.job, false)
            .await?;
        if let Some(run) = run
            && last.as_ref().is_none_or(|last| last.id < run.id)
        {
            last = Some(run);
        }
    }
    Ok(last)
}

/// The newest run that tells whether jobs work, where it failed. What people do with rows (`outbox/retry`), and previews, tell nothing.
fn failed(runs: &[Run]) -> Option<&Run> {
    let mut told = runs
        .iter()
        .filter(|run| !run.preview && !run.job.contains('/') && run.state != RunState::Running);
    told.next().filter(|run| run.state == RunState::Failed)
}
