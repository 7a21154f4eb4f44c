//! Whatever sources and documents cite has its entry: decisions (`docs/decisions.md`), facts, sections and questions about both services
//! (`docs/reference`), and the architecture (`docs/architecture.md`), which in turn names functions that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Folders with nothing of ours, or no part of the product.
const LEFT_OUT: [&str; 3] = ["target", "node_modules", "findings"];
/// What a word may end with that begins or ends a citation in brackets.
const ENDS: [char; 4] = [')', ';', ':', '.'];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|why| panic!("{file}: {why}"))
}

/// Every text of the product below a path, by its path.
fn texts(path: &Path, found: &mut Vec<(String, String)>) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with('.') || LEFT_OUT.contains(&&*name) {
        return;
    }
    if let Ok(entries) = std::fs::read_dir(path) {
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            texts(&path, found);
        }
    } else if let Ok(text) = std::fs::read_to_string(path) {
        let place = path.strip_prefix(root()).unwrap_or(path);
        found.push((place.display().to_string(), text));
    }
}

/// A part of a document: its number, its title in lower case, and the numbers of its list.
struct Section {
    number: String,
    title: String,
    points: BTreeSet<u32>,
}

/// The numbered sections of a document.
fn sections(document: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in document.lines() {
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() {
            let (number, title) = heading.trim().split_once(' ').unwrap_or_default();
            sections.push(Section {
                number: number.to_owned(),
                title: title.to_lowercase(),
                points: BTreeSet::new(),
            });
        } else if let (Some(section), Some((point, _))) =
            (sections.last_mut(), line.split_once(". "))
        {
            section.points.extend(point.parse::<u32>());
        }
    }
    sections
}

/// The first cells of a document's tables, each with the number of filled cells in its row.
fn entries(document: &str) -> Vec<(&str, usize)> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| "));
    rows.map(|row| {
        let cells: Vec<&str> = row.split(" |").map(str::trim).collect();
        let filled = cells.iter().filter(|cell| !cell.is_empty()).count();
        (cells[0], filled)
    })
    .collect()
}

/// What can be cited.
struct Entries {
    /// Decisions, questions and facts.
    numbers: BTreeSet<String>,
    sections: BTreeMap<&'static str, Vec<Section>>,
}

impl Entries {
    fn read() -> Self {
        let documents = ["decisions", "reference/sage", "reference/splynx"]
            .map(|name| read(&format!("docs/{name}.md")));
        let mut numbers = BTreeSet::new();
        for (entry, filled) in documents.iter().flat_map(|document| entries(document)) {
            if is_number(entry) || fact(entry).is_some() {
                assert!(filled >= 3, "{entry} says too little");
                assert!(numbers.insert(entry.to_owned()), "{entry} stands twice");
            }
        }
        let [_, sage, splynx] = &documents;
        let sections = BTreeMap::from([
            ("Sage", sections(sage)),
            ("Splynx", sections(splynx)),
            ("architecture", sections(&read("docs/architecture.md"))),
        ]);
        Self { numbers, sections }
    }

    /// Whether a document has a section of this number.
    fn has_section(&self, document: &str, number: &str) -> bool {
        self.sections[document].iter().any(|s| s.number == number)
    }

    /// Whether a document has a section whose title names this, with these points.
    fn has_title(&self, document: &str, title: &str, points: &[u32]) -> bool {
        !title.is_empty()
            && self.sections[document].iter().any(|section| {
                section.title.contains(&title.to_lowercase())
                    && points.iter().all(|point| section.points.contains(point))
            })
    }
}

/// `D10`: a letter of ours and a number. `I501` is the key of an invoice.
fn is_number(word: &str) -> bool {
    let mut chars = word.chars();
    let letter = chars.next();
    let digits = chars.as_str();
    letter.is_some_and(|letter| "FIDQB".contains(letter))
        && digits.parse::<u32>().is_ok()
        && (letter != Some('I') || digits.len() < 3)
}

/// `SAGE-12` at the start of a text; `SAGE-12-1` is the key of a payment.
fn fact(text: &str) -> Option<&str> {
    let digits = text
        .strip_prefix("SAGE-")
        .or_else(|| text.strip_prefix("SPLYNX-"))?;
    let end = digits.find(|c: char| !c.is_ascii_digit());
    let (number, rest) = digits.split_at(end.unwrap_or(digits.len()));
    let goes_on = rest.starts_with(|c: char| c == '-' || c.is_alphanumeric());
    (!number.is_empty() && !goes_on).then(|| &text[..text.len() - rest.len()])
}

/// The words of a text with their lines; the marks of comments are none.
fn words(text: &str) -> Vec<(usize, &str)> {
    let lines = text.lines().enumerate();
    lines
        .flat_map(|(line, text)| text.split_whitespace().map(move |word| (line + 1, word)))
        .filter(|(_, word)| !["//", "///", "//!", "#", "*"].contains(word))
        .collect()
}

/// The words of a citation in brackets, from its first to the one that ends it.
fn bracketed(words: &[(usize, &str)]) -> String {
    let mut cited = String::new();
    for (_, word) in words.iter().take(12) {
        let end = word.find(ENDS);
        cited += &word[..end.unwrap_or(word.len())];
        if end.is_some() {
            break;
        }
        cited.push(' ');
    }
    cited
}

/// Section numbers, divided by commas, at the start of some words.
fn section_numbers<'w>(words: &[(usize, &'w str)]) -> Vec<&'w str> {
    let mut numbers = Vec::new();
    for (_, word) in words {
        let number = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        if number.is_empty() || !number.chars().all(|c| c.is_ascii_digit() || c == '.') {
            break;
        }
        numbers.push(number);
        if !word.ends_with(',') {
            break;
        }
    }
    numbers
}

/// `Sage API 2.7`, `(Sage API, lists)`, `(architecture, invariants 1 and 4)` at the start of some words: what of it has no entry.
fn missing(entries: &Entries, words: &[(usize, &str)]) -> Option<String> {
    let (first, rest) = (words[0].1, &words[1..]);
    let opens = first.contains('(');
    match (first.trim_start_matches(['(', '`', '"']), rest.first()?.1) {
        (service @ ("Sage" | "Splynx"), "API") => section_numbers(&rest[1..])
            .into_iter()
            .find(|number| !entries.has_section(service, number))
            .map(|number| format!("{service} API {number}")),
        (service @ ("Sage" | "Splynx"), "API,") if opens => {
            let cited = bracketed(&rest[1..]);
            let title = cited.split(',').next().unwrap_or_default().trim();
            let is_there = entries.has_title(service, title, &[]);
            (!is_there).then(|| format!("{service} API, {title}"))
        }
        ("architecture" | "architecture,", _) if opens => {
            let cited = bracketed(rest);
            let parts = cited.split([' ', ',']).filter(|part| !part.is_empty());
            let (points, title): (Vec<&str>, Vec<&str>) =
                parts.partition(|part| part.parse::<u32>().is_ok());
            let title: Vec<&str> = title.into_iter().filter(|part| *part != "and").collect();
            let points: Vec<u32> = points.iter().flat_map(|point| point.parse()).collect();
            let is_there = first.ends_with(',')
                && entries.has_title("architecture", &title.join(" "), &points);
            (!is_there).then(|| format!("architecture, {cited}"))
        }
        _ => None,
    }
}

/// What a text cites and has no entry, with its line.
fn unresolved(entries: &Entries, text: &str) -> Vec<(usize, String)> {
    let words = words(text);
    let mut wrong = Vec::new();
    for (at, (line, word)) in words.iter().enumerate() {
        let numbers = word
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|part| is_number(part));
        let facts = word.char_indices().filter_map(|(from, _)| {
            let begins = !word[..from].ends_with(|c: char| c == '-' || c.is_alphanumeric());
            fact(&word[from..]).filter(|_| begins)
        });
        for cited in numbers.chain(facts) {
            if !entries.numbers.contains(cited) {
                wrong.push((*line, cited.to_owned()));
            }
        }
        if let Some(cited) = missing(entries, &words[at..]) {
            wrong.push((*line, cited));
        }
    }
    wrong
}

#[test]
fn whatever_is_cited_has_its_entry() {
    let entries = Entries::read();
    let mut files = Vec::new();
    texts(&root(), &mut files);
    assert!(files.len() > 200, "only {} texts were found", files.len());
    let mut wrong = Vec::new();
    for (file, text) in &files {
        let of_file = unresolved(&entries, text).into_iter();
        wrong.extend(of_file.map(|(line, cited)| format!("{file}:{line}: {cited}")));
    }
    assert!(wrong.is_empty(), "no entry for\n{}", wrong.join("\n"));
    // The invariants that tests watch over are those of the architecture.
    let watched = read("tests/simulation/invariants.toml");
    let watched = watched.lines().filter_map(|l| l.strip_prefix("number = "));
    let watched: Vec<u32> = watched.flat_map(str::parse).collect();
    assert!(watched.len() >= 12 && entries.has_title("architecture", "invariants", &watched));
}

/// The texts between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_walks_of_the_architecture_name_what_is_there() {
    let architecture = read("docs/architecture.md");
    let (_, walks) = architecture.split_once("The walk of").expect("walks");
    let mut seen = 0;
    let mut wrong = Vec::new();
    // | step | where | what happens |
    let places = walks.lines().filter_map(|row| row.split(" | ").nth(1));
    for place in places {
        let mut file = ("", String::new());
        for name in code(place) {
            if name.ends_with(".rs") {
                file = (name, read(&format!("plugin/src/{name}")));
                continue;
            }
            let last = name.rsplit("::").next().unwrap_or(name);
            let mut words = file.1.split(|c: char| !c.is_alphanumeric() && c != '_');
            if !words.any(|word| word == last) {
                wrong.push(format!("{}: {name}", file.0));
            }
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} names were found");
    assert!(wrong.is_empty(), "not there\n{}", wrong.join("\n"));
}

#[test]
fn a_citation_without_an_entry_is_found_with_its_line() {
    let entries = Entries::read();
    // Put together here, so that this file itself cites nothing that is not there.
    let (service, rest) = ("Sage API", "architecture");
    let text = format!(
        "/// As {service} 2.7 and (D10, SAGE-1), not `SAGE-1-1` or I501.\n\
         /// D{} ({service}, request\n/// limits), ({rest}, invariants 1 and 4; D1)\n\
         // {service} 2.1, 9.9). ({service}, weather)\n//! SPLYNX-{} ({rest}, invariant {}) ({rest} of it)\n",
        99, 9999, 99
    );
    let found = unresolved(&entries, &text);
    let found: Vec<(usize, &str)> = found.iter().map(|(l, cited)| (*l, &**cited)).collect();
    let expected = [
        (2, format!("D{}", 99)),
        (4, format!("{service} 9.9")),
        (4, format!("{service}, weather")),
        (5, format!("SPLYNX-{}", 9999)),
        (5, format!("{rest}, invariant 99")),
        (5, format!("{rest}, of it")),
    ];
    let expected: Vec<(usize, &str)> = expected.iter().map(|(l, cited)| (*l, &**cited)).collect();
    assert_eq!(found, expected);
}
