//! Who changed what of this host: people, add-ons, installations, terms, limits, channels, keys. Settings have a page of their own, with
//! their installation.

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use chrono_tz::Tz;
use serde::Deserialize;

use crate::web::App;
use crate::web::failure::Failure;
use crate::web::frame::{Frame, Moment, page};
use crate::web::login::session::Visitor;

/// Changes of one page.
const PAGE: u32 = 100;

#[derive(Template)]
#[template(path = "host_changes.html")]
struct HostChangesPage {
    frame: Frame,
    changes: Vec<Line>,
    first: Option<String>,
    next: Option<String>,
}

struct Line {
    at: Moment,
    by: String,
    what: String,
    name: String,
    before: String,
    after: String,
}

#[derive(Deserialize)]
pub struct At {
    /// Only numbers below it.
    before: Option<i64>,
}

/// `GET /changes`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(at): Query<At>,
) -> Result<Response, Failure> {
    let changes = app.host.store().host_changes(at.before, PAGE).await?;
    let href = app.href("/changes");
    let full = changes.len() == PAGE as usize;
    let next = changes.last().filter(|_| full);
    Ok(page(&HostChangesPage {
        frame: Frame::new(app.base.as_str(), Some(&visitor), "Changes"),
        first: at.before.map(|_| href.clone()),
        next: next.map(|last| format!("{href}?before={}", last.number)),
        changes: changes
            .into_iter()
            .map(|change| Line {
                at: Moment::new(change.at, Tz::UTC),
                by: change.by,
                what: change.what,
                name: change.name,
                before: change.before.unwrap_or_default(),
                after: change.after.unwrap_or_default(),
            })
            .collect(),
    }))
}
