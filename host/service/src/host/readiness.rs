//! Settings and the check whether everything is in place: saving the one leads to the other.

use chrono::{DateTime, TimeDelta, Utc};

use super::master_key;
use super::traffic::rough;
use super::{Host, HostError};
use addon_manifest::{Manifest, SettingKind};
use addon_runs::{Finding, Loaded, Purpose, Services};
use addon_settings::{Settings, credential_keys, validate};
use addon_store::Installation;
use addon_traffic::Access;

impl Host {
    /// Checks and stores what a person changed, all of it or nothing, and answers whether everything is in place now.
    pub async fn save_settings(
        &self,
        installation: &str,
        changes: &[(String, String)],
        actor: &str,
    ) -> Result<Vec<Finding>, HostError> {
        let Services {
            store,
            vault,
            clock,
            connections,
            ..
        } = &self.0.services;
        let (found, loaded) = self.situation(installation).await?;
        let manifest = &loaded.manifest;
        let valid = validate(manifest, changes).map_err(HostError::Settings)?;
        let before = Settings::load(store, vault, manifest, installation).await?;
        let refused = self.not_offered(&found, &loaded, &before, &valid).await;
        if !refused.is_empty() {
            return Err(HostError::Settings(refused));
        }
        // A command may have changed the key while this host was running.
        master_key::follow(store, vault).await?;
        let sealed: Result<Vec<_>, _> = valid
            .iter()
            .map(|change| change.seal(vault, installation))
            .collect();
        store
            .save_settings(installation, &sealed?, actor, clock.now())
            .await?;
        let settings = Settings::load(store, vault, manifest, installation).await?;
        let access = Access::open(store, vault, manifest, &settings, installation).await?;
        for (name, connection) in &manifest.connections {
            let mut keys = connection.auth.iter().flat_map(credential_keys);
            // Entered anew, perhaps with the same value: a person says that it is right now.
            if keys.any(|key| valid.iter().any(|change| change.key == key)) {
                connections.forgive(&access, name).await?;
            }
        }
        let mut findings = match self.check_situation(&found, &loaded).await {
            Err(HostError::Addon(failure)) => vec![Finding {
                code: failure.code,
                severity: "error".to_owned(),
                message: failure.message,
                cure: "The settings are saved; run the check again once this is put right."
                    .to_owned(),
                field: String::new(),
                more: failure.more,
            }],
            other => other?,
        };
        findings.extend(completed(manifest, changes, &settings));
        self.keep(installation, &findings).await?;
        Ok(findings)
    }

    /// Is everything in place?
    pub async fn check(&self, installation: &str) -> Result<Vec<Finding>, HostError> {
        let (installation, loaded) = self.situation(installation).await?;
        let findings = self.check_situation(&installation, &loaded).await?;
        self.keep(&installation.name, &findings).await?;
        Ok(findings)
    }

    /// When the installation was last checked, and what was found.
    pub async fn last_check(
        &self,
        installation: &str,
    ) -> Result<Option<(DateTime<Utc>, Vec<Finding>)>, HostError> {
        Ok(self.store().readiness(installation).await?)
    }

    async fn keep(&self, installation: &str, findings: &[Finding]) -> Result<(), HostError> {
        let now = self.0.services.clock.now();
        let store = self.store();
        Ok(store.save_readiness(installation, now, &findings).await?)
    }

    async fn check_situation(
        &self,
        installation: &Installation,
        loaded: &Loaded,
    ) -> Result<Vec<Finding>, HostError> {
        let Services { store, vault, .. } = &self.0.services;
        let mut findings = self
            .ask(loaded, installation, Purpose::check(), |addon| async {
                addon.check().await
            })
            .await?;
        findings.extend(self.package_findings(installation).await?);
        // Read afterwards: the check may have fetched some.
        let settings = Settings::load(store, vault, &loaded.manifest, &installation.name).await?;
        for spec in settings.missing(&loaded.manifest) {
            if !findings
                .iter()
                .any(|finding| finding.field == spec.key && finding.severity == "error")
            {
                findings.push(Finding {
                    code: "missing-setting".to_owned(),
                    severity: "error".to_owned(),
                    message: format!("{}: {} is not set.", spec.group, spec.title),
                    cure: format!("Set `{}`.", spec.key),
                    field: spec.key.clone(),
                    more: Vec::new(),
                });
            }
        }
        findings.extend(
            self.connection_findings(&loaded.manifest, &settings, &installation.name)
                .await?,
        );
        findings.extend(
            self.check_territory(installation, loaded, &settings)
                .await?,
        );
        Ok(findings)
    }

    /// What the check's own requests showed of the services' clocks, and how much of the limits is left.
    async fn connection_findings(
        &self,
        manifest: &Manifest,
        settings: &Settings,
        installation: &str,
    ) -> Result<Vec<Finding>, HostError> {
        /// In percent of what automatic runs may use in a day.
        const MUCH: u64 = 80;
        let finding = |code: &str, message: String, cure: &str| Finding {
            code: code.to_owned(),
            severity: "warning".to_owned(),
            message,
            cure: cure.to_owned(),
            field: String::new(),
            more: Vec::new(),
        };
        let mut findings = Vec::new();
        let Services {
            store,
            vault,
            connections,
            ..
        } = &self.0.services;
        let access = Access::open(store, vault, manifest, settings, installation).await?;
        for (name, connection) in &manifest.connections {
            let title = &connection.title;
            if let Some(ahead) = connections.clock_ahead(&access, name) {
                let way = if ahead > TimeDelta::zero() {
                    "ahead of"
                } else {
                    "behind"
                };
                findings.push(finding(
                    "clocks-differ",
                    format!(
                        "The clock of {title} is {} {way} this machine's.",
                        rough(ahead.abs())
                    ),
                    "Let both machines take their time from the network (NTP).",
                ));
            }
            let Some(figures) = connections.figures(&access, name).await? else {
                continue;
            };
            let Some(per_day) = figures.per_day else {
                continue;
            };
            let automatic = per_day.saturating_sub(figures.reserve);
            if u64::from(figures.last_day) * 100 > u64::from(automatic) * MUCH {
                findings.push(finding(
                    "limit-nearly-used",
                    format!(
                        "{title} takes {per_day} requests a day, and {} of them are used: automatic runs pause at {automatic}, the rest is kept for people.",
                        figures.last_day
                    ),
                    "Nothing is lost: runs go on as the day moves on. For a first transfer, plan several days; run the jobs less often if it stays so.",
                ));
            }
        }
        Ok(findings)
    }

    /// What is to be known of the package that the installation runs.
    async fn package_findings(
        &self,
        installation: &Installation,
    ) -> Result<Vec<Finding>, HostError> {
        let finding = |code: &str, message: String, cure: String| Finding {
            code: code.to_owned(),
            severity: "warning".to_owned(),
            message,
            cure,
            field: String::new(),
            more: Vec::new(),
        };
        let mut findings = Vec::new();
        let Some(version) = self.store().addon_of(installation).await? else {
            return Ok(findings);
        };
        if version.signed_by.is_empty() {
            findings.push(finding(
                "unsigned-package",
                format!(
                    "Nobody whom this host trusts signed {} {}.",
                    version.addon, version.version
                ),
                "Install the package as its makers signed it.".to_owned(),
            ));
        }
        let versions = self.store().versions_of(&version.addon).await?;
        let withdrawn = versions
            .into_iter()
            .find(|other| !other.withdrawn.is_empty() && other.serial >= version.serial);
        if let Some(withdrawn) = withdrawn {
            findings.push(finding(
                "version-withdrawn",
                format!(
                    "Version {} is not used: {}.",
                    withdrawn.version,
                    withdrawn.withdrawn.trim_end_matches('.')
                ),
                "Tell its makers, and update to the next version.".to_owned(),
            ));
        }
        Ok(findings)
    }
}

/// Addresses that were stored otherwise than they were typed: with the final slash that paths are joined to.
fn completed(manifest: &Manifest, typed: &[(String, String)], stored: &Settings) -> Vec<Finding> {
    let note = |(key, typed): &(String, String)| {
        let spec = manifest
            .setting(key)
            .filter(|spec| spec.kind == SettingKind::Url)?;
        let (typed, stored) = (typed.trim(), stored.get(key));
        let differs = !typed.is_empty() && typed != stored;
        differs.then(|| Finding {
            code: "address-completed".to_owned(),
            severity: "ok".to_owned(),
            message: format!("{}: {} is stored as {stored}.", spec.group, spec.title),
            cure: String::new(),
            field: key.clone(),
            more: Vec::new(),
        })
    };
    typed.iter().filter_map(note).collect()
}
