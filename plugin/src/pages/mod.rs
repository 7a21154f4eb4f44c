//! Tables that people read.

use crate::addon::{Query, Rows};
use crate::capability::{Failure, Row};
use crate::write::ledger::{Halt, Job, Run};
use crate::write::record::{ATTENTION, OPEN, RecordKey};

/// Everything that is not simply done: what waits for the next run, for a look-up, or for a person.
pub fn outbox(run: &mut Run, query: &Query) -> Job<Rows> {
    let limit = query.limit.clamp(1, 500);
    // One page runs over two tables; its place names the table and the key.
    let (mut table, mut after) = match query.after.split_once(':') {
        Some((OPEN, key)) => (OPEN, key.to_owned()),
        Some((_, key)) => (ATTENTION, key.to_owned()),
        None => (ATTENTION, String::new()),
    };
    let shows = filter(query)?;
    let mut page = Rows::default();
    loop {
        let entries = run.cap.scan(table, "", &after, limit)?;
        let complete = entries.len() < limit as usize;
        let keys: Vec<RecordKey> = entries
            .iter()
            .filter_map(|entry| RecordKey::parse(&entry.key))
            .collect();
        for (key, stored) in run.records(keys)? {
            let Some(record) = stored.record else {
                continue;
            };
            let cells = vec![
                key.kind.name().to_owned(),
                record.label,
                record.state.name().to_owned(),
                record.reason.message,
                record.reason.cure,
            ];
            if shows(&cells) {
                page.rows.push(Row {
                    id: key.to_string(),
                    cells,
                    more: vec![
                        ("code".to_owned(), record.reason.code),
                        ("local-id".to_owned(), key.id.to_string()),
                        ("customer-id".to_owned(), record.customer.to_string()),
                    ],
                });
            }
        }
        match entries.last() {
            Some(last) if !complete => after.clone_from(&last.key),
            _ if table == ATTENTION => (table, after) = (OPEN, String::new()),
            _ => return Ok(page),
        }
        if page.rows.len() >= limit as usize {
            page.next = format!("{table}:{after}");
            return Ok(page);
        }
    }
}

/// Whether a row of the outbox is asked for.
fn filter(query: &Query) -> Job<impl Fn(&[String]) -> bool> {
    let mut wanted = Vec::new();
    for (name, value) in &query.filters {
        let column = match name.as_str() {
            "kind" => 0,
            "state" => 2,
            unknown => {
                return Err(Halt::Failed(Failure::new(
                    "unknown-filter",
                    format!("The outbox has no filter {unknown:?}; it has kind and state."),
                )));
            }
        };
        if !value.is_empty() {
            wanted.push((column, value.clone()));
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
