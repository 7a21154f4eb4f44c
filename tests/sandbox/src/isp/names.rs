//! What people, companies, streets and towns are called; all invented.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const FIRST: &[&str] = &[
    "Thabo", "Lerato", "Anele", "Sipho", "Nomsa", "Zanele", "Johan", "Annelize", "Pieter", "Marietjie", "Fatima", "Yusuf",
    "Priya", "Kavitha", "Rajesh", "Sarah", "Michael", "Zoë", "André", "René", "Françoise", "Jürgen", "Siyabonga", "Mpho",
    "Lwazi", "Ayanda", "Renée", "Tebogo", "Karabo", "Liezl",
];
const LAST: &[&str] = &[
    "Nkosi", "van der Merwe", "Botha", "Dlamini", "Naidoo", "Pillay", "Mokoena", "O'Brien", "du Plessis", "Khumalo", "Smith",
    "Ndlovu", "Jacobs", "Müller", "Mahlangu", "Venter", "Zulu", "D'Oliveira", "Gouws", "Steyn", "Mthembu", "Abrahams",
    "Hendricks", "Le Roux", "Moodley", "Sithole", "Bezuidenhout", "Maseko", "Pretorius", "Cele",
];
const TRADE: &[&str] = &[
    "Bakery", "Wool Traders", "Guest House", "Attorneys", "Motors", "Plumbing", "Pharmacy", "Logistics", "Wines",
    "Engineering", "Daycare", "Butchery", "Dental Practice", "Hardware", "Estate Agents", "Panelbeaters",
];
const PLACE: &[&str] = &[
    "Karoo", "Protea", "Baobab", "Table View", "Drakensberg", "Umhlanga", "Kalahari", "Boland", "Overberg", "Highveld",
    "Garden Route", "Zululand", "Namaqua", "Soutpansberg",
];
const STREET: &[&str] = &[
    "Long Street", "Kerkstraat", "Voortrekker Road", "Nelson Mandela Drive", "Jacaranda Avenue", "Main Road", "Protea Lane",
    "Station Road", "Church Street", "Mopane Crescent",
];
const TOWN: &[(&str, &str)] = &[
    ("Worcester", "6850"), ("Gqeberha", "6001"), ("Polokwane", "0699"), ("Durban North", "4051"), ("Bloemfontein", "9301"),
    ("Nelspruit", "1200"), ("Paarl", "7646"), ("Randburg", "2194"), ("George", "6529"), ("Upington", "8801"),
];

fn pick<'a, T: ?Sized>(rng: &mut ChaCha8Rng, list: &[&'a T]) -> &'a T {
    list[rng.random_range(0..list.len())]
}

pub fn person(rng: &mut ChaCha8Rng) -> String {
    format!("{} {}", pick(rng, FIRST), pick(rng, LAST))
}

pub fn company(rng: &mut ChaCha8Rng) -> String {
    let place = pick(rng, PLACE);
    let trade = pick(rng, TRADE);
    match rng.random_range(0..4) {
        0 => format!("{place} {trade} (Pty) Ltd"),
        1 => format!("{place} & {} {trade}", pick(rng, LAST)),
        2 => format!("{} {trade} CC", pick(rng, LAST)),
        _ => format!("{place} {trade}"),
    }
}

/// The local part and the domain of a person's or company's address.
pub fn email(name: &str, id: i64) -> String {
    let plain: String = name
        .to_lowercase()
        .chars()
        .filter(char::is_ascii_alphabetic)
        .take(20)
        .collect();
    format!("{plain}{id}@mail.example")
}

pub fn phone(rng: &mut ChaCha8Rng) -> String {
    format!(
        "+27 {} 555 {:04}",
        pick(rng, &["21", "11", "31", "41", "82", "83"]),
        rng.random_range(0..10_000)
    )
}

/// Street, town and postal code.
pub fn address(rng: &mut ChaCha8Rng) -> (String, String, String) {
    let (town, code) = TOWN[rng.random_range(0..TOWN.len())];
    let street = format!("{} {}", rng.random_range(1..400), pick(rng, STREET));
    (street, town.to_owned(), code.to_owned())
}
