//! What Sage already holds.
//!
//! Before the first create of a kind, Sage's objects of that kind are listed once and indexed by everything that could make ours
//! a duplicate (architecture, an older or emptier state). From then on only ids above the
//! highest known one are listed, and only when there is a doubt to settle.

use chrono::NaiveDate;
use serde_json::Value;

use crate::capability::Failure;
use crate::collect::{Map, ToMap, ToSet};
use crate::sage::{Found, Likeness, Service, fold, get_one, mark_in, newer};
use crate::stored;
use crate::write::known_customers::{customer_keys, customers_listed};
use crate::write::ledger::{Halt, Job, META, Run};
use crate::write::record::{Batch, REMOTE};

/// What was listed, by what it is recognised by → [`Found`] as JSON.
pub const FOUND: &str = "found";

/// Index key of an object that carries a key in its reference.
pub fn by_mark(service: Service, mark: &str) -> String {
    format!("{}/key/{mark}", service.name())
}

/// Index key of a customer's name or a document's number.
pub fn by_name(service: Service, name: &str) -> String {
    format!("{}/name/{}", service.name(), fold(name))
}

/// Index prefix of documents and receipts without a key of ours, by what makes them look like the same money.
pub fn by_money(
    service: Service,
    customer: i64,
    date: NaiveDate,
    total: rust_decimal::Decimal,
) -> String {
    format!(
        "{}/money/{customer}|{date}|{}|",
        service.name(),
        total.normalize()
    )
}

/// Index key of an allocation: a source settles an invoice once.
pub fn by_pair(source: i64, target: i64) -> String {
    format!("{}/pair/{source}|{target}", Service::Allocation.name())
}

/// Every index key under which an object can be found.
pub(super) fn index_keys(service: Service, found: &Found) -> Vec<String> {
    match &found.likeness {
        Likeness::Customer(customer) => customer_keys(found.id, customer),
        Likeness::Allocation(allocation) => vec![by_pair(allocation.source, allocation.target)],
        Likeness::Document(document) => {
            let mut keys = vec![by_name(service, &document.number)];
            if let Some(mark) = mark_in(&document.reference) {
                keys.push(by_mark(service, mark));
            } else {
                if service == Service::CustomerReceipt {
                    // Receipts get Sage's own numbers, so another add-on's trace of Splynx's number is the reference.
                    keys.push(by_name(service, &document.reference));
                }
                let money = by_money(service, document.customer, document.date, document.total);
                keys.push(format!("{money}{}", found.id));
            }
            keys.into_iter().to_set().into_iter().collect()
        }
    }
}

/// Notes in a commit what Sage has just stored, so that the next record meets it.
pub fn note(batch: &mut Batch, service: Service, found: &Found) {
    let text = stored::to_text(found);
    for key in index_keys(service, found) {
        batch.set(FOUND, key, text.clone());
    }
}

/// It is no longer in Sage.
pub fn forget(batch: &mut Batch, key: &str) {
    if !key.is_empty() {
        batch.delete(FOUND, key.to_owned());
    }
}

/// What was listed under these index keys.
pub fn lookup(run: &mut Run, keys: &[String]) -> Job<Vec<(String, Found)>> {
    let entries = run.cap.get(FOUND, keys)?;
    let mut found: Vec<(String, Found)> =
        entries.into_iter().map(parse_entry).collect::<Job<_>>()?;
    let customers = found
        .iter()
        .filter(|(_, found)| matches!(found.likeness, Likeness::Customer(_)))
        .map(|(_, found)| found.id)
        .to_set();
    // A customer that was renamed since still stands under its old name.
    let now = customers_listed(run, &customers.into_iter().collect::<Vec<_>>())?;
    found.retain_mut(|(key, found)| match now.get(&found.id) {
        Some(now) => {
            found.clone_from(now);
            index_keys(Service::Customer, now).contains(key)
        }
        None => true,
    });
    Ok(found)
}

/// What a record asks of the index.
pub struct Question {
    pub service: Service,
    pub keys: Vec<String>,
    /// The record was held before, and somebody or something says that the reason is gone: what was listed is looked at again
    /// in Sage, because it may have been changed or deleted there.
    pub again: bool,
}

/// What Sage has under the index keys of all questions.
pub fn survey(run: &mut Run, questions: Vec<Question>) -> Job<Map<String, Found>> {
    let keys: Vec<String> = questions.iter().flat_map(|q| q.keys.clone()).collect();
    let mut found = lookup(run, &keys)?.into_iter().to_map();
    let mut batch = Batch::default();
    for Question { service, keys, .. } in questions.into_iter().filter(|question| question.again) {
        for key in keys {
            let Some(listed) = found.get(&key) else {
                continue;
            };
            let now = get_one(run, service, listed.id)?
                .and_then(|object| Likeness::of_row(service, &object))
                .map(|likeness| Found {
                    id: listed.id,
                    likeness,
                });
            match now.filter(|now| index_keys(service, now).contains(&key)) {
                Some(now) => {
                    found.insert(key, now);
                }
                None => {
                    found.remove(&key);
                    batch.delete(FOUND, key);
                }
            }
        }
    }
    run.commit(batch)?;
    Ok(found)
}

/// Something without a key of ours, of the same customer, day and amount, that no record is paired with.
pub fn lookalike(
    run: &mut Run,
    service: Service,
    customer: i64,
    date: NaiveDate,
    total: rust_decimal::Decimal,
) -> Job<Option<Found>> {
    let found = lookup_prefix(run, &by_money(service, customer, date, total))?;
    let remotes: Vec<String> = found
        .iter()
        .map(|(_, found)| format!("{}/{}", service.name(), found.id))
        .collect();
    let paired = run.cap.get(REMOTE, &remotes)?;
    let mut free = found
        .into_iter()
        .zip(remotes)
        .filter(|(_, remote)| paired.iter().all(|entry| entry.key != *remote));
    Ok(free.next().map(|((_, found), _)| found))
}

/// What was listed under index keys that start so.
pub fn lookup_prefix(run: &mut Run, prefix: &str) -> Job<Vec<(String, Found)>> {
    const ENOUGH_TO_TELL: u32 = 20;
    let entries = run.cap.scan(FOUND, prefix, "", ENOUGH_TO_TELL)?;
    entries.into_iter().map(parse_entry).collect()
}

pub(super) fn parse_entry(entry: crate::capability::Entry) -> Job<(String, Found)> {
    stored::from_text(&entry.value)
        .map(|found| (entry.key, found))
        .ok_or_else(|| {
            Halt::Failed(Failure::new(
                "damaged",
                "What was stored of Sage's lists cannot be read. Restore the latest backup, or ask support.",
            ))
        })
}

/// The highest id of a service that is known; objects stored later have higher ones.
pub fn highest(run: &mut Run, service: Service) -> Job<i64> {
    let text = run.meta(&highest_key(service))?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Notes in a commit the highest id that is known now.
pub fn set_highest(batch: &mut Batch, service: Service, id: i64) {
    batch.set(META, highest_key(service), id.to_string());
}

fn highest_key(service: Service) -> String {
    format!("highest/{}", service.name())
}

/// Lists what Sage has of a service from a date on, unless that was done before. Goes on where it was interrupted.
pub fn take_over(run: &mut Run, service: Service, from: Option<NaiveDate>) -> Job<()> {
    let done_key = taken_over_key(service);
    let place_key = format!("taking-over/{}", service.name());
    let from_text = from.map_or_else(String::new, |date| date.to_string());
    if let Some(done) = run.meta(&done_key)?
        && (done.is_empty() || done <= from_text)
    {
        return Ok(());
    }
    let filter = from.map(|date| format!("Date ge datetime'{date}T00:00:00'"));
    // The place of an interrupted listing counts only if it was looking for the same.
    let mut above = match run.meta(&place_key)? {
        Some(place) => place
            .split_once('|')
            .filter(|(of, _)| *of == from_text)
            .and_then(|(_, id)| id.parse().ok())
            .unwrap_or(0),
        None => 0,
    };
    let stage = format!("Reading Sage: {}s", service.title());
    let mut seen = 0;
    loop {
        run.progress(&stage, seen, 0)?;
        let (rows, complete) = newer(run, service.name(), above, filter.as_deref())?;
        let mut batch = Batch::default();
        above = index(run, &mut batch, service, &rows, above)?;
        seen += rows.len() as u64;
        batch.set(META, place_key.clone(), format!("{from_text}|{above}"));
        if complete {
            batch.set(META, done_key.clone(), from_text.clone());
        }
        run.commit(batch)?;
        if complete {
            run.cap.log("info", &format!("{stage}: {seen} read"));
            return Ok(());
        }
    }
}

/// Holds the from-date with which a service was listed (empty: all of it).
pub(super) fn taken_over_key(service: Service) -> String {
    format!("taken-over/{}", service.name())
}

/// Lists what Sage stored above an id, into the index. Complete once it returns.
pub fn refresh(run: &mut Run, service: Service, mut above: i64) -> Job<()> {
    let mut seen = 0;
    loop {
        run.progress(&format!("Reading Sage: {}s", service.title()), seen, 0)?;
        let (rows, complete) = newer(run, service.name(), above, None)?;
        seen += rows.len() as u64;
        let mut batch = Batch::default();
        above = index(run, &mut batch, service, &rows, above)?;
        run.commit(batch)?;
        if complete {
            return Ok(());
        }
    }
}

/// Lists what people typed into Sage since it was listed last: once a run, before anything is made, so that it is met and not doubled.
pub fn catch_up(run: &mut Run, service: Service) -> Job<()> {
    if run.caught_up.contains(&service) {
        return Ok(());
    }
    run.caught_up.push(service);
    let above = highest(run, service)?;
    refresh(run, service, above)
}

/// Indexes a page of rows; answers the highest id seen.
pub(super) fn index(
    run: &mut Run,
    batch: &mut Batch,
    service: Service,
    rows: &[Value],
    above: i64,
) -> Job<i64> {
    let mut last = above;
    let mut keys = Map::new_vec();
    for row in rows {
        let Some(id) = crate::json::integer(row, "ID") else {
            continue;
        };
        last = last.max(id);
        if let Some(likeness) = Likeness::of_row(service, row) {
            let found = Found { id, likeness };
            let text = stored::to_text(&found);
            for key in index_keys(service, &found) {
                keys.insert(key, text.clone());
            }
        }
    }
    for (key, text) in keys {
        batch.set(FOUND, key, text);
    }
    if last > highest(run, service)? {
        set_highest(batch, service, last);
    }
    Ok(last)
}
