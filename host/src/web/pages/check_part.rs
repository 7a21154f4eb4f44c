//! The last readiness check of an installation, as its pages show it.

use super::subject::{Place, Subject};
use crate::host::Finding;
use crate::web::App;
use crate::web::findings::Checked;
use crate::web::frame::Moment;

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
pub struct Found {
    pub finding: Finding,
    pub href: Option<String>,
}

impl CheckPart {
    pub fn of(app: &App, subject: &Subject) -> Self {
        match app.findings.last(subject.name()) {
            None => Self::default(),
            Some(Checked::Underway(since)) => Self {
                underway: true,
                at: Some(subject.moment(since)),
                ..Self::default()
            },
            Some(Checked::At(at, Ok(findings))) => {
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
            Some(Checked::At(at, Err(problem))) => Self {
                at: Some(subject.moment(at)),
                problem: Some(problem),
                ..Self::default()
            },
        }
    }
}

fn address(app: &App, subject: &Subject, field: &str) -> Option<String> {
    let manifest = &subject.situation.manifest;
    let mapping = field.split('.').next().unwrap_or(field);
    let place = match (manifest.setting(field), manifest.mapping(mapping)) {
        (Some(_), _) => Place::Settings,
        (None, Some(_)) => Place::Mappings,
        (None, None) => return None,
    };
    Some(format!("{}#f-{field}", subject.href(app, place)))
}
