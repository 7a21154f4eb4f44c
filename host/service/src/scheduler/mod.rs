//! Starts what is due: scheduled jobs, and paused ones whose time has come. What is due is decided in [`mod@due`], a pure
//! function; this file looks at the world, claims, and starts.
//!
//! Nothing is kept between two looks, so that settings changed by another process count at the next one. A start is claimed
//! in the store, so that of several hosts one starts it; each begins elsewhere in the list, so that they share what is due at
//! the same time. Beware: a claim is spent whether or not the start works, so it
//! is made only where the installation is free.

mod due;
mod events;
mod installation_view;
mod pulse;

pub use due::{Verdict, agenda};
pub use installation_view::{InstallationView, InstallationViewError};
pub use pulse::Pulse;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::seq::SliceRandom;
use thiserror::Error;
use tokio::sync::watch;

use crate::host::{Host, HostError, RunRequest};
use addon_store::{ScheduleState, StoreError, Trigger};
use addon_traffic::clock::Clock;

/// Who starts scheduled runs.
const ACTOR: &str = "scheduler";

/// The longest time between two looks.
const PACE: Duration = Duration::from_secs(15);

#[derive(Debug, Error)]
enum StartError {
    #[error(transparent)]
    InstallationView(#[from] InstallationViewError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Looks and starts until `stop` says true. Runs that it started are not waited for.
pub async fn work(
    host: Host,
    clock: Arc<dyn Clock>,
    mut stop: watch::Receiver<bool>,
    pulse: Arc<Pulse>,
) {
    while !*stop.borrow() {
        pulse.beat();
        let next = look(&host, clock.now()).await;
        // Measured in elapsed time: a clock that is put back must not make this wait longer.
        let until_next = next.and_then(|next| (next - clock.now()).to_std().ok());
        let pause = until_next
            .unwrap_or(PACE)
            .clamp(Duration::from_secs(1), PACE);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = host.news() => {}
            changed = stop.changed() => if changed.is_err() {
                // Nobody is left who could say stop.
                return;
            }
        }
    }
}

/// One look: gives up lost runs and starts what is due. Answers when the next start is, as far as is known.
pub async fn look(host: &Host, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match host.store().fail_lost_runs(now).await {
        Ok(lost) => lost
            .iter()
            .for_each(|run| tracing::warn!(run, "a run lost its host")),
        Err(error) => tracing::error!("lost runs cannot be looked for: {error}"),
    }
    let mut installations = match host.store().installations().await {
        Ok(installations) => installations,
        Err(error) => {
            tracing::error!("installations cannot be listed: {error}");
            return None;
        }
    };
    installations.shuffle(&mut rand::rng());
    let next_events = events::look(host, now).await;
    // Looked at again then, so that the work of a host that dies is gone on with at once.
    let lost = host.store().next_loss().await.ok().flatten();
    let mut next = [lost, next_events].into_iter().flatten().min();
    for installation in installations {
        match look_at(host, &installation.name, now).await {
            // One without is later than any.
            Ok(Some(at)) => next = Some(next.map_or(at, |next: DateTime<Utc>| next.min(at))),
            Ok(None) => {}
            Err(error) => tracing::error!(
                installation = installation.name,
                "nothing can be scheduled: {error}"
            ),
        }
    }
    next
}

async fn look_at(
    host: &Host,
    installation: &str,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StartError> {
    let store = host.store();
    let InstallationView {
        manifest,
        settings,
        states,
        ..
    } = InstallationView::load(store, installation).await?;
    let mut next = None;
    for (job, verdict) in agenda(&manifest, &settings, &states, now) {
        let seen = states.get(&job).copied().unwrap_or_default();
        match verdict {
            Verdict::Rests => {}
            Verdict::Waits(at, _) => {
                next = Some(next.map_or(at, |next: DateTime<Utc>| next.min(at)))
            }
            Verdict::ClockWentBack => {
                tracing::warn!(
                    installation,
                    job,
                    "the clock went back behind the last start"
                );
                let options = store.resume_options(installation, &job).await?;
                if store.claim_start(installation, &job, seen, now).await?
                    && seen.resume_at.is_some()
                {
                    store
                        .set_resume(installation, &job, seen.resume_at, &options)
                        .await?;
                }
            }
            Verdict::Due(trigger) => {
                // One writing run at a time: what is due stays due until the installation is free.
                if store.lease_holder(installation, now).await?.is_none() {
                    start(host, installation, &job, trigger, seen, now).await?;
                }
            }
        }
    }
    Ok(next)
}

async fn start(
    host: &Host,
    installation: &str,
    job: &str,
    trigger: Trigger,
    seen: ScheduleState,
    now: DateTime<Utc>,
) -> Result<(), StartError> {
    let options = match trigger {
        Trigger::Resume => host.store().resume_options(installation, job).await?,
        _ => Vec::new(),
    };
    if !host
        .store()
        .claim_start(installation, job, seen, now)
        .await?
    {
        return Ok(());
    }
    let request = RunRequest {
        preview: false,
        trigger,
        options: options.clone(),
        actor: ACTOR.to_owned(),
    };
    match host.start_run(installation, job, request).await {
        Ok(handle) => {
            tracing::info!(
                installation,
                job,
                run = handle.id(),
                trigger = trigger.as_str(),
                "started"
            );
            Ok(())
        }
        Err(error) => {
            // A slot that failed is followed by the next one; a pause would be forgotten. One whose options an update of the
            // add-on does not know any more can never go on.
            if trigger == Trigger::Resume && !matches!(error, HostError::Inputs(_)) {
                host.store()
                    .set_resume(installation, job, seen.resume_at, &options)
                    .await?;
            }
            Err(error.into())
        }
    }
}
