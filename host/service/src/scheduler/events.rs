//! Hands messages of services (`host::hooks`) to the jobs that their manifests name, many in one run.
//!
//! A message waits a moment for others, and for the installation to be free; while a run of its job is paused, it waits with that. From
//! the beginning of a run on, the run answers for its messages: where its host dies, another goes on with it, and what fails is left to
//! the ordinary runs. Beware: of several hosts one may hand a message over, so messages are taken in the store first.

use chrono::{DateTime, TimeDelta, Utc};

use super::{ACTOR, InstallationView, StartError};
use crate::host::{Host, RunRequest};
use addon_manifest::EVENT_OPTION;
use addon_store::{TakenEvent, Trigger, WaitingHook};

/// How long a message waits for others about the same record, or to go with it.
const GATHERING: TimeDelta = TimeDelta::seconds(2);

/// Messages of one run.
const MOST_EVENTS: u32 = 200;
const MOST_BYTES: usize = 1 << 20;

/// Begins a run for each hook whose messages have waited long enough; answers when the next ones have.
pub async fn look(host: &Host, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let waiting = match host.store().waiting_hooks(now).await {
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::error!("waiting messages cannot be looked for: {error}");
            return None;
        }
    };
    let mut next: Option<DateTime<Utc>> = None;
    for hook in waiting {
        let ready_at = hook.since + GATHERING;
        if !hook.flood && ready_at > now {
            next = Some(next.map_or(ready_at, |next| next.min(ready_at)));
        } else if let Err(error) = hand_over(host, &hook, now).await {
            let (installation, hook) = (&hook.installation, &hook.hook);
            tracing::error!(
                installation,
                hook,
                "messages cannot be handed over: {error}"
            );
        }
    }
    next
}

async fn hand_over(
    host: &Host,
    waiting: &WaitingHook,
    now: DateTime<Utc>,
) -> Result<(), StartError> {
    let store = host.store();
    let WaitingHook {
        installation, hook, ..
    } = waiting;
    let InstallationView {
        manifest, states, ..
    } = InstallationView::load(store, installation).await?;
    let Some(spec) = manifest.hook(hook) else {
        // An update of the add-on did away with it. What waits is forgotten like any other, and costs nothing till then.
        return Ok(());
    };
    let job = if waiting.flood {
        &spec.flood_job
    } else {
        &spec.job
    };
    let is_paused = states
        .get(job)
        .is_some_and(|state| state.resume_at.is_some());
    if is_paused || store.lease_holder(installation, now).await?.is_some() {
        return Ok(());
    }
    if waiting.flood {
        if !store.end_flood(installation, hook, waiting.since).await? {
            return Ok(());
        }
        let begun = start(host, installation, job, Vec::new()).await;
        if begun.is_err() {
            store.begin_flood(installation, hook, now).await?;
        }
        return begun.map(|_| ());
    }
    let events = store
        .take_events(installation, hook, MOST_EVENTS, MOST_BYTES, now)
        .await?;
    if events.is_empty() {
        return Ok(());
    }
    let option = (EVENT_OPTION.to_owned(), list(&events));
    let begun = start(host, installation, job, vec![option]).await;
    let run = begun.as_ref().ok().copied();
    store
        .hand_over_events(installation, hook, &events, run)
        .await?;
    begun.map(|_| ())
}

/// A JSON list of the bodies, each of which is JSON.
fn list(events: &[TakenEvent]) -> String {
    let bodies: Vec<&str> = events.iter().map(|event| event.body.as_str()).collect();
    format!("[{}]", bodies.join(","))
}

async fn start(
    host: &Host,
    installation: &str,
    job: &str,
    options: Vec<(String, String)>,
) -> Result<i64, StartError> {
    let request = RunRequest {
        preview: false,
        trigger: Trigger::Event,
        options,
        actor: ACTOR.to_owned(),
    };
    let run = host.start_run(installation, job, request).await?.id();
    tracing::info!(installation, job, run, "started by messages");
    Ok(run)
}
