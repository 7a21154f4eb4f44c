//! Are the two books equal? Every customer, document and payment of Splynx beside what Sage holds of it, and the other way round.
//!
//! Neither service is changed. Sage is listed into a scratch table ([`there`]), Splynx is walked and takes its objects out of it
//! ([`here`]), and what is left belongs to nobody ([`rest`]): so memory stays flat however large the books are. What the add-on's own
//! records say is an explanation and never a proof: amounts, dates and customers are compared as both services have them now.
//!
//! Listing a large company takes days, since Sage answers so many requests a day. So a job that paused goes on where it was
//! ([`Progress`]): all that it knows is in the scratch table, and each page is one commit. And what changed since it was listed looks like a
//! difference: so Sage is asked for whatever is missing or differs once more, by its id, before it is told.

mod finding;
mod sage_side;
mod splynx_side;
mod sums;
mod unmatched;

use chrono::NaiveDate;

use crate::capability::{Failure, Pair, Row};
use crate::json;
use crate::sage::Service;
use crate::settings::Settings;
use crate::splynx::{CreditNote, Invoice};
use crate::stored::{self, stored};
use crate::write::ledger::{PAGE, Run, RunError, RunResult};
use crate::write::record::{Batch, Kind};

pub use sums::figures;

use finding::{Class, Finding};
use sage_side::TABLE;
use sums::Sums;

/// The report of records, [`Finding`] by finding.
const RECORDS: &str = "reconciliation";

/// What is compared, and how much is told of it.
#[derive(Debug)]
struct Scope {
    /// Documents and payments dated on this day or later.
    from: NaiveDate,
    /// Also what agrees, and what is left out.
    everything: bool,
}

impl Scope {
    fn of(settings: &Settings, options: &[Pair]) -> Result<Self, Failure> {
        let option = |key: &str| {
            let found = options.iter().find(|(name, _)| name == key);
            found.map_or("", |(_, value)| value.trim())
        };
        let first = Kind::ALL.into_iter().filter_map(|kind| settings.from(kind));
        let from = match option("from") {
            "" => first.min().unwrap_or(settings.today),
            text => json::day(text).ok_or_else(|| {
                Failure::new(
                    "invalid-settings",
                    format!("{text:?} is not a date; write it as in 2026-03-31."),
                )
            })?,
        };
        Ok(Self {
            from,
            everything: option("list") == "everything",
        })
    }
}

/// What is done one after the other.
enum Stage {
    /// Sage's side.
    List(Service),
    /// Splynx's side, which takes its counterparts.
    Compare(Kind),
    /// What nobody took.
    Imports,
    Rest,
}

const STEPS: [Stage; 10] = [
    Stage::List(Service::Customer),
    Stage::List(Service::TaxInvoice),
    Stage::List(Service::CustomerReturn),
    Stage::List(Service::CustomerReceipt),
    Stage::Compare(Kind::Customer),
    Stage::Compare(Kind::Invoice),
    Stage::Compare(Kind::CreditNote),
    Stage::Compare(Kind::Payment),
    Stage::Imports,
    Stage::Rest,
];

/// How far the job has come; stored with every page.
#[derive(Debug, Clone, PartialEq)]
struct Progress {
    /// The scope of it.
    from: NaiveDate,
    everything: bool,
    /// Of [`STEPS`], and the last that it has looked at.
    step: usize,
    after: String,
    /// Records of that step.
    done: u64,
    /// Findings that are kept for the report.
    told: u64,
    /// Of all records, by [`Class`].
    classes: Vec<u64>,
}

stored!(Progress {
    from,
    everything,
    step,
    after,
    done,
    told,
    classes
});

/// Where [`TABLE`] has the place, and what is before the findings' numbers.
const PLACE: &str = "place";
const FOUND: &str = "found/";

/// A finding that waits for the report.
struct WaitingFinding {
    id: String,
    cells: Vec<String>,
}

stored!(WaitingFinding { id, cells });

/// What has been found so far.
struct Books {
    place: Progress,
    sums: Sums,
    /// Of the page that is looked at.
    rows: Vec<Row>,
}

impl Books {
    /// Where the run paused that this one goes on with, in its scope; or the beginning.
    fn open(run: &mut Run, scope: &Scope) -> RunResult<Self> {
        let context = run.cap.context();
        let goes_on = context
            .iter()
            .any(|(name, value)| name == "trigger" && value == "resume");
        let stored = run.cap.get(TABLE, &[PLACE.to_owned()])?.into_iter().next();
        let place = stored.and_then(|entry| stored::from_text::<Progress>(&entry.value));
        let place = match place.filter(|_| goes_on) {
            Some(mut place) => {
                // Begun by a version that knew fewer.
                place.classes.resize(Class::ALL.len(), 0);
                place
            }
            None => {
                sage_side::clear(run)?;
                Progress {
                    from: scope.from,
                    everything: scope.everything,
                    step: 0,
                    after: String::new(),
                    done: 0,
                    told: 0,
                    classes: vec![0; Class::ALL.len()],
                }
            }
        };
        Ok(Self {
            place,
            sums: Sums::default(),
            rows: Vec::new(),
        })
    }

    /// Counts a finding, and keeps it where people asked for it.
    fn tell(&mut self, finding: &Finding) {
        if let Some(count) = self.place.classes.get_mut(finding.class as usize) {
            *count += 1;
        }
        if finding.class.is_difference() || self.place.everything {
            self.rows.push(finding.row());
        }
    }

    /// A page, with all that was found on it and how far the job has come by that, in one commit. `after`: the last of it.
    fn commit(
        &mut self,
        run: &mut Run,
        mut batch: Batch,
        after: String,
        done: u64,
    ) -> RunResult<()> {
        self.sums.add_to(run, &mut batch)?;
        for row in std::mem::take(&mut self.rows) {
            let Row { id, cells, .. } = row;
            let key = format!("{FOUND}{:012}", self.place.told);
            batch.set(TABLE, key, stored::to_text(&WaitingFinding { id, cells }));
            self.place.told += 1;
        }
        self.place.after = after;
        self.place.done += done;
        batch.set(TABLE, PLACE, stored::to_text(&self.place));
        run.commit(batch)
    }

    /// Hands over what was found.
    fn report(&self, run: &mut Run) -> RunResult<()> {
        for (class, count) in Class::ALL.into_iter().zip(&self.place.classes) {
            if *count > 0 {
                run.counts
                    .insert(format!("records {}", class.title()), *count);
            }
        }
        let mut after = String::new();
        loop {
            let entries = run.cap.scan(TABLE, FOUND, &after, PAGE)?;
            let Some(last) = entries.last() else {
                break;
            };
            after.clone_from(&last.key);
            let rows = entries
                .iter()
                .filter_map(|entry| stored::from_text::<WaitingFinding>(&entry.value))
                .map(|WaitingFinding { id, cells }| Row {
                    id,
                    cells,
                    more: Vec::new(),
                });
            run.cap.report(RECORDS, rows.collect())?;
        }
        self.sums.tell_customers(run)?;
        self.sums.tell_months(run)
    }

    fn differences(&self) -> u64 {
        let classes = Class::ALL.into_iter().zip(&self.place.classes);
        let differing = classes.filter(|(class, _)| class.is_difference());
        differing.map(|(_, count)| count).sum()
    }
}

/// Compares the books; answers what to tell people where they differ.
pub fn reconcile(run: &mut Run, options: &[Pair]) -> RunResult<Option<Failure>> {
    let scope = Scope::of(&run.settings, options).map_err(RunError::Failed)?;
    let mut books = Books::open(run, &scope)?;
    while let Some(step) = STEPS.get(books.place.step) {
        match step {
            Stage::List(service) => sage_side::list(run, &mut books, *service)?,
            Stage::Compare(Kind::Customer) => splynx_side::customers(run, &mut books)?,
            Stage::Compare(kind @ Kind::Invoice) => {
                splynx_side::documents::<Invoice>(run, &mut books, *kind)?;
            }
            Stage::Compare(kind @ Kind::CreditNote) => {
                splynx_side::documents::<CreditNote>(run, &mut books, *kind)?;
            }
            Stage::Compare(_) => splynx_side::payments(run, &mut books)?,
            Stage::Imports => unmatched::of_imports(run, &mut books)?,
            Stage::Rest => unmatched::of_sage(run, &mut books)?,
        }
        books.place.step += 1;
        books.place.done = 0;
        books.commit(run, Batch::default(), String::new(), 0)?;
    }
    books.report(run)?;
    sage_side::clear(run)?;
    let differences = books.differences();
    Ok((differences > 0).then(|| {
        Failure::new(
            "books-differ",
            format!(
                "{differences} records are not equal on both sides: the report Reconciliation lists each with its reason."
            ),
        )
    }))
}
