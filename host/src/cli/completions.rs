//! `addon-host completions` and `addon-host manual`: made from the commands as they are parsed, so that they cannot lag behind.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use clap_complete::Shell;

/// Prints the completions of a shell
#[derive(Args)]
pub struct Completions {
    /// The shell that reads them
    shell: Shell,
}

impl Completions {
    pub fn execute(self, mut commands: Command) -> Result<ExitCode> {
        let name = commands.get_name().to_owned();
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut commands, name, &mut text);
        std::io::stdout().write_all(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the manual pages, one for each command, into a folder
#[derive(Args)]
pub struct Manual {
    folder: PathBuf,
}

impl Manual {
    pub fn execute(self, commands: Command) -> Result<ExitCode> {
        let folder = self.folder.display();
        std::fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(commands, &self.folder))
            .with_context(|| format!("the manual pages cannot be written to {folder}"))?;
        Ok(ExitCode::SUCCESS)
    }
}
