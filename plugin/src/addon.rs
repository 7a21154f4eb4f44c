//! The entry points of the contract, as functions over [`Capabilities`].

use std::cell::RefCell;

use crate::capability::{Capabilities, Failure, Pair, Row};
use crate::check::{self, COMPANY};
use crate::clocks;
use crate::collect::Map;
use crate::pages;
use crate::preview::Preview;
use crate::reconcile;
use crate::settings::SPLYNX_ADDRESS;
use crate::splynx::{CreditNote, Invoice};
use crate::sync::credit_notes::CreditNotes;
use crate::sync::customers::Customers;
use crate::sync::documents::DocumentContext;
use crate::sync::import_recovery;
use crate::sync::invoices::Invoices;
use crate::sync::lists;
use crate::sync::mapping::Mapping;
use crate::sync::orphans;
use crate::sync::pairing;
use crate::sync::pairing_file;
use crate::sync::payments_in::{self, Scope};
use crate::sync::payments_out::Payments;
use crate::sync::pipeline::{self, SyncSource};
use crate::sync::record_request::Asked;
use crate::sync::relations;
use crate::sync::same_number;
use crate::sync::sent;
use crate::sync::sweep;
use crate::sync::vat_numbers;
use crate::sync::{allocations, calibration};
use crate::write::ledger::{FIRST_ADDRESS, META, Run, RunError, RunResult};
use crate::write::record::{Batch, Kind};

pub use crate::check::{Finding, check};

/// The version of the stored state that this code reads and writes.
pub const STATE_VERSION: u32 = 1;

/// VAT numbers that a sweep reads again.
const VAT_NUMBERS: u32 = 200;

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `finished`, `stopped` or `paused`.
    pub state: &'static str,
    pub resume_at: Option<u64>,
    pub why: Option<Failure>,
    pub counts: Vec<(String, u64)>,
}

/// Runs a job of the manifest.
///
/// # Errors
/// Where nothing useful could be done: settings, credentials, an unreachable service, an answer that is not understood.
pub fn run_job(
    cap: &mut dyn Capabilities,
    job: &str,
    preview: bool,
    options: &[Pair],
) -> Result<Outcome, Failure> {
    if !preview {
        let (ended, counts) = run(cap, job, options);
        return ended.map_err(|failure| with_what_was_done(failure, &counts));
    }
    let mut preview = Preview::new(cap);
    // What a preview that fails had come to was not done.
    let mut outcome = run(&mut preview, job, options).0?;
    outcome.counts.extend(preview.finish()?);
    Ok(outcome)
}

/// How it ended, and what was counted until then.
fn run(
    cap: &mut dyn Capabilities,
    job: &str,
    options: &[Pair],
) -> (Result<Outcome, Failure>, Map<String, u64>) {
    let mut run = match Run::new(cap) {
        Ok(run) => run,
        Err(failure) => return (Err(failure), Map::new_vec()),
    };
    let ended = perform(&mut run, job, options).and_then(|why| {
        clocks::tell(&mut run)?;
        Ok(why)
    });
    let counts = run.counts;
    let (state, resume_at, why) = match ended {
        Ok(why) => (
            "finished",
            None,
            why.or(run.put_off.take()).or_else(|| as_one(run.notes)),
        ),
        Err(RunError::Stopped) => ("stopped", None, None),
        Err(RunError::Paused(why)) => ("paused", why.retry_at, Some(why)),
        Err(RunError::Failed(failure)) => return (Err(failure), counts),
    };
    let told = Outcome {
        state,
        resume_at,
        why,
        counts: counts.clone().into_iter().collect(),
    };
    (Ok(told), counts)
}

/// A run that fails may have done much before, or beside it.
fn with_what_was_done(mut failure: Failure, counts: &Map<String, u64>) -> Failure {
    let done: Vec<String> = counts
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    if !done.is_empty() {
        failure.message = format!("{} Done in this run: {}.", failure.message, done.join(", "));
    }
    failure
}

/// Several failures told as one, each text once; none where there are none.
fn as_one(failures: Vec<Failure>) -> Option<Failure> {
    let mut failures = failures.into_iter();
    let mut first = failures.next()?;
    for failure in failures {
        if !first.message.contains(&failure.message) {
            first.message = format!("{} {}", first.message, failure.message);
        }
    }
    Some(first)
}

/// The kinds of record that a job brings into step one after the other. What a service says of one path stops the kind that needs it,
/// and no other.
#[derive(Default)]
struct Kinds {
    failed: Vec<(Kind, Failure)>,
}

impl Kinds {
    fn next(&mut self, kind: Kind, ended: RunResult<()>) -> RunResult<()> {
        match ended {
            Err(RunError::Failed(why)) if why.path().is_some() => {
                self.failed.push((kind, why));
                Ok(())
            }
            ended => ended,
        }
    }

    fn has_failed(&self, kind: Kind) -> bool {
        self.failed.iter().any(|(failed, _)| *failed == kind)
    }

    fn end(self) -> RunResult<()> {
        let failures = self.failed.into_iter().map(|(_, why)| why).collect();
        as_one(failures).map_or(Ok(()), |why| Err(RunError::Failed(why)))
    }
}

/// Does the job; answers what a finished one wants people to know.
fn perform(run: &mut Run, job: &str, options: &[Pair]) -> RunResult<Option<Failure>> {
    same_company(run)?;
    same_splynx(run)?;
    match job {
        "import-mapping" => lists::import(run)?,
        "load-customers-for-pairing" => pairing::load(run)?,
        "import-pairing" => return pairing_file::import(run, options),
        "pair-same-number-invoices" => return same_number::pair::<Invoice>(run, Kind::Invoice),
        "pair-same-number-credit-notes" => {
            return same_number::pair::<CreditNote>(run, Kind::CreditNote);
        }
        "export-customers" => export(run, Kind::Customer)?,
        "export-invoices" => export(run, Kind::Invoice)?,
        "export-credit-notes" => export_all(run, &[Kind::CreditNote, Kind::Allocation])?,
        "export-payments" => export_all(run, &[Kind::Payment, Kind::Allocation])?,
        "sweep" => {
            run.brings_invoices = true;
            let mut kinds = Kinds::default();
            for kind in Kind::ALL {
                let ended = bring_into_step(run, kind, &Selection::AtAll);
                kinds.next(kind, ended)?;
            }
            kinds.end()?;
        }
        "calibrate" => {
            let mapping = Mapping::load(run)?;
            return calibration::calibrate(run, &mapping);
        }
        "reconcile" => return reconcile::reconcile(run, options),
        "import-payments" => return payments_in::import(run, Scope::New),
        "import-all-payments" => return payments_in::import(run, Scope::All),
        "sync" => return sync(run),
        "sync-records" => return sync_records(run, options),
        unknown => {
            return Err(RunError::Failed(Failure::new(
                "unknown-job",
                format!("There is no job {unknown:?}."),
            )));
        }
    }
    Ok(None)
}

/// Notes the company that the pairs are of; refuses another one.
fn same_company(run: &mut Run) -> RunResult<()> {
    let company = run.settings.company_id.clone();
    if company.is_empty() {
        return Err(RunError::Failed(check::no_company()));
    }
    if let Some(other) = check::other_company(run, &company)? {
        return Err(RunError::Failed(other));
    }
    if run.meta(COMPANY)?.is_some() {
        return Ok(());
    }
    let mut batch = Batch::default();
    batch.set(META, COMPANY, company);
    run.commit(batch)
}

/// Keeps the first address of Splynx, from which marks are derived: what was made before it is changed stays this installation's own.
fn same_splynx(run: &mut Run) -> RunResult<()> {
    let address = run.settings.value(SPLYNX_ADDRESS).to_owned();
    if address.is_empty() || run.meta(FIRST_ADDRESS)?.is_some() {
        return Ok(());
    }
    let mut batch = Batch::default();
    batch.set(META, FIRST_ADDRESS, address);
    run.commit(batch)
}

/// Which records of a kind are looked at.
#[derive(Debug)]
enum Selection {
    AtChanges,
    /// Also at what changed or vanished without a trace.
    AtAll,
    /// At these alone, and what earlier runs left open.
    At(Vec<i64>),
}

impl Selection {
    fn perform(&self, run: &mut Run, of: &dyn SyncSource) -> RunResult<()> {
        match self {
            Self::AtChanges => pipeline::sync(run, of),
            Self::AtAll => {
                sweep::sweep(run, of)?;
                sent::watch(run, of.kind())?;
                match of.kind() {
                    // Customers bear no mark.
                    Kind::Customer => Ok(()),
                    _ => orphans::tell(run, of),
                }
            }
            Self::At(ids) => pipeline::sync_these(run, of, ids),
        }
    }
}

fn export_all(run: &mut Run, of: &[Kind]) -> RunResult<()> {
    let mut kinds = Kinds::default();
    for kind in of {
        let ended = export(run, *kind);
        kinds.next(*kind, ended)?;
    }
    kinds.end()
}

fn export(run: &mut Run, kind: Kind) -> RunResult<()> {
    if kind == Kind::Customer {
        vat_numbers::notice_changes(run, 1)?;
    }
    bring_into_step(run, kind, &Selection::AtChanges)
}

fn bring_into_step(run: &mut Run, kind: Kind, selection: &Selection) -> RunResult<()> {
    match kind {
        Kind::Customer => {
            match selection {
                Selection::At(ids) => vat_numbers::forget(run, ids)?,
                Selection::AtAll => vat_numbers::notice_changes(run, VAT_NUMBERS)?,
                Selection::AtChanges => {}
            }
            let mapping = Mapping::load(run)?;
            selection.perform(run, &Customers { mapping })
        }
        Kind::Invoice => {
            let context = context(run)?;
            selection.perform(run, &Invoices { context })
        }
        Kind::CreditNote => {
            let context = context(run)?;
            selection.perform(run, &CreditNotes { context })
        }
        Kind::Payment => {
            import_recovery::recognise(run)?;
            let mapping = Mapping::load(run)?;
            let mapping = RefCell::new(mapping);
            selection.perform(run, &Payments { mapping })
        }
        // A direction without import is nothing that a sync need tell.
        Kind::Receipt => {
            payments_in::import(run, Scope::New)?;
            if matches!(selection, Selection::AtAll) {
                payments_in::watch(run)?;
            }
            Ok(())
        }
        Kind::Allocation => {
            if matches!(selection, Selection::AtAll) {
                relations::watch(run)?;
                sent::watch(run, kind)?;
            }
            allocations::sync(run)
        }
    }
}

fn context(run: &mut Run) -> RunResult<DocumentContext> {
    let mapping = Mapping::load(run)?;
    let arithmetic = calibration::before_documents(run, &mapping)?.arithmetic;
    Ok(DocumentContext {
        mapping: RefCell::new(mapping),
        arithmetic,
    })
}

/// What cron would do now, in the order of F69.
fn sync(run: &mut Run) -> RunResult<Option<Failure>> {
    let due: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| run.settings.due(*kind))
        .collect();
    if due.is_empty() {
        return Ok(Some(Failure::new(
            "nothing-due",
            "No automatic run is switched on for today. Switch some on under Settings, Automatic runs, or run the single exports.",
        )));
    }
    run.brings_invoices = due.contains(&Kind::Invoice);
    let mut kinds = Kinds::default();
    for kind in &due {
        let ended = export(run, *kind);
        kinds.next(*kind, ended)?;
    }
    sweep_once_a_day(run, &due, &mut kinds)?;
    kinds.end()?;
    Ok(None)
}

/// What an event or a person asks for, and whatever it brings along: the customer of a new document, records that waited for one of
/// these, and allocations. A kind that has nothing to do costs no request.
fn sync_records(run: &mut Run, options: &[Pair]) -> RunResult<Option<Failure>> {
    let mut asked = Asked::of(options).map_err(RunError::Failed)?;
    // A customer that is known has an event of its own where it changes.
    let customers = run.records(std::mem::take(&mut asked.customers))?;
    let unknown = customers
        .iter()
        .filter(|(_, stored)| stored.record.is_none());
    asked.records.extend(unknown.map(|(key, _)| *key));
    run.brings_invoices = run.settings.due(Kind::Invoice);
    let mut kinds = Kinds::default();
    for kind in Kind::ALL {
        let rests = asked.by_event && !run.settings.due(kind);
        // Receipts are Sage's, and Sage tells nobody of them.
        if rests || kind == Kind::Receipt {
            continue;
        }
        let ids = asked.ids(kind);
        let has_open = run.next_open(kind, &mut String::new())?.is_some();
        if kind == Kind::Allocation || has_open || !ids.is_empty() {
            let ended = bring_into_step(run, kind, &Selection::At(ids));
            kinds.next(kind, ended)?;
        }
    }
    kinds.end()?;
    Ok(None)
}

/// Not on an installation's first day: everything has just been looked at.
fn sweep_once_a_day(run: &mut Run, due: &[Kind], kinds: &mut Kinds) -> RunResult<()> {
    const KEY: &str = "swept-on";
    let today = run.settings.today.to_string();
    let before = run.meta(KEY)?;
    if before.as_ref() == Some(&today) {
        return Ok(());
    }
    if before.is_some() {
        for kind in due {
            if !kinds.has_failed(*kind) {
                let ended = bring_into_step(run, *kind, &Selection::AtAll);
                kinds.next(*kind, ended)?;
            }
        }
    }
    let mut batch = Batch::default();
    batch.set(META, KEY, today);
    run.commit(batch)
}

/// A page's rows, as people filter and page through them.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub search: String,
    /// Columns and what they must be; of the outbox: `state` and `kind`.
    pub filters: Vec<Pair>,
    pub after: String,
    pub limit: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    pub rows: Vec<Row>,
    /// Of the next page; empty: this was the last.
    pub next: String,
}

/// Rows of a page of the manifest.
///
/// # Errors
/// Where there is no such page, or the stored state cannot be read.
pub fn view(cap: &mut dyn Capabilities, page: &str, query: &Query) -> Result<Rows, Failure> {
    let mut run = Run::new(cap)?;
    match page {
        "outbox" => pages::outbox::view(&mut run, query).map_err(RunError::into_failure),
        "calibration" => calibration::view(&mut run)
            .map(|rows| Rows {
                rows,
                next: String::new(),
            })
            .map_err(RunError::into_failure),
        "figures" => reconcile::figures(&mut run).map_err(RunError::into_failure),
        "vat" => pages::vat::view(&mut run).map_err(RunError::into_failure),
        "pairing" => pages::pairing::view(&mut run, query).map_err(RunError::into_failure),
        "records" => pages::records::view(&mut run, query).map_err(RunError::into_failure),
        "statements" => pages::statements::view(&mut run, query).map_err(RunError::into_failure),
        unknown => Err(Failure::new(
            "unknown-page",
            format!("There is no page {unknown:?}."),
        )),
    }
}

/// A person's act on rows of a page; answers what to tell them.
///
/// # Errors
/// Where there is no such act, or a record is not in a state for it.
pub fn act(
    cap: &mut dyn Capabilities,
    page: &str,
    act: &str,
    rows: &[String],
    values: &[Pair],
) -> Result<String, Failure> {
    let mut run = Run::new(cap)?;
    match page {
        "outbox" => pages::outbox::act(&mut run, act, rows, values).map_err(RunError::into_failure),
        "records" => pages::outbox::take_back(&mut run, rows).map_err(RunError::into_failure),
        "pairing" => {
            pages::pairing::act(&mut run, act, rows, values).map_err(RunError::into_failure)
        }
        "statements" => {
            pages::statements::act(&mut run, act, rows, values).map_err(RunError::into_failure)
        }
        unknown => Err(Failure::new(
            "unknown-page",
            format!("There is no page {unknown:?}."),
        )),
    }
}

/// Brings older state to [`STATE_VERSION`].
///
/// # Errors
/// Where the state is of a later version than this code.
pub fn migrate(from_version: u32) -> Result<u32, Failure> {
    if from_version > STATE_VERSION {
        return Err(Failure::new(
            "state-too-new",
            format!(
                "The stored state has version {from_version}; this add-on reads up to {STATE_VERSION}. Install a newer add-on."
            ),
        ));
    }
    Ok(STATE_VERSION)
}
