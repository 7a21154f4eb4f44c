//! The host's tests from outside, in one binary: linking the runtime once takes long enough.

mod fixtures;
mod guest_tables;
mod manifest;
mod packages;
mod settings;
mod shared_state;
mod vault;
