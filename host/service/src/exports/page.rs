//! All rows of a page of the add-on, however many pages the add-on makes of them.

use super::Rows;
use crate::host::{Host, HostError, Query};
use addon_manifest::Columns;

/// Rows that are asked for at once.
const PAGE: u32 = 200;

pub struct PageExport {
    host: Host,
    installation: String,
    page: String,
    query: Query,
    /// The headings, until they are written.
    titles: Option<Vec<String>>,
    /// Those above amounts.
    pub(super) money: Vec<String>,
    over: bool,
}

impl PageExport {
    /// What the query asks for, from the first row on.
    pub fn new(
        host: Host,
        installation: &str,
        page: &str,
        columns: &Columns,
        query: Query,
    ) -> Self {
        Self {
            host,
            installation: installation.to_owned(),
            page: page.to_owned(),
            query: Query {
                after: String::new(),
                limit: PAGE,
                ..query
            },
            titles: Some(columns.titles.clone()),
            money: columns.money.clone(),
            over: false,
        }
    }

    pub(super) async fn rows(&mut self) -> Result<Option<Rows>, HostError> {
        if self.over {
            return Ok(None);
        }
        let found = self
            .host
            .view(&self.installation, &self.page, self.query.clone())
            .await?;
        let mut rows: Rows = self.titles.take().into_iter().collect();
        rows.extend(found.rows.into_iter().map(|row| row.cells));
        // A place that does not move would be asked for for ever.
        self.over = found.next.is_empty() || found.next == self.query.after;
        self.query.after = found.next;
        Ok(Some(rows))
    }
}
