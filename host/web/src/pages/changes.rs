//! Who changed which setting of an installation, the newest change first.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::installation_page::{InstallationPage, Place};
use crate::App;
use crate::failure::Failure;
use crate::frame::{Frame, Moment, page};
use crate::login::session::Visitor;
use crate::texts;
use addon_store::SettingChanged;

/// Changes of one page.
pub(super) const PAGE: u32 = 100;

#[derive(Template)]
#[template(path = "changes.html")]
pub(super) struct ChangesPage {
    pub frame: Frame,
    /// What the page is about; or empty.
    pub about: &'static str,
    /// Over what was changed.
    pub column: &'static str,
    pub changes: Vec<Line>,
    pub first: Option<String>,
    pub next: Option<String>,
    pub zone: &'static str,
}

pub(super) struct Line {
    pub at: Moment,
    pub by: String,
    pub what: String,
    pub secret: bool,
    pub before: String,
    pub after: String,
}

#[derive(Deserialize)]
pub struct At {
    /// Only numbers below it.
    pub before: Option<i64>,
}

/// `GET /installations/{name}/changes`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(at): Query<At>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    let store = app.host.store();
    let changes = store.setting_changes(&name, at.before, PAGE).await?;
    let href = subject.href(&app, Place::Changes);
    let full = changes.len() == PAGE as usize;
    let next = changes.last().filter(|_| full);
    Ok(page(&ChangesPage {
        frame: subject.frame(&app, &visitor, Place::Settings, texts::changes::TITLE),
        about: "",
        column: texts::changes::SETTING,
        first: at.before.map(|_| href.clone()),
        next: next.map(|last| format!("{href}?before={}", last.number)),
        changes: changes
            .into_iter()
            .map(|change| line(&subject, change))
            .collect(),
        zone: subject.zone.name(),
    }))
}

fn line(subject: &InstallationPage, change: SettingChanged) -> Line {
    let manifest = &subject.situation.manifest;
    let mapping = change.key.split_once('.');
    // Its title where the add-on still has it; else its key.
    let what = match (manifest.setting(&change.key), mapping) {
        (Some(spec), _) => format!("{}: {}", spec.group, spec.title),
        (None, Some((mapping, row))) => manifest.mapping(mapping).map_or_else(
            || change.key.clone(),
            |spec| format!("{}: {row}", spec.title),
        ),
        (None, None) => change.key.clone(),
    };
    Line {
        at: subject.moment(change.at),
        by: change.by,
        what,
        secret: change.secret,
        before: change.before.unwrap_or_default(),
        after: change.after.unwrap_or_default(),
    }
}
