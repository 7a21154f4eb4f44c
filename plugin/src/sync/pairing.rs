//! Who is who: which Sage customers may be a Splynx customer that is not paired, and the acts that join and part the two.
//!
//! A row of the table [`PAIRING`] holds what is known of a Splynx customer, the proposals, and what a person said. A proposal never
//! becomes a pair by itself. Beware: rows are as old as the last look, so what is paired meanwhile is left out at reading.

use crate::capability::Activity;
use crate::collect::{Map, Set, ToMap, ToSet};
use crate::sage::{MatchKey, Service};
use crate::splynx::{self, Customer, Page, Window};
use crate::stored::{self, stored, stored_names};
use crate::sync::customer_fields;
use crate::sync::vat_numbers;
use crate::write::known_customers::{self, Trait, customers_listed};
use crate::write::ledger::{PAGE, Run, RunResult, activity};
use crate::write::record::{
    Batch, Kind, RECORDS, REMOTE, Reason, Record, RecordKey, Remote, State, Stored,
};
use crate::write::remote;

/// `000000000088` → [`Row`] as JSON.
pub const PAIRING: &str = "pairing";
/// Why a new customer is held that may be in Sage already.
pub const PROPOSED: &str = "pairing-proposed";

/// A Splynx customer, as far as pairing needs to know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// As in Splynx.
    pub name: String,
    /// As it would be in Sage (F24).
    pub label: String,
    /// All addresses, parted by commas.
    pub email: String,
    pub vat: String,
    /// Sage customers that may be the same one.
    pub candidates: Vec<Candidate>,
    pub choice: Choice,
}

stored!(Row { name, label, email, vat } may { candidates, choice });

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub id: i64,
    pub name: String,
    pub why: Vec<String>,
}

stored!(Candidate { id, name, why });

/// What a person said of a customer that is not paired.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Choice {
    #[default]
    Open,
    /// It is none of Sage's: make it.
    Create,
    /// It was parted from what it was paired with, and waits.
    Unpaired,
}

impl Choice {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::Unpaired => "unpaired",
        }
    }
}

stored_names!(Choice: Open, Create, Unpaired);

/// The only reason to take two customers for one that [`make_names_unique`](crate::settings::Settings) answers.
pub const SAME_NAME: &str = "same name";

impl Row {
    pub fn of(customer: &Customer, vat: &str, label: String) -> Self {
        Self {
            name: customer.name.trim().to_owned(),
            label,
            email: customer_fields::addresses_of(customer).join(", "),
            vat: vat.to_owned(),
            candidates: Vec::new(),
            choice: Choice::Open,
        }
    }
}

impl Candidate {
    pub fn describe(&self) -> String {
        format!("{} {:?} ({})", self.id, self.name, self.why.join(", "))
    }
}

fn row_key(customer: i64) -> String {
    format!("{customer:012}")
}

pub fn row_id(key: &str) -> Option<i64> {
    key.parse().ok()
}

/// What is known of these Splynx customers.
pub fn rows(run: &mut Run, customers: &[i64]) -> RunResult<Map<i64, Row>> {
    if customers.is_empty() {
        return Ok(Map::new_vec());
    }
    let keys: Vec<String> = customers.iter().copied().map(row_key).collect();
    let entries = run.cap.get(PAIRING, &keys)?;
    Ok(entries
        .into_iter()
        .filter_map(|entry| Some((row_id(&entry.key)?, stored::from_text(&entry.value)?)))
        .to_map())
}

pub fn put_row(batch: &mut Batch, customer: i64, row: &Row) {
    let text = stored::to_text(row);
    batch.set(PAIRING, row_key(customer), text);
}

/// Which of these Sage customers are paired, and with whom.
pub fn paired(run: &mut Run, sage: &Set<i64>) -> RunResult<Map<i64, RecordKey>> {
    if sage.is_empty() {
        return Ok(Map::new_vec());
    }
    let by_text = sage
        .iter()
        .map(|id| (in_sage(*id).to_string(), *id))
        .to_map();
    let keys: Vec<String> = by_text.keys().cloned().collect();
    Ok(run
        .cap
        .get(REMOTE, &keys)?
        .into_iter()
        .filter_map(|entry| Some((*by_text.get(&entry.key)?, RecordKey::parse(&entry.value)?)))
        .to_map())
}

pub fn in_sage(id: i64) -> Remote {
    Remote {
        service: Service::Customer,
        id,
    }
}

/// Looks for Sage customers that may be these, and stores what was found; what a person said stays.
pub fn propose(run: &mut Run, mut customers: Vec<(i64, Row)>) -> RunResult<Map<i64, Row>> {
    let ids: Vec<i64> = customers.iter().map(|(id, _)| *id).collect();
    let known = rows(run, &ids)?;
    find_candidates(run, &mut customers)?;
    let mut batch = Batch::default();
    let mut proposed = Map::new_vec();
    for (id, mut row) in customers {
        let before = known.get(&id);
        row.choice = before.map(|row| row.choice).unwrap_or_default();
        if before != Some(&row) {
            put_row(&mut batch, id, &row);
        }
        proposed.insert(id, row);
    }
    run.commit(batch)?;
    Ok(proposed)
}

/// What is proposed is in Sage now as it was listed; else it is looked for once more.
fn find_candidates(run: &mut Run, customers: &mut [(i64, Row)]) -> RunResult<()> {
    let mut ids = Set::new();
    for (id, row) in customers.iter_mut() {
        row.candidates = candidates(run, *id, row)?;
        ids.extend(row.candidates.iter().map(|candidate| candidate.id));
    }
    let listed = customers_listed(run, &ids.into_iter().collect::<Vec<_>>())?;
    let listed = listed.into_iter().map(|(_, found)| found).collect();
    if remote::read_again(run, Service::Customer, listed)? {
        for (id, row) in customers {
            row.candidates = candidates(run, *id, row)?;
        }
    }
    Ok(())
}

/// Sage customers without a pair that share an e-mail address, the VAT number or the name with a Splynx customer, or have its
/// id in their name as a word of its own (F67).
fn candidates(run: &mut Run, id: i64, row: &Row) -> RunResult<Vec<Candidate>> {
    let mut why: Map<i64, Vec<String>> = Map::new_vec();
    let mut traits: Vec<(Trait, &str)> = row
        .email
        .split(", ")
        .filter(|email| !email.is_empty())
        .map(|email| (Trait::Email(email), "same e-mail"))
        .collect();
    if !row.vat.is_empty() {
        traits.push((Trait::Vat(&row.vat), "same VAT number"));
    }
    traits.push((Trait::Number(id), "Splynx id in the name"));
    let mut found: Vec<(i64, &str)> = Vec::new();
    for (like, what) in traits {
        let with = known_customers::customers_with(run, like)?;
        found.extend(with.into_iter().map(|id| (id, what)));
    }
    let names = [&row.name, &row.label].map(|name| remote::by_name(Service::Customer, name));
    let named = remote::lookup(run, &names)?;
    found.extend(named.iter().map(|(_, found)| (found.id, SAME_NAME)));
    for (id, what) in found {
        let reasons = why.entry(id).or_default();
        if !reasons.iter().any(|reason| reason == what) {
            reasons.push(what.to_owned());
        }
    }
    let taken = paired(run, &why.keys().copied().to_set())?;
    why.retain(|id, _| !taken.contains_key(id));
    let listed = customers_listed(run, &why.keys().copied().collect::<Vec<_>>())?;
    Ok(why
        .into_iter()
        .map(|(id, why)| Candidate {
            id,
            name: listed.get(&id).map(name_of).unwrap_or_default(),
            why,
        })
        .collect())
}

/// The name of a customer as listed.
pub fn name_of(found: &crate::sage::Found) -> String {
    match &found.likeness {
        MatchKey::Customer(customer) => customer.name.clone(),
        _ => String::new(),
    }
}

/// Why a customer with proposals is not created.
pub fn held_for(candidates: &[&Candidate]) -> Reason {
    let message = match candidates {
        [one] => format!("It may be in Sage already: {}.", one.describe()),
        several => {
            let several: Vec<String> = several.iter().map(|one| one.describe()).collect();
            format!("It may be one of these in Sage: {}.", several.join("; "))
        }
    };
    let cure = "Look at it on the page Pairing: pair it, or say that it is none of Sage's.";
    candidates
        .iter()
        .fold(Reason::new(PROPOSED, message, cure), |reason, candidate| {
            reason.until_paired(&in_sage(candidate.id))
        })
        .until_setting("make_names_unique")
}

/// Why a customer that was parted from its pair is not sent.
pub fn held_unpaired() -> Reason {
    Reason::new(
        "unpaired",
        "A person parted it from the customer in Sage that it was paired with.",
        "Pair it on the page Pairing, or press \"None of Sage's: create\" there.",
    )
}

/// Joins a Splynx customer with one in Sage; the next export brings that one up to date (F29).
pub fn join(
    run: &mut Run,
    batch: &mut Batch,
    customer: i64,
    stored: &Stored,
    row: &Row,
    sage: i64,
) -> RunResult<()> {
    let key = RecordKey::new(Kind::Customer, customer);
    let record = Record {
        state: State::Planned,
        remote: Some(in_sage(sage)),
        // What Sage has is not what we sent.
        hash: String::new(),
        ..blank(customer, stored, row)
    };
    batch.activities.push(activity(key, &record, "paired"));
    run.put(batch, key, stored, record)?;
    let row = Row {
        choice: Choice::Open,
        candidates: Vec::new(),
        ..row.clone()
    };
    put_row(batch, customer, &row);
    run.count("customers paired".to_owned());
    Ok(())
}

/// Parts a customer from Sage's, which stays as it is; the record waits for a person.
pub fn part(
    run: &mut Run,
    batch: &mut Batch,
    customer: i64,
    stored: &Stored,
    row: &Row,
) -> RunResult<()> {
    let key = RecordKey::new(Kind::Customer, customer);
    let record = Record {
        state: State::Held,
        remote: None,
        hash: String::new(),
        reason: held_unpaired(),
        ..blank(customer, stored, row)
    };
    batch.activities.push(Activity {
        action: "unpaired".to_owned(),
        ..activity(key, &record, "held")
    });
    run.put(batch, key, stored, record)?;
    let mut row = row.clone();
    row.choice = Choice::Unpaired;
    if let Some(remote) = stored.record.as_ref().and_then(|r| r.remote.as_ref()) {
        let listed = customers_listed(run, &[remote.id])?;
        row.candidates = vec![Candidate {
            id: remote.id,
            name: listed.get(&remote.id).map(name_of).unwrap_or_default(),
            why: vec!["was paired".to_owned()],
        }];
    }
    put_row(batch, customer, &row);
    Ok(())
}

/// Notes that a customer is none of Sage's: the next export makes it.
pub fn create(
    run: &mut Run,
    batch: &mut Batch,
    customer: i64,
    stored: &Stored,
    row: &Row,
) -> RunResult<()> {
    let key = RecordKey::new(Kind::Customer, customer);
    let record = Record {
        state: State::Planned,
        ..blank(customer, stored, row)
    };
    batch.activities.push(activity(key, &record, "planned"));
    run.put(batch, key, stored, record)?;
    let row = Row {
        choice: Choice::Create,
        ..row.clone()
    };
    put_row(batch, customer, &row);
    Ok(())
}

/// The record as it is, or a new one, without a reason.
fn blank(customer: i64, stored: &Stored, row: &Row) -> Record {
    Record {
        reason: Reason::default(),
        intent: None,
        ..stored.record.clone().unwrap_or_else(|| Record {
            label: row.label.clone(),
            customer,
            ..Record::default()
        })
    }
}

/// Lists the customers of both sides and makes the proposals (F66). Records of customers that Splynx no longer lists are looked
/// at by the next export.
pub fn load(run: &mut Run) -> RunResult<()> {
    known_customers::reload_customers(run)?;
    let window = Window {
        changed_since: None,
        dated_from: None,
    };
    let total = splynx::count::<Customer>(run, &window)?;
    let (mut after, mut done) = (0, 0);
    loop {
        run.progress("Looking for pairs", done, total)?;
        let page: Page<Customer> = splynx::changed(run, &window, after)?;
        done += page.size() as u64;
        let (last, size) = (page.last, page.size());
        let listed = page
            .records
            .iter()
            .map(|customer| customer.id)
            .chain(page.unreadable.iter().map(|(id, _)| *id))
            .to_set();
        drop_unlisted(run, after, last, &listed)?;
        let Some(last) = last.filter(|_| size > 0) else {
            return Ok(());
        };
        load_page(run, page)?;
        after = last;
    }
}

fn load_page(run: &mut Run, page: Page<Customer>) -> RunResult<()> {
    let settings = run.settings.clone();
    let (wanted, left_out): (Vec<Customer>, Vec<Customer>) =
        page.records.into_iter().partition(|customer| {
            customer.category != "lead" && !settings.partners_ignore.contains(&customer.partner_id)
        });
    let mut batch = Batch::default();
    for customer in left_out {
        batch.delete(PAIRING, row_key(customer.id));
    }
    run.commit(batch)?;
    let vat = vat_numbers::of_customers(run, &wanted)?;
    let customers = wanted
        .iter()
        .map(|customer| {
            let vat = vat.of(customer).unwrap_or_default();
            let label = customer_fields::name_of(customer, &settings.name_pattern);
            (customer.id, Row::of(customer, vat, label))
        })
        .collect();
    let rows = propose(run, customers)?;
    let records = run.records(rows.keys().map(|id| RecordKey::new(Kind::Customer, *id)))?;
    let mut batch = Batch::default();
    for (key, stored) in records {
        let row = &rows[&key.id];
        let record = stored.record.as_ref();
        let state = if record.is_some_and(|record| record.remote.is_some()) {
            "paired"
        } else {
            standing(&row.candidates)
        };
        run.count(format!("customers {state}"));
        // What it was held for is gone from Sage.
        let released = record.filter(|record| {
            row.candidates.is_empty()
                && record.state == State::Held
                && matches!(record.reason.code.as_str(), PROPOSED | "name-taken")
        });
        if let Some(record) = released {
            let record = Record {
                state: State::Planned,
                ..record.clone()
            };
            run.put(&mut batch, key, &stored, record)?;
        }
    }
    run.commit(batch)
}

/// The state of a customer without a pair, by its proposals.
pub fn standing(candidates: &[Candidate]) -> &'static str {
    match candidates {
        [] => "new",
        [_] => "proposed",
        _ => "ambiguous",
    }
}

/// Between two ids that Splynx listed one after the other there is nobody: rows there are dropped, and records looked at again.
fn drop_unlisted(run: &mut Run, above: i64, last: Option<i64>, listed: &Set<i64>) -> RunResult<()> {
    let gone = |id: i64| !listed.contains(&id) && last.is_none_or(|last| id <= last);
    let mut after = row_key(above);
    loop {
        let entries = run.cap.scan(PAIRING, "", &after, PAGE)?;
        let more = entries.len() == PAGE as usize;
        let mut batch = Batch::default();
        for entry in &entries {
            if row_id(&entry.key).is_some_and(gone) {
                batch.delete(PAIRING, entry.key.clone());
            }
        }
        run.commit(batch)?;
        match entries.into_iter().next_back() {
            Some(entry) if more && row_id(&entry.key) < last => after = entry.key,
            _ => break,
        }
    }
    let mut after = RecordKey::new(Kind::Customer, above).to_string();
    loop {
        let prefix = format!("{}/", Kind::Customer.name());
        let entries = run.cap.scan(RECORDS, &prefix, &after, PAGE)?;
        let more = entries.len() == PAGE as usize;
        let keys: Vec<RecordKey> = entries
            .iter()
            .filter_map(|entry| RecordKey::parse(&entry.key))
            .collect();
        let next = keys.last().copied();
        let mut batch = Batch::default();
        let lost = keys.into_iter().filter(|key| gone(key.id)).collect();
        run.look_again(&mut batch, lost)?;
        run.commit(batch)?;
        match next {
            Some(next) if more && Some(next.id) < last => after = next.to_string(),
            _ => return Ok(()),
        }
    }
}
