//! Are the two books equal? Every customer, document and payment of Splynx beside what Sage holds of it, and the other way round.
//!
//! Neither service is changed. Sage is listed into a scratch table ([`there`]), Splynx is walked and takes its objects out of it
//! ([`here`]), and what is left belongs to nobody ([`rest`]): so memory stays flat however large the books are. What the add-on's own
//! records say is an explanation and never a proof: amounts, dates and customers are compared as both services have them now.
//!
//! The trap: what changes between the two listings looks like a difference. So whatever was not listed is asked for once more by its id.

mod finding;
mod here;
mod rest;
mod sums;
mod there;

use chrono::NaiveDate;

use crate::capability::{Failure, Pair, Row};
use crate::json;
use crate::settings::Settings;
use crate::splynx::{CreditNote, Invoice};
use crate::write::ledger::{Halt, Job, Run};
use crate::write::record::Kind;

pub use sums::figures;

use finding::Finding;
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

/// What has been found so far in a run.
struct Books {
    scope: Scope,
    sums: Sums,
    rows: Vec<Row>,
    differences: u64,
}

impl Books {
    /// Counts a finding, and lists it where people asked for it.
    fn tell(&mut self, run: &mut Run, finding: &Finding) {
        run.count(format!("records {}", finding.class.title()));
        if finding.class.is_difference() {
            self.differences += 1;
        }
        if finding.class.is_difference() || self.scope.everything {
            self.rows.push(finding.row());
        }
    }

    /// Hands over what was found on a page.
    fn flush(&mut self, run: &mut Run) -> Job<()> {
        self.sums.flush(run)?;
        if !self.rows.is_empty() {
            run.cap.report(RECORDS, std::mem::take(&mut self.rows))?;
        }
        Ok(())
    }
}

/// Compares the books; answers what to tell people where they differ.
pub fn reconcile(run: &mut Run, options: &[Pair]) -> Job<Option<Failure>> {
    let scope = Scope::of(&run.settings, options).map_err(Halt::Failed)?;
    there::clear(run)?;
    there::list(run, scope.from)?;
    let mut books = Books {
        scope,
        sums: Sums::default(),
        rows: Vec::new(),
        differences: 0,
    };
    here::customers(run, &mut books)?;
    here::documents::<Invoice>(run, &mut books, Kind::Invoice)?;
    here::documents::<CreditNote>(run, &mut books, Kind::CreditNote)?;
    here::payments(run, &mut books)?;
    rest::of_sage(run, &mut books)?;
    rest::of_imports(run, &mut books)?;
    books.sums.tell_customers(run)?;
    books.sums.tell_months(run)?;
    there::clear(run)?;
    let differences = books.differences;
    Ok((differences > 0).then(|| {
        Failure::new(
            "books-differ",
            format!(
                "{differences} records are not equal on both sides: the report Reconciliation lists each with its reason."
            ),
        )
    }))
}
