//! The words of the pages stand in `web/src/texts.rs`, and nowhere else. A lower-case word that stands alone in a Rust literal may be a
//! name just as well: that one is let pass.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The file with the words.
const TEXTS: &str = "web/src/texts.rs";

/// Attributes that people read or hear.
const READ: [&str; 12] = [
    "alt",
    "aria-description",
    "aria-label",
    "aria-placeholder",
    "aria-roledescription",
    "aria-valuetext",
    "data-label",
    "label",
    "lang",
    "placeholder",
    "summary",
    "title",
];

/// Literals that read like words, and why they stand where they do.
const ELSEWHERE: [(&str, &str, &str); 8] = [
    ("web/src/pages/waiting.rs", "State", "a column of add-ons"),
    ("web/src/hooks.rs", "try again later", "to a service"),
    ("web/src/hooks.rs", "not found", "to a service"),
    ("web/src/hooks.rs", "JSON is wanted", "to a service"),
    ("web/src/hooks.rs", "passed over", "to a service"),
    ("web/src/hooks.rs", "a sync is due", "to a service"),
    (
        "web/src/health.rs",
        "the database does not answer: the log says why",
        "to a monitor",
    ),
    (
        "web/src/health.rs",
        "the scheduler has not looked for {} s: the log says why; restart the host",
        "to a monitor and to the log",
    ),
];

#[test]
fn templates_hold_no_words() {
    let mut wrong = Vec::new();
    for file in files("web/templates", "html") {
        wrong.extend(words_of_template(&read(&file)).map(|words| format!("{file}: {words}")));
    }
    assert!(wrong.is_empty(), "these belong to {TEXTS}: {wrong:#?}");
}

#[test]
fn sources_of_pages_hold_no_words() {
    let mut wrong = Vec::new();
    let mut known = Vec::new();
    for file in files("web/src", "rs") {
        // What the server says, it says to monitors and in the log.
        if file == TEXTS || file.starts_with("web/src/server/") {
            continue;
        }
        let source: TokenStream = read(&file).parse().expect("a source of this crate");
        let mut found = Vec::new();
        literals(source, &mut found);
        for words in found.into_iter().filter(|text| reads_like_words(text)) {
            let place = |(of, text, _): &(&str, &str, &str)| *of == file && *text == words;
            match ELSEWHERE.iter().position(place) {
                Some(place) => known.push(place),
                None => wrong.push(format!("{file}: {words}")),
            }
        }
    }
    assert!(wrong.is_empty(), "these belong to {TEXTS}: {wrong:#?}");
    known.sort_unstable();
    known.dedup();
    assert_eq!(
        known.len(),
        ELSEWHERE.len(),
        "the list says no more than is so"
    );
}

/// Files of a folder of this crate and of all folders in it, as paths within the crate.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(Path::new(ROOT).join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|known| known == ending) {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    assert!(found.len() > 20, "{folder} is where it was");
    found.sort();
    found
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(file)).unwrap()
}

/// What stands outside of tags, in attributes that are read, and in expressions.
fn words_of_template(source: &str) -> impl Iterator<Item = String> {
    let (html, mut words) = without_askama(source);
    let mut parts = html.split('<');
    words.extend(parts.next().map(str::to_owned));
    for part in parts {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        words.push(text.to_owned());
        words.extend(words_of_tag(tag));
    }
    let words = words.into_iter();
    words.filter(|words| words.chars().any(char::is_alphabetic))
}

/// The HTML alone, and literals of expressions that are shown or read like words.
fn without_askama(source: &str) -> (String, Vec<String>) {
    let (mut html, mut words) = (String::new(), Vec::new());
    let mut rest = source;
    while let Some((before, code)) = rest.split_once('{') {
        html.push_str(before);
        let end = match code.chars().next() {
            Some('{') => "}}",
            Some('%') => "%}",
            _ => "#}",
        };
        let (code, behind) = code.split_once(end).expect("an expression ends");
        let mut literals: Vec<&str> = code.split('"').skip(1).step_by(2).collect();
        literals.retain(|text| end == "}}" || end == "%}" && reads_like_words(text));
        words.extend(literals.into_iter().map(str::to_owned));
        rest = behind;
    }
    html.push_str(rest);
    (html, words)
}

fn words_of_tag(tag: &str) -> Vec<String> {
    let mut words = Vec::new();
    let parts: Vec<&str> = tag.split('"').collect();
    for pair in parts.chunks(2) {
        let unquoted = pair[0].matches('=').count() + 1 - pair.len();
        assert_eq!(unquoted, 0, "quotes are missing: {tag}");
        let [before, value] = pair else { continue };
        let name = before.trim_end_matches('=').split_whitespace().next_back();
        let is_read = name.is_some_and(|name| READ.contains(&name));
        if is_read || name == Some("value") && reads_like_words(value) {
            words.push((*value).to_owned());
        }
    }
    words
}

/// Literals of the program, without those of attributes (comments, errors of `thiserror`), of tests, of the log, and of what never
/// happens.
fn literals(source: TokenStream, found: &mut Vec<String>) {
    let mut tokens = source.into_iter().peekable();
    // The next group is not for people.
    let mut is_unread = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                tokens.next_if(|next| next.to_string() == "!");
                let attribute = tokens.next_if(|next| matches!(next, TokenTree::Group(_)));
                is_unread |= attribute.is_some_and(|group| group.to_string() == "[cfg (test)]");
            }
            TokenTree::Punct(mark) => is_unread &= mark.as_char() != ';',
            TokenTree::Ident(name) => is_unread |= name == "tracing" || name == "expect",
            TokenTree::Literal(literal) => found.extend(text(&literal.to_string())),
            TokenTree::Group(_) if std::mem::take(&mut is_unread) => {}
            TokenTree::Group(group) => literals(group.stream(), found),
        }
    }
}

/// What stands in a literal that is a string.
fn text(literal: &str) -> Option<String> {
    let inner = literal.trim_start_matches('r').trim_matches('#');
    let inner = inner.strip_prefix('"')?.strip_suffix('"')?;
    Some(inner.to_owned())
}

/// Two words side by side, or one that begins with a capital; what a format puts in counts for nothing.
fn reads_like_words(text: &str) -> bool {
    let parts = text.split('{');
    let plain: String = parts
        .map(|part| part.split_once('}').map_or(part, |(_, behind)| behind))
        .collect();
    let characters: Vec<char> = plain.trim().chars().collect();
    let begins = matches!(characters[..], [first, second, ..] if first.is_uppercase() && second.is_lowercase());
    let side_by_side = |three: &[char]| {
        three[0].is_alphabetic() && three[1].is_whitespace() && three[2].is_alphabetic()
    };
    begins || characters.windows(3).any(side_by_side)
}
