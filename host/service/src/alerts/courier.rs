//! Takes messages from the store to people. Each channel has a turn of its own, and each message its time: a server that says nothing
//! keeps the other channels from nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;

use super::channel::{Open, Sealed, Terms};
use super::message::{self, AlertContent};
use super::{AlertError, goes_on, mail, web_hook};
use crate::host::Host;
use addon_store::{DueAlert, TakenAlert};
use addon_traffic::clock::Clock;
use addon_vault::Secret;

/// A message that could not be sent for so long is given up: by then it is no news.
const PATIENCE: TimeDelta = TimeDelta::days(3);

/// The longest time from one attempt to the next.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);

/// How long one message may take in all. Shorter than a host may keep it.
pub const SENDING: Duration = Duration::from_secs(60);

/// How long what is being sent is waited for when the server stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// Whom a letter did not reach that went to others: their address, and why.
#[derive(Debug, Default)]
pub struct Delivery {
    /// May be tried again.
    pub later: Vec<(String, String)>,
    /// The server knows no such recipient.
    pub never: Vec<(String, String)>,
}

/// Why a message reached nobody.
#[derive(Debug)]
pub enum Undelivered {
    Later(String),
    /// It will stay so until a person changes the channel.
    UntilChanged(String),
}

/// How messages are taken to people.
pub struct Courier<'a> {
    pub host: &'a Host,
    pub clock: &'a dyn Clock,
    /// Where the admin pages are, as people reach them.
    pub address: message::Address<'a>,
    /// How long one message may take, [`SENDING`].
    pub sending: Duration,
}

impl Delivery {
    /// For people.
    pub fn told(&self) -> String {
        let never = self.never.iter().map(|(who, why)| {
            format!(
                "{who} is refused ({why}): if nobody reads it any more, take it out of the channel"
            )
        });
        let later = self
            .later
            .iter()
            .map(|(who, why)| format!("{who} is refused for now ({why})"));
        never.chain(later).collect::<Vec<_>>().join("; ")
    }
}

impl Courier<'_> {
    /// Delivers until `stop` says true.
    pub async fn keep_delivering(&self, mut stop: watch::Receiver<bool>) {
        let mut busy = BTreeSet::new();
        let mut turns = FuturesUnordered::new();
        loop {
            match self.host.store().due_alert_channels(self.clock.now()).await {
                Ok(due) => {
                    for channel in due {
                        if busy.insert(channel.clone()) {
                            turns.push(async {
                                self.turn(&channel).await;
                                channel
                            });
                        }
                    }
                }
                Err(error) => tracing::error!("alerts cannot be delivered: {error}"),
            }
            let goes_on = tokio::select! {
                Some(channel) = turns.next(), if !turns.is_empty() => {
                    busy.remove(&channel);
                    continue;
                }
                goes_on = goes_on(self.host, &mut stop) => goes_on,
            };
            if !goes_on {
                let _ = tokio::time::timeout(FAREWELL, turns.count()).await;
                return;
            }
        }
    }

    /// Delivers everything that is due.
    pub async fn deliver(&self) -> Result<(), AlertError> {
        let due = self
            .host
            .store()
            .due_alert_channels(self.clock.now())
            .await?;
        let turns: FuturesUnordered<_> = due.iter().map(|channel| self.channel(channel)).collect();
        let ends: Vec<Result<(), AlertError>> = turns.collect().await;
        ends.into_iter().collect()
    }

    /// Delivers one message, where it is due and nobody else has it.
    pub async fn message(&self, id: i64) -> Result<(), AlertError> {
        self.next(DueAlert::Message(id)).await.map(drop)
    }

    async fn turn(&self, channel: &str) {
        if let Err(error) = self.channel(channel).await {
            tracing::error!(channel, "alerts cannot be delivered: {error}");
        }
    }

    /// What is due of one channel, one after the other.
    async fn channel(&self, channel: &str) -> Result<(), AlertError> {
        while self.next(DueAlert::Of(channel)).await? {}
        Ok(())
    }

    /// Delivers the next message; false: none is due.
    async fn next(&self, due: DueAlert<'_>) -> Result<bool, AlertError> {
        let (store, clock) = (self.host.store(), self.clock);
        let Some(taken) = store.take_alert(due, clock.now()).await? else {
            return Ok(false);
        };
        let sent = tokio::time::timeout(self.sending, self.send(&taken, clock.now())).await;
        let sent = sent.unwrap_or_else(|_| Err(Undelivered::Later(self.silence(&taken))));
        let now = clock.now();
        let again = (now - taken.made_at < PATIENCE).then(|| now + pause(taken.attempts));
        let channel = taken.channel.name.as_str();
        match sent {
            Ok(delivery) if delivery.later.is_empty() => {
                let missed = Some(delivery.told()).filter(|told| !told.is_empty());
                if let Some(missed) = &missed {
                    tracing::warn!(channel, "an alert did not reach everybody: {missed}");
                }
                store.alert_sent(taken.id, missed.as_deref(), now).await?;
            }
            Ok(delivery) => {
                let why = delivery.told();
                tracing::warn!(channel, "an alert did not reach everybody yet: {why}");
                let missing = delivery.later.into_iter().map(|(who, _)| who).collect();
                let rest = AlertContent::read(&taken.letter)?.only(missing).stored();
                store
                    .alert_not_sent(taken.id, &why, again, Some(&rest))
                    .await?;
            }
            Err(Undelivered::Later(why)) => {
                tracing::warn!(
                    channel,
                    attempt = taken.attempts,
                    "an alert was not delivered: {why}"
                );
                store.alert_not_sent(taken.id, &why, again, None).await?;
            }
            Err(Undelivered::UntilChanged(why)) => {
                let why = format!(
                    "{why}; correct the channel: until it is saved anew nothing more is tried, so that the account is not locked"
                );
                tracing::warn!(channel, "alerts are not delivered: {why}");
                store.alert_not_sent(taken.id, &why, again, None).await?;
                store.hold_alerts(channel, &why, PATIENCE).await?;
            }
        }
        Ok(true)
    }

    /// What is said of a server that says nothing.
    fn silence(&self, taken: &TakenAlert) -> String {
        let seconds = self.sending.as_secs();
        let cure = match super::channel::terms(&taken.channel) {
            Ok(Terms::Mail(_)) => {
                ": a server that waits for TLS (port 465) wants the protection tls, and one that offers it (587) starttls"
            }
            _ => "",
        };
        format!("there was no end to it after {seconds} seconds{cure}")
    }

    async fn send(&self, taken: &TakenAlert, now: DateTime<Utc>) -> Result<Delivery, Undelivered> {
        let later = Undelivered::Later;
        let message =
            AlertContent::read(&taken.letter).map_err(|error| later(error.to_string()))?;
        let open = self
            .host
            .open_channel(&taken.channel)
            .await
            .map_err(|error| later(error.to_string()))?;
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
                        return Err(later("the password is not there: set it anew".to_owned()));
                    }
                    _ => None,
                };
                let mail = mail::Mail {
                    id,
                    at: taken.made_at,
                    subject: &message.subject(),
                    text: message.text(self.address),
                    only: &message.only,
                };
                mail::send(terms, password.as_ref(), mail).await
            }
            Open {
                terms: Terms::WebHook(terms),
                sealed: Some(Sealed::WebHook { address: to, key }),
            } => {
                let body = message.json(&id, taken.made_at, self.address).to_string();
                let connections = self.host.connections();
                let sent = web_hook::send(connections, terms, (to, key), &id, body, now).await;
                sent.map(|()| Delivery::default()).map_err(later)
            }
            Open { .. } => Err(later("the address is not there: set it anew".to_owned())),
        }
    }
}

/// A minute, two, four, and so on to an hour.
fn pause(attempts: u64) -> TimeDelta {
    let doublings = u32::try_from(attempts.saturating_sub(1))
        .unwrap_or(u32::MAX)
        .min(10);
    TimeDelta::minutes(1 << doublings).min(LONGEST_PAUSE)
}
