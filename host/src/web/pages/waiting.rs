//! How many records wait or are held, by state: counted from the add-on's page `outbox`, column `State`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::subject::Subject;
use crate::host::Query;
use crate::web::App;

const PAGE: &str = "outbox";
const COLUMN: &str = "State";

/// Beyond it, counting is not worth a person's wait.
const MOST: u32 = 500;

const PATIENCE: Duration = Duration::from_secs(3);

pub struct Waiting {
    /// State and number of records.
    pub states: Vec<(String, u64)>,
    /// There are more than were counted.
    pub more: bool,
}

/// None: the add-on has no such page, or does not answer.
pub async fn count(app: &App, subject: &Subject) -> Option<Waiting> {
    let page = subject.situation.manifest.page(PAGE)?;
    let column = page
        .columns
        .titles
        .iter()
        .position(|title| title == COLUMN)?;
    let query = Query {
        limit: MOST,
        ..Query::default()
    };
    let counting = app.host.view(subject.name(), PAGE, query);
    let rows = match tokio::time::timeout(PATIENCE, counting).await {
        Ok(Ok(rows)) => rows,
        Ok(Err(error)) => {
            tracing::debug!(
                installation = subject.name(),
                "the outbox cannot be counted: {error}"
            );
            return None;
        }
        Err(_) => return None,
    };
    let mut states: BTreeMap<String, u64> = BTreeMap::new();
    for row in &rows.rows {
        *states
            .entry(row.cells.get(column).cloned().unwrap_or_default())
            .or_default() += 1;
    }
    Some(Waiting {
        states: states.into_iter().collect(),
        more: !rows.next.is_empty(),
    })
}
