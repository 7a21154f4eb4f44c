//! Tables that people take away as files: the activity log, a page of the add-on, a report of a run.
//!
//! An [`Export`] hands out the file piece by piece and reads from the store or the guest as it goes, so that memory depends on
//! the size of a piece and not on the number of rows; whoever writes it out decides the pace. What a cell of a CSV file must
//! not do to the program that opens it is the business of [`csv`] alone.

pub mod csv;
mod log;
mod page;
mod report;

pub use log::{AMOUNT, LogExport, activity_json};
pub use page::PageExport;
pub use report::ReportExport;

use crate::host::HostError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Json,
}

/// A file in the making.
pub enum Export {
    Log(LogExport),
    Page(PageExport),
    Report(ReportExport),
}

impl Export {
    /// The next piece of the file; none at its end.
    pub async fn next(&mut self) -> Result<Option<String>, HostError> {
        match self {
            Self::Log(log) => Ok(log.next().await?),
            Self::Page(page) => page.next().await,
            Self::Report(report) => Ok(report.next().await?),
        }
    }
}
