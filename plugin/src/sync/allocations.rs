//! Allocations: which payment or credit note settles which invoice (D11).
//!
//! Driven by Splynx's invoice relations, which have no change stamp: whenever something of a customer's moves, the customer is noted
//! ([`Batch::look_at_allocations`]), and here its relations are read and compared with what Sage was told. An allocation is made
//! once both its ends are in Sage, many in one request, and taken back when the relation goes.

use rust_decimal::Decimal;
use serde_json::json;

use crate::collect::{Map, ToSet};
use crate::json;
use crate::sage::{
    self, AllocationLikeness, AllocationPayload, MatchKey, Object, Payload, Service,
};
use crate::splynx::Relation;
use crate::sync::documents::customer_in_sage;
use crate::sync::pipeline::{Decision, NotSent, is_ours_to_decide, settle};
use crate::sync::relations::{OF_CUSTOMER, known, wanted};
use crate::sync::statements::CAME_FROM_SAGE;
use crate::sync::{births, customers};
use crate::write::ledger::{Run, RunResult};
use crate::write::protocol::{self, Act, Expected, Write};
use crate::write::record::{
    ALLOCATING, Batch, Kind, Reason, Record, RecordKey, Remote, State, Stored,
};
use crate::write::recovery;
use crate::write::remote;
use crate::write::seen;
use crate::write::verdict::{Suspect, look_up};

const SERVICE: Service = Service::Allocation;
/// Customers read from storage at once.
const PAGE: u32 = 100;

/// Brings the allocations of all noted customers into step.
pub fn sync(run: &mut Run) -> RunResult<()> {
    recovery::recover(run, Kind::Allocation)?;
    run.wake_changed_settings()?;
    note_open(run)?;
    let mut after = String::new();
    let mut work = Work::default();
    loop {
        let noted = run.cap.scan(ALLOCATING, "", &after, PAGE)?;
        let Some(last) = noted.last() else {
            break;
        };
        remote::build_index(run, SERVICE, None)?;
        after.clone_from(&last.key);
        let customers: Vec<i64> = noted
            .iter()
            .filter_map(|entry| entry.key.parse().ok())
            .collect();
        customers::look_after(run, customers.iter().copied())?;
        let records = run.records(
            customers
                .iter()
                .map(|id| RecordKey::new(Kind::Customer, *id)),
        )?;
        for key in records.keys() {
            let record = records[key].record.as_ref();
            let is_in_doubt = record.is_some_and(births::is_in_doubt);
            let is_left_out = record.is_some_and(|record| record.state == State::Skipped);
            match customer_in_sage(&records, key.id) {
                Err(aside) if is_in_doubt || is_left_out => {
                    set_aside(run, key.id, &aside)?;
                    // It is noted again once it is not left out any more; in doubt, its note stays until somebody has decided.
                    if is_left_out {
                        work.customers.push(key.id);
                    }
                }
                _ => {
                    work.customers.push(key.id);
                    work.plan(run, key.id, false)?;
                }
            }
            if work.writes.len() + work.removals.len() >= sage::LARGEST_BATCH {
                work.carry_out(run, false)?;
            }
        }
    }
    work.carry_out(run, true)
}

/// What is planned for a customer of whom nothing may be sent waits for the customer.
fn set_aside(run: &mut Run, customer: i64, aside: &NotSent) -> RunResult<()> {
    let ids = known(run, customer)?;
    let records = run.records(ids.keys().map(|id| RecordKey::new(Kind::Allocation, *id)))?;
    let mut batch = Batch::default();
    for (key, stored) in records {
        let Some(record) = stored.record.clone() else {
            continue;
        };
        if record.state == State::Planned {
            let decision = Decision::SetAside(aside.clone());
            settle(run, &mut batch, key, &stored, record, decision)?;
        }
    }
    run.commit(batch)
}

/// Allocations that an earlier run, a person or one of their ends has planned again.
fn note_open(run: &mut Run) -> RunResult<()> {
    let mut after = String::new();
    while let Some(page) = run.next_open(Kind::Allocation, &mut after)? {
        let mut batch = Batch::default();
        for (_, stored) in run.records(page.into_iter().map(|(key, _)| key))? {
            if let Some(record) = stored.record {
                batch.look_at_allocations(record.customer);
            }
        }
        run.commit(batch)?;
    }
    Ok(())
}

/// What was found out about some customers and is not carried out yet.
#[derive(Default)]
struct Work {
    customers: Vec<i64>,
    removals: Vec<Write>,
    writes: Vec<Write>,
}

impl Work {
    /// Splynx gives relations new ids when a payment is edited. So nothing is made for a customer before what is to go has gone:
    /// that frees pairs and amounts. `freed`: it has, as far as Sage let it.
    fn plan(&mut self, run: &mut Run, customer: i64, freed: bool) -> RunResult<()> {
        run.progress(Kind::Allocation.title(), 0, 0)?;
        let wanted = wanted(run, customer)?;
        let before = known(run, customer)?;
        let mut pairs = before.clone();
        let ends = Ends::load(run, wanted.values())?;
        for (id, relation) in &wanted {
            pairs.insert(*id, ends.pair(relation));
        }
        let mut records =
            run.records(pairs.keys().map(|id| RecordKey::new(Kind::Allocation, *id)))?;
        let mut batch = Batch::default();
        let unwanted = before.keys().filter(|id| !wanted.contains_key(id));
        for id in given_to_others(&records, customer, unwanted) {
            batch.delete(OF_CUSTOMER, format!("{customer:012}/{id:012}"));
            records.remove(&RecordKey::new(Kind::Allocation, id));
            pairs.remove(&id);
        }
        for (id, pair) in &pairs {
            // What Sage has now stays known by its own ends.
            let made = records[&RecordKey::new(Kind::Allocation, *id)]
                .record
                .as_ref();
            let is_made = made.is_some_and(|record| record.remote.is_some());
            let kept = before.get(id).filter(|old| is_made && !old.is_empty());
            batch.set(
                OF_CUSTOMER,
                format!("{customer:012}/{id:012}"),
                kept.unwrap_or(pair).clone(),
            );
        }
        let (allocated, open): (Vec<_>, Vec<_>) = records
            .into_iter()
            .filter(|(_, stored)| is_ours_to_decide(stored))
            .partition(|(_, stored)| stored.record.as_ref().is_some_and(|r| r.remote.is_some()));
        let planned = self.removals.len();
        for (key, stored) in allocated.into_iter().chain(open) {
            let is_open = stored.record.as_ref().is_none_or(|r| r.remote.is_none());
            if is_open && !freed && self.removals.len() > planned {
                break;
            }
            let pair = pairs.get(&key.id).cloned().unwrap_or_default();
            let relation = wanted.get(&key.id);
            let decision = match relation {
                Some(relation) => decide(run, &ends, relation, &stored, pair)?,
                None => gone(&stored, pair),
            };
            let is_taken_back = matches!(
                &decision,
                Decision::Write {
                    act: Act::Remove { .. },
                    ..
                }
            );
            if is_taken_back && is_of_another(run, before.get(&key.id))? {
                // What Splynx has under this id, if anything, is another relation.
                if let (Some(_), Some(record)) = (relation, &stored.record) {
                    births::part(run, &mut batch, key, &stored, record)?;
                }
                continue;
            }
            let before = stored.record.clone().unwrap_or_default();
            let record = match relation {
                // What Sage has is called as it was, until it is taken back.
                Some(_) if before.remote.is_some() && !before.label.is_empty() => Record {
                    state: State::Planned,
                    customer,
                    intent: None,
                    reason: Reason::default(),
                    ..before
                },
                Some(relation) => Record {
                    state: State::Planned,
                    label: ends.label(relation),
                    customer,
                    amount: Some(relation.amount),
                    intent: None,
                    reason: Reason::default(),
                    ..before
                },
                None => before,
            };
            match decision {
                Decision::Write { service, act, hash } => {
                    let record = Record { hash, ..record };
                    let write = Write::new(key, stored, record, service, act);
                    match write.act {
                        Act::Remove { .. } => self.removals.push(write),
                        _ => self.writes.push(write),
                    }
                }
                decision => settle(run, &mut batch, key, &stored, record, decision)?,
            }
        }
        run.commit(batch)
    }

    /// Sends what was planned, in full batches; `all`: the rest of it too.
    fn carry_out(&mut self, run: &mut Run, all: bool) -> RunResult<()> {
        let removals = std::mem::take(&mut self.removals);
        let freed = removals.iter().map(|write| write.record.customer).to_set();
        protocol::execute(run, removals)?;
        for customer in freed {
            self.plan(run, customer, true)?;
        }
        // What Sage would not let go just now waits for the next look at its customer.
        self.removals.clear();
        let full = self.writes.len() / sage::LARGEST_BATCH * sage::LARGEST_BATCH;
        let rest = match all {
            true => Vec::new(),
            false => self.writes.split_off(full),
        };
        protocol::execute(run, std::mem::replace(&mut self.writes, rest))?;
        let waiting = self
            .writes
            .iter()
            .map(|write| write.record.customer)
            .to_set();
        let mut batch = Batch::default();
        self.customers.retain(|customer| {
            let waits = waiting.contains(customer);
            if !waits {
                batch.delete(ALLOCATING, format!("{customer:012}"));
            }
            waits
        });
        run.commit(batch)
    }
}

/// Relations that are another customer's by now: a Splynx that was put back has given their ids again.
fn given_to_others<'i>(
    records: &Map<RecordKey, Stored>,
    customer: i64,
    ids: impl Iterator<Item = &'i i64>,
) -> Vec<i64> {
    let is_anothers = |id: &&i64| {
        let record = records[&RecordKey::new(Kind::Allocation, **id)]
            .record
            .as_ref();
        record.is_some_and(|record| record.customer != customer)
    };
    ids.filter(is_anothers).copied().collect()
}

/// The records at both ends of relations.
struct Ends(Map<RecordKey, Stored>);

impl Ends {
    fn load<'r>(run: &mut Run, relations: impl Iterator<Item = &'r Relation>) -> RunResult<Self> {
        let keys = relations.flat_map(|r| [r.payer, r.invoice]).to_set();
        run.records(keys).map(Self)
    }

    fn record(&self, key: RecordKey) -> Option<&Record> {
        self.0.get(&key)?.record.as_ref()
    }

    fn label(&self, relation: &Relation) -> String {
        let name = |key: RecordKey| {
            self.record(key)
                .map_or_else(|| key.tag(), |record| record.label.clone())
        };
        format!("{} for {}", name(relation.payer), name(relation.invoice))
    }

    /// Where Sage's list has the pair; empty while one of the ends is not there.
    fn pair(&self, relation: &Relation) -> String {
        let id = |key: RecordKey| Some(self.record(key)?.remote.as_ref()?.id);
        match (id(relation.payer), id(relation.invoice)) {
            (Some(source), Some(target)) => remote::by_pair(source, target).text().to_owned(),
            _ => String::new(),
        }
    }

    /// The object in Sage that an end became, or what becomes of the allocation meanwhile; `None`: nothing. An end that has no record is not ours to
    /// tell of (yet): dated before the from-date, not read so far; nor is one that came from Sage. Once it has one, its customer is noted.
    fn remote(&self, key: RecordKey) -> Result<(&Record, &Remote), Option<NotSent>> {
        let what = key.kind.name().replace('-', " ");
        let record = self.record(key).ok_or(None)?;
        if births::is_in_doubt(record) {
            let hold = Reason::new(
                "end-in-doubt",
                format!(
                    "Its {what} {} may be another one than Sage has: {}",
                    record.label, record.reason.message
                ),
                format!("Decide about the {what} first."),
            );
            return Err(Some(NotSent::Hold(hold.until_record(key))));
        }
        if let Some(remote) = &record.remote {
            return Ok((record, remote));
        }
        if record.reason.code == CAME_FROM_SAGE {
            return Err(None);
        }
        let label = &record.label;
        Err(Some(if record.state.is_settled() {
            NotSent::Skip(
                Reason::new(
                    "end-skipped",
                    format!(
                        "Its {what} {label} is not in Sage: {}",
                        record.reason.message
                    ),
                    record.reason.cure.clone(),
                )
                .until_record(key),
            )
        } else {
            NotSent::Hold(
                Reason::new(
                    "end-not-synced",
                    format!("Its {what} {label} is not in Sage yet."),
                    "Export the documents and payments; if this one is held, cure that first.",
                )
                .until_record(key),
            )
        }))
    }
}

/// What becomes of a relation that Splynx has.
fn decide(
    run: &mut Run,
    ends: &Ends,
    relation: &Relation,
    stored: &Stored,
    pair: String,
) -> RunResult<Decision> {
    let record = stored.record.as_ref();
    let (payer, invoice) = match (ends.remote(relation.payer), ends.remote(relation.invoice)) {
        (Ok(payer), Ok(invoice)) => (payer, invoice),
        (Err(None), _) | (_, Err(None)) => return Ok(not_ours(record)),
        (Err(Some(aside)), _) | (_, Err(Some(aside))) => return Ok(Decision::SetAside(aside)),
    };
    let (source, target) = (payer.1, invoice.1);
    if source.service == Service::TaxInvoice {
        // A line below zero of an invoice above zero: in Sage the two are one document.
        return Ok(not_ours(record));
    }
    let likeness = AllocationLikeness {
        source: source.id,
        target: target.id,
        total: relation.amount,
    };
    let hash = json::digest(&json!([
        likeness.source,
        likeness.target,
        likeness.total.normalize().to_string()
    ]));
    if let Some((record, remote)) = record.and_then(|r| Some((r, r.remote.as_ref()?))) {
        return Ok(if record.hash == hash || record.hash.is_empty() {
            Decision::of_sent(record, &hash)
        } else if was_reallocated(record) {
            Decision::Keep
        } else {
            Decision::Write {
                service: SERVICE,
                act: Act::Remove {
                    id: remote.id,
                    listed: pair,
                },
                hash: String::new(),
            }
        });
    }
    let likeness = MatchKey::Allocation(likeness);
    let key = RecordKey::new(Kind::Allocation, relation.id);
    let suspect = [Suspect {
        key,
        marked: key,
        service: SERVICE,
        likeness: &likeness,
        is_vouched: false,
    }];
    let mut found = look_up(run, &suspect)?.pop().flatten();
    if found.is_none() && payer.0.allocated_in_sage {
        // Sage allocated the receipt by itself as it was stored: what it made of it stands in its list.
        let above = remote::highest(run, SERVICE)?;
        remote::refresh(run, SERVICE, above)?;
        found = look_up(run, &suspect)?.pop().flatten();
    }
    for (key, (end, remote)) in [(relation.payer, payer), (relation.invoice, invoice)] {
        let differs = matches!(end.state, State::Held | State::Owed);
        if found.is_some()
            || !(differs || end.allocated_in_sage)
            || rest(run, remote)? >= relation.amount
        {
            continue;
        }
        let (what, label) = (remote.service.title(), &end.label);
        return Ok(if differs {
            Decision::hold(
                Reason::new(
                    "end-differs",
                    format!("Not enough is left in Sage of the {what} {label}, which is not as Splynx says: {}", end.reason.message),
                    format!("Cure that first. {}", end.reason.cure),
                )
                .until_record(key),
            )
        } else {
            Decision::skip(Reason::new(
                "allocated-in-sage",
                format!(
                    "In Sage the {what} {label} is allocated otherwise, and not enough of it is left."
                ),
                "Where the invoices should be Splynx's, switch \"Auto allocate receipts to oldest invoice\" off and correct the allocations in Sage.",
            ))
        });
    }
    Ok(match found {
        Some(verdict) => Decision::Found { verdict, hash },
        None => Decision::Write {
            service: SERVICE,
            act: Act::Create {
                payload: Box::new(Payload::Allocation(AllocationPayload {
                    source: source.id,
                    invoice: target.id,
                    total: relation.amount,
                })),
                likeness,
                own_number: false,
                expected: Some(Expected {
                    total: relation.amount,
                    predicted: relation.amount,
                    vat: None,
                }),
            },
            hash,
        },
    })
}

/// What becomes of a relation of which Sage need not be told.
fn not_ours(record: Option<&Record>) -> Decision {
    // Otherwise it was planned when this was not known yet.
    if record.is_none_or(|record| record.remote.is_some()) {
        return Decision::Keep;
    }
    Decision::skip(Reason::new(
        "end-not-ours",
        "One of its ends is not ours to tell Sage of: its money came from Sage, or it is from before the dates to export from.",
        "",
    ))
}

/// What of a document or receipt is left, as Sage says now.
fn rest(run: &mut Run, remote: &Remote) -> RunResult<Decimal> {
    let object = sage::get_one(run, remote.service, remote.id)?;
    Ok(object.as_ref().and_then(Object::rest).unwrap_or_default())
}

/// Whether an allocation was made for a document that Splynx has another for by now: what Sage has of these stays as it is. `pair`: where
/// Sage's list has it.
fn is_of_another(run: &mut Run, pair: Option<&String>) -> RunResult<bool> {
    let Some((source, target)) = pair.and_then(|pair| remote::ends_of(pair)) else {
        return Ok(false);
    };
    let ends = [
        (Service::CustomerReceipt, source),
        (Service::CustomerReturn, source),
        (Service::TaxInvoice, target),
    ];
    let keys = run.paired(ends.map(|(service, id)| Remote { service, id }))?;
    let records = run.records(keys.values().copied())?;
    let mut keys = keys.values();
    Ok(keys.any(|key| {
        key.is_parted()
            || records[key]
                .record
                .as_ref()
                .is_some_and(births::is_in_doubt)
    }))
}

/// A person has made another allocation of it in Sage, and that is not taken back.
fn was_reallocated(record: &Record) -> bool {
    matches!(record.state, State::Held | State::Owed) && record.reason.code == seen::CHANGED
}

/// What becomes of an allocation whose relation Splynx no longer has.
fn gone(stored: &Stored, pair: String) -> Decision {
    match &stored.record {
        Some(record) if was_reallocated(record) => Decision::Keep,
        Some(Record {
            remote: Some(remote),
            ..
        }) => Decision::Write {
            service: SERVICE,
            act: Act::Remove {
                id: remote.id,
                listed: pair,
            },
            hash: String::new(),
        },
        Some(_) => Decision::skip(Reason::new(
            "relation-gone",
            "Splynx no longer settles the one with the other.",
            "",
        )),
        None => Decision::Keep,
    }
}
