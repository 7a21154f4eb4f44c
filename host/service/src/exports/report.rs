//! One report of a run: exactly the columns that the manifest declares, so that what an import rejected can be put right
//! and imported again.

use super::Rows;
use addon_manifest::Columns;
use addon_store::{RunId, Store, StoreError};

/// Rows of one piece.
const PAGE: u32 = 1000;

pub struct ReportExport {
    store: Store,
    run: RunId,
    kind: String,
    /// The headings, until they are written.
    titles: Option<Vec<String>>,
    /// Those above amounts.
    pub(super) money: Vec<String>,
    after: i64,
    over: bool,
}

impl ReportExport {
    /// `columns`: none where the manifest does not know the report any more.
    pub fn new(store: Store, run: RunId, kind: &str, columns: Option<&Columns>) -> Self {
        Self {
            store,
            run,
            kind: kind.to_owned(),
            titles: columns.map(|columns| columns.titles.clone()),
            money: columns
                .map(|columns| columns.money.clone())
                .unwrap_or_default(),
            after: 0,
            over: false,
        }
    }

    pub(super) async fn rows(&mut self) -> Result<Option<Rows>, StoreError> {
        if self.over {
            return Ok(None);
        }
        let mut lines: Rows = self.titles.take().into_iter().collect();
        let rows = self
            .store
            .report_rows(self.run, &self.kind, self.after, PAGE)
            .await?;
        self.after = rows.last().map_or(self.after, |(number, _)| *number);
        self.over = rows.len() < PAGE as usize;
        lines.extend(rows.into_iter().map(|(_, row)| row.cells));
        Ok(Some(lines))
    }
}
