//! The program `addon-host`. Everything it does is in the library; the command line is its rim.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
