//! The word that a run should end, as everything that waits sees it. It is said once and stays said.

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A person asked for it.
    Stopped,
    /// The host is being stopped.
    HostStops,
    /// The run has worked for as long as it may.
    TimeUp,
    /// The run lost its lease; another one works on the installation.
    Fenced,
}

/// The side that says it.
#[derive(Debug)]
pub struct CancellationSource(watch::Sender<Option<Reason>>);

/// The side that hears it.
#[derive(Debug, Clone)]
pub struct CancellationToken(watch::Receiver<Option<Reason>>);

pub fn cancellation() -> (CancellationSource, CancellationToken) {
    let (sender, receiver) = watch::channel(None);
    (CancellationSource(sender), CancellationToken(receiver))
}

impl CancellationSource {
    /// Losing the lease outweighs a wish to stop; otherwise the first reason stands.
    pub fn cancel(&self, reason: Reason) {
        self.0.send_if_modified(|said| {
            let news = said.is_none() || (reason == Reason::Fenced && *said != Some(reason));
            if news {
                *said = Some(reason);
            }
            news
        });
    }
}

impl CancellationToken {
    pub fn reason(&self) -> Option<Reason> {
        *self.0.borrow()
    }

    /// Returns once it was said; never, if that does not happen.
    pub async fn said(&mut self) -> Reason {
        loop {
            if let Some(reason) = self.reason() {
                return reason;
            }
            if self.0.changed().await.is_err() {
                // Nobody is left to say it.
                return std::future::pending().await;
            }
        }
    }
}
