//! Who changed what of this host: people, add-ons, installations, terms, limits, channels, keys. Settings have a page of their own, with
//! their installation.

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use chrono_tz::Tz;

use super::changes::{At, ChangesPage, Line, PAGE};
use crate::App;
use crate::failure::Failure;
use crate::frame::{Frame, Moment, page};
use crate::login::session::Visitor;
use crate::texts;
use crate::zone;
use addon_store::HostChanged;

/// `GET /changes`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(at): Query<At>,
) -> Result<Response, Failure> {
    let changes = app.host.store().host_changes(at.before, PAGE).await?;
    let zone = zone::shared(&app).await?;
    let href = app.href("/changes");
    let full = changes.len() == PAGE as usize;
    let next = changes.last().filter(|_| full);
    Ok(page(&ChangesPage {
        frame: Frame::new(
            app.base.as_str(),
            Some(&visitor),
            texts::host_changes::TITLE,
        ),
        about: texts::host_changes::ABOUT,
        column: texts::host_changes::WHAT,
        first: at.before.map(|_| href.clone()),
        next: next.map(|last| format!("{href}?before={}", last.number)),
        changes: changes
            .into_iter()
            .map(|change| line(change, zone))
            .collect(),
        zone: zone.name(),
    }))
}

fn line(change: HostChanged, zone: Tz) -> Line {
    Line {
        at: Moment::new(change.at, zone),
        by: change.by,
        what: texts::host_changes::what(&change.what, &change.name),
        secret: false,
        before: change.before.unwrap_or_default(),
        after: change.after.unwrap_or_default(),
    }
}
