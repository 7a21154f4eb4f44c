//! What a component asks of its host, read before anything of it runs.
//!
//! A guest may import the contract in a version that this host offers, and those WASI interfaces that languages drag in, which
//! lead nowhere here: an empty context, sockets without any right, HTTP that breaks whoever calls it. Anything else is refused by
//! name. The set of WASI interfaces differs with the toolchain, so packages are listed and not interfaces.

use semver::Version;
use thiserror::Error;
use wasmparser::{BinaryReaderError, CanonicalFunction, CanonicalOption, Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::bindings::SyncAddonPre;
use super::engine::GuestLinker;
use super::guest::Guest;
use super::no_http;
use addon_manifest::{INTERFACE, INTERFACE_VERSION};

/// Packages of WASI that a guest may name; it gets nothing from them. The same list is in every host that comes with the contract.
const WASI: &str = include_str!("../../../wit/wasi.txt");

/// The interface that a host calls.
const ENTRY: &str = "addon";

#[derive(Debug, Error)]
pub enum AuditError {
    #[error("the file is not WebAssembly: build the add-on for the target wasm32-wasip2")]
    NotWasm,
    #[error(
        "the file is a WebAssembly module and not a component: build the add-on for wasm32-wasip2, or make a component of \
         it with `wasm-tools component new`"
    )]
    CoreModule,
    #[error("the component is not valid: {0}")]
    Invalid(String),
    #[error(
        "the component uses the component model's `async`, which {INTERFACE} leaves out: build it without, with jco's QuickJS by \
         --backend-qjs-disable-async, with another tool by the switch that docs/vendors.md names"
    )]
    Async,
    #[error(
        "compiling the component takes more than {seconds} s of computing or {mebibytes} MiB of memory, and was ended: build it \
         without debugging information, or of smaller functions"
    )]
    TooMuch { seconds: u64, mebibytes: u64 },
    #[error("the component could not be compiled on this machine: {0}")]
    NoCompiler(String),
    #[error(
        "the component imports `{0}`, which no add-on gets: add-ons may use {INTERFACE} and, of WASI, {lent} (none of which leads anywhere); \
         remove what needs more and build again", lent = all_lent()
    )]
    ForeignImport(String),
    #[error(
        "the component imports `{import}`, and this host offers {INTERFACE} {INTERFACE_VERSION}: update the host, or build \
         the add-on against that version"
    )]
    OtherVersion { import: String },
    #[error(
        "the component exports `{export}`, and this host calls {INTERFACE} {INTERFACE_VERSION}: update the host, or build \
         the add-on against that version"
    )]
    OtherEntry { export: String },
    #[error("the component exports no `{INTERFACE}/{ENTRY}` that this host can call")]
    NoEntry,
    #[error("the component does not fit {INTERFACE} {INTERFACE_VERSION}: {0}")]
    Misfit(String),
}

/// Reads what a component imports and exports, which takes milliseconds: whatever is refused is refused before anything is compiled.
pub fn read(bytes: &[u8]) -> Result<(), AuditError> {
    check_kind(bytes)?;
    let invalid = |error: BinaryReaderError| AuditError::Invalid(error.to_string());
    let mut entry = None;
    let mut foreign = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            // Those of the parts are theirs.
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    match check_import(import.map_err(invalid)?.name.name) {
                        Err(AuditError::ForeignImport(import)) => foreign.push(import),
                        checked => checked?,
                    }
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    if is_async(&function.map_err(invalid)?) {
                        return Err(AuditError::Async);
                    }
                }
            }
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for export in exports {
                    let name = export.map_err(invalid)?.name.name;
                    entry = entry.or_else(|| Some((name, entry_version(name)?)));
                }
            }
            _ => {}
        }
    }
    if !foreign.is_empty() {
        return Err(AuditError::ForeignImport(foreign.join("`, `")));
    }
    match entry {
        None => Err(AuditError::NoEntry),
        Some((_, version)) if is_offered(&version) => Ok(()),
        Some((export, _)) => Err(AuditError::OtherEntry {
            export: export.to_owned(),
        }),
    }
}

/// Validates and compiles a component in place. Takes long: it belongs on a thread of its own.
pub fn compile(engine: &Engine, bytes: &[u8]) -> Result<Component, AuditError> {
    Component::from_binary(engine, bytes).map_err(|error| AuditError::Invalid(format!("{error:#}")))
}

/// Links a component; what it answers can be instantiated any number of times.
pub fn admit(
    linker: &GuestLinker,
    component: &Component,
) -> Result<SyncAddonPre<Guest>, AuditError> {
    let misfit = |error: wasmtime::Error| AuditError::Misfit(format!("{error:#}"));
    let mut linker = linker.clone();
    no_http::lend(&mut linker, component).map_err(misfit)?;
    SyncAddonPre::new(linker.instantiate_pre(component).map_err(misfit)?).map_err(misfit)
}

/// The first eight bytes tell: the name of the format, its version, and whether it is a module or a component.
fn check_kind(bytes: &[u8]) -> Result<(), AuditError> {
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(()),
        Some([0, b'a', b's', b'm', ..]) => Err(AuditError::CoreModule),
        _ => Err(AuditError::NotWasm),
    }
}

fn all_lent() -> String {
    lent().collect::<Vec<_>>().join(", ")
}

fn lent() -> impl Iterator<Item = &'static str> {
    WASI.lines().filter(|line| !line.starts_with('#'))
}

/// Whether a function of the component's needs what the contract leaves out.
fn is_async(function: &CanonicalFunction) -> bool {
    match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => {
            let is_async = |option| matches!(option, &CanonicalOption::Async);
            options.iter().any(is_async)
        }
        CanonicalFunction::ResourceNew { .. }
        | CanonicalFunction::ResourceDrop { .. }
        | CanonicalFunction::ResourceRep { .. } => false,
        _ => true,
    }
}

fn check_import(import: &str) -> Result<(), AuditError> {
    let foreign = || AuditError::ForeignImport(import.to_owned());
    let (package, interface) = import.split_once('/').ok_or_else(foreign)?;
    if lent().any(|lent| lent == package) {
        return Ok(());
    }
    if package != INTERFACE {
        return Err(foreign());
    }
    match interface
        .split_once('@')
        .and_then(|(_, version)| Version::parse(version).ok())
    {
        Some(version) if is_offered(&version) => Ok(()),
        _ => Err(AuditError::OtherVersion {
            import: import.to_owned(),
        }),
    }
}

fn is_offered(version: &Version) -> bool {
    version.major == INTERFACE_VERSION.major && *version <= INTERFACE_VERSION
}

/// The version of the entry that an export is; `None`: it is another thing.
fn entry_version(export: &str) -> Option<Version> {
    let (package, interface) = export.split_once('/')?;
    let (name, version) = interface.split_once('@')?;
    (package == INTERFACE && name == ENTRY)
        .then(|| Version::parse(version).ok())
        .flatten()
}
