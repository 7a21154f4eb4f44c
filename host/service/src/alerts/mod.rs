//! Tells people what needs them: a job that fails, one that does not start, a day without any work done, records that are held.
//!
//! Three steps that know nothing of each other: `seen` reads from the store what is wrong now, `story` (pure) decides what of that is
//! news, and what is news goes as a `message` to the store, from where the `courier` delivers it by `mail` or `web_hook`, again and again
//! until it is. Nothing here stops or slows a run: it is a task beside the scheduler. Every host looks; who looks has the turn, so a trouble is
//! told once. Beware: where no channel is set up nothing is looked at, and nothing is remembered either.

pub mod channel;
mod courier;
mod incident;
mod mail;
mod mailbox;
mod message;
mod seen;
mod web_hook;

pub use courier::{Courier, SENDING};
pub use incident::{Held, HeldGroup, Incident, Kind, News};
pub use mailbox::{addresses, server_and_port};
pub use message::AlertContent;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio::sync::watch;

use self::courier::{Delivery, Undelivered};
use self::incident::Past;
use crate::host::Host;
use addon_store::{AlertChannel, Store, StoreError};
use addon_traffic::clock::Clock;

/// The longest time between two looks.
const PACE: Duration = Duration::from_secs(30);

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
    let courier = Courier {
        host: &host,
        clock: clock.as_ref(),
        address: address.as_deref(),
        sending: SENDING,
    };
    tokio::join!(
        keep_looking(&host, clock.as_ref(), stop.clone()),
        courier.keep_delivering(stop),
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
    let messages: Vec<(String, String)> = channels
        .iter()
        .filter_map(|channel| Some((channel.name.clone(), letter_for(channel, &news)?)))
        .collect();
    Ok(turn.end(&json(&past), &messages, now).await?)
}

/// What of the news a channel is for; `None`: nothing.
fn letter_for(channel: &AlertChannel, news: &[News]) -> Option<String> {
    let concerns = |one: &&News| match (&channel.installation, one.installation()) {
        (Some(only), Some(about)) => only == about,
        // What is about the host is for all.
        _ => true,
    };
    let news: Vec<News> = news.iter().filter(concerns).cloned().collect();
    (!news.is_empty()).then(|| AlertContent::of(news).stored())
}

/// Sends everything that is due.
pub async fn deliver(
    host: &Host,
    clock: &dyn Clock,
    address: Option<&str>,
) -> Result<(), AlertError> {
    let courier = Courier {
        host,
        clock,
        address,
        sending: SENDING,
    };
    courier.deliver().await
}

/// Records of texts, numbers and times, which always serialise.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("records of texts, numbers and times serialise")
}
