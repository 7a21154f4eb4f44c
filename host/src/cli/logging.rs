//! The host's own log, to standard error so that results can be piped: for people, for the journal, or a JSON object a line for collectors.
//!
//! The journal keeps the time itself and wants the severity as a number in front; both are done where standard error is the journal, not
//! where systemd merely is about.

use std::fmt;
use std::io::IsTerminal;

use clap::ValueEnum;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

#[derive(Clone, Copy, ValueEnum)]
pub enum LogFormat {
    /// A line each; in systemd's journal with its severities
    Text,
    /// A JSON object a line
    Json,
}

/// Begins to log what `level` lets through; `RUST_LOG` overrides.
pub fn start(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Json => log.json().init(),
        LogFormat::Text if goes_to_the_journal() => log.event_format(Journal::default()).init(),
        LogFormat::Text => log.init(),
    }
}

/// The usual line, less its time and level, behind what the journal takes as its severity.
struct Journal(Format<Full, ()>);

impl Default for Journal {
    fn default() -> Self {
        Self(Format::default().without_time().with_level(false))
    }
}

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let severity = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{severity}>")?;
        self.0.format_event(context, writer, event)
    }
}

/// As systemd tells it: by the device and the file that it connected.
#[cfg(unix)]
fn goes_to_the_journal() -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let Ok(told) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let own = std::io::stderr().as_fd().try_clone_to_owned();
    own.and_then(|stderr| std::fs::File::from(stderr).metadata())
        .is_ok_and(|stderr| told == format!("{}:{}", stderr.dev(), stderr.ino()))
}

#[cfg(windows)]
fn goes_to_the_journal() -> bool {
    false
}
