//! Sage's side, as listed by this run, in a scratch table: objects by their ids, and the ways to find them without an id.

use chrono::Days;
use rust_decimal::Decimal;

use crate::capability::Failure;
use crate::collect::{Map, Set, ToMap};

use super::{Books, PLACE};
use crate::mark;
use crate::sage::{self, DocumentLikeness, Filter, MatchKey, Object, Service, fold};
use crate::stored::{self, stored};
use crate::write::ledger::{Run, RunError, RunResult};
use crate::write::record::{Batch, RecordKey, Remote};

/// The scratch table; empty between two runs of the job.
pub const TABLE: &str = "reconcile";
/// Before an object's `service/id`.
pub const AT: &str = "at/";
/// Before the ways to objects: service and key, service and number.
const MARK: &str = "mark/";
const NUMBER: &str = "number/";
/// Before a receipt's id: the sum of the payments that Splynx has of it.
pub const RECEIVED: &str = "in/";
/// Days before the first one that are listed as well: what is dated differently on the two sides is to be found all the same.
const SLACK_DAYS: u64 = 31;

const SERVICES: [Service; 4] = [
    Service::Customer,
    Service::TaxInvoice,
    Service::CustomerReturn,
    Service::CustomerReceipt,
];

/// An object of Sage as it was listed.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub id: i64,
    pub likeness: MatchKey,
    /// It stays in the list, and counts for nothing.
    pub is_void: bool,
    /// What is not settled yet; `None`: it is nothing that can be.
    pub open: Option<Decimal>,
    /// Of documents.
    pub vat: Option<Decimal>,
}

stored!(Listed { id, likeness } may { is_void, open, vat });

impl Listed {
    /// `None`: the row lacks what it is recognised by.
    fn of(service: Service, row: &Object) -> Option<Self> {
        Some(Self {
            id: row.id()?,
            likeness: MatchKey::of(service, row)?,
            is_void: row.is_void(),
            open: row.rest(),
            vat: row.tax(),
        })
    }

    pub fn document(&self) -> Option<&DocumentLikeness> {
        match &self.likeness {
            MatchKey::Document(document) => Some(document),
            _ => None,
        }
    }
}

/// Empties the table. First what is much and is in no report, then the place: a run that dies before that tells all of it again, and one
/// that dies later begins anew.
pub fn clear(run: &mut Run) -> RunResult<()> {
    for service in SERVICES.into_iter().filter(|s| *s != Service::Customer) {
        remove(run, &format!("{AT}{}/", service.name()))?;
    }
    for prefix in [RECEIVED, MARK, NUMBER] {
        remove(run, prefix)?;
    }
    remove(run, PLACE)?;
    remove(run, "")
}

fn remove(run: &mut Run, prefix: &str) -> RunResult<()> {
    const PAGE: u32 = 500;
    loop {
        let entries = run.cap.scan(TABLE, prefix, "", PAGE)?;
        if entries.is_empty() {
            return Ok(());
        }
        run.advance(0)?;
        let mut batch = Batch::default();
        for entry in entries {
            batch.delete(TABLE, entry.key);
        }
        run.commit(batch)?;
    }
}

/// Lists Sage's customers, or its documents or receipts from a date on.
pub fn list(run: &mut Run, books: &mut Books, service: Service) -> RunResult<()> {
    let from = books.place.from;
    let from = from.checked_sub_days(Days::new(SLACK_DAYS)).unwrap_or(from);
    let filter = (service != Service::Customer).then_some(Filter::DatedFrom(from));
    let stage = format!("Reading Sage: {}s", service.title());
    let mut above = books.place.after.parse().unwrap_or(0);
    loop {
        run.progress(&stage, books.place.done, 0)?;
        let (rows, complete) = sage::newer(run, service, above, filter)?;
        let mut batch = Batch::default();
        let mut index = Map::new_vec();
        for row in &rows {
            above = above.max(row.id().unwrap_or(above));
            if let Some(listed) = Listed::of(service, row) {
                note(&mut batch, &mut index, service, &listed);
            }
        }
        let marked = index.keys().filter(|key| key.starts_with(MARK)).cloned();
        for entry in run.cap.get(TABLE, &marked.collect::<Vec<_>>())? {
            index.remove(&entry.key);
        }
        for (key, id) in index {
            batch.set(TABLE, key, id);
        }
        books.commit(run, batch, above.to_string(), rows.len() as u64)?;
        if complete {
            return Ok(());
        }
    }
}

/// Puts an object into the table; `index`: the ways to it. Of several with a mark the first counts, since copies come later.
fn note(batch: &mut Batch, index: &mut Map<String, String>, service: Service, listed: &Listed) {
    for key in ways_to(service, listed) {
        if !(key.starts_with(MARK) && index.contains_key(&key)) {
            index.insert(key, listed.id.to_string());
        }
    }
    batch.set(TABLE, place(service, listed.id), stored::to_text(listed));
}

pub fn place(service: Service, id: i64) -> String {
    format!("{AT}{}/{id:012}", service.name())
}

/// The place of an object's service and id.
pub fn parse_place(key: &str) -> Option<Remote> {
    let (service, id) = key.strip_prefix(AT)?.split_once('/')?;
    let service = SERVICES.into_iter().find(|known| known.name() == service)?;
    let id = id.parse().ok()?;
    Some(Remote { service, id })
}

pub fn by_mark(service: Service, mark: &str) -> String {
    format!("{MARK}{}/{mark}", service.name())
}

/// Only of documents that no installation made: those others are their records'.
pub fn by_number(service: Service, number: &str) -> String {
    format!("{NUMBER}{}/{}", service.name(), fold(number))
}

/// How it is found without its id. A void one is looked for by none.
fn ways_to(service: Service, listed: &Listed) -> Vec<String> {
    let Some(document) = listed.document().filter(|_| !listed.is_void) else {
        return Vec::new();
    };
    let marks = mark::marks_in(&document.reference);
    let mut ways: Vec<String> = marks.iter().map(|mark| by_mark(service, mark)).collect();
    if !mark::is_made(&document.reference) && !document.number.trim().is_empty() {
        ways.push(by_number(service, &document.number));
    }
    ways
}

/// A record's question to Sage's side.
pub struct Wanted {
    pub key: RecordKey,
    pub service: Service,
    /// What the record is paired with.
    pub remote: Option<i64>,
    /// [`by_mark`] or [`by_number`], the surer one first.
    pub ways: Vec<String>,
    /// By the mark of earlier versions, which proves nothing: what is found there must agree with this.
    pub loose: Option<(String, DocumentLikeness)>,
}

impl Wanted {
    fn every_way(&self) -> impl Iterator<Item = &String> {
        let loose = self.loose.as_ref().map(|(way, _)| way);
        self.ways.iter().chain(loose)
    }

    /// Whether what was found on no surer way than [`Wanted::loose`] is this record's.
    fn agrees(&self, listed: &Listed) -> bool {
        self.loose.as_ref().is_some_and(|(_, own)| {
            let own = MatchKey::Document(own.clone());
            own.differences(&listed.likeness).is_empty()
        })
    }
}

/// An answer to a question.
pub struct Found {
    service: Service,
    pub listed: Listed,
    /// As Sage has it now, and not when it was listed.
    is_fresh: bool,
}

/// What answers each question; one object answers one. The batch takes them out of the table.
pub fn take(run: &mut Run, wanted: &[Wanted], batch: &mut Batch) -> RunResult<Vec<Option<Found>>> {
    let ways: Vec<String> = wanted.iter().flat_map(|w| w.every_way().cloned()).collect();
    let found_by = run.cap.get(TABLE, &ways)?.into_iter();
    let found_by = found_by
        .filter_map(|entry| Some((entry.key, entry.value.parse::<i64>().ok()?)))
        .to_map();
    let remote = |service: Service, id: i64| Remote { service, id };
    let candidates = wanted.iter().flat_map(|w| {
        let ids = w.every_way().filter_map(|way| found_by.get(way));
        ids.map(|id| remote(w.service, *id))
    });
    let owners = run.paired(candidates)?;
    let is_free = |w: &Wanted, id: i64| {
        let owner = owners.get(&remote(w.service, id).to_string());
        owner.is_none_or(|owner| *owner == w.key)
    };
    // Each with whether it is sure.
    let choices: Vec<Vec<(i64, bool)>> = wanted
        .iter()
        .map(|w| {
            let sure = w.ways.iter().filter_map(|way| found_by.get(way).copied());
            let loose = w
                .loose
                .as_ref()
                .and_then(|(way, _)| found_by.get(way).copied());
            let others = sure.map(|id| (id, true)).chain(loose.map(|id| (id, false)));
            let free = others.filter(|(id, _)| is_free(w, *id));
            w.remote
                .map(|id| (id, true))
                .into_iter()
                .chain(free)
                .collect()
        })
        .collect();
    let places = wanted.iter().zip(&choices);
    let places = places.flat_map(|(w, ids)| ids.iter().map(|(id, _)| place(w.service, *id)));
    let places: Vec<String> = places.collect();
    let entries = run.cap.get(TABLE, &places)?;
    let mut listed = Map::new_vec();
    for entry in entries {
        listed.insert(entry.key, (parse(&entry.value)?, false));
    }
    unlisted(run, wanted, &mut listed)?;

    let mut answers = Vec::with_capacity(wanted.len());
    for (question, ids) in wanted.iter().zip(choices) {
        let service = question.service;
        let taken = ids.into_iter().find_map(|(id, is_sure)| {
            let place = place(service, id);
            let fits = |(listed, _): &(Listed, bool)| is_sure || question.agrees(listed);
            listed.get(&place).filter(|found| fits(found))?;
            Some((listed.remove(&place)?, place))
        });
        answers.push(taken.map(|((listed, is_fresh), place)| {
            batch.delete(TABLE, place);
            Found {
                service,
                listed,
                is_fresh,
            }
        }));
    }
    Ok(answers)
}

/// Adds what records are paired with and what was not listed, as Sage has it now: dated long before, or made since.
fn unlisted(
    run: &mut Run,
    wanted: &[Wanted],
    listed: &mut Map<String, (Listed, bool)>,
) -> RunResult<()> {
    let remotes = wanted.iter().filter_map(|w| {
        let remote = Remote {
            service: w.service,
            id: w.remote?,
        };
        Some(remote)
    });
    let missing = remotes.filter(|r| !listed.contains_key(&place(r.service, r.id)));
    let missing: Vec<Remote> = missing.collect();
    for (service, now) in as_now(run, missing.into_iter())? {
        listed.insert(place(service, now.id), (now, true));
    }
    Ok(())
}

/// Asks Sage once more for what `is_doubtful`: it may have been changed or deleted since it was listed. What is gone becomes none.
pub fn ask_again(
    run: &mut Run,
    found: &mut [Option<Found>],
    is_doubtful: impl Fn(usize, &Listed) -> bool,
) -> RunResult<()> {
    let doubtful = |index: usize, found: &Option<Found>| {
        let found = found.as_ref().filter(|found| !found.is_fresh)?;
        is_doubtful(index, &found.listed).then_some(Remote {
            service: found.service,
            id: found.listed.id,
        })
    };
    let all = found.iter().enumerate();
    let remotes: Vec<Option<Remote>> = all.map(|(index, found)| doubtful(index, found)).collect();
    let now = as_now(run, remotes.iter().flatten().cloned())?;
    for (found, remote) in found.iter_mut().zip(remotes) {
        let Some(remote) = remote else { continue };
        let now = now
            .iter()
            .find(|(service, now)| *service == remote.service && now.id == remote.id);
        *found = now.map(|(service, now)| Found {
            service: *service,
            listed: now.clone(),
            is_fresh: true,
        });
    }
    Ok(())
}

/// What there is of these objects, as Sage has it now.
pub fn as_now(
    run: &mut Run,
    remotes: impl Iterator<Item = Remote>,
) -> RunResult<Vec<(Service, Listed)>> {
    let mut ids: Map<Service, Set<i64>> = Map::new_vec();
    for remote in remotes {
        ids.entry(remote.service).or_default().insert(remote.id);
    }
    let mut all = Vec::new();
    for (service, ids) in ids {
        let ids: Vec<i64> = ids.into_iter().collect();
        let rows = sage::by_ids(run, service, &ids)?;
        let listed = rows.iter().filter_map(|row| Listed::of(service, row));
        all.extend(listed.map(|listed| (service, listed)));
    }
    Ok(all)
}

pub fn parse(text: &str) -> RunResult<Listed> {
    stored::from_text(text).ok_or_else(|| {
        RunError::Failed(Failure::new(
            "damaged",
            "What this run had stored of Sage's lists cannot be read. Run it again.",
        ))
    })
}
