//! One report of a run as CSV: exactly the columns that the manifest declares, so that what an import rejected can be put right
//! and imported again.

use super::csv;
use crate::store::{RunId, Store, StoreError};

/// Rows of one piece.
const PAGE: u32 = 1000;

pub struct ReportExport {
    store: Store,
    run: RunId,
    kind: String,
    /// The headings, until they are written.
    columns: Option<Vec<String>>,
    after: i64,
    over: bool,
}

impl ReportExport {
    /// `columns`: empty where the manifest does not know the report any more.
    pub fn new(store: Store, run: RunId, kind: &str, columns: Vec<String>) -> Self {
        Self {
            store,
            run,
            kind: kind.to_owned(),
            columns: Some(columns),
            after: 0,
            over: false,
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<String>, StoreError> {
        if self.over {
            return Ok(None);
        }
        let mut text = String::new();
        if let Some(columns) = self.columns.take().filter(|columns| !columns.is_empty()) {
            csv::line(&mut text, columns);
        }
        let rows = self
            .store
            .report_rows(self.run, &self.kind, self.after, PAGE)
            .await?;
        for (_, row) in &rows {
            csv::line(&mut text, &row.cells);
        }
        self.after = rows.last().map_or(self.after, |(number, _)| *number);
        self.over = rows.len() < PAGE as usize;
        Ok(Some(text))
    }
}
