//! The host's tests from outside, in one binary: linking the runtime once takes long enough.

mod alerts;
mod audit;
mod backups;
mod cli;
mod connections;
mod consent;
mod contract;
mod effects;
mod fixtures;
mod guest;
mod guest_tables;
mod hooks;
mod hostile;
mod installations;
mod limits;
mod manifest;
mod many_processes;
mod master_key;
#[cfg(unix)]
mod operations;
mod packages;
mod pauses;
mod records;
mod rig;
mod runs;
mod scheduler;
mod secrets;
mod service;
mod settings;
mod shared_state;
mod speaker;
mod stress;
mod updates;
mod vault;
mod web;
