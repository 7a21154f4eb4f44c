//! Tables that people read and act on: storage only, apart from acts that ask Sage whether something exists.

pub mod outbox;
pub mod pairing;
pub mod records;
pub mod statements;
pub mod vat;

use rust_decimal::Decimal;

use crate::addon::{Query, Rows};
use crate::capability::{Entry, Failure, Pair, Row};
use crate::collect::{Map, Set, ToMap, ToSet};
use crate::money;
use crate::write::ledger::{Run, RunError, RunResult};
use crate::write::record::{Kind, RecordKey};

/// Entries that are looked through for one page of a rare filter; the next page goes on from there.
const MOST_SCANNED: usize = 1_500;

/// Entries that are asked for at once where most of them may not fit.
const CHUNK: usize = 500;

/// Why an act is not done.
fn refuse(message: impl Into<String>) -> RunError {
    RunError::Failed(Failure::new("refused", message))
}

fn value<'v>(values: &'v [Pair], name: &str) -> &'v str {
    values
        .iter()
        .find(|(other, _)| other == name)
        .map_or("", |(_, value)| value.trim())
}

/// Where a row has what can be filtered by.
#[derive(Debug, Clone, Copy)]
enum FilterSource {
    Cell(usize),
    /// Among what comes with a row besides its cells.
    More(&'static str),
}

use FilterSource::{Cell, More};

impl FilterSource {
    fn value(self, row: &Row) -> &str {
        match self {
            Cell(at) => row.cells.get(at).map_or("", String::as_str),
            More(name) => value(&row.more, name),
        }
    }
}

/// What rows of a page are asked for. `places`: what can be filtered by, and where a row has it.
fn filter(
    query: &Query,
    places: &[(&str, FilterSource)],
) -> RunResult<impl Fn(&Row) -> bool + use<>> {
    let mut wanted = Vec::new();
    for (name, value) in &query.filters {
        let place = places.iter().find(|(known, _)| known == name);
        let Some((_, place)) = place else {
            let known: Vec<&str> = places.iter().map(|(known, _)| *known).collect();
            return Err(RunError::Failed(Failure::new(
                "unknown-filter",
                format!("There is no filter {name:?}; use {}.", known.join(", ")),
            )));
        };
        if !value.is_empty() {
            wanted.push((*place, value.clone()));
        }
    }
    let search = query.search.trim().to_lowercase();
    Ok(move |row: &Row| {
        wanted
            .iter()
            .all(|(place, value)| place.value(row) == value)
            && (search.is_empty()
                || row
                    .cells
                    .iter()
                    .any(|cell| cell.to_lowercase().contains(&search)))
    })
}

/// How the keys begin of the records that are asked for: with their kind.
fn of_kind(query: &Query) -> String {
    let kind = query.filters.iter().find(|(name, _)| name == "kind");
    match kind {
        Some((_, kind)) if !kind.is_empty() => format!("{kind}/"),
        _ => String::new(),
    }
}

/// The customers' names by their Splynx ids, as far as they are known.
fn names(run: &mut Run, customers: impl Iterator<Item = i64>) -> RunResult<Map<i64, String>> {
    let keys: Set<RecordKey> = customers
        .filter(|id| *id > 0)
        .map(|id| RecordKey::new(Kind::Customer, id))
        .to_set();
    let known = run.records(keys)?.into_iter();
    Ok(known
        .filter_map(|(key, stored)| Some((key.id, stored.record?.label)))
        .to_map())
}

/// A customer for people: the name, or the id where the name is not known.
fn named(names: &Map<i64, String>, customer: i64) -> String {
    match names.get(&customer) {
        Some(name) if !name.is_empty() => name.clone(),
        _ if customer > 0 => customer.to_string(),
        _ => String::new(),
    }
}

/// An amount as a cell; empty where there is none.
fn money_cell(amount: Option<Decimal>) -> String {
    amount.map_or_else(String::new, money::plain)
}

/// A page of a table's rows that are asked for, in the order of their keys.
fn page(
    run: &mut Run,
    query: &Query,
    (table, prefix): (&str, &str),
    shows: &dyn Fn(&Row) -> bool,
    rows_of: fn(&mut Run, &[Entry]) -> RunResult<Vec<Row>>,
) -> RunResult<Rows> {
    let limit = query.limit.clamp(1, 500) as usize;
    let is_narrowed = !query.search.trim().is_empty() || !query.filters.is_empty();
    let chunk = if is_narrowed { CHUNK.max(limit) } else { limit };
    let mut after = query.after.clone();
    let mut page = Rows::default();
    let mut scanned = 0;
    loop {
        let mut entries = run
            .cap
            .scan(table, prefix, &after, chunk as u32)?
            .into_iter()
            .peekable();
        if entries.peek().is_none() {
            return Ok(page);
        }
        while entries.peek().is_some() {
            let piece: Vec<Entry> = entries.by_ref().take(limit - page.rows.len()).collect();
            scanned += piece.len();
            let rows = rows_of(run, &piece)?;
            page.rows.extend(rows.into_iter().filter(shows));
            if let Some(last) = piece.into_iter().next_back() {
                after = last.key;
            }
            if page.rows.len() * 2 >= limit || scanned >= MOST_SCANNED {
                page.next = after;
                return Ok(page);
            }
        }
    }
}
