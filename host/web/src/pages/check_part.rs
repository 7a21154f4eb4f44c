//! The last readiness check of an installation, as its pages show it.

use super::installation_page::{InstallationPage, Place};
use crate::App;
use crate::failure::Failure;
use crate::findings::{self, Checked};
use crate::frame::Moment;
use crate::texts;
use addon_service::host::Finding;

#[derive(Default)]
pub struct CheckPart {
    pub underway: bool,
    /// When it was made, or begun.
    pub at: Option<Moment>,
    pub findings: Vec<Found>,
    /// Why the check itself did not work.
    pub problem: Option<String>,
}

/// A finding with the address of the field that it is about.
#[derive(Clone)]
pub struct Found {
    pub finding: Finding,
    pub href: Option<String>,
}

impl CheckPart {
    pub async fn load(app: &App, subject: &InstallationPage) -> Result<Self, Failure> {
        Ok(match findings::last(app, subject.name()).await? {
            None => Self::default(),
            Some(Checked::Underway(since)) => Self {
                underway: true,
                at: Some(subject.moment(since)),
                ..Self::default()
            },
            Some(Checked::Found(at, findings)) => {
                let found = |finding: Finding| Found {
                    href: address(app, subject, &finding.field),
                    finding,
                };
                let findings = findings.into_iter().map(found).collect();
                Self {
                    at: Some(subject.moment(at)),
                    findings,
                    ..Self::default()
                }
            }
            Some(Checked::Failed(at, problem)) => Self {
                at: Some(subject.moment(at)),
                problem: Some(problem),
                ..Self::default()
            },
        })
    }

    /// Whether it is known that nothing is in the way.
    pub fn is_green(&self) -> bool {
        let in_the_way = |found: &Found| found.finding.severity == "error";
        self.is_known() && !self.findings.iter().any(in_the_way)
    }

    /// How many findings are in the way, or should be looked at.
    pub fn wanting(&self) -> String {
        let count = |severity: &str| {
            let found = self.findings.iter();
            found
                .filter(|found| found.finding.severity == severity)
                .count()
        };
        texts::check::wanting(count("error"), count("warning"))
    }

    /// There are findings, or would be if there were any.
    pub fn is_known(&self) -> bool {
        !self.underway && self.problem.is_none() && self.at.is_some()
    }
}

/// Where a setting or mapping is; `None`: there is no such field.
pub fn address(app: &App, subject: &InstallationPage, field: &str) -> Option<String> {
    let manifest = &subject.situation.manifest;
    let mapping = field.split('.').next().unwrap_or(field);
    let place = match (manifest.setting(field), manifest.mapping(mapping)) {
        (Some(_), _) => Place::Settings,
        (None, Some(_)) => Place::Mappings,
        (None, None) => return None,
    };
    Some(format!("{}#f-{field}", subject.href(app, place)))
}
