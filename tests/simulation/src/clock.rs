//! Days of the calendar.

use chrono::{Datelike, Months, NaiveDate};

/// The last day of a day's month.
pub fn last_of_month(day: NaiveDate) -> NaiveDate {
    let first = day.with_day(1).expect("every month has a first day");
    (first + Months::new(1)).pred_opt().expect("a day before")
}
