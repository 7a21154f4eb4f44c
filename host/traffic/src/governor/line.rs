//! Those who wait for the same limits, in all processes: who goes first.
//!
//! People go before automatic runs, then priority counts, then who came first. Nobody starves: whoever has waited for
//! [`PATIENCE_MS`] goes before everybody who came later, whatever their class. A place in the line is a claim that its holder renews
//! by asking again when it was told to; the claim of one that died is void [`GRACE_MS`] after that. Beware: a claim that is
//! believed for too long leaves turns unused.

use serde::{Deserialize, Serialize};

use super::{By, Class, Priority};

/// After this long only who came earlier goes first.
pub(super) const PATIENCE_MS: i64 = 60_000;

/// How late a holder may come: its process may be busy, or its database.
pub(super) const GRACE_MS: i64 = 2_000;

/// How long the others' turns are waited for before asking again.
pub(super) const SHORTEST_WAIT_MS: i64 = 50;
pub(super) const LONGEST_WAIT_MS: i64 = 10_000;

/// How many turns are worth looking ahead.
pub(super) const MOST_AHEAD: usize = 64;

const FIRST: Class = Class {
    by: By::Person,
    priority: Priority::High,
};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Line(Vec<Claim>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub who: u64,
    pub class: Class,
    /// When its holder came.
    pub since: i64,
    /// When it is void.
    pub until: i64,
}

impl Claim {
    /// Smaller goes first.
    fn rank(&self, now: i64) -> impl Ord {
        let patient = now - self.since < PATIENCE_MS;
        let class = if patient { self.class } else { FIRST };
        (std::cmp::Reverse(class), self.since, self.who)
    }

    fn is_live(&self, now: i64) -> bool {
        // One that would last longer was made by a clock that went back since.
        (now..=now + super::LONGEST_WAIT_MS + GRACE_MS).contains(&self.until)
    }
}

impl Line {
    /// How many are before it.
    pub fn ahead_of(&self, claim: &Claim, now: i64) -> usize {
        let mine = claim.rank(now);
        self.0
            .iter()
            .filter(|other| other.who != claim.who && other.is_live(now) && other.rank(now) < mine)
            .count()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps a place until a little after its holder comes again.
    pub fn join(&mut self, claim: Claim, comes_again: i64) {
        let until = comes_again + GRACE_MS;
        self.0.push(Claim { until, ..claim });
    }

    pub fn leave(&mut self, who: u64) {
        self.0.retain(|claim| claim.who != who);
    }

    pub fn forget(&mut self, now: i64) {
        self.0.retain(|claim| claim.is_live(now));
        for claim in &mut self.0 {
            claim.since = claim.since.min(now);
        }
    }

    /// The classes of all who wait.
    pub fn classes(&self, now: i64) -> impl Iterator<Item = Class> {
        let live = self.0.iter().filter(move |claim| claim.is_live(now));
        live.map(|claim| claim.class)
    }
}
