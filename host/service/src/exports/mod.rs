//! Tables that people take away as files: the activity log, a page of the add-on, a report of a run.
//!
//! An [`Export`] hands out the file piece by piece and reads from the store or the guest as it goes, so that memory depends on
//! the size of a piece and not on the number of rows; whoever writes it out decides the pace. What a cell of a file must not do to
//! the program that opens it is the business of [`csv`] and [`xlsx`] alone.

pub mod csv;
mod log;
mod page;
mod report;
pub mod xlsx;

pub use log::{AMOUNT, LogExport, activity_json};
pub use page::PageExport;
pub use report::ReportExport;

use crate::host::HostError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Json,
    Xlsx,
}

/// A file in the making.
pub enum Export {
    Log(LogExport),
    Page(PageExport),
    Report(ReportExport),
}

/// Rows of one piece.
type Rows = Vec<Vec<String>>;

impl Export {
    /// The next piece of a file of text; none at its end.
    pub async fn next(&mut self) -> Result<Option<String>, HostError> {
        if let Self::Log(log) = self
            && log.is_json()
        {
            return Ok(log.json().await?);
        }
        Ok(self.rows().await?.map(|rows| {
            let mut text = String::new();
            for row in rows {
                csv::line(&mut text, row);
            }
            text
        }))
    }

    /// The next rows, the headings first; none at the end.
    pub async fn rows(&mut self) -> Result<Option<Rows>, HostError> {
        match self {
            Self::Log(log) => Ok(log.rows().await?),
            Self::Page(page) => page.rows().await,
            Self::Report(report) => Ok(report.rows().await?),
        }
    }

    /// Which headings are above amounts.
    pub fn money(&self) -> Vec<String> {
        match self {
            Self::Log(_) => vec![log::AMOUNTS.to_owned()],
            Self::Page(page) => page.money.clone(),
            Self::Report(report) => report.money.clone(),
        }
    }
}
