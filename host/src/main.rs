//! The program `addon-host`. Everything it does is in the library; the command line is its rim.

mod cli;

use std::path::PathBuf;
use std::process::ExitCode;

use addon_host::runs::{COMPILE, compile_one, compile_with};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    if let Some((COMPILE, limits)) = arguments
        .split_first()
        .map(|(first, limits)| (first.as_str(), limits))
    {
        return compile_one(limits);
    }
    if let Some(program) = this_program() {
        compile_with(program);
    }
    cli::main()
}

/// On Linux also where an update has put another file in its place since.
fn this_program() -> Option<PathBuf> {
    if cfg!(target_os = "linux") {
        return Some(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe().ok()
}
