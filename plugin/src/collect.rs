//! Maps and sets from iterators, by insertion.
//!
//! `collect` would sort first, and std's sort is six kilobytes of code for every type of key: an eighth of the component in all.

use std::collections::{BTreeMap, BTreeSet};

pub trait ToMap<K, V> {
    /// Of two values for a key, the last one stays.
    fn to_map(self) -> BTreeMap<K, V>;
}

impl<K: Ord, V, I: Iterator<Item = (K, V)>> ToMap<K, V> for I {
    fn to_map(self) -> BTreeMap<K, V> {
        let mut map = BTreeMap::new();
        map.extend(self);
        map
    }
}

pub trait ToSet<K> {
    fn to_set(self) -> BTreeSet<K>;
}

impl<K: Ord, I: Iterator<Item = K>> ToSet<K> for I {
    fn to_set(self) -> BTreeSet<K> {
        let mut set = BTreeSet::new();
        set.extend(self);
        set
    }
}
