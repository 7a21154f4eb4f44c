//! Maps and sets as sorted lists. They hold a page of records at a time, a few hundred entries.
//!
//! Why not std's: a B-tree is seven kilobytes of code for every type of key and value, and `collect` brings a sort of six more. That
//! made up a third of the component.

pub use litemap::LiteMap as Map;

/// A sorted list without doubles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set<K>(Map<K, ()>);

impl<K> Default for Set<K> {
    fn default() -> Self {
        Self(Map::new_vec())
    }
}

impl<K: Ord> Set<K> {
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it is new.
    pub fn insert(&mut self, key: K) -> bool {
        self.0.insert(key, ()).is_none()
    }

    pub fn remove(&mut self, key: &K) -> bool {
        self.0.remove(key).is_some()
    }

    pub fn contains(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn last(&self) -> Option<&K> {
        self.0.last().map(|(key, ())| key)
    }

    pub fn first(&self) -> Option<&K> {
        self.0.first().map(|(key, ())| key)
    }
}

impl<K: Ord> Extend<K> for Set<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, keys: I) {
        for key in keys {
            self.insert(key);
        }
    }
}

impl<K> IntoIterator for Set<K> {
    type Item = K;
    type IntoIter = std::iter::Map<std::vec::IntoIter<(K, ())>, fn((K, ())) -> K>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_tuple_vec().into_iter().map(|(key, ())| key)
    }
}

pub trait ToMap<K, V> {
    /// Of two values for a key, the last one stays.
    fn to_map(self) -> Map<K, V>;
}

impl<K: Ord, V, I: Iterator<Item = (K, V)>> ToMap<K, V> for I {
    fn to_map(self) -> Map<K, V> {
        let mut map = Map::new_vec();
        for (key, value) in self {
            map.insert(key, value);
        }
        map
    }
}

pub trait ToSet<K> {
    fn to_set(self) -> Set<K>;
}

impl<K: Ord, I: Iterator<Item = K>> ToSet<K> for I {
    fn to_set(self) -> Set<K> {
        let mut set = Set::new();
        set.extend(self);
        set
    }
}
