//! Conditions of searches. Numbers and dates are the conditions that work for sure (Sage API 1.7).

use chrono::NaiveDate;

/// What a list is narrowed to, besides ids.
#[derive(Debug, Clone, Copy)]
pub enum Filter<'f> {
    DatedFrom(NaiveDate),
    /// Changed since a stamp of Sage's own. Where Sage can be searched by that: [`super::searches_by_change`].
    ChangedSince(&'f str),
    /// Customers in another currency than this one. Those that name none have the company's.
    OtherCurrency(i64),
}

impl Filter<'_> {
    pub(super) fn condition(self) -> String {
        match self {
            Self::DatedFrom(date) => format!("Date ge datetime'{date}T00:00:00'"),
            // To the second, as it is tried out: stamps have fractions that a search may not take.
            Self::ChangedSince(stamp) => {
                format!("Modified ge datetime'{}'", stamp.get(..19).unwrap_or(stamp))
            }
            Self::OtherCurrency(home) => {
                format!("(CurrencyId gt {home} or (CurrencyId gt 0 and CurrencyId lt {home}))")
            }
        }
    }
}

/// Whose ids are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The objects' own.
    Id,
    /// What an allocation takes from.
    Source,
    /// What an allocation settles.
    Target,
}

impl Column {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Id => "ID",
            Self::Source => "SourceDocumentId",
            Self::Target => "AllocatedToDocumentId",
        }
    }
}
