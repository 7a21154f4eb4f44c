//! `scripts/simulate`: as many simulated histories as one likes, on all cores.
//!
//! The last line is a summary. A failure prints its seed, the shortest story that fails like it, and ends the program with 1.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use simulation::history::coverage::Coverage;
use simulation::history::{self, Failed};

/// Lives simulated histories of a small provider: faults, deaths, people's edits; then healing, then the oracles.
#[derive(Debug, Parser)]
#[command(name = "simulate")]
struct Options {
    /// How many histories.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The seed of the first one; the others follow it.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// How many at a time; as many as there are cores unless given.
    #[arg(long)]
    jobs: Option<usize>,
    /// Live each seed twice, and compare what happened to the last byte.
    #[arg(long)]
    twice: bool,
    /// How many failures to wait for before giving up.
    #[arg(long, default_value_t = 1)]
    failures: usize,
    /// Tell every step and request of the histories.
    #[arg(short, long)]
    verbose: bool,
    /// Do not look for the shortest story of a failure.
    #[arg(long)]
    no_shrink: bool,
}

/// What all workers share.
struct Work {
    next: AtomicU64,
    last: u64,
    most: usize,
    coverage: Mutex<Coverage>,
    failed: Mutex<BTreeMap<u64, Failed>>,
    bar: ProgressBar,
}

fn main() -> ExitCode {
    let options = Options::parse();
    // What the add-on panics about is in the failure.
    std::panic::set_hook(Box::new(|_| {}));
    let began = Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let work = Work {
        next: AtomicU64::new(options.first),
        last: options.first.saturating_add(options.seeds),
        most: options.failures,
        coverage: Mutex::default(),
        failed: Mutex::default(),
        bar: bar(options.seeds),
    };
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.unwrap_or(cores).max(1) {
            scope.spawn(|| labour(&work, &options));
        }
    });
    work.bar.finish_and_clear();
    let failed = work.failed.into_inner().unwrap_or_default();
    let coverage = work.coverage.into_inner().unwrap_or_default();
    match report(&options, &coverage, &failed, began) {
        Ok(()) if failed.is_empty() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn bar(seeds: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{wide_bar} {pos} of {len} histories, {per_sec}, {eta} left");
    ProgressBar::new(seeds).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn labour(work: &Work, options: &Options) {
    loop {
        let seed = work.next.fetch_add(1, Ordering::Relaxed);
        let enough = work
            .failed
            .lock()
            .is_ok_and(|failed| failed.len() >= work.most);
        if seed >= work.last || enough {
            return;
        }
        match one(seed, options) {
            Ok(coverage) => {
                if let Ok(mut all) = work.coverage.lock() {
                    all.add(&coverage);
                }
            }
            Err(failed) => {
                if let Ok(mut all) = work.failed.lock() {
                    all.insert(seed, failed);
                }
            }
        }
        work.bar.inc(1);
    }
}

fn one(seed: u64, options: &Options) -> Result<Coverage, Failed> {
    if options.verbose {
        let (result, story) = history::story(seed);
        let mut out = io::stdout().lock();
        for line in story {
            // A closed pipe is no failure of the history's.
            if writeln!(out, "{line}").is_err() {
                break;
            }
        }
        return result.map(|report| report.coverage);
    }
    if options.twice {
        return history::twice(seed).map(|report| report.coverage);
    }
    history::run(seed).map(|report| report.coverage)
}

/// What only reads, and what the add-on's store holds besides its records, is for `-v`.
fn matters(line: &str) -> bool {
    let is_read = ["    GET ", "    HEAD ", "    POST TaxInvoice/Calculate "];
    let is_told = line.starts_with(' ')
        || line.starts_with("seed")
        || line.starts_with("20")
        || line.starts_with("heal")
        || line.starts_with("the store");
    !is_read.iter().any(|read| line.starts_with(read))
        && (is_told || line.starts_with("record ") || line.starts_with("line "))
}

fn report(
    options: &Options,
    coverage: &Coverage,
    failed: &BTreeMap<u64, Failed>,
    began: Instant,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (seed, failed) in failed {
        writeln!(out, "{failed}")?;
        if !options.no_shrink
            && let Some((short, story)) = history::shrunk(*seed)
        {
            writeln!(out, "the shortest story that fails so ({}):", short.what)?;
            for line in story.iter().filter(|line| matters(line)) {
                writeln!(out, "  {}", line.chars().take(400).collect::<String>())?;
            }
        }
    }
    write!(out, "{coverage}")?;
    let seconds = began.elapsed().as_secs_f64();
    let faults: u64 = coverage
        .counts
        .get("faults")
        .map_or(0, |faults| faults.values().sum());
    writeln!(
        out,
        "{} histories from seed {}: {} runs, {} requests, {} deaths, {faults} faults, {} failures, {seconds:.1} s ({:.0} a second)",
        coverage.histories + failed.len() as u64,
        options.first,
        coverage.runs,
        coverage.requests,
        coverage.deaths,
        failed.len(),
        coverage.histories as f64 / seconds,
    )
}
