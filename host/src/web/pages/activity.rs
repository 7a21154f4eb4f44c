//! The activity log: what happened to which record, the newest first.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::Deserialize;

use super::subject::{Place, Subject};
use crate::store::{ActivityFilter, ActivityRow};
use crate::web::App;
use crate::web::failure::Failure;
use crate::web::frame::{Frame, Moment, page};
use crate::web::login::session::Visitor;

/// Rows of one page.
const PAGE: u32 = 100;

/// As `storage.wit` names them; an add-on may have more, which links and typed addresses reach.
const ENTITIES: [&str; 8] = [
    "customer",
    "invoice",
    "credit-note",
    "payment",
    "allocation",
    "statement",
    "mapping",
    "run",
];
const ACTIONS: [&str; 11] = [
    "created",
    "updated",
    "paired",
    "imported",
    "skipped",
    "held",
    "failed",
    "uncertain",
    "owed",
    "planned",
    "loaded",
];

#[derive(Template)]
#[template(path = "activity.html")]
struct ActivityPage {
    frame: Frame,
    href: String,
    filter: Filter,
    entities: Vec<Pick>,
    actions: Vec<Pick>,
    rows: Vec<Line>,
    filtered: bool,
    newest: Option<String>,
    older: Option<String>,
    zone: &'static str,
}

struct Pick {
    value: String,
    chosen: bool,
}

/// As in the address; empty fields do not narrow.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Filter {
    entity: String,
    action: String,
    customer: String,
    run: String,
    /// A day, from its beginning in the installation's time zone.
    since: String,
    before: String,
}

struct Line {
    at: Moment,
    entity: String,
    action: String,
    label: String,
    local_id: String,
    remote_id: String,
    message: String,
    more: String,
    customer: Option<(String, String)>,
    run: Option<(i64, String)>,
}

/// `GET /installations/{name}/activity`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Response, Failure> {
    let subject = Subject::load(&app, &name).await?;
    let mut found = app
        .host
        .store()
        .activities(&name, &filter.narrow(subject.zone))
        .await?;
    let is_more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let older = found.last().filter(|_| is_more).map(|last| Filter {
        before: last.id.to_string(),
        ..filter.clone()
    });
    let newest = (!filter.before.is_empty()).then(|| Filter {
        before: String::new(),
        ..filter.clone()
    });
    let href = subject.href(&app, Place::Activity);
    Ok(page(&ActivityPage {
        frame: subject.frame(&app, &visitor, Place::Activity, "Activity"),
        entities: choices(&ENTITIES, &filter.entity),
        actions: choices(&ACTIONS, &filter.action),
        rows: found
            .into_iter()
            .map(|row| line(&app, &subject, row))
            .collect(),
        filtered: filter.narrows(),
        newest: newest.map(|filter| filter.address(&href)),
        older: older.map(|filter| filter.address(&href)),
        zone: subject.zone.name(),
        href,
        filter,
    }))
}

impl Filter {
    /// Of one customer.
    pub fn of_customer(id: &str) -> Self {
        Self {
            customer: id.to_owned(),
            ..Self::default()
        }
    }

    /// Of one run.
    pub fn of_run(run: i64) -> Self {
        Self {
            run: run.to_string(),
            ..Self::default()
        }
    }

    /// The page with this filter.
    pub fn address(&self, href: &str) -> String {
        let fields = [
            ("entity", &self.entity),
            ("action", &self.action),
            ("customer", &self.customer),
            ("run", &self.run),
            ("since", &self.since),
            ("before", &self.before),
        ];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields.into_iter().filter(|(_, value)| !value.is_empty()));
        format!("{href}?{}", query.finish())
    }

    fn narrows(&self) -> bool {
        [
            &self.entity,
            &self.action,
            &self.customer,
            &self.run,
            &self.since,
        ]
        .into_iter()
        .any(|field| !field.is_empty())
    }

    /// What cannot be read does not narrow: addresses are edited by hand.
    fn narrow(&self, zone: Tz) -> ActivityFilter {
        let text = |field: &str| Some(field.trim().to_owned()).filter(|field| !field.is_empty());
        ActivityFilter {
            entity: text(&self.entity),
            action: text(&self.action),
            customer: text(&self.customer),
            run: self.run.parse().ok(),
            since: self.since.parse().ok().and_then(|day| beginning(day, zone)),
            after: None,
            before: self.before.parse().ok(),
            limit: PAGE + 1,
        }
    }
}

fn beginning(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    // Where a day begins at one o'clock, midnight in UTC terms is near enough for a filter.
    let midnight = day.and_time(NaiveTime::MIN);
    Some(
        zone.from_local_datetime(&midnight)
            .earliest()
            .map_or(midnight.and_utc(), |at| at.to_utc()),
    )
}

/// The known values, and the one in the address where it is another.
fn choices(known: &[&str], chosen: &str) -> Vec<Pick> {
    let other = (!chosen.is_empty() && !known.contains(&chosen)).then_some(chosen);
    known
        .iter()
        .copied()
        .chain(other)
        .map(|value| Pick {
            value: value.to_owned(),
            chosen: value == chosen,
        })
        .collect()
}

fn line(app: &App, subject: &Subject, row: ActivityRow) -> Line {
    let activity = row.activity;
    let customer = Some(activity.customer_id).filter(|id| !id.is_empty());
    Line {
        at: subject.moment(row.at),
        entity: activity.entity,
        action: activity.action,
        label: activity.label,
        local_id: activity.local_id,
        remote_id: activity.remote_id,
        message: activity.message,
        more: activity
            .more
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect::<Vec<_>>()
            .join(", "),
        customer: customer.map(|id| {
            let address = Filter::of_customer(&id).address(&subject.href(app, Place::Activity));
            (id, address)
        }),
        run: row.run.map(|run| (run, app.href(&format!("/runs/{run}")))),
    }
}
