//! The add-on `splynx-sageone`: keeps Splynx and Sage Accounting South Africa in step.
//!
//! Read it in the direction in which a record travels:
//! [`splynx`] (what we read) → [`sync`] (what should happen, decided by pure functions) → [`write`] (the protocol that makes it
//! happen exactly once) → [`sage`] (what we send). Everything that touches the world goes through
//! [`capability::Capabilities`]; nothing else in the crate does I/O, reads a clock or knows WebAssembly, but for
//! `component`, the thin shell around it.

pub mod addon;
pub mod arithmetic;
pub mod capability;
mod check;
pub mod choices;
pub mod clocks;
mod collect;
#[cfg(target_family = "wasm")]
mod component;
pub mod digested;
mod json;
pub mod mark;
pub mod money;
mod pages;
pub mod planted;
mod preview;
pub mod pricing;
mod reconcile;
pub mod sage;
pub mod settings;
pub mod splynx;
mod stored;
mod sync;
mod text;
pub mod write;
