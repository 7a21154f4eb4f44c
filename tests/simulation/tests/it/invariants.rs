//! Every invariant has something that breaks it on purpose, and a test that notices.

use std::collections::BTreeSet;
use std::path::Path;

use simulation::invariants::Invariants;
use splynx_sageone::planted::Mistake;

#[test]
fn every_invariant_can_be_broken_on_purpose() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let list = Invariants::read().invariant;
    let numbers: Vec<u32> = list.iter().map(|invariant| invariant.number).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<u32>>());
    let mut planted = BTreeSet::new();
    for invariant in &list {
        let says = &invariant.says;
        assert!(
            !(invariant.planted.is_empty() && invariant.broken.is_empty()),
            "nothing breaks {says}"
        );
        planted.extend(invariant.planted.iter().cloned());
        for broken in &invariant.broken {
            let text = std::fs::read_to_string(root.join(&broken.file));
            let text = text.unwrap_or_else(|error| panic!("{}: {error}", broken.file));
            broken.broken(&text).unwrap_or_else(|why| panic!("{why}"));
        }
    }
    let all = Mistake::ALL.map(|mistake| format!("{mistake:?}"));
    assert_eq!(
        planted,
        all.into_iter().collect(),
        "the mistakes that can be planted"
    );
}
