//! The limited OData of Sage's lists: `$filter`, `$orderby`, `$skip`, `$top`, `$select`, and the envelope.
//!
//! A query is bound to an entity's columns first, so an unknown name or a comparison that makes no sense is refused
//! even where no row would ever be looked at. Other `$` options are ignored.

mod filter;
mod lexer;
mod scope;

use std::cmp::Ordering;

use chrono::{NaiveDateTime, TimeDelta};
use serde_json::{Map, Value, json};

use self::filter::{Filter, compare};
use self::scope::Scope;
use super::behaviour::{Behaviour, Filtering};
use super::books::Books;
use super::refusal::Refusal;
use super::table::{Record, Table, Tally};
use super::wire::{Column, Kind, body};

/// No list answers more rows, whatever `$top` says.
pub const PAGE: usize = 100;

/// The options of one list call, still as text.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    pub filter: Option<&'a str>,
    pub order: Option<&'a str>,
    pub skip: Option<&'a str>,
    pub top: Option<&'a str>,
    pub select: Option<&'a str>,
    pub now: NaiveDateTime,
}

/// One page of a table's rows, in the list envelope; `columns` are what the bodies show and what may be filtered on.
pub fn page<T: Record + 'static>(
    table: &Table<T>,
    columns: &[&'static Column<T>],
    options: Options,
    books: &Books,
) -> Result<Value, Refusal> {
    let (skip, top) = (
        count(options.skip, "$skip")?.unwrap_or(0),
        count(options.top, "$top")?.unwrap_or(PAGE).min(PAGE),
    );
    let filter = options
        .filter
        .map(|text| Filter::parse(text, columns, &books.behaviour))
        .transpose()?;
    let listed = listed_by(options.now, columns, &books.behaviour)?;
    let order = options
        .order
        .map(|text| Order::parse(text, columns, &books.behaviour))
        .transpose()?
        .unwrap_or(Order::NewestFirst);
    let shown = match options.select {
        Some(names) => select(names, columns)?,
        None => columns.to_vec(),
    };

    let scope = filter.as_ref().map_or(Scope::default(), |filter| {
        filter.scope(T::KEY_FIELD, T::LINK_FIELDS)
    });
    let rows = scope.rows(table).filter(|row| {
        [&filter, &listed]
            .into_iter()
            .flatten()
            .all(|filter| filter.holds(row, books))
    });
    let goes_on = (skip == 0 && listed.is_none() && matches!(order, Order::ById))
        .then(|| goes_on(options.filter?))
        .flatten();
    let left = goes_on.and_then(|(condition, above)| table.left(condition, above));
    let (total, rows) = match left {
        Some(total) => (total, rows.take(top).collect()),
        None => order.window(rows, skip, top, books),
    };
    if let (Some((condition, _)), Some(last)) = (goes_on, rows.last()) {
        table.leave(Tally {
            condition: condition.to_owned(),
            above: last.id(),
            rows: total - rows.len(),
        });
    }

    let results: Vec<Value> = rows
        .into_iter()
        .map(|row| body(row, shown.iter().copied(), books))
        .collect();
    Ok(envelope(total, results))
}

/// Of a list that is read page by page, `ID gt 5 and Date ge datetime'…'`: what stays the same, and where the page begins. `None`: it is
/// something else, or a condition that may be about more than fields of the rows.
fn goes_on(filter: &str) -> Option<(&str, i64)> {
    let rest = filter.strip_prefix("ID gt ")?;
    let (above, condition) = rest.split_once(" and ").unwrap_or((rest, ""));
    let is_own = condition.is_empty()
        || condition.starts_with("Date ")
            && !condition.contains(" and ")
            && !condition.contains(" or ");
    Some((condition, above.parse().ok()?)).filter(|_| is_own)
}

/// Where lists lag behind, only what is old enough is in them.
fn listed_by<T: Record + 'static>(
    now: NaiveDateTime,
    columns: &[&'static Column<T>],
    behaviour: &Behaviour,
) -> Result<Option<Filter<T>>, Refusal> {
    let lag = TimeDelta::seconds(behaviour.list_lag_seconds.into());
    if lag.is_zero() || find(columns, "Created").is_err() {
        return Ok(None);
    }
    let condition = format!(
        "Created le datetime'{}'",
        (now - lag).format("%Y-%m-%dT%H:%M:%S")
    );
    Filter::parse(&condition, columns, behaviour).map(Some)
}

/// The list envelope.
pub fn envelope(total: usize, results: Vec<Value>) -> Value {
    let mut map = Map::new();
    map.insert("TotalResults".to_owned(), json!(total));
    map.insert("ReturnedResults".to_owned(), json!(results.len()));
    map.insert("Results".to_owned(), Value::Array(results));
    Value::Object(map)
}

/// In which order rows come.
enum Order<T: 'static> {
    /// Without `$orderby` nothing is promised; rows that come in push the pages along, as they would in life.
    NewestFirst,
    ById,
    By(Vec<(&'static Column<T>, bool)>),
}

impl<T: Record + 'static> Order<T> {
    fn parse(
        text: &str,
        columns: &[&'static Column<T>],
        behaviour: &Behaviour,
    ) -> Result<Self, Refusal> {
        let mut by = Vec::new();
        for term in text.split(',') {
            let mut words = term.split_whitespace();
            let column = find(columns, words.next().unwrap_or_default())?;
            let descending = match (words.next(), words.next()) {
                (None | Some("asc"), None) => false,
                (Some("desc"), None) => true,
                _ => return Err(bad(format!("The order '{}' makes no sense.", term.trim()))),
            };
            if column.kind == Kind::Object {
                return Err(bad(format!("'{}' has no order.", column.name)));
            }
            // What does not filter on texts does not order by them either (Sage's guide, second hand).
            if column.kind != Kind::Text || behaviour.string_filters == Filtering::Works {
                by.push((column, descending));
            }
        }
        Ok(match by.first() {
            None => Self::ById,
            Some((column, false)) if column.name == "ID" => Self::ById,
            Some((column, true)) if column.name == "ID" => Self::NewestFirst,
            Some(_) => Self::By(by),
        })
    }

    /// How many rows there are, and those of the window. `rows` come by id.
    fn window<'t>(
        &self,
        rows: impl DoubleEndedIterator<Item = &'t T>,
        skip: usize,
        top: usize,
        books: &Books,
    ) -> (usize, Vec<&'t T>) {
        match self {
            Self::ById => cut(rows, skip, top),
            Self::NewestFirst => cut(rows.rev(), skip, top),
            Self::By(by) => {
                let mut rows: Vec<&T> = rows.collect();
                // A stable sort: equal rows stay in the order of their ids.
                rows.sort_by(|a, b| order(by, a, b, books));
                cut(rows.into_iter(), skip, top)
            }
        }
    }
}

fn cut<'t, T>(rows: impl Iterator<Item = &'t T>, skip: usize, top: usize) -> (usize, Vec<&'t T>) {
    let mut total = 0;
    let mut window = Vec::new();
    for row in rows {
        if total >= skip && window.len() < top {
            window.push(row);
        }
        total += 1;
    }
    (total, window)
}

fn order<T>(by: &[(&'static Column<T>, bool)], a: &T, b: &T, books: &Books) -> Ordering {
    by.iter()
        .map(|(column, descending)| {
            let ordering = compare(&(column.get)(a, books), &(column.get)(b, books))
                .unwrap_or(Ordering::Equal);
            if *descending {
                ordering.reverse()
            } else {
                ordering
            }
        })
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn select<T>(
    names: &str,
    columns: &[&'static Column<T>],
) -> Result<Vec<&'static Column<T>>, Refusal> {
    names
        .split(',')
        .map(|name| find(columns, name.trim()))
        .collect()
}

/// A column by its exact name: unlike services and parameters, properties in OData are told apart by case.
fn find<T>(columns: &[&'static Column<T>], name: &str) -> Result<&'static Column<T>, Refusal> {
    columns
        .iter()
        .copied()
        .find(|column| column.name == name)
        .ok_or_else(|| bad(format!("Could not find a property named '{name}'.")))
}

fn count(text: Option<&str>, name: &str) -> Result<Option<usize>, Refusal> {
    text.map(|text| {
        text.trim().parse().map_err(|_| {
            bad(format!(
                "{name} must be a whole number that is not negative."
            ))
        })
    })
    .transpose()
}

fn bad(text: String) -> Refusal {
    Refusal::invalid("query", text)
}
