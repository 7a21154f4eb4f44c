//! Runs an add-on's component against a [`MockHost`]: every call of an export is a fresh instance, as in a real host.
//!
//! Runs are repeatable: the budget is counted in instructions and not in time, and what Rust's standard library drags in of
//! WASI is linked to an empty context with a fixed clock and fixed random numbers. Beware: WASI's calls need a thread that
//! is not driving asynchronous tasks; call this from a plain one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine, Store, StoreLimits, StoreLimitsBuilder, Trap};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{
    Deterministic, HostMonotonicClock, HostWallClock, ResourceTable, WasiCtx, WasiCtxBuilder,
    WasiCtxView, WasiView,
};

use crate::bindings::{SyncAddon, SyncAddonPre, pairs_in, pairs_out, types};
use crate::contract::{Answer, Failure, Finding, Outcome, Pair, Query, Request, Rows};
use crate::death::Death;
use crate::host::MockHost;
use crate::no_http;
use crate::requests::Rights;
use crate::world::World;

/// What an export may use up.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Instructions, roughly, of one call of an export.
    pub fuel: u64,
    pub memory_bytes: usize,
    /// What one capability call may carry from the guest to the host.
    pub bytes_per_call: usize,
}

impl Default for Limits {
    /// Generous: a minute or two of computing, and a real host's sizes.
    fn default() -> Self {
        Self {
            fuel: 200_000_000_000,
            memory_bytes: 256 << 20,
            bytes_per_call: 64 << 20,
        }
    }
}

/// Packages of WASI that a host lends, and that lead nowhere: the list that comes with the contract.
const WASI: &str = include_str!("../../../wit/wasi.txt");

/// How the two kinds of binaries begin (WebAssembly, binary format): magic, version, layer.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

#[derive(Debug, Error)]
pub enum LoadError {
    #[error("{path} cannot be read")]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("it is no component: {0}")]
    NotAComponent(String),
    #[error("it imports `{0}`, which no add-on gets: add-ons may use the contract and, of WASI, {lent}", lent = all_lent())]
    ForeignImport(String),
    #[error(
        "it uses the component model's `async`, which the contract leaves out: build it without, with jco's QuickJS by \
         --backend-qjs-disable-async"
    )]
    Async,
    #[error("it does not fit the contract: {0}")]
    Contract(String),
    #[error("the component runtime does not work on this machine: {0}")]
    Engine(String),
}

/// The export did not return.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Crash {
    /// As ordered by [`MockHost::die_at`].
    #[error(transparent)]
    Death(Death),
    #[error("it computed for too long")]
    OutOfFuel,
    /// A panic's text, or what the runtime says.
    #[error("{0}")]
    Trap(String),
}

/// What an export returned, or how it ended.
pub type Ending<T> = Result<Result<T, Failure>, Crash>;

/// A component, compiled and seen to fit the contract. Clones share it.
#[derive(Clone)]
pub struct Plugin {
    engine: Engine,
    component: Component,
    limits: Limits,
}

impl Plugin {
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|source| LoadError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&bytes)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        if !bytes.starts_with(COMPONENT) {
            let module = bytes.starts_with(CORE_MODULE);
            let found = if module {
                "a core module; build it for wasm32-wasip2"
            } else {
                "not even WebAssembly"
            };
            return Err(LoadError::NotAComponent(found.to_owned()));
        }
        let mut config = Config::new();
        config.consume_fuel(true).concurrency_support(false);
        let engine =
            Engine::new(&config).map_err(|error| LoadError::Engine(format!("{error:#}")))?;
        let component = Component::from_binary(&engine, bytes).map_err(|error| {
            let error = format!("{error:#}");
            match error.contains("component model async") {
                true => LoadError::Async,
                false => LoadError::NotAComponent(error),
            }
        })?;
        let imports = component.component_type();
        let foreign: Vec<&str> = imports
            .imports(&engine)
            .map(|(name, _)| name)
            .filter(|name| {
                let package = name.split('/').next().unwrap_or_default();
                package != "splynx:addon" && !lent().any(|lent| lent == package)
            })
            .collect();
        if !foreign.is_empty() {
            return Err(LoadError::ForeignImport(foreign.join("`, `")));
        }
        let plugin = Self {
            engine,
            component,
            limits: Limits::default(),
        };
        plugin
            .link::<Nowhere>()
            .map_err(|error| LoadError::Contract(format!("{error:#}")))?;
        Ok(plugin)
    }

    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Runs a job, as its preview or for good. The host comes back with what the run left behind, also after a crash.
    pub fn run_job<W: World + 'static>(
        &self,
        host: MockHost<W>,
        job: &str,
        preview: bool,
        options: &[Pair],
    ) -> (MockHost<W>, Ending<Outcome>) {
        let rights = if preview {
            Rights::Preview
        } else {
            Rights::Write
        };
        let options = pairs_out(options.to_vec());
        let (host, ending) = self.call(host, rights, |addon, store| {
            addon
                .splynx_addon_addon()
                .call_run_job(store, job, preview, &options)
        });
        (host, returned(ending, Outcome::from))
    }

    /// The readiness check.
    pub fn check<W: World + 'static>(
        &self,
        host: MockHost<W>,
    ) -> (MockHost<W>, Ending<Vec<Finding>>) {
        let (host, ending) = self.call(host, Rights::Check, |addon, store| {
            addon.splynx_addon_addon().call_check(store)
        });
        (
            host,
            returned(ending, |findings| {
                findings.into_iter().map(Finding::from).collect()
            }),
        )
    }

    /// Values and titles of a field.
    pub fn choices<W: World + 'static>(
        &self,
        host: MockHost<W>,
        source: &str,
    ) -> (MockHost<W>, Ending<Vec<Pair>>) {
        let (host, ending) = self.call(host, Rights::Check, |addon, store| {
            addon.splynx_addon_addon().call_choices(store, source)
        });
        (host, returned(ending, pairs_in))
    }

    /// Rows of a page.
    pub fn view<W: World + 'static>(
        &self,
        host: MockHost<W>,
        page: &str,
        query: Query,
    ) -> (MockHost<W>, Ending<Rows>) {
        let query = query.into();
        let (host, ending) = self.call(host, Rights::View, |addon, store| {
            addon.splynx_addon_addon().call_view(store, page, &query)
        });
        (host, returned(ending, Rows::from))
    }

    /// A person's act on rows of a page; answers with what to tell the person.
    pub fn act<W: World + 'static>(
        &self,
        host: MockHost<W>,
        page: &str,
        act: &str,
        rows: &[String],
        values: &[Pair],
    ) -> (MockHost<W>, Ending<String>) {
        let values = pairs_out(values.to_vec());
        let (host, ending) = self.call(host, Rights::Write, |addon, store| {
            addon
                .splynx_addon_addon()
                .call_act(store, page, act, rows, &values)
        });
        (host, returned(ending, |text| text))
    }

    /// Brings the state from an older version on; answers with the version reached.
    pub fn migrate<W: World + 'static>(
        &self,
        host: MockHost<W>,
        from_version: u32,
    ) -> (MockHost<W>, Ending<u32>) {
        let (host, ending) = self.call(host, Rights::Migrate, |addon, store| {
            addon.splynx_addon_addon().call_migrate(store, from_version)
        });
        (host, returned(ending, |version| version))
    }

    fn link<W: World + 'static>(&self) -> wasmtime::Result<SyncAddonPre<State<W>>> {
        let mut linker = Linker::<State<W>>::new(&self.engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        SyncAddon::add_to_linker::<_, HasSelf<MockHost<W>>>(&mut linker, |state| &mut state.host)?;
        no_http::lend(&mut linker, &self.component)?;
        SyncAddonPre::new(linker.instantiate_pre(&self.component)?)
    }

    fn call<W: World + 'static, T>(
        &self,
        mut host: MockHost<W>,
        rights: Rights,
        export: impl FnOnce(&SyncAddon, &mut Store<State<W>>) -> wasmtime::Result<T>,
    ) -> (MockHost<W>, Result<T, Crash>) {
        host.begin(rights);
        let stderr = MemoryOutputPipe::new(64 << 10);
        let mut store = Store::new(&self.engine, self.state(host, stderr.clone()));
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(self.limits.bytes_per_call);
        let result = store
            .set_fuel(self.limits.fuel)
            .and_then(|()| self.link()?.instantiate(&mut store))
            .and_then(|addon| export(&addon, &mut store));
        let result = result.map_err(|error| crash(&error, &stderr.contents()));
        (store.into_data().host, result)
    }

    fn state<W: World>(&self, mut host: MockHost<W>, stderr: MemoryOutputPipe) -> State<W> {
        let clock = StoppedClock(Duration::from_secs(host.world.now()));
        let random = || Deterministic::new((0..=255).collect());
        let wasi = WasiCtxBuilder::new()
            .stderr(stderr)
            .wall_clock(clock)
            .monotonic_clock(clock)
            .secure_random(random())
            .insecure_random(random())
            .insecure_random_seed(0)
            .build();
        let limits = StoreLimitsBuilder::new()
            .memory_size(self.limits.memory_bytes)
            .trap_on_grow_failure(true)
            .build();
        State {
            host,
            wasi,
            table: ResourceTable::new(),
            limits,
        }
    }
}

fn all_lent() -> String {
    lent().collect::<Vec<_>>().join(", ")
}

fn lent() -> impl Iterator<Item = &'static str> {
    WASI.lines().filter(|line| !line.starts_with('#'))
}

fn returned<G, T>(
    ending: Result<Result<G, types::Failure>, Crash>,
    convert: impl FnOnce(G) -> T,
) -> Ending<T> {
    ending.map(|answer| answer.map(convert).map_err(Failure::from))
}

fn crash(error: &wasmtime::Error, stderr: &[u8]) -> Crash {
    if let Some(death) = error.downcast_ref::<Death>() {
        return Crash::Death(*death);
    }
    if error.downcast_ref::<Trap>() == Some(&Trap::OutOfFuel) {
        return Crash::OutOfFuel;
    }
    // A guest that panics says why on its stderr, and then runs into an `unreachable` instruction.
    let panic = String::from_utf8_lossy(stderr);
    match panic.trim() {
        "" => Crash::Trap(error.root_cause().to_string()),
        panic => Crash::Trap(panic.to_owned()),
    }
}

/// What an instance can reach.
struct State<W> {
    host: MockHost<W>,
    wasi: WasiCtx,
    table: ResourceTable,
    limits: StoreLimits,
}

impl<W: World> WasiView for State<W> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// WASI's clock stands still: time is the contract's `now`.
#[derive(Clone, Copy)]
struct StoppedClock(Duration);

impl HostWallClock for StoppedClock {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

impl HostMonotonicClock for StoppedClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        // Go takes zero for a clock that is broken.
        1
    }
}

/// The world of a component that is only looked at.
struct Nowhere;

impl World for Nowhere {
    fn send(&mut self, _: Vec<Request>) -> Vec<Answer> {
        Vec::new()
    }

    fn now(&mut self) -> u64 {
        0
    }
}
