//! Simulated histories: whatever goes wrong on the way, both services end with the same books.
//!
//! More of them, and single ones step by step: `scripts/simulate`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use simulation::history::coverage::Coverage;
use simulation::history::draw::{Act, DECISIONS, JOBS};
use simulation::history::{self, Failed};
use simulation::people::Edit;
use simulation::storm::Fault;

/// Another run of the tests lives the same histories.
const FIRST: u64 = 1;
const SEEDS: u64 = 500;
/// Seeds that once failed, each with the reason.
const FOUND: &str = include_str!("../../seeds");

/// Reasons that every few hundred histories come upon.
const REASONS: [&str; 15] = [
    "customer-not-synced",
    "name-shared",
    "invoice-not-synced",
    "pairing-proposed",
    "refund",
    "unlinked",
    "partial",
    "customer-not-paired",
    "answer-lost",
    "deleted-after-sync",
    "changed-after-sync",
    "mapping-missing",
    "refused",
    "number-taken",
    "end-not-synced",
];

/// Lives histories on all cores; the failures by their seeds.
fn live(seeds: &[u64], one: fn(u64) -> Result<history::Report, Failed>) -> (Coverage, Vec<String>) {
    let next = AtomicU64::new(0);
    let all = Mutex::new((Coverage::default(), Vec::new()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let lived = one(*seed);
                    let mut all = all.lock().expect("no worker panics while it holds this");
                    match lived {
                        Ok(report) => all.0.add(&report.coverage),
                        Err(failed) => all.1.push(failed.to_string()),
                    }
                }
            });
        }
    });
    all.into_inner().expect("all workers have ended")
}

/// D1, D2, D3, D5, D6, D7, D9, D10, D11, F15, F18, F20, F27, F30, F31, F33, F34: under every fault that there is, nothing is doubled or
/// lost, nothing comes back, sums are conserved, and once faults stop everything settles and is quiet.
#[test]
fn five_hundred_histories_end_well_and_meet_everything_that_can_go_wrong() {
    let seeds: Vec<u64> = (FIRST..FIRST + SEEDS).collect();
    let (coverage, failed) = live(&seeds, history::run);
    println!("{coverage}");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let missing = [
        coverage.missing("faults", Fault::ALL.iter().map(|fault| fault.name())),
        coverage.missing("people", Edit::ALL.iter().map(|edit| edit.name())),
        coverage.missing("people", Act::PEOPLES),
        coverage.missing("jobs", JOBS),
        coverage.missing("decisions", DECISIONS),
        coverage.missing("reasons told", REASONS),
    ];
    assert_eq!(missing.concat(), [""; 0], "never met");
}

#[test]
fn histories_that_once_failed_end_well() {
    let found = FOUND.lines().filter(|line| !line.starts_with('#'));
    let seeds: Vec<u64> = found
        .filter_map(|line| line.split_whitespace().next())
        .map(|seed| seed.parse().expect("a line begins with a seed"))
        .collect();
    let (_, failed) = live(&seeds, history::run);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_seed_tells_one_story_to_the_last_byte() {
    let seeds: Vec<u64> = (0..20).map(|place| 7_000 + place).collect();
    let (_, failed) = live(&seeds, history::twice);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
