//! A host for add-ons with no network: for testers, and for vendors' own tests.
//!
//! [`MockHost`] supplies the contract's capabilities (`wit/`) from memory; a [`World`] answers HTTP and knows the time.
//! `component::Plugin` runs a built component against them, [`ScriptedWorld`] answers from a script, and
//! [`MemoryStorage`] is the storage by itself. Without the feature `component`, no component runtime is built.

pub mod contract;
mod death;
pub mod expect;
mod host;
pub mod matching;
mod memory;
mod requests;
pub mod rules;
pub mod runner;
pub mod script;
mod scripted;
pub mod trace;
mod world;

#[path = "../../../host/traffic/src/hosts_headers.rs"]
mod hosts_headers;

#[cfg(feature = "component")]
mod bindings;
#[cfg(feature = "component")]
pub mod component;
#[cfg(feature = "component")]
#[path = "../../../host/runs/src/no_http.rs"]
mod no_http;

pub use death::{Death, DeathPoint, Side};
pub use host::{MockHost, OrDeath};
pub use memory::{MemoryStorage, StorageLimits};
pub use requests::Rights;
pub use scripted::ScriptedWorld;
pub use world::World;
