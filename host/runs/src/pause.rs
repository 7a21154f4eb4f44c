//! How long a paused run rests. Pure.
//!
//! The add-on says when it wants to go on, and the host holds it to bounds: a time that has passed would start run after run without
//! end, and one that lies years ahead would be the end of the job. A run that sent nothing and pauses again has rested too little, so
//! the least rest grows with each such run.

use chrono::{DateTime, TimeDelta, Utc};

use super::work::CALLS_TO;
use addon_store::{Outcome, Run, RunState};

/// Where the run does not say when it goes on.
const USUAL: TimeDelta = TimeDelta::minutes(5);

/// The least rest.
const LEAST: TimeDelta = TimeDelta::seconds(30);

/// What the least rest grows to.
const MOST_LEAST: TimeDelta = TimeDelta::hours(1);

/// No service asks for a longer rest: a day's limit is over by then.
const LONGEST: TimeDelta = TimeDelta::days(1);

/// How many runs before are looked at: the least rest does not grow beyond them.
pub(super) const LOOKED_AT: u32 = 8;

/// When a run goes on that wants to do so at `asked`, in seconds since the Unix epoch. `in_vain`: how many runs before it and with
/// it paused one after the other without having sent anything.
pub(super) fn goes_on(asked: Option<u64>, in_vain: u32, now: DateTime<Utc>) -> DateTime<Utc> {
    let wanted = match asked {
        None => USUAL,
        Some(asked) => i64::try_from(asked)
            .ok()
            .and_then(|asked| DateTime::from_timestamp(asked, 0))
            .map_or(LONGEST, |asked| asked - now),
    };
    let doubled = 1 << in_vain.saturating_sub(1).min(LOOKED_AT);
    let least = (LEAST * doubled).min(MOST_LEAST);
    now + wanted.clamp(least, LONGEST)
}

/// How many runs, the newest first, paused one after the other without having sent anything. Previews do not count.
pub(super) fn in_vain(runs: &[Run]) -> u32 {
    let outcomes = runs.iter().filter(|run| !run.preview);
    let outcomes = outcomes.map_while(|run| run.outcome.as_ref());
    u32::try_from(outcomes.take_while(|outcome| is_in_vain(outcome)).count()).unwrap_or(u32::MAX)
}

/// Whether it paused and had sent nothing.
pub(super) fn is_in_vain(outcome: &Outcome) -> bool {
    let sent = |(name, _): &(String, u64)| name.starts_with(CALLS_TO);
    outcome.state == RunState::Paused && !outcome.counts.iter().any(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_has_a_least_length_that_grows_and_a_greatest() {
        let now = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let later = |seconds: i64| Some((1_780_000_000 + seconds).unsigned_abs());
        for (asked, in_vain, rests) in [
            (None, 0, 300),
            (later(90), 0, 90),
            (later(0), 0, 30),
            (later(-5), 1, 30),
            (Some(0), 1, 30),
            (Some(0), 2, 60),
            (Some(0), 3, 120),
            (Some(0), 7, 1_920),
            (Some(0), 8, 3_600),
            (Some(0), u32::MAX, 3_600),
            (None, 8, 3_600),
            (later(7_200), 8, 7_200),
            (later(86_400), 0, 86_400),
            (later(86_401), 0, 86_400),
            (Some(u64::MAX), 0, 86_400),
            (Some(i64::MAX.unsigned_abs()), 8, 86_400),
        ] {
            let rest = goes_on(asked, in_vain, now) - now;
            assert_eq!(rest.num_seconds(), rests, "{asked:?} {in_vain}");
        }
    }
}
