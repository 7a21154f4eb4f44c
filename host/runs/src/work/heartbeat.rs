//! What watches a run while its guest works: it stores what the guest tells, renews the lease, hears the wish to stop and counts the time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

use addon_store::{CommitError, Store, StoreError};
use addon_traffic::cancellation::Reason;

use super::Work;

/// How often what a guest told is stored, and the wish to stop is looked for.
const BEAT: Duration = Duration::from_millis(500);

impl Work {
    /// Until the other end of `is_over` is dropped.
    pub(super) async fn beat(self: Arc<Self>, mut is_over: oneshot::Receiver<()>) {
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewed = self.started;
        loop {
            tokio::select! {
                _ = &mut is_over => return,
                _ = beats.tick() => {}
            }
            if let Err(error) = self.beat_once(&mut renewed).await {
                // The database lost the run, and with it what the run believes to be stored.
                if matches!(error, StoreError::Missing { .. }) {
                    self.canceller.cancel(Reason::Fenced);
                }
                tracing::warn!(run = self.run, %error, "a run's heartbeat stumbled");
            }
        }
    }

    async fn beat_once(&self, renewed: &mut DateTime<Utc>) -> Result<(), StoreError> {
        let store = &self.services.store;
        let now = self.services.clock.now();
        // First, and three times as often as needed: whatever else a beat does may take its time, or fail.
        if now - *renewed >= store.lease() / 3 {
            if let Some(fence) = &self.fence
                && !store.renew_lease(fence, now).await?
            {
                self.canceller.cancel(Reason::Fenced);
            }
            store.touch_run(self.run, now).await?;
            *renewed = now;
            store.keep_pace(&self.services.mark, now).await?;
        }
        if self.write_journal().await? {
            self.canceller.cancel(Reason::Stopped);
        }
        let worked = (now - self.started)
            .to_std()
            .unwrap_or_default()
            .saturating_sub(self.usage.waited());
        if worked > self.services.limits.wall_clock {
            self.canceller.cancel(Reason::TimeUp);
        }
        Ok(())
    }

    /// Stores what the guest told since the last time. True: a person asked the run to stop.
    pub(super) async fn write_journal(&self) -> Result<bool, StoreError> {
        let store: &Store = &self.services.store;
        let (lines, progress) = self.journal.take();
        if !lines.is_empty() {
            let name = &self.installation.name;
            let most = self.services.limits.stored_bytes;
            match store.has_room(name, most).await {
                Ok(()) => store.append_log(self.run, &lines).await?,
                Err(CommitError::Store(error)) => return Err(error),
                Err(why) => {
                    let last = self
                        .journal
                        .end(&why.to_string(), self.services.clock.now());
                    store.append_log(self.run, last.as_slice()).await?;
                }
            }
        }
        match progress {
            Some(progress) => store.set_progress(self.run, &progress).await,
            None => store.stop_requested(self.run).await,
        }
    }
}
