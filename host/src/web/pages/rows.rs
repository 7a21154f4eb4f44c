//! A page of the manifest: rows that the add-on answers, with search and paging.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::activity::Filter;
use super::subject::{Place, Subject};
use crate::host;
use crate::web::App;
use crate::web::failure::Failure;
use crate::web::frame::{Frame, page_with};
use crate::web::login::session::Visitor;

/// Rows of one page.
const PAGE: u32 = 100;

/// Name of the value with which a row says whose it is (`storage.wit`, `activity`).
const CUSTOMER: &str = "customer-id";

#[derive(Template)]
#[template(path = "rows.html")]
struct RowsPage {
    frame: Frame,
    href: String,
    title: String,
    search: String,
    columns: Vec<String>,
    rows: Vec<Line>,
    first: Option<String>,
    next: Option<String>,
    problem: Option<String>,
}

struct Line {
    /// With the titles of their columns.
    cells: Vec<(String, String)>,
    /// Address of what happened to that customer.
    activity: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    search: String,
    /// A place that the add-on named.
    after: String,
}

/// `GET /installations/{name}/pages/{page}`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path((name, id)): Path<(String, String)>,
    Query(wish): Query<Wish>,
) -> Result<Response, Failure> {
    let subject = Subject::load(&app, &name).await?;
    let spec = subject
        .situation
        .manifest
        .page(&id)
        .ok_or_else(|| Failure::not_found("page"))?;
    let query = host::Query {
        search: wish.search.clone(),
        after: wish.after.clone(),
        limit: PAGE,
        ..host::Query::default()
    };
    let (status, rows, problem) = match app.host.view(&name, &id, query).await {
        Ok(rows) => (StatusCode::OK, Some(rows), None),
        Err(error) => {
            let Failure { status, message } = error.into();
            (status, None, Some(message))
        }
    };
    let (rows, next) = rows.map(|rows| (rows.rows, rows.next)).unwrap_or_default();
    let href = subject.href(&app, Place::Page(&id));
    let address = |after: &str| {
        let fields = [("search", wish.search.as_str()), ("after", after)];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields.into_iter().filter(|(_, value)| !value.is_empty()));
        format!("{href}?{}", query.finish())
    };
    let line = |row: crate::store::ReportRow| {
        let customer = row
            .more
            .iter()
            .find(|(name, value)| name == CUSTOMER && !value.is_empty());
        let activity = customer
            .map(|(_, id)| Filter::of_customer(id).address(&subject.href(&app, Place::Activity)));
        Line {
            cells: titled(&spec.columns, row.cells),
            activity,
        }
    };
    let template = RowsPage {
        frame: subject.frame(&app, &visitor, Place::Page(&id), &spec.title),
        title: spec.title.clone(),
        columns: spec.columns.clone(),
        rows: rows.into_iter().map(line).collect(),
        first: (!wish.after.is_empty()).then(|| address("")),
        next: (!next.is_empty()).then(|| address(&next)),
        search: wish.search.clone(),
        problem,
        href: href.clone(),
    };
    Ok(page_with(status, &template))
}

/// Cells with the titles of their columns; an add-on may send more cells than its manifest has columns.
pub fn titled(columns: &[String], cells: Vec<String>) -> Vec<(String, String)> {
    columns
        .iter()
        .cloned()
        .chain(std::iter::repeat(String::new()))
        .zip(cells)
        .collect()
}
