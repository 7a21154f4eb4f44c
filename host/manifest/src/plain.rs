//! What every text of a manifest is, before anything is made of it: plain and of a bounded length. Titles and names end on
//! terminals and in lists, where a control character could say something that the add-on does not say.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::Source;

/// Keys of texts that have several sentences, and perhaps several lines.
const LONG: [&str; 4] = ["confirm", "default", "description", "help"];

/// In characters: the longest value of a setting, which a default may be.
const LONGEST: usize = 4000;
/// The same of all other texts.
const LONGEST_LINE: usize = 500;

/// Reports every text and every key that is none, however deep it stands.
pub(super) fn check(source: &Source<'_>, table: &DeTable<'_>, path: &str) {
    for (key, value) in table {
        let name: &str = key.get_ref();
        let below = match path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        if let Some((message, cure)) = wrong(name, false) {
            source.report(&key.span(), below.clone(), message, cure);
        }
        check_value(source, value, name, &below);
    }
}

fn check_value(source: &Source<'_>, value: &Spanned<DeValue<'_>>, key: &str, path: &str) {
    match value.get_ref() {
        DeValue::String(text) => {
            if let Some((message, cure)) = wrong(text, LONG.contains(&key)) {
                source.report(&value.span(), path.to_owned(), message, cure);
            }
        }
        DeValue::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                check_value(source, value, key, &format!("{path}[{}]", index + 1));
            }
        }
        DeValue::Table(table) => check(source, table, path),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
    }
}

/// What is wrong with a text, and the cure.
fn wrong(text: &str, long: bool) -> Option<(String, String)> {
    if let Some(c) = text.chars().find(|c| is_unfit(*c) && !(long && *c == '\n')) {
        let message = format!(
            "holds U+{:04X}, which is no character to read",
            u32::from(c)
        );
        return Some((message, "Write plain text".to_owned()));
    }
    let (length, most) = (
        text.chars().count(),
        if long { LONGEST } else { LONGEST_LINE },
    );
    let message = || format!("has {length} characters");
    (length > most).then(|| (message(), format!("At most {most}")))
}

/// Control characters, and those that end lines or turn the direction of writing.
pub(super) fn is_unfit(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}
