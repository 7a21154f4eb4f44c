//! What an installation is to others of its add-on: together they should bring each part of a source to one target, once.
//!
//! The manifest says which settings tell that (`[territory]`); nothing of it is known here. Only findings come of it: nothing is
//! stopped, since a part may be moved from one installation to another on purpose. The trap: what parts there are only the add-on
//! knows, and it may not be able to ask just now.

use std::collections::BTreeSet;

use super::{Host, HostError};
use crate::manifest::{ChoiceSource, SettingKind, SettingSpec, TerritorySpec};
use crate::runs::{Finding, Instance, Loaded, Purpose};
use crate::scheduler::{Situation, SituationError};
use crate::settings::Settings;
use crate::store::Installation;

/// What an installation says of itself.
struct Claim {
    name: String,
    /// None: it is not set up so far.
    source: Option<Vec<String>>,
    target: Option<Vec<String>>,
    leaves_out: BTreeSet<String>,
    tag: String,
}

impl Claim {
    fn of(spec: &TerritorySpec, name: &str, settings: &Settings) -> Self {
        let values = |keys: &[String]| {
            let values: Vec<String> = keys
                .iter()
                .map(|key| settings.get(key).to_owned())
                .collect();
            values
                .iter()
                .all(|value| !value.is_empty())
                .then_some(values)
        };
        Self {
            name: name.to_owned(),
            source: values(&spec.source),
            target: values(&spec.target),
            leaves_out: settings
                .get(&spec.leaves_out)
                .split(',')
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty())
                .collect(),
            tag: settings.get(&spec.tag).to_ascii_uppercase(),
        }
    }

    fn shares_source(&self, other: &Self) -> bool {
        self.source.is_some() && self.source == other.source
    }

    fn shares_target(&self, other: &Self) -> bool {
        self.target.is_some() && self.target == other.target
    }
}

impl Host {
    /// Findings about an installation beside the others of its add-on.
    pub(super) async fn check_territory(
        &self,
        installation: &Installation,
        loaded: &Loaded,
        settings: &Settings,
    ) -> Result<Vec<Finding>, HostError> {
        let Some(spec) = &loaded.manifest.territory else {
            return Ok(Vec::new());
        };
        let own = Claim::of(spec, &installation.name, settings);
        let mut others = Vec::new();
        for other in self.store().installations().await? {
            if other.addon != installation.addon || other.name == installation.name {
                continue;
            }
            let situation = Situation::load(self.store(), &other.name)
                .await
                .map_err(|error| match error {
                    SituationError::Store(error) => HostError::Store(error),
                    SituationError::Manifest(error) => HostError::Manifest(error),
                })?;
            others.push(Claim::of(spec, &other.name, &situation.settings));
        }
        let mut findings = same_tags(spec, &own, &others);
        others.retain(|other| own.shares_source(other));
        if let Some(parts) = loaded.manifest.setting(&spec.leaves_out)
            && !others.is_empty()
        {
            let parts = self.parts(installation, loaded, parts).await;
            findings.extend(borders(spec, &own, &others, parts));
        }
        Ok(findings)
    }

    /// The parts of the source, with their titles.
    async fn parts(
        &self,
        installation: &Installation,
        loaded: &Loaded,
        spec: &SettingSpec,
    ) -> Result<Vec<(String, String)>, HostError> {
        match &spec.kind {
            SettingKind::Choices(ChoiceSource::Guest(source)) => {
                let source = source.clone();
                let call = |addon: Instance| async move { addon.choices(&source).await };
                self.ask(loaded, installation, Purpose::choices(), call)
                    .await
            }
            SettingKind::Choices(ChoiceSource::Fixed(options)) => Ok(options
                .iter()
                .map(|option| (option.value.clone(), option.title.clone()))
                .collect()),
            _ => Ok(Vec::new()),
        }
    }
}

/// Keys of two installations must not be taken for each other, on neither side.
fn same_tags(spec: &TerritorySpec, own: &Claim, others: &[Claim]) -> Vec<Finding> {
    let same = others
        .iter()
        .filter(|other| other.tag == own.tag)
        .filter(|other| own.shares_target(other) || own.shares_source(other));
    let names: Vec<String> = same.map(|other| format!("`{}`", other.name)).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "Works on the same data as {}, and both mark what they make in the same way.",
        names.join(", ")
    );
    let cure = format!(
        "Set `{}` to another text in each, before the first export.",
        spec.tag
    );
    vec![finding("same-tag", "warning", message, cure, &spec.tag)]
}

/// Where the installations of one source overlap, and what they leave to nobody.
fn borders(
    spec: &TerritorySpec,
    own: &Claim,
    others: &[Claim],
    parts: Result<Vec<(String, String)>, HostError>,
) -> Vec<Finding> {
    let field = &spec.leaves_out;
    let parts = match parts {
        Ok(parts) => parts,
        Err(error) => {
            let message =
                format!("Whether others export the same cannot be told just now: {error}");
            let cure = "Run the check again once the cause is gone.".to_owned();
            return vec![finding(
                "territory-unknown",
                "warning",
                message,
                cure,
                field,
            )];
        }
    };
    let titles = |of: &dyn Fn(&str) -> bool| {
        let parts = parts.iter().filter(|(part, _)| of(part));
        let titles: Vec<&str> = parts.map(|(_, title)| title.as_str()).collect();
        (!titles.is_empty()).then(|| titles.join(", "))
    };
    let mut findings = Vec::new();
    for other in others {
        let both = |part: &str| !own.leaves_out.contains(part) && !other.leaves_out.contains(part);
        if let Some(titles) = titles(&both) {
            let message = format!(
                "This installation and `{}` both export {titles}: their records would arrive twice.",
                other.name
            );
            let cure = format!("Leave {titles} out in one of the two (`{field}`).");
            findings.push(finding("territory-overlap", "error", message, cure, field));
        }
    }
    let nobodys = |part: &str| {
        let mut all = std::iter::once(own).chain(others);
        all.all(|claim| claim.leaves_out.contains(part))
    };
    if let Some(titles) = titles(&nobodys) {
        let message = format!("No installation exports {titles}.");
        let cure = format!("If that is not meant, take them out of `{field}` in one installation.");
        findings.push(finding("territory-gap", "warning", message, cure, field));
    }
    findings
}

fn finding(code: &str, severity: &str, message: String, cure: String, field: &str) -> Finding {
    Finding {
        code: code.to_owned(),
        severity: severity.to_owned(),
        message,
        cure,
        field: field.to_owned(),
        more: Vec::new(),
    }
}
