//! One call of one export on a fresh instance, and what it means when the call does not return.
//!
//! An instance is thrown away after its call, whatever came of it: state that should outlive a call is in the store. Making
//! one takes far less than a millisecond.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wasmtime::component::ResourceTable;
use wasmtime::{Store, Trap};
use wasmtime_wasi::WasiCtxBuilder;

use super::bindings::{SyncAddon, SyncAddonPre, exported, pairs_out, run, types};
use super::engine::{LargeTable, Memory, OutOfMemory, Runtime};
use super::guest::{Guest, GuestContext, TooManyCalls};
use super::limits::Limits;
use super::output::{Output, cause};
use super::words::{self, Room, Words};
use addon_store::{Failure, Outcome, ReportRow, RunState};
use addon_traffic::redact::Redactor;

/// Resources that a guest may hold; it needs a handful, for its standard error.
const MOST_RESOURCES: usize = 100;

/// The export did not return.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Crash {
    #[error(
        "The add-on computed for more than {seconds} s and was ended. Please tell its makers, or raise the limit `cpu-seconds`."
    )]
    Computing { seconds: u64 },
    #[error(
        "The add-on wanted more than {mebibytes} MiB of memory and was ended. Please tell its makers, or raise the limit `memory-mib`."
    )]
    Memory { mebibytes: usize },
    #[error(
        "The add-on wanted a table of more than {most} entries and was ended. Please tell its makers, or raise the limit `table-entries`."
    )]
    Table { most: usize },
    #[error(
        "The add-on called its host more than {most} times and was ended. Please tell its makers, or raise the limit `calls`."
    )]
    Calls { most: u64 },
    #[error(
        "The add-on handed over more than {mebibytes} MiB at once and was ended. Please tell its makers, or raise the limit `call-mib`."
    )]
    Handed { mebibytes: usize },
    /// A panic's text, or what the runtime says.
    #[error("The add-on broke down: {0}")]
    Trap(String),
}

impl From<Crash> for Failure {
    fn from(crash: Crash) -> Self {
        let code = match crash {
            Crash::Computing { .. } => "cpu-limit",
            Crash::Memory { .. } => "memory-limit",
            Crash::Table { .. } => "table-limit",
            Crash::Calls { .. } => "calls-limit",
            Crash::Handed { .. } => "call-limit",
            Crash::Trap(_) => "crashed",
        };
        Self::new(code, crash.to_string())
    }
}

/// What an export answered; a crash counts as a failure.
pub type Answered<T> = Result<T, Failure>;

/// One finding of the readiness check (`addon.wit`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub code: String,
    /// `error`, `warning`, `ok`
    pub severity: String,
    pub message: String,
    pub cure: String,
    /// The setting or mapping that it is about, or empty.
    pub field: String,
    pub more: Vec<(String, String)>,
}

/// Which rows of a page (`addon.wit`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pub search: String,
    pub filters: Vec<(String, String)>,
    pub sort: String,
    pub after: String,
    pub limit: u32,
}

/// Rows of a page; `next` is the `after` of the next page, or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    pub rows: Vec<ReportRow>,
    pub next: String,
    pub more: Vec<(String, String)>,
}

/// A fresh instance, good for one call.
pub struct Instance {
    addon: SyncAddon,
    store: Store<Guest>,
    desk: Arc<GuestContext>,
    said: Said,
    limits: Limits,
}

/// What it writes to standard output and standard error.
#[derive(Clone, Default)]
struct Said {
    stdout: Output,
    stderr: Output,
}

impl Instance {
    pub async fn new(
        runtime: &Runtime,
        addon: &SyncAddonPre<Guest>,
        desk: Arc<GuestContext>,
        limits: &Limits,
    ) -> Result<Self, Failure> {
        let said = Said::default();
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(MOST_RESOURCES);
        let wasi = WasiCtxBuilder::new()
            .stdout(said.stdout.clone())
            .stderr(said.stderr.clone())
            // What lists lend for languages that ask for them leads nowhere.
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let guest = Guest {
            desk: desk.clone(),
            memory: Memory::new(limits),
            wasi,
            resources,
        };
        let mut store = runtime.store(guest, limits);
        match addon.instantiate_async(&mut store).await {
            Ok(addon) => Ok(Self {
                addon,
                store,
                desk,
                said,
                limits: limits.clone(),
            }),
            Err(error) => Err(ended(&error, &desk, &said, limits)),
        }
    }

    pub async fn check(mut self) -> Answered<Vec<Finding>> {
        let result = self
            .addon
            .splynx_addon_addon()
            .call_check(&mut self.store)
            .await;
        let mut words = Words::new(Room::Findings);
        let findings = self.answered(result)?.into_iter();
        let findings = findings.map(|one| finding(one, &mut words)).collect();
        words.enough(findings)
    }

    pub async fn run_job(
        mut self,
        job: &str,
        preview: bool,
        options: &[(String, String)],
    ) -> Answered<Outcome> {
        let options = pairs_out(options.to_vec());
        let addon = self.addon.splynx_addon_addon();
        let result = addon
            .call_run_job(&mut self.store, job, preview, &options)
            .await;
        outcome(self.answered(result)?)
    }

    pub async fn choices(mut self, source: &str) -> Answered<Vec<(String, String)>> {
        let result = self
            .addon
            .splynx_addon_addon()
            .call_choices(&mut self.store, source)
            .await;
        let mut words = Words::new(Room::Choices);
        let choices = words.pairs(self.answered(result)?);
        words.enough(choices)
    }

    pub async fn view(mut self, page: &str, query: &Query) -> Answered<Rows> {
        let Query {
            search,
            filters,
            sort,
            after,
            limit,
        } = query.clone();
        let query = exported::Query {
            search,
            filters: pairs_out(filters),
            sort,
            after,
            limit,
        };
        let result = self
            .addon
            .splynx_addon_addon()
            .call_view(&mut self.store, page, &query)
            .await;
        let exported::Rows { rows, next, more } = self.answered(result)?;
        let mut words = Words::new(Room::Rows);
        let rows = Rows {
            rows: rows.into_iter().map(|one| row(one, &mut words)).collect(),
            next: words.name(next),
            more: words.pairs(more),
        };
        words.enough(rows)
    }

    pub async fn act(
        mut self,
        page: &str,
        act: &str,
        rows: &[String],
        values: &[(String, String)],
    ) -> Answered<String> {
        let values = pairs_out(values.to_vec());
        let addon = self.addon.splynx_addon_addon();
        let result = addon
            .call_act(&mut self.store, page, act, rows, &values)
            .await;
        Ok(Words::new(Room::Outcome).text(self.answered(result)?))
    }

    pub async fn migrate(mut self, from_version: u32) -> Answered<u32> {
        let result = self
            .addon
            .splynx_addon_addon()
            .call_migrate(&mut self.store, from_version)
            .await;
        self.answered(result)
    }

    fn answered<T>(&self, result: wasmtime::Result<Result<T, types::Failure>>) -> Answered<T> {
        match result {
            Ok(answer) => {
                self.said.log(&self.desk, "info");
                answer.map_err(words::failure)
            }
            Err(error) => Err(ended(&error, &self.desk, &self.said, &self.limits)),
        }
    }
}

impl Said {
    /// Everything goes to the run's log; answers what stood on standard error, which is of this level.
    fn log(&self, desk: &GuestContext, level: &str) -> String {
        let redactor = desk.caller.access.redactor();
        let [stdout, stderr] =
            [&self.stdout, &self.stderr].map(|output| redactor.clean(output.text()).into_owned());
        let lines = stdout.lines().map(|line| ("info", line));
        for (level, line) in lines.chain(stderr.lines().map(|line| (level, line))) {
            desk.journal.log(level, line, desk.clock.now());
        }
        stderr
    }
}

/// What it said goes to the run's log, and what happened is the failure.
fn ended(error: &wasmtime::Error, desk: &GuestContext, said: &Said, limits: &Limits) -> Failure {
    let panic = said.log(desk, "error");
    crash(error, &panic, limits, desk.caller.access.redactor()).into()
}

fn crash(error: &wasmtime::Error, panic: &str, limits: &Limits, redactor: &Redactor) -> Crash {
    if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        return Crash::Computing {
            seconds: limits.cpu.as_secs(),
        };
    }
    if error.chain().any(|cause| cause.is::<OutOfMemory>()) {
        return Crash::Memory {
            mebibytes: limits.memory_bytes >> 20,
        };
    }
    if error.chain().any(|cause| cause.is::<LargeTable>()) {
        return Crash::Table {
            most: limits.table_entries,
        };
    }
    if error.chain().any(|cause| cause.is::<TooManyCalls>()) {
        return Crash::Calls { most: limits.calls };
    }
    let root = error.root_cause().to_string();
    // The runtime has no type for it.
    if root.contains("fuel allocated for hostcalls") {
        return Crash::Handed {
            mebibytes: limits.bytes_per_call >> 20,
        };
    }
    match cause(panic) {
        Some(message) => Crash::Trap(message.to_owned()),
        None => Crash::Trap(redactor.clean(root).into_owned()),
    }
}

fn finding(finding: exported::Finding, words: &mut Words) -> Finding {
    let exported::Finding {
        code,
        severity,
        message,
        cure,
        field,
        more,
    } = finding;
    Finding {
        code: words.name(code),
        severity: words.name(severity),
        message: words.text(message),
        cure: words.text(cure),
        field: words.name(field),
        more: words.pairs(more),
    }
}

/// A row as it is kept.
pub(super) fn row(row: run::Row, words: &mut Words) -> ReportRow {
    let run::Row { id, cells, more } = row;
    ReportRow {
        id: words.name(id),
        cells: cells.into_iter().map(|cell| words.text(cell)).collect(),
        more: words.pairs(more),
    }
}

fn outcome(outcome: exported::Outcome) -> Answered<Outcome> {
    let exported::Outcome {
        state,
        resume_at,
        why,
        counts,
        more,
    } = outcome;
    let mut words = Words::new(Room::Outcome);
    let state = match words.name(state).as_str() {
        "finished" => RunState::Finished,
        "stopped" => RunState::Stopped,
        "paused" => RunState::Paused,
        // A state of a later contract: what it means for the next run cannot be known.
        unknown => {
            let message = format!(
                "The add-on ended in a state that this host does not know: `{}`.",
                unknown.escape_debug()
            );
            return Err(Failure::new("unknown-state", message));
        }
    };
    let counts = counts.into_iter();
    let outcome = Outcome {
        state,
        resume_at,
        why: why.map(words::failure),
        counts: counts
            .map(|(name, count)| (words.name(name), count))
            .collect(),
        more: words.pairs(more),
    };
    words.enough(outcome)
}
