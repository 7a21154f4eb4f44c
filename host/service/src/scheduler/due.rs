//! What is due, and when the next start is: a pure function of the manifest's schedules, the settings, what was last
//! started, and the time.
//!
//! A schedule has slots: every so many minutes, counted from midnight in the installation's time zone, so that 1440 means
//! midnight there. The steps are elapsed time: where clocks are put forward or back, no slot falls out and none comes twice,
//! and that day has 23 or 25 hours of them. A job is due once for all slots since its last start. Beware: the machine's
//! clock jumps; a last start that lies ahead of it must neither start again at once nor keep the job waiting for years.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::days::{beginning, next};
use addon_manifest::{Manifest, ScheduleSpec};
use addon_settings::Settings;
use addon_store::{ScheduleState, Trigger};

/// A longer pause is not believed: no service asks for it, so the clock was wrong when it was noted.
const LONGEST_PAUSE: TimeDelta = TimeDelta::days(2);

/// Each day begins with a slot, so longer intervals make no difference.
const LONGEST_STEP_MINUTES: i64 = 24 * 60;

/// What one job of an installation waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is switched off, or its interval cannot be read.
    Rests,
    /// Until then, when it starts for this reason.
    Waits(DateTime<Utc>, Trigger),
    Due(Trigger),
    /// The clock went back behind the last start: note a start now without starting anything, and go on from there.
    ClockWentBack,
}

/// All jobs that the scheduler has to do with: those with a schedule, and those that a pause interrupted.
pub fn agenda(
    manifest: &Manifest,
    settings: &Settings,
    states: &BTreeMap<String, ScheduleState>,
    now: DateTime<Utc>,
) -> BTreeMap<String, Verdict> {
    let scheduled = manifest.schedules.iter().map(|schedule| &schedule.job);
    let paused = states
        .iter()
        .filter(|(_, state)| state.resume_at.is_some())
        .map(|(job, _)| job);
    let jobs: BTreeSet<&String> = scheduled
        .chain(paused)
        .filter(|job| manifest.job(job).is_some())
        .collect();
    jobs.into_iter()
        .map(|job| {
            let schedules = manifest
                .schedules
                .iter()
                .filter(|schedule| schedule.job == *job);
            let state = states.get(job).copied().unwrap_or_default();
            (job.clone(), verdict(schedules, settings, state, now))
        })
        .collect()
}

/// Of one job, with all of its schedules.
fn verdict<'a>(
    schedules: impl Iterator<Item = &'a ScheduleSpec>,
    settings: &Settings,
    state: ScheduleState,
    now: DateTime<Utc>,
) -> Verdict {
    let mut has_schedule = false;
    let mut active = Vec::new();
    for schedule in schedules {
        has_schedule = true;
        active.extend(Slots::of(schedule, settings));
    }
    // Switched off means that nothing starts by itself, resumed or not.
    if has_schedule && active.is_empty() {
        return Verdict::Rests;
    }
    match state.resume_at {
        Some(at) if at <= now => return Verdict::Due(Trigger::Resume),
        // The slots wait with the paused run: it would only be paused again.
        Some(at) if at - now <= LONGEST_PAUSE => return Verdict::Waits(at, Trigger::Resume),
        _ => {}
    }
    let Some(last) = state.last_start else {
        return if active.is_empty() {
            Verdict::Rests
        } else {
            Verdict::Due(Trigger::Schedule)
        };
    };
    let Some(next) = active.iter().map(|slots| slots.after(last)).min() else {
        return Verdict::Rests;
    };
    if next <= now {
        return Verdict::Due(Trigger::Schedule);
    }
    // A clock that was put back a little only makes the wait longer; waiting for hours or years would not do.
    if active.iter().all(|slots| last - now > slots.step) {
        return Verdict::ClockWentBack;
    }
    Verdict::Waits(next, Trigger::Schedule)
}

/// The instants at which an active schedule starts.
struct Slots {
    step: TimeDelta,
    zone: Tz,
}

impl Slots {
    /// `None`: the schedule rests.
    fn of(schedule: &ScheduleSpec, settings: &Settings) -> Option<Self> {
        let rests = !schedule.when_any.is_empty()
            && !schedule
                .when_any
                .iter()
                .any(|toggle| settings.is_on(toggle));
        let minutes: i64 = settings.get(&schedule.every_minutes).parse().ok()?;
        if rests || minutes < 1 {
            return None;
        }
        Some(Self {
            step: TimeDelta::minutes(minutes.min(LONGEST_STEP_MINUTES)),
            zone: zone(schedule, settings),
        })
    }

    /// The first slot later than `instant`.
    fn after(&self, instant: DateTime<Utc>) -> DateTime<Utc> {
        let mut today = instant.with_timezone(&self.zone).date_naive();
        // Where clocks are put back over midnight, a day begins twice: it counts from the first time.
        if beginning(next(today), self.zone) <= instant {
            today = next(today);
        }
        let (from, until) = (
            beginning(today, self.zone),
            beginning(next(today), self.zone),
        );
        // A day of 25 hours has one midnight, too.
        if self.step >= TimeDelta::minutes(LONGEST_STEP_MINUTES) {
            return until;
        }
        let passed = (instant - from).num_minutes() / self.step.num_minutes();
        (from + self.step + TimeDelta::minutes(passed * self.step.num_minutes())).min(until)
    }
}

fn zone(schedule: &ScheduleSpec, settings: &Settings) -> Tz {
    let name = schedule
        .time_zone
        .as_ref()
        .map_or("", |key| settings.get(key));
    name.parse().unwrap_or(Tz::UTC)
}

#[cfg(test)]
mod tests;
