//! `mock-host`: runs an add-on's component by a script, with no network, and prints what it did as JSON.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use mock_host::component::Plugin;
use mock_host::rules::recording;
use mock_host::script::{Recording, Script};

/// Runs an add-on with no network.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a job by a script. Exits with 1 where an expectation is not met, with 2 where nothing could be run.
    Run {
        /// The built component.
        plugin: PathBuf,
        /// A job of its manifest.
        job: String,
        /// What the run finds, and what is expected of it.
        #[arg(long, value_name = "FILE")]
        script: PathBuf,
        /// Runs the job's preview.
        #[arg(long)]
        preview: bool,
        /// Writes requests and answers to a file that scripts can `replay`.
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Command::Run {
        plugin,
        job,
        script,
        preview,
        record,
    } = Arguments::parse().command;
    match run(&plugin, &job, &script, preview, record.as_deref()) {
        Ok(unmet) if unmet.is_empty() => ExitCode::SUCCESS,
        Ok(unmet) => {
            for expectation in unmet {
                eprintln!("mock-host: {expectation}");
            }
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("mock-host: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Answers with the expectations that were not met.
fn run(
    plugin: &Path,
    job: &str,
    script: &Path,
    preview: bool,
    record: Option<&Path>,
) -> anyhow::Result<Vec<String>> {
    let script = Script::read(script)?;
    let shown = plugin.display();
    let plugin = Plugin::load(plugin).with_context(|| format!("{shown} cannot be run"))?;
    let run = plugin.run_script(&script, job, preview)?;
    writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&run)?)?;
    if let Some(file) = record {
        let recording = serde_json::to_string_pretty(&Recording {
            http: recording(&run.steps),
        })?;
        std::fs::write(file, recording + "\n")
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(run.unmet)
}
