//! Reading columns back into types. What this host wrote it can read; anything else is [`StoreError::Corrupt`], named,
//! never a panic and never a silent default.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::StoreError;

pub(super) fn text(row: &AnyRow, column: &str) -> Result<String, StoreError> {
    Ok(row.try_get(column)?)
}

pub(super) fn number(row: &AnyRow, column: &str) -> Result<i64, StoreError> {
    Ok(row.try_get(column)?)
}

pub(super) fn flag(row: &AnyRow, column: &str) -> Result<bool, StoreError> {
    Ok(number(row, column)? != 0)
}

/// A count, which the database keeps signed.
pub(super) fn count(row: &AnyRow, column: &str) -> Result<u64, StoreError> {
    let number = number(row, column)?;
    u64::try_from(number).map_err(|_| StoreError::Corrupt(format!("{column} is {number}")))
}

/// The instant as the database keeps it.
pub(super) fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

pub(super) fn instant_from(millis: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(millis)
        .ok_or_else(|| StoreError::Corrupt(format!("{millis} is no instant")))
}

pub(super) fn instant(row: &AnyRow, column: &str) -> Result<DateTime<Utc>, StoreError> {
    instant_from(number(row, column)?)
}

pub(super) fn maybe_instant(
    row: &AnyRow,
    column: &str,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    row.try_get::<Option<i64>, _>(column)?
        .map(instant_from)
        .transpose()
}

pub(super) fn date(row: &AnyRow, column: &str) -> Result<NaiveDate, StoreError> {
    let text = text(row, column)?;
    text.parse()
        .map_err(|_| StoreError::Corrupt(format!("{column} is `{text}`, not a date")))
}

pub(super) fn json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The types that are stored as JSON have string keys and no floats, which always serialise.
pub(super) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain records of texts and whole numbers serialise")
}

/// Databases disagree about NUL in texts; for a line that people read, its picture says as much.
pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}
