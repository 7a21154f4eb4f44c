//! Makes customers: who they are, where they live, and under which name.

use chrono::Days;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::cases::{self, Case};
use super::furniture::partner;
use super::names::{self, Names};
use super::{Customer, CustomerCategory, Isp, Size};

const FIRST_ID: i64 = 11;

/// Makes customers in the order of their ids.
#[derive(Debug, Default)]
pub struct People {
    names: Names,
    /// The last customer that can have a sub-account, with its partner.
    main_account: Option<(i64, i64)>,
}

impl People {
    pub fn next(&mut self, isp: &Isp, case: Case, rng: &mut ChaCha8Rng) -> Customer {
        let place = isp.customers.len();
        let tiny = isp.size == Size::Tiny;
        let id = FIRST_ID + i64::try_from(place).expect("fewer customers than i64 holds");
        // In the tiny provider the last one is the company.
        let is_company = if tiny {
            place == 2
        } else {
            rng.random_ratio(1, 5)
        };
        let name = self.name(isp, place, is_company, rng);
        let (street, city, zip_code) = match case {
            Case::NoAddress => Default::default(),
            _ => names::address(rng),
        };
        let (email, billing_email) = emails(&name, id, case);
        let parent = self.main_account.filter(|_| case == Case::SubAccount);
        let partner_id = match (case, parent) {
            (_, Some((_, partner))) => partner,
            (Case::SmallPartner, _) => partner::SMALL,
            _ if !tiny && rng.random_ratio(1, 4) => partner::WEST,
            _ => partner::MAIN,
        };
        if !matches!(case, Case::Lead | Case::SubAccount) {
            self.main_account = Some((id, partner_id));
        }
        let days_before = if case == Case::Newcomer {
            0
        } else {
            rng.random_range(1..1_500)
        };
        let phone = names::phone(rng);
        Customer {
            id,
            login: format!("{id:06}"),
            category: match (case, is_company) {
                (Case::Lead, _) => CustomerCategory::Lead,
                (_, true) => CustomerCategory::Company,
                (_, false) => CustomerCategory::Person,
            },
            billing_type: match case {
                Case::Prepaid => "prepaid",
                Case::Arrears => "prepaid_monthly",
                _ => "recurring",
            }
            .to_owned(),
            status: match case {
                Case::Lead | Case::NeverCharged => "new",
                Case::Overdue => "blocked",
                Case::Left => "disabled",
                _ => "active",
            }
            .to_owned(),
            partner_id,
            location_id: if tiny { 1 } else { rng.random_range(1..=2) },
            parent_id: parent.map(|(id, _)| id),
            phone: match case {
                // Longer than Sage takes.
                Case::SeveralEmails => format!("{phone} / {} (after hours)", names::phone(rng)),
                _ => phone,
            },
            street,
            zip_code,
            city,
            vat_id: company_text(is_company, || {
                format!("4{:09}", rng.random_range(0..1_000_000_000))
            }),
            company_id: company_text(is_company, || {
                format!("2019/{:06}/07", rng.random_range(0..1_000_000))
            }),
            contact_person: company_text(is_company && !tiny, || names::contact(rng)),
            added: isp.first_day() - Days::new(days_before),
            name,
            email,
            billing_email,
        }
    }

    fn name(&mut self, isp: &Isp, place: usize, is_company: bool, rng: &mut ChaCha8Rng) -> String {
        let awkward = cases::awkward_name(isp.size, place).and_then(|n| self.names.awkward(n));
        if let Some(name) = awkward {
            return name;
        }
        match (cases::clashing_name(isp.size, place), isp.customers.last()) {
            (Some(number), Some(other)) => names::double_of(&other.name, number),
            _ if is_company => self.names.company(rng),
            _ => self.names.person(rng),
        }
    }
}

/// The addresses for everything and for bills.
fn emails(name: &str, id: i64, case: Case) -> (String, String) {
    let email = names::email(name, id);
    match case {
        Case::NoEmail => Default::default(),
        Case::SeveralEmails => {
            let bills = format!("accounts{id}@mail.example, {email},office{id}@mail.example");
            (email, bills)
        }
        _ => (email, String::new()),
    }
}

fn company_text(is_company: bool, text: impl FnOnce() -> String) -> String {
    if is_company { text() } else { String::new() }
}
