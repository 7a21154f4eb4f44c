//! How many records wait or are held, by state: counted from the add-on's page `outbox`, column `State`.

use std::collections::BTreeMap;

use super::glance::Glance;
use super::installation_page::InstallationPage;

const PAGE: &str = "outbox";
const COLUMN: &str = "State";

pub struct Waiting {
    /// State and number of records.
    pub states: Vec<(String, u64)>,
    /// There are more than were counted.
    pub more: bool,
}

/// `None`: the add-on has no such page, or does not answer.
pub async fn count(subject: &InstallationPage, glance: &mut Glance<'_>) -> Option<Waiting> {
    let page = subject.situation.manifest.page(PAGE)?;
    let column = page
        .columns
        .titles
        .iter()
        .position(|title| title == COLUMN)?;
    let rows = glance.at(PAGE).await?;
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
