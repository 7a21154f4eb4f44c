//! Customers: Splynx → Sage. The name is Sage's only unique key, so names decide who is who.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde_json::{Value, json};

use crate::sage::{CustomerLikeness, Found, Likeness, Service, fold};
use crate::settings::Settings;
use crate::splynx::{self, Customer, CustomerInfo, Page, Window};
use crate::sync::mapping::Mapping;
use crate::sync::pairing::{self, Candidate, Choice, Row, SAME_NAME};
use crate::sync::pipeline::{Decision, Description, Entity};
use crate::write::ledger::{Job, META, Run};
use crate::write::protocol::Act;
use crate::write::record::{Batch, Kind, Reason, Record, RecordKey, Remote, State, Stored};
use crate::write::remote::{self, Question};
use crate::write::verdict::{self, Verdict};

/// The longest name that Sage takes (Sage API 2.2, F24).
const NAME_LENGTH: usize = 100;
/// The longest telephone number that Sage takes.
const PHONE_LENGTH: usize = 30;

pub struct Customers {
    pub mapping: Mapping,
}

pub struct Facts {
    /// VAT numbers of companies.
    vat: BTreeMap<i64, String>,
    /// What Sage has, by index key.
    found: BTreeMap<String, Found>,
    /// Which of those belong to a record already.
    paired: BTreeMap<i64, RecordKey>,
    /// Proposals and people's choices for customers without a pair.
    rows: BTreeMap<i64, Row>,
    /// Sage customers that ones of this page turn out to be: proposals for no other.
    recognised: BTreeSet<i64>,
    /// Folded names that this page gives out: two of them never share a batch.
    given: BTreeSet<String>,
}

impl Entity for Customers {
    const KIND: Kind = Kind::Customer;
    const SERVICES: &'static [Service] = &[Service::Customer];
    type Source = Customer;
    type Facts = Facts;

    fn facts(&self, run: &mut Run, page: &[(Customer, Stored)]) -> Job<Facts> {
        let vat = pairing::vat_numbers(run, page.iter().map(|(customer, _)| customer))?;
        let is_new = |stored: &Stored| stored.record.as_ref().is_none_or(|r| r.remote.is_none());
        let is_judged = |stored: &Stored| stored.record.is_none() || stored.is_judged_again();
        if page
            .iter()
            .any(|(_, stored)| is_new(stored) && is_judged(stored))
        {
            // Somebody may have entered them in Sage by hand since it was listed.
            let above = remote::highest(run, Service::Customer)?;
            remote::refresh(run, Service::Customer, above)?;
        }
        let pattern = run.settings.name_pattern.clone();
        let questions = page
            .iter()
            .map(|(customer, stored)| {
                let plain = name_of(customer, &pattern);
                let names = [unique_name(&plain, customer.id), plain];
                Question {
                    service: Service::Customer,
                    keys: names
                        .map(|name| remote::by_name(Service::Customer, &name))
                        .to_vec(),
                    again: stored.is_judged_again(),
                }
            })
            .collect();
        let found = remote::survey(run, questions)?;
        let paired = pairing::paired(run, &found.values().map(|found| found.id).collect())?;
        let fresh = page
            .iter()
            .filter(|(customer, stored)| is_new(stored) && left_out(run, customer).is_none())
            .map(|(customer, _)| {
                let vat = vat.get(&customer.id).map_or("", String::as_str);
                let row = Row::of(customer, vat, name_of(customer, &pattern));
                (customer.id, row)
            })
            .collect();
        let rows = pairing::propose(run, fresh)?;
        let mut facts = Facts {
            vat,
            found,
            paired,
            rows,
            recognised: BTreeSet::new(),
            given: BTreeSet::new(),
        };
        for (customer, stored) in page {
            if is_new(stored)
                && let Ok(Standing::Ours(found)) = self.standing(run, &facts, customer, None)
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
            (Standing::Ours(found), _) => {
                if let Likeness::Customer(customer) = &found.likeness {
                    facts.given.insert(fold(&customer.name));
                }
                Decision::Found {
                    verdict: Verdict::Ours(pairing::in_sage(found.id)),
                    // What Sage has: where it is not what we would send, the customer's next change brings it (F29).
                    hash: found.likeness.content().to_owned(),
                }
            }
            (_, Some(reason)) | (Standing::Taken(reason), None) => Decision::hold(reason),
            (Standing::Free(fields), None) => {
                let likeness = CustomerLikeness::of(&fields);
                facts.given.insert(fold(&likeness.name));
                write(own, fields, likeness)
            }
        }
    }

    fn describe(&self, run: &Run, customer: &Customer) -> Description {
        Description {
            label: name_of(customer, &run.settings.name_pattern),
            customer: customer.id,
            amount: None,
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
fn write(own: Option<(&Record, &Remote)>, fields: Value, likeness: CustomerLikeness) -> Decision {
    let hash = likeness.content.clone();
    let act = match own {
        Some((record, _)) if record.hash == hash => return Decision::InStep,
        Some((_, remote)) => Act::Update {
            id: remote.id,
            fields,
        },
        None => Act::Create {
            object: fields,
            likeness: Likeness::Customer(likeness),
            own_number: false,
            total: None,
        },
    };
    Decision::Write {
        service: Service::Customer,
        act,
        hash,
    }
}

/// How a customer stands to the names that Sage has.
enum Standing {
    /// The name is free (or its own): this is what to save.
    Free(Value),
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
    ) -> Result<Standing, Reason> {
        let settings = &run.settings;
        let plain = name_of(customer, &settings.name_pattern);
        if plain.is_empty() {
            return Err(Reason::new(
                "no-name",
                "The name pattern gives no name for it.",
                "Give the customer a name in Splynx, or put {id} or {login} into the name pattern.",
            )
            .until_setting("customer_name_pattern"));
        }
        let category = self
            .mapping
            .customer_category(settings, &customer.category)?;
        let vat = facts.vat.get(&customer.id).map_or("", String::as_str);
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
            let fields = fields(settings, customer, &name, vat, category);
            if facts.given.contains(&fold(&name)) {
                taken.get_or_insert_with(|| shared_name(&name));
                continue;
            }
            let found = facts
                .found
                .get(&remote::by_name(Service::Customer, &name))
                .filter(|found| own.is_none_or(|own| own.id != found.id));
            let Some(found) = found else {
                return Ok(Standing::Free(fields));
            };
            let likeness = Likeness::Customer(CustomerLikeness::of(&fields));
            match verdict::judge(&likeness, found, Service::Customer) {
                _ if facts.paired.contains_key(&found.id) => {
                    taken.get_or_insert_with(|| shared_name(&name));
                }
                Verdict::Ours(_) if may_adopt => return Ok(Standing::Ours(found.clone())),
                Verdict::NotOurs(reason, _) => {
                    taken.get_or_insert(reason);
                }
                Verdict::Ours(_) => {
                    taken.get_or_insert_with(|| same_in_sage(&name, found.id));
                }
            }
        }
        Ok(Standing::Taken(
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

/// The customer as Sage is to have it. Where Splynx names no mobile number, or no category is mapped, Sage's own is left alone.
fn fields(
    settings: &Settings,
    customer: &Customer,
    name: &str,
    vat: &str,
    category: Option<i64>,
) -> Value {
    let follows = settings.follow_inactive && customer.inactive;
    let (telephone, mobile) = phones_of(&customer.phone);
    let mut fields = json!({
        "Name": name,
        "ContactName": name,
        "Email": addresses_of(customer).first().copied().unwrap_or_default(),
        "Telephone": telephone,
        "PostalAddress01": cut(&customer.street, NAME_LENGTH),
        "PostalAddress02": cut(&customer.city, NAME_LENGTH),
        "PostalAddress05": cut(&customer.zip_code, NAME_LENGTH),
        "TaxReference": cut(vat, PHONE_LENGTH),
        "Active": settings.ticks.active && !follows,
        "AcceptsElectronicInvoices": settings.ticks.accepts_electronic_invoices,
        "AutoAllocateToOldestInvoice": settings.ticks.auto_allocate_oldest,
        "EnableCustomerZone": settings.ticks.view_invoices_online,
    });
    if !mobile.is_empty() {
        fields["Mobile"] = mobile.into();
    }
    if let Some(category) = category {
        fields["Category"] = json!({ "ID": category });
    }
    fields
}

/// VAT numbers change without their customer: customers whose number is another than when it was looked at last are planned.
/// One request where nothing changed.
pub fn notice_vat_changes(run: &mut Run) -> Job<()> {
    /// `000000000088` → the VAT number as seen after a change.
    const SEEN: &str = "vat";
    const PLACE: &str = "cursor/customer-info";
    // Stamps are Splynx's local time: a day's overlap covers any zone.
    let next = run.settings.today.pred_opt().unwrap_or(run.settings.today);
    let since: Option<NaiveDate> = run.meta(PLACE)?.and_then(|text| text.parse().ok());
    let window = Window {
        changed_since: since,
        dated_from: None,
    };
    let mut after = 0;
    // Before the first export there is nobody whose number could have changed.
    while since.is_some() {
        let page: Page<CustomerInfo> = splynx::changed(run, &window, after)?;
        let Some(last) = page.last else {
            break;
        };
        after = last;
        let key = |info: &CustomerInfo| format!("{:012}", info.id);
        let keys: Vec<String> = page.records.iter().map(key).collect();
        let seen: BTreeMap<String, String> = run
            .cap
            .get(SEEN, &keys)?
            .into_iter()
            .map(|entry| (entry.key, entry.value))
            .collect();
        let changed: Vec<&CustomerInfo> = page
            .records
            .iter()
            .filter(|info| seen.get(&key(info)).map(String::as_str) != Some(info.vat_id.trim()))
            .collect();
        let mut batch = Batch::default();
        for info in &changed {
            batch.set(SEEN, key(info), info.vat_id.trim());
        }
        let keys = changed
            .iter()
            .map(|info| RecordKey::new(Kind::Customer, info.id));
        for (key, stored) in run.records(keys.collect::<Vec<_>>())? {
            if let Some(record) = stored.record.clone()
                && matches!(record.state, State::Synced | State::Held)
            {
                let record = Record {
                    state: State::Planned,
                    ..record
                };
                run.put(&mut batch, key, &stored, record)?;
            }
        }
        run.commit(batch)?;
    }
    let mut batch = Batch::default();
    if since != Some(next) {
        batch.set(META, PLACE, next.to_string());
    }
    run.commit(batch)
}

fn same_in_sage(name: &str, id: i64) -> Reason {
    Reason::new(
        "name-taken",
        format!("Sage already has a customer named {name:?} (id {id})."),
        "Pair the two if they are the same customer; else put {id} or {login} into the name pattern, or switch \"Make names unique\" on.",
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
        "Put {id} or {login} into the name pattern, or switch \"Make names unique\" on.",
    )
    .until_setting("customer_name_pattern")
    .until_setting("make_names_unique")
}

/// The pattern filled in (F24). Too long, `{name}` is cut, never `{id}` or `{login}` (D13).
pub fn name_of(customer: &Customer, pattern: &str) -> String {
    let fill = |name: &str| {
        pattern
            .replace("{id}", &customer.id.to_string())
            .replace("{login}", customer.login.trim())
            .replace(
                "{email}",
                addresses_of(customer).first().copied().unwrap_or_default(),
            )
            .replace("{name}", name)
    };
    let name = customer.name.trim();
    let rest = fill("").chars().count();
    let room = NAME_LENGTH.saturating_sub(rest);
    cut(&fill(cut(name, room).trim_end()), NAME_LENGTH)
}

/// The name with the customer's id behind it, within the length.
fn unique_name(name: &str, id: i64) -> String {
    let id = id.to_string();
    let room = NAME_LENGTH - 1 - id.len();
    format!("{} {id}", cut(name, room).trim_end())
}

/// The addresses that look like one, those for bills first: Splynx keeps several in a field, Sage takes one.
pub fn addresses_of(customer: &Customer) -> Vec<&str> {
    [&customer.billing_email, &customer.email]
        .into_iter()
        .flat_map(|field| field.split([',', ';', ' ']))
        .map(str::trim)
        .filter(|address| looks_like_email(address))
        .collect()
}

/// Telephone and mobile number: the first number of the field; and a South African mobile number among them, else the second.
fn phones_of(field: &str) -> (String, String) {
    let numbers: Vec<String> = field
        .split([',', ';', '/', '\n'])
        .map(|number| cut(number, PHONE_LENGTH))
        .filter(|number| !number.is_empty())
        .collect();
    let mobile = numbers
        .iter()
        .find(|number| is_mobile(number))
        .or(numbers.get(1));
    (
        numbers.first().cloned().unwrap_or_default(),
        mobile.cloned().unwrap_or_default(),
    )
}

/// 06, 07 and 081 to 084 are mobile networks; 080, 086 and 087 are not.
fn is_mobile(number: &str) -> bool {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let national = digits
        .strip_prefix("0027")
        .or_else(|| digits.strip_prefix("27"))
        .or_else(|| digits.strip_prefix('0'))
        .unwrap_or_default();
    national.len() == 9
        && (national.starts_with(['6', '7'])
            || ["81", "82", "83", "84"]
                .iter()
                .any(|p| national.starts_with(p)))
}

fn looks_like_email(address: &str) -> bool {
    address.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && !host.contains('@')
            && host
                .split_once('.')
                .is_some_and(|(domain, top)| !domain.is_empty() && !top.is_empty())
    })
}

/// At most that many characters, without outer blanks.
pub fn cut(text: &str, length: usize) -> String {
    let cut: String = text.trim().chars().take(length).collect();
    cut.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(id: i64, name: &str, email: &str) -> Customer {
        Customer {
            id,
            login: format!("{id:06}"),
            name: name.to_owned(),
            email: email.to_owned(),
            billing_email: String::new(),
            phone: String::new(),
            street: String::new(),
            zip_code: String::new(),
            city: String::new(),
            partner_id: 1,
            category: "person".to_owned(),
            inactive: false,
        }
    }

    #[test]
    fn a_pattern_is_filled_and_only_the_name_is_cut() {
        let long = customer(88, &"Ünïcode ".repeat(20), "a@example.org");
        for (pattern, kept) in [
            ("{name} ({id})", " (88)"),
            ("{name} {login}", " 000088"),
            ("{id} {name}", "88 "),
        ] {
            let name = name_of(&long, pattern);
            assert!((90..=100).contains(&name.chars().count()), "{name}");
            assert!(name.ends_with(kept) || name.starts_with(kept), "{name}");
        }
        assert_eq!(name_of(&customer(1, "  Karoo  ", ""), "{name}"), "Karoo");
        assert_eq!(
            name_of(
                &customer(1, "Karoo", "x@y.example, z@y.example"),
                "{name} {email}"
            ),
            "Karoo x@y.example"
        );
        assert_eq!(name_of(&customer(1, "{id}", ""), "{name}"), "{id}");
        assert_eq!(unique_name(&"x".repeat(100), 77).chars().count(), 100);
    }

    #[test]
    fn the_first_good_address_is_taken() {
        for (field, address) in [
            ("a@b.example", "a@b.example"),
            ("none, a@b.example;c@d.example", "a@b.example"),
            ("a@b", ""),
            ("@b.example", ""),
            ("a@b@c.example", ""),
            ("", ""),
        ] {
            let customer = customer(1, "x", field);
            let first = addresses_of(&customer).first().copied();
            assert_eq!(first.unwrap_or_default(), address, "{field:?}");
        }
    }

    #[test]
    fn several_numbers_become_telephone_and_mobile() {
        for (field, telephone, mobile) in [
            ("021 555 0100", "021 555 0100", ""),
            ("021 555 0100, 011 555 0101", "021 555 0100", "011 555 0101"),
            (
                "021 555 0100, 011 555 0101, 082 555 0102",
                "021 555 0100",
                "082 555 0102",
            ),
            (
                "+27 (0)21 555 0100/+27 71 555 0102",
                "+27 (0)21 555 0100",
                "+27 71 555 0102",
            ),
            ("082 555 0102", "082 555 0102", "082 555 0102"),
            ("087 555 0102", "087 555 0102", ""),
            (" , ", "", ""),
        ] {
            let both = (telephone.to_owned(), mobile.to_owned());
            assert_eq!(phones_of(field), both, "{field:?}");
        }
    }
}
