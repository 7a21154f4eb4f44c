//! What no record of Splynx took: receipts that were made in Sage, and whatever Sage has besides.

use rust_decimal::Decimal;

use super::Books;
use super::finding::{Class, Finding, kind_of, missing};
use super::sage_side::{self, AT, Listed, RECEIVED, TABLE};
use super::splynx_side::whose;
use super::sums::Whose;
use crate::collect::{Map, ToMap};
use crate::mark::Sign;
use crate::money;
use crate::sage::{DocumentLikeness, MatchKey, Service};
use crate::stored;
use crate::sync::births;
use crate::write::ledger::{Run, RunResult};
use crate::write::record::{Batch, Kind, RecordKey, Remote, State, Stored};

const PAGE: u32 = 200;

pub fn received_key(receipt: i64) -> String {
    format!("{RECEIVED}{receipt:012}")
}

/// What is known of a page of Sage's objects.
struct Facts {
    /// Their records, by [`Remote`]s.
    pairs: Map<String, RecordKey>,
    /// By the keys that marks name, the records that they were made for.
    bearers: Map<RecordKey, RecordKey>,
    /// Receipts that were made in Sage, and records that marks name.
    records: Map<RecordKey, Stored>,
    received: Map<i64, Decimal>,
    whose: Map<i64, Whose>,
}

pub fn of_sage(run: &mut Run, books: &mut Books) -> RunResult<()> {
    let mut after = books.place.after.clone();
    loop {
        run.progress("Looking at what is in Sage alone", books.place.done, 0)?;
        let entries = run.cap.scan(TABLE, AT, &after, PAGE)?;
        let Some(last) = entries.last() else {
            return Ok(());
        };
        after.clone_from(&last.key);
        let mut page = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Some(remote) = sage_side::parse_place(&entry.key) {
                page.push((remote, sage_side::parse(&entry.value)?));
            }
        }
        let done = page.len() as u64;
        let facts = Facts::of_now(run, books, &mut page)?;
        for (remote, found) in &page {
            facts.tell(run, books, remote, found);
        }
        // What is left are payments of receipts that Sage no longer has.
        let mut batch = Batch::default();
        for receipt in facts.received.keys() {
            batch.delete(TABLE, received_key(*receipt));
        }
        books.commit(run, batch, after.clone(), done)?;
    }
}

/// Payments in Splynx of receipts that were not listed: made since, or Sage no longer has them. What it has is looked at with the rest.
pub fn of_imports(run: &mut Run, books: &mut Books) -> RunResult<()> {
    let mut after = books.place.after.clone();
    loop {
        let entries = run.cap.scan(TABLE, RECEIVED, &after, PAGE)?;
        let Some(last) = entries.last() else {
            return Ok(());
        };
        after.clone_from(&last.key);
        let received = entries.iter().filter_map(|entry| {
            let id: i64 = entry.key.strip_prefix(RECEIVED)?.parse().ok()?;
            Some((id, stored::from_text::<Decimal>(&entry.value)?))
        });
        let mut missing: Map<i64, Decimal> = received.to_map();
        let service = Service::CustomerReceipt;
        let places = missing.keys().map(|id| sage_side::place(service, *id));
        for entry in run.cap.get(TABLE, &places.collect::<Vec<_>>())? {
            if let Some(remote) = sage_side::parse_place(&entry.key) {
                missing.remove(&remote.id);
            }
        }
        let remotes = missing.keys().map(|id| Remote { service, id: *id });
        let remotes: Vec<Remote> = remotes.collect();
        let mut batch = Batch::default();
        for (service, now) in sage_side::as_now(run, remotes.into_iter())? {
            missing.remove(&now.id);
            batch.set(
                TABLE,
                sage_side::place(service, now.id),
                stored::to_text(&now),
            );
        }
        let keys = missing.keys().map(|id| RecordKey::new(Kind::Receipt, *id));
        let records = run.records(keys.collect::<Vec<_>>())?;
        for (receipt, amount) in missing {
            let key = RecordKey::new(Kind::Receipt, receipt);
            let record = records.get(&key).and_then(|stored| stored.record.as_ref());
            books.tell(&Finding {
                class: Class::OnlyHere,
                id: key.to_string(),
                kind: Kind::Receipt.name(),
                label: record.map_or_else(String::new, |record| record.label.clone()),
                customer: record.map(|record| record.customer),
                date: None,
                here: Some(amount),
                there: None,
                why: "Splynx has its payments, and Sage no longer has the receipt.".to_owned(),
            });
        }
        books.commit(run, batch, after.clone(), 0)?;
    }
}

impl Facts {
    /// What is known of a page, in which whatever would be told is as Sage has it now: what was deleted since leaves the page.
    fn of_now(run: &mut Run, books: &Books, page: &mut Vec<(Remote, Listed)>) -> RunResult<Self> {
        let facts = Self::gather(run, page)?;
        let told = page
            .iter()
            .filter(|(remote, found)| {
                let verdict = facts.verdict(run, books, remote, found);
                verdict.is_some_and(|(class, _)| class.is_difference())
            })
            .map(|(remote, _)| remote.clone());
        let told: Vec<Remote> = told.collect();
        if told.is_empty() {
            return Ok(facts);
        }
        let now = sage_side::as_now(run, told.iter().cloned())?;
        page.retain_mut(|(remote, found)| {
            if !told.contains(remote) {
                return true;
            }
            let now = now
                .iter()
                .find(|(service, now)| *service == remote.service && now.id == remote.id);
            if let Some((_, now)) = now {
                found.clone_from(now);
            }
            now.is_some()
        });
        Self::gather(run, page)
    }

    fn gather(run: &mut Run, page: &[(Remote, Listed)]) -> RunResult<Self> {
        let remotes: Vec<Remote> = page.iter().map(|(remote, _)| remote.clone()).collect();
        let pairs = run.paired(remotes.iter().cloned())?;
        let identity = run.settings.identity.clone();
        let references = page.iter().filter_map(|(_, found)| found.document());
        let signs = references.flat_map(|found| identity.signs(&found.reference));
        let marks = signs.filter_map(|sign| match sign {
            Sign::Ours(key) => Some(key),
            Sign::Anothers | Sign::Old(_) => None,
        });
        let bearers = births::bearers(run, marks)?;
        let receipts = remotes
            .iter()
            .filter(|remote| remote.service == Service::CustomerReceipt)
            .map(|remote| remote.id);
        let receipts: Vec<i64> = receipts.collect();
        let made_there = receipts.iter().map(|id| RecordKey::new(Kind::Receipt, *id));
        let keys: Vec<RecordKey> = bearers.values().copied().chain(made_there).collect();
        let records = run.records(keys)?;
        let places: Vec<String> = receipts.iter().map(|id| received_key(*id)).collect();
        let received = run.cap.get(TABLE, &places)?.into_iter();
        let received = received.filter_map(|entry| {
            let id = entry.key.strip_prefix(RECEIVED)?.parse().ok()?;
            Some((id, stored::from_text(&entry.value)?))
        });
        let received = received.to_map();
        let whose = whose(run, page.iter().map(|(_, found)| found))?;
        Ok(Self {
            pairs,
            bearers,
            records,
            received,
            whose,
        })
    }

    fn tell(&self, run: &Run, books: &mut Books, remote: &Remote, found: &Listed) {
        let Some((class, why)) = self.verdict(run, books, remote, found) else {
            return;
        };
        let service = remote.service;
        let finding = match &found.likeness {
            MatchKey::Document(there) => {
                let owner = self.whose.get(&there.customer).copied();
                match class {
                    Class::LeftOut => {
                        books.sums.left_out_there(service, there.date, there.total);
                    }
                    _ => {
                        let owner = owner.unwrap_or(Whose::Stranger(there.customer));
                        books.sums.there(service, owner, there.date, there.total);
                    }
                }
                Finding {
                    class,
                    id: remote.to_string(),
                    kind: kind_of(service),
                    label: there.number.clone(),
                    customer: owner.and_then(|owner| match owner {
                        Whose::Splynx(id) => Some(id),
                        Whose::Stranger(_) => None,
                    }),
                    date: Some(there.date),
                    here: self.here(remote),
                    there: Some(there.total),
                    why,
                }
            }
            MatchKey::Customer(customer) => Finding {
                class,
                id: remote.to_string(),
                kind: Kind::Customer.name(),
                label: customer.name.clone(),
                customer: None,
                date: None,
                here: None,
                there: None,
                why,
            },
            MatchKey::Allocation(_) => return,
        };
        books.tell(&finding);
    }

    /// What Splynx has of a receipt.
    fn here(&self, remote: &Remote) -> Option<Decimal> {
        let here = self.received.get(&remote.id).copied();
        here.filter(|_| remote.service == Service::CustomerReceipt)
    }

    /// `None`: there is nothing to be said of it.
    fn verdict(
        &self,
        run: &Run,
        books: &Books,
        remote: &Remote,
        found: &Listed,
    ) -> Option<(Class, String)> {
        match &found.likeness {
            MatchKey::Document(_) if found.is_void => None,
            MatchKey::Document(there) => Some(self.verdict_of_document(run, books, remote, there)),
            MatchKey::Customer(_) => Some(match self.pairs.get(&remote.to_string()) {
                Some(key) => (
                    Class::OnlyThere,
                    format!("Splynx's customer {} was deleted.", key.id),
                ),
                // A company may well have customers of other trades.
                None => (
                    Class::LeftOut,
                    "No customer of Splynx is paired with it.".to_owned(),
                ),
            }),
            MatchKey::Allocation(_) => None,
        }
    }

    fn verdict_of_document(
        &self,
        run: &Run,
        books: &Books,
        remote: &Remote,
        there: &DocumentLikeness,
    ) -> (Class, String) {
        let receipt = RecordKey::new(Kind::Receipt, remote.id);
        let receipt = self.records.get(&receipt).and_then(|s| s.record.as_ref());
        if let Some(here) = self.here(remote) {
            if here == there.total {
                return (Class::Matched, String::new());
            }
            let reason = receipt.map(|record| record.reason.message.as_str());
            let reason = reason.filter(|reason| !reason.is_empty());
            let why = format!(
                "Splynx has payments of {}, Sage a receipt of {}.",
                money::written(here),
                money::written(there.total)
            );
            let why = reason.map_or_else(|| why.clone(), |reason| format!("{why} {reason}"));
            return (Class::Amount, why);
        }
        let pair = self.pairs.get(&remote.to_string());
        let gone = || {
            let why = "Splynx no longer has its record.".to_owned();
            (Class::OnlyThere, why)
        };
        let signs = run.settings.identity.signs(&there.reference);
        let own = signs.iter().find_map(|sign| match sign {
            Sign::Ours(key) => Some(*key),
            Sign::Anothers | Sign::Old(_) => None,
        });
        if own.is_none() && signs.contains(&Sign::Anothers) {
            let why = "Its key is another installation's.".to_owned();
            return (Class::LeftOut, why);
        }
        let Some(key) = own else {
            return match (pair, receipt) {
                _ if there.date < books.place.from => {
                    let why = "It is dated before the day from which books are compared.";
                    (Class::LeftOut, why.to_owned())
                }
                (_, Some(record)) if record.state == State::Skipped => {
                    missing(Some(record), (Class::LeftOut, ""))
                }
                (_, Some(record)) if !record.reason.message.is_empty() => {
                    (Class::OnlyThere, record.reason.message.clone())
                }
                (Some(_), None) => gone(),
                _ => (
                    Class::OnlyThere,
                    "It was not made by this add-on, and Splynx has nothing of it.".to_owned(),
                ),
            };
        };
        let bearer = self.bearers.get(&key);
        let record = bearer.and_then(|key| self.records.get(key)?.record.as_ref());
        match record.and_then(|record| record.remote.as_ref()) {
            Some(other) if other != remote => (
                Class::Duplicate,
                format!("It bears the key of {other} too: somebody copied that one."),
            ),
            _ if there.date < books.place.from => {
                let why = "It is dated before the day from which books are compared.";
                (Class::LeftOut, why.to_owned())
            }
            _ => gone(),
        }
    }
}
