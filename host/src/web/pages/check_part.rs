//! The last readiness check of an installation, as its pages show it.

use super::subject::Subject;
use crate::host::Finding;
use crate::web::App;
use crate::web::findings::Checked;
use crate::web::frame::Moment;

#[derive(Default)]
pub struct CheckPart {
    pub underway: bool,
    /// When it was made, or begun.
    pub at: Option<Moment>,
    pub findings: Vec<Finding>,
    /// Why the check itself did not work.
    pub problem: Option<String>,
}

impl CheckPart {
    pub fn of(app: &App, subject: &Subject) -> Self {
        match app.findings.last(subject.name()) {
            None => Self::default(),
            Some(Checked::Underway(since)) => {
                Self { underway: true, at: Some(subject.moment(since)), ..Self::default() }
            }
            Some(Checked::At(at, Ok(findings))) => {
                Self { at: Some(subject.moment(at)), findings, ..Self::default() }
            }
            Some(Checked::At(at, Err(problem))) => {
                Self { at: Some(subject.moment(at)), problem: Some(problem), ..Self::default() }
            }
        }
    }
}
