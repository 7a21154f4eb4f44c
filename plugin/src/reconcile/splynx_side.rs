//! Splynx's side, page by page: every record takes its counterpart out of what Sage listed.

use rust_decimal::Decimal;

use super::finding::{Class, Finding, Side, VatSides, missing};
use super::sage_side::{self, Listed, TABLE, Wanted};
use super::sums::Whose;
use super::{Books, unmatched};
use crate::collect::{Map, ToMap};
use crate::mark::LineKey;
use crate::sage::{DocumentLikeness, Service};
use crate::splynx::{self, Customer, Document, DocumentStatus, Page, Payment, Resource, Window};
use crate::stored;
use crate::sync::documents;
use crate::sync::echoes;
use crate::sync::statements::{FROM_SAGE, id_key};
use crate::write::ledger::{Run, RunResult};
use crate::write::record::{Batch, Kind, Record, RecordKey, Remote, Stored};

/// What is done with a page of a list, and what changes by it.
type Visitor<'l, T> = &'l mut dyn FnMut(&mut Run, &mut Books, &[T]) -> RunResult<Batch>;

const NOT_YET: (Class, &str) = (
    Class::OnlyHere,
    "The next run looks at it; where no list of changes names it, the daily look for lost records does.",
);

pub fn customers(run: &mut Run, books: &mut Books) -> RunResult<()> {
    each_page::<Customer>(run, books, Kind::Customer, &mut |run, books, page| {
        let keys: Vec<RecordKey> = keys(Kind::Customer, page);
        let records = run.records(keys.clone())?;
        let wanted = keys.iter().map(|key| Wanted {
            key: *key,
            service: Service::Customer,
            remote: remote_id(&records[key], Service::Customer),
            ways: Vec::new(),
            loose: None,
        });
        let mut batch = Batch::default();
        let found = sage_side::take(run, &Vec::from_iter(wanted), &mut batch)?;
        for ((customer, key), found) in page.iter().zip(keys).zip(found) {
            let record = records[&key].record.as_ref();
            let (class, why) = match found {
                Some(_) => (Class::Matched, String::new()),
                None if customer.category == "lead" => {
                    (Class::LeftOut, "A prospect is no customer yet.".to_owned())
                }
                None => missing(record, NOT_YET),
            };
            books.tell(&Finding {
                class,
                id: key.to_string(),
                kind: Kind::Customer.name(),
                label: customer.name.clone(),
                customer: Some(customer.id),
                date: None,
                here: None,
                there: None,
                why,
            });
        }
        Ok(batch)
    })
}

pub fn documents<T: Resource + AsRef<Document>>(
    run: &mut Run,
    books: &mut Books,
    kind: Kind,
) -> RunResult<()> {
    each_page::<T>(run, books, kind, &mut |run, books, page| {
        let items: Vec<Item> = page
            .iter()
            .map(AsRef::as_ref)
            .map(|document| Item {
                key: RecordKey::new(kind, document.id),
                service: documents::service_of(kind, document),
                customer: document.customer_id,
                number: document.number.clone(),
                date: document.date,
                total: document.total.abs(),
                vat: Some((of_sign(document), document.lines.len().max(1))),
                open: document.open.filter(|_| is_settled_there(run, kind)),
                is_deleted: document.status == DocumentStatus::Deleted,
                unknown: unknown(run, kind, document.date),
            })
            .collect();
        compare(run, books, items, Batch::default())
    })
}

pub fn payments(run: &mut Run, books: &mut Books) -> RunResult<()> {
    each_page::<Payment>(run, books, Kind::Payment, &mut |run, books, page| {
        let imported = imported(run, page)?;
        let mut received: Map<i64, Decimal> = Map::new_vec();
        let mut items = Vec::new();
        for payment in page {
            let key = RecordKey::new(Kind::Payment, payment.id);
            let item = Item {
                key,
                service: Service::CustomerReceipt,
                customer: payment.customer_id,
                number: payment.receipt_number.clone(),
                date: payment.date,
                total: payment.amount,
                vat: None,
                open: None,
                is_deleted: false,
                unknown: unknown(run, Kind::Payment, payment.date),
            };
            match imported.get(&payment.id) {
                None => items.push(item),
                Some(Some(receipt)) => {
                    *received.entry(*receipt).or_default() += payment.amount;
                    let service = Service::CustomerReceipt;
                    books
                        .sums
                        .here(service, payment.customer_id, payment.date, payment.amount);
                }
                Some(None) => {
                    let why = "It came from Sage through another installation.".to_owned();
                    item.tell(books, (Class::LeftOut, why), None);
                }
            }
        }
        let mut batch = Batch::default();
        add_received(run, received, &mut batch)?;
        compare(run, books, items, batch)
    })
}

/// Goes through a list of Splynx; what of it cannot be read is told.
fn each_page<T: Resource>(
    run: &mut Run,
    books: &mut Books,
    kind: Kind,
    look: Visitor<T>,
) -> RunResult<()> {
    let window = Window {
        changed_since: None,
        dated_from: T::DATE.map(|_| books.place.from),
    };
    let stage = format!("Comparing {}", kind.title());
    let total = splynx::count::<T>(run, &window)?;
    let mut after = books.place.after.parse().unwrap_or(0);
    loop {
        run.progress(&stage, books.place.done, total)?;
        let page: Page<T> = splynx::changed(run, &window, after)?;
        let Some(last) = page.last else {
            return Ok(());
        };
        after = last;
        for (id, what) in &page.unreadable {
            books.tell(&Finding {
                class: Class::OnlyHere,
                id: RecordKey::new(kind, *id).to_string(),
                kind: kind.name(),
                label: id.to_string(),
                customer: None,
                date: None,
                here: None,
                there: None,
                why: format!("Splynx's record cannot be read: {what}."),
            });
        }
        let batch = look(run, books, &page.records)?;
        books.commit(run, batch, after.to_string(), page.size() as u64)?;
    }
}

fn keys<T: Resource>(kind: Kind, page: &[T]) -> Vec<RecordKey> {
    let ids = page.iter().map(Resource::id);
    ids.map(|id| RecordKey::new(kind, id)).collect()
}

/// Why a record is not in Sage that the add-on has never noted.
fn unknown(run: &Run, kind: Kind, date: chrono::NaiveDate) -> (Class, String) {
    let settings = &run.settings;
    let off = match kind {
        Kind::CreditNote => !settings.use_credit_notes,
        Kind::Payment => !settings.direction.to_sage(),
        _ => false,
    };
    if off {
        let why = format!("By the settings no {} go to Sage.", kind.title());
        return (Class::LeftOut, why);
    }
    match settings.too_early(kind, date) {
        Some(reason) => (Class::LeftOut, reason.message),
        None => (NOT_YET.0, NOT_YET.1.to_owned()),
    }
}

/// Whether Sage is told what pays a document. What is left of a credit note is told by the invoices that it pays.
fn is_settled_there(run: &Run, kind: Kind) -> bool {
    kind == Kind::Invoice && run.settings.direction.to_sage()
}

fn remote_id(stored: &Stored, service: Service) -> Option<i64> {
    let remote = stored.record.as_ref()?.remote.as_ref()?;
    (remote.service == service).then_some(remote.id)
}

/// Its VAT, of its total's sign as Sage has it.
fn of_sign(document: &Document) -> Decimal {
    if document.total.is_sign_negative() {
        -document.tax()
    } else {
        document.tax()
    }
}

/// A document or payment that may be in Sage.
struct Item {
    key: RecordKey,
    service: Service,
    customer: i64,
    number: String,
    date: chrono::NaiveDate,
    /// Without sign, but for a payment: a refund is no receipt.
    total: Decimal,
    /// Of documents: the VAT in it, and its lines.
    vat: Option<(Decimal, usize)>,
    /// What of it is not settled yet; `None`: that is nothing to compare.
    open: Option<Decimal>,
    is_deleted: bool,
    unknown: (Class, String),
}

fn compare(
    run: &mut Run,
    books: &mut Books,
    items: Vec<Item>,
    mut batch: Batch,
) -> RunResult<Batch> {
    let customers = items
        .iter()
        .map(|item| RecordKey::new(Kind::Customer, item.customer));
    let keys = items.iter().map(|item| item.key).chain(customers);
    let records = run.records(keys.collect::<Vec<_>>())?;
    let customer_of = |item: &Item| {
        let customer = &records[&RecordKey::new(Kind::Customer, item.customer)];
        remote_id(customer, Service::Customer)
    };
    let wanted: Vec<Wanted> = items
        .iter()
        .map(|item| {
            let marks = run
                .settings
                .identity
                .marks(item.key.marked(records[&item.key].record.as_ref()))
                .into_iter();
            let mut ways: Vec<String> = marks
                .map(|mark| sage_side::by_mark(item.service, &mark))
                .collect();
            let old = ways.pop();
            if !item.number.trim().is_empty() {
                ways.push(sage_side::by_number(item.service, &item.number));
            }
            Wanted {
                key: item.key,
                service: item.service,
                remote: remote_id(&records[&item.key], item.service),
                ways,
                loose: old.zip(customer_of(item).map(|customer| item.likeness(customer))),
            }
        })
        .collect();
    let mut found = sage_side::take(run, &wanted, &mut batch)?;
    sage_side::ask_again(run, &mut found, |index, listed| {
        let item = &items[index];
        item.compare(listed, customer_of(item)).0 != Class::Matched
    })?;
    let whose = whose(run, found.iter().flatten().map(|found| &found.listed))?;
    for (item, found) in items.into_iter().zip(found) {
        let record = records[&item.key].record.as_ref();
        let Some(listed) = found.map(|found| found.listed) else {
            item.tell_missing(books, record);
            continue;
        };
        let Some(there) = listed.document().filter(|_| !listed.is_void) else {
            item.tell_void(books, item.compare(&listed, None));
            continue;
        };
        let owner = whose.get(&there.customer).copied();
        let owner = owner.unwrap_or(Whose::Stranger(there.customer));
        books
            .sums
            .there(item.service, owner, there.date, there.total);
        if !item.is_deleted {
            books
                .sums
                .here(item.service, item.customer, item.date, item.total);
            if let Some(((here, _), there)) = item.vat.zip(listed.vat) {
                books.sums.vat(item.service, item.date, there - here);
            }
        }
        let verdict = item.compare(&listed, customer_of(&item));
        item.tell(books, verdict, Some(there.total));
    }
    Ok(batch)
}

impl Item {
    /// What an earlier version has made of it. `customer`: its own, in Sage.
    fn likeness(&self, customer: i64) -> DocumentLikeness {
        DocumentLikeness {
            customer,
            date: self.date,
            number: String::new(),
            reference: String::new(),
            total: self.total,
            rest: None,
        }
    }

    /// How it stands to its counterpart. `customer`: its own, in Sage.
    fn compare(&self, listed: &Listed, customer: Option<i64>) -> (Class, String) {
        let there = listed.document().filter(|_| !listed.is_void);
        match there {
            None => (
                Class::Status,
                "It was voided in Sage, and counts in Splynx.".to_owned(),
            ),
            Some(_) if self.is_deleted => (
                Class::Status,
                "It was deleted in Splynx, and is still in Sage.".to_owned(),
            ),
            Some(there) => {
                let side = Side {
                    customer,
                    date: self.date,
                    total: self.total,
                    vat: self
                        .vat
                        .zip(listed.vat)
                        .map(|((here, lines), there)| VatSides { here, there, lines }),
                    open: self.open.zip(listed.open),
                };
                side.compare(there)
            }
        }
    }

    fn tell_missing(&self, books: &mut Books, record: Option<&Record>) {
        // Deleted here, and not there: nothing is to be said.
        if self.is_deleted {
            return;
        }
        let (class, why) = &self.unknown;
        let verdict = missing(record, (*class, why));
        let (customer, date, total) = (self.customer, self.date, self.total);
        match verdict.0 {
            Class::LeftOut => books.sums.left_out_here(self.service, date, total),
            _ => books.sums.here(self.service, customer, date, total),
        }
        self.tell(books, verdict, None);
    }

    fn tell_void(&self, books: &mut Books, verdict: (Class, String)) {
        if self.is_deleted {
            return;
        }
        let (customer, date, total) = (self.customer, self.date, self.total);
        books.sums.here(self.service, customer, date, total);
        self.tell(books, verdict, None);
    }

    fn tell(&self, books: &mut Books, (class, why): (Class, String), there: Option<Decimal>) {
        books.tell(&Finding {
            class,
            id: self.key.to_string(),
            kind: self.key.kind.name(),
            label: self.number.clone(),
            customer: Some(self.customer),
            date: Some(self.date),
            here: (!self.is_deleted).then_some(self.total),
            there,
            why,
        });
    }
}

/// The Splynx customers of what was found, by Sage's ids of them.
pub fn whose<'f>(
    run: &mut Run,
    found: impl Iterator<Item = &'f Listed>,
) -> RunResult<Map<i64, Whose>> {
    let customers = found.filter_map(Listed::document).map(|document| Remote {
        service: Service::Customer,
        id: document.customer,
    });
    let customers: Vec<Remote> = customers.collect();
    let pairs = run.paired(customers.iter().cloned())?;
    let known = customers.into_iter().filter_map(|remote| {
        let key = pairs.get(&remote.to_string())?;
        Some((remote.id, Whose::Splynx(key.id)))
    });
    Ok(known.to_map())
}

/// The payments whose money came from Sage, with the receipt; `None`: it is another installation's.
fn imported(run: &mut Run, page: &[Payment]) -> RunResult<Map<i64, Option<i64>>> {
    let ids: Vec<String> = page.iter().map(|payment| id_key(payment.id)).collect();
    let noted = run.cap.get(FROM_SAGE, &ids)?.into_iter();
    let noted = noted
        .filter_map(|entry| Some((entry.key.parse::<i64>().ok()?, entry.value)))
        .to_map();
    let customers = page
        .iter()
        .map(|payment| RecordKey::new(Kind::Customer, payment.customer_id));
    let customers = run.records(customers.collect::<Vec<_>>())?;
    let echoes = echoes::among(run, &page.iter().collect::<Vec<_>>(), &customers)?;
    let identity = &run.settings.identity;
    let receipt_of = |key: &str| match identity.line_of(key)? {
        LineKey::Ours(place) | LineKey::Old(place) => Some(place.receipt),
        LineKey::Anothers => None,
    };
    let imported = page.iter().filter(|payment| echoes.contains(&payment.id));
    let imported = imported.map(|payment| {
        let key = noted.get(&payment.id).unwrap_or(&payment.receipt_number);
        (payment.id, receipt_of(key))
    });
    Ok(imported.to_map())
}

/// Adds payments to what Splynx is known to have of receipts.
fn add_received(run: &mut Run, received: Map<i64, Decimal>, batch: &mut Batch) -> RunResult<()> {
    let keys: Vec<String> = received
        .keys()
        .map(|id| unmatched::received_key(*id))
        .collect();
    let before = run.cap.get(TABLE, &keys)?.into_iter();
    let before = before
        .filter_map(|entry| Some((entry.key, stored::from_text::<Decimal>(&entry.value)?)))
        .to_map();
    for (receipt, amount) in received {
        let key = unmatched::received_key(receipt);
        let sum = before.get(&key).copied().unwrap_or_default() + amount;
        batch.set(TABLE, key, stored::to_text(&sum));
    }
    Ok(())
}
