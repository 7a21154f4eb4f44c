//! What people delete on one side and enter there again: its counterpart still stands on the other side, and what is new is not made beside it
//! without a person's word.
//!
//! Beware: the old one need not be known to be gone yet, since nothing tells of deletions. So it is looked for when the new one is about to go.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::collect::{Map, Set, ToSet};
use crate::mark::Sign;
use crate::planted::{Mistake, is_planted};
use crate::sage::{DocumentLikeness, MatchKey, Object, Service, by_ids};
use crate::splynx::{self, CreditNote, DocumentStatus, Invoice, Payment};
use crate::sync::births;
use crate::sync::imported;
use crate::sync::lookalikes::near;
use crate::write::ledger::{Run, RunResult, activity};
use crate::write::record::{Batch, Kind, Reason, Record, RecordKey, Remote, State};
use crate::write::remote::{self, Way};
use crate::write::since_done;
use crate::write::verdict::POSSIBLE_DUPLICATE;

/// A record that is about to go to Sage for the first time.
pub struct Entered {
    pub key: RecordKey,
    pub service: Service,
    /// In Sage.
    pub customer: i64,
    pub date: NaiveDate,
    /// As Sage has it: never below zero.
    pub total: Decimal,
}

impl Entered {
    /// Where in the index what looks like it would be.
    fn ways(&self) -> impl Iterator<Item = Way> {
        let (from, to) = near(self.date);
        let days = from.iter_days().take_while(move |day| *day <= to);
        days.map(|day| remote::by_made(self.service, self.customer, day, self.total))
    }

    fn looks_like(&self, other: &DocumentLikeness) -> bool {
        let (from, to) = near(self.date);
        (self.customer, self.total) == (other.customer, other.total)
            && (from..=to).contains(&other.date)
    }
}

/// Why each of these may be in Sage already: as what was made there for another record, which Splynx no longer has.
pub fn of_records(run: &mut Run, entered: &[Entered]) -> RunResult<Map<RecordKey, Reason>> {
    let mut doubts = Map::new_vec();
    if is_planted(Mistake::RetypedBelieved) {
        return Ok(doubts);
    }
    let mut found = Map::new_vec();
    let mut alike: Vec<(&Entered, i64)> = Vec::new();
    // Mostly there is nothing, which few reads tell for all of them.
    let taken = remote::taken(run, entered.iter().flat_map(Entered::ways))?;
    let may_be_there = |new: &&Entered| new.ways().any(|way| taken.contains(&way));
    for new in entered.iter().filter(may_be_there) {
        let (from, to) = near(new.date);
        let prefix = remote::made_of(new.service, new.customer);
        for listed in remote::between(run, &prefix, from, to)? {
            if let MatchKey::Document(document) = listed.likeness
                && new.looks_like(&document)
            {
                alike.push((new, listed.id));
                found.insert((new.service, listed.id), document);
            }
        }
    }
    if alike.is_empty() {
        return Ok(doubts);
    }
    let makers = makers(run, &found)?;
    let there = in_splynx(run, makers.values().copied().to_set())?;
    let left = alike.iter().filter_map(|(new, id)| {
        let maker = makers.get(&(new.service, *id))?;
        (*maker != new.key && !there.contains(maker)).then_some((*new, *id, *maker))
    });
    let left: Vec<(&Entered, i64, RecordKey)> = left.collect();
    for (new, id, maker) in left {
        // It was listed in an earlier run.
        let rows = by_ids(run, new.service, &[id])?;
        let now = rows.first().and_then(|row| MatchKey::of(new.service, row));
        if let Some(MatchKey::Document(document)) = now
            && new.looks_like(&document)
        {
            doubts.insert(new.key, doubt_about(new.service, id, &document, maker));
        }
    }
    Ok(doubts)
}

/// The records that objects in Sage were made for, by pair or mark. What is a copy, a receipt of Sage's or another installation's is left out.
fn makers(
    run: &mut Run,
    found: &Map<(Service, i64), DocumentLikeness>,
) -> RunResult<Map<(Service, i64), RecordKey>> {
    const AT_ONCE: usize = 1_000;
    let remote = |(service, id): (Service, i64)| Remote { service, id };
    let remotes: Vec<Remote> = found.keys().map(|place| remote(*place)).collect();
    let mut paired = Map::new_vec();
    for remotes in remotes.chunks(AT_ONCE) {
        paired.extend(run.paired(remotes.to_vec())?);
    }
    let mut makers = Map::new_vec();
    for (place, document) in found {
        if let Some(owner) = paired.get(&remote(*place).to_string()) {
            if owner.kind != Kind::Receipt {
                makers.insert(*place, *owner);
            }
            continue;
        }
        for sign in run.settings.identity.signs(&document.reference) {
            let Sign::Ours(marked) = sign else {
                continue;
            };
            let bearer = births::bearers(run, [marked])?[&marked];
            let record = run.records([bearer])?.remove(&bearer).unwrap_or_default();
            let has_pair = record.record.is_some_and(|record| record.remote.is_some());
            if !has_pair {
                makers.insert(*place, bearer);
            }
        }
    }
    Ok(makers)
}

/// Which of these records Splynx still has. One whose id it has given to another is gone.
fn in_splynx(run: &mut Run, keys: Set<RecordKey>) -> RunResult<Set<RecordKey>> {
    let mut there = Set::new();
    for kind in [Kind::Invoice, Kind::CreditNote, Kind::Payment] {
        let ids = keys
            .iter()
            .filter(|key| key.kind == kind && !key.is_parted());
        let ids: Vec<i64> = ids.map(|key| key.id).collect();
        let (unreadable, live): (Vec<(i64, String)>, Vec<i64>) = match kind {
            Kind::Invoice => {
                let page = splynx::by_ids::<Invoice>(run, &ids)?;
                let live = page.records.iter().map(|invoice| &invoice.0);
                let live = live.filter(|document| document.status != DocumentStatus::Deleted);
                (page.unreadable, live.map(|document| document.id).collect())
            }
            Kind::CreditNote => {
                let page = splynx::by_ids::<CreditNote>(run, &ids)?;
                let live = page.records.iter().map(|note| &note.0);
                let live = live.filter(|document| document.status != DocumentStatus::Deleted);
                (page.unreadable, live.map(|document| document.id).collect())
            }
            _ => {
                let page = splynx::by_ids::<Payment>(run, &ids)?;
                let live = page.records.iter().map(|payment| payment.id).collect();
                (page.unreadable, live)
            }
        };
        let unreadable = unreadable.iter().map(|(id, _)| *id);
        there.extend(unreadable.chain(live).map(|id| RecordKey::new(kind, id)));
    }
    Ok(there)
}

fn doubt_about(service: Service, id: i64, there: &DocumentLikeness, maker: RecordKey) -> Reason {
    let (title, what) = (service.title(), maker.kind.name().replace('-', " "));
    Reason::new(
        POSSIBLE_DUPLICATE,
        format!(
            "Sage has a {title} of the same customer and amount, of {} (id {id}). It was made for {what} {}, which Splynx no longer has: this may be the same, entered again.",
            there.date, maker.id
        ),
        format!(
            "Look at the {title} in Sage. If it is the same, link the two in the outbox; if not, retry: that sends this one too. Or delete the {title} in Sage, then retry."
        ),
    )
    .until_paired(&Remote { service, id })
}

/// Of payments that were made from receipts those whose receipt Sage no longer has: what is typed in anew may be the same money.
pub fn left_of_receipts(run: &mut Run, payments: &[&Payment]) -> RunResult<Set<i64>> {
    let ids: Vec<i64> = payments.iter().map(|payment| payment.id).collect();
    if ids.is_empty() || is_planted(Mistake::RetypedBelieved) {
        return Ok(Set::new());
    }
    let receipts = imported::receipts_of(run, &ids)?;
    let wanted: Vec<i64> = receipts.values().copied().to_set().into_iter().collect();
    let rows = by_ids(run, Service::CustomerReceipt, &wanted)?;
    let there = rows.iter().filter_map(Object::id).to_set();
    let left = receipts
        .iter()
        .filter(|(_, receipt)| !there.contains(receipt));
    Ok(left.map(|(payment, _)| *payment).to_set())
}

/// Whether Splynx no longer has a record.
pub fn is_gone(run: &mut Run, key: RecordKey) -> RunResult<bool> {
    let there = in_splynx(run, [key].into_iter().to_set())?;
    Ok(!there.contains(&key))
}

/// A person says that an object in Sage is another record's: the one that it was made for, and that Splynx no longer has, gives it up.
pub fn give_up(run: &mut Run, to: RecordKey, remote: &Remote) -> RunResult<()> {
    let owner = run.paired([remote.clone()])?.values().next().copied();
    let is_entered = |key: &RecordKey| {
        *key != to && matches!(key.kind, Kind::Invoice | Kind::CreditNote | Kind::Payment)
    };
    let Some(owner) = owner.filter(is_entered) else {
        return Ok(());
    };
    if !is_gone(run, owner)? {
        return Ok(());
    }
    let stored = run.records([owner])?.remove(&owner).unwrap_or_default();
    let Some(record) = stored.record.clone() else {
        return Ok(());
    };
    let mut batch = Batch::default();
    let record = Record {
        state: State::Skipped,
        reason: Reason::new(
            "deleted",
            format!(
                "It was deleted in Splynx, and what Sage has of it is {} {} now.",
                to.kind.name(),
                to.id
            ),
            "",
        ),
        remote: None,
        seen: None,
        sent: Vec::new(),
        hash: String::new(),
        looked_like: since_done::GONE.to_owned(),
        ..record
    };
    batch
        .activities
        .push(activity(owner, &record, State::Skipped.name()));
    run.put(&mut batch, owner, &stored, record)?;
    run.commit(batch)
}
