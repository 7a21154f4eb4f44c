//! Days as people in a time zone have them.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The first instant of a day. Some days begin at 01:00, because the clock is put forward at midnight, and one zone left out a
/// whole day (Samoa, 30 December 2011): that begins, and ends, with the next.
pub fn beginning(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    let mut quarters = (0..=24 * 4).map(|quarter| midnight + TimeDelta::minutes(15 * quarter));
    let first = quarters.find_map(|local| zone.from_local_datetime(&local).earliest());
    first.map_or(midnight.and_utc(), |first| first.to_utc())
}

/// The day after; the calendar ends in the year 262142.
pub fn next(day: NaiveDate) -> NaiveDate {
    day.checked_add_days(Days::new(1)).unwrap_or(day)
}
