//! The section `[[guide]]`: in what order a person sets the add-on up.
//!
//! A step is about exactly one thing: groups of settings (`settings`, or `schedule` where they switch automatic runs on), `mappings`,
//! the `check`, a `job` (perhaps as a `preview`), or a `page` that should be empty.

use super::parse::{refer_job, suggestion};
use super::reader::Table;
use super::{GuideAbout, GuideStep, JobSpec, MappingSpec, PageSpec, SettingSpec};

pub(super) fn guide(
    root: &Table<'_>,
    settings: &[SettingSpec],
    mappings: &[MappingSpec],
    jobs: &[JobSpec],
    pages: &[PageSpec],
) -> Vec<GuideStep> {
    let read = |table: Table<'_>| {
        let step = GuideStep {
            title: table.text("title"),
            help: table.maybe_text("help").unwrap_or_default(),
            about: about(&table, settings, mappings, jobs, pages),
        };
        table.done();
        step
    };
    root.tables("guide").into_iter().map(read).collect()
}

fn about(
    table: &Table<'_>,
    settings: &[SettingSpec],
    mappings: &[MappingSpec],
    jobs: &[JobSpec],
    pages: &[PageSpec],
) -> GuideAbout {
    let groups = |key: &'static str| {
        let groups = table.texts(key);
        for group in &groups {
            refer_group(table, key, group, settings);
        }
        Some(groups).filter(|groups| !groups.is_empty())
    };
    let job = || {
        let id = table.maybe_text("job")?;
        refer_job(table, "job", &id, jobs);
        let preview = table.flag("preview", false);
        if preview && jobs.iter().any(|job| job.id == id && !job.preview) {
            let message = format!("the job `{id}` has no preview");
            table.problem("preview", message, "Leave it out");
        }
        let or = table.texts("or");
        for id in &or {
            refer_job(table, "or", id, jobs);
        }
        Some(GuideAbout::Job { id, preview, or })
    };
    let page = || {
        let id = table.maybe_text("page")?;
        if !pages.iter().any(|page| page.id == id) {
            let known = pages.iter().map(|page| page.id.as_str());
            let message = format!("there is no page `{id}`");
            table.problem("page", message, suggestion(&id, known));
        }
        let states = table.texts("states");
        Some(GuideAbout::Page { id, states })
    };
    let mapped = table
        .flag("mappings", false)
        .then_some(GuideAbout::Mappings);
    if mapped.is_some() && mappings.is_empty() {
        table.problem("mappings", "there are no mappings", "Leave the step out");
    }
    let found: Vec<GuideAbout> = [
        groups("settings").map(GuideAbout::Settings),
        groups("schedule").map(GuideAbout::Schedule),
        mapped,
        table.flag("check", false).then_some(GuideAbout::Check),
        job(),
        page(),
    ]
    .into_iter()
    .flatten()
    .collect();
    if found.len() != 1 {
        table.problem(
            "title",
            "a step is about exactly one thing",
            "One of settings, schedule, mappings, check, job, page",
        );
    }
    found.into_iter().next().unwrap_or(GuideAbout::Check)
}

fn refer_group(table: &Table<'_>, key: &'static str, group: &str, settings: &[SettingSpec]) {
    if !settings.iter().any(|spec| spec.group == group) {
        let known = settings.iter().map(|spec| spec.group.as_str());
        let message = format!("there is no group of settings `{group}`");
        table.problem(key, message, suggestion(group, known));
    }
}
