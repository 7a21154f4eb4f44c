//! The native host of add-ons: it lends a WebAssembly component HTTP, storage and the things of a run, and nothing else.
//!
//! Layers, lower ones know nothing of higher ones: `clock`, `days`, `manifest` and `vault` stand alone, and so does `store` but
//! for asking with which key something is sealed; `settings` and `packages` build on them; connections, runs and the scheduler
//! use those; the host puts them together, and alerts, exports, the web pages and the command line come last.
//! Secrets stay below the connections: nothing that a guest, a log line or a page can see holds one.

pub mod alerts;
pub mod clock;
pub mod connections;
pub mod days;
pub mod exports;
pub mod host;
pub mod installations;
pub mod manifest;
pub mod packages;
pub mod recordings;
pub mod runs;
pub mod scheduler;
pub mod server;
pub mod settings;
pub mod store;
pub mod support;
pub mod vault;
pub mod web;
