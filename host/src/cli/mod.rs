//! The command line: one file for each command. It parses, calls the library, and prints for people or, with `--json`, for
//! programs. Nothing is decided here that the web pages would have to decide again.
//!
//! Results go to standard output, everything else (progress, warnings, errors) to standard error.

mod addon;
mod alerts;
mod backup;
mod changes;
mod check;
mod choices;
mod completions;
mod connection;
mod context;
mod files;
mod hooks;
mod installation;
mod limits;
mod log;
mod logging;
mod master_key;
mod outbox;
mod output;
mod page;
mod person;
mod progress;
mod question;
mod quickstart;
mod report;
mod restore;
mod run;
mod runs;
mod secret_input;
mod serve;
mod service_manager;
mod session;
mod settings;
mod stop;
mod support;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use context::Context;
use logging::LogFormat;

/// Runs add-ons in a sandbox and lends them HTTP, storage and a schedule.
#[derive(Parser)]
#[command(name = "addon-host", version, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// Folder of the database and the master key [default: the platform's data folder]
    #[arg(long, global = true, value_name = "DIR", env = "ADDON_HOST_DATA")]
    data: Option<PathBuf>,
    /// Address of the database [default: SQLite in the data folder]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "ADDON_HOST_DATABASE",
        hide_env_values = true
    )]
    database: Option<String>,
    /// File of the master key [default: what systemd lends as `addon-host-master-key`, or master.key in the data folder]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "ADDON_HOST_MASTER_KEY_FILE"
    )]
    master_key_file: Option<PathBuf>,
    /// Seconds after which another host may go on with the work of one that died; the same for all hosts on a database
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "SECONDS",
        env = "ADDON_HOST_LEASE_SECONDS",
        default_value_t = addon_host::store::LEASE_SECONDS.unsigned_abs(),
        value_parser = clap::value_parser!(u64).range(3..=3600)
    )]
    lease_seconds: u64,
    /// Prints JSON
    #[arg(long, global = true)]
    json: bool,
    /// What the log on standard error looks like
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        env = "ADDON_HOST_LOG_FORMAT",
        default_value = "text"
    )]
    log_format: LogFormat,
    /// Tells more about what is done
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the scheduler and the admin pages until Ctrl-C
    Serve(serve::Serve),
    Quickstart(Box<quickstart::Quickstart>),
    /// Packs, inspects, installs and removes add-ons
    Addon {
        #[command(subcommand)]
        command: addon::Addon,
    },
    /// Makes, lists and removes installations: one add-on with one configuration
    Installation {
        #[command(subcommand)]
        command: installation::Installation,
    },
    /// Shows or changes the settings of an installation
    Settings(settings::Settings),
    /// Shows what settings and mappings can be set to
    Choices(choices::Choices),
    /// Says whether an installation is ready for its jobs
    Check(check::Check),
    /// Runs a job now: exit code 0 finished, 3 paused, 4 stopped, 1 failed
    Run(run::Run),
    /// Stops a job: one that works, or one that waits to go on after a pause
    Stop(stop::Stop),
    /// Shows what happened to records
    Log(log::Log),
    /// Shows records that wait or are held, and decides about them
    Outbox(outbox::Outbox),
    /// Shows the rows of one of the add-on's pages
    Page(page::Page),
    /// Does something with rows of a page
    Act(page::Act),
    /// Shows the rows of a report that a run left behind
    Report(report::Report),
    /// Shows the runs of an installation, the newest first
    Runs(runs::Runs),
    Support(support::Support),
    Person(person::Person),
    /// Shows the web hooks of an installation: addresses, and what came lately
    Hooks(hooks::Hooks),
    /// Shows or changes the terms of a connection
    Connection(connection::Connection),
    /// Shows or changes what an installation's add-on may use up
    Limits(limits::LimitsOf),
    /// Says who is told of failures, silence and held records: by mail, or a web hook
    Alerts {
        #[command(subcommand)]
        command: alerts::Alerts,
    },
    /// Shows who changed what of this host: people, add-ons, installations, terms, limits, alerts, keys
    Changes(changes::Changes),
    Backup(backup::Backup),
    Restore(restore::Restore),
    CheckDatabase(backup::CheckDatabase),
    /// Looks after the master key, which all stored passwords and keys are sealed with
    MasterKey {
        #[command(subcommand)]
        command: master_key::MasterKey,
    },
    /// Lists and ends sessions of the admin pages
    Session {
        #[command(subcommand)]
        command: session::Session,
    },
    /// Makes, lists and removes accounts for the admin pages
    User {
        #[command(subcommand)]
        command: user::User,
    },
    Completions(completions::Completions),
    #[command(hide = true)]
    Manual(completions::Manual),
}

pub fn main() -> ExitCode {
    let Arguments { global, command } = Arguments::parse();
    logging::start(global.log_format, level(&command, global.verbose));
    let json = global.json;
    let fail = |error: &anyhow::Error| fail(error, json);
    let context = match Context::new(global) {
        Ok(context) => context,
        Err(error) => return fail(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let answer = runtime.block_on(async {
        let answer = match command {
            Command::Serve(serve) => serve.execute(&context).await,
            Command::Quickstart(quickstart) => quickstart.execute(&context).await,
            Command::Addon { command } => command.execute(&context).await,
            Command::Installation { command } => command.execute(&context).await,
            Command::Settings(settings) => settings.execute(&context).await,
            Command::Choices(choices) => choices.execute(&context).await,
            Command::Check(check) => check.execute(&context).await,
            Command::Run(run) => run.execute(&context).await,
            Command::Stop(stop) => stop.execute(&context).await,
            Command::Log(log) => log.execute(&context).await,
            Command::Outbox(outbox) => outbox.execute(&context).await,
            Command::Page(page) => page.execute(&context).await,
            Command::Act(act) => act.execute(&context).await,
            Command::Report(report) => report.execute(&context).await,
            Command::Runs(runs) => runs.execute(&context).await,
            Command::Person(person) => person.execute(&context).await,
            Command::Support(support) => support.execute(&context).await,
            Command::Hooks(hooks) => hooks.execute(&context).await,
            Command::Connection(connection) => connection.execute(&context).await,
            Command::Limits(limits) => limits.execute(&context).await,
            Command::Alerts { command } => command.execute(&context).await,
            Command::Changes(command) => command.execute(&context).await,
            Command::Backup(backup) => backup.execute(&context).await,
            Command::Restore(restore) => restore.execute(&context).await,
            Command::CheckDatabase(check) => check.execute(&context).await,
            Command::MasterKey { command } => command.execute(&context).await,
            Command::Session { command } => command.execute(&context).await,
            Command::User { command } => command.execute(&context).await,
            Command::Completions(completions) => completions.execute(Arguments::command()),
            Command::Manual(manual) => manual.execute(Arguments::command()),
        };
        context.close().await;
        answer
    });
    answer.unwrap_or_else(|error| fail(&error))
}

/// Tells why a command failed: on standard error, where results are JSON as JSON too.
fn fail(error: &anyhow::Error, json: bool) -> ExitCode {
    let told = format!("{error:#}");
    if json {
        eprintln!("{}", serde_json::json!({ "error": told }));
        return ExitCode::FAILURE;
    }
    // What an add-on told may be in it. Lists of problems have a line each.
    let lines: Vec<String> = told.lines().map(output::printable).collect();
    eprintln!("error: {}", lines.join("\n"));
    ExitCode::FAILURE
}

/// What is logged where nobody says otherwise.
fn level(command: &Command, verbose: u8) -> &'static str {
    match (command, verbose) {
        (Command::Serve(_) | Command::Quickstart(_), 0) => "warn,addon_host=info",
        (_, 0) => "warn",
        (_, 1) => "warn,addon_host=debug",
        _ => "debug",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever asks for help is told of each argument what it is.
    #[test]
    fn every_argument_has_a_text() {
        fn look(command: &clap::Command, path: &str, mute: &mut Vec<String>) {
            let path = format!("{path} {}", command.get_name());
            let arguments = command
                .get_arguments()
                .filter(|argument| !argument.is_hide_set());
            for argument in arguments.filter(|argument| argument.get_help().is_none()) {
                mute.push(format!("{path}: {}", argument.get_id()));
            }
            for command in command
                .get_subcommands()
                .filter(|command| !command.is_hide_set())
            {
                look(command, &path, mute);
            }
        }
        let mut mute = Vec::new();
        look(&Arguments::command(), "", &mut mute);
        assert_eq!(mute, [""; 0]);
    }
}
