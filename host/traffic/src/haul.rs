//! What one call brings back: the answers to all its requests together. An answer has a limit of its own; a thousand of them need one
//! too, since the host holds them until the last one is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use addon_store::Failure;

/// Bytes of all answers to one batch. What is larger would hardly fit into the add-on's memory either.
const LARGEST: usize = 128 << 20;

/// Bytes that the headers of an answer may add to it.
const HEADERS: usize = 1 << 20;

/// The room for the answers to one batch; clones share it.
#[derive(Debug, Clone)]
pub struct Haul {
    most: usize,
    left: Arc<AtomicUsize>,
}

impl Haul {
    /// For a batch whose largest answer may have so many bytes; one alone always fits.
    pub fn for_answers_of(bytes: usize) -> Self {
        let most = LARGEST.max(bytes.saturating_add(HEADERS));
        Self {
            most,
            left: Arc::new(AtomicUsize::new(most)),
        }
    }

    /// Takes room for what came in. False: there is none, and from now on there is none for anything.
    pub fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| Some(left.saturating_sub(bytes));
        let order = Ordering::Relaxed;
        self.left
            .fetch_update(order, order, less)
            .is_ok_and(|left| left > bytes)
    }

    pub fn is_full(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    /// Why an answer is not kept, or a request not sent.
    pub fn failure(&self, code: &str) -> Failure {
        let message = format!(
            "The answers to one call have more than {} MiB together. Please tell the add-on's makers: it has to ask for less at once.",
            self.most >> 20
        );
        Failure::new(code, message)
    }
}

impl Default for Haul {
    /// For an exchange of the host's own.
    fn default() -> Self {
        Self::for_answers_of(LARGEST)
    }
}
