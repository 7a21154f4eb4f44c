//! Documents that Sage has already under the same number, or with our key in the reference: the pair is stored, nothing is created (F68).
//!
//! A number alone proves nothing (I11): customer, date and total must agree, in Sage as it is now. What differs is reported and left
//! alone. Documents of any date are paired, so that a company's history counts as synchronised (D5).

use crate::capability::{Failure, Row as ReportRow};
use crate::collect::{Map, Set, ToMap};
use crate::money;
use crate::sage::{self, DocumentLikeness, Found, Likeness, Service};
use crate::splynx::{self, Document, DocumentStatus, Page, Resource, Window};
use crate::sync::documents;
use crate::write::ledger::{Job, Run, activity};
use crate::write::record::{Batch, Kind, Record, RecordKey, Remote, State, Stored};
use crate::write::remote;

/// What a document was found by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Key,
    Number,
}

/// A Splynx document without a pair, and what it was found to be in Sage.
struct Match<'d> {
    document: &'d Document,
    stored: Stored,
    service: Service,
    id: i64,
    by: By,
}

/// Pairs all documents of a kind that agree; answers what to tell people where some differ.
pub fn pair<T: Resource + AsRef<Document>>(run: &mut Run, kind: Kind) -> Job<Option<Failure>> {
    let services: &[Service] = match kind {
        Kind::Invoice => &[Service::TaxInvoice, Service::CustomerReturn],
        _ => &[Service::CustomerReturn],
    };
    for service in services {
        remote::take_over(run, *service, None)?;
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

fn pair_page(run: &mut Run, kind: Kind, documents: &[&Document]) -> Job<Vec<ReportRow>> {
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
    let now = as_it_is_now(run, &matches)?;
    let taken = run.paired(matches.iter().map(|found| Remote {
        service: found.service,
        id: found.id,
    }))?;
    let mut given = Set::new();
    let mut batch = Batch::default();
    let mut report = Vec::new();
    for found in matches {
        let key = RecordKey::new(kind, found.document.id);
        let remote = Remote {
            service: found.service,
            id: found.id,
        };
        // Gone since it was listed: there is nothing to pair with.
        let Some(there) = now.get(&remote.to_string()) else {
            continue;
        };
        let customer = &records[&RecordKey::new(Kind::Customer, found.document.customer_id)];
        let here = likeness(&found, customer);
        let mut differs = match &here {
            Some(here) => Likeness::Document(here.clone()).differences(&there.likeness),
            None => vec!["customer"],
        };
        let another = taken.get(&remote.to_string()).copied();
        if another.is_some() || !given.insert(remote.to_string()) {
            differs.push("already paired");
        }
        if differs.is_empty() {
            let record = Record {
                state: State::Synced,
                label: found.document.number.clone(),
                customer: found.document.customer_id,
                remote: Some(remote),
                hash: documents::content_hash(found.document),
                amount: Some(found.document.total),
                open: found.document.open,
                allocated_in_sage: true,
                ..Record::default()
            };
            batch.activities.push(activity(key, &record, "paired"));
            run.put(&mut batch, key, &found.stored, record)?;
            run.count(format!("{} paired", kind.title()));
        } else {
            report.push(difference(
                &found,
                key,
                &differs,
                here.as_ref(),
                there,
                another,
            ));
        }
    }
    run.commit(batch)?;
    Ok(report)
}

/// Documents without a pair that were listed in Sage: by our key, else by their number.
fn find<'d>(
    run: &mut Run,
    kind: Kind,
    documents: &[&'d Document],
    records: &Map<RecordKey, Stored>,
) -> Job<Vec<Match<'d>>> {
    let mut wanted = Vec::new();
    for document in documents {
        let stored = &records[&RecordKey::new(kind, document.id)];
        let customer = &records[&RecordKey::new(Kind::Customer, document.customer_id)];
        if document.status == DocumentStatus::Live && is_open(stored) && !is_left_out(customer) {
            wanted.push((*document, stored, documents::service_of(kind, document)));
        }
    }
    let settings = run.settings.clone();
    let mark = |document: &Document| settings.mark(RecordKey::new(kind, document.id));
    let keys: Vec<String> = wanted
        .iter()
        .flat_map(|(document, _, service)| index_keys(&mark(document), document, *service))
        .collect();
    let found = remote::lookup(run, &keys)?.into_iter().to_map();
    Ok(wanted
        .into_iter()
        .filter_map(|(document, stored, service)| {
            let [by_key, by_number] = index_keys(&mark(document), document, service);
            let (by, found) = match (found.get(&by_key), found.get(&by_number)) {
                (Some(found), _) => (By::Key, found),
                (None, Some(found)) if !document.number.trim().is_empty() => (By::Number, found),
                _ => return None,
            };
            Some(Match {
                document,
                stored: stored.clone(),
                service,
                id: found.id,
                by,
            })
        })
        .collect())
}

fn index_keys(mark: &str, document: &Document, service: Service) -> [String; 2] {
    [
        remote::by_mark(service, mark),
        remote::by_name(service, &document.number),
    ]
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

/// What was matched, as Sage has it at this moment; absent: it is gone.
fn as_it_is_now(run: &mut Run, matches: &[Match]) -> Job<Map<String, Found>> {
    let mut ids: Map<Service, Vec<i64>> = Map::new_vec();
    for found in matches {
        ids.entry(found.service).or_default().push(found.id);
    }
    let mut now = Map::new_vec();
    for (service, ids) in ids {
        for row in sage::by_ids(run, service, &ids)? {
            let id = crate::json::integer(&row, "ID");
            if let (Some(id), Some(likeness)) = (id, Likeness::of_row(service, &row)) {
                now.insert(Remote { service, id }.to_string(), Found { id, likeness });
            }
        }
    }
    Ok(now)
}

/// What the document must be in Sage; none while its customer has no pair. Found by our key, it may have Sage's own number.
fn likeness(found: &Match, customer: &Stored) -> Option<DocumentLikeness> {
    let document = found.document;
    let number = match found.by {
        By::Key => String::new(),
        By::Number => document.number.trim().to_owned(),
    };
    Some(DocumentLikeness {
        customer: customer.record.as_ref()?.remote.as_ref()?.id,
        date: document.date,
        number,
        reference: String::new(),
        total: document.total.abs(),
        rest: None,
    })
}

fn difference(
    found: &Match,
    key: RecordKey,
    differs: &[&str],
    here: Option<&DocumentLikeness>,
    there: &Found,
    another: Option<RecordKey>,
) -> ReportRow {
    let document = found.document;
    let describe = |customer: String, date: String, total: String| {
        format!("customer {customer}, {date}, {total}")
    };
    let customer = here.map_or_else(
        || format!("{} (not paired)", document.customer_id),
        |here| format!("{} (Sage {})", document.customer_id, here.customer),
    );
    let mut sage = match &there.likeness {
        Likeness::Document(there) => describe(
            there.customer.to_string(),
            there.date.to_string(),
            money::written(there.total),
        ),
        _ => String::new(),
    };
    if let Some(other) = another {
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
