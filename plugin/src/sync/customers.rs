//! Customers: Splynx → Sage. The name is Sage's only unique key, so names decide who is who.

use crate::collect::{Map, Set, ToSet};
use crate::planted::{Mistake, is_planted};
use crate::sage::{CustomerPayload, Found, MatchKey, Payload, Service, fold};
use crate::splynx::{Customer, Listing, Page};
use crate::sync::births;
use crate::sync::customer_fields::{name_of, payload, unique_name};
use crate::sync::mapping::Mapping;
use crate::sync::pairing::{self, Candidate, Choice, Row, SAME_NAME};
use crate::sync::pipeline::{Decision, Description, Entity, is_ours_to_decide, settle};
use crate::sync::vat_numbers::{self, Numbers};
use crate::write::ledger::{Run, RunResult};
use crate::write::protocol::Act;
use crate::write::record::{Batch, Kind, Reason, Record, RecordKey, Remote, State, Stored};
use crate::write::remote::{self, Question, Survey};
use crate::write::verdict::{self, Suspect, Verdict};

pub struct Customers {
    pub mapping: Mapping,
}

pub struct Facts {
    vat: Numbers,
    /// What Sage has under their names.
    survey: Survey,
    /// Proposals and people's choices for customers without a pair.
    rows: Map<i64, Row>,
    /// Sage customers that ones of this page turn out to be: proposals for no other.
    recognised: Set<i64>,
    /// Folded names that this page gives out: two of them never share a batch.
    given: Set<String>,
}

impl Entity for Customers {
    const KIND: Kind = Kind::Customer;
    const SERVICES: &'static [Service] = &[Service::Customer];
    type Source = Customer;
    type Facts = Facts;

    fn facts(&self, run: &mut Run, page: &[(Customer, Stored)]) -> RunResult<Facts> {
        let vat = vat_numbers::of_customers(run, page.iter().map(|(customer, _)| customer))?;
        let is_new = |stored: &Stored| stored.record.as_ref().is_none_or(|r| r.remote.is_none());
        let is_judged = |stored: &Stored| stored.record.is_none() || stored.is_judged_again();
        // Somebody may have entered them in Sage by hand since it was listed.
        if page
            .iter()
            .any(|(_, stored)| is_new(stored) && is_judged(stored))
        {
            let above = remote::highest(run, Service::Customer)?;
            remote::refresh(run, Service::Customer, above)?;
        } else if page
            .iter()
            .any(|(customer, stored)| is_new(stored) && left_out(run, customer).is_none())
        {
            remote::refresh_index(run, Service::Customer)?;
        }
        let pattern = run.settings.name_pattern.clone();
        let questions: Vec<Question> = page
            .iter()
            .map(|(customer, stored)| {
                let plain = name_of(customer, &pattern);
                let names = [unique_name(&plain, customer.id), plain];
                Question {
                    service: Service::Customer,
                    ways: names
                        .map(|name| remote::by_name(Service::Customer, &name))
                        .to_vec(),
                    own: stored
                        .record
                        .as_ref()
                        .and_then(|record| Some(record.remote.as_ref()?.id)),
                }
            })
            .collect();
        let survey = remote::survey(run, &questions)?;
        let fresh = page
            .iter()
            .filter(|(customer, stored)| is_new(stored) && left_out(run, customer).is_none())
            .map(|(customer, _)| {
                let vat = vat.of(customer).unwrap_or_default();
                let row = Row::of(customer, vat, name_of(customer, &pattern));
                (customer.id, row)
            })
            .collect();
        let rows = pairing::propose(run, fresh)?;
        let mut facts = Facts {
            vat,
            survey,
            rows,
            recognised: Set::new(),
            given: Set::new(),
        };
        for (customer, stored) in page {
            if is_new(stored)
                && let Ok(NameStatus::Ours(found)) = self.standing(run, &facts, customer, None)
            {
                facts.recognised.insert(found.id);
            }
        }
        Ok(facts)
    }

    fn decide(
        &self,
        run: &Run,
        facts: &mut Facts,
        customer: &Customer,
        record: Option<&Record>,
    ) -> Decision {
        if let Some(reason) = left_out(run, customer) {
            return Decision::skip(reason);
        }
        let own = record.and_then(|record| Some((record, record.remote.as_ref()?)));
        let row = facts.rows.get(&customer.id).filter(|_| own.is_none());
        if row.is_some_and(|row| row.choice == Choice::Unpaired) {
            return Decision::hold(pairing::held_unpaired());
        }
        let standing = match self.standing(run, facts, customer, own.map(|(_, remote)| remote)) {
            Ok(standing) => standing,
            Err(reason) => return Decision::hold(reason),
        };
        let proposal = row.and_then(|row| proposal(run, facts, row));
        match (standing, proposal) {
            (NameStatus::Ours(found), _) => {
                if let MatchKey::Customer(customer) = &found.likeness {
                    facts.given.insert(fold(&customer.name));
                }
                Decision::Found {
                    verdict: Verdict::ours(Service::Customer, &found),
                    // What Sage has: where it is not what we would send, the customer's next change brings it (F29).
                    hash: found.likeness.content().to_owned(),
                }
            }
            (_, Some(reason)) | (NameStatus::Taken(reason), None) => Decision::hold(reason),
            (NameStatus::Free(customer), None) => {
                facts.given.insert(fold(&customer.name));
                write(own, customer)
            }
        }
    }

    fn hangs_on(&self, customer: &Customer) -> Vec<String> {
        vec![format!("customer_category.{}", customer.category)]
    }

    fn describe(&self, run: &Run, customer: &Customer) -> Description {
        Description {
            label: name_of(customer, &run.settings.name_pattern),
            customer: customer.id,
            amount: None,
            open: None,
            invoice: None,
            content: format!(
                "name {}|e-mail {}|billing e-mail {}|telephone {}|address {} {} {}",
                customer.name,
                customer.email,
                customer.billing_email,
                customer.phone,
                customer.street,
                customer.zip_code,
                customer.city
            ),
        }
    }
}

/// Why a customer that Sage may have already is not made; none where nothing speaks for that, or a person has said it.
fn proposal(run: &Run, facts: &Facts, row: &Row) -> Option<Reason> {
    let by_name_only = |why: &[String]| why.iter().all(|why| why == SAME_NAME);
    let proposals: Vec<&Candidate> = row
        .candidates
        .iter()
        .filter(|_| row.choice == Choice::Open)
        .filter(|candidate| !facts.recognised.contains(&candidate.id))
        // D13: who makes names unique has said that one name can be two people.
        .filter(|candidate| !(run.settings.make_names_unique && by_name_only(&candidate.why)))
        .collect();
    (!proposals.is_empty()).then(|| pairing::held_for(&proposals))
}

/// Creates the customer, or updates the one that it has where that would change something.
fn write(own: Option<(&Record, &Remote)>, customer: CustomerPayload) -> Decision {
    let likeness = customer.likeness();
    let hash = likeness.content.clone();
    let payload = Box::new(Payload::Customer(customer));
    let act = match own {
        Some((record, _)) if record.hash == hash && !record.is_retried() => {
            return Decision::of_unchanged(record);
        }
        Some((_, remote)) => Act::Update {
            id: remote.id,
            payload,
            likeness: MatchKey::Customer(likeness),
            expected: None,
        },
        None => Act::Create {
            payload,
            likeness: MatchKey::Customer(likeness),
            own_number: false,
            expected: None,
        },
    };
    Decision::Write {
        service: Service::Customer,
        act,
        hash,
    }
}

/// How a customer stands to the names that Sage has.
enum NameStatus {
    /// The name is free (or its own): this is what to save.
    Free(CustomerPayload),
    /// Sage has it just as we would send it.
    Ours(Found),
    Taken(Reason),
}

impl Customers {
    /// Sage's names are unique, so whoever has the name decides; with "Make names unique", a second name is tried.
    ///
    /// # Errors
    /// Why the customer cannot be sent at all.
    fn standing(
        &self,
        run: &Run,
        facts: &Facts,
        customer: &Customer,
        own: Option<&Remote>,
    ) -> Result<NameStatus, Reason> {
        let settings = &run.settings;
        let plain = name_of(customer, &settings.name_pattern);
        if plain.is_empty() {
            return Err(Reason::new(
                "no-name",
                "The name pattern gives no name for it.",
                "Give the customer a name in Splynx, or put {id} or {login} into the \"Name pattern\".",
            )
            .until_setting("customer_name_pattern"));
        }
        let category = self
            .mapping
            .customer_category(settings, &customer.category)?;
        let vat = facts.vat.of(customer);
        let may_adopt = own.is_none()
            && facts
                .rows
                .get(&customer.id)
                .is_none_or(|row| row.choice == Choice::Open);
        let mut names = vec![plain.clone()];
        if settings.make_names_unique {
            names.push(unique_name(&plain, customer.id));
        }
        let mut taken = None;
        for name in names {
            let payload = payload(settings, customer, &name, vat, category);
            if facts.given.contains(&fold(&name)) {
                taken.get_or_insert_with(|| shared_name(&name));
                continue;
            }
            let way = [remote::by_name(Service::Customer, &name)];
            let found = facts.survey.on(&way).into_iter().next();
            let found = found.filter(|found| own.is_none_or(|own| own.id != found.id));
            let Some(found) = found else {
                return Ok(NameStatus::Free(payload));
            };
            let likeness = MatchKey::Customer(payload.likeness());
            let key = RecordKey::new(Kind::Customer, customer.id);
            let suspect = Suspect {
                key,
                marked: key,
                service: Service::Customer,
                likeness: &likeness,
                is_vouched: false,
            };
            match verdict::judge(settings, &suspect, &facts.survey, &way) {
                _ if facts.survey.owner(Service::Customer, found.id).is_some() => {
                    taken.get_or_insert_with(|| shared_name(&name));
                }
                Some(Verdict::Ours { .. }) if may_adopt => {
                    return Ok(NameStatus::Ours(found.clone()));
                }
                Some(Verdict::NotOurs(reason)) => {
                    taken.get_or_insert(reason);
                }
                Some(Verdict::Ours { .. }) | None => {
                    taken.get_or_insert_with(|| same_in_sage(&name, found.id));
                }
            }
        }
        Ok(NameStatus::Taken(
            taken.unwrap_or_else(|| shared_name(&plain)),
        ))
    }
}

/// Why a customer is not for Sage (F13, I6, D12).
pub fn left_out(run: &Run, customer: &Customer) -> Option<Reason> {
    if customer.category == "lead" {
        return Some(Reason::new("lead", "It is a lead, not yet a customer.", ""));
    }
    run.settings
        .partners_ignore
        .contains(&customer.partner_id)
        .then(|| {
            Reason::new(
                "partner-ignored",
                format!("Its partner ({}) is left out.", customer.partner_id),
                "Take the partner out of \"Partners to leave out\" to synchronise it.",
            )
            .until_setting("partners_ignore")
        })
}

/// Looks at customers before anything of theirs is sent or imported, in whatever job, and at most once a run: whether Splynx has others under
/// their ids by now, and whether they are left out. What they are called and where they live is their own job's business.
pub fn look_after(run: &mut Run, ids: impl IntoIterator<Item = i64>) -> RunResult<()> {
    if is_planted(Mistake::LeftOutByOneJob) {
        return Ok(());
    }
    let ids = ids.into_iter().to_set().into_iter();
    let unseen: Vec<i64> = ids.filter(|id| run.seen_customers.insert(*id)).collect();
    let key = |id: &i64| RecordKey::new(Kind::Customer, *id);
    let records = run.records(unseen.iter().map(key))?;
    let known: Vec<i64> = records
        .iter()
        .filter(|(_, stored)| stored.record.is_some())
        .map(|(key, _)| key.id)
        .collect();
    let mut rows = Listing::of::<Customer>().of_ids(run, &known)?;
    let others = births::hold_others(run, Kind::Customer, &rows)?;
    rows.retain(|(id, _)| !others.contains(id));
    let page = Page::<Customer>::parse(&rows);
    let mut records = run.records(page.records.iter().map(|customer| key(&customer.id)))?;
    let mut batch = Batch::default();
    for customer in page.records {
        let key = key(&customer.id);
        let stored = records.remove(&key).unwrap_or_default();
        let record = stored.record.clone().unwrap_or_default();
        if !is_ours_to_decide(&stored) {
            continue;
        }
        let was_left_out = record.state == State::Skipped && record.reason.code != "deleted";
        match left_out(run, &customer) {
            Some(reason) if record.state != State::Skipped || record.reason.code != reason.code => {
                let decision = Decision::skip(reason);
                settle(run, &mut batch, key, &stored, record, decision)?;
            }
            None if was_left_out => {
                let record = Record {
                    state: State::Planned,
                    reason: Reason::default(),
                    ..record
                };
                run.put(&mut batch, key, &stored, record)?;
            }
            _ => {}
        }
    }
    run.commit(batch)
}

fn same_in_sage(name: &str, id: i64) -> Reason {
    Reason::new(
        "name-taken",
        format!("Sage already has a customer named {name:?} (id {id})."),
        "Pair the two on the page Pairing if they are the same customer; else put {id} or {login} into the \"Name pattern\", or switch \"Make names unique\" on.",
    )
    .until_setting("customer_name_pattern")
    .until_setting("make_names_unique")
}

fn shared_name(name: &str) -> Reason {
    Reason::new(
        "name-shared",
        format!(
            "Another Splynx customer is also named {name:?}, and Sage wants names to be unique."
        ),
        "Put {id} or {login} into the \"Name pattern\", or switch \"Make names unique\" on.",
    )
    .until_setting("customer_name_pattern")
    .until_setting("make_names_unique")
}
