//! Saving a form of settings: checked as a whole, stored as a whole, followed by a check of the installation; then either a
//! redirect, so that reloading saves nothing twice, or the form again with what was typed.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::fields::Typed;
use super::installation_page::{InstallationPage, Place};
use crate::App;
use crate::failure::Failure;
use crate::findings::{self, Refusal};
use crate::login::session::Visitor;
use addon_settings::FieldProblem;

/// What is to be said about a form when it is shown.
#[derive(Default)]
pub struct Feedback {
    /// How many settings were changed just now.
    pub saved: Option<usize>,
    pub typed: Typed,
    pub problems: Vec<FieldProblem>,
    /// What went wrong with the form as a whole.
    pub problem: Option<String>,
}

/// The part of an address that the redirect adds.
#[derive(Deserialize)]
pub struct Saved {
    saved: Option<usize>,
}

pub enum Submitted {
    Saved(Response),
    Refused(StatusCode, Feedback),
}

impl From<Saved> for Feedback {
    fn from(Saved { saved }: Saved) -> Self {
        Self {
            saved,
            ..Self::default()
        }
    }
}

/// Where a form leads that was saved.
pub struct Route<'p> {
    /// The page of the form, or the one after it.
    pub to: Place<'p>,
    /// Whether the installation is checked, too, where nothing was changed: other things may have been.
    pub checks: bool,
}

impl<'p> From<Place<'p>> for Route<'p> {
    fn from(to: Place<'p>) -> Self {
        Self { to, checks: false }
    }
}

/// Saves the changes that a form asked for.
pub async fn submit(
    app: &App,
    visitor: &Visitor,
    subject: &InstallationPage,
    route: Route<'_>,
    changes: Vec<(String, String)>,
) -> Result<Submitted, Failure> {
    let count = changes.len();
    let typed: Typed = changes.iter().cloned().collect();
    if count > 0 {
        let (host, name, actor) = (
            app.host.clone(),
            subject.name().to_owned(),
            visitor.account.clone(),
        );
        let saving = async move { host.save_settings(&name, &changes, &actor).await };
        if let Some(refusal) = findings::record(app, subject.name(), saving).await? {
            let (status, problems, problem) = match refusal {
                Refusal::Fields(problems) => (StatusCode::UNPROCESSABLE_ENTITY, problems, None),
                Refusal::Whole(problem) => (StatusCode::CONFLICT, Vec::new(), Some(problem)),
            };
            let feedback = Feedback {
                saved: None,
                typed,
                problems,
                problem,
            };
            return Ok(Submitted::Refused(status, feedback));
        }
    }
    if count == 0 && route.checks {
        let (host, name) = (app.host.clone(), subject.name().to_owned());
        let checking = async move { host.check(&name).await };
        findings::record(app, subject.name(), checking).await?;
    }
    let href = subject.href(app, route.to);
    let sign = if href.contains('?') { '&' } else { '?' };
    let address = format!("{href}{sign}saved={count}");
    Ok(Submitted::Saved(Redirect::to(&address).into_response()))
}
