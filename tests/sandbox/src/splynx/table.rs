//! The rows of one entity: by id, and by customer.
//!
//! Ids count upwards and are never given twice, as in the database behind Splynx.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::record::Record;

#[derive(Debug, Clone)]
pub struct Table<T> {
    rows: BTreeMap<i64, T>,
    by_customer: HashMap<i64, BTreeSet<i64>>,
    last_id: i64,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            by_customer: HashMap::new(),
            last_id: 0,
        }
    }
}

impl<T: Record> Table<T> {
    /// The id that the next `add` will give.
    pub fn next_id(&self) -> i64 {
        self.last_id + 1
    }

    /// Stores a new row, under the next id unless it has one already.
    pub fn add(&mut self, mut row: T) -> i64 {
        if row.id() == 0 {
            row.set_id(self.next_id());
        }
        let id = row.id();
        self.put(row);
        id
    }

    /// Keeps ids for rows that come later with ids of their own.
    pub fn reserve(&mut self, ids: impl Iterator<Item = i64>) {
        self.last_id = ids.fold(self.last_id, i64::max);
    }

    /// Stores a row under the id that it has.
    pub fn put(&mut self, row: T) {
        let id = row.id();
        self.last_id = self.last_id.max(id);
        if let Some(customer) = row.customer() {
            self.by_customer.entry(customer).or_default().insert(id);
        }
        self.rows.insert(id, row);
    }

    pub fn get(&self, id: i64) -> Option<&T> {
        self.rows.get(&id)
    }

    /// A row to change. Its id and its customer must stay what they are.
    pub fn get_mut(&mut self, id: i64) -> Option<&mut T> {
        self.rows.get_mut(&id)
    }

    pub fn remove(&mut self, id: i64) -> Option<T> {
        let row = self.rows.remove(&id)?;
        if let Some(ids) = row.customer().and_then(|c| self.by_customer.get_mut(&c)) {
            ids.remove(&id);
        }
        Some(row)
    }

    /// All rows in the order of their ids.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.values()
    }

    /// The rows with an id in these bounds, in the order of their ids.
    pub fn range(
        &self,
        bounds: impl std::ops::RangeBounds<i64>,
    ) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.range(bounds).map(|(_, row)| row)
    }

    /// The ids of a customer's rows, in order.
    pub fn ids_of(&self, customer: i64) -> impl DoubleEndedIterator<Item = i64> {
        self.by_customer
            .get(&customer)
            .into_iter()
            .flatten()
            .copied()
    }

    /// A customer's rows in the order of their ids.
    pub fn of(&self, customer: i64) -> impl DoubleEndedIterator<Item = &T> {
        self.ids_of(customer).filter_map(|id| self.rows.get(&id))
    }

    /// Gives all rows an additional field with this text, or takes it from them.
    pub fn set_additional(&mut self, name: &str, text: Option<&str>) {
        for additional in self.rows.values_mut().filter_map(T::additional_mut) {
            match text {
                Some(text) => {
                    additional.insert(name.to_owned(), text.to_owned());
                }
                None => {
                    additional.remove(name);
                }
            }
        }
    }
}
