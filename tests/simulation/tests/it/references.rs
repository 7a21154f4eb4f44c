//! The references for users say what the product has, and nothing else: every reason code, every setting and mapping.

use std::collections::BTreeSet;
use std::path::Path;

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file);
    std::fs::read_to_string(path).unwrap_or_else(|why| panic!("{file}: {why}"))
}

/// The code in the first cell of each row.
fn rows(document: &str) -> Vec<&str> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| Some(row.split_once('`')?.0))
        .collect()
}

#[track_caller]
fn assert_lists(file: &str, has: &BTreeSet<String>) {
    let document = read(file);
    let listed = rows(&document);
    let unique: BTreeSet<String> = listed.iter().map(|code| (*code).to_owned()).collect();
    assert_eq!(listed.len(), unique.len(), "{file} lists something twice");
    let missing: Vec<_> = has.difference(&unique).collect();
    let gone: Vec<_> = unique.difference(has).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "{file} lacks {missing:?}, and the product lacks {gone:?}"
    );
}

#[test]
fn every_reason_is_in_the_reference() {
    assert_lists("docs/reasons.md", &crate::reasons::codes());
}

/// The row of a setting or mapping.
fn row(spec: &toml::Value, key: &str, kind: &str) -> String {
    let text = |name: &str| spec.get(name).and_then(toml::Value::as_str).unwrap_or("");
    format!(
        "| `{key}` | {} | {kind} | {} | {} |",
        text("title"),
        text("default"),
        text("help")
    )
}

#[test]
fn every_setting_is_in_the_reference_as_the_manifest_has_it() {
    let manifest: toml::Table = read("plugin/addon.toml").parse().expect("it is TOML");
    let specs = |name: &str| manifest[name].as_array().expect("a list").iter();
    let text = |spec: &toml::Value, name: &str| spec[name].as_str().expect("a text").to_owned();
    let settings = specs("settings").map(|spec| row(spec, &text(spec, "key"), &text(spec, "type")));
    let mappings =
        specs("mappings").map(|spec| row(spec, &format!("{}.ROW", text(spec, "key")), "choice"));
    let document = read("docs/settings.md");
    let listed: Vec<&str> = document
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(listed, settings.chain(mappings).collect::<Vec<_>>());
}
