//! Every record that is known, synchronised or not: what Splynx's own table "Accounting integrations" shows.

use crate::addon::{Query, Rows};
use crate::capability::{Entry, Row};
use crate::collect::ToMap;
use crate::write::ledger::{Job, Run};
use crate::write::record::{Kind, RECORDS, RecordKey};

/// Columns: kind, Splynx id, number or name, state, Sage id, customer, amount. Filters: kind, state, customer.
pub fn view(run: &mut Run, query: &Query) -> Job<Rows> {
    let shows = super::filter(query, &[("kind", 0), ("state", 3), ("customer", 5)])?;
    let kind = query.filters.iter().find(|(name, _)| name == "kind");
    let prefix = match kind {
        Some((_, kind)) if !kind.is_empty() => format!("{kind}/"),
        _ => String::new(),
    };
    super::page(run, query, (RECORDS, &prefix), &shows, rows)
}

fn rows(run: &mut Run, entries: &[Entry]) -> Job<Vec<Row>> {
    let keys: Vec<RecordKey> = entries
        .iter()
        .filter_map(|entry| RecordKey::parse(&entry.key))
        .collect();
    let mut rows = Vec::new();
    for (key, stored) in run.records(keys.iter().copied())? {
        let Some(record) = stored.record else {
            continue;
        };
        let sage = record.remote.as_ref().map(|remote| remote.id.to_string());
        // A receipt comes from Sage, and its id with it.
        let (here, there) = match key.kind {
            Kind::Receipt => (String::new(), key.id.to_string()),
            _ => (key.id.to_string(), sage.unwrap_or_default()),
        };
        rows.push(Row {
            id: key.to_string(),
            cells: vec![
                key.kind.name().to_owned(),
                here,
                record.label,
                record.state.name().to_owned(),
                there,
                record.customer.to_string(),
                record
                    .amount
                    .map_or_else(String::new, |a| format!("{a:.2}")),
            ],
            more: vec![("code".to_owned(), record.reason.code)],
        });
    }
    // In the order of the table, which is that of the keys' texts.
    let rows = rows.into_iter().map(|row| (row.id.clone(), row)).to_map();
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}
