//! The activity log: what happened to which record, the newest first, by kinds of record, and as a file.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::Deserialize;

use super::cells;
use super::installation_page::{InstallationPage, Place};
use crate::App;
use crate::download;
use crate::failure::Failure;
use crate::frame::{Frame, Moment, Tab, page};
use crate::login::session::Visitor;
use crate::texts;
use addon_manifest::ActivitySpec;
use addon_service::days;
use addon_service::exports::{AMOUNT, Export, Format, LogExport};
use addon_store::{ACTIONS, ActivityFilter, ActivityRow, ENTITIES};

/// Rows of one page.
const PAGE: u32 = 100;

/// Name of the currency of the amount (`storage.wit`, `activity`).
const CURRENCY: &str = "currency";

/// Kinds of record that people look at together: the value in the address, the title, and the entities as `storage.wit` names
/// them. Money that came, from whichever side, is one subject. An add-on may have more entities, which the first tab shows.
const TABS: [(&str, &str, &[&str]); 5] = [
    ("", texts::activity::ALL, &ENTITIES),
    ("customers", texts::activity::CUSTOMERS, &["customer"]),
    ("invoices", texts::activity::INVOICES, &["invoice"]),
    (
        "credit-notes",
        texts::activity::CREDIT_NOTES,
        &["credit-note"],
    ),
    (
        "payments",
        texts::activity::PAYMENTS,
        &["payment", "receipt", "allocation", "statement"],
    ),
];

/// What people can leave out of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Here,
    There,
    Customer,
    Amount,
    Told,
    Run,
}

const PARTS: [Part; 6] = [
    Part::Here,
    Part::There,
    Part::Customer,
    Part::Amount,
    Part::Told,
    Part::Run,
];

impl Part {
    /// In the address.
    fn name(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::There => "there",
            Self::Customer => "customer",
            Self::Amount => "amount",
            Self::Told => "told",
            Self::Run => "run",
        }
    }

    /// The sides are the add-on's to name.
    fn title(self, sides: Option<&ActivitySpec>) -> &str {
        match (self, sides) {
            (Self::Here, Some(sides)) => &sides.local,
            (Self::There, Some(sides)) => &sides.remote,
            (Self::Here, None) => texts::activity::HERE,
            (Self::There, None) => texts::activity::THERE,
            (Self::Customer, _) => texts::activity::CUSTOMER,
            (Self::Amount, _) => texts::activity::AMOUNT,
            (Self::Told, _) => texts::activity::TOLD,
            (Self::Run, _) => texts::activity::RUN,
        }
    }
}

#[derive(Template)]
#[template(path = "activity.html")]
struct ActivityPage {
    frame: Frame,
    href: String,
    tabs: Vec<Tab>,
    filter: Filter,
    entities: Vec<Pick>,
    actions: Vec<Pick>,
    columns: Vec<Column>,
    rows: Vec<Line>,
    filtered: bool,
    unreadable: Vec<String>,
    newest: Option<String>,
    older: Option<String>,
    csv: String,
    xlsx: String,
    json: String,
    zone: &'static str,
}

struct Pick {
    value: String,
    chosen: bool,
}

struct Column {
    part: Part,
    title: String,
    shown: bool,
}

/// Name of a column that is shown, in the address; where none is named all are.
const COLUMN: &str = "column";

/// As in the address; empty fields do not narrow.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Filter {
    tab: String,
    entity: String,
    action: String,
    code: String,
    customer: String,
    run: String,
    /// A day, from its beginning in the installation's time zone.
    since: String,
    /// The last day.
    until: String,
    before: String,
    /// Empty: all. One name for several values: read by [`columns`].
    #[serde(skip)]
    columns: Vec<Part>,
}

struct Line {
    at: Moment,
    entity: String,
    action: String,
    label: String,
    local_id: String,
    remote_id: String,
    amount: String,
    message: String,
    code: String,
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
    Query(address): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let filter = Filter {
        columns: columns(&address),
        ..filter
    };
    let subject = InstallationPage::load(&app, &name).await?;
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
    let whole = Filter {
        before: String::new(),
        ..filter.clone()
    };
    let newest = (!filter.before.is_empty()).then(|| whole.clone());
    let href = subject.href(&app, Place::Activity);
    let entities = if filter.entities().len() > 1 {
        choices(filter.entities(), &filter.entity)
    } else {
        Vec::new()
    };
    Ok(page(&ActivityPage {
        frame: subject.frame(&app, &visitor, Place::Activity, texts::activity::TITLE),
        tabs: filter.tabs(&href),
        entities,
        actions: choices(&ACTIONS, &filter.action),
        columns: headings(&subject, &filter),
        rows: found
            .into_iter()
            .map(|row| line(&app, &subject, row))
            .collect(),
        filtered: filter.narrows(),
        unreadable: filter.unreadable(),
        newest: newest.map(|filter| filter.address(&href)),
        older: older.map(|filter| filter.address(&href)),
        csv: whole.address(&format!("{href}/csv")),
        xlsx: whole.address(&format!("{href}/xlsx")),
        json: whole.address(&format!("{href}/json")),
        zone: subject.zone.name(),
        href,
        filter,
    }))
}

/// `GET /installations/{name}/activity/{format}`: all that fits, as a file.
pub async fn download(
    State(app): State<App>,
    Path((name, format)): Path<(String, String)>,
    Query(filter): Query<Filter>,
) -> Result<Response, Failure> {
    let format = match format.as_str() {
        "json" => Format::Json,
        other => download::format(other)?,
    };
    // A file does not say what it left out, or did not.
    let unreadable = filter.unreadable();
    if !unreadable.is_empty() {
        let told = unreadable.join(" ");
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, told));
    }
    let subject = InstallationPage::load(&app, &name).await?;
    let narrowed = filter.narrow(subject.zone);
    let store = app.host.store().clone();
    let export = LogExport::new(store, &name, narrowed, format, subject.zone);
    download::file(Export::Log(export), format, &format!("{name}-activity")).await
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
            ("tab", &self.tab),
            ("entity", &self.entity),
            ("action", &self.action),
            ("code", &self.code),
            ("customer", &self.customer),
            ("run", &self.run),
            ("since", &self.since),
            ("until", &self.until),
            ("before", &self.before),
        ];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields.into_iter().filter(|(_, value)| !value.is_empty()));
        query.extend_pairs(self.columns.iter().map(|part| (COLUMN, part.name())));
        format!("{href}?{}", query.finish())
    }

    /// The tabs; each keeps what else was filtered for.
    fn tabs(&self, href: &str) -> Vec<Tab> {
        let tab = |(value, title, _): &(&str, &str, &[&str])| {
            let filter = Self {
                tab: (*value).to_owned(),
                entity: String::new(),
                before: String::new(),
                ..self.clone()
            };
            Tab {
                title: (*title).to_owned(),
                href: filter.address(href),
                current: *value == self.tab,
            }
        };
        TABS.iter().map(tab).collect()
    }

    /// The entities of its tab.
    fn entities(&self) -> &'static [&'static str] {
        let tab = TABS.iter().find(|(value, _, _)| *value == self.tab);
        tab.map_or(TABS[0].2, |(_, _, entities)| entities)
    }

    fn narrows(&self) -> bool {
        [
            &self.entity,
            &self.action,
            &self.code,
            &self.customer,
            &self.run,
            &self.since,
            &self.until,
        ]
        .into_iter()
        .any(|field| !field.is_empty())
    }

    /// What is said of values that cannot be read.
    fn unreadable(&self) -> Vec<String> {
        let days = [&self.since, &self.until].into_iter();
        let days = days.filter(|text| !text.trim().is_empty() && day(text).is_none());
        let run = Some(&self.run).filter(|text| !text.trim().is_empty() && number(text).is_none());
        days.map(texts::activity::no_day)
            .chain(run.map(texts::activity::no_run))
            .collect()
    }

    /// What cannot be read does not narrow, and is [told](Self::unreadable).
    fn narrow(&self, zone: Tz) -> ActivityFilter {
        let text = |field: &str| Some(field.trim().to_owned()).filter(|field| !field.is_empty());
        let entities = match (text(&self.entity), self.tab.is_empty()) {
            (Some(entity), _) => vec![entity],
            // Also those that this host does not know.
            (None, true) => Vec::new(),
            (None, false) => self.entities().iter().map(|&one| one.to_owned()).collect(),
        };
        ActivityFilter {
            entities,
            action: text(&self.action),
            code: text(&self.code),
            customer: text(&self.customer),
            run: number(&self.run),
            since: day(&self.since).map(|day| days::beginning(day, zone)),
            until: day(&self.until).map(|day| days::beginning(days::next(day), zone)),
            before: self.before.parse().ok(),
            limit: PAGE + 1,
            ..ActivityFilter::default()
        }
    }
}

fn day(text: &str) -> Option<NaiveDate> {
    text.trim().parse().ok()
}

fn number(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// The columns that an address names; empty where it names all.
fn columns(address: &[(String, String)]) -> Vec<Part> {
    let named: Vec<Part> = address
        .iter()
        .filter(|(name, _)| name == COLUMN)
        .filter_map(|(_, value)| PARTS.into_iter().find(|part| part.name() == value))
        .collect();
    if PARTS.iter().all(|part| named.contains(part)) {
        return Vec::new();
    }
    named
}

fn headings(subject: &InstallationPage, filter: &Filter) -> Vec<Column> {
    let sides = subject.situation.manifest.activity.as_ref();
    PARTS
        .iter()
        .map(|part| Column {
            part: *part,
            title: part.title(sides).to_owned(),
            shown: filter.columns.is_empty() || filter.columns.contains(part),
        })
        .collect()
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

fn line(app: &App, subject: &InstallationPage, row: ActivityRow) -> Line {
    let activity = row.activity;
    let customer = Some(activity.customer_id).filter(|id| !id.is_empty());
    let named = |wanted: &str| {
        let found = activity.more.iter().find(|(name, _)| name == wanted);
        found.map_or("", |(_, value)| value.as_str())
    };
    let amount = format!("{} {}", named(CURRENCY), cells::amount(named(AMOUNT)));
    let more = activity
        .more
        .iter()
        .filter(|(name, _)| name != AMOUNT && name != CURRENCY)
        .map(|(name, value)| format!("{name}: {value}"));
    let sides = subject.situation.manifest.activity.as_ref();
    let is_turned = sides.is_some_and(|sides| sides.turned.contains(&activity.entity));
    let (local_id, remote_id) = match is_turned {
        true => (activity.remote_id, activity.local_id),
        false => (activity.local_id, activity.remote_id),
    };
    Line {
        at: subject.moment(row.at),
        entity: activity.entity,
        action: activity.action,
        label: activity.label,
        local_id,
        remote_id,
        amount: amount.trim().to_owned(),
        message: activity.message,
        code: activity.code,
        more: more.collect::<Vec<_>>().join(", "),
        customer: customer.map(|id| {
            let address = Filter::of_customer(&id).address(&subject.href(app, Place::Activity));
            (id, address)
        }),
        run: row.run.map(|run| (run, app.href(&format!("/runs/{run}")))),
    }
}
