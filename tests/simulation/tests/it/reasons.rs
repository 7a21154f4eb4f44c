//! Every reason with which a record is held, owed or skipped: something makes it, exactly what its cure says is done, and the record goes.
//!
//! [`rows::CURES`] does that for each, or [`ELSEWHERE`] names the test file that does. A code of the sources that stands in neither fails.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::desk::Desk;

mod rows;

use rows::CURES;

/// Codes whose cure another test does, with that test's file.
const ELSEWHERE: &[(&str, &str)] = &[
    ("allocated-in-sage", "allocations.rs"),
    ("another-record", "births.rs"),
    ("came-from-sage", "payments.rs"),
    ("changed-after-sync", "payments.rs"),
    ("changed-in-sage", "imports/life.rs"),
    ("changed-since-done", "watch.rs"),
    ("credit-notes-off", "documents.rs"),
    ("customer-in-doubt", "births.rs"),
    ("customer-not-paired", "imports/life.rs"),
    ("decided-in-splynx", "imports/life.rs"),
    ("deleted", "documents.rs"),
    ("deleted-in-sage", "imports/life.rs"),
    ("discount", "imports/life.rs"),
    ("discount-too-large", "documents.rs"),
    ("edited-in-sage", "ownership.rs"),
    ("end-not-synced", "histories.rs"),
    ("invoice-paid", "imports/life.rs"),
    ("keeps-failing", "doubts.rs"),
    ("lead", "documents.rs"),
    ("linked", "lookalikes.rs"),
    ("locked-in-sage", "documents/changes.rs"),
    ("more-allocated", "documents/changes.rs"),
    ("no-import-method", "imports/life.rs"),
    ("no-number", "documents.rs"),
    ("no-transactions", "documents.rs"),
    ("number-taken", "cures.rs"),
    ("pairing-proposed", "pairing.rs"),
    ("partial", "imports/cases.rs"),
    ("payment-differs", "watch.rs"),
    ("possible-duplicate", "documents/collisions.rs"),
    ("refused", "documents/changes.rs"),
    ("tax-group", "documents.rs"),
    ("tax-in-doubt", "vat.rs"),
    ("too-early", "documents/collisions.rs"),
    ("total-differs", "documents.rs"),
    ("unlinked", "imports/cases.rs"),
    ("unreadable", "doubts.rs"),
    ("vat-differs", "vat.rs"),
    ("zero", "documents.rs"),
];

/// States that last a run or two: whoever waits sees them end (`crashes.rs`, `doubts.rs`).
const PASSING: &[&str] = &["answer-lost", "run-died"];

/// Every cure of the table cures, and says so in the words that are followed here.
#[test]
fn what_a_cure_says_lets_the_record_go() {
    let mut failures = Vec::new();
    for row in CURES {
        let mut desk = Desk::new(2);
        let record = (row.make)(&mut desk);
        desk.run("sync");
        let (kind, id) = record;
        let (_, code) = desk.standing(kind, id);
        let told = desk.told(kind, id);
        if code != row.code {
            failures.push(format!("{}: it is {code}: {told}", row.code));
            continue;
        }
        if !told.contains(row.says) {
            failures.push(format!("{}: it says {told}", row.code));
        }
        (row.cure)(&mut desk, record);
        desk.run("sync");
        desk.pass(15);
        desk.run("sync");
        let standing = desk.standing(kind, id);
        if standing.0 != row.then {
            failures.push(format!(
                "{}: in the end it is {standing:?}: {}",
                row.code,
                desk.told(kind, id)
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The add-on's sources, tests apart.
fn sources() -> Vec<String> {
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../plugin/src")];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(path).expect("text");
                texts.push(
                    text.split("#[cfg(test)]")
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                );
            }
        }
    }
    texts
}

/// The codes that reasons are made with: texts, or constants of their file or another one.
pub fn codes() -> BTreeSet<String> {
    let sources = sources();
    let constant = |name: &str| {
        let declared = format!("const {name}: &str = \"");
        let found = sources
            .iter()
            .find_map(|text| Some(text.split_once(&declared)?.1));
        found.map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
    };
    let mut codes = BTreeSet::new();
    for text in &sources {
        for made in text.split("Reason::new(").skip(1) {
            let first = made.trim_start();
            let code = match first.strip_prefix('"') {
                Some(rest) => rest.split('"').next().map(str::to_owned),
                None => {
                    let path = first.split(',').next().unwrap_or_default();
                    constant(path.rsplit("::").next().unwrap_or_default().trim())
                }
            };
            codes.insert(
                code.unwrap_or_else(|| panic!("no code: {}", &first[..first.len().min(40)])),
            );
        }
    }
    codes
}

/// A reason that is added without a cure that was tried fails here.
#[test]
fn every_reason_has_its_row() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut rows: BTreeSet<String> = CURES.iter().map(|row| row.code.to_owned()).collect();
    for (code, file) in ELSEWHERE {
        let text = fs::read_to_string(tests.join(file)).expect("the test file is there");
        assert!(
            text.contains(&format!("\"{code}\"")),
            "{file} has nothing of {code}"
        );
        rows.insert((*code).to_owned());
    }
    rows.extend(PASSING.iter().map(|code| (*code).to_owned()));
    let codes = codes();
    assert!(codes.len() > 60, "{codes:?}");
    let missing: Vec<&String> = codes.difference(&rows).collect();
    assert!(missing.is_empty(), "without a row: {missing:?}");
    let gone: Vec<&String> = rows.difference(&codes).collect();
    assert!(gone.is_empty(), "no longer a reason: {gone:?}");
}

/// What cures put into quotation marks stands as a title in the manifest, so that people find it.
#[test]
fn titles_in_cures_exist() {
    let manifest = simulation::world::MANIFEST;
    let mut wrong = BTreeSet::new();
    let mut seen = 0;
    for text in sources() {
        for made in text.split("Reason::new(").skip(1) {
            let end = made
                .find("\n        )")
                .or(made.find("\n    )"))
                .unwrap_or(made.len());
            for quoted in made[..end.min(1_500)].split("\\\"").skip(1).step_by(2) {
                seen += 1;
                if !quoted.contains('{') && !manifest.contains(&format!("title = \"{quoted}\"")) {
                    wrong.insert(quoted.to_owned());
                }
            }
        }
    }
    assert!(seen > 20, "{seen}");
    assert!(wrong.is_empty(), "{wrong:?}");
}
