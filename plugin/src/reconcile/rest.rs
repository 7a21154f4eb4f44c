//! What no record of Splynx took: receipts that were made in Sage, and whatever Sage has besides.

use rust_decimal::Decimal;

use super::Books;
use super::finding::{Class, Finding, kind_of, missing};
use super::here::whose;
use super::sums::Whose;
use super::there::{self, AT, Listed, TABLE};
use crate::collect::{Map, ToMap};
use crate::sage::{DocumentLikeness, Likeness, Service, mark_in};
use crate::stored;
use crate::write::ledger::{Job, Run};
use crate::write::record::{Batch, Kind, RecordKey, Remote, State, Stored};

const PAGE: u32 = 200;
/// Before a receipt's id: the sum of the payments that Splynx has of it.
const RECEIVED: &str = "in/";

pub fn received_key(receipt: i64) -> String {
    format!("{RECEIVED}{receipt:012}")
}

/// What is known of a page of Sage's objects.
struct Facts {
    /// Their records, by [`Remote`]s.
    pairs: Map<String, RecordKey>,
    /// Receipts that were made in Sage, and records that marks name.
    records: Map<RecordKey, Stored>,
    received: Map<i64, Decimal>,
    whose: Map<i64, Whose>,
}

pub fn of_sage(run: &mut Run, books: &mut Books) -> Job<()> {
    let mut after = String::new();
    loop {
        run.progress("Looking at what is in Sage alone", 0, 0)?;
        let entries = run.cap.scan(TABLE, AT, &after, PAGE)?;
        let Some(last) = entries.last() else {
            return Ok(());
        };
        after.clone_from(&last.key);
        let mut page = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Some(remote) = there::parse_place(&entry.key) {
                page.push((remote, there::parse(&entry.value)?));
            }
        }
        let facts = Facts::gather(run, &page)?;
        for (remote, found) in &page {
            match &found.likeness {
                Likeness::Document(_) if found.is_void => {}
                Likeness::Document(document) => facts.tell(run, books, remote, document),
                Likeness::Customer(customer) => {
                    let why = match facts.pairs.get(&remote.to_string()) {
                        Some(key) => format!("Splynx's customer {} was deleted.", key.id),
                        None => "No customer of Splynx is paired with it.".to_owned(),
                    };
                    let is_ours = facts.pairs.contains_key(&remote.to_string());
                    books.tell(
                        run,
                        &Finding {
                            // A company may well have customers of other trades.
                            class: if is_ours {
                                Class::OnlyThere
                            } else {
                                Class::LeftOut
                            },
                            id: remote.to_string(),
                            kind: Kind::Customer.name(),
                            label: customer.name.clone(),
                            customer: None,
                            date: None,
                            here: None,
                            there: None,
                            why,
                        },
                    );
                }
                Likeness::Allocation(_) => {}
            }
        }
        // What is left are payments of receipts that Sage no longer has.
        let mut batch = Batch::default();
        for receipt in facts.received.keys() {
            batch.delete(TABLE, received_key(*receipt));
        }
        run.commit(batch)?;
        books.flush(run)?;
    }
}

/// Payments in Splynx of receipts that Sage no longer has.
pub fn of_imports(run: &mut Run, books: &mut Books) -> Job<()> {
    let mut after = String::new();
    loop {
        let entries = run.cap.scan(TABLE, RECEIVED, &after, PAGE)?;
        let Some(last) = entries.last() else {
            return Ok(());
        };
        after.clone_from(&last.key);
        for entry in entries {
            let receipt = entry
                .key
                .strip_prefix(RECEIVED)
                .and_then(|id| id.parse().ok());
            let amount = stored::from_text::<Decimal>(&entry.value);
            let (Some(receipt), Some(amount)) = (receipt, amount) else {
                continue;
            };
            let key = RecordKey::new(Kind::Receipt, receipt);
            let record = run.records([key])?.into_iter().next();
            let record = record.and_then(|(_, stored)| stored.record);
            books.tell(
                run,
                &Finding {
                    class: Class::OnlyHere,
                    id: key.to_string(),
                    kind: Kind::Receipt.name(),
                    label: record
                        .as_ref()
                        .map_or_else(String::new, |r| r.label.clone()),
                    customer: record.as_ref().map(|record| record.customer),
                    date: None,
                    here: Some(amount),
                    there: None,
                    why: "Splynx has its payments, and Sage no longer has the receipt.".to_owned(),
                },
            );
        }
        books.flush(run)?;
    }
}

impl Facts {
    fn gather(run: &mut Run, page: &[(Remote, Listed)]) -> Job<Self> {
        let remotes: Vec<Remote> = page.iter().map(|(remote, _)| remote.clone()).collect();
        let pairs = run.paired(remotes.iter().cloned())?;
        let settings = &run.settings;
        let marked = page.iter().filter_map(|(_, found)| {
            let document = found.document()?;
            settings.record_of(mark_in(&document.reference)?)
        });
        let receipts = remotes
            .iter()
            .filter(|remote| remote.service == Service::CustomerReceipt)
            .map(|remote| remote.id);
        let receipts: Vec<i64> = receipts.collect();
        let made_there = receipts.iter().map(|id| RecordKey::new(Kind::Receipt, *id));
        let keys: Vec<RecordKey> = marked.chain(made_there).collect();
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
            records,
            received,
            whose,
        })
    }

    fn tell(&self, run: &mut Run, books: &mut Books, remote: &Remote, there: &DocumentLikeness) {
        let (service, date) = (remote.service, there.date);
        let here = self.received.get(&remote.id).copied();
        let here = here.filter(|_| service == Service::CustomerReceipt);
        let (class, why) = self.verdict(run, books, remote, there, here);
        let owner = self.whose.get(&there.customer).copied();
        match class {
            Class::LeftOut => books.sums.left_out_there(service, date, there.total),
            _ => {
                let owner = owner.unwrap_or(Whose::Stranger(there.customer));
                books.sums.there(service, owner, date, there.total);
            }
        }
        books.tell(
            run,
            &Finding {
                class,
                id: remote.to_string(),
                kind: kind_of(service),
                label: there.number.clone(),
                customer: owner.and_then(|owner| match owner {
                    Whose::Splynx(id) => Some(id),
                    Whose::Stranger(_) => None,
                }),
                date: Some(date),
                here,
                there: Some(there.total),
                why,
            },
        );
    }

    fn verdict(
        &self,
        run: &Run,
        books: &Books,
        remote: &Remote,
        there: &DocumentLikeness,
        here: Option<Decimal>,
    ) -> (Class, String) {
        let receipt = RecordKey::new(Kind::Receipt, remote.id);
        let receipt = self.records.get(&receipt).and_then(|s| s.record.as_ref());
        if let Some(here) = here {
            if here == there.total {
                return (Class::Matched, String::new());
            }
            let reason = receipt.map(|record| record.reason.message.as_str());
            let reason = reason.filter(|reason| !reason.is_empty());
            let why = format!(
                "Splynx has payments of {here:.2}, Sage a receipt of {:.2}.",
                there.total
            );
            let why = reason.map_or_else(|| why.clone(), |reason| format!("{why} {reason}"));
            return (Class::Amount, why);
        }
        let pair = self.pairs.get(&remote.to_string());
        let gone = || {
            let why = "Splynx no longer has its record.".to_owned();
            (Class::OnlyThere, why)
        };
        let Some(mark) = mark_in(&there.reference) else {
            return match (pair, receipt) {
                _ if there.date < books.scope.from => {
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
        let Some(key) = run.settings.record_of(mark) else {
            let why = format!("Its key {mark} is another installation's.");
            return (Class::LeftOut, why);
        };
        let record = self.records.get(&key).and_then(|s| s.record.as_ref());
        match record.and_then(|record| record.remote.as_ref()) {
            Some(other) if other != remote => (
                Class::Duplicate,
                format!("Its key {mark} is that of {other} too."),
            ),
            _ if there.date < books.scope.from => {
                let why = "It is dated before the day from which books are compared.";
                (Class::LeftOut, why.to_owned())
            }
            _ => gone(),
        }
    }
}
