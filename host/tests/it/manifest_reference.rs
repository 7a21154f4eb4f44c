//! The manifest's reference names every key that a manifest may have: the keys are taken from the sources that read them.

use std::collections::BTreeSet;
use std::path::Path;

/// What asks a table for a key, its name first.
const ASKS: [&str; 18] = [
    "text",
    "maybe_text",
    "texts",
    "some_texts",
    "flag",
    "count",
    "maybe_number",
    "template",
    "table",
    "maybe_table",
    "tables",
    "named_tables",
    "setting",
    "pointer",
    "pointers",
    "groups",
    "date",
    "number",
];

/// The keys in calls such as `table.text("title")`.
fn asked_for(source: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for (at, _) in source.match_indices('(') {
        let before = &source[..at];
        let name_begins = before
            .rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .map_or(0, |place| place + 1);
        if !ASKS.contains(&&before[name_begins..]) {
            continue;
        }
        let arguments = source[at + 1..].trim_start();
        let arguments = arguments
            .strip_prefix("&table,")
            .map_or(arguments, str::trim_start);
        let key = arguments
            .strip_prefix('"')
            .and_then(|rest| rest.split_once('"'));
        if let Some((key, _)) = key {
            keys.insert(key.to_owned());
        }
    }
    keys
}

fn names(text: &str, key: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(key).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + key.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[test]
fn every_key_of_the_manifest_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut keys = BTreeSet::new();
    for file in std::fs::read_dir(root.join("manifest/src")).unwrap() {
        let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
        // What tests of the parser write is no key.
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        keys.extend(asked_for(source));
    }
    assert!(keys.len() > 80 && keys.contains("per_minute"), "{keys:?}");
    let docs: String = ["manifest.md", "installations.md"]
        .map(|file| std::fs::read_to_string(root.join("../docs").join(file)).unwrap())
        .concat();
    // Only what stands as code: a word of a sentence explains no key.
    let code: String = docs
        .split('`')
        .skip(1)
        .step_by(2)
        .collect::<Vec<_>>()
        .join("\n");
    let missing: Vec<&String> = keys.iter().filter(|key| !names(&code, key)).collect();
    assert!(
        missing.is_empty(),
        "docs/manifest.md does not explain {missing:?}"
    );
}
