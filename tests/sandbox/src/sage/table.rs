//! Rows of one entity with their indexes, and the undo that makes every request all or nothing.
//!
//! All changes go through `put` and `remove`, so an index can't disagree with its rows and a roll-back sees
//! everything. Rows are kept by id: a page of `ID gt n` is a range, not a search.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// What a table must know of its rows.
pub trait Record: Clone {
    /// The property whose text is the key, so that a filter on it can use the index.
    const KEY_FIELD: &'static str = "";
    /// The properties whose ids are the links, for the same reason.
    const LINK_FIELDS: &'static [&'static str] = &[];

    fn id(&self) -> i64;

    /// A text to be found by, before folding; what makes it unique, if anything, is its service's business.
    fn key(&self) -> &str {
        ""
    }

    /// Ids of other rows to be found by, such as the customer's.
    fn links(&self) -> [Option<i64>; 2] {
        [None, None]
    }
}

/// A text as unique names and numbers are compared: trimmed, without case.
pub fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

#[derive(Clone)]
pub struct Table<T> {
    rows: BTreeMap<i64, T>,
    keys: BTreeSet<(String, i64)>,
    links: BTreeSet<(i64, i64)>,
    /// What was there before each change since `begin`, oldest first.
    undo: Option<Vec<(i64, Option<T>)>>,
    tally: RefCell<Option<Tally>>,
}

/// How many rows of a condition lie above an id: what is left of a list behind its last page. Each page says how many rows it is one of,
/// and counting them anew would look at all of a large list for each of its pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    pub condition: String,
    pub above: i64,
    pub rows: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            keys: BTreeSet::new(),
            links: BTreeSet::new(),
            undo: None,
            tally: RefCell::default(),
        }
    }
}

impl<T: Record> Table<T> {
    pub fn get(&self, id: i64) -> Option<&T> {
        self.rows.get(&id)
    }

    /// All rows by id.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.values()
    }

    /// The rows of a range of ids, by id; a range that ends before it begins is empty.
    pub fn range(&self, ids: RangeInclusive<i64>) -> impl DoubleEndedIterator<Item = &T> {
        (!ids.is_empty())
            .then(|| self.rows.range(ids))
            .into_iter()
            .flatten()
            .map(|(_, row)| row)
    }

    /// The rows that link to an id, by their own id.
    pub fn linked(&self, to: i64) -> impl DoubleEndedIterator<Item = &T> {
        self.links
            .range((to, i64::MIN)..=(to, i64::MAX))
            .filter_map(|(_, id)| self.rows.get(id))
    }

    /// The rows with a key, whatever its case, by id.
    pub fn keyed<'t>(&'t self, key: &str) -> impl DoubleEndedIterator<Item = &'t T> + use<'t, T> {
        let key = folded(key);
        self.keys
            .range((key.clone(), i64::MIN)..=(key, i64::MAX))
            .filter_map(|(_, id)| self.rows.get(id))
    }

    /// What is left of a list, where the last page told and nothing has changed since.
    pub fn left(&self, condition: &str, above: i64) -> Option<usize> {
        let tally = self.tally.borrow();
        let known = tally.as_ref()?;
        (known.condition == condition && known.above == above).then_some(known.rows)
    }

    /// Notes what is left of a list. The condition is about fields of the rows alone.
    pub fn leave(&self, tally: Tally) {
        self.tally.replace(Some(tally));
    }

    /// Whether another row than `id` has the key; nobody shares an empty one.
    pub fn key_taken(&self, key: &str, id: i64) -> bool {
        !key.trim().is_empty() && self.keyed(key).any(|row| row.id() != id)
    }

    pub fn put(&mut self, row: T) {
        let id = row.id();
        let before = self.rows.remove(&id);
        // Most changes are of amounts and touch no index.
        let same = |old: &T| old.key() == row.key() && old.links() == row.links();
        if !before.as_ref().is_some_and(same) {
            before.iter().for_each(|old| self.drop_entries(old));
            self.add_entries(&row);
        }
        self.rows.insert(id, row);
        self.note(id, before);
    }

    /// Changes a row that is there; nothing happens to one that is not.
    pub fn change(&mut self, id: i64, act: impl FnOnce(&mut T)) {
        if let Some(mut row) = self.rows.get(&id).cloned() {
            act(&mut row);
            self.put(row);
        }
    }

    pub fn remove(&mut self, id: i64) {
        if let Some(row) = self.rows.remove(&id) {
            self.drop_entries(&row);
            self.note(id, Some(row));
        }
    }

    fn note(&mut self, id: i64, before: Option<T>) {
        self.tally.replace(None);
        if let Some(undo) = &mut self.undo {
            undo.push((id, before));
        }
    }

    fn add_entries(&mut self, row: &T) {
        let (key, id) = (folded(row.key()), row.id());
        if !key.is_empty() {
            self.keys.insert((key, id));
        }
        self.links
            .extend(row.links().into_iter().flatten().map(|to| (to, id)));
    }

    fn drop_entries(&mut self, row: &T) {
        let (key, id) = (folded(row.key()), row.id());
        self.keys.remove(&(key, id));
        for to in row.links().into_iter().flatten() {
            self.links.remove(&(to, id));
        }
    }
}

/// A table seen as something that can take its changes back.
pub trait Undo {
    fn begin(&mut self);
    fn commit(&mut self);
    fn roll_back(&mut self);
}

impl<T: Record> Undo for Table<T> {
    fn begin(&mut self) {
        self.undo = Some(Vec::new());
    }

    fn commit(&mut self) {
        self.undo = None;
    }

    fn roll_back(&mut self) {
        for (id, before) in self.undo.take().into_iter().flatten().rev() {
            match before {
                Some(row) => self.put(row),
                None => self.remove(id),
            }
        }
    }
}
