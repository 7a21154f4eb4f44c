//! Tables that people read and act on: storage only, apart from acts that ask Sage whether something exists.

pub mod outbox;
pub mod pairing;
pub mod records;
pub mod statements;
pub mod vat;

use crate::addon::{Query, Rows};
use crate::capability::{Entry, Failure, Pair, Row};
use crate::write::ledger::{Halt, Job, Run};

/// Entries that are looked through for one page of a rare filter; the next page goes on from there.
const MOST_SCANNED: usize = 1_500;

/// Entries that are asked for at once where most of them may not fit.
const CHUNK: usize = 500;

/// Why an act is not done.
fn refuse(message: impl Into<String>) -> Halt {
    Halt::Failed(Failure::new("refused", message))
}

fn value<'v>(values: &'v [Pair], name: &str) -> &'v str {
    values
        .iter()
        .find(|(other, _)| other == name)
        .map_or("", |(_, value)| value.trim())
}

/// What rows of a page are asked for. `columns`: what can be filtered by, with its place among the cells.
fn filter(query: &Query, columns: &[(&str, usize)]) -> Job<impl Fn(&[String]) -> bool + use<>> {
    let mut wanted = Vec::new();
    for (name, value) in &query.filters {
        let column = columns.iter().find(|(column, _)| column == name);
        let Some((_, column)) = column else {
            let known: Vec<&str> = columns.iter().map(|(column, _)| *column).collect();
            return Err(Halt::Failed(Failure::new(
                "unknown-filter",
                format!("There is no filter {name:?}; use {}.", known.join(", ")),
            )));
        };
        if !value.is_empty() {
            wanted.push((*column, value.clone()));
        }
    }
    let search = query.search.trim().to_lowercase();
    Ok(move |cells: &[String]| {
        wanted
            .iter()
            .all(|(column, value)| cells[*column] == *value)
            && (search.is_empty()
                || cells
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

/// A page of a table's rows that are asked for, in the order of their keys.
fn page(
    run: &mut Run,
    query: &Query,
    (table, prefix): (&str, &str),
    shows: &dyn Fn(&[String]) -> bool,
    rows_of: fn(&mut Run, &[Entry]) -> Job<Vec<Row>>,
) -> Job<Rows> {
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
            page.rows
                .extend(rows.into_iter().filter(|row| shows(&row.cells)));
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
