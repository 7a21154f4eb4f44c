//! What a run tells while it works: log lines and progress, collected in memory and written to the store in batches by the
//! run's heartbeat. A guest that tells much costs the host a bounded amount of memory and no waiting.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::words::{LONGEST_TEXT, cut};
use addon_store::{LogLine, Progress};

/// Bytes of all lines of one run.
const LARGEST_LOG: usize = 16 << 20;

/// Levels that a guest may name; any other is taken for the last, so that nobody overlooks it.
const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

#[derive(Debug)]
pub struct Journal {
    most_lines: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: Vec<LogLine>,
    counted: usize,
    bytes: usize,
    /// What comes now is left out.
    is_full: bool,
    has_ended: bool,
    progress: Option<Progress>,
}

impl Journal {
    pub fn new(most_lines: usize) -> Self {
        Self {
            most_lines,
            kept: Mutex::default(),
        }
    }

    pub fn log(&self, level: &str, message: &str, at: DateTime<Utc>) {
        let mut kept = self.lock();
        if kept.is_full {
            return;
        }
        let plain = |c: char| {
            if c.is_control() && c != '\n' && c != '\t' {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        };
        // One more than is kept, so that the cut is seen.
        let message: String = message.chars().take(LONGEST_TEXT + 1).map(plain).collect();
        let known = LEVELS.into_iter().find(|known| *known == level);
        let mut line = LogLine {
            at,
            level: known.unwrap_or("error").to_owned(),
            message: cut(message, LONGEST_TEXT),
        };
        kept.counted += 1;
        kept.bytes += line.message.len();
        kept.is_full = kept.counted > self.most_lines || kept.bytes > LARGEST_LOG;
        if kept.is_full {
            "warn".clone_into(&mut line.level);
            "There were more lines than a run may log; the rest is left out."
                .clone_into(&mut line.message);
        }
        kept.lines.push(line);
    }

    /// Nothing more is kept; answers the line that says so, once.
    pub fn end(&self, why: &str, at: DateTime<Utc>) -> Option<LogLine> {
        let mut kept = self.lock();
        let told = std::mem::replace(&mut kept.has_ended, true);
        kept.is_full = true;
        (!told).then(|| LogLine {
            at,
            level: "warn".to_owned(),
            message: format!("Lines are left out here: {why}."),
        })
    }

    pub fn progress(&self, progress: Progress) {
        self.lock().progress = Some(progress);
    }

    /// What was told since the last time.
    pub fn take(&self) -> (Vec<LogLine>, Option<Progress>) {
        let mut kept = self.lock();
        (std::mem::take(&mut kept.lines), kept.progress.take())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Each change is whole in itself, so a poisoned lock guards nothing broken.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
