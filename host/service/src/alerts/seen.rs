//! What is wrong with the installations right now, as far as the store knows.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::incident::{HeldGroup, Incident, Kind, Past, Seen};
use crate::scheduler::{InstallationView, InstallationViewError, Verdict, agenda};
use addon_runs::time_zone;
use addon_store::{FailingJob, Run, ScheduleState, Store, StoreError};

/// After so long without a scheduled run that came to its end, something is wrong. More than a day, since a daily job does not end at
/// the same minute every day.
const NOTHING_DONE: TimeDelta = TimeDelta::hours(25);

/// A run is noted right after its start was, by the same clock or another.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(5);

/// Looks at all installations.
pub async fn look(store: &Store, past: &Past, now: DateTime<Utc>) -> Result<Vec<Seen>, StoreError> {
    let failing = store.failing_jobs().await?;
    let mut all = Vec::new();
    for installation in store.installations().await? {
        let name = installation.name;
        let failing = failing.iter().filter(|job| job.installation == name);
        all.push(look_at(store, &name, failing, past, now).await?);
    }
    Ok(all)
}

async fn look_at(
    store: &Store,
    name: &str,
    failing: impl Iterator<Item = &FailingJob>,
    past: &Past,
    now: DateTime<Utc>,
) -> Result<Seen, StoreError> {
    let mut seen = Seen {
        installation: name.to_owned(),
        ..Seen::default()
    };
    let situation = match InstallationView::load(store, name).await {
        Ok(situation) => situation,
        Err(InstallationViewError::Store(error)) => return Err(error),
        Err(InstallationViewError::Manifest(error)) => {
            seen.incidents.push(Incident {
                message: format!(
                    "The add-on's manifest cannot be read, so nothing can be started: {error}."
                ),
                ..incident(Kind::NotStarted, name, now, Tz::UTC)
            });
            return Ok(seen);
        }
    };
    let zone = time_zone(&situation.manifest, &situation.settings);
    let title = |job: &str| {
        situation
            .manifest
            .job(job)
            .map_or(job, |spec| &spec.title)
            .to_owned()
    };
    for job in failing {
        let run = store.run(job.run).await?;
        seen.incidents.push(Incident {
            title: title(&job.job),
            ..failed(job, run, zone)
        });
    }
    let agenda = agenda(
        &situation.manifest,
        &situation.settings,
        &situation.states,
        now,
    );
    let mut active = Vec::new();
    for (job, verdict) in &agenda {
        if *verdict == Verdict::Rests {
            continue;
        }
        active.push(job.as_str());
        let state = situation.states.get(job).copied().unwrap_or_default();
        if let Some(message) = not_started(store, name, job, *verdict, state, now).await? {
            seen.incidents.push(Incident {
                job: job.clone(),
                title: title(job),
                message,
                ..incident(Kind::NotStarted, name, now, zone)
            });
        }
    }
    seen.scheduled = !active.is_empty();
    let is_free = store.lease_holder(name, now).await?.is_none();
    if seen.incidents.is_empty() && seen.scheduled {
        seen.incidents
            .extend(nothing_done(store, name, &active, zone, now).await?);
    }
    // While a run works, more may come.
    if is_free {
        seen.held = held(store, name, past, now).await?;
    }
    Ok(seen)
}

fn incident(kind: Kind, installation: &str, since: DateTime<Utc>, zone: Tz) -> Incident {
    Incident {
        kind,
        installation: installation.to_owned(),
        job: String::new(),
        title: String::new(),
        since,
        times: 0,
        run: None,
        code: String::new(),
        message: String::new(),
        zone: zone.name().to_owned(),
    }
}

fn failed(job: &FailingJob, run: Run, zone: Tz) -> Incident {
    let why = run.outcome.and_then(|outcome| outcome.why);
    let (code, message) = why.map(|why| (why.code, why.message)).unwrap_or_default();
    Incident {
        job: job.job.clone(),
        times: job.times,
        run: Some(job.run),
        code,
        message,
        ..incident(Kind::Failing, &job.installation, job.since, zone)
    }
}

/// What keeps a job from starting, as far as it can be seen. Whether that lasts is for the story.
async fn not_started(
    store: &Store,
    installation: &str,
    job: &str,
    verdict: Verdict,
    state: ScheduleState,
    now: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    if matches!(verdict, Verdict::Due(_)) {
        // Behind another run it waits as it should.
        let waits = store.lease_holder(installation, now).await?.is_some();
        return Ok((!waits).then(|| {
            "It is due, and no host starts it: see whether a host is running, and what its log says.".to_owned()
        }));
    }
    let Some(turn) = state.last_start else {
        return Ok(None);
    };
    let newest = store.run_span(installation, job).await?.last_start;
    let began = newest.is_some_and(|newest| newest >= turn - CLOCKS_DIFFER);
    Ok((!began).then(|| {
        "It was its turn, and no run began: the host's log says why it could not be started."
            .to_owned()
    }))
}

async fn nothing_done(
    store: &Store,
    installation: &str,
    jobs: &[&str],
    zone: Tz,
    now: DateTime<Utc>,
) -> Result<Option<Incident>, StoreError> {
    let mut done = None;
    let mut begun: Option<DateTime<Utc>> = None;
    for job in jobs {
        let span = store.run_span(installation, job).await?;
        done = done.max(span.last_finish);
        begun = [begun, span.first_start].into_iter().flatten().min();
    }
    let Some(since) = done.or(begun).filter(|since| now - *since > NOTHING_DONE) else {
        return Ok(None);
    };
    let newest = store.runs(installation, None, 1).await?.pop();
    let why = newest
        .and_then(|run| run.outcome)
        .and_then(|outcome| outcome.why)
        .map_or_else(String::new, |why| {
            format!(" The last run says: {}", why.message)
        });
    Ok(Some(Incident {
        message: format!("No scheduled job came to its end since then.{why}"),
        ..incident(Kind::NothingDone, installation, since, zone)
    }))
}

async fn held(
    store: &Store,
    installation: &str,
    past: &Past,
    now: DateTime<Utc>,
) -> Result<Option<(i64, Vec<HeldGroup>)>, StoreError> {
    if !past.knows(installation) {
        // What was held before anybody was to be told is no news.
        return Ok(Some((
            store.newest_activity(installation).await?,
            Vec::new(),
        )));
    }
    let Some(after) = past.held_after(installation, now) else {
        return Ok(None);
    };
    let (newest, held) = store.newly_held(installation, after).await?;
    let groups = held.into_iter().map(|group| HeldGroup {
        entity: group.entity,
        code: group.code,
        records: group.records,
        message: group.message,
    });
    Ok(Some((newest, groups.collect())))
}
