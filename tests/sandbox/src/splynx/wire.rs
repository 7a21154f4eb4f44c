//! How single values look on the wire, in both styles, and how they are read back.
//!
//! Beware: money is a text with four places in some fields and a JSON number in others (Splynx API, value
//! types), so the two are different Rust types, `Money` and `Amount`.

use std::borrow::Cow;
use std::str::FromStr;

use chrono::{NaiveDate, NaiveDateTime};
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// The two ways in which Splynx versions write their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// Integers for ids, numbers for document totals, text for the rest of the money.
    #[default]
    Modern,
    /// Everything is text (versions up to about 4.0).
    Legacy,
    /// As modern, and numbers are floats that PHP prints with `serialize_precision = 17` (Splynx API 2.4).
    SeventeenDigits,
}

/// One value of one record, as searches and answers see it.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    Null,
    Int(i64),
    Bool(bool),
    Text(Cow<'a, str>),
    /// Text with four places.
    Money(Decimal),
    /// A JSON number.
    Amount(Decimal),
    /// `None` is `0000-00-00`.
    Day(Option<NaiveDate>),
    /// `None` is `0000-00-00 00:00:00`.
    Moment(Option<NaiveDateTime>),
    /// A nested value, such as a customer's labels: shown, never compared.
    Nested(&'a Value),
}

impl Cell<'_> {
    /// The cell as JSON.
    pub fn json(&self, style: Style) -> Value {
        let legacy = style == Style::Legacy;
        match self {
            Cell::Null => Value::Null,
            Cell::Int(n) if legacy => Value::String(n.to_string()),
            Cell::Int(n) => Value::from(*n),
            Cell::Bool(b) if legacy => Value::from(if *b { "1" } else { "0" }),
            Cell::Bool(b) => Value::from(*b),
            Cell::Amount(d) if legacy => Value::String(four_places(*d)),
            Cell::Amount(d) if style == Style::SeventeenDigits => seventeen_digits(*d),
            Cell::Amount(d) => number(*d),
            Cell::Money(d) => Value::String(four_places(*d)),
            Cell::Nested(value) => (*value).clone(),
            Cell::Text(_) | Cell::Day(_) | Cell::Moment(_) => {
                Value::String(self.text().into_owned())
            }
        }
    }

    /// The text that the database would compare and print.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Cell::Null | Cell::Nested(_) => Cow::Borrowed(""),
            Cell::Int(n) => n.to_string().into(),
            Cell::Bool(b) => Cow::Borrowed(if *b { "1" } else { "0" }),
            Cell::Text(text) => Cow::Borrowed(text),
            Cell::Money(d) | Cell::Amount(d) => four_places(*d).into(),
            Cell::Day(None) => Cow::Borrowed("0000-00-00"),
            Cell::Day(Some(day)) => day.format("%Y-%m-%d").to_string().into(),
            Cell::Moment(None) => Cow::Borrowed("0000-00-00 00:00:00"),
            Cell::Moment(Some(at)) => at.format("%Y-%m-%d %H:%M:%S").to_string().into(),
        }
    }
}

/// Half up to `places`, the rounding of every amount in Splynx [assumed: half up].
pub fn round(amount: Decimal, places: u32) -> Decimal {
    amount.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
}

fn four_places(amount: Decimal) -> String {
    let mut amount = round(amount, 4);
    amount.rescale(4);
    amount.to_string()
}

/// A decimal as a JSON number, without trailing zeros and without a binary float in between.
pub fn number(amount: Decimal) -> Value {
    let text = amount.normalize().to_string();
    Value::Number(Number::from_str(&text).expect("a decimal's text is a JSON number"))
}

/// The decimal after it was a binary float, with as many digits as tell that float from all others.
fn seventeen_digits(amount: Decimal) -> Value {
    let float = amount.to_f64().unwrap_or_default();
    let whole = amount.abs().trunc().normalize().to_string().len();
    let printed = format!("{float:.*}", 17_usize.saturating_sub(whole));
    let digits = Number::from_str(printed.trim_end_matches('0').trim_end_matches('.'));
    digits.map_or_else(|_| number(amount), Value::Number)
}

/// Amounts, quantities and rates from this on are refused: a product of three still fits a decimal.
const TOO_LARGE: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);

/// Reads a decimal from a number or a text.
pub fn decimal(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::Number(n) => n.to_string(),
        Value::String(s) => s.trim().to_owned(),
        _ => return None,
    };
    Decimal::from_str(&text)
        .or_else(|_| Decimal::from_scientific(&text))
        .ok()
        .filter(|amount| amount.abs() < TOO_LARGE)
}

/// Reads an integer from a number or a text.
pub fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.to_string().parse().ok(),
        Value::String(s) => s.trim().parse().ok(),
        Value::Bool(b) => Some(i64::from(*b)),
        _ => None,
    }
}

/// Reads a truth value from `true`, `1`, `"1"` and their opposites.
pub fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::String(s) if s == "true" => Some(true),
        Value::String(s) if s == "false" => Some(false),
        _ => match integer(value)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
    }
}

/// A Rust type that a field can have.
pub trait Attribute: Sized {
    /// The type's name in OPTIONS.
    const TYPE: &'static str;
    fn cell(&self) -> Cell<'_>;
    /// Reads what a client sent; the error completes "FIELD …".
    fn read(value: &Value) -> Result<Self, &'static str>;
}

impl Attribute for i64 {
    const TYPE: &'static str = "integer";
    fn cell(&self) -> Cell<'_> {
        Cell::Int(*self)
    }
    fn read(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::Null => Ok(0),
            Value::String(s) if s.is_empty() => Ok(0),
            other => integer(other).ok_or("must be an integer."),
        }
    }
}

impl Attribute for Option<i64> {
    const TYPE: &'static str = "integer";
    fn cell(&self) -> Cell<'_> {
        self.map_or(Cell::Null, Cell::Int)
    }
    fn read(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::Null => Ok(None),
            Value::String(s) if s.is_empty() => Ok(None),
            other => integer(other).map(Some).ok_or("must be an integer."),
        }
    }
}

impl Attribute for String {
    const TYPE: &'static str = "string";
    fn cell(&self) -> Cell<'_> {
        Cell::Text(Cow::Borrowed(self))
    }
    fn read(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::Null => Ok(String::new()),
            Value::String(s) => Ok(s.clone()),
            Value::Number(n) => Ok(n.to_string()),
            Value::Bool(b) => Ok(if *b { "1" } else { "0" }.to_owned()),
            Value::Array(_) | Value::Object(_) => Err("must be a string."),
        }
    }
}

impl Attribute for bool {
    const TYPE: &'static str = "boolean";
    fn cell(&self) -> Cell<'_> {
        Cell::Bool(*self)
    }
    fn read(value: &Value) -> Result<Self, &'static str> {
        truth(value).ok_or("must be either \"1\" or \"0\".")
    }
}

/// `"0"` or `"1"` as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flag(pub bool);

impl Attribute for Flag {
    const TYPE: &'static str = "string";
    fn cell(&self) -> Cell<'_> {
        Cell::Text(Cow::Borrowed(if self.0 { "1" } else { "0" }))
    }
    fn read(value: &Value) -> Result<Self, &'static str> {
        truth(value).map(Flag).ok_or("is invalid.")
    }
}

/// Money that travels as text with four places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Money(pub Decimal);

impl Attribute for Money {
    const TYPE: &'static str = "numeric";
    fn cell(&self) -> Cell<'_> {
        Cell::Money(self.0)
    }
    fn read(value: &Value) -> Result<Self, &'static str> {
        let amount = decimal(value).ok_or("must be a number.")?;
        Ok(Money(round(amount, 4)))
    }
}

/// Money that travels as a JSON number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Amount(pub Decimal);

impl Attribute for Amount {
    const TYPE: &'static str = "float";
    fn cell(&self) -> Cell<'_> {
        Cell::Amount(self.0)
    }
    fn read(value: &Value) -> Result<Self, &'static str> {
        decimal(value).map(Amount).ok_or("must be a number.")
    }
}

/// A date, or `0000-00-00`.
pub type Day = Option<NaiveDate>;
/// A date and time in the server's zone, or zeros.
pub type Moment = Option<NaiveDateTime>;

impl Attribute for Day {
    const TYPE: &'static str = "date";
    fn cell(&self) -> Cell<'_> {
        Cell::Day(*self)
    }
    fn read(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::Null => Ok(None),
            Value::String(s) if s.is_empty() || s == "0000-00-00" => Ok(None),
            Value::String(s) => NaiveDate::parse_from_str(s, "%Y-%m-%d")
                .map(Some)
                .map_err(|_| "is not a valid date."),
            _ => Err("is not a valid date."),
        }
    }
}

impl Attribute for Moment {
    const TYPE: &'static str = "datetime";
    fn cell(&self) -> Cell<'_> {
        Cell::Moment(*self)
    }
    fn read(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::Null => Ok(None),
            Value::String(s) if s.is_empty() || s.starts_with("0000-00-00") => Ok(None),
            Value::String(s) => NaiveDateTime::parse_from_str(s, "%Y-%m-%d %H:%M:%S")
                .map(Some)
                .map_err(|_| "is not a valid date and time."),
            _ => Err("is not a valid date and time."),
        }
    }
}

/// Any JSON: kept as sent, shown as kept.
impl Attribute for Value {
    const TYPE: &'static str = "string";
    fn cell(&self) -> Cell<'_> {
        Cell::Nested(self)
    }
    fn read(value: &Value) -> Result<Self, &'static str> {
        Ok(value.clone())
    }
}
