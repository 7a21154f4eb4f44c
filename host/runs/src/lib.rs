//! Running guests: a component is audited and compiled once (`audit`, `engine`), called on a fresh instance each time
//! (`instance`), with capabilities bound to one installation and purpose (`guest`, `guest_context`). A job is a run (`work`):
//! it has a row in the store, a lease where it writes, and an outcome whatever happens.
//!
//! wasmtime's types end in this folder.

mod audit;
mod bindings;
mod compiled;
mod compiler;
mod context;
mod engine;
mod guest;
mod guest_context;
mod instance;
mod journal;
mod limits;
mod no_http;
mod output;
mod pause;
pub mod recordings;
mod seats;
mod task;
mod threads;
mod words;
mod work;

pub use audit::{AuditError, read as audit};
pub use compiled::CompiledComponents;
pub use compiler::{COMPILE, compile_one, compile_with};
pub use context::time_zone;
pub use engine::Runtime;
pub use guest_context::{Loaded, Purpose, Services};
pub use instance::{Finding, Instance, Query, Rows};
pub use limits::{Changed as ChangedLimits, LIMIT_SPECS, LimitError, LimitSpec, Limits};
pub use seats::Seats;
pub use task::{ANSWER, Task};
pub use work::{BeginError, CALLS_TO, MIGRATION_FAILED, Starter, WRITES_TO, Work};
