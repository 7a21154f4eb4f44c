//! What an installation is to others of its add-on: together they should bring each part of a source to one target, once.
//!
//! The manifest says which settings tell that (`[territory]`); nothing of it is known here. Findings come of it, and only one of them stops
//! jobs: two installations with one source, one target and one tag would take each other's work for their own. Parts may be moved from one
//! installation to another on purpose. Beware: what parts there are only the add-on knows, and it may not be able to ask just now.

use std::collections::BTreeSet;

use super::{Host, HostError};
use crate::scheduler::{InstallationView, InstallationViewError};
use addon_manifest::{ChoiceSource, Manifest, SettingKind, SettingSpec, TerritorySpec};
use addon_runs::{Finding, Instance, Loaded, Purpose};
use addon_settings::Settings;
use addon_store::Installation;

/// What an installation says of itself.
struct Claim {
    name: String,
    /// `None`: it is not set up so far.
    source: Option<Vec<String>>,
    target: Option<Vec<String>>,
    leaves_out: BTreeSet<String>,
    tag: String,
}

impl Claim {
    fn of(manifest: &Manifest, spec: &TerritorySpec, name: &str, settings: &Settings) -> Self {
        let values = |keys: &[String]| {
            let values: Vec<String> = keys
                .iter()
                .map(|key| match manifest.setting(key).map(|spec| &spec.kind) {
                    Some(SettingKind::Url) => server(settings.get(key)),
                    _ => settings.get(key).to_owned(),
                })
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
        let own = Claim::of(&loaded.manifest, spec, &installation.name, settings);
        let mut others = self.others(installation, spec).await?;
        let mut findings = Vec::from_iter(same_mark(spec, &own, &others));
        findings.extend(same_tag(spec, &own, &others));
        others.retain(|other| own.shares_source(other));
        if let Some(parts) = loaded.manifest.setting(&spec.leaves_out)
            && !others.is_empty()
        {
            let parts = self.parts(installation, loaded, parts).await;
            findings.extend(borders(spec, &own, &others, parts));
        }
        Ok(findings)
    }

    /// Nothing is written while another installation marks its work on the same target in the same way.
    ///
    /// # Errors
    /// [`HostError::SameMark`].
    pub(super) async fn refuse_same_mark(
        &self,
        installation: &Installation,
        loaded: &Loaded,
    ) -> Result<(), HostError> {
        let Some(spec) = &loaded.manifest.territory else {
            return Ok(());
        };
        let others = self.others(installation, spec).await?;
        if others.is_empty() {
            return Ok(());
        }
        let settings = self.situation_of(&installation.name).await?.settings;
        let own = Claim::of(&loaded.manifest, spec, &installation.name, &settings);
        match same_mark(spec, &own, &others) {
            Some(finding) => Err(HostError::SameMark(Box::new(finding))),
            None => Ok(()),
        }
    }

    /// What the other installations of the add-on say of themselves.
    async fn others(
        &self,
        installation: &Installation,
        spec: &TerritorySpec,
    ) -> Result<Vec<Claim>, HostError> {
        let mut others = Vec::new();
        for other in self.store().installations().await? {
            if other.addon != installation.addon || other.name == installation.name {
                continue;
            }
            let situation = self.situation_of(&other.name).await?;
            let settings = &situation.settings;
            others.push(Claim::of(&situation.manifest, spec, &other.name, settings));
        }
        Ok(others)
    }

    async fn situation_of(&self, installation: &str) -> Result<InstallationView, HostError> {
        let situation = InstallationView::load(self.store(), installation).await;
        situation.map_err(|error| match error {
            InstallationViewError::Store(error) => HostError::Store(error),
            InstallationViewError::Manifest(error) => HostError::Manifest(error),
        })
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

/// What two installations make must not be taken for each other's. The source is part of every mark.
fn same_mark(spec: &TerritorySpec, own: &Claim, others: &[Claim]) -> Option<Finding> {
    let same = |other: &Claim| own.shares_target(other);
    let names = alike(own, others, same)?;
    let message = format!(
        "Works on the same data as {names}, and both mark what they make in the same way: each would take the other's for its own, so no job that writes is run."
    );
    let field = &spec.tag;
    let cure = format!("Set `{field}` to another text in each.");
    Some(finding("same-mark", "error", message, cure, field))
}

/// Where the targets differ, it is on the source's side that they meet.
fn same_tag(spec: &TerritorySpec, own: &Claim, others: &[Claim]) -> Option<Finding> {
    let same = |other: &Claim| !own.shares_target(other);
    let names = alike(own, others, same)?;
    let message = format!(
        "Works on the same source as {names}, and both mark what they make in the same way."
    );
    let field = &spec.tag;
    let cure = format!("Set `{field}` to another text in each, before the first export.");
    Some(finding("same-tag", "warning", message, cure, field))
}

/// The others with the same source and tag that are `same`, by name.
fn alike(own: &Claim, others: &[Claim], same: impl Fn(&Claim) -> bool) -> Option<String> {
    let alike = others
        .iter()
        .filter(|other| other.tag == own.tag && own.shares_source(other) && same(other));
    let names: Vec<String> = alike.map(|other| format!("`{}`", other.name)).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The server of an address: `https://ISP.example:443/admin/` is `isp.example`.
fn server(address: &str) -> String {
    let address = address.trim().to_lowercase();
    let rest = address.split_once("://").map_or(&address[..], |(_, r)| r);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let bare = [":443", ":80"].iter().find_map(|p| host.strip_suffix(p));
    bare.unwrap_or(host).to_owned()
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
