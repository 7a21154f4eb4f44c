//! How far the services' clocks are from the host's, as the `Date` of their answers tells (RFC 9110, 6.6.1). Runs hear it from answers
//! that they get anyway.
//!
//! What changed is asked for by stamps of Splynx's clock, from a day on that the host's clock tells: where Splynx's is behind, what it
//! stamps lies in the past, and more days have to be read again.

use chrono::{Days, NaiveDate};

use crate::capability::{Activity, Pair};
use crate::collect::Map;
use crate::planted::{Mistake, is_planted};
use crate::splynx;
use crate::write::ledger::{META, Run, RunResult};
use crate::write::record::Batch;

/// Differences that are told, in seconds.
const NOTICEABLE: i64 = 10 * 60;
const DAY: i64 = 24 * 3600;

/// By how many seconds a service's clock is ahead of the host's, by connection; of the first answer of a run.
#[derive(Debug, Clone)]
pub struct Clocks(Map<&'static str, i64>);

impl Default for Clocks {
    fn default() -> Self {
        Self(Map::new_vec())
    }
}

impl Clocks {
    pub fn has_heard(&self, connection: &str) -> bool {
        self.0.get(connection).is_some()
    }

    /// Notes what the headers of an answer say of the time, `now` in seconds since the Unix epoch.
    pub fn hear(&mut self, connection: &'static str, headers: &[Pair], now: u64) {
        let date = headers.iter().find(|(name, _)| name == "date");
        let date = date.and_then(|(_, date)| seconds(date));
        if let (Some(date), Ok(now)) = (date, i64::try_from(now)) {
            self.0.insert(connection, date - now);
        }
    }

    /// The days that Splynx's clock is behind: half a day and more counts as one, since zones differ.
    pub fn behind(&self) -> Days {
        let ahead = self.0.get(splynx::CONNECTION).copied().unwrap_or(0);
        if is_planted(Mistake::ClocksAgree) {
            return Days::new(0);
        }
        Days::new(u64::try_from((DAY / 2 - ahead) / DAY).unwrap_or(0))
    }
}

/// Seconds since the Unix epoch of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds(text: &str) -> Option<i64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut parts = text.split_whitespace().skip(1);
    let day = parts.next()?.parse().ok()?;
    let month = MONTHS.find(parts.next().filter(|month| month.len() == 3)?)? / 3 + 1;
    let year = parts.next()?.parse().ok()?;
    let mut time = parts.next()?.split(':').map(|part| part.parse().ok());
    let mut part = || time.next().flatten();
    let date = NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, day)?;
    Some(
        date.and_hms_opt(part()?, part()?, part()?)?
            .and_utc()
            .timestamp(),
    )
}

/// Tells people once that a clock is wrong, and forgets it once it is right again.
pub fn tell(run: &mut Run) -> RunResult<()> {
    let heard = run.clocks.0.clone();
    let mut batch = Batch::default();
    for (connection, ahead) in heard.iter() {
        let key = format!("clock-told/{connection}");
        let was_told = run.meta(&key)?.is_some();
        let is_apart = ahead.abs() >= NOTICEABLE;
        if is_apart == was_told {
            continue;
        }
        if !is_apart {
            batch.delete(META, key);
            continue;
        }
        batch.set(META, key, ahead.to_string());
        batch.activities.push(told(connection, *ahead));
    }
    run.commit(batch)
}

/// As in "3 days", "5 hours" or "12 minutes".
fn duration(seconds: i64) -> String {
    let (count, unit) = match seconds.abs() {
        days if days >= 2 * DAY => (days / DAY, "days"),
        hours if hours >= 2 * 3600 => (hours / 3600, "hours"),
        minutes => (minutes / 60, "minutes"),
    };
    format!("{count} {unit}")
}

fn told(connection: &str, ahead: i64) -> Activity {
    let service = if connection == splynx::CONNECTION {
        "Splynx"
    } else {
        "Sage"
    };
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    Activity {
        entity: "clock".to_owned(),
        action: "noticed".to_owned(),
        label: service.to_owned(),
        code: "clocks-apart".to_owned(),
        message: format!(
            "The clock of {service} is {} {way} that of this host.",
            duration(ahead)
        ),
        more: vec![(
            "cure".to_owned(),
            "Set both clocks by a time server (NTP). Until then more days are read again in every run; what was changed while a clock was wrong is found by the daily look at everything.".to_owned(),
        )],
        ..Activity::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(date: &str) -> Days {
        let mut clocks = Clocks::default();
        // 1994-11-06, 08:49:37 UTC.
        clocks.hear(
            "splynx",
            &[("date".to_owned(), date.to_owned())],
            784_111_777,
        );
        clocks.behind()
    }

    #[test]
    fn a_clock_that_is_behind_by_days_is_noticed_and_what_is_no_date_is_not() {
        for (date, days) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
            ("Sat, 05 Nov 1994 22:49:37 GMT", 0),
            ("Sat, 05 Nov 1994 08:49:37 GMT", 1),
            ("Thu, 03 Nov 1994 01:49:37 GMT", 3),
            ("Thu, 10 Nov 1994 01:49:37 GMT", 0),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 0),
            ("yesterday", 0),
            ("", 0),
        ] {
            assert_eq!(behind(date), Days::new(days), "{date}");
        }
    }
}
