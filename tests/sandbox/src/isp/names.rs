//! What people, companies, streets and towns are called; all invented. A seeded provider has no name twice, as Sage compares them.

use std::collections::HashSet;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::NAME_LENGTH_IN_SAGE;

const FIRST: &[&str] = &[
    "Thabo",
    "Lerato",
    "Anele",
    "Sipho",
    "Nomsa",
    "Zanele",
    "Johan",
    "Annelize",
    "Pieter",
    "Marietjie",
    "Fatima",
    "Yusuf",
    "Priya",
    "Kavitha",
    "Rajesh",
    "Sarah",
    "Michael",
    "Zoë",
    "André",
    "René",
    "Françoise",
    "Jürgen",
    "Siyabonga",
    "Mpho",
    "Lwazi",
    "Ayanda",
    "Renée",
    "Tebogo",
    "Karabo",
    "Liezl",
];
const LAST: &[&str] = &[
    "Nkosi",
    "van der Merwe",
    "Botha",
    "Dlamini",
    "Naidoo",
    "Pillay",
    "Mokoena",
    "O'Brien",
    "du Plessis",
    "Khumalo",
    "Smith",
    "Ndlovu",
    "Jacobs",
    "Müller",
    "Mahlangu",
    "Venter",
    "Zulu",
    "D'Oliveira",
    "Gouws",
    "Steyn",
    "Mthembu",
    "Abrahams",
    "Hendricks",
    "Le Roux",
    "Moodley",
    "Sithole",
    "Bezuidenhout",
    "Maseko",
    "Pretorius",
    "Cele",
];
const TRADE: &[&str] = &[
    "Bakery",
    "Wool Traders",
    "Guest House",
    "Attorneys",
    "Motors",
    "Plumbing",
    "Pharmacy",
    "Logistics",
    "Wines",
    "Engineering",
    "Daycare",
    "Butchery",
    "Dental Practice",
    "Hardware",
    "Estate Agents",
    "Panelbeaters",
];
const PLACE: &[&str] = &[
    "Karoo",
    "Protea",
    "Baobab",
    "Table View",
    "Drakensberg",
    "Umhlanga",
    "Kalahari",
    "Boland",
    "Overberg",
    "Highveld",
    "Garden Route",
    "Zululand",
    "Namaqua",
    "Soutpansberg",
];
const STREET: &[&str] = &[
    "Long Street",
    "Kerkstraat",
    "Voortrekker Road",
    "Nelson Mandela Drive",
    "Jacaranda Avenue",
    "Main Road",
    "Protea Lane",
    "Station Road",
    "Church Street",
    "Mopane Crescent",
];
const TOWN: &[(&str, &str)] = &[
    ("Worcester", "6850"),
    ("Gqeberha", "6001"),
    ("Polokwane", "0699"),
    ("Durban North", "4051"),
    ("Bloemfontein", "9301"),
    ("Nelspruit", "1200"),
    ("Paarl", "7646"),
    ("Randburg", "2194"),
    ("George", "6529"),
    ("Upington", "8801"),
];

/// Names that break careless code: signs of JSON, HTML, OData and shells, blanks, scripts, lengths.
pub const AWKWARD: &[&str] = &[
    "\"Oom Piet\" & Seuns <Edms> Bpk",
    "O'Brien's 'Corner' Café",
    "  Nomvula Khoza ",
    "Søren Ångström-Fjørtoft",
    "Ирина Петрова",
    "株式会社アフリカ (Africa KK)",
    "100% Fibre; Tom + Jerry = ? #1",
    "Back\\slash {braces} [brackets] CC",
    "Die Heel Besonderse Gasteplaas, Konferensiesentrum, Trouplek en Sterrewag van die Bo-Klaas-Voogdsrivier-Vallei naby Róbertson",
    "Ññññññññññ ÁÁÁÁÁÁÁÁÁÁ ééééééééééé üüüüüüüüüü ôôôôôôôôôô ëëëëëëëëëë ïïïïïïïïïï ššššššššš çççççççç øøøøøøøø (Edms) Bpk",
    "Anele  Double   Blank",
];

/// Gives out names, each once.
#[derive(Debug, Default)]
pub struct Names {
    taken: HashSet<String>,
}

impl Names {
    pub fn person(&mut self, rng: &mut ChaCha8Rng) -> String {
        self.unused(|crowded| {
            let (first, last) = (pick(rng, FIRST), pick(rng, LAST));
            match crowded {
                0 => format!("{first} {last}"),
                1 => format!("{first} {} {last}", pick(rng, FIRST)),
                _ => format!("{first} {} {last}-{}", pick(rng, FIRST), pick(rng, LAST)),
            }
        })
    }

    pub fn company(&mut self, rng: &mut ChaCha8Rng) -> String {
        self.unused(|crowded| {
            let (place, trade, owner) = (pick(rng, PLACE), pick(rng, TRADE), pick(rng, LAST));
            match (crowded, rng.random_range(0..3)) {
                (0, 0) => format!("{place} {trade} (Pty) Ltd"),
                (0, 1) => format!("{owner} {trade} CC"),
                (0, _) => format!("{place} {trade}"),
                (1, _) => format!("{owner} & {} {trade}", pick(rng, LAST)),
                _ => format!("{place} {owner} & {} {trade}", pick(rng, LAST)),
            }
        })
    }

    /// The awkward name of that place in the list; beyond the list and when it is taken, `None`.
    pub fn awkward(&mut self, place: usize) -> Option<String> {
        let name = AWKWARD.get(place)?;
        self.taken.insert(folded(name)).then(|| (*name).to_owned())
    }

    /// Draws until a name is new, from more and more elaborate ones.
    fn unused(&mut self, mut draw: impl FnMut(usize) -> String) -> String {
        let mut tries = 0;
        loop {
            let name = draw(tries / 8);
            if self.taken.insert(folded(&name)) {
                return name;
            }
            tries += 1;
        }
    }
}

/// A name as Sage compares it: trimmed, cut, without regard to case.
pub fn folded(name: &str) -> String {
    let cut: String = name.trim().chars().take(NAME_LENGTH_IN_SAGE).collect();
    cut.trim_end().to_lowercase()
}

/// A name that Sage takes for the same as another.
pub fn double_of(name: &str, way: usize) -> String {
    match way % 3 {
        0 => name.to_uppercase(),
        1 => format!(" {name} "),
        _ => name.to_lowercase(),
    }
}

/// Somebody at a company; need not be the only one of that name.
pub fn contact(rng: &mut ChaCha8Rng) -> String {
    format!("{} {}", pick(rng, FIRST), pick(rng, LAST))
}

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
    let area = pick(rng, &["21", "11", "31", "41", "82", "83"]);
    format!("+27 {area} 555 {:04}", rng.random_range(0..10_000))
}

/// Street, town and postal code.
pub fn address(rng: &mut ChaCha8Rng) -> (String, String, String) {
    let (town, code) = TOWN[rng.random_range(0..TOWN.len())];
    let street = format!("{} {}", rng.random_range(1..400), pick(rng, STREET));
    (street, town.to_owned(), code.to_owned())
}

fn pick<'a, T: ?Sized>(rng: &mut ChaCha8Rng, list: &[&'a T]) -> &'a T {
    list[rng.random_range(0..list.len())]
}
