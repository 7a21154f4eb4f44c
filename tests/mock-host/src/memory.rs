//! The contract's storage (`storage.wit`) in memory: tables of ordered keys, all-or-nothing commits, activities.
//!
//! Plain values, no component runtime: native tests use it as it is. It keeps the sizes that a real host keeps, so that a
//! plugin which passes here is not refused there. What depends on the run (previews, lost leases) is [`crate::MockHost`]'s.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::{Activity, Change, Entry, Failure};

/// Sizes above which a call is refused with the code `limit`; bytes, except where the name says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageLimits {
    pub table_name: usize,
    pub key: usize,
    pub value: usize,
    /// Keys of one `get`; expectations, changes and activities together of one `commit`.
    pub items_per_call: usize,
    /// Keys and values that one call carries in or out.
    pub bytes_per_call: usize,
    /// Keys and values of all tables; above it the code is `full`.
    pub stored: u64,
}

impl Default for StorageLimits {
    fn default() -> Self {
        Self {
            table_name: 64,
            key: 512,
            value: 1 << 20,
            items_per_call: 10_000,
            bytes_per_call: 16 << 20,
            stored: 4 << 30,
        }
    }
}

type Table = BTreeMap<String, String>;

/// State of one installation. Cloning it is a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryStorage {
    // Rust compares strings by their bytes, which is the order that the contract asks for.
    tables: BTreeMap<String, Table>,
    activities: Vec<Activity>,
    limits: StorageLimits,
    stored: u64,
}

impl MemoryStorage {
    pub fn with_limits(limits: StorageLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// The entries that exist among `keys`, in the order of `keys`.
    pub fn get(&self, table: &str, keys: &[String]) -> Result<Vec<Entry>, Failure> {
        limit("keys of one get", keys.len(), self.limits.items_per_call)?;
        let found: Vec<Entry> = keys
            .iter()
            .filter_map(|key| {
                let value = self.value(table, key)?;
                Some(Entry {
                    key: key.clone(),
                    value: value.to_owned(),
                })
            })
            .collect();
        limit(
            "bytes of one get",
            size_of(&found),
            self.limits.bytes_per_call,
        )?;
        Ok(found)
    }

    /// Entries whose key starts with `prefix` and is greater than `after`, in byte order, at most `most`.
    pub fn scan(
        &self,
        table: &str,
        prefix: &str,
        after: &str,
        most: u32,
    ) -> Result<Vec<Entry>, Failure> {
        let found: Vec<Entry> = self
            .tables
            .get(table)
            .into_iter()
            .flat_map(|entries| entries.range(prefix.max(after).to_owned()..))
            .filter(|(key, _)| key.as_str() > after)
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(most as usize)
            .map(|(key, value)| Entry {
                key: key.clone(),
                value: value.clone(),
            })
            .collect();
        limit(
            "bytes of one scan",
            size_of(&found),
            self.limits.bytes_per_call,
        )?;
        Ok(found)
    }

    /// All of it or none of it.
    pub fn commit(
        &mut self,
        expect: &[Change],
        changes: &[Change],
        activities: &[Activity],
    ) -> Result<(), Failure> {
        self.check(expect, changes, activities)?;
        if let Some(Change { table, key, .. }) = expect
            .iter()
            .find(|change| self.value(&change.table, &change.key) != change.value.as_deref())
        {
            let mut failure = Failure::new(
                "conflict",
                format!(
                    "another value stands in table `{table}` under `{key}`: read again and decide anew"
                ),
            );
            failure.more = vec![
                ("table".to_owned(), table.clone()),
                ("key".to_owned(), key.clone()),
            ];
            return Err(failure);
        }
        let (gone, come) = changes.iter().fold((0, 0), |(gone, come), change| {
            let size = |value: &str| (change.key.len() + value.len()) as u64;
            let old = self.value(&change.table, &change.key).map_or(0, size);
            (gone + old, come + change.value.as_deref().map_or(0, size))
        });
        let stored = self.stored - gone + come;
        if stored > self.limits.stored {
            let message = format!(
                "the installation's storage is full ({} bytes)",
                self.limits.stored
            );
            return Err(Failure::new("full", message));
        }
        self.stored = stored;
        for change in changes {
            let table = self.tables.entry(change.table.clone()).or_default();
            match &change.value {
                Some(value) => table.insert(change.key.clone(), value.clone()),
                None => table.remove(&change.key),
            };
        }
        self.activities.extend_from_slice(activities);
        Ok(())
    }

    /// The value under a key, without a call's limits.
    pub fn value(&self, table: &str, key: &str) -> Option<&str> {
        self.tables.get(table)?.get(key).map(String::as_str)
    }

    /// All tables that hold something.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, String>)> {
        self.tables
            .iter()
            .filter(|(_, entries)| !entries.is_empty())
            .map(|(name, entries)| (name.as_str(), entries))
    }

    /// Every activity, in the order of the commits.
    pub fn activities(&self) -> &[Activity] {
        &self.activities
    }

    fn check(
        &self,
        expect: &[Change],
        changes: &[Change],
        activities: &[Activity],
    ) -> Result<(), Failure> {
        let items = expect.len() + changes.len() + activities.len();
        limit("items of one commit", items, self.limits.items_per_call)?;
        let mut bytes = activities.iter().map(activity_size).sum::<usize>();
        for Change { table, key, value } in expect.iter().chain(changes) {
            let value = value.as_deref().unwrap_or_default();
            if table.is_empty() || key.is_empty() {
                return Err(invalid(
                    "tables and keys have names: an empty one was given",
                ));
            }
            if [table, key, value].iter().any(|text| text.contains('\0')) {
                return Err(invalid(format!(
                    "`{}` holds a NUL character",
                    key.escape_debug()
                )));
            }
            limit(
                "bytes of a table's name",
                table.len(),
                self.limits.table_name,
            )?;
            limit("bytes of a key", key.len(), self.limits.key)?;
            limit("bytes of a value", value.len(), self.limits.value)?;
            bytes += key.len() + value.len();
        }
        limit("bytes of one commit", bytes, self.limits.bytes_per_call)?;
        let mut seen = BTreeSet::new();
        match changes
            .iter()
            .find(|change| !seen.insert((&change.table, &change.key)))
        {
            Some(Change { table, key, .. }) => Err(invalid(format!(
                "table `{table}`: `{key}` is changed twice in one commit"
            ))),
            None => Ok(()),
        }
    }
}

fn limit(what: &str, found: usize, most: usize) -> Result<(), Failure> {
    if found > most {
        Err(Failure::new(
            "limit",
            format!("{what}: {found}, at most {most}"),
        ))
    } else {
        Ok(())
    }
}

/// The call itself makes no sense.
fn invalid(message: impl Into<String>) -> Failure {
    Failure::new("invalid-request", message)
}

fn size_of(entries: &[Entry]) -> usize {
    entries
        .iter()
        .map(|entry| entry.key.len() + entry.value.len())
        .sum()
}

fn activity_size(activity: &Activity) -> usize {
    let Activity {
        entity,
        action,
        local_id,
        remote_id,
        customer_id,
        label,
        code,
        message,
        more,
    } = activity;
    let texts = [
        entity,
        action,
        local_id,
        remote_id,
        customer_id,
        label,
        code,
        message,
    ];
    texts.iter().map(|text| text.len()).sum::<usize>()
        + more
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum::<usize>()
}
