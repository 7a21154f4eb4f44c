//! Every record that is known, synchronised or not: what Splynx's own table "Accounting integrations" shows.
//!
//! There may be millions. A search first looks where an id or a label, or a word of it, begins like what is searched; what holds it
//! elsewhere comes after that, as far as a page's patience goes.

use crate::addon::{Query, Rows};
use crate::capability::{Entry, Row};
use crate::pages::{Cell, More};
use crate::write::ledger::{Run, RunResult, stored_record};
use crate::write::record::{Kind, LABELS, RECORDS, RecordKey, Stored, searched};

/// In front of a place among the labels; no record's key begins like that.
const AMONG_LABELS: &str = "label:";

/// Columns: kind, Splynx id, number or name, state, Sage id, customer, amount, reason. Filters: kind, state, customer (its id), code.
pub fn view(run: &mut Run, query: &Query) -> RunResult<Rows> {
    let places = [
        ("kind", Cell(0)),
        ("state", Cell(3)),
        ("customer", More("customer-id")),
        ("code", More("code")),
    ];
    let shows = super::filter(query, &places)?;
    let wanted = query.search.trim().to_lowercase();
    let mut page = Rows::default();
    let mut query = query.clone();
    if !wanted.is_empty() && (query.after.is_empty() || query.after.starts_with(AMONG_LABELS)) {
        let after = query.after.strip_prefix(AMONG_LABELS).unwrap_or_default();
        let mut keys: Vec<RecordKey> = Vec::new();
        if after.is_empty() {
            keys.extend(with_id(&wanted));
        }
        let limit = query.limit.clamp(1, 500);
        let entries = run.cap.scan(LABELS, &wanted, after, limit)?;
        let last = entries.last().filter(|_| entries.len() == limit as usize);
        let next = last.map(|last| format!("{AMONG_LABELS}{}", last.key));
        keys.extend(
            entries
                .iter()
                .filter_map(|entry| RecordKey::parse(entry.key.rsplit_once('|')?.1)),
        );
        let found = run.records(keys)?.into_iter().collect();
        let rows = rows_of(run, found)?;
        page.rows.extend(rows.into_iter().filter(&shows));
        if let Some(next) = next {
            page.next = next;
            return Ok(page);
        }
        query.after = String::new();
        query.limit = limit.saturating_sub(page.rows.len() as u32);
    }
    let is_new = |row: &Row| shows(row) && (wanted.is_empty() || !begins(&row.cells, &wanted));
    let prefix = super::of_kind(&query);
    let rest = super::page(run, &query, (RECORDS, &prefix), &is_new, rows)?;
    page.rows.extend(rest.rows);
    page.next = rest.next;
    Ok(page)
}

/// The records that have that id, of whatever kind.
fn with_id(wanted: &str) -> impl Iterator<Item = RecordKey> + use<> {
    let id = wanted.parse().ok().filter(|id| *id >= 0);
    id.into_iter()
        .flat_map(|id| Kind::ALL.map(|kind| RecordKey { kind, id }))
}

/// Whether it was found by its id or its label.
fn begins(cells: &[String], wanted: &str) -> bool {
    let is_indexed = cells[0] != Kind::Allocation.name();
    let id = if cells[0] == Kind::Receipt.name() {
        4
    } else {
        1
    };
    cells[id] == wanted
        || (is_indexed
            && searched(&cells[2])
                .iter()
                .any(|label| label.starts_with(wanted)))
}

fn rows(run: &mut Run, entries: &[Entry]) -> RunResult<Vec<Row>> {
    let parsed: RunResult<Vec<_>> = entries.iter().cloned().map(stored_record).collect();
    rows_of(run, parsed?)
}

fn rows_of(run: &mut Run, records: Vec<(RecordKey, Stored)>) -> RunResult<Vec<Row>> {
    let customers = records
        .iter()
        .filter_map(|(_, stored)| Some(stored.record.as_ref()?.customer));
    let names = super::names(run, customers)?;
    Ok(records
        .into_iter()
        .filter_map(|(key, stored)| {
            let record = stored.record?;
            let sage = record.remote.as_ref().map(|remote| remote.id.to_string());
            // A receipt comes from Sage, and its id with it.
            let (here, there) = match key.kind {
                Kind::Receipt => (String::new(), key.id.to_string()),
                _ => (key.id.to_string(), sage.unwrap_or_default()),
            };
            Some(Row {
                id: key.to_string(),
                cells: vec![
                    key.kind.name().to_owned(),
                    here,
                    record.label,
                    record.state.name().to_owned(),
                    there,
                    super::named(&names, record.customer),
                    super::money_cell(record.amount),
                    record.reason.message,
                ],
                more: vec![
                    ("code".to_owned(), record.reason.code),
                    ("local-id".to_owned(), key.id.to_string()),
                    ("customer-id".to_owned(), record.customer.to_string()),
                ],
            })
        })
        .collect())
}
