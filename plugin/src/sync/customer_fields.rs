//! The fields of a customer as Sage is to have them, from Splynx's. Pure; which name is free is decided elsewhere.

use crate::sage::{ContactDetails, CustomerPayload};
use crate::settings::Settings;
use crate::splynx::Customer;
use crate::text::{cut, first, length};

/// The longest name that Sage takes (Sage API 2.2, F24).
const NAME_LENGTH: usize = 100;
/// The longest telephone number that Sage takes.
const PHONE_LENGTH: usize = 30;

/// The customer as Sage is to have it. Where Splynx names no mobile number, no category is mapped or nobody knows the VAT number,
/// Sage's own is left alone.
pub fn payload(
    settings: &Settings,
    customer: &Customer,
    name: &str,
    vat: Option<&str>,
    category: Option<i64>,
) -> CustomerPayload {
    let follows = settings.follow_inactive && customer.inactive;
    let (telephone, mobile) = phones_of(&customer.phone);
    let email = addresses_of(customer).first().copied();
    CustomerPayload {
        name: name.to_owned(),
        details: Some(ContactDetails {
            email: email.unwrap_or_default().to_owned(),
            telephone,
            mobile: Some(mobile).filter(|mobile| !mobile.is_empty()),
            address: address_lines(customer),
            postal_code: cut(&customer.zip_code, NAME_LENGTH),
            vat: vat.map(|vat| cut(vat, PHONE_LENGTH)),
        }),
        category,
        is_active: settings.ticks.active && !follows,
        accepts_electronic_invoices: settings.ticks.accepts_electronic_invoices,
        allocates_to_oldest_invoice: settings.ticks.auto_allocate_oldest,
        sees_invoices_online: settings.ticks.view_invoices_online,
    }
}

/// Street and city, one line each. Only a street that does not fit into its line takes up to three, and the city the fourth: otherwise
/// the third and fourth are Sage's users' own.
fn address_lines(customer: &Customer) -> Vec<String> {
    let city = cut(&customer.city, NAME_LENGTH);
    let mut street = wrapped(&customer.street, NAME_LENGTH);
    if street.len() < 2 {
        return vec![street.pop().unwrap_or_default(), city];
    }
    street.resize(3, String::new());
    street.push(city);
    street
}

/// A text in lines that fit, parted at blanks where it has some.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for written in text.lines() {
        let mut line = String::new();
        for word in written.split_whitespace() {
            if !line.is_empty() && length(&line) + 1 + length(word) > most {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            while length(&line) > most {
                let rest = line.split_off(first(&line, most).len());
                lines.push(std::mem::replace(&mut line, rest));
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }
    lines
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
    let rest = length(&fill(""));
    let room = NAME_LENGTH.saturating_sub(rest);
    cut(&fill(cut(name, room).trim_end()), NAME_LENGTH)
}

/// The name with the customer's id behind it, within the length.
pub fn unique_name(name: &str, id: i64) -> String {
    let id = id.to_string();
    let room = NAME_LENGTH - 1 - id.len();
    format!("{} {id}", cut(name, room).trim_end())
}

/// The addresses that look like one, those for bills first: Splynx keeps several in a field, with names or without, Sage takes one.
pub fn addresses_of(customer: &Customer) -> Vec<&str> {
    [&customer.billing_email, &customer.email]
        .into_iter()
        .flat_map(|field| field.split(|c: char| c.is_whitespace() || ",;/|<>()[]\"'".contains(c)))
        .map(|address| address.trim_start_matches("mailto:").trim_matches('.'))
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

/// One that nobody's check of addresses refuses.
fn looks_like_email(address: &str) -> bool {
    let is_part = |part: &str, others: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    };
    length(address) <= NAME_LENGTH
        && address.split_once('@').is_some_and(|(user, host)| {
            user.split('.')
                .all(|part| is_part(part, "!#$%&*+-=?^_`{}~"))
                && host.contains('.')
                && host.split('.').all(|part| {
                    is_part(part, "-") && !part.starts_with('-') && !part.ends_with('-')
                })
        })
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
            changed: String::new(),
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
            ("Kim <kim@x.example>", "kim@x.example"),
            ("\"Kim, of Karoo\" <kim@x.example>", "kim@x.example"),
            ("kim@x.example/bob@y.example", "kim@x.example"),
            ("kim@x.example\r\nbob@y.example", "kim@x.example"),
            ("mailto:kim@x.example.", "kim@x.example"),
            ("k\u{ed}m@x.example bob@y.example", "bob@y.example"),
            ("kim@-x.example, kim..m@x.example, kim@x..example", ""),
            ("", ""),
        ] {
            let customer = customer(1, "x", field);
            let first = addresses_of(&customer).first().copied();
            assert_eq!(first.unwrap_or_default(), address, "{field:?}");
        }
    }

    #[test]
    fn a_street_that_does_not_fit_takes_more_lines_and_keeps_its_end() {
        let lines = |street: &str| {
            let street = street.to_owned();
            let city = "Prieska".to_owned();
            address_lines(&Customer {
                street,
                city,
                ..customer(1, "x", "")
            })
        };
        assert_eq!(lines("14 Long Road"), ["14 Long Road", "Prieska"]);
        assert_eq!(lines(""), ["", "Prieska"]);
        assert_eq!(
            lines("Unit 7\r\n14 Long Road"),
            ["Unit 7", "14 Long Road", "", "Prieska"]
        );
        let long = format!("{} Gate 4", "Portion of the farm ".repeat(6));
        let all = lines(&long);
        assert_eq!((all.len(), all[3].as_str()), (4, "Prieska"));
        assert!(all.iter().all(|line| length(line) <= 100), "{all:?}");
        assert!(all[..3].join(" ").contains("Gate 4"), "{all:?}");
        let one_word = lines(&"\u{1F600}".repeat(60));
        assert_eq!(one_word[..2].concat().chars().count(), 60);
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
