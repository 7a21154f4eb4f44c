//! Is all well? One sentence about an installation, its colour, and the place to go on.

use super::check_part::CheckPart;
use super::installation_page::{InstallationPage, Place};
use super::run_line::progress;
use super::setup::GuidePart;
use super::todo::ToDo;
use super::traffic::TrafficPart;
use crate::App;
use crate::failure::Failure;
use crate::frame::Moment;
use crate::texts;
use addon_store::{Run, RunState};

pub struct VerdictPart {
    /// The name of its colour.
    pub tone: &'static str,
    pub text: String,
    /// Behind the text, if there is one.
    pub at: Option<Moment>,
    pub detail: String,
    /// Where to go on, and what the link says.
    pub link: Option<(String, String)>,
}

/// What the verdict follows from.
pub struct Evidence<'e> {
    pub app: &'e App,
    pub subject: &'e InstallationPage,
    pub traffic: &'e [TrafficPart],
    pub guide: Option<&'e GuidePart>,
    pub check: &'e CheckPart,
    pub todo: &'e ToDo,
    /// The newest first.
    pub runs: &'e [Run],
}

impl VerdictPart {
    fn new(tone: &'static str, text: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            tone,
            text: text.into(),
            at: None,
            detail: detail.into(),
            link: None,
        }
    }

    fn leads(self, href: String, title: impl Into<String>) -> Self {
        Self {
            link: Some((href, title.into())),
            ..self
        }
    }
}

impl Evidence<'_> {
    /// The worst counts.
    pub async fn verdict(&self) -> Result<VerdictPart, Failure> {
        let last = self.last_success().await?;
        let verdict = self
            .not_set_up(last.as_ref())
            .or_else(|| self.stopped())
            .or_else(|| self.failed())
            .or_else(|| self.in_the_way())
            .or_else(|| self.needs_people())
            .or_else(|| self.at_work());
        Ok(verdict.unwrap_or_else(|| self.in_step(last.as_ref())))
    }

    fn not_set_up(&self, last: Option<&Run>) -> Option<VerdictPart> {
        let guide = self.guide.filter(|_| last.is_none())?;
        let far = texts::setup::far(guide.done, guide.all, &guide.next);
        let verdict = VerdictPart::new("fresh", texts::verdict::NOT_SET_UP, far);
        Some(verdict.leads(guide.href.clone(), texts::setup::TITLE))
    }

    fn stopped(&self) -> Option<VerdictPart> {
        let mut parts = self.traffic.iter();
        let (title, problem) =
            parts.find_map(|part| Some((&part.title, part.problem.as_ref()?)))?;
        let settings = self.subject.href(self.app, Place::Settings);
        let verdict = VerdictPart::new("error", texts::verdict::stopped(title), problem);
        Some(verdict.leads(settings, texts::settings::TITLE))
    }

    /// Where the newest run failed that tells whether jobs work. What people do with rows (`outbox/retry`), and previews, tell nothing.
    fn failed(&self) -> Option<VerdictPart> {
        let mut told = self
            .runs
            .iter()
            .filter(|run| !run.preview && !run.job.contains('/') && run.state != RunState::Running);
        let run = told.next().filter(|run| run.state == RunState::Failed)?;
        let outcome = run.outcome.as_ref();
        let why = outcome.and_then(|outcome| outcome.why.as_ref());
        let why = why.map_or("", |why| why.message.as_str());
        let text = texts::verdict::failed(&self.subject.job_title(&run.job));
        let (href, title) = self.page_of(run);
        Some(VerdictPart {
            at: Some(self.end_of(run)),
            ..VerdictPart::new("error", text, why).leads(href, title)
        })
    }

    fn in_the_way(&self) -> Option<VerdictPart> {
        let is_wrong = self.check.is_known() && !self.check.is_green();
        is_wrong.then(|| {
            let readiness = self.subject.href(self.app, Place::Readiness);
            VerdictPart::new("error", texts::verdict::IN_THE_WAY, self.check.wanting())
                .leads(readiness, texts::check::FOUND)
        })
    }

    fn needs_people(&self) -> Option<VerdictPart> {
        let count = self.todo.count();
        (count > 0).then(|| {
            VerdictPart::new("warning", texts::verdict::needs(count), "")
                .leads(self.subject.href(self.app, Place::ToDo), texts::todo::TITLE)
        })
    }

    fn at_work(&self) -> Option<VerdictPart> {
        let mut runs = self.runs.iter();
        let run = runs.find(|run| run.state == RunState::Running && !run.preview)?;
        let text = texts::verdict::working(&self.subject.job_title(&run.job));
        let (href, title) = self.page_of(run);
        Some(VerdictPart::new("fresh", text, progress(run)).leads(href, title))
    }

    fn in_step(&self, last: Option<&Run>) -> VerdictPart {
        match last {
            Some(run) => VerdictPart {
                at: Some(self.end_of(run)),
                ..VerdictPart::new("ok", texts::verdict::IN_STEP, "")
            },
            None => VerdictPart::new("fresh", texts::verdict::NEVER_RUN, ""),
        }
    }

    /// The newest run of a scheduled job that came to its end.
    async fn last_success(&self) -> Result<Option<Run>, Failure> {
        let (store, name) = (self.app.host.store(), self.subject.name());
        let mut last: Option<Run> = None;
        for schedule in &self.subject.situation.manifest.schedules {
            let run = store.finished_run(name, &schedule.job, false).await?;
            last = last.into_iter().chain(run).max_by_key(|run| run.id);
        }
        Ok(last)
    }

    fn page_of(&self, run: &Run) -> (String, String) {
        let href = self.app.href(&format!("/runs/{}", run.id));
        (href, texts::setup::run(run.id))
    }

    fn end_of(&self, run: &Run) -> Moment {
        self.subject.moment(run.ended_at.unwrap_or(run.started_at))
    }
}
