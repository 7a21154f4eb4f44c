//! Whether what a person chooses is in the add-on's own lists. A list that cannot be had keeps nobody from saving: on the first
//! day nothing is loaded yet. What was stored before is not looked at again; that it is gone is shown, and the person may
//! be saving the cure of something else.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::inputs::problem;
use super::{Host, Instance};
use addon_manifest::{ChoiceSource, Manifest, SettingKind};
use addon_runs::{Loaded, Purpose};
use addon_settings::{FieldProblem, NewValue, Settings, ValidChange};
use addon_store::Installation;

/// For all lists together: a person waits for the answer to a form.
const PATIENCE: Duration = Duration::from_secs(15);

/// The job that loads lists anew, by the name that add-ons give it.
const LOADING_JOB: &str = "import-mapping";

impl Host {
    /// The changes that name something which the add-on's list does not hold.
    pub(super) async fn not_offered(
        &self,
        installation: &Installation,
        loaded: &Loaded,
        before: &Settings,
        changes: &[ValidChange],
    ) -> Vec<FieldProblem> {
        let deadline = Instant::now() + PATIENCE;
        let mut lists: BTreeMap<&str, Option<Vec<(String, String)>>> = BTreeMap::new();
        let mut problems = Vec::new();
        for change in changes {
            let Some(source) = source(&loaded.manifest, &change.key) else {
                continue;
            };
            let chosen = newly_chosen(&loaded.manifest, before, change);
            if chosen.is_empty() {
                continue;
            }
            if !lists.contains_key(source) {
                let wanted = source.to_owned();
                let call = |addon: Instance| async move { addon.choices(&wanted).await };
                let asking = self.ask(loaded, installation, Purpose::choices(), call);
                let list = timeout_at(deadline, asking).await;
                lists.insert(source, list.ok().and_then(Result::ok));
            }
            let Some(Some(list)) = lists.get(source) else {
                continue;
            };
            let missing = chosen
                .iter()
                .find(|value| !list.iter().any(|(known, _)| known == *value));
            if let Some(value) = missing {
                let message = format!("`{value}` is not among the {} of `{source}`", list.len());
                problems.push(problem(&change.key, message, cure(&loaded.manifest)));
            }
        }
        problems
    }
}

/// The list that a setting's or a mapping's values come from.
fn source<'m>(manifest: &'m Manifest, key: &str) -> Option<&'m str> {
    match manifest.setting(key).map(|spec| &spec.kind) {
        Some(
            SettingKind::Choice(ChoiceSource::Guest(source))
            | SettingKind::Choices(ChoiceSource::Guest(source))
            | SettingKind::Fetched {
                choices: Some(source),
            },
        ) => Some(source),
        Some(_) => None,
        None => {
            let (mapping, _) = key.split_once('.')?;
            Some(&manifest.mapping(mapping)?.choices)
        }
    }
}

/// What the change adds to what was chosen before.
fn newly_chosen<'c>(
    manifest: &Manifest,
    before: &Settings,
    change: &'c ValidChange,
) -> Vec<&'c str> {
    let Some(NewValue::Plain(value)) = &change.value else {
        return Vec::new();
    };
    let several = manifest
        .setting(&change.key)
        .is_some_and(|spec| matches!(spec.kind, SettingKind::Choices(_)));
    let old = before.get(&change.key);
    if several {
        let old: Vec<&str> = old.split(',').collect();
        value.split(',').filter(|one| !old.contains(one)).collect()
    } else {
        vec![value.as_str()]
            .into_iter()
            .filter(|value| *value != old)
            .collect()
    }
}

fn cure(manifest: &Manifest) -> String {
    match manifest.job(LOADING_JOB) {
        Some(job) => format!(
            "Choose one of the list; if it is new on the other side, press {} and choose again",
            job.title
        ),
        None => "Choose one of the list".to_owned(),
    }
}
