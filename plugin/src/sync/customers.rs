//! Customers: Splynx → Sage. The name is Sage's only unique key, so names decide who is who.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::collect::ToMap;
use crate::sage::{CustomerLikeness, Found, Likeness, Service, customer_content, fold};
use crate::settings::Settings;
use crate::splynx::{self, Customer, CustomerInfo};
use crate::sync::pipeline::{Decision, Description, Entity};
use crate::write::ledger::{Job, Run};
use crate::write::protocol::Act;
use crate::write::record::{Kind, Reason, Record, RecordKey, Stored};
use crate::write::remote::{self, Question};
use crate::write::verdict::{self, Verdict};

/// The longest name that Sage takes (Sage API 2.2, F24).
const NAME_LENGTH: usize = 100;
/// The longest telephone number that Sage takes.
const PHONE_LENGTH: usize = 30;

pub struct Customers;

pub struct Facts {
    /// VAT numbers of companies.
    vat: BTreeMap<i64, String>,
    /// What Sage has, by index key.
    found: BTreeMap<String, Found>,
    /// Folded names that this page gives out: two of them never share a batch.
    given: BTreeSet<String>,
}

impl Entity for Customers {
    const KIND: Kind = Kind::Customer;
    const SERVICES: &'static [Service] = &[Service::Customer];
    type Source = Customer;
    type Facts = Facts;

    fn facts(&self, run: &mut Run, page: &[(Customer, Stored)]) -> Job<Facts> {
        let companies: Vec<i64> = page
            .iter()
            .filter(|(customer, _)| customer.category == "company")
            .map(|(customer, _)| customer.id)
            .collect();
        let vat = splynx::by_ids::<CustomerInfo>(run, &companies)?
            .records
            .into_iter()
            .map(|info| (info.id, info.vat_id.trim().to_owned()))
            .to_map();
        let questions = page
            .iter()
            .map(|(customer, stored)| {
                let plain = name_of(customer, &run.settings.name_pattern);
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
        Ok(Facts {
            vat,
            found: remote::survey(run, questions)?,
            given: BTreeSet::new(),
        })
    }

    fn decide(
        &self,
        run: &Run,
        facts: &mut Facts,
        customer: &Customer,
        record: Option<&Record>,
    ) -> Decision {
        let settings = &run.settings;
        if customer.category == "lead" {
            return Decision::skip(Reason::new("lead", "It is a lead, not yet a customer.", ""));
        }
        if settings.partners_ignore.contains(&customer.partner_id) {
            let reason = Reason::new(
                "partner-ignored",
                format!("Its partner ({}) is left out.", customer.partner_id),
                "Take the partner out of \"Partners to leave out\" to synchronise it.",
            );
            return Decision::skip(reason.until_setting("partners_ignore"));
        }
        let vat = facts.vat.get(&customer.id).cloned().unwrap_or_default();
        let plain = name_of(customer, &settings.name_pattern);
        if plain.is_empty() {
            return Decision::hold(
                Reason::new(
                    "no-name",
                    "The name pattern gives no name for it.",
                    "Give the customer a name in Splynx, or put {id} or {login} into the name pattern.",
                )
                .until_setting("customer_name_pattern"),
            );
        }
        match attempt(settings, facts, customer, plain.clone(), &vat, record) {
            Decision::SetAside(_)
            | Decision::Found {
                verdict: Verdict::NotOurs(..),
                ..
            } if settings.make_names_unique => {
                let unique = unique_name(&plain, customer.id);
                attempt(settings, facts, customer, unique, &vat, record)
            }
            decision => decision,
        }
    }

    fn describe(&self, run: &Run, customer: &Customer) -> Description {
        Description {
            label: name_of(customer, &run.settings.name_pattern),
            customer: customer.id,
            amount: None,
            open: None,
        }
    }
}

/// What becomes of a customer under a name: Sage's names are unique, so whoever has it decides.
fn attempt(
    settings: &Settings,
    facts: &mut Facts,
    customer: &Customer,
    name: String,
    vat: &str,
    record: Option<&Record>,
) -> Decision {
    if facts.given.contains(&fold(&name)) {
        return Decision::hold(given_out(&name));
    }
    let own = record.and_then(|record| Some((record, record.remote.as_ref()?)));
    let fields = fields(settings, customer, &name, vat);
    let content = customer_content(&fields);
    let likeness = Likeness::Customer(CustomerLikeness::of(&fields));
    let key = RecordKey::new(Kind::Customer, customer.id);
    let found = verdict::collisions(key, Service::Customer, &likeness)
        .iter()
        .find_map(|key| facts.found.get(key))
        .filter(|found| own.is_none_or(|(_, remote)| remote.id != found.id));
    if let Some(found) = found {
        return Decision::Found {
            verdict: verdict::judge(&likeness, found, Service::Customer),
            // What Sage has: where it is not what we would send, the customer's next change brings it (F29).
            hash: found.likeness.content().to_owned(),
        };
    }
    facts.given.insert(fold(&name));
    let act = match own {
        Some((record, _)) if record.hash == content => return Decision::InStep,
        Some((_, remote)) => Act::Update {
            id: remote.id,
            fields,
            expected: None,
        },
        None => Act::Create {
            object: fields,
            likeness,
            own_number: false,
            expected: None,
        },
    };
    Decision::Write {
        service: Service::Customer,
        act,
        hash: content,
    }
}

/// The customer as Sage is to have it.
fn fields(settings: &Settings, customer: &Customer, name: &str, vat: &str) -> Value {
    json!({
        "Name": name,
        "ContactName": name,
        "Email": email_of(customer),
        "Telephone": cut(&customer.phone, PHONE_LENGTH),
        "PostalAddress01": cut(&customer.street, NAME_LENGTH),
        "PostalAddress02": cut(&customer.city, NAME_LENGTH),
        "PostalAddress05": cut(&customer.zip_code, NAME_LENGTH),
        "TaxReference": cut(vat, PHONE_LENGTH),
        "Active": settings.ticks.active,
        "AcceptsElectronicInvoices": settings.ticks.accepts_electronic_invoices,
        "AutoAllocateToOldestInvoice": settings.ticks.auto_allocate_oldest,
        "EnableCustomerZone": settings.ticks.view_invoices_online,
    })
}

fn given_out(name: &str) -> Reason {
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
fn name_of(customer: &Customer, pattern: &str) -> String {
    let fill = |name: &str| {
        pattern
            .replace("{id}", &customer.id.to_string())
            .replace("{login}", customer.login.trim())
            .replace("{email}", &email_of(customer))
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

/// The first address that looks like one: Splynx keeps several in one field, Sage takes one.
fn email_of(customer: &Customer) -> String {
    [&customer.billing_email, &customer.email]
        .into_iter()
        .flat_map(|field| field.split([',', ';', ' ']))
        .map(str::trim)
        .find(|address| looks_like_email(address))
        .unwrap_or_default()
        .to_owned()
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
            assert_eq!(email_of(&customer(1, "x", field)), address, "{field:?}");
        }
    }
}
