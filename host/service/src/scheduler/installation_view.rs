//! An installation as the scheduler and the pages see it: what it is, what its add-on declares, how it is set, and when
//! its jobs last started.
//!
//! Secrets stay sealed: whether one is set is all that is known here, so no page can show one, and a secret that does not
//! open any more cannot keep the page away on which it would be entered again.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use addon_manifest::{Manifest, ManifestError, SettingKind};
use addon_settings::{NewValue, Settings, ValidChange};
use addon_store::{
    AddonVersion, Installation, ScheduleState, Store, StoreError, StoredSetting, StoredValue,
};

#[derive(Debug, Error)]
pub enum InstallationViewError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

#[derive(Debug)]
pub struct InstallationView {
    pub installation: Installation,
    /// The version of the add-on that it runs.
    pub version: AddonVersion,
    pub manifest: Manifest,
    /// With defaults, without secrets.
    pub settings: Settings,
    /// Keys of the secrets that are set.
    pub secrets: BTreeSet<String>,
    /// By job.
    pub states: BTreeMap<String, ScheduleState>,
}

impl InstallationView {
    /// Reads it; an error where there is no such installation.
    pub async fn load(store: &Store, name: &str) -> Result<Self, InstallationViewError> {
        let installation = store.installation(name).await?;
        let version = store.addon_of(&installation).await?;
        let version = version.ok_or_else(|| StoreError::Missing {
            what: "add-on",
            name: installation.addon.clone(),
        })?;
        let manifest = Manifest::parse(&version.manifest)?;
        let stored = store.settings(name).await?;
        let states = store.schedule_states(name).await?;
        let settings = plain_settings(&manifest, &stored);
        let is_secret = |stored: &&StoredSetting| {
            manifest
                .setting(&stored.key)
                .is_some_and(|spec| spec.kind == SettingKind::Secret)
        };
        let secrets = stored
            .iter()
            .filter(is_secret)
            .map(|stored| stored.key.clone())
            .collect();
        Ok(Self {
            installation,
            version,
            manifest,
            settings,
            secrets,
            states,
        })
    }
}

/// The defaults and what was stored in plain text.
fn plain_settings(manifest: &Manifest, stored: &[StoredSetting]) -> Settings {
    let defaults = manifest.settings.iter().map(|spec| ValidChange {
        key: spec.key.clone(),
        value: None,
    });
    let declared = |key: &str| match manifest.setting(key) {
        Some(spec) => spec.kind != SettingKind::Secret,
        None => key
            .split_once('.')
            .is_some_and(|(mapping, _)| manifest.mapping(mapping).is_some()),
    };
    let stored = stored
        .iter()
        .filter(|stored| declared(&stored.key))
        .filter_map(|stored| match &stored.value {
            StoredValue::Plain(text) => Some(ValidChange {
                key: stored.key.clone(),
                value: Some(NewValue::Plain(text.clone())),
            }),
            StoredValue::Sealed(_) => None,
        });
    Settings::default().with_changes(manifest, &defaults.chain(stored).collect::<Vec<_>>())
}
