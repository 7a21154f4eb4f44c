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
    /// Of a `send`, those requests reach the world whose bit is set, as with a host that sends several at once; the first one's bit is the
    /// lowest. Other calls as [`Side::Within`].
    Among(u64),
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
            Self::Among(sent) => write!(f, "after the requests {sent:#b} of"),
            Self::After => f.write_str("after"),
        }
    }
}

impl Side {
    /// Whether the world sees the request at that place of a `send`.
    pub(crate) fn reaches(self, place: usize) -> bool {
        match self {
            Self::Before => false,
            Self::Within(sent) => place < sent,
            Self::Among(sent) => u32::try_from(place)
                .is_ok_and(|place| sent.checked_shr(place).is_some_and(|bits| bits & 1 == 1)),
            Self::After => true,
        }
    }
}
