//! What the company in Sage lets nobody send: documents of a locked period, and money of customers in another currency than its own.
//!
//! A run that sends reads it once, and it is kept, so that a run with nothing to send asks nothing. Beware: nobody knows for sure that every
//! company tells it. Where it does not, each document is sent, and Sage's refusal tells.

use chrono::NaiveDate;

use crate::capability::Entry;
use crate::collect::Set;
use crate::sage::{self, Company, Filter, MatchKey, Service};
use crate::stored::{self, stored};
use crate::write::ledger::{META, Run, RunError, RunResult};
use crate::write::protocol::Act;
use crate::write::record::{Batch, Reason, Record, WAITING};

/// Where [`META`] keeps it.
pub const LIMITS: &str = "company-limits";
/// Among what a run has read anew.
const SOURCE: &str = "company";
/// What brings back the records that are held for the locked period.
const LOCK: &str = "lock";
/// The same for a customer in another currency; its id in Sage follows.
const CURRENCY: &str = "currency:";
/// Where records wait, automatic runs ask again after this time.
const ASK_AGAIN_SECONDS: u64 = 60 * 60;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Documents of this day and before are refused.
    locked_until: Option<NaiveDate>,
    /// Sage's customers in another currency than the company's.
    foreign: Vec<i64>,
    /// Seconds since the Unix epoch.
    read_at: u64,
}

stored!(Limits {
    locked_until,
    foreign,
    read_at
});

impl Limits {
    /// As they were read last; none, where they never were.
    pub fn stored(entry: Option<&Entry>) -> Self {
        let known = entry.and_then(|entry| stored::from_text(&entry.value));
        known.unwrap_or_default()
    }

    pub fn is_foreign(&self, customer: i64) -> bool {
        self.foreign.contains(&customer)
    }

    /// Why this is not sent; `before`: the record that it is of.
    pub fn forbid(&self, act: &Act, before: Option<&Record>) -> Option<Reason> {
        let (Act::Create { likeness, .. } | Act::Update { likeness, .. }) = act else {
            return None;
        };
        let MatchKey::Document(document) = likeness else {
            return None;
        };
        if self.is_foreign(document.customer) {
            return Some(in_another_currency(document.customer));
        }
        let locked_until = self.locked_until?;
        let seen = before.and_then(|record| record.seen.as_ref());
        let in_sage = seen.and_then(|seen| match seen {
            MatchKey::Document(seen) => Some(seen.date),
            MatchKey::Customer(_) | MatchKey::Allocation(_) => None,
        });
        let dates = [Some(document.date), in_sage].into_iter().flatten();
        let earliest = dates.min().filter(|date| *date <= locked_until)?;
        Some(in_locked_period(earliest, locked_until))
    }
}

fn in_locked_period(date: NaiveDate, until: NaiveDate) -> Reason {
    let mut reason = Reason::new(
        "period-locked",
        format!("It is dated {date}, and the company in Sage is locked up to {until}."),
        "Move the lockdown date in Sage, under Company, Change Company Settings, Financial Years: it goes by itself within the hour. Or give it a later date in Splynx; or press \"Never send\".",
    );
    reason.depends.push(LOCK.to_owned());
    reason
}

/// Why nothing of a customer's money goes or comes.
pub fn in_another_currency(customer: i64) -> Reason {
    let mut reason = Reason::new(
        "other-currency",
        format!(
            "Its customer in Sage (id {customer}) has another currency than the company, so the amount would be taken for that currency."
        ),
        "Give the customer in Sage the company's currency, which Sage allows while it has no documents: it goes by itself within the hour. Else make another customer there in the company's currency, and pair the two on the page Pairing; then retry.",
    );
    reason.depends.push(format!("{CURRENCY}{customer}"));
    reason
}

/// Reads again what the company does not let through, once a run; answers whether it is something else now. Whom that lets go is planned again.
pub fn renew(run: &mut Run) -> RunResult<bool> {
    if run.renewed.contains(&SOURCE) {
        return Ok(false);
    }
    run.renewed.push(SOURCE);
    let before = run.limits.clone();
    let told = now(run);
    let Some(limits) = as_far_as_told(run, told)? else {
        return Ok(false);
    };
    let mut batch = Batch::default();
    if limits.locked_until != before.locked_until {
        batch.came_true.push(LOCK.to_owned());
    }
    let freed = before.foreign.iter().filter(|id| !limits.is_foreign(**id));
    let freed = freed.map(|id| format!("{CURRENCY}{id}"));
    batch.came_true.extend(freed);
    batch.set(META, LIMITS, stored::to_text(&limits));
    let is_new = limits.locked_until != before.locked_until || limits.foreign != before.foreign;
    run.limits = limits;
    run.commit(batch)?;
    Ok(is_new)
}

/// Where records wait for it, it is read though nothing may be to send: at once where a person started the run, else once an hour.
pub fn look_again(run: &mut Run) -> RunResult<()> {
    let is_due = run.cap.now() >= run.limits.read_at + ASK_AGAIN_SECONDS;
    let may_wait = run.limits.locked_until.is_some() || !run.limits.foreign.is_empty();
    if may_wait && (is_due || !run.settings.is_automatic) && is_waited_for(run)? {
        renew(run)?;
    }
    Ok(())
}

/// Whether records wait for the company.
pub fn is_waited_for(run: &mut Run) -> RunResult<bool> {
    for prefix in [format!("{LOCK}|"), CURRENCY.to_owned()] {
        if !run.cap.scan(WAITING, &prefix, "", 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `None`: the service says of one path that it cannot be had, which is no reason to send nothing. What was known before counts.
fn as_far_as_told<T>(run: &mut Run, told: RunResult<T>) -> RunResult<Option<T>> {
    match told {
        Err(RunError::Failed(why)) if why.path().is_some() => {
            run.notes.push(why);
            Ok(None)
        }
        told => told.map(Some),
    }
}

fn now(run: &mut Run) -> RunResult<Limits> {
    let company = sage::current_company(run)?;
    if company.id_text() != run.settings.company_id {
        return Err(sage::unexpected("Company/Current", "it is another company"));
    }
    let told = foreign(run, &company);
    Ok(Limits {
        locked_until: company.locked_until(),
        foreign: as_far_as_told(run, told)?.unwrap_or_else(|| run.limits.foreign.clone()),
        read_at: run.cap.now(),
    })
}

/// The customers in another currency than the company's. One without a currency has the company's, and so has everybody where the company
/// names none (Sage API 2.2).
fn foreign(run: &mut Run, company: &Company) -> RunResult<Vec<i64>> {
    let Some(home) = company.currency() else {
        return Ok(Vec::new());
    };
    let others = Some(Filter::OtherCurrency(home));
    let mut foreign = Set::new();
    let mut above = 0;
    loop {
        let (rows, complete) = sage::newer(run, Service::Customer, above, others)?;
        for row in &rows {
            let id = row.id().unwrap_or(above);
            above = above.max(id);
            if row.currency().is_some_and(|currency| currency != home) {
                foreign.insert(id);
            }
        }
        if complete {
            return Ok(foreign.into_iter().collect());
        }
    }
}
