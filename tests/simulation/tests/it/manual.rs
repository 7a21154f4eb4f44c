//! The vendor's manual, line by line (`manual.toml`): each has a test that shows it, or, where it is advice or about Splynx's own screens,
//! a text for operators.
//!
//! A test counts only if its doc comment or body names the number.

use std::path::Path;

const MANUAL: &str = include_str!("manual.toml");
/// Each of them from 1 up.
const LINES: [(char, usize); 3] = [('F', 83), ('I', 15), ('D', 17)];

fn read(file: &str) -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(file)).map_err(|why| format!("{file}: {why}"))
}

/// A test with its doc comment and body; none where there is no such test.
fn test_of<'s>(source: &'s str, name: &str) -> Option<&'s str> {
    let place = source.find(&format!("fn {name}("))?;
    let start = source[..place].rfind("\n\n").unwrap_or(0);
    let end = source[place..]
        .find("\n}\n")
        .map_or(source.len(), |end| place + end);
    let head = &source[start..place];
    let is_test = head.contains("#[test]") || head.contains("#[tokio::test");
    is_test.then(|| &source[start..end])
}

/// Whether a text names the number as a word of its own.
fn names(text: &str, number: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric())
        .any(|word| word == number)
}

/// `file::function`
fn shows(test: &str, number: &str) -> Result<(), String> {
    let (file, name) = test.split_once("::").ok_or("it names no function")?;
    let source = read(file)?;
    match test_of(&source, name) {
        None => Err("there is no such test".to_owned()),
        Some(test) if !names(test, number) => Err("it does not name the number".to_owned()),
        Some(_) => Ok(()),
    }
}

/// `file: phrase`; the phrase may run over lines.
fn says(text: &str) -> Result<(), String> {
    let (file, phrase) = text.split_once(": ").ok_or("it names no phrase")?;
    let source = read(file)?;
    let words: Vec<&str> = source.split_whitespace().collect();
    match words.join(" ").contains(phrase) {
        true => Ok(()),
        false => Err("it does not say so".to_owned()),
    }
}

#[test]
fn every_line_of_the_manual_is_shown_by_a_test_or_a_text() {
    // A number that stands there twice is no TOML.
    let mut manual: toml::Table = MANUAL.parse().expect("the table is TOML");
    let numbers = LINES
        .iter()
        .flat_map(|(letter, last)| (1..=*last).map(move |n| format!("{letter}{n}")));
    let mut wrong = Vec::new();
    for number in numbers {
        let Some(mut shown) = manual.remove(&number) else {
            wrong.push(format!("{number}: it is missing"));
            continue;
        };
        let mut list = |name: &str| -> Vec<String> {
            let list = shown.as_table_mut().and_then(|shown| shown.remove(name));
            list.map_or_else(Vec::new, |list| list.try_into().expect("a list of texts"))
        };
        let (tests, texts) = (list("tests"), list("texts"));
        if tests.is_empty() && texts.is_empty() {
            wrong.push(format!("{number}: nothing shows it"));
        }
        let tests = tests.iter().map(|test| (test, shows(test, &number)));
        let texts = texts.iter().map(|text| (text, says(text)));
        for (by, found) in tests.chain(texts) {
            if let Err(why) = found {
                wrong.push(format!("{number}: {by}: {why}"));
            }
        }
    }
    wrong.extend(
        manual
            .keys()
            .map(|key| format!("{key}: the manual has no such line")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
