//! The capabilities that an instance has (`http.wit`, `storage.wit`, `run.wit`), bound to the one installation and call that
//! it was made for. Each function converts, calls what owns the matter, and converts back.
//!
//! Beware: whom an instance acts for stands in [`GuestContext`], which the guest cannot reach; nothing here may take it from an
//! argument. What a guest sends is untrusted text.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::bindings::{http, pairs_in, pairs_out, run, storage, types};
use super::engine::Memory;
use super::instance::row;
use super::journal::Journal;
use super::words::{LONGEST_NAME, LONGEST_TEXT, Room, Words, cut};
use crate::recordings::Tape;
use addon_manifest::Manifest;
use addon_settings::{FieldProblem, Settings, validate_fetched};
use addon_store::{
    Activity, Change, Commit, CommitError, Failure, Fence, Progress, ReportRow, RunId, Store,
};
use addon_traffic::clock::Clock;
use addon_traffic::{Caller, Connections, Request};
use addon_vault::Vault;

/// Tells a guest that its run is recorded (docs/manifest.md).
const RECORDED: &str = "recorded";
/// The level of lines that are for the recording (docs/manifest.md).
const DIGEST: &str = "digest";

/// Who stores settings that a guest fetched.
const FETCHED_BY: &str = "add-on";

/// Everything that one call into a guest works with.
pub struct GuestContext {
    pub store: Store,
    pub vault: Arc<Vault>,
    pub clock: Arc<dyn Clock>,
    pub connections: Connections,
    pub manifest: Arc<Manifest>,
    pub installation: String,
    pub settings: Mutex<Arc<Settings>>,
    pub context: Vec<(String, String)>,
    pub caller: Caller,
    /// `None`: nothing may be committed.
    pub fence: Option<Fence>,
    /// Fetched settings may be stored, also without a lease.
    pub may_fetch: bool,
    /// `None`: nobody keeps reports of this call.
    pub run: Option<RunId>,
    pub journal: Arc<Journal>,
    /// `None`: nobody keeps what this call hears.
    pub tape: Option<Arc<Tape>>,
    /// Capability calls that may still come.
    pub calls: AtomicU64,
    /// Report rows that may still come.
    pub report_rows: AtomicUsize,
    /// Entries of the activity log that may still come.
    pub activities: AtomicUsize,
    /// What the installation may keep in all.
    pub stored_bytes: u64,
}

/// The guest has called its host as often as it may.
#[derive(Debug, thiserror::Error)]
#[error("too many capability calls")]
pub struct TooManyCalls;

/// The state of an instance.
pub struct Guest {
    pub(super) desk: Arc<GuestContext>,
    pub(super) memory: Memory,
    pub(super) wasi: WasiCtx,
    pub(super) resources: ResourceTable,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.resources,
        }
    }
}

impl GuestContext {
    /// Counts a capability call.
    fn admit(&self) -> wasmtime::Result<()> {
        let one_less = |left: u64| left.checked_sub(1);
        let left = self
            .calls
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        left.map(|_| ()).map_err(|_| TooManyCalls.into())
    }

    fn settings(&self) -> Arc<Settings> {
        self.settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn store_fetched(&self, key: &str, value: &str) -> Result<(), Failure> {
        if !self.may_fetch {
            return Err(preview());
        }
        let invalid = |problem: FieldProblem| {
            let FieldProblem {
                field,
                message,
                cure,
            } = problem;
            Failure::new(
                "invalid-settings",
                format!("The setting `{field}` {message}. {cure}."),
            )
        };
        if value.len() > LONGEST_TEXT {
            let message = format!("A fetched setting has at most {LONGEST_TEXT} bytes.");
            return Err(Failure::new("limit", message));
        }
        let change = validate_fetched(&self.manifest, key, value).map_err(invalid)?;
        let has_room = self.store.has_room(&self.installation, self.stored_bytes);
        has_room.await.map_err(unkept)?;
        let sealed = change
            .seal(&self.vault, &self.installation)
            .map_err(|error| internal(&error))?;
        self.store
            .save_settings(&self.installation, &[sealed], FETCHED_BY, self.clock.now())
            .await?;
        // As the list of changes keeps it, from what and to what.
        self.store
            .count_told(&self.installation, 2 * value.len() + key.len())
            .await?;
        let loaded =
            Settings::load(&self.store, &self.vault, &self.manifest, &self.installation).await;
        let loaded = Arc::new(loaded.map_err(|error| internal(&error))?);
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    async fn report(&self, kind: &str, rows: Vec<ReportRow>) -> Result<(), Failure> {
        let spec = self.manifest.report(kind).ok_or_else(|| {
            Failure::new(
                "invalid-request",
                format!(
                    "The manifest has no report `{}`.",
                    cut(kind.to_owned(), LONGEST_NAME).escape_debug()
                ),
            )
        })?;
        if let Some(row) = rows
            .iter()
            .find(|row| row.cells.len() != spec.columns.titles.len())
        {
            let (found, wanted) = (row.cells.len(), spec.columns.titles.len());
            let message =
                format!("A row of the report `{kind}` has {found} cells; it has {wanted} columns.");
            return Err(Failure::new("invalid-request", message));
        }
        let run = self
            .run
            .ok_or_else(|| Failure::new("invalid-request", "Only runs keep reports."))?;
        let left = room(&self.report_rows, rows.len(), "report-rows")?;
        let has_room = self.store.has_room(&self.installation, self.stored_bytes);
        has_room.await.map_err(unkept)?;
        self.store.append_report(run, kind, &rows).await?;
        self.report_rows.store(left, Ordering::Relaxed);
        Ok(())
    }

    async fn commit(
        &self,
        expect: Vec<storage::Change>,
        changes: Vec<storage::Change>,
        activities: Vec<storage::Activity>,
    ) -> Result<(), Failure> {
        let fence = self.fence.as_ref().ok_or_else(preview)?;
        let changed =
            |changes: Vec<storage::Change>| changes.into_iter().map(change).collect::<Vec<_>>();
        let (expect, changes) = (changed(expect), changed(changes));
        let mut words = Words::new(Room::Records);
        let activities = activities.into_iter();
        let activities: Vec<_> = activities.map(|one| activity(one, &mut words)).collect();
        let activities = words.enough(activities)?;
        let commit = Commit {
            fence,
            expect: &expect,
            changes: &changes,
            activities: &activities,
            most_bytes: self.stored_bytes,
        };
        let left = room(&self.activities, activities.len(), "activities")?;
        let stored = self.store.guest_commit(commit, self.clock.now()).await;
        if let Some(tape) = &self.tape {
            let code = stored.as_ref().err().map(code_of);
            tape.committed(&changes, code);
        }
        if stored.is_ok() {
            self.activities.store(left, Ordering::Relaxed);
        }
        stored.map_err(unkept)
    }
}

/// What is left of a run's limit once so many are taken from it.
fn room(left: &AtomicUsize, wanted: usize, limit: &str) -> Result<usize, Failure> {
    let left = left.load(Ordering::Relaxed).checked_sub(wanted);
    left.ok_or_else(|| {
        let message = format!(
            "The run would exceed its limit `{limit}`; `addon-host limits` shows and changes it."
        );
        Failure::new("limit", message)
    })
}

/// Why something is not kept.
fn unkept(error: CommitError) -> Failure {
    let failure = Failure::new(code_of(&error), error.to_string());
    match error {
        CommitError::Conflict { table, key } => failure.with("table", table).with("key", key),
        CommitError::Store(error) => error.into(),
        CommitError::Fenced
        | CommitError::Full { .. }
        | CommitError::Disk { .. }
        | CommitError::Invalid(_) => failure,
    }
}

/// As the add-on is told.
fn code_of(error: &CommitError) -> &'static str {
    match error {
        CommitError::Conflict { .. } => "conflict",
        CommitError::Fenced => "fenced",
        CommitError::Full { .. } | CommitError::Disk { .. } => "full",
        CommitError::Invalid(_) => "invalid-request",
        CommitError::Store(_) => "internal",
    }
}

fn preview() -> Failure {
    Failure::new("preview", "Nothing is stored now: this only looks.")
}

fn internal(error: &dyn std::error::Error) -> Failure {
    tracing::error!(%error, "settings of an add-on");
    Failure::new(
        "internal",
        "The host cannot store the setting; see the host's log.",
    )
}

fn change(change: storage::Change) -> Change {
    let storage::Change { table, key, value } = change;
    Change { table, key, value }
}

fn activity(activity: storage::Activity, words: &mut Words) -> Activity {
    let storage::Activity {
        entity,
        action,
        local_id,
        remote_id,
        customer_id,
        label,
        code,
        message,
        more,
    } = activity;
    Activity {
        entity: words.name(entity),
        action: words.name(action),
        local_id: words.name(local_id),
        remote_id: words.name(remote_id),
        customer_id: words.name(customer_id),
        label: words.text(label),
        code: words.name(code),
        message: words.text(message),
        more: words.pairs(more),
    }
}

impl types::Host for Guest {}

impl http::Host for Guest {
    async fn send(
        &mut self,
        requests: Vec<http::Request>,
    ) -> wasmtime::Result<Vec<Result<http::Response, http::Unanswered>>> {
        self.desk.admit()?;
        let request = |request: http::Request| {
            let http::Request {
                connection,
                effect,
                method,
                path,
                query,
                headers,
                body,
                options,
            } = request;
            let (query, headers, options) = (pairs_in(query), pairs_in(headers), pairs_in(options));
            Request {
                connection,
                effect,
                method,
                path,
                query,
                headers,
                body,
                options,
            }
        };
        let requests: Vec<Request> = requests.into_iter().map(request).collect();
        let asked = self.desk.tape.as_ref().map(|_| requests.clone());
        let answers = self
            .desk
            .connections
            .send(&self.desk.caller, requests)
            .await;
        if let Some((tape, asked)) = self.desk.tape.as_ref().zip(asked) {
            tape.answered(asked, &answers, self.desk.clock.now());
        }
        let answer = |answer: addon_traffic::Answer| match answer {
            Ok(response) => Ok(http::Response {
                status: response.status,
                headers: pairs_out(response.headers),
                body: response.body,
            }),
            Err(unanswered) => Err(http::Unanswered {
                maybe_sent: unanswered.maybe_sent,
                reason: unanswered.reason.into(),
            }),
        };
        Ok(answers.into_iter().map(answer).collect())
    }
}

impl storage::Host for Guest {
    async fn get(
        &mut self,
        table: String,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<storage::Entry>, types::Failure>> {
        self.desk.admit()?;
        let desk = &self.desk;
        let found = desk
            .store
            .guest_get(&desk.installation, &table, &keys)
            .await;
        Ok(entries(desk.tape.as_deref(), &table, found))
    }

    async fn scan(
        &mut self,
        table: String,
        prefix: String,
        after: String,
        limit: u32,
    ) -> wasmtime::Result<Result<Vec<storage::Entry>, types::Failure>> {
        self.desk.admit()?;
        let desk = &self.desk;
        let found = desk
            .store
            .guest_scan(&desk.installation, &table, &prefix, &after, limit)
            .await;
        Ok(entries(desk.tape.as_deref(), &table, found))
    }

    async fn commit(
        &mut self,
        expect: Vec<storage::Change>,
        changes: Vec<storage::Change>,
        activities: Vec<storage::Activity>,
    ) -> wasmtime::Result<Result<(), types::Failure>> {
        self.desk.admit()?;
        Ok(self
            .desk
            .commit(expect, changes, activities)
            .await
            .map_err(Into::into))
    }
}

fn entries(
    tape: Option<&Tape>,
    table: &str,
    found: Result<Vec<addon_store::Entry>, addon_store::StoreError>,
) -> Result<Vec<storage::Entry>, types::Failure> {
    if let (Some(tape), Ok(found)) = (tape, &found) {
        tape.read(table, found);
    }
    let entry = |addon_store::Entry { key, value }| storage::Entry { key, value };
    found
        .map(|found| found.into_iter().map(entry).collect())
        .map_err(|error| Failure::from(error).into())
}

impl run::Host for Guest {
    async fn settings(&mut self) -> wasmtime::Result<Vec<types::Pair>> {
        self.desk.admit()?;
        let settings = self.desk.settings().for_guest(&self.desk.manifest);
        let settings: Vec<_> = settings.into_iter().collect();
        if let Some(tape) = &self.desk.tape {
            tape.found_settings(&settings);
        }
        Ok(pairs_out(settings))
    }

    async fn set_fetched(
        &mut self,
        key: String,
        value: String,
    ) -> wasmtime::Result<Result<(), types::Failure>> {
        self.desk.admit()?;
        Ok(self
            .desk
            .store_fetched(&key, &value)
            .await
            .map_err(Into::into))
    }

    async fn context(&mut self) -> wasmtime::Result<Vec<types::Pair>> {
        self.desk.admit()?;
        let context = self.desk.context.clone();
        if let Some(tape) = &self.desk.tape {
            tape.found_context(&context);
        }
        let recorded = self.desk.tape.as_ref().filter(|tape| tape.is_whole());
        let recorded = recorded.map(|_| (RECORDED.to_owned(), "on".to_owned()));
        Ok(pairs_out(context.into_iter().chain(recorded)))
    }

    async fn now(&mut self) -> wasmtime::Result<u64> {
        self.desk.admit()?;
        let now = self.desk.clock.now();
        if let Some(tape) = &self.desk.tape {
            tape.was_told(now);
        }
        Ok(u64::try_from(now.timestamp()).unwrap_or(0))
    }

    async fn log(&mut self, level: String, message: String) -> wasmtime::Result<()> {
        self.desk.admit()?;
        if level == DIGEST {
            if let Some(tape) = &self.desk.tape {
                tape.digested(&message);
            }
            return Ok(());
        }
        // More than is kept of it, since secrets become shorter.
        let message = cut(message, 2 * LONGEST_TEXT);
        let message = self.desk.caller.access.redactor().clean(message);
        self.desk
            .journal
            .log(&level, &message, self.desk.clock.now());
        Ok(())
    }

    async fn progress(&mut self, stage: String, done: u64, total: u64) -> wasmtime::Result<bool> {
        self.desk.admit()?;
        let stage = cut(stage, LONGEST_NAME);
        self.desk.caller.usage.note_progress(&stage, done);
        self.desk.journal.progress(Progress { stage, done, total });
        let goes_on = self.desk.caller.cancellation.reason().is_none();
        if let Some(tape) = &self.desk.tape {
            tape.progressed(goes_on);
        }
        Ok(goes_on)
    }

    async fn report(
        &mut self,
        kind: String,
        rows: Vec<run::Row>,
    ) -> wasmtime::Result<Result<(), types::Failure>> {
        self.desk.admit()?;
        let mut words = Words::new(Room::Records);
        let rows = rows.into_iter().map(|one| row(one, &mut words)).collect();
        let reported = match words.enough(rows) {
            Ok(rows) => self.desk.report(&kind, rows).await,
            Err(limit) => Err(limit),
        };
        Ok(reported.map_err(Into::into))
    }
}
