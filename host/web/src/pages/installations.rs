//! The list of installations: what each is connected to, what it did last, what it does next, and what waits for a person. And how a
//! new one is made.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono_tz::Tz;
use serde::Deserialize;

use super::addons;
use super::charts::{self, ChartPart};
use super::check_part::CheckPart;
use super::glance::Glance;
use super::installation_page::{Connected, InstallationPage, Next, Place};
use super::run_line::RunLine;
use super::setup::{self, GuidePart};
use super::traffic::{self, TrafficPart};
use super::waiting::{self, Waiting};
use crate::App;
use crate::failure::Failure;
use crate::frame::{Frame, Moment, page_with};
use crate::login::session::Visitor;
use crate::texts;
use crate::zone;
use addon_service::installations;

/// Runs that a card shows.
const LAST_RUNS: u32 = 3;

#[derive(Template)]
#[template(path = "installations.html")]
struct InstallationsPage {
    frame: Frame,
    zone: Tz,
    installations: Vec<Card>,
    /// Installations that cannot be shown, and why: one must not hide the others.
    broken: Vec<(String, String)>,
    /// Alert channels that deliver nothing.
    stuck: Vec<(String, Moment)>,
    /// Add-ons that a new one can be made of: id and title.
    addons: Vec<(String, String)>,
    wanted: Wanted,
    problem: Option<String>,
}

/// An installation to be made.
#[derive(Default, Deserialize)]
pub struct Wanted {
    name: String,
    addon: String,
}

struct Card {
    name: String,
    href: String,
    addon: String,
    version: String,
    /// Nobody who is trusted here vouches for it.
    unsigned: bool,
    connected: Vec<Connected>,
    last: Vec<RunLine>,
    guide: Option<GuidePart>,
    traffic: Vec<TrafficPart>,
    chart: Option<ChartPart>,
    next: Vec<Next>,
    waiting: Option<Waiting>,
    outbox: String,
}

/// `GET /installations`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Failure> {
    draw(&app, &visitor, StatusCode::OK, Wanted::default(), None).await
}

/// `POST /installations`: a new one, which is set up next.
pub async fn make(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Failure> {
    let name = wanted.name.trim();
    match installations::create(app.host.store(), name, &wanted.addon, &visitor.author(&app)).await
    {
        Ok(made) => {
            let address = format!("/installations/{}/setup", made.name);
            Ok(Redirect::to(&app.href(&address)).into_response())
        }
        Err(error) => {
            let Failure { status, message } = error.into();
            draw(&app, &visitor, status, wanted, Some(message)).await
        }
    }
}

async fn draw(
    app: &App,
    visitor: &Visitor,
    status: StatusCode,
    wanted: Wanted,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let store = app.host.store();
    let (mut installations, mut broken) = (Vec::new(), Vec::new());
    for installation in store.installations().await? {
        match card(app, visitor, &installation.name).await {
            Ok(card) => installations.push(card),
            Err(failure) => broken.push((installation.name, failure.message)),
        }
    }
    let zone = zone::shared(app).await?;
    let stuck = store.stuck_alert_channels().await?;
    let stuck = stuck
        .into_iter()
        .map(|(channel, since)| (channel, Moment::new(since, zone)));
    let versions = store.addon_versions().await?.into_iter();
    let active = versions.filter(|version| version.active);
    let addons = active.map(|version| (version.addon.clone(), addons::title(&version)));
    let contents = InstallationsPage {
        frame: Frame::new(
            app.base.as_str(),
            Some(visitor),
            texts::installations::TITLE,
        ),
        installations,
        broken,
        stuck: stuck.collect(),
        zone,
        addons: addons.collect(),
        wanted,
        problem,
    };
    Ok(page_with(status, &contents))
}

async fn card(app: &App, visitor: &Visitor, name: &str) -> Result<Card, Failure> {
    let subject = InstallationPage::load(app, name).await?;
    let last = app.host.store().runs(name, None, LAST_RUNS).await?;
    let mut glance = Glance::new(app, &subject);
    let chart = charts::load(app, &subject, &mut glance).await;
    let check = CheckPart::load(app, &subject).await?;
    let addon = &subject.situation.manifest.addon;
    Ok(Card {
        name: name.to_owned(),
        href: subject.href(app, Place::Overview),
        addon: addon.title.clone(),
        version: addon.version.to_string(),
        unsigned: subject.situation.version.signed_by.is_empty(),
        connected: subject.connected(app, visitor),
        last: last
            .iter()
            .map(|run| RunLine::new(app, &subject, run))
            .collect(),
        guide: setup::guide(app, &subject, &check).await?,
        traffic: traffic::load(app, &subject).await,
        chart: chart.into_iter().next().map(|part| ChartPart {
            chart: part.chart.first(),
            ..part
        }),
        next: subject.next(app.clock.now()),
        waiting: waiting::count(&subject, &mut glance).await,
        outbox: subject.href(app, Place::Page("outbox")),
    })
}
