//! What is digested in a run that the host records: whoever makes persons unrecognisable in a recording must make the digests of
//! their data anew, and can do so only with the texts.

use std::cell::RefCell;
use std::collections::BTreeSet;

/// In the run's context, where the host records it (docs/manifest.md).
pub const RECORDED: &str = "recorded";
/// The level of lines that tell a text that was digested (docs/manifest.md).
pub const LEVEL: &str = "digest";

thread_local! {
    /// `None`: nobody asks.
    static TEXTS: RefCell<Option<BTreeSet<String>>> = const { RefCell::new(None) };
}

/// Keeps what is digested from now on.
pub fn keep() {
    TEXTS.with_borrow_mut(|texts| *texts = Some(BTreeSet::new()));
}

pub fn note(text: &str) {
    TEXTS.with_borrow_mut(|texts| {
        if let Some(texts) = texts {
            texts.insert(text.to_owned());
        }
    });
}

/// What was kept, each text once; nothing is kept any more.
pub fn take() -> BTreeSet<String> {
    TEXTS.take().unwrap_or_default()
}
