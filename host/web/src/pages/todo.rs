//! What people have to do: the rows that need somebody, grouped by what is the matter, each group with its number, its money, its cure and
//! the way to its rows; and what the last check found in the way.

use std::collections::BTreeSet;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use rust_decimal::Decimal;

use super::cells;
use super::check_part::{self, CheckPart, Found};
use super::glance::Glance;
use super::installation_page::{InstallationPage, Place};
use crate::App;
use crate::failure::Failure;
use crate::frame::{Frame, page};
use crate::login::session::Visitor;
use crate::texts;
use addon_manifest::{NeedsSpec, PageSpec};
use addon_store::ReportRow;

/// Names of values that come with a row (docs/manifest.md, `needs`): what is the matter, for programs; the setting or mapping that cures
/// it; and that it follows from another row, so that nothing is to be done about this one.
const CODE: &str = "code";
const FIELD: &str = "field";
const FOLLOWS: &str = "follows";

/// Rows with one cause.
pub struct Group {
    /// What is the matter, as the first of them says it.
    pub reason: String,
    /// Whether the others say the same, to the letter.
    pub is_same: bool,
    pub cure: String,
    /// Where the cure is, if it is a setting or mapping.
    pub field: Option<String>,
    /// The page where they are.
    pub page: String,
    pub href: String,
    pub count: usize,
    /// Of the rows that have an amount; empty: none has.
    pub sum: String,
    code: String,
    total: Option<Decimal>,
}

/// Everything that needs somebody.
#[derive(Default)]
pub struct ToDo {
    pub groups: Vec<Group>,
    /// Rows that follow from others.
    pub following: usize,
    /// There are more rows than were counted.
    pub more: bool,
    /// A page did not answer in time: what waits there is not known.
    pub unknown: Vec<String>,
}

#[derive(Template)]
#[template(path = "todo.html")]
struct ToDoPage {
    frame: Frame,
    todo: ToDo,
    /// What the last check found in the way.
    wrong: Vec<Found>,
    readiness: String,
}

/// `GET /installations/{name}/todo`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    let mut check = CheckPart::load(&app, &subject).await?;
    check
        .findings
        .retain(|found| found.finding.severity == "error");
    Ok(page(&ToDoPage {
        frame: subject.frame(&app, &visitor, Place::ToDo, texts::todo::TITLE),
        todo: ToDo::load(&app, &subject, &mut Glance::new(&app, &subject)).await,
        wrong: check.findings,
        readiness: subject.href(&app, Place::Readiness),
    }))
}

impl ToDo {
    /// From the pages of the add-on that say which of their rows need somebody. A row that stands on several counts where it stands first.
    pub async fn load(app: &App, subject: &InstallationPage, glance: &mut Glance<'_>) -> Self {
        let mut all = Self::default();
        let mut seen = BTreeSet::new();
        for spec in &subject.situation.manifest.pages {
            let Some(needs) = &spec.needs else { continue };
            let Some(rows) = glance.at(&spec.id).await else {
                all.unknown.push(spec.title.clone());
                continue;
            };
            all.more |= !rows.next.is_empty();
            let wanted = rows.rows.iter().filter(|row| wants(spec, needs, row));
            let href = subject.href(app, Place::Page(&spec.id));
            for row in wanted.filter(|row| seen.insert(row.id.clone())) {
                match with(row, FOLLOWS) {
                    "" => {
                        let field = check_part::address(app, subject, with(row, FIELD));
                        all.add(spec, needs, &href, row, field);
                    }
                    _ => all.following += 1,
                }
            }
        }
        for group in &mut all.groups {
            group.sum = group
                .total
                .map_or_else(String::new, |total| cells::amount(&total.to_string()));
        }
        all.groups
            .sort_by_key(|group| std::cmp::Reverse(group.count));
        all
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.groups.iter().map(|group| group.count).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    fn add(
        &mut self,
        spec: &PageSpec,
        needs: &NeedsSpec,
        page: &str,
        row: &ReportRow,
        field: Option<String>,
    ) {
        let code = with(row, CODE);
        let named = |title: &Option<String>| {
            let title = title.as_deref()?;
            Some(cell(spec, row, title)?.to_owned())
        };
        let reason = named(&needs.reason).unwrap_or_else(|| spec.title.clone());
        let money = spec.columns.money.first();
        let amount = money.and_then(|title| cell(spec, row, title)?.parse::<Decimal>().ok());
        let known = self
            .groups
            .iter_mut()
            .find(|group| group.page == spec.title && group.code == code);
        match known {
            Some(group) => {
                group.count += 1;
                group.is_same &= group.reason == reason;
                group.total = match (group.total, amount) {
                    (Some(total), Some(amount)) => total.checked_add(amount),
                    (total, amount) => total.or(amount),
                };
            }
            None => self.groups.push(Group {
                is_same: true,
                cure: named(&needs.cure).unwrap_or_default(),
                page: spec.title.clone(),
                href: href(spec, needs, page, code),
                field,
                count: 1,
                sum: String::new(),
                code: code.to_owned(),
                total: amount,
                reason,
            }),
        }
    }
}

/// A value that comes with a row; empty where there is none.
fn with<'r>(row: &'r ReportRow, name: &str) -> &'r str {
    let found = row.more.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value.as_str())
}

fn cell<'r>(spec: &PageSpec, row: &'r ReportRow, title: &str) -> Option<&'r str> {
    let titles = &spec.columns.titles;
    let at = titles.iter().position(|known| known == title)?;
    row.cells.get(at).map(String::as_str)
}

fn wants(spec: &PageSpec, needs: &NeedsSpec, row: &ReportRow) -> bool {
    let Some(column) = &needs.column else {
        return true;
    };
    let value = cell(spec, row, column);
    value.is_some_and(|value| needs.values.iter().any(|wanted| wanted == value))
}

/// The rows of a group: the page narrowed to their code, where it can be; it can where it takes that of a row that names one.
fn href(spec: &PageSpec, needs: &NeedsSpec, page: &str, code: &str) -> String {
    let narrowed = |key: &str, value: &str| {
        super::rows::address(page, vec![(format!("filter.{key}"), value.to_owned())])
    };
    match (&needs.column, needs.values.as_slice()) {
        (Some(_), _) if !code.is_empty() => narrowed(CODE, code),
        (Some(column), [value]) => {
            let key = spec.filters.iter().find(|filter| &filter.title == column);
            key.map_or_else(|| page.to_owned(), |filter| narrowed(&filter.key, value))
        }
        _ => page.to_owned(),
    }
}
