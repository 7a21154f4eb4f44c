//! One condition of a search: how it is written in the query, and whether a cell passes it.
//!
//! Comparisons are the database's: dates as moments (a day is its midnight), numbers as numbers, texts without
//! regard to case, null equal to nothing.

use std::cmp::Ordering;
use std::str::FromStr;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use regex_lite::{Regex, RegexBuilder};
use rust_decimal::Decimal;

use super::refusal::Refusal;
use super::wire::Cell;

/// One `name[a][b]=value` of the query, taken apart.
pub struct Parameter<'a> {
    pub name: &'a str,
    pub keys: Vec<&'a str>,
    pub value: &'a str,
}

impl<'a> Parameter<'a> {
    pub fn parse(name: &'a str, value: &'a str) -> Self {
        let (head, rest) = name.split_once('[').unwrap_or((name, ""));
        let keys = rest
            .strip_suffix(']')
            .map(|inner| inner.split("][").collect())
            .unwrap_or_default();
        Parameter {
            name: head,
            keys,
            value,
        }
    }
}

#[derive(Debug, Clone)]
pub enum Test {
    Is(Compare, Operand),
    Between(Operand, Operand),
    In(Vec<Operand>),
    Matches(Regex),
    InSet(String),
    Null,
}

/// A value of the query, read once in every way in which a cell may want it.
#[derive(Debug, Clone)]
pub struct Operand {
    folded: String,
    number: Option<Decimal>,
    /// `Some(None)` is the zero date, which lies before all others.
    moment: Option<Option<NaiveDateTime>>,
}

impl Operand {
    fn new(text: &str) -> Self {
        let trimmed = text.trim();
        Self {
            folded: text.to_lowercase(),
            number: Decimal::from_str(trimmed).ok(),
            moment: moment(trimmed),
        }
    }

    pub fn id(&self) -> Option<i64> {
        i64::try_from(self.number?).ok()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Compare {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Compare::Equal => ordering.is_eq(),
            Compare::NotEqual => ordering.is_ne(),
            Compare::Less => ordering.is_lt(),
            Compare::LessOrEqual => ordering.is_le(),
            Compare::Greater => ordering.is_gt(),
            Compare::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// The test that the parameters of one field describe: a bare value, or an operator with its operands.
pub fn test(field: &str, parameters: &[&Parameter]) -> Result<Test, Refusal> {
    if let [only] = parameters
        && only.keys.len() == 1
    {
        return Ok(Test::Is(Compare::Equal, Operand::new(only.value)));
    }
    let at = |index: &str| {
        parameters
            .iter()
            .find(|p| p.keys.len() == 2 && p.keys[1] == index)
            .map(|p| p.value.to_owned())
    };
    let missing = || Refusal::bad_request(&format!("Condition on {field} is incomplete."));
    let operator = at("0").ok_or_else(missing)?.to_ascii_uppercase();
    let operand = || at("1").ok_or_else(missing);
    let compare = |how| Ok(Test::Is(how, Operand::new(&operand()?)));
    match operator.as_str() {
        "=" => compare(Compare::Equal),
        "!=" | "<>" => compare(Compare::NotEqual),
        ">" => compare(Compare::Greater),
        ">=" => compare(Compare::GreaterOrEqual),
        "<" => compare(Compare::Less),
        "<=" => compare(Compare::LessOrEqual),
        "BETWEEN" => {
            let high = at("2").ok_or_else(missing)?;
            Ok(Test::Between(
                Operand::new(&operand()?),
                Operand::new(&high),
            ))
        }
        "IN" => {
            let members: Vec<Operand> = parameters
                .iter()
                .filter(|p| matches!(p.keys.as_slice(), [_, "1"] | [_, "1", _]))
                .map(|p| Operand::new(p.value))
                .collect();
            if members.is_empty() {
                return Err(missing());
            }
            Ok(Test::In(members))
        }
        "LIKE" => Ok(Test::Matches(expression(field, &like(&operand()?))?)),
        "REGEXP" => Ok(Test::Matches(expression(field, &operand()?)?)),
        "FIND_IN_SET" => Ok(Test::InSet(operand()?)),
        // The encoding of null is not documented: an absent, empty or spelt-out value is taken.
        "IS" => match at("1").unwrap_or_default().to_ascii_lowercase().as_str() {
            "" | "null" => Ok(Test::Null),
            _ => Err(Refusal::bad_request(&format!("IS on {field} takes null."))),
        },
        other => Err(Refusal::bad_request(&format!("Unknown operator {other}."))),
    }
}

/// A pattern of LIKE as an expression. Without a wildcard it means "contains" [assumed].
fn like(pattern: &str) -> String {
    let body: String = pattern
        .chars()
        .map(|c| match c {
            '%' => "(?s:.*)".to_owned(),
            '_' if pattern.contains('%') => "(?s:.)".to_owned(),
            c => regex_lite::escape(&c.to_string()),
        })
        .collect();
    if pattern.contains('%') {
        format!("^{body}$")
    } else {
        body
    }
}

fn expression(field: &str, pattern: &str) -> Result<Regex, Refusal> {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .build()
        .map_err(|_| Refusal::bad_request(&format!("Pattern on {field} is not valid.")))
}

impl Test {
    /// Whether a record's cell passes.
    pub fn holds(&self, cell: &Cell) -> bool {
        if matches!(cell, Cell::Null) {
            return matches!(self, Test::Null);
        }
        let compared =
            |how: Compare, value: &Operand| compare(cell, value).is_some_and(|o| how.holds(o));
        match self {
            Test::Is(how, value) => compared(*how, value),
            Test::Between(low, high) => {
                compared(Compare::GreaterOrEqual, low) && compared(Compare::LessOrEqual, high)
            }
            Test::In(values) => values.iter().any(|value| compared(Compare::Equal, value)),
            Test::Matches(pattern) => pattern.is_match(&cell.text()),
            Test::InSet(value) => cell
                .text()
                .split(',')
                .any(|member| member.eq_ignore_ascii_case(value)),
            Test::Null => false,
        }
    }
}

/// A cell against a value of the query; `None` where the value is not of the cell's kind.
fn compare(cell: &Cell, value: &Operand) -> Option<Ordering> {
    match cell {
        Cell::Null | Cell::Nested(_) => None,
        Cell::Int(n) => Some(Decimal::from(*n).cmp(&value.number?)),
        Cell::Bool(b) => Some(Decimal::from(i64::from(*b)).cmp(&value.number?)),
        Cell::Money(d) | Cell::Amount(d) => Some(d.cmp(&value.number?)),
        Cell::Text(text) => Some(text.to_lowercase().cmp(&value.folded)),
        Cell::Day(day) => Some(day.map(midnight).cmp(&value.moment?)),
        Cell::Moment(at) => Some((*at).cmp(&value.moment?)),
    }
}

fn midnight(day: NaiveDate) -> NaiveDateTime {
    day.and_time(NaiveTime::MIN)
}

fn moment(text: &str) -> Option<Option<NaiveDateTime>> {
    if text.starts_with("0000-00-00") {
        return Some(None);
    }
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
        .ok()
        .or_else(|| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()
                .map(midnight)
        })
        .map(Some)
}

/// The order of two cells of one field; null comes first.
pub fn sort(a: Cell, b: Cell) -> Ordering {
    match (&a, &b) {
        (Cell::Int(a), Cell::Int(b)) => a.cmp(b),
        (Cell::Money(a) | Cell::Amount(a), Cell::Money(b) | Cell::Amount(b)) => a.cmp(b),
        (Cell::Day(a), Cell::Day(b)) => a.cmp(b),
        (Cell::Moment(a), Cell::Moment(b)) => a.cmp(b),
        (Cell::Null, Cell::Null) => Ordering::Equal,
        (Cell::Null, _) => Ordering::Less,
        (_, Cell::Null) => Ordering::Greater,
        _ => a.text().to_lowercase().cmp(&b.text().to_lowercase()),
    }
}
