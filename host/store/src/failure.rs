//! Failures as guests and people see them: a code for programs and one sentence that says what happened and what cures it.

use chrono::{DateTime, Utc};

use super::{Failure, StoreError};

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
            _ => {
                tracing::error!(%error, "the store failed");
                Self::new("internal", sentence(&error))
            }
        }
    }
}

/// Which kind of trouble a run failed for. Details are for the operator's log; a guest can do nothing with them.
fn sentence(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unreachable(_) | StoreError::NoConnections(_) => {
            "The host cannot reach its database; see the host's log."
        }
        StoreError::Busy(_) => {
            "The host's database was locked by another process for too long; see the host's log for what to end."
        }
        StoreError::ReadOnly(_) => {
            "The host's database cannot be written: it is a standby, or its file belongs to somebody else. See the host's log."
        }
        StoreError::Denied(_) => {
            "The user of the host's database may not do what is needed; see the host's log."
        }
        StoreError::Ended(_) => {
            "The database server ended a statement before its time (statement_timeout); see the host's log."
        }
        StoreError::Unconfirmed => {
            "The database server does not confirm what was written (is a synchronous standby gone?); see the host's log."
        }
        StoreError::Pooler(_) => {
            "The pooler before the host's database does not fit; see the host's log for its settings."
        }
        StoreError::Damaged(_) | StoreError::Corrupt(_) => {
            "The host's database is damaged; see the host's log, and `addon-host check-database`."
        }
        StoreError::Nul => {
            "A text holds a NUL character, which the host's database does not take: leave it out."
        }
        _ => "The host's database answers with an error; see the host's log.",
    }
}
