//! Documents that Sage has already under the same number, or with our key in the reference: the pair is stored, nothing is created (F68).
//!
//! A number alone proves nothing (I11): customer, date and total must agree, in Sage as it is now. What differs is reported and left
//! alone. Documents of any date are paired, so that a company's history counts as synchronised (D5).

use crate::capability::{Failure, Row as ReportRow};
use crate::collect::{Map, Set};
use crate::mark::Sign;
use crate::money;
use crate::sage::{DocumentLikeness, Found, MatchKey, Service};
use crate::settings::Settings;
use crate::splynx::{self, Document, DocumentStatus, Page, Resource, Window};
use crate::sync::customers;
use crate::sync::documents;
use crate::write::ledger::{Run, RunResult, activity};
use crate::write::record::{Batch, Kind, Record, RecordKey, Remote, State, Stored};
use crate::write::remote::{self, Question};
use crate::write::verdict;

/// A Splynx document without a pair, and what it was found to be in Sage.
struct Match<'d> {
    document: &'d Document,
    stored: Stored,
    service: Service,
    /// What it must be there; `None`: its customer has no pair.
    here: Option<DocumentLikeness>,
    /// As Sage has it now.
    there: Found,
    /// The record that it is paired with.
    owner: Option<RecordKey>,
}

/// Pairs all documents of a kind that agree; answers what to tell people where some differ.
pub fn pair<T: Resource + AsRef<Document>>(
    run: &mut Run,
    kind: Kind,
) -> RunResult<Option<Failure>> {
    let services: &[Service] = match kind {
        Kind::Invoice => &[Service::TaxInvoice, Service::CustomerReturn],
        _ => &[Service::CustomerReturn],
    };
    for service in services {
        remote::build_index(run, *service, None)?;
        let above = remote::highest(run, *service)?;
        remote::refresh(run, *service, above)?;
    }
    let window = Window {
        changed_since: None,
        dated_from: None,
    };
    let total = splynx::count::<T>(run, &window)?;
    let (mut after, mut done, mut different) = (0, 0, 0);
    loop {
        run.progress("Comparing numbers", done, total)?;
        let page: Page<T> = splynx::changed(run, &window, after)?;
        let Some(last) = page.last else {
            break;
        };
        after = last;
        done += page.size() as u64;
        let documents: Vec<&Document> = page.records.iter().map(AsRef::as_ref).collect();
        let differences = pair_page(run, kind, &documents)?;
        different += differences.len();
        if !differences.is_empty() {
            run.cap.report("difference", differences)?;
        }
    }
    *run.counts
        .entry(format!("{} different", kind.title()))
        .or_default() += different as u64;
    Ok((different > 0).then(|| {
        Failure::new(
            "numbers-differ",
            format!(
                "{different} {} have the number of a document in Sage that differs: the report Differences lists them. They were left alone.",
                kind.title()
            ),
        )
    }))
}

fn pair_page(run: &mut Run, kind: Kind, documents: &[&Document]) -> RunResult<Vec<ReportRow>> {
    customers::look_after(run, documents.iter().map(|document| document.customer_id))?;
    let keys = documents
        .iter()
        .map(|document| RecordKey::new(kind, document.id))
        .chain(
            documents
                .iter()
                .map(|document| RecordKey::new(Kind::Customer, document.customer_id)),
        );
    let records = run.records(keys.collect::<Vec<_>>())?;
    let matches = find(run, kind, documents, &records)?;
    let mut given = Set::new();
    let mut batch = Batch::default();
    let mut report = Vec::new();
    for found in matches {
        let key = RecordKey::new(kind, found.document.id);
        let there = &found.there;
        let remote = Remote {
            service: found.service,
            id: there.id,
        };
        let mut differs = match &found.here {
            Some(here) => MatchKey::Document(here.clone()).differences(&there.likeness),
            None => vec!["customer"],
        };
        let another = found.owner;
        if another.is_some() || !given.insert(remote.to_string()) {
            differs.push("already paired");
        }
        if differs.is_empty() {
            let record = Record {
                state: State::Synced,
                label: found.document.number.clone(),
                customer: found.document.customer_id,
                remote: Some(remote),
                seen: Some(there.likeness.clone()),
                hash: documents::content_hash(found.document),
                amount: Some(found.document.total),
                open: found.document.open,
                allocated_in_sage: true,
                again: found.stored.record.as_ref().map_or(0, |r| r.again),
                ..Record::default()
            };
            batch.activities.push(activity(key, &record, "paired"));
            run.put(&mut batch, key, &found.stored, record)?;
            run.count(format!("{} paired", kind.title()));
        } else {
            report.push(difference(&found, key, &differs));
        }
    }
    run.commit(batch)?;
    Ok(report)
}

/// Documents without a pair that Sage has: by our mark, else by their number.
fn find<'d>(
    run: &mut Run,
    kind: Kind,
    documents: &[&'d Document],
    records: &Map<RecordKey, Stored>,
) -> RunResult<Vec<Match<'d>>> {
    let settings = run.settings.clone();
    let mut wanted = Vec::new();
    for document in documents {
        let key = RecordKey::new(kind, document.id);
        let customer = &records[&RecordKey::new(Kind::Customer, document.customer_id)];
        if document.status != DocumentStatus::Live
            || !is_open(&records[&key])
            || is_left_out(customer)
        {
            continue;
        }
        let service = documents::service_of(kind, document);
        let marked = key.marked(records[&key].record.as_ref());
        let marks = verdict::ways_of_marks(&settings, marked, service);
        let number = (!document.number.trim().is_empty())
            .then(|| remote::by_name(service, &document.number));
        wanted.push((*document, marked, service, marks, number));
    }
    let questions: Vec<Question> = wanted
        .iter()
        .map(|(_, _, service, marks, number)| Question {
            service: *service,
            ways: marks.iter().chain(number).cloned().collect(),
            own: None,
        })
        .collect();
    let survey = remote::survey(run, &questions)?;
    let matches = wanted
        .into_iter()
        .filter_map(|(document, marked, service, marks, number)| {
            let key = RecordKey::new(kind, document.id);
            let customer = &records[&RecordKey::new(Kind::Customer, document.customer_id)];
            let here = |number: &str| likeness(document, customer, number);
            let agrees = |found: &&Found| {
                here("").is_some_and(|here| {
                    MatchKey::Document(here)
                        .differences(&found.likeness)
                        .is_empty()
                })
            };
            let bearers = survey.on(&marks);
            // A copy bears the mark as well, and an old mark can be anybody's text.
            let by_mark = bearers.iter().copied().find(agrees).or_else(|| {
                bearers
                    .into_iter()
                    .find(|found| bears(&settings, found, marked))
            });
            let (found, number) = match by_mark {
                Some(found) => (found, ""),
                None => (
                    *survey.on(number.as_slice()).first()?,
                    document.number.trim(),
                ),
            };
            Some(Match {
                document,
                stored: records[&key].clone(),
                service,
                here: here(number),
                owner: survey.owner(service, found.id),
                there: found.clone(),
            })
        });
    Ok(matches.collect())
}

/// Whether it, or what it was copied from, was made for the record.
fn bears(settings: &Settings, found: &Found, marked: RecordKey) -> bool {
    match &found.likeness {
        MatchKey::Document(document) => {
            let signs = settings.identity.signs(&document.reference);
            signs.contains(&Sign::Ours(marked))
        }
        MatchKey::Customer(_) | MatchKey::Allocation(_) => false,
    }
}

/// Not paired, and neither on its way nor settled by a person.
fn is_open(stored: &Stored) -> bool {
    stored.record.as_ref().is_none_or(|record| {
        record.remote.is_none()
            && matches!(
                record.state,
                State::Planned | State::Held | State::Skipped | State::Owed
            )
    })
}

/// I6: the documents of a partner that is left out are not paired either.
fn is_left_out(customer: &Stored) -> bool {
    customer
        .record
        .as_ref()
        .is_some_and(|record| matches!(record.state, State::Skipped | State::DoNotSend))
}

/// What the document must be in Sage; none while its customer has no pair. Found by our mark, it may have Sage's own number.
fn likeness(document: &Document, customer: &Stored, number: &str) -> Option<DocumentLikeness> {
    Some(DocumentLikeness {
        customer: customer.record.as_ref()?.remote.as_ref()?.id,
        date: document.date,
        number: number.to_owned(),
        reference: String::new(),
        total: document.total.abs(),
        rest: None,
    })
}

fn difference(found: &Match, key: RecordKey, differs: &[&str]) -> ReportRow {
    let document = found.document;
    let there = &found.there;
    let describe = |customer: String, date: String, total: String| {
        format!("customer {customer}, {date}, {total}")
    };
    let customer = found.here.as_ref().map_or_else(
        || format!("{} (not paired)", document.customer_id),
        |here| format!("{} (Sage {})", document.customer_id, here.customer),
    );
    let mut sage = match &there.likeness {
        MatchKey::Document(there) => describe(
            there.customer.to_string(),
            there.date.to_string(),
            money::written(there.total),
        ),
        _ => String::new(),
    };
    if let Some(other) = found.owner {
        sage.push_str(&format!(", paired with {} {}", other.kind.name(), other.id));
    }
    ReportRow {
        id: key.to_string(),
        cells: vec![
            key.kind.name().to_owned(),
            document.number.clone(),
            differs.join(", "),
            describe(
                customer,
                document.date.to_string(),
                money::written(document.total.abs()),
            ),
            format!("id {}: {sage}", there.id),
        ],
        more: Vec::new(),
    }
}
