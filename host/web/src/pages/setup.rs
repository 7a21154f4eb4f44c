//! The guided set-up: the steps of the manifest in their order, each with how far it is and the place to do it.
//!
//! Nothing is kept about the guide itself. How far it is follows from settings, the last check and the runs, so it can be left
//! at any time, and somebody else can go on with it; a step that was done and broke is open again.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::check_part::{CheckPart, Found};
use super::fields::{self, Control, Group};
use super::form::{Feedback, Route, Submitted, submit};
use super::installation_page::{InstallationPage, Place};
use super::run_line::RunLine;
use crate::App;
use crate::choices::Choices;
use crate::failure::Failure;
use crate::frame::{Frame, page_with};
use crate::login::session::Visitor;
use crate::texts;
use addon_manifest::{GuideAbout, GuideStep, Manifest};
use addon_service::host;
use addon_service::scheduler::{InstallationView, Verdict, agenda};
use addon_settings::credential_keys;

/// The filter of a page that a step is about.
const STATE: &str = "state";

/// The button that saves and leads to the next step.
const GO_ON: &str = "go-on";

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    frame: Frame,
    href: String,
    /// Steps that are done, of all.
    done: usize,
    steps: Vec<StepLine>,
    /// From one.
    number: usize,
    title: String,
    help: String,
    state: Progress,
    saved: Option<usize>,
    /// Key and title of fields with a complaint.
    wrong: Vec<(String, String)>,
    problem: Option<String>,
    part: Part,
    check: CheckPart,
    check_href: String,
    readiness: String,
    next: Option<String>,
}

struct StepLine {
    title: String,
    href: String,
    state: Progress,
    current: bool,
}

/// How far a step is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Done,
    Open,
    /// Something is in the way.
    Wrong,
}

impl Progress {
    /// Also the name of its colour.
    fn badge(self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Open => "neutral",
            Self::Wrong => "error",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Done => texts::setup::DONE,
            Self::Open => texts::setup::TO_DO,
            Self::Wrong => texts::setup::LOOK_HERE,
        }
    }
}

/// What a step shows.
enum Part {
    Fields(Vec<Group>),
    /// Only findings about mappings, and the way to them.
    Mappings {
        href: String,
        findings: Vec<Found>,
    },
    Check,
    Job {
        href: String,
        help: String,
        previews: bool,
        /// The preview is what the step asks for.
        preview: bool,
        asks: bool,
        last: Option<RunLine>,
    },
    Page {
        title: String,
        href: String,
        /// Rows that wait.
        waiting: Option<usize>,
    },
}

impl Part {
    fn is_form(&self) -> bool {
        matches!(self, Self::Fields(_))
    }

    /// Key and title of fields with a complaint.
    fn wrong(&self) -> Vec<(String, String)> {
        let Self::Fields(groups) = self else {
            return Vec::new();
        };
        let fields = groups.iter().flat_map(|group| &group.fields);
        let wrong = fields.filter(|field| field.error.is_some());
        wrong
            .map(|field| (field.key.clone(), field.title.clone()))
            .collect()
    }
}

/// A step of the guide with all that its state follows from.
struct Step<'s> {
    spec: &'s GuideStep,
    state: Progress,
}

#[derive(Deserialize)]
pub struct At {
    /// From one; `None`: the first that is not done.
    step: Option<usize>,
    saved: Option<usize>,
}

/// What other pages say of the guide while it is not through.
pub struct GuidePart {
    pub href: String,
    pub done: usize,
    pub all: usize,
    pub next: String,
}

/// `GET /installations/{name}/setup`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(at): Query<At>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    let feedback = Feedback {
        saved: at.saved,
        ..Feedback::default()
    };
    draw(&app, &visitor, &subject, at.step, StatusCode::OK, feedback).await
}

/// `POST /installations/{name}/setup/{step}`: the settings of a step.
pub async fn save(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path((name, step)): Path<(String, usize)>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    let (manifest, settings) = (&subject.situation.manifest, &subject.situation.settings);
    let changes = fields::requested(manifest, settings, &form);
    let goes_on = form.iter().any(|(name, _)| name == GO_ON);
    let route = Route {
        to: Place::Setup(Some(if goes_on { step + 1 } else { step })),
        checks: !goes_on,
    };
    match submit(&app, &visitor, &subject, route, changes).await? {
        Submitted::Saved(redirect) => Ok(redirect),
        Submitted::Refused(status, feedback) => {
            draw(&app, &visitor, &subject, Some(step), status, feedback).await
        }
    }
}

/// `None`: there is no guide, or it is through.
pub async fn guide(
    app: &App,
    subject: &InstallationPage,
    check: &CheckPart,
) -> Result<Option<GuidePart>, Failure> {
    let steps = steps(app, subject, check).await?;
    let done = |step: &&Step<'_>| step.state == Progress::Done;
    // Whoever has been through it is told by the verdict what broke since.
    let counts = |step: &&Step<'_>| {
        matches!(
            step.spec.about,
            GuideAbout::Job { .. } | GuideAbout::Schedule(_)
        )
    };
    if steps.iter().filter(counts).all(|step| done(&step))
        && steps.last().is_some_and(|last| done(&last))
    {
        return Ok(None);
    }
    Ok(steps.iter().find(|step| !done(step)).map(|next| GuidePart {
        href: subject.href(app, Place::Setup(None)),
        done: steps.iter().filter(done).count(),
        all: steps.len(),
        next: next.spec.title.clone(),
    }))
}

async fn draw(
    app: &App,
    visitor: &Visitor,
    subject: &InstallationPage,
    wanted: Option<usize>,
    status: StatusCode,
    feedback: Feedback,
) -> Result<Response, Failure> {
    let check = CheckPart::load(app, subject).await?;
    let steps = steps(app, subject, &check).await?;
    let first_open = || steps.iter().position(|step| step.state != Progress::Done);
    let at = wanted
        .and_then(|number| number.checked_sub(1))
        .or_else(first_open)
        .unwrap_or(0);
    let step = steps
        .get(at)
        .ok_or_else(|| Failure::not_found(texts::failure::NO_STEP))?;
    let href = |number: usize| subject.href(app, Place::Setup(Some(number)));
    let line = |(index, step): (usize, &Step<'_>)| StepLine {
        title: step.spec.title.clone(),
        href: href(index + 1),
        state: step.state,
        current: index == at,
    };
    let part = part(app, visitor, subject, step.spec, &feedback, &check).await?;
    let template = SetupPage {
        frame: subject.frame(app, visitor, Place::Setup(None), texts::setup::TITLE),
        href: format!("{}/{}", subject.href(app, Place::Setup(None)), at + 1),
        done: steps
            .iter()
            .filter(|step| step.state == Progress::Done)
            .count(),
        steps: steps.iter().enumerate().map(line).collect(),
        number: at + 1,
        title: step.spec.title.clone(),
        help: step.spec.help.clone(),
        state: step.state,
        saved: feedback.saved,
        wrong: part.wrong(),
        part,
        problem: feedback.problem,
        check,
        readiness: subject.href(app, Place::Readiness),
        check_href: format!("{}/check", subject.href(app, Place::Overview)),
        next: (at + 1 < steps.len()).then(|| href(at + 2)),
    };
    Ok(page_with(status, &template))
}

async fn steps<'s>(
    app: &App,
    subject: &'s InstallationPage,
    check: &CheckPart,
) -> Result<Vec<Step<'s>>, Failure> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for spec in &subject.situation.manifest.guide {
        let state = state(app, subject, spec, check).await?;
        steps.push(Step { spec, state });
    }
    let is_done_job = |step: &Step<'_>| {
        matches!(step.spec.about, GuideAbout::Job { .. }) && step.state == Progress::Done
    };
    // Whoever went on has looked at what comes before: at defaults, which may be right, and at pages, which are empty until a job
    // has filled them and can be long afterwards.
    let gone_on = steps.iter().rposition(is_done_job).unwrap_or(0);
    for at in 0..steps.len() {
        let (before, rest) = steps.split_at_mut(at);
        let Some(step) = rest.first_mut() else { break };
        match &step.spec.about {
            GuideAbout::Page { .. } if at < gone_on => step.state = Progress::Done,
            GuideAbout::Page { id, states } => {
                let is_filled = before.last().is_some_and(is_done_job);
                if is_filled && waiting(app, subject, id, states).await == Some(0) {
                    step.state = Progress::Done;
                }
            }
            // Nothing is in the way as long as nothing was entered.
            GuideAbout::Check
                if step.state == Progress::Done
                    && before.iter().any(|step| step.state != Progress::Done) =>
            {
                step.state = Progress::Open;
            }
            GuideAbout::Settings(groups)
                if at >= gone_on && step.state == Progress::Done && untouched(subject, groups) =>
            {
                step.state = Progress::Open;
            }
            _ => {}
        }
    }
    Ok(steps)
}

/// Whether all settings of these groups have their defaults.
fn untouched(subject: &InstallationPage, groups: &[String]) -> bool {
    let InstallationView {
        manifest,
        settings,
        secrets,
        ..
    } = &subject.situation;
    let mut specs = manifest.settings.iter();
    specs.all(|spec| {
        let default = spec.default.as_deref().unwrap_or_default();
        let is_default = settings.get(&spec.key) == default && !secrets.contains(&spec.key);
        is_default || !groups.contains(&spec.group)
    })
}

async fn state(
    app: &App,
    subject: &InstallationPage,
    spec: &GuideStep,
    check: &CheckPart,
) -> Result<Progress, Failure> {
    let (manifest, settings) = (&subject.situation.manifest, &subject.situation.settings);
    let wrong = |about: &dyn Fn(&str) -> bool| {
        let found = check.findings.iter().map(|found| &found.finding);
        let mut errors = found.filter(|finding| finding.severity == "error");
        errors.any(|finding| about(&finding.field))
    };
    let in_groups = |field: &str, groups: &[String]| {
        let spec = manifest.setting(field);
        spec.is_some_and(|spec| groups.contains(&spec.group))
    };
    let judged = |done: bool, wrong: bool| match (wrong, done) {
        (true, _) => Progress::Wrong,
        (false, true) => Progress::Done,
        (false, false) => Progress::Open,
    };
    let store = app.host.store();
    Ok(match &spec.about {
        GuideAbout::Settings(groups) => {
            // Pages know of secrets only whether they are set.
            let secrets = &subject.situation.secrets;
            let missing = settings
                .missing(manifest)
                .into_iter()
                .any(|spec| groups.contains(&spec.group) && !secrets.contains(&spec.key));
            let tried = check.is_known() || !holds_credentials(manifest, groups);
            let is_wrong = wrong(&|field| in_groups(field, groups));
            // What is not set yet is no mistake.
            judged(!missing && tried, is_wrong && !missing)
        }
        GuideAbout::Schedule(groups) => {
            let verdicts = agenda(
                manifest,
                settings,
                &subject.situation.states,
                app.clock.now(),
            );
            let on = verdicts
                .iter()
                .any(|(_, verdict)| *verdict != Verdict::Rests);
            judged(on, wrong(&|field| in_groups(field, groups)))
        }
        GuideAbout::Mappings => {
            let of_mapping = |found: &Found| {
                let key = found.finding.field.split('.').next().unwrap_or_default();
                found.finding.severity != "ok" && manifest.mapping(key).is_some()
            };
            let unmapped = check.findings.iter().any(of_mapping);
            judged(
                check.is_known() && settings.mappings().next().is_some() && !unmapped,
                false,
            )
        }
        GuideAbout::Check => judged(check.is_green(), check.is_known() && !check.is_green()),
        GuideAbout::Job { id, preview, or } => {
            let mut run = store.finished_run(subject.name(), id, *preview).await?;
            // Whoever has run it in earnest needs no preview any more.
            let in_earnest = or.iter().chain(preview.then_some(id));
            for job in in_earnest {
                if run.is_none() {
                    run = store.finished_run(subject.name(), job, false).await?;
                }
            }
            judged(run.is_some(), false)
        }
        // Follows from the steps around it: see `steps`.
        GuideAbout::Page { .. } => Progress::Open,
    })
}

/// Whether a connection proves itself by settings of these groups: then only a check knows whether they are right.
fn holds_credentials(manifest: &Manifest, groups: &[String]) -> bool {
    manifest.connections.values().any(|connection| {
        let mut keys = connection.auth.iter().flat_map(credential_keys);
        keys.any(|key| {
            let spec = manifest.setting(key);
            spec.is_some_and(|spec| groups.contains(&spec.group))
        })
    })
}

/// How many rows wait on a page; `None`: that cannot be told.
async fn waiting(
    app: &App,
    subject: &InstallationPage,
    page: &str,
    states: &[String],
) -> Option<usize> {
    let mut filters: Vec<Vec<(String, String)>> = states
        .iter()
        .map(|state| vec![(STATE.to_owned(), state.clone())])
        .collect();
    if filters.is_empty() {
        filters.push(Vec::new());
    }
    let mut count = 0;
    for filters in filters {
        let query = host::Query {
            filters,
            limit: 100,
            ..host::Query::default()
        };
        let rows = app.host.view(subject.name(), page, query).await.ok()?;
        count += rows.rows.len();
    }
    Some(count)
}

async fn part(
    app: &App,
    visitor: &Visitor,
    subject: &InstallationPage,
    spec: &GuideStep,
    feedback: &Feedback,
    check: &CheckPart,
) -> Result<Part, Failure> {
    let manifest = &subject.situation.manifest;
    Ok(match &spec.about {
        GuideAbout::Settings(groups) | GuideAbout::Schedule(groups) => {
            let choices =
                Choices::load(app, visitor, subject.name(), fields::sources(manifest)).await;
            let all = fields::fields(
                subject,
                &choices,
                &feedback.typed,
                &feedback.problems,
                &check.findings,
            );
            let mut all = fields::grouped(manifest, all);
            all.retain(|group| groups.contains(&group.title));
            Part::Fields(all)
        }
        GuideAbout::Mappings => Part::Mappings {
            href: subject.href(app, Place::Mappings),
            findings: check
                .findings
                .iter()
                .filter(|found| {
                    let key = found.finding.field.split('.').next().unwrap_or_default();
                    manifest.mapping(key).is_some()
                })
                .cloned()
                .collect(),
        },
        GuideAbout::Check => Part::Check,
        GuideAbout::Job { id, preview, .. } => {
            let job = manifest
                .job(id)
                .ok_or_else(|| Failure::not_found(texts::failure::NO_JOB))?;
            let last = app.host.store().ended_runs(subject.name(), id, 1).await?;
            Part::Job {
                href: format!("{}/jobs/{id}", subject.href(app, Place::Overview)),
                // The guide's own words are about this very moment.
                help: match spec.help.as_str() {
                    "" => job.help.clone(),
                    _ => String::new(),
                },
                previews: job.preview,
                preview: *preview,
                asks: job.options.iter().any(|option| option.required),
                last: last.first().map(|run| RunLine::new(app, subject, run)),
            }
        }
        GuideAbout::Page { id, states } => {
            let spec = manifest
                .page(id)
                .ok_or_else(|| Failure::not_found(texts::failure::NO_PAGE))?;
            Part::Page {
                title: spec.title.clone(),
                // The filter takes one state: that of the first wait.
                href: match states.as_slice() {
                    [only] => format!(
                        "{}?filter.{STATE}={only}",
                        subject.href(app, Place::Page(id))
                    ),
                    _ => subject.href(app, Place::Page(id)),
                },
                waiting: waiting(app, subject, id, states).await,
            }
        }
    })
}
