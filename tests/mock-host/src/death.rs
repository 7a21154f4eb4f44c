//! Where a run dies, as if its host had been killed there.
//!
//! Capability calls are numbered from 1 in the order in which the guest makes them. A test runs a job once, undisturbed, and
//! then once for every number and side; what survives is what a real host would keep: the storage, and the world.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeathPoint {
    /// Number of the capability call.
    pub call: u64,
    pub side: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The call does nothing.
    Before,
    /// Of a `send`, so many requests reach the world. Other calls act as a whole, and die after it.
    Within(usize),
    /// The call acts, and the guest never hears of it.
    After,
}

/// The host died. Not a failure that the guest may see: it ends the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("died {side} capability call {call}", side = self.0.side, call = self.0.call)]
pub struct Death(pub DeathPoint);

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before => f.write_str("before"),
            Self::Within(sent) => write!(f, "after {sent} requests of"),
            Self::After => f.write_str("after"),
        }
    }
}
