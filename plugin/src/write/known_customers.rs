//! The part of the index that holds Sage's customers, by id and by what makes two customers look like the same one.
//!
//! The entry by id is the customer as it was listed last. Beware: entries under a name or trait that it had before stay
//! behind, so each of them counts only as far as the entry by id agrees.

use crate::collect::{Map, Set, ToSet};
use crate::sage::{CustomerLikeness, Found, Object, Service, fold, newer};
use crate::write::ledger::{META, Run, RunResult};
use crate::write::record::Batch;
use crate::write::remote::{FOUND, by_name, index, index_keys, parse_entry, taken_over_key};

/// Index key of a customer as it was listed last; the other entries of a customer count only as far as this one agrees.
fn by_customer(id: i64) -> String {
    format!("Customer/id/{id:019}")
}

/// What makes two customers look like the same one, besides the name.
#[derive(Debug, Clone, Copy)]
pub enum Trait<'t> {
    Email(&'t str),
    Vat(&'t str),
    /// A number that stands in the name as a word of its own: perhaps a Splynx id.
    Number(i64),
}

impl Trait<'_> {
    /// Index prefix of all customers that have it; their ids follow.
    fn prefix(self) -> String {
        match self {
            Self::Email(email) => format!("Customer/email/{}|", fold(email)),
            Self::Vat(vat) => {
                let vat: String = vat.split_whitespace().collect();
                format!("Customer/vat/{}|", fold(&vat))
            }
            Self::Number(number) => format!("Customer/number/{number}|"),
        }
    }
}

/// Every index key of a customer.
pub fn customer_keys(id: i64, customer: &CustomerLikeness) -> Vec<String> {
    let emails = customer.email.split([',', ';', ' ']);
    let traits = emails
        .filter(|email| !email.is_empty())
        .map(Trait::Email)
        .chain((!customer.vat.trim().is_empty()).then_some(Trait::Vat(&customer.vat)))
        .chain(
            customer
                .name
                .split(|c: char| !c.is_alphanumeric())
                .filter_map(|word| word.parse().ok())
                .map(Trait::Number),
        );
    let mut keys: Vec<String> = traits
        .map(|like| format!("{}{id}", like.prefix()))
        .collect();
    keys.push(by_name(Service::Customer, &customer.name).text().to_owned());
    keys.push(by_customer(id));
    keys.into_iter().to_set().into_iter().collect()
}

/// Sage's customers of these ids, as far as they were listed.
pub fn customers_listed(run: &mut Run, ids: &[i64]) -> RunResult<Map<i64, Found>> {
    let keys: Vec<String> = ids.iter().copied().map(by_customer).collect();
    if keys.is_empty() {
        return Ok(Map::new_vec());
    }
    let mut listed = Map::new_vec();
    for entry in run.cap.get(FOUND, &keys)? {
        let (_, found) = parse_entry(entry)?;
        listed.insert(found.id, found);
    }
    Ok(listed)
}

/// Ids of Sage's customers that were listed with a trait; at most as many as help a person to choose.
pub fn customers_with(run: &mut Run, like: Trait) -> RunResult<Vec<i64>> {
    const MOST: u32 = 100;
    let prefix = like.prefix();
    let entries = run.cap.scan(FOUND, &prefix, "", MOST)?;
    let ids: Vec<i64> = entries
        .iter()
        .filter_map(|entry| entry.key.strip_prefix(&prefix)?.parse().ok())
        .collect();
    let listed = customers_listed(run, &ids)?;
    Ok(listed
        .into_iter()
        .filter(|(id, found)| {
            index_keys(Service::Customer, found).contains(&format!("{prefix}{id}"))
        })
        .map(|(id, _)| id)
        .collect())
}

/// Lists all of Sage's customers, also those that were listed before, and forgets those that are gone (F66).
pub fn reload_customers(run: &mut Run) -> RunResult<()> {
    let service = Service::Customer;
    let mut above = 0;
    let mut seen = 0;
    loop {
        run.meanwhile("Reading Sage: customers", seen)?;
        let (rows, complete) = newer(run, service, above, None)?;
        seen += rows.len() as u64;
        let mut batch = Batch::default();
        let last = index(run, &mut batch, service, &rows, above)?;
        let listed = rows.iter().filter_map(Object::id).to_set();
        forget_unlisted(run, &mut batch, above, &listed, complete)?;
        above = last;
        if complete {
            batch.set(META, taken_over_key(service), "");
        }
        run.commit(batch)?;
        if complete {
            return Ok(());
        }
    }
}

/// Drops the entries of customers between `above` and the end of the page that Sage no longer lists.
fn forget_unlisted(
    run: &mut Run,
    batch: &mut Batch,
    above: i64,
    listed: &Set<i64>,
    complete: bool,
) -> RunResult<()> {
    const PAGE: u32 = 200;
    let mut after = by_customer(above);
    loop {
        let entries = run.cap.scan(FOUND, "Customer/id/", &after, PAGE)?;
        let more = entries.len() == PAGE as usize;
        for entry in entries {
            after.clone_from(&entry.key);
            let (_, found) = parse_entry(entry)?;
            if !complete && listed.last().is_some_and(|last| found.id > *last) {
                return Ok(());
            }
            if listed.contains(&found.id) {
                continue;
            }
            for key in index_keys(Service::Customer, &found) {
                // Another customer may have the name by now.
                let its_own = run.cap.get(FOUND, std::slice::from_ref(&key))?;
                let its_own = its_own
                    .into_iter()
                    .map(parse_entry)
                    .all(|entry| entry.is_ok_and(|(_, other)| other.id == found.id));
                if its_own && !batch.changes.iter().any(|change| change.key == key) {
                    batch.delete(FOUND, key);
                }
            }
        }
        if !more {
            return Ok(());
        }
    }
}
