//! Which rows a filter can possibly hold for, found without looking at any row.
//!
//! A scope is always wide enough: every row that the filter holds for is in it. It only saves work: a range of ids,
//! one link (a customer's documents), one key (a document's number).

use std::ops::RangeInclusive;

use rust_decimal::prelude::ToPrimitive;

use super::filter::{Filter, Operator};
use crate::sage::table::{Record, Table};
use crate::sage::wire::Cell;

#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    ids: RangeInclusive<i64>,
    link: Option<i64>,
    key: Option<String>,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            ids: i64::MIN..=i64::MAX,
            link: None,
            key: None,
        }
    }
}

impl Scope {
    /// The rows in scope, by id.
    pub fn rows<'t, T: Record>(
        &self,
        table: &'t Table<T>,
    ) -> Box<dyn DoubleEndedIterator<Item = &'t T> + 't> {
        let ids = self.ids.clone();
        match (&self.key, self.link) {
            (Some(key), _) => Box::new(table.keyed(key)),
            (None, Some(link)) => Box::new(
                table
                    .linked(link)
                    .filter(move |row| ids.contains(&row.id())),
            ),
            (None, None) => Box::new(table.range(ids)),
        }
    }

    fn and(self, other: Self) -> Self {
        let first = *self.ids.start().max(other.ids.start());
        let last = *self.ids.end().min(other.ids.end());
        Self {
            ids: first..=last,
            link: self.link.or(other.link),
            key: self.key.or(other.key),
        }
    }

    fn or(self, other: Self) -> Self {
        let first = *self.ids.start().min(other.ids.start());
        let last = *self.ids.end().max(other.ids.end());
        Self {
            ids: first..=last,
            link: self.link.filter(|_| self.link == other.link),
            key: self.key.filter(|key| Some(key) == other.key.as_ref()),
        }
    }
}

impl<T: 'static> Filter<T> {
    /// The scope, given which property is the table's key and which are its links.
    pub fn scope(&self, key_field: &str, link_fields: &[&str]) -> Scope {
        match self {
            Self::And(a, b) => a
                .scope(key_field, link_fields)
                .and(b.scope(key_field, link_fields)),
            Self::Or(a, b) => a
                .scope(key_field, link_fields)
                .or(b.scope(key_field, link_fields)),
            Self::Compare {
                column,
                operator,
                with,
            } => {
                let mut scope = Scope::default();
                match with {
                    Cell::Amount(number) if column.name == "ID" => {
                        scope.ids = ids(*operator, number.floor().to_i64());
                    }
                    Cell::Amount(number)
                        if *operator == Operator::Eq && link_fields.contains(&column.name) =>
                    {
                        scope.link = number.to_i64();
                    }
                    // An empty text is not in the index.
                    Cell::Made(text)
                        if *operator == Operator::Eq
                            && column.name == key_field
                            && !text.trim().is_empty() =>
                    {
                        scope.key = Some(text.clone());
                    }
                    _ => {}
                }
                scope
            }
            Self::IndexOf { .. } | Self::Fixed(_) => Scope::default(),
        }
    }
}

/// The ids around a number, both ends included: the filter itself is exact.
fn ids(operator: Operator, number: Option<i64>) -> RangeInclusive<i64> {
    match (operator, number) {
        (_, None) | (Operator::Ne, _) => i64::MIN..=i64::MAX,
        (Operator::Eq, Some(id)) => id..=id,
        (Operator::Gt | Operator::Ge, Some(id)) => id..=i64::MAX,
        (Operator::Lt | Operator::Le, Some(id)) => i64::MIN..=id,
    }
}
