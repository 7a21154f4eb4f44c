//! Packages that somebody has sent and not yet agreed to. They wait in memory, few and not for long: nothing of them is kept before
//! a person has seen what they ask for.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use addon_service::host::Offer;

/// How long somebody may think about it.
const KEPT: TimeDelta = TimeDelta::minutes(15);

/// Packages are large: the oldest gives way.
const MOST: usize = 4;

#[derive(Default)]
pub struct Staged(Mutex<Vec<Waiting>>);

struct Waiting {
    since: DateTime<Utc>,
    /// Who sent it: nobody else agrees to it.
    account: String,
    offer: Arc<Offer>,
}

impl Staged {
    /// Keeps a package; it is taken by its hash.
    pub fn keep(&self, account: &str, offer: Arc<Offer>, now: DateTime<Utc>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| {
            let is_same =
                one.offer.package.sha256 == offer.package.sha256 && one.account == account;
            now - one.since < KEPT && !is_same
        });
        if waiting.len() >= MOST {
            waiting.remove(0);
        }
        waiting.push(Waiting {
            since: now,
            account: account.to_owned(),
            offer,
        });
    }

    /// `None`: it was never sent, or has waited for too long.
    pub fn take(&self, account: &str, sha256: &str, now: DateTime<Utc>) -> Option<Arc<Offer>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| now - one.since < KEPT);
        let place = waiting
            .iter()
            .position(|one| one.offer.package.sha256 == sha256 && one.account == account)?;
        Some(waiting.remove(place).offer)
    }
}
