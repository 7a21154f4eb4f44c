//! Is everything in place? The last check, what is in the way first, each finding with its cure and the way there.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;

use super::check_part::{CheckPart, Found};
use super::installation_page::{InstallationPage, Place};
use crate::App;
use crate::failure::Failure;
use crate::frame::{Frame, page};
use crate::login::session::Visitor;
use crate::texts;

#[derive(Template)]
#[template(path = "readiness.html")]
struct ReadinessPage {
    frame: Frame,
    check: CheckPart,
    green: bool,
    parts: Vec<Part>,
    /// Address at which it is checked anew.
    href: String,
    zone: &'static str,
}

struct Part {
    title: &'static str,
    badge: &'static str,
    findings: Vec<Found>,
}

/// By severity, the worst first.
const PARTS: [(&str, &str); 3] = [
    ("error", texts::readiness::ERRORS),
    ("warning", texts::readiness::WARNINGS),
    ("ok", texts::readiness::IN_ORDER),
];

/// `GET /installations/{name}/readiness`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    let mut check = CheckPart::load(&app, &subject).await?;
    let green = check.is_green();
    let mut rest = std::mem::take(&mut check.findings);
    let part = |(severity, title)| {
        let (findings, others) = std::mem::take(&mut rest)
            .into_iter()
            .partition(|found: &Found| found.finding.severity == severity);
        rest = others;
        Part {
            title,
            badge: severity,
            findings,
        }
    };
    let parts: Vec<Part> = PARTS.into_iter().map(part).collect();
    Ok(page(&ReadinessPage {
        frame: subject.frame(&app, &visitor, Place::Readiness, texts::readiness::TITLE),
        parts: parts
            .into_iter()
            .filter(|part| !part.findings.is_empty())
            .collect(),
        check,
        green,
        href: format!("{}/check", subject.href(&app, Place::Overview)),
        zone: subject.zone.name(),
    }))
}
