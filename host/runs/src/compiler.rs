//! Components are compiled in a process of their own, which may use so much time and memory and no more: the compiler is a large program,
//! how long it takes depends on the shape of what it is given, and that is somebody else's. Nothing else waits for it, and its end by a
//! limit ends nothing else.
//!
//! Where this library is used by another program than `addon-host`, as in tests, it compiles in place.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::OnceLock;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::audit::{self, AuditError};
use super::compiled;
use super::engine;

/// The argument by which the program is told to compile what comes in, and nothing else.
pub const COMPILE: &str = "compile-component";

/// Of computing, over all its threads. An interpreter of Python takes a minute.
const MOST_SECONDS: u64 = 300;

/// Of memory; the same takes one and a half thousand.
const MOST_MIB: u64 = 3072;

/// By how much it stands back where the machine is busy.
#[cfg(unix)]
const NICE: i32 = 10;

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// From now on components are compiled by this program, which calls [`compile_one`] where [`COMPILE`] is its first argument.
pub fn compile_with(program: PathBuf) {
    // Said once, when the program starts.
    let _ = PROGRAM.set(program);
}

/// Validates and compiles a component. Takes long: it belongs on a thread of its own.
pub(super) fn compile(engine: &Engine, bytes: &[u8]) -> Result<Component, AuditError> {
    let Some(program) = PROGRAM.get() else {
        return audit::compile(engine, bytes);
    };
    let limits = [MOST_SECONDS.to_string(), MOST_MIB.to_string()];
    let started = Command::new(program)
        .arg(COMPILE)
        .args(limits)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let failed = |error: io::Error| AuditError::NoCompiler(error.to_string());
    let mut child = started.map_err(failed)?;
    if let Some(mut input) = child.stdin.take()
        && let Err(error) = input.write_all(bytes)
    {
        // Its own words say more.
        tracing::debug!(%error, "the compiler did not take the component");
    }
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().map_err(failed)?;
    match status.code() {
        Some(0) => compiled::loaded(engine, &stdout)
            .map_err(|error| AuditError::NoCompiler(format!("{error:#}"))),
        Some(_) => {
            let told = String::from_utf8_lossy(&stderr);
            Err(AuditError::Invalid(told.trim().to_owned()))
        }
        // By a signal: a limit's, or for want of memory.
        None => Err(AuditError::TooMuch {
            seconds: MOST_SECONDS,
            mebibytes: MOST_MIB,
        }),
    }
}

/// What the program does for [`compile`]: compiles what comes in. `limits`: seconds of computing, and MiB of memory.
pub fn compile_one(limits: &[String]) -> ExitCode {
    match try_compile_one(limits) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn try_compile_one(limits: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [seconds, mebibytes] = limits else {
        return Err("this is for the host itself".into());
    };
    stay_within(seconds.parse()?, mebibytes.parse()?)?;
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    let engine = Engine::new(&engine::config())?;
    let code = engine.precompile_component(&bytes);
    let code = code.map_err(|error| format!("{error:#}"))?;
    io::stdout().write_all(&code)?;
    Ok(())
}

#[cfg(unix)]
fn stay_within(seconds: u64, mebibytes: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, nice, setrlimit};
    let most = |value| Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    setrlimit(Resource::Cpu, most(seconds))?;
    setrlimit(Resource::Data, most(mebibytes << 20))?;
    setrlimit(Resource::Core, most(0))?;
    let _ = nice(NICE);
    Ok(())
}

/// Other systems have no such limits.
#[cfg(not(unix))]
fn stay_within(_: u64, _: u64) -> io::Result<()> {
    Ok(())
}
