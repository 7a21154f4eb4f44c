//! VAT numbers of companies: Splynx keeps them apart from the customer, and documents them by the customer's id only (Splynx API 3.3).
//!
//! So each is remembered as it was read last. It is read again when its customer has changed or somebody asks for the customer, and
//! where it changes alone, in turn with all others. Beware: a number that cannot be read costs the number, and nothing else.

use crate::capability::Failure;
use crate::collect::{Map, ToMap};
use crate::splynx::{self, Customer};
use crate::stored::{self, stored};
use crate::write::ledger::{META, Run, RunError, RunResult};
use crate::write::record::{Batch, Kind, RecordKey};

/// `000000000088` → [`Seen`] as JSON.
const SEEN: &str = "vat";
/// In [`META`]: whose number was read again last.
const PLACE: &str = "vat-turn";
/// As people and programs read that some could not be read.
const NOT_READ: &str = "vat-numbers-not-read";

/// A number as it was read last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    vat: String,
    /// The customer's change stamp then.
    stamp: String,
}

stored!(Seen { vat, stamp });

/// The numbers of some customers.
#[derive(Debug)]
pub struct Numbers(Map<i64, String>);

impl Numbers {
    /// Empty: it has none, as all that are no companies. `None`: nobody knows.
    pub fn of(&self, customer: &Customer) -> Option<&str> {
        match self.0.get(&customer.id) {
            Some(vat) => Some(vat),
            None => (!is_company(customer)).then_some(""),
        }
    }
}

fn is_company(customer: &Customer) -> bool {
    customer.category == "company"
}

fn key_of(customer: i64) -> String {
    format!("{customer:012}")
}

/// The numbers of these customers, read where they are not known as they are now.
pub fn of_customers<'c>(
    run: &mut Run,
    customers: impl IntoIterator<Item = &'c Customer>,
) -> RunResult<Numbers> {
    let companies: Vec<&Customer> = customers.into_iter().filter(|c| is_company(c)).collect();
    if companies.is_empty() {
        return Ok(Numbers(Map::new_vec()));
    }
    let keys: Vec<String> = companies.iter().map(|company| key_of(company.id)).collect();
    let seen: Map<String, Seen> = run
        .cap
        .get(SEEN, &keys)?
        .into_iter()
        .filter_map(|entry| Some((entry.key, stored::from_text(&entry.value)?)))
        .to_map();
    let mut numbers = Map::new_vec();
    let mut batch = Batch::default();
    for (company, key) in companies.into_iter().zip(keys) {
        let before = seen.get(&key);
        if let Some(seen) = before.filter(|seen| seen.stamp == company.changed) {
            numbers.insert(company.id, seen.vat.clone());
        } else if let Some(vat) = read(run, company.id)? {
            let stamp = company.changed.clone();
            let now = Seen { vat, stamp };
            batch.set(SEEN, key, stored::to_text(&now));
            numbers.insert(company.id, now.vat);
        } else if let Some(seen) = before {
            numbers.insert(company.id, seen.vat.clone());
        }
    }
    run.commit(batch)?;
    Ok(Numbers(numbers))
}

/// Has the numbers of these customers read when they are decided about next.
pub fn forget(run: &mut Run, customers: &[i64]) -> RunResult<()> {
    let mut batch = Batch::default();
    for customer in customers {
        batch.delete(SEEN, key_of(*customer));
    }
    run.commit(batch)
}

/// Reads so many of the known numbers again, in turn, and has the customers of those that have changed looked at.
pub fn notice_changes(run: &mut Run, most: u32) -> RunResult<()> {
    let place = run.meta(PLACE)?.unwrap_or_default();
    let mut turn = run.cap.scan(SEEN, "", &place, most)?;
    if turn.is_empty() && !place.is_empty() {
        turn = run.cap.scan(SEEN, "", "", most)?;
    }
    let mut batch = Batch::default();
    let mut changed = Vec::new();
    let mut last = place.clone();
    for entry in turn {
        last.clone_from(&entry.key);
        let (Ok(customer), Some(seen)) = (
            entry.key.parse::<i64>(),
            stored::from_text::<Seen>(&entry.value),
        ) else {
            batch.delete(SEEN, entry.key);
            continue;
        };
        let Some(vat) = read(run, customer)? else {
            break;
        };
        if vat != seen.vat {
            batch.set(SEEN, entry.key, stored::to_text(&Seen { vat, ..seen }));
            changed.push(RecordKey::new(Kind::Customer, customer));
        }
    }
    if last != place {
        batch.set(META, PLACE, last);
    }
    run.look_again(&mut batch, changed)?;
    run.commit(batch)
}

/// `None`: Splynx does not tell it now. That is told once, and no other is asked for in this run.
fn read(run: &mut Run, customer: i64) -> RunResult<Option<String>> {
    if run.notes.iter().any(|note| note.code == NOT_READ) {
        return Ok(None);
    }
    match splynx::vat_number(run, customer) {
        Ok(vat) => Ok(Some(vat)),
        Err(RunError::Failed(why)) if why.path().is_some() => {
            run.notes.push(Failure::new(
                NOT_READ,
                format!(
                    "VAT numbers were not read, and those in Sage stay as they are; everything else went on. {}",
                    why.message
                ),
            ));
            Ok(None)
        }
        Err(halt) => Err(halt),
    }
}
