//! Packages that somebody has sent and not yet agreed to, or whose key nobody has trusted yet. They wait in memory, few and not for long: nothing of them is kept before
//! a person has seen what they ask for.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use addon_service::host::Offer;

/// How long somebody may think about it.
const KEPT: TimeDelta = TimeDelta::minutes(15);

/// Packages are large: the oldest gives way.
const MOST: usize = 4;

/// What waits.
#[derive(Clone)]
pub enum Package {
    /// Examined: it waits for somebody's agreement.
    Offered(Arc<Offer>),
    /// A file as it came, signed with a key that is not trusted here.
    Unknown(Arc<Vec<u8>>),
}

#[derive(Default)]
pub struct Staged(Mutex<Vec<Waiting>>);

struct Waiting {
    since: DateTime<Utc>,
    /// Who sent it: nobody else agrees to it.
    account: String,
    /// Of what waits: of the archive, or of the file.
    sha256: String,
    package: Package,
}

impl Staged {
    /// Keeps a package; it is taken by its hash.
    pub fn keep(&self, account: &str, sha256: &str, package: Package, now: DateTime<Utc>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| {
            let is_same = one.sha256 == sha256 && one.account == account;
            now - one.since < KEPT && !is_same
        });
        if waiting.len() >= MOST {
            waiting.remove(0);
        }
        waiting.push(Waiting {
            since: now,
            account: account.to_owned(),
            sha256: sha256.to_owned(),
            package,
        });
    }

    /// `None`: it was never sent, or has waited for too long.
    pub fn take(&self, account: &str, sha256: &str, now: DateTime<Utc>) -> Option<Package> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| now - one.since < KEPT);
        let place = waiting
            .iter()
            .position(|one| one.sha256 == sha256 && one.account == account)?;
        Some(waiting.remove(place).package)
    }
}
