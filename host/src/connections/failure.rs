//! Failures as guests and people see them: a code for programs and one sentence that says what happened and what cures it.

use chrono::{DateTime, Utc};

use crate::store::{Failure, StoreError};

impl Failure {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            retry_at: None,
            more: Vec::new(),
        }
    }

    /// Trying again earlier is useless.
    pub fn until(mut self, retry_at: DateTime<Utc>) -> Self {
        // Whole seconds: rounded up, so that the time has come when it is reached.
        let seconds = retry_at.timestamp() + i64::from(retry_at.timestamp_subsec_nanos() > 0);
        self.retry_at = u64::try_from(seconds).ok();
        self
    }

    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.more.push((name.to_owned(), value.to_string()));
        self
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Limit(_) => Self::new("limit", error.to_string()),
            StoreError::DiskFull(_) => {
                tracing::error!(%error, "the store failed");
                Self::new(
                    "full",
                    "The host's database has no room left; nothing was written. Make room on its disk.",
                )
            }
            // Details are for the operator's log; a guest can do nothing with them.
            _ => {
                tracing::error!(%error, "the store failed");
                Self::new(
                    "internal",
                    "The host cannot reach its database; see the host's log.",
                )
            }
        }
    }
}
