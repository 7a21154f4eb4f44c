//! What one installation's calls into its add-on may use up: the usual limits, and what an operator changed of them.
//!
//! An operator's limit holds for all installations of the host or for one; the one's goes before. Each has a least and a most, so that no
//! slip of the hand stops every add-on or takes the machine. Beware: a limit that a run meets is told by name, with this cure.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use addon_store::LEASE_SECONDS;

/// What one call into a guest may use up.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Of a run; waiting for a connection's pace does not count.
    pub wall_clock: Duration,
    /// Of what a person waits for: checks, choices, pages, acts.
    pub interactive: Duration,
    /// Computing, without waiting.
    pub cpu: Duration,
    pub memory_bytes: usize,
    /// What one capability call may carry out of the guest.
    pub bytes_per_call: usize,
    /// Entries of each of its tables of functions.
    pub table_entries: usize,
    /// Capability calls of one call into the guest.
    pub calls: u64,
    /// Of one run; more are dropped.
    pub log_lines: usize,
    /// Of one run, over all its reports.
    pub report_rows: usize,
    /// Entries of the activity log that one run may make.
    pub activities: usize,
    /// Everything in the installation's tables; each entry counts for some bytes besides its own.
    pub stored_bytes: u64,
    /// How long a run's lease lasts without renewal: how soon another host may go on where this one dies.
    pub lease: Duration,
    /// How long a run that was told to stop may take to end by itself; longer than any request may take.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_clock: Duration::from_secs(4 * 60 * 60),
            interactive: Duration::from_secs(5 * 60),
            cpu: Duration::from_secs(10 * 60),
            memory_bytes: 256 << 20,
            bytes_per_call: 64 << 20,
            table_entries: 100_000,
            calls: 10_000_000,
            log_lines: 10_000,
            report_rows: 200_000,
            activities: 1_000_000,
            stored_bytes: 4 << 30,
            lease: Duration::from_secs(LEASE_SECONDS.unsigned_abs()),
            grace: Duration::from_secs(120),
        }
    }
}

/// What an operator changed, by the names of [`LIMIT_SPECS`].
pub type Changed = BTreeMap<String, u64>;

/// A limit that an operator may change.
#[derive(Debug)]
pub struct LimitSpec {
    pub name: &'static str,
    pub help: &'static str,
    pub least: u64,
    pub most: u64,
    get: fn(&Limits) -> u64,
    set: fn(&mut Limits, u64),
}

/// In the order in which people read them.
pub const LIMIT_SPECS: [LimitSpec; 11] = [
    LimitSpec {
        name: "run-seconds",
        help: "how long a run may work; waiting for a service's pace does not count",
        least: 10,
        most: 7 * 24 * 60 * 60,
        get: |limits| limits.wall_clock.as_secs(),
        set: |limits, value| limits.wall_clock = Duration::from_secs(value),
    },
    LimitSpec {
        name: "answer-seconds",
        help: "how long people may be kept waiting for a check, a page or an act",
        least: 1,
        most: 60 * 60,
        get: |limits| limits.interactive.as_secs(),
        set: |limits, value| limits.interactive = Duration::from_secs(value),
    },
    LimitSpec {
        name: "cpu-seconds",
        help: "how long it may compute, without waiting",
        least: 1,
        most: 24 * 60 * 60,
        get: |limits| limits.cpu.as_secs(),
        set: |limits, value| limits.cpu = Duration::from_secs(value),
    },
    LimitSpec {
        name: "memory-mib",
        help: "its memory, in MiB",
        least: 8,
        most: 4 << 10,
        get: |limits| (limits.memory_bytes >> 20) as u64,
        set: |limits, value| limits.memory_bytes = saturated(value) << 20,
    },
    LimitSpec {
        name: "call-mib",
        help: "what it may hand over at once, in MiB",
        least: 1,
        most: 256,
        get: |limits| (limits.bytes_per_call >> 20) as u64,
        set: |limits, value| limits.bytes_per_call = saturated(value) << 20,
    },
    LimitSpec {
        name: "table-entries",
        help: "entries of each of its tables of functions",
        least: 10_000,
        most: 10_000_000,
        get: |limits| limits.table_entries as u64,
        set: |limits, value| limits.table_entries = saturated(value),
    },
    LimitSpec {
        name: "calls",
        help: "how often it may call the host",
        least: 1_000,
        most: 1_000_000_000,
        get: |limits| limits.calls,
        set: |limits, value| limits.calls = value,
    },
    LimitSpec {
        name: "log-lines",
        help: "lines of a run's log; what is more is left out",
        least: 0,
        most: 1_000_000,
        get: |limits| limits.log_lines as u64,
        set: |limits, value| limits.log_lines = saturated(value),
    },
    LimitSpec {
        name: "report-rows",
        help: "rows of a run's reports",
        least: 100,
        most: 10_000_000,
        get: |limits| limits.report_rows as u64,
        set: |limits, value| limits.report_rows = saturated(value),
    },
    LimitSpec {
        name: "activities",
        help: "entries of the activity log that a run may make",
        least: 100,
        most: 100_000_000,
        get: |limits| limits.activities as u64,
        set: |limits, value| limits.activities = saturated(value),
    },
    LimitSpec {
        name: "stored-mib",
        help: "what it may keep, in MiB",
        least: 1,
        most: 1 << 20,
        get: |limits| limits.stored_bytes >> 20,
        set: |limits, value| limits.stored_bytes = value << 20,
    },
];

fn saturated(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LimitError {
    #[error("there is no limit `{name}`; there are {known}")]
    Unknown { name: String, known: String },
    #[error("`{name}` is from {least} to {most}, and not {value}")]
    OutOfRange {
        name: &'static str,
        least: u64,
        most: u64,
        value: u64,
    },
}

impl LimitSpec {
    /// The limit of that name.
    pub fn named(name: &str) -> Result<&'static Self, LimitError> {
        LIMIT_SPECS
            .iter()
            .find(|knob| knob.name == name)
            .ok_or_else(|| LimitError::Unknown {
                name: name.to_owned(),
                known: LIMIT_SPECS.map(|knob| knob.name).join(", "),
            })
    }

    pub fn check(&self, value: u64) -> Result<(), LimitError> {
        let Self {
            name, least, most, ..
        } = *self;
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(LimitError::OutOfRange {
            name,
            least,
            most,
            value,
        })
    }

    pub fn of(&self, limits: &Limits) -> u64 {
        (self.get)(limits)
    }
}

impl Limits {
    /// With what an operator changed. What a later host wrote, or what is out of range by now, is passed over.
    #[must_use]
    pub fn with(&self, changed: &Changed) -> Self {
        let mut limits = self.clone();
        for (name, value) in changed {
            if let Ok(knob) = LimitSpec::named(name)
                && knob.check(*value).is_ok()
            {
                (knob.set)(&mut limits, *value);
            }
        }
        limits
    }
}
