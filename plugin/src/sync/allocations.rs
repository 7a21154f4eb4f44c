//! Allocations: which payment or credit note settles which invoice (D11).
//!
//! Driven by Splynx's invoice relations, which have no change stamp: whenever something of a customer's moves, the customer is noted
//! ([`Batch::look_at_allocations`]), and here its relations are read and compared with what Sage was told. An allocation is made
//! once both its ends are in Sage, many in one request, and taken back when the relation goes.

use rust_decimal::Decimal;
use serde_json::json;

use crate::collect::{Map, ToMap, ToSet};
use crate::json;
use crate::sage::{self, AllocationLikeness, Likeness, Service};
use crate::splynx::{self, Relation};
use crate::sync::pipeline::{Aside, Decision, is_ours_to_decide, settle};
use crate::write::ledger::{Job, Run};
use crate::write::protocol::{self, Act, Expected, Write};
use crate::write::record::{
    ALLOCATING, Batch, Kind, Reason, Record, RecordKey, Remote, State, Stored,
};
use crate::write::recovery;
use crate::write::remote;
use crate::write::verdict;

const SERVICE: Service = Service::Allocation;
/// `000000000088/000000003001`: the allocations of a customer that we have a record of.
const OF_CUSTOMER: &str = "allocation-of";
/// Customers read from storage at once.
const PAGE: u32 = 100;

/// Brings the allocations of all noted customers into step.
pub fn sync(run: &mut Run) -> Job<()> {
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
        remote::take_over(run, SERVICE, None)?;
        after.clone_from(&last.key);
        for entry in &noted {
            if let Ok(customer) = entry.key.parse() {
                work.plan(run, customer)?;
            }
            if work.writes.len() >= sage::LARGEST_BATCH {
                work.carry_out(run)?;
            }
        }
    }
    work.carry_out(run)
}

/// Allocations that an earlier run, a person or one of their ends has planned again.
fn note_open(run: &mut Run) -> Job<()> {
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
    fn plan(&mut self, run: &mut Run, customer: i64) -> Job<()> {
        run.progress(Kind::Allocation.title(), 0, 0)?;
        self.customers.push(customer);
        let wanted = wanted(splynx::relations(run, customer)?);
        let known = known(run, customer)?;
        let ids = wanted.keys().copied().chain(known).to_set();
        let records = run.records(ids.iter().map(|id| RecordKey::new(Kind::Allocation, *id)))?;
        let ends = Ends::load(run, wanted.values())?;
        let mut batch = Batch::default();
        for id in ids {
            batch.set(OF_CUSTOMER, format!("{customer:012}/{id:012}"), "");
        }
        for (key, stored) in records.into_iter().filter(|(_, s)| is_ours_to_decide(s)) {
            let decision = match wanted.get(&key.id) {
                Some(relation) => decide(run, &ends, relation, &stored)?,
                None => gone(&stored),
            };
            let before = stored.record.clone().unwrap_or_default();
            let record = match wanted.get(&key.id) {
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
                    let write = Write {
                        key,
                        stored,
                        record: Record { hash, ..record },
                        service,
                        act,
                    };
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

    /// Sends what was planned, what is taken back first: it frees the amounts for the others.
    fn carry_out(&mut self, run: &mut Run) -> Job<()> {
        let Self {
            customers,
            removals,
            writes,
        } = std::mem::take(self);
        let changed = removals.iter().any(|write| write.record.amount.is_some());
        protocol::execute(run, removals)?;
        protocol::execute(run, writes)?;
        let mut batch = Batch::default();
        for customer in &customers {
            batch.delete(ALLOCATING, format!("{customer:012}"));
        }
        run.commit(batch)?;
        if changed {
            // What was taken back because its amount had changed is wanted with the new one.
            for customer in customers {
                self.plan(run, customer)?;
            }
            let again = std::mem::take(&mut self.writes);
            self.customers.clear();
            self.removals.clear();
            protocol::execute(run, again)?;
        }
        Ok(())
    }
}

/// One relation for each payer and invoice; several of one pair count as their sum, under the lowest id.
fn wanted(relations: Vec<Relation>) -> Map<i64, Relation> {
    let mut by_pair: Map<(RecordKey, RecordKey), Relation> = Map::new_vec();
    for relation in relations {
        by_pair
            .entry((relation.payer, relation.invoice))
            .and_modify(|sum| {
                sum.amount += relation.amount;
                sum.id = sum.id.min(relation.id);
            })
            .or_insert(relation);
    }
    by_pair
        .into_iter()
        .map(|(_, relation)| relation)
        .filter(|relation| relation.amount > Decimal::ZERO)
        .map(|relation| (relation.id, relation))
        .to_map()
}

/// Ids of the customer's allocations that we have a record of.
fn known(run: &mut Run, customer: i64) -> Job<Vec<i64>> {
    let prefix = format!("{customer:012}/");
    let mut ids = Vec::new();
    let mut after = String::new();
    loop {
        let page = run.cap.scan(OF_CUSTOMER, &prefix, &after, PAGE)?;
        ids.extend(page.iter().filter_map(|entry| {
            let id = entry.key.strip_prefix(&prefix)?;
            id.parse::<i64>().ok()
        }));
        match page.last() {
            Some(last) if page.len() == PAGE as usize => after.clone_from(&last.key),
            _ => return Ok(ids),
        }
    }
}

/// The records at both ends of relations.
struct Ends(Map<RecordKey, Stored>);

impl Ends {
    fn load<'r>(run: &mut Run, relations: impl Iterator<Item = &'r Relation>) -> Job<Self> {
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

    /// The object in Sage that an end became, or what becomes of the allocation meanwhile.
    fn remote(&self, key: RecordKey) -> Result<(&Record, &Remote), Aside> {
        let what = key.kind.name();
        let record = self.record(key);
        if let Some((record, remote)) = record.and_then(|r| Some((r, r.remote.as_ref()?))) {
            return Ok((record, remote));
        }
        let label = record.map_or_else(|| key.id.to_string(), |record| record.label.clone());
        match record {
            Some(record) if record.state.is_settled() => Err(Aside::Skip(
                Reason::new(
                    "end-skipped",
                    format!(
                        "Its {what} {label} is not in Sage: {}",
                        record.reason.message
                    ),
                    record.reason.cure.clone(),
                )
                .until_record(key),
            )),
            _ => Err(Aside::Hold(
                Reason::new(
                    "end-not-synced",
                    format!("Its {what} {label} is not in Sage yet."),
                    "Export the documents and payments; if this one is held, cure that first.",
                )
                .until_record(key),
            )),
        }
    }
}

/// What becomes of a relation that Splynx has.
fn decide(run: &mut Run, ends: &Ends, relation: &Relation, stored: &Stored) -> Job<Decision> {
    let record = stored.record.as_ref();
    let (payer, invoice) = match (ends.remote(relation.payer), ends.remote(relation.invoice)) {
        (Ok(payer), Ok(invoice)) => (payer, invoice),
        (Err(aside), _) | (_, Err(aside)) => return Ok(Decision::SetAside(aside)),
    };
    let (source, target) = (payer.1, invoice.1);
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
        return Ok(if record.hash == hash {
            Decision::InStep
        } else if record.hash.is_empty() {
            Decision::of_sent(record, &hash)
        } else {
            Decision::Write {
                service: SERVICE,
                act: Act::Remove { id: remote.id },
                hash: String::new(),
            }
        });
    }
    let pair = remote::by_pair(likeness.source, likeness.target);
    let likeness = Likeness::Allocation(likeness);
    let mut found = remote::lookup(run, std::slice::from_ref(&pair))?;
    if found.is_empty() && payer.0.allocated_in_sage {
        // Sage allocated the receipt by itself as it was stored: what it made of it stands in its list.
        let above = remote::highest(run, SERVICE)?;
        remote::refresh(run, SERVICE, above)?;
        found = remote::lookup(run, &[pair])?;
    }
    for (end, remote) in [payer, invoice] {
        if found.is_empty() && end.allocated_in_sage && rest(run, remote)? < relation.amount {
            return Ok(Decision::skip(Reason::new(
                "allocated-in-sage",
                format!(
                    "In Sage the {} {} is allocated otherwise, and not enough of it is left.",
                    remote.service.title(),
                    end.label
                ),
                "Where the invoices should be Splynx's, switch \"Auto allocate receipts to oldest invoice\" off and correct the allocations in Sage.",
            )));
        }
    }
    Ok(match found.pop() {
        Some((_, found)) => Decision::Found {
            verdict: verdict::judge(&likeness, &found, SERVICE),
            hash,
        },
        None => Decision::Write {
            service: SERVICE,
            act: Act::Create {
                object: json!({
                    "SourceDocumentId": source.id,
                    "AllocatedToDocumentId": target.id,
                    "Total": json::number(relation.amount),
                    "Discount": 0,
                }),
                likeness,
                own_number: false,
                expected: Some(Expected {
                    total: relation.amount,
                    predicted: relation.amount,
                    tax: None,
                }),
            },
            hash,
        },
    })
}

/// What of a document or receipt is left, as Sage says now.
fn rest(run: &mut Run, remote: &Remote) -> Job<Decimal> {
    let object = sage::get_one(run, remote.service, remote.id)?;
    Ok(object.as_ref().and_then(sage::rest).unwrap_or_default())
}

/// What becomes of an allocation whose relation Splynx no longer has.
fn gone(stored: &Stored) -> Decision {
    match &stored.record {
        Some(Record {
            remote: Some(remote),
            ..
        }) => Decision::Write {
            service: SERVICE,
            act: Act::Remove { id: remote.id },
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
