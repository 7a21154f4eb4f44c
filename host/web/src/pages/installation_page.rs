//! The installation that a page is about.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::App;
use crate::choices::Choices;
use crate::failure::Failure;
use crate::frame::{Frame, Moment, Section, Tab};
use crate::login::session::Visitor;
use crate::texts;
use addon_manifest::{JobSpec, PageTab, SettingKind};
use addon_runs::time_zone;
use addon_service::scheduler::{InstallationView, InstallationViewError, Verdict, agenda};
use addon_store::Trigger;

pub struct InstallationPage {
    pub situation: InstallationView,
    /// Times are shown in it.
    pub zone: Tz,
}

/// A page of an installation, as the tabs know it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    Overview,
    /// What people have to do.
    ToDo,
    /// All that can be run.
    Jobs,
    /// A step of the guide, from one; `None`: the first that is not done.
    Setup(Option<usize>),
    Readiness,
    Settings,
    /// Who changed settings.
    Changes,
    Mappings,
    /// A page of the manifest.
    Page(&'a str),
    Activity,
    Runs,
}

impl Place<'_> {
    /// Whether its link is the one of the page that is shown.
    fn is_about(self, current: Place<'_>) -> bool {
        self == current
            || matches!(
                (self, current),
                (Place::Setup(_), Place::Setup(_)) | (Place::Settings, Place::Changes)
            )
    }
}

/// What a setting that the add-on fetched says about what it is connected to.
pub struct Connected {
    pub title: String,
    /// Its title where it is known, else its value; empty: not connected.
    pub value: String,
}

/// When a job starts by itself.
pub struct Next {
    pub title: String,
    /// A time, or words instead of one.
    pub at: Option<Moment>,
    pub words: &'static str,
}

impl InstallationPage {
    pub async fn load(app: &App, name: &str) -> Result<Self, Failure> {
        let situation = InstallationView::load(app.host.store(), name).await?;
        let zone = time_zone(&situation.manifest, &situation.settings);
        Ok(Self { situation, zone })
    }

    pub fn name(&self) -> &str {
        &self.situation.installation.name
    }

    /// Address of one of its pages.
    pub fn href(&self, app: &App, place: Place<'_>) -> String {
        let rest = match place {
            Place::Overview => String::new(),
            Place::ToDo => "/todo".to_owned(),
            Place::Jobs => "/jobs".to_owned(),
            Place::Setup(None) => "/setup".to_owned(),
            Place::Setup(Some(step)) => format!("/setup?step={step}"),
            Place::Readiness => "/readiness".to_owned(),
            Place::Settings => "/settings".to_owned(),
            Place::Changes => "/changes".to_owned(),
            Place::Mappings => "/mappings".to_owned(),
            Place::Page(page) => format!("/pages/{page}"),
            Place::Activity => "/activity".to_owned(),
            Place::Runs => "/runs".to_owned(),
        };
        app.href(&format!("/installations/{}{rest}", self.name()))
    }

    pub fn frame(&self, app: &App, visitor: &Visitor, current: Place<'_>, title: &str) -> Frame {
        let manifest = &self.situation.manifest;
        let tab = |place: Place<'_>, title: &str, is_current: bool| Tab {
            title: title.to_owned(),
            href: self.href(app, place),
            current: is_current,
        };
        let groups = self.groups();
        let tabs = groups.iter().filter_map(|(title, places)| {
            let is_current = places.iter().any(|(place, _)| place.is_about(current));
            let (first, _) = places.first()?;
            Some(tab(*first, title, is_current))
        });
        let shown = groups.iter().find(|(_, places)| {
            places.len() > 1 && places.iter().any(|(place, _)| place.is_about(current))
        });
        let pages = shown.into_iter().flat_map(|(_, places)| places);
        let section = Section {
            name: self.name().to_owned(),
            addon: manifest.addon.title.clone(),
            tabs: tabs.collect(),
            pages: pages
                .map(|(place, title)| tab(*place, title, place.is_about(current)))
                .collect(),
        };
        let mut frame = Frame::new(
            app.base.as_str(),
            Some(visitor),
            format!("{title} · {}", self.name()),
        );
        frame.section = Some(section);
        frame
    }

    /// The tabs, each with its pages and their titles. A tab without pages is not shown.
    fn groups(&self) -> Vec<(&'static str, Vec<(Place<'_>, &str)>)> {
        let manifest = &self.situation.manifest;
        let of = |tab: PageTab| {
            let pages = manifest.pages.iter().filter(move |page| page.tab == tab);
            pages.map(|page| (Place::Page(&page.id), page.title.as_str()))
        };
        let one = |place, title| vec![(place, title)];
        let mut set_up = Vec::new();
        if !manifest.guide.is_empty() {
            set_up.push((Place::Setup(None), texts::setup::STEPS));
        }
        set_up.extend([
            (Place::Readiness, texts::readiness::TITLE),
            (Place::Settings, texts::settings::TITLE),
        ]);
        if !manifest.mappings.is_empty() {
            set_up.push((Place::Mappings, texts::mappings::TITLE));
        }
        set_up.extend(of(PageTab::Setup));
        vec![
            (
                texts::overview::TITLE,
                one(Place::Overview, texts::overview::TITLE),
            ),
            (
                texts::todo::TITLE,
                one(Place::ToDo, texts::todo::ALL)
                    .into_iter()
                    .chain(of(PageTab::ToDo))
                    .collect(),
            ),
            (texts::tabs::RECORDS, of(PageTab::Records).collect()),
            (
                texts::activity::TITLE,
                one(Place::Activity, texts::activity::TITLE),
            ),
            (texts::tabs::COMPARE, of(PageTab::Compare).collect()),
            (texts::setup::TITLE, set_up),
            (
                texts::runs::TITLE,
                vec![
                    (Place::Runs, texts::runs::TITLE),
                    (Place::Jobs, texts::jobs::TITLE),
                ],
            ),
        ]
    }

    pub fn moment(&self, at: DateTime<Utc>) -> Moment {
        Moment::new(at, self.zone)
    }

    /// The title of a job; its id where the manifest does not declare it any more.
    pub fn job_title(&self, id: &str) -> String {
        self.situation
            .manifest
            .job(id)
            .map_or(id, |job: &JobSpec| &job.title)
            .to_owned()
    }

    /// What it is connected to, as far as settings tell.
    pub fn connected(&self, app: &App, visitor: &Visitor) -> Vec<Connected> {
        let fetched = self
            .situation
            .manifest
            .settings
            .iter()
            .filter_map(|spec| match &spec.kind {
                SettingKind::Fetched { choices } => Some((spec, choices.as_deref())),
                _ => None,
            });
        fetched
            .map(|(spec, source)| {
                let value = self.situation.settings.get(&spec.key);
                let known = source.filter(|_| !value.is_empty());
                let known = known
                    .and_then(|source| Choices::title(app, visitor, self.name(), source, value));
                let value =
                    known.map_or_else(|| value.to_owned(), |title| format!("{title} ({value})"));
                Connected {
                    title: spec.title.clone(),
                    value,
                }
            })
            .collect()
    }

    /// What starts by itself, and when.
    pub fn next(&self, now: DateTime<Utc>) -> Vec<Next> {
        let InstallationView {
            manifest,
            settings,
            states,
            ..
        } = &self.situation;
        let one = |(job, verdict): (String, Verdict)| {
            let (at, words) = match verdict {
                Verdict::Rests => (None, texts::subject::RESTS),
                Verdict::Waits(at, Trigger::Resume) => {
                    (Some(self.moment(at)), texts::subject::RESUMES)
                }
                Verdict::Waits(at, _) => (Some(self.moment(at)), ""),
                Verdict::Due(_) | Verdict::ClockWentBack => (None, texts::subject::WHEN_FREE),
            };
            Next {
                title: self.job_title(&job),
                at,
                words,
            }
        };
        agenda(manifest, settings, states, now)
            .into_iter()
            .map(one)
            .collect()
    }
}

impl From<InstallationViewError> for Failure {
    fn from(error: InstallationViewError) -> Self {
        match error {
            InstallationViewError::Store(error) => error.into(),
            InstallationViewError::Manifest(error) => error.into(),
        }
    }
}
