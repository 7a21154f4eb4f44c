//! What a run said to the services and heard from them, kept so that the run can be done again with no service (`mock-host`), and sent
//! to strangers: without secrets, and with made-up words and numbers for people's.
//!
//! A `Tape` takes down what a run hears while it works. At its end, `cast` learns from the fields that the manifest keeps
//! what is nobody's, and `disguise` replaces everything else. Nothing undisguised is ever stored. Beware: comparisons must come
//! out as they did, so one text is replaced by one other in the whole recording, and digests that the add-on stored are made anew.

mod cast;
mod disguise;
mod script;
mod tape;
mod vocabulary;
mod walk;

pub use cast::Cast;
pub use script::{About, made};
pub use tape::{Scope, Tape};
pub use vocabulary::Vocabulary;
