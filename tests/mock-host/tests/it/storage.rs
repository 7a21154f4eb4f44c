//! The storage against a model that is too simple to be wrong: a list of entries.

use mock_host::contract::{Activity, Change, Entry};
use mock_host::{MemoryStorage, StorageLimits};
use proptest::prelude::*;

const LIMITS: StorageLimits = StorageLimits {
    table_name: 3,
    key: 12,
    value: 12,
    items_per_call: 6,
    bytes_per_call: 12,
    stored: 28,
};

#[derive(Debug, Clone)]
enum Step {
    Get {
        table: String,
        keys: Vec<String>,
    },
    Scan {
        table: String,
        prefix: String,
        after: String,
        limit: u32,
    },
    Commit {
        expect: Vec<Change>,
        changes: Vec<Change>,
        activities: usize,
    },
}

/// Entries in no order.
#[derive(Default)]
struct Model {
    entries: Vec<(String, String, String)>,
    activities: usize,
}

impl Model {
    fn value(&self, table: &str, key: &str) -> Option<&String> {
        self.entries
            .iter()
            .find(|(t, k, _)| t == table && k == key)
            .map(|(_, _, value)| value)
    }

    fn get(&self, table: &str, keys: &[String]) -> Result<Vec<Entry>, &'static str> {
        if keys.len() > LIMITS.items_per_call {
            return Err("limit");
        }
        let found = keys
            .iter()
            .filter_map(|key| Some(entry(key, self.value(table, key)?)))
            .collect();
        within_bytes(found)
    }

    fn scan(
        &self,
        table: &str,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Entry>, &'static str> {
        let mut found: Vec<Entry> = self
            .entries
            .iter()
            .filter(|(t, key, _)| {
                t == table && key.starts_with(prefix) && key.as_bytes() > after.as_bytes()
            })
            .map(|(_, key, value)| entry(key, value))
            .collect();
        found.sort_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
        found.truncate(limit as usize);
        within_bytes(found)
    }

    fn commit(
        &mut self,
        expect: &[Change],
        changes: &[Change],
        activities: usize,
    ) -> Result<(), &'static str> {
        if expect.len() + changes.len() + activities > LIMITS.items_per_call {
            return Err("limit");
        }
        for Change { table, key, value } in expect.iter().chain(changes) {
            let value = value.as_deref().unwrap_or_default();
            if table.is_empty() || key.is_empty() || value.contains('\0') {
                return Err("invalid-request");
            }
            if table.len() > LIMITS.table_name
                || key.len() > LIMITS.key
                || value.len() > LIMITS.value
            {
                return Err("limit");
            }
        }
        let bytes = |changes: &[Change]| changes.iter().map(size).sum::<usize>();
        if bytes(expect) + bytes(changes) + activities * "run".len() > LIMITS.bytes_per_call {
            return Err("limit");
        }
        for (index, change) in changes.iter().enumerate() {
            if changes[..index]
                .iter()
                .any(|earlier| earlier.table == change.table && earlier.key == change.key)
            {
                return Err("invalid-request");
            }
        }
        if expect
            .iter()
            .any(|change| self.value(&change.table, &change.key) != change.value.as_ref())
        {
            return Err("conflict");
        }
        let mut next = self.entries.clone();
        for Change { table, key, value } in changes {
            next.retain(|(t, k, _)| !(t == table && k == key));
            next.extend(
                value
                    .clone()
                    .map(|value| (table.clone(), key.clone(), value)),
            );
        }
        let stored = |entries: &[(String, String, String)]| {
            entries
                .iter()
                .map(|(_, k, v)| k.len() + v.len())
                .sum::<usize>()
        };
        if stored(&next) as u64 > LIMITS.stored {
            return Err("full");
        }
        self.entries = next;
        self.activities += activities;
        Ok(())
    }
}

fn entry(key: &str, value: &str) -> Entry {
    Entry {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn size(change: &Change) -> usize {
    change.key.len() + change.value.as_ref().map_or(0, String::len)
}

fn within_bytes(found: Vec<Entry>) -> Result<Vec<Entry>, &'static str> {
    let bytes: usize = found
        .iter()
        .map(|entry| entry.key.len() + entry.value.len())
        .sum();
    if bytes > LIMITS.bytes_per_call {
        Err("limit")
    } else {
        Ok(found)
    }
}

fn text(alphabet: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(alphabet), 0..=most)
        .prop_map(|parts| parts.concat())
}

/// Few keys, so that they meet; characters whose order differs between UTF-8 and UTF-16, and one that ends the code space.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => text(&["a", "b"], 2).prop_filter("keys have names", |key| !key.is_empty()),
        3 => text(&["a", "/", "é", "\u{ffff}", "\u{1f600}", "\u{10ffff}"], 3),
    ]
}

fn table() -> impl Strategy<Value = String> {
    prop_oneof![40 => Just("t"), 10 => Just("u"), 1 => Just(""), 1 => Just("long")]
        .prop_map(str::to_owned)
}

/// A value, or none; now and then one that is refused.
fn change() -> impl Strategy<Value = Change> {
    let value = prop_oneof![
        30 => text(&["x", "yy", "é"], 2).prop_map(Some),
        20 => Just(None),
        1 => Just(Some("nul\0".to_owned())),
        1 => Just(Some("x".repeat(13))),
    ];
    (table(), key(), value).prop_map(|(table, key, value)| Change { table, key, value })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (table(), proptest::collection::vec(key(), 0..8))
            .prop_map(|(table, keys)| Step::Get { table, keys }),
        (table(), key(), key(), 0..6_u32).prop_map(|(table, prefix, after, limit)| Step::Scan {
            table,
            prefix,
            after,
            limit
        }),
        // Few expectations, or most commits would meet a conflict.
        (
            proptest::collection::vec(change(), 0..2),
            proptest::collection::vec(change(), 0..4),
            0..3_usize
        )
            .prop_map(|(expect, changes, activities)| Step::Commit {
                expect,
                changes,
                activities
            }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn storage_does_what_a_list_of_entries_would_do(steps in proptest::collection::vec(step(), 0..40)) {
        let mut storage = MemoryStorage::with_limits(LIMITS);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Get { table, keys } => {
                    let found = storage.get(&table, &keys).map_err(|failure| failure.code);
                    prop_assert_eq!(found, model.get(&table, &keys).map_err(str::to_owned));
                }
                Step::Scan { table, prefix, after, limit } => {
                    let found = storage.scan(&table, &prefix, &after, limit).map_err(|failure| failure.code);
                    prop_assert_eq!(found, model.scan(&table, &prefix, &after, limit).map_err(str::to_owned));
                }
                Step::Commit { expect, changes, activities } => {
                    let run = Activity { entity: "run".to_owned(), ..Activity::default() };
                    let done = storage.commit(&expect, &changes, &vec![run; activities]).map_err(|failure| failure.code);
                    prop_assert_eq!(done, model.commit(&expect, &changes, activities).map_err(str::to_owned));
                }
            }
            let mut all: Vec<_> = model.entries.clone();
            all.sort();
            let stored: Vec<_> = storage
                .tables()
                .flat_map(|(table, entries)| entries.iter().map(move |(k, v)| (table.to_owned(), k.clone(), v.clone())))
                .collect();
            prop_assert_eq!(stored, all);
            prop_assert_eq!(storage.activities().len(), model.activities);
        }
    }
}
