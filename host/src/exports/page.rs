//! All rows of a page of the add-on as CSV, however many pages the add-on makes of them.

use super::csv;
use crate::host::{Host, HostError, Query};

/// Rows that are asked for at once.
const PAGE: u32 = 200;

pub struct PageExport {
    host: Host,
    installation: String,
    page: String,
    query: Query,
    /// The headings, until they are written.
    columns: Option<Vec<String>>,
    over: bool,
}

impl PageExport {
    /// What the query asks for, from the first row on.
    pub fn new(
        host: Host,
        installation: &str,
        page: &str,
        columns: Vec<String>,
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
            columns: Some(columns),
            over: false,
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<String>, HostError> {
        if self.over {
            return Ok(None);
        }
        let found = self
            .host
            .view(&self.installation, &self.page, self.query.clone())
            .await?;
        let mut text = String::new();
        if let Some(columns) = self.columns.take() {
            csv::line(&mut text, columns);
        }
        for row in &found.rows {
            csv::line(&mut text, &row.cells);
        }
        // A place that does not move would be asked for for ever.
        self.over = found.next.is_empty() || found.next == self.query.after;
        self.query.after = found.next;
        Ok(Some(text))
    }
}
