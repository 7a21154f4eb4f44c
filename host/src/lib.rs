//! The native host of add-ons: it lends a WebAssembly component HTTP, storage and the things of a run, and nothing else.
//!
//! Its parts are crates, in an order that cargo enforces; each knows those before it only: manifest, vault, store, settings, traffic,
//! packages, runs, service, web. What is here is the command line, and all of them under one name.
//! Secrets stay below the traffic: nothing that a guest, a log line or a page can see holds one.

pub use addon_manifest as manifest;
pub use addon_packages as packages;
pub use addon_runs::{self as runs, recordings};
pub use addon_service::{alerts, days, exports, facts, host, installations, scheduler, support};
pub use addon_settings as settings;
pub use addon_store as store;
pub use addon_traffic::{self as connections, clock};
pub use addon_vault as vault;
pub use addon_web::{self as web, server};
