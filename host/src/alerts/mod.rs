//! Tells people what needs them: a job that fails, one that does not start, a day without any work done, records that are held.
//!
//! Three steps that know nothing of each other: `seen` reads from the store what is wrong now, `story` (pure) decides what of that is
//! news, and what is news goes as a `letter` to the store, from where it is delivered by `mail` or `web_hook` and tried again until it
//! is. Nothing here stops or slows a run: it is a task beside the scheduler. Every host looks; who looks has the turn, so a trouble is
//! told once. The trap: where no channel is set up nothing is looked at, and nothing is remembered either.

pub mod channel;
mod letter;
mod mail;
mod seen;
mod story;
mod web_hook;

pub use letter::Letter;
pub use story::{Held, HeldGroup, Kind, News, Trouble};

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;
use tokio::sync::watch;

use self::channel::{Open, Sealed, Terms};
use self::story::Past;
use crate::clock::Clock;
use crate::host::Host;
use crate::store::{AlertChannel, Store, StoreError, TakenAlert};
use crate::vault::Secret;

/// The longest time between two looks.
const PACE: Duration = Duration::from_secs(30);

/// A message that could not be sent for so long is given up: by then it is no news.
const PATIENCE: TimeDelta = TimeDelta::days(3);

/// The longest time from one attempt to the next.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);

#[derive(Debug, Error)]
pub enum AlertError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("what was told so far cannot be read: {0}")]
    Past(serde_json::Error),
}

/// Looks and delivers until `stop` says true. `address`: where people reach the admin pages.
pub async fn work(
    host: Host,
    clock: Arc<dyn Clock>,
    address: Option<String>,
    stop: watch::Receiver<bool>,
) {
    // Beside each other: a mail server that does not answer keeps nobody from looking.
    tokio::join!(
        keep_looking(&host, clock.as_ref(), stop.clone()),
        keep_delivering(&host, clock.as_ref(), address.as_deref(), stop),
    );
}

async fn keep_looking(host: &Host, clock: &dyn Clock, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(error) = look(host.store(), clock.now()).await {
            tracing::error!("troubles cannot be looked for: {error}");
        }
        // What was found is delivered at once: nobody else waits for the alarm now.
        host.raise_alarm();
        if !goes_on(host, &mut stop).await {
            return;
        }
    }
}

async fn keep_delivering(
    host: &Host,
    clock: &dyn Clock,
    address: Option<&str>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        if let Err(error) = deliver(host, clock, address).await {
            tracing::error!("alerts cannot be delivered: {error}");
        }
        if !goes_on(host, &mut stop).await {
            return;
        }
    }
}

/// Waits until there is something to do; false: the server stops.
async fn goes_on(host: &Host, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(PACE) => true,
        () = host.alarm() => true,
        stopped = stop.wait_for(|stop| *stop) => {
            // An error is the sender gone, which means the same.
            let _ = stopped;
            false
        }
    }
}

/// One look at all installations; what is news is handed over for delivery.
pub async fn look(store: &Store, now: DateTime<Utc>) -> Result<(), AlertError> {
    let channels = store.alert_channels().await?;
    if channels.is_empty() {
        return Ok(());
    }
    // What is seen is read within the turn, so that nobody with an older view ends what a newer one began.
    let turn = store.alert_turn().await?;
    let past: Past = match &turn.past {
        Some(past) => serde_json::from_str(past).map_err(AlertError::Past)?,
        None => Past::default(),
    };
    let seen = seen::look(store, &past, now).await?;
    let (past, news) = past.go_on(seen, now);
    let letters: Vec<(String, String)> = channels
        .iter()
        .filter_map(|channel| Some((channel.name.clone(), letter_for(channel, &news)?)))
        .collect();
    Ok(turn.end(&json(&past), &letters, now).await?)
}

/// What of the news a channel is for; none: nothing.
fn letter_for(channel: &AlertChannel, news: &[News]) -> Option<String> {
    let concerns = |one: &&News| match (&channel.installation, one.installation()) {
        (Some(only), Some(about)) => only == about,
        // What is about the host is for all.
        _ => true,
    };
    let news: Vec<News> = news.iter().filter(concerns).cloned().collect();
    (!news.is_empty()).then(|| Letter { news }.stored())
}

/// Sends everything that is due.
pub async fn deliver(
    host: &Host,
    clock: &dyn Clock,
    address: Option<&str>,
) -> Result<(), AlertError> {
    let store = host.store();
    while let Some(taken) = store.take_alert(clock.now()).await? {
        let sent = send(host, &taken, address, clock.now()).await;
        let now = clock.now();
        match sent {
            Ok(()) => store.alert_sent(taken.id, now).await?,
            Err(why) => {
                let again = (now - taken.made_at < PATIENCE).then(|| now + pause(taken.attempts));
                tracing::warn!(
                    channel = taken.channel.name,
                    attempt = taken.attempts,
                    "an alert was not delivered: {why}"
                );
                store.alert_not_sent(taken.id, &why, again).await?;
            }
        }
    }
    Ok(())
}

/// A minute, two, four, and so on to an hour.
fn pause(attempts: u64) -> TimeDelta {
    let doublings = u32::try_from(attempts.saturating_sub(1))
        .unwrap_or(u32::MAX)
        .min(10);
    TimeDelta::minutes(1 << doublings).min(LONGEST_PAUSE)
}

async fn send(
    host: &Host,
    taken: &TakenAlert,
    address: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), String> {
    let letter = Letter::read(&taken.letter).map_err(|error| error.to_string())?;
    let open = host
        .open_channel(&taken.channel)
        .await
        .map_err(|error| error.to_string())?;
    // Of this store and of no other: ids begin at one everywhere.
    let id = format!("alert-{}-{}", taken.id, taken.made_at.timestamp_millis());
    match &open {
        Open {
            terms: Terms::Mail(terms),
            sealed,
        } => {
            let password = match sealed {
                Some(Sealed::Password { password }) => Some(Secret::new(password.as_str())),
                _ if !terms.login.is_empty() => {
                    return Err("the password is not there: set it anew".to_owned());
                }
                _ => None,
            };
            let mail = mail::Mail {
                id,
                at: taken.made_at,
                subject: &letter.subject(),
                text: letter.text(address),
            };
            mail::send(terms, password.as_ref(), mail).await
        }
        Open {
            terms: Terms::WebHook(terms),
            sealed: Some(Sealed::WebHook { address: to, key }),
        } => {
            let body = letter.json(&id, taken.made_at, address).to_string();
            web_hook::send(host.connections(), terms, (to, key), &id, body, now).await
        }
        Open { .. } => Err("the address is not there: set it anew".to_owned()),
    }
}

/// Records of texts, numbers and times, which always serialise.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("records of texts, numbers and times serialise")
}
