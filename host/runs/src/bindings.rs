//! The contract (`wit/`) as Rust: what the runtime needs to call a guest and to be called by it, and the few conversions
//! that every call shares.

// Generated code is not held to the style of the rest.
#[allow(clippy::all, clippy::pedantic)]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "sync-addon",
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

pub use generated::exports::splynx::addon::addon as exported;
pub use generated::splynx::addon::{http, run, storage, types};
pub use generated::{SyncAddon, SyncAddonPre};

use addon_store::Failure;

/// Pairs that are checked before anything is kept of them; what is kept goes through `words`.
pub fn pairs_in(pairs: Vec<types::Pair>) -> Vec<(String, String)> {
    pairs
        .into_iter()
        .map(|pair| (pair.name, pair.value))
        .collect()
}

pub fn pairs_out(pairs: impl IntoIterator<Item = (String, String)>) -> Vec<types::Pair> {
    pairs
        .into_iter()
        .map(|(name, value)| types::Pair { name, value })
        .collect()
}

impl From<Failure> for types::Failure {
    fn from(failure: Failure) -> Self {
        let Failure {
            code,
            message,
            retry_at,
            more,
        } = failure;
        Self {
            code,
            message,
            retry_at,
            more: pairs_out(more),
        }
    }
}
