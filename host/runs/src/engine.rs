//! One engine for all guests: how they are compiled and linked, what an instance may use up, and the clock that its computing
//! time is counted by.
//!
//! Beware: neither a time-out nor a lost lease stops a guest that only computes. Compiled code looks at the epoch on every
//! turn of a loop, and the epoch is moved by a thread of its own, never by a task of the executor that such a guest may be
//! blocking.

use std::time::Duration;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine, ResourceLimiter, Store, UpdateDeadline};

use super::audit::{self, AuditError};
use super::bindings::{SyncAddon, SyncAddonPre};
use super::compiled::CompiledComponents;
use super::compiler;
use super::guest::Guest;
use super::limits::Limits;

pub type GuestLinker = Linker<Guest>;

/// How often a computing guest is interrupted to let others go on.
const TICK: Duration = Duration::from_millis(10);

/// Most core instances, memories and tables of one component; the toolchains make a handful.
const MOST_PARTS: usize = 100;

/// Compiles guests.
#[derive(Clone)]
pub struct Runtime {
    engine: Engine,
    linker: GuestLinker,
    /// Where compiled components are kept, if anywhere.
    compiled: Option<CompiledComponents>,
}

impl Runtime {
    pub fn new() -> wasmtime::Result<Self> {
        let engine = Engine::new(&config())?;
        let mut linker = Linker::new(&engine);
        // Rust's standard library imports it to print a panic; the context behind it is empty.
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        SyncAddon::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
        move_epoch(&engine)?;
        Ok(Self {
            engine,
            linker,
            compiled: None,
        })
    }

    /// The same, with a place to keep what was compiled.
    #[must_use]
    pub fn keeping(self, compiled: CompiledComponents) -> Self {
        Self {
            compiled: Some(compiled),
            ..self
        }
    }

    /// Audits and compiles a component, which takes some seconds where it was not kept. `sha256`: its digest.
    pub async fn admit(
        &self,
        component: Vec<u8>,
        sha256: &str,
    ) -> Result<SyncAddonPre<Guest>, AuditError> {
        let Self {
            engine,
            linker,
            compiled,
        } = self.clone();
        let sha256 = sha256.to_owned();
        let admit = move || {
            audit::read(&component)?;
            let kept = compiled
                .as_ref()
                .and_then(|compiled| compiled.load(&engine, &sha256));
            let component = match kept {
                Some(component) => component,
                None => {
                    let component = compiler::compile(&engine, &component)?;
                    if let Some(compiled) = &compiled {
                        compiled.keep(&engine, &sha256, &component);
                    }
                    component
                }
            };
            audit::admit(&linker, &component)
        };
        let admitted = tokio::task::spawn_blocking(admit).await;
        admitted.unwrap_or_else(|error| Err(AuditError::Invalid(error.to_string())))
    }

    /// An empty store for one instance.
    pub(super) fn store(&self, guest: Guest, limits: &Limits) -> Store<Guest> {
        let usage = guest.desk.caller.usage.clone();
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(limits.bytes_per_call);
        store.set_epoch_deadline(1);
        // Called only when guest code runs: time in capability calls costs one tick, however long it was, and what the host
        // computed for them.
        let most = limits.cpu;
        let mut computed = Duration::ZERO;
        store.epoch_deadline_callback(move |_| {
            computed += TICK;
            if computed + usage.computed() > most {
                return Ok(UpdateDeadline::Interrupt);
            }
            Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(tokio::task::yield_now()),
            ))
        });
        store
    }
}

/// What compiled code depends on.
pub(super) fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true).concurrency_support(false);
    config
}

fn move_epoch(engine: &Engine) -> wasmtime::Result<()> {
    let engine = engine.weak();
    let ticker = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("epoch".to_owned())
        .spawn(ticker)?;
    Ok(())
}

/// Counts the memory of one instance, and looks at its tables.
#[derive(Debug)]
pub struct Memory {
    used: usize,
    most: usize,
    table_entries: usize,
}

/// The guest asked for a larger table than it may have.
#[derive(Debug, thiserror::Error)]
#[error("a table of more than {most} entries was asked for")]
pub struct LargeTable {
    most: usize,
}

/// The guest asked for more memory than it may have.
#[derive(Debug, thiserror::Error)]
#[error("more than {most} bytes of memory were asked for")]
pub struct OutOfMemory {
    most: usize,
}

impl Memory {
    pub fn new(limits: &Limits) -> Self {
        Self {
            used: 0,
            most: limits.memory_bytes,
            table_entries: limits.table_entries,
        }
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used - current.min(self.used) + desired;
        if used > self.most {
            return Err(OutOfMemory { most: self.most }.into());
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > self.table_entries {
            return Err(LargeTable {
                most: self.table_entries,
            }
            .into());
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        MOST_PARTS
    }

    fn tables(&self) -> usize {
        MOST_PARTS
    }

    fn memories(&self) -> usize {
        MOST_PARTS
    }
}
