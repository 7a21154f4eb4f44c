//! How single values look in Sage's JSON, and the columns that every entity is described by.
//!
//! One table of columns per entity drives everything that goes out: bodies, `$filter`, `$orderby` and `$select`. A
//! value that is null is left out of a body, a text without content is `""` (Sage API, JSON conventions).

use std::str::FromStr;

use chrono::{NaiveDate, NaiveDateTime};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Number, Value};

use super::books::Books;

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    Null,
    Flag(bool),
    Int(i64),
    Amount(Decimal),
    Text(&'a str),
    Made(String),
    /// A calendar date of the company.
    Date(NaiveDate),
    /// A moment on the company's clock.
    Stamp(NaiveDateTime),
    Object(Value),
}

impl Cell<'_> {
    /// As it is written in a body; none where it is left out.
    pub fn json(self) -> Option<Value> {
        Some(match self {
            Self::Null => return None,
            Self::Flag(flag) => Value::Bool(flag),
            Self::Int(int) => Value::from(int),
            Self::Amount(amount) => Value::Number(number(amount)),
            Self::Text(text) => Value::from(text),
            Self::Made(text) => Value::from(text),
            Self::Date(date) => Value::from(format!("{date}T00:00:00Z")),
            Self::Stamp(stamp) => Value::from(stamp_text(stamp)),
            Self::Object(value) => value,
        })
    }
}

/// An amount to whole cents; half a cent goes away from zero (section 3.3).
pub fn cents(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

impl From<bool> for Cell<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Cell<'_> {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl From<Decimal> for Cell<'_> {
    fn from(amount: Decimal) -> Self {
        Self::Amount(amount)
    }
}

/// An empty text is null: what was never said can't be told from what was said to be nothing.
impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        if text.is_empty() {
            Self::Null
        } else {
            Self::Text(text)
        }
    }
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(text: &'a String) -> Self {
        text.as_str().into()
    }
}

impl From<NaiveDate> for Cell<'_> {
    fn from(date: NaiveDate) -> Self {
        Self::Date(date)
    }
}

impl From<NaiveDateTime> for Cell<'_> {
    fn from(stamp: NaiveDateTime) -> Self {
        Self::Stamp(stamp)
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What a column holds, as far as a filter has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Flag,
    Number,
    Text,
    Date,
    /// Not for filters.
    Object,
}

/// A property of an entity.
pub struct Column<T> {
    pub name: &'static str,
    pub kind: Kind,
    pub get: Get<T>,
}

type Get<T> = for<'a> fn(&'a T, &'a Books) -> Cell<'a>;

pub const fn flag<T>(name: &'static str, get: Get<T>) -> Column<T> {
    let kind = Kind::Flag;
    Column { name, kind, get }
}

pub const fn number_of<T>(name: &'static str, get: Get<T>) -> Column<T> {
    let kind = Kind::Number;
    Column { name, kind, get }
}

pub const fn text<T>(name: &'static str, get: Get<T>) -> Column<T> {
    let kind = Kind::Text;
    Column { name, kind, get }
}

pub const fn date<T>(name: &'static str, get: Get<T>) -> Column<T> {
    let kind = Kind::Date;
    Column { name, kind, get }
}

pub const fn object<T>(name: &'static str, get: Get<T>) -> Column<T> {
    let kind = Kind::Object;
    Column { name, kind, get }
}

/// A row as a JSON object of all the columns given.
pub fn body<'c, T: 'static>(
    row: &T,
    columns: impl IntoIterator<Item = &'c Column<T>>,
    books: &Books,
) -> Value {
    let behaviour = &books.behaviour;
    let mut map = Map::new();
    for column in columns {
        if behaviour.bare_documents && matches!(column.name, "StatusId" | "UID") {
            continue;
        }
        let value = (column.get)(row, books).json();
        let empty = || (column.kind == Kind::Text && behaviour.empty_texts).then(|| "".into());
        if let Some(value) = value.or_else(empty) {
            map.insert(column.name.to_owned(), value);
        }
    }
    Value::Object(map)
}

/// An amount as Sage writes it: trailing zeros dropped, at least one decimal (`12.0`, `1.8`).
pub fn number(amount: Decimal) -> Number {
    let mut text = amount.normalize().to_string();
    if !text.contains('.') {
        text.push_str(".0");
    }
    Number::from_str(&text).expect("a decimal's text is a JSON number")
}

/// A stamp as Sage writes it: no zone, trailing zeros of the fraction dropped.
pub fn stamp_text(stamp: NaiveDateTime) -> String {
    let text = stamp.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// When a row was made and last changed, on the company's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamps {
    pub created: NaiveDateTime,
    pub modified: NaiveDateTime,
}

impl Stamps {
    pub fn new(now: NaiveDateTime) -> Self {
        Self {
            created: now,
            modified: now,
        }
    }

    /// The stamps of a row that is saved now over what was there before.
    pub fn over(before: Option<Self>, now: NaiveDateTime) -> Self {
        Self {
            created: before.map_or(now, |stamps| stamps.created),
            modified: now,
        }
    }
}
