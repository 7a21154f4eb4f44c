//! Entries under many prefixes at once. Most prefixes of a batch have nothing under them, and one read jumps over all that lie in a gap.

use crate::capability::{Capabilities, Entry, Failure};
use crate::collect::Set;

/// How many entries one read looks ahead.
const REACH: u32 = 16;

/// The first `most` entries under each prefix, by prefix. What is stored under a prefix itself, without anything behind it, is not found.
pub fn under(
    cap: &mut dyn Capabilities,
    table: &str,
    prefixes: Set<String>,
    most: u32,
) -> Result<Vec<(String, Vec<Entry>)>, Failure> {
    // Everything from an earlier prefix up to its last entry, or up to the table's end.
    let mut ahead: Option<Vec<Entry>> = None;
    let mut found = Vec::new();
    for prefix in prefixes {
        let read = match ahead.take().filter(|read| tells(read, &prefix)) {
            Some(read) => read,
            None => cap.scan(table, "", &prefix, REACH)?,
        };
        let entries = if tells(&read, &prefix) {
            let its_own = read.iter().filter(|entry| entry.key.starts_with(&prefix));
            its_own.take(most as usize).cloned().collect()
        } else {
            cap.scan(table, &prefix, "", most)?
        };
        ahead = Some(read);
        found.push((prefix, entries));
    }
    Ok(found)
}

/// Whether a read that began at this prefix or before it has everything under it.
fn tells(read: &[Entry], prefix: &str) -> bool {
    let is_beyond = |last: &Entry| last.key.as_str() > prefix && !last.key.starts_with(prefix);
    read.len() < REACH as usize || read.last().is_some_and(is_beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_tells_of_what_lies_within_it() {
        let entries = |keys: &[&str]| -> Vec<Entry> {
            let entry = |key: &&str| Entry {
                key: (*key).to_owned(),
                value: String::new(),
            };
            keys.iter().map(entry).collect()
        };
        let full = |last: &'static str| [&["a|1"; REACH as usize - 1][..], &[last]].concat();
        for (keys, prefix, told) in [
            (full("d|1"), "c|", true),
            (full("c|1"), "c|", false),
            (full("b|2"), "c|", false),
            (vec!["b|1", "c|1"], "c|", true),
            (vec![], "c|", true),
        ] {
            assert_eq!(tells(&entries(&keys), prefix), told, "{keys:?}");
        }
    }
}
