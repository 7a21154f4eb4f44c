//! What Sage already holds.
//!
//! Before the first create of a kind, Sage's objects of that kind are listed once and indexed by everything that could make ours
//! a duplicate (architecture, an older or emptier state). From then on only ids above the
//! highest known one are listed, and only when there is a doubt to settle.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::capability::Failure;
use crate::collect::{Map, Set, ToMap, ToSet};
use crate::mark;
use crate::planted::{Mistake, is_planted};
use crate::preview::MADE_ABOVE;
use crate::sage::{Filter, Found, MatchKey, Object, Service, by_ids, fold, newer};
use crate::stored;
use crate::write::known_customers::{customer_keys, customers_listed};
use crate::write::ledger::{META, Run, RunError, RunResult};
use crate::write::prefixes::under;
use crate::write::record::{Batch, RecordKey, Remote};

/// What was listed, by what it is recognised by → [`Found`] as JSON.
pub const FOUND: &str = "found";

/// Where in the index something is looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// A key that one object has.
    One(String),
    /// What the keys of several begin with; their ids follow.
    Several(String),
}

impl Way {
    /// As in the index.
    pub fn text(&self) -> &str {
        match self {
            Self::One(key) | Self::Several(key) => key,
        }
    }
}

/// The way to the objects that bear a mark: copies bear it as well.
pub fn by_mark(service: Service, mark: &str) -> Way {
    Way::Several(format!("{}{mark}|", marked(service)))
}

/// Before the marks in the keys of what bears one.
pub fn marked(service: Service) -> String {
    format!("{}/mark/", service.name())
}

/// The way to a customer by its name, or to a document by its number.
pub fn by_name(service: Service, name: &str) -> Way {
    Way::One(format!("{}/name/{}", service.name(), fold(name)))
}

/// The way to receipts that no installation made, by their reference. They have Sage's own numbers, so another add-on's trace of Splynx's
/// number is the reference.
pub fn by_reference(service: Service, reference: &str) -> Way {
    Way::Several(format!("{}/reference/{}|", service.name(), fold(reference)))
}

/// The way to documents and receipts that no installation made, by what makes them look like the same money.
pub fn by_money(service: Service, customer: i64, date: NaiveDate, total: Decimal) -> Way {
    of_day(&money_of(service, customer), date, total)
}

/// The same to those that installations have made.
pub fn by_made(service: Service, customer: i64, date: NaiveDate, total: Decimal) -> Way {
    of_day(&made_of(service, customer), date, total)
}

fn of_day(of_customer: &str, date: NaiveDate, total: Decimal) -> Way {
    Way::Several(format!("{of_customer}{date}|{}|", total.normalize()))
}

/// Before the dates in the keys of a customer's money.
pub fn money_of(service: Service, customer: i64) -> String {
    format!("{}/money/{customer}|", service.name())
}

/// Before the dates in the keys of what installations have made for a customer.
pub fn made_of(service: Service, customer: i64) -> String {
    format!("{}/made/{customer}|", service.name())
}

/// Of ways to several objects the ones on which anything was listed.
pub fn taken(run: &mut Run, ways: impl Iterator<Item = Way>) -> RunResult<Set<Way>> {
    let prefixes = ways.map(|way| way.text().to_owned()).to_set();
    let listed = under(run.cap, FOUND, prefixes, 1)?.into_iter();
    let taken = listed.filter(|(_, entries)| !entries.is_empty());
    Ok(taken.map(|(prefix, _)| Way::Several(prefix)).to_set())
}

/// What was listed under such a prefix with dates from one to another.
pub fn between(
    run: &mut Run,
    prefix: &str,
    from: NaiveDate,
    to: NaiveDate,
) -> RunResult<Vec<Found>> {
    const PAGE: u32 = 200;
    let mut after = format!("{prefix}{from}");
    let end = format!("{prefix}{to}|~");
    let mut all = Vec::new();
    loop {
        let page = run.cap.scan(FOUND, prefix, &after, PAGE)?;
        let is_last = page.len() < PAGE as usize;
        for entry in page {
            after.clone_from(&entry.key);
            if after > end {
                return Ok(all);
            }
            all.push(parse_entry(entry)?.1);
        }
        if is_last {
            return Ok(all);
        }
    }
}

/// The way to an allocation: a source settles an invoice once.
pub fn by_pair(source: i64, target: i64) -> Way {
    Way::One(format!(
        "{}/pair/{source}|{target}",
        Service::Allocation.name()
    ))
}

/// The source and target of an allocation's index key.
pub fn ends_of(pair: &str) -> Option<(i64, i64)> {
    let (_, ids) = pair.rsplit_once('/')?;
    let (source, target) = ids.split_once('|')?;
    Some((source.parse().ok()?, target.parse().ok()?))
}

/// Every index key under which an object can be found.
pub(super) fn index_keys(service: Service, found: &Found) -> Vec<String> {
    let ways = match &found.likeness {
        MatchKey::Customer(customer) => return customer_keys(found.id, customer),
        MatchKey::Allocation(allocation) => vec![by_pair(allocation.source, allocation.target)],
        MatchKey::Document(document) => {
            let reference = &document.reference;
            let mut ways = vec![by_name(service, &document.number)];
            let marks = mark::marks_in(reference);
            ways.extend(marks.iter().map(|mark| by_mark(service, mark)));
            let by_look = if mark::is_made(reference) {
                by_made
            } else {
                if service == Service::CustomerReceipt {
                    ways.push(by_reference(service, reference));
                }
                by_money
            };
            let (customer, date) = (document.customer, document.date);
            ways.push(by_look(service, customer, date, document.total));
            ways
        }
    };
    let keys = ways.into_iter().map(|way| match way {
        Way::One(key) => key,
        Way::Several(prefix) => format!("{prefix}{}", found.id),
    });
    keys.to_set().into_iter().collect()
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

/// What was listed on these ways, by their texts. It is as old as the list: [`survey`] looks again.
pub fn lookup(run: &mut Run, ways: &[Way]) -> RunResult<Vec<(String, Found)>> {
    const ENOUGH_TO_TELL: u32 = 20;
    let one = ways.iter().filter_map(|way| match way {
        Way::One(key) => Some(key.clone()),
        Way::Several(_) => None,
    });
    let entries = run.cap.get(FOUND, &one.collect::<Vec<_>>())?;
    let mut found: Vec<(String, Found)> = entries
        .into_iter()
        .map(parse_entry)
        .collect::<RunResult<_>>()?;
    let several = ways.iter().filter_map(|way| match way {
        Way::Several(prefix) => Some(prefix.clone()),
        Way::One(_) => None,
    });
    for (prefix, entries) in under(run.cap, FOUND, several.to_set(), ENOUGH_TO_TELL)? {
        for entry in entries {
            found.push((prefix.clone(), parse_entry(entry)?.1));
        }
    }
    let customers = found
        .iter()
        .filter(|(_, found)| matches!(found.likeness, MatchKey::Customer(_)))
        .map(|(_, found)| found.id)
        .to_set();
    // A customer that was renamed since still stands under its old name.
    let now = customers_listed(run, &customers.into_iter().collect::<Vec<_>>())?;
    found.retain_mut(|(key, found)| {
        if !matches!(found.likeness, MatchKey::Customer(_)) {
            return true;
        }
        now.get(&found.id).is_none_or(|now| {
            found.clone_from(now);
            index_keys(Service::Customer, now).contains(key)
        })
    });
    Ok(found)
}

/// What a record asks of the index.
pub struct Question {
    pub service: Service,
    pub ways: Vec<Way>,
    /// What the record is paired with: that is no news.
    pub own: Option<i64>,
}

/// What Sage has on the ways of some questions, as it is now.
#[derive(Default)]
pub struct Survey {
    found: BTreeMap<String, Vec<Found>>,
    /// The records that it is paired with, by [`Remote`]s.
    owners: Map<String, RecordKey>,
}

impl Survey {
    /// What is there on these ways; each object once.
    pub fn on(&self, ways: &[Way]) -> Vec<&Found> {
        let mut seen = Set::new();
        let found = ways
            .iter()
            .filter_map(|way| self.found.get(way.text()))
            .flatten();
        found.filter(|found| seen.insert(found.id)).collect()
    }

    /// The record that an object is paired with.
    pub fn owner(&self, service: Service, id: i64) -> Option<RecordKey> {
        let remote = Remote { service, id };
        self.owners.get(&remote.to_string()).copied()
    }

    /// The ids of everything that was found.
    pub fn ids(&self) -> Set<i64> {
        let found = self.found.values().flatten();
        found.map(|found| found.id).to_set()
    }
}

/// What Sage has on the ways of all questions. What an earlier request has listed is read again: it may have been changed or deleted since,
/// and decisions rest on it.
pub fn survey(run: &mut Run, questions: &[Question]) -> RunResult<Survey> {
    let ways: Vec<Way> = questions.iter().flat_map(|q| q.ways.clone()).collect();
    let service_of = questions
        .iter()
        .flat_map(|q| q.ways.iter().map(|way| (way.text().to_owned(), q.service)))
        .to_map();
    let own = questions
        .iter()
        .filter_map(|q| Some((q.service, q.own?)))
        .to_set();
    let listed: Vec<(String, Service, Found)> = lookup(run, &ways)?
        .into_iter()
        .filter_map(|(way, found)| Some((way.clone(), *service_of.get(&way)?, found)))
        .collect();
    let owners = run.paired(listed.iter().map(|(_, service, found)| Remote {
        service: *service,
        id: found.id,
    }))?;
    let doubtful = listed
        .iter()
        .filter(|(_, service, found)| !own.contains(&(*service, found.id)))
        .map(|(_, service, found)| (*service, found.clone()));
    let now = as_now(run, doubtful.collect())?;
    let mut survey = Survey {
        found: BTreeMap::new(),
        owners,
    };
    for (way, service, found) in listed {
        let now = match now.get(&(service, found.id)) {
            Some(now) => now.clone(),
            None => Some(found),
        };
        if let Some(now) = now
            && index_keys(service, &now)
                .iter()
                .any(|key| *key == way || *key == format!("{way}{}", now.id))
        {
            survey.found.entry(way).or_default().push(now);
        }
    }
    Ok(survey)
}

/// Reads objects again that were listed, and sets the index right. Answers whether one of them was changed or deleted since.
pub fn read_again(run: &mut Run, service: Service, listed: Vec<Found>) -> RunResult<bool> {
    let questions = listed.iter().map(|found| (service, found.clone()));
    let now = as_now(run, questions.collect())?;
    let is_changed = |found: &Found| {
        let now = now.get(&(service, found.id));
        now.is_some_and(|now| now.as_ref() != Some(found))
    };
    Ok(listed.iter().any(is_changed))
}

/// Objects that were listed, as Sage has them now; `None`: it is gone. The index is set right.
fn as_now(
    run: &mut Run,
    listed: Vec<(Service, Found)>,
) -> RunResult<Map<(Service, i64), Option<Found>>> {
    let mut now = Map::new_vec();
    if is_planted(Mistake::ListBelieved) {
        return Ok(now);
    }
    let mut ids: BTreeMap<Service, BTreeSet<i64>> = BTreeMap::new();
    // A preview's own are nowhere else.
    for (service, found) in listed.iter().filter(|(_, found)| found.id <= MADE_ABOVE) {
        ids.entry(*service).or_default().insert(found.id);
    }
    for (service, ids) in ids {
        let ids: Vec<i64> = ids.into_iter().collect();
        for id in &ids {
            now.insert((service, *id), None);
        }
        for row in by_ids(run, service, &ids)? {
            if let (Some(id), Some(likeness)) = (row.id(), MatchKey::of(service, &row)) {
                now.insert((service, id), Some(Found { id, likeness }));
            }
        }
    }
    // What an object stood under before, and then what it stands under now: each key is changed once.
    let mut index: BTreeMap<String, Option<String>> = BTreeMap::new();
    let is_news = |(service, found): &&(Service, Found)| {
        let now = now.get(&(*service, found.id));
        now.is_some_and(|now| now.as_ref() != Some(found))
    };
    let news: Vec<&(Service, Found)> = listed.iter().filter(is_news).collect();
    for (service, found) in &news {
        for entry in run.cap.get(FOUND, &index_keys(*service, found))? {
            let (key, other) = parse_entry(entry)?;
            // A name that another object has by now stays that one's.
            if other.id == found.id {
                index.insert(key, None);
            }
        }
    }
    for (service, found) in &news {
        if let Some(Some(now)) = now.get(&(*service, found.id)) {
            let text = stored::to_text(now);
            let keys = index_keys(*service, now).into_iter();
            index.extend(keys.map(|key| (key, Some(text.clone()))));
        }
    }
    let mut batch = Batch::default();
    for (key, text) in index {
        match text {
            Some(text) => batch.set(FOUND, key, text),
            None => batch.delete(FOUND, key),
        }
    }
    run.commit(batch)?;
    Ok(now)
}

pub fn parse_entry(entry: crate::capability::Entry) -> RunResult<(String, Found)> {
    stored::from_text(&entry.value)
        .map(|found| (entry.key, found))
        .ok_or_else(|| {
            RunError::Failed(Failure::new(
                "damaged",
                "What was stored of Sage's lists cannot be read. Restore the latest backup, or ask support.",
            ))
        })
}

/// The highest id of a service that is known; objects stored later have higher ones.
pub fn highest(run: &mut Run, service: Service) -> RunResult<i64> {
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
pub fn build_index(run: &mut Run, service: Service, from: Option<NaiveDate>) -> RunResult<()> {
    let done_key = taken_over_key(service);
    let place_key = format!("taking-over/{}", service.name());
    let from_text = from.map_or_else(String::new, |date| date.to_string());
    index_again(run, service)?;
    if let Some(done) = run.meta(&done_key)?
        && (done.is_empty() || done <= from_text)
    {
        return Ok(());
    }
    let filter = from.map(Filter::DatedFrom);
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
        run.meanwhile(&stage, seen)?;
        let (rows, complete) = newer(run, service, above, filter)?;
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

/// Indexes once more what an earlier version has listed: it kept one object for a mark, took more for marks, and did not index by money what
/// bears one.
fn index_again(run: &mut Run, service: Service) -> RunResult<()> {
    const PAGE: u32 = 200;
    let done = format!("indexed-by-money/{}", service.name());
    if service == Service::Customer || run.meta(&done)?.is_some() {
        return Ok(());
    }
    let mut after = String::new();
    loop {
        let entries = run
            .cap
            .scan(FOUND, &format!("{}/", service.name()), &after, PAGE)?;
        let mut batch = Batch::default();
        match entries.last() {
            Some(last) => after.clone_from(&last.key),
            None => batch.set(META, done.clone(), "1"),
        }
        let complete = entries.is_empty();
        let mut index = BTreeMap::new();
        for entry in entries {
            let (_, found) = parse_entry(entry)?;
            let text = stored::to_text(&found);
            let keys = index_keys(service, &found).into_iter();
            index.extend(keys.map(|key| (key, text.clone())));
        }
        for (key, text) in index {
            batch.set(FOUND, key, text);
        }
        run.commit(batch)?;
        if complete {
            return Ok(());
        }
    }
}

/// Holds the from-date with which a service was listed (empty: all of it).
pub(super) fn taken_over_key(service: Service) -> String {
    format!("taken-over/{}", service.name())
}

/// Lists what Sage stored above an id, into the index. Complete once it returns.
pub fn refresh(run: &mut Run, service: Service, mut above: i64) -> RunResult<()> {
    let mut seen = 0;
    loop {
        run.meanwhile(&format!("Reading Sage: {}s", service.title()), seen)?;
        let (rows, complete) = newer(run, service, above, None)?;
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
pub fn refresh_index(run: &mut Run, service: Service) -> RunResult<()> {
    if run.caught_up.contains(&service) {
        return Ok(());
    }
    let above = highest(run, service)?;
    refresh(run, service, above)?;
    // Not before: what could not be listed must not count as listed for the rest of the run.
    run.caught_up.push(service);
    Ok(())
}

/// Indexes a page of rows; answers the highest id seen.
pub(super) fn index(
    run: &mut Run,
    batch: &mut Batch,
    service: Service,
    rows: &[Object],
    above: i64,
) -> RunResult<i64> {
    let mut last = above;
    let mut keys = Map::new_vec();
    for row in rows {
        let Some(id) = row.id() else {
            continue;
        };
        last = last.max(id);
        if let Some(likeness) = MatchKey::of(service, row) {
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
