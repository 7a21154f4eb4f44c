//! What a run tells while it works: log lines and progress, collected in memory and written to the store in batches by the
//! run's heartbeat. A guest that tells much costs the host a bounded amount of memory and no waiting.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::store::{LogLine, Progress};

/// Characters of one log line.
const LONGEST_LINE: usize = 8 << 10;

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
        kept.counted += 1;
        if kept.counted > self.most_lines + 1 {
            return;
        }
        let (level, message) = match kept.counted > self.most_lines {
            false => (
                LEVELS
                    .into_iter()
                    .find(|known| *known == level)
                    .unwrap_or("error"),
                message,
            ),
            true => (
                "warn",
                "There were more lines than a run may log; the rest is left out.",
            ),
        };
        let plain = |c: char| {
            if c.is_control() && c != '\n' && c != '\t' {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        };
        let message = message.chars().take(LONGEST_LINE).map(plain).collect();
        kept.lines.push(LogLine {
            at,
            level: level.to_owned(),
            message,
        });
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
