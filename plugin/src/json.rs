//! Reading JSON as these two services really send it: numbers as text, text as numbers, nulls and absences alike.
//!
//! Decimals are read from the number's own text and never pass through a binary float.

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

/// The member, or null where the value is no object or lacks it.
pub fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

/// Text of a text or number; empty for anything else. Without NUL, which no key of a host's storage may hold: somebody's name must
/// not stop the books of everybody else.
pub fn text(value: &Value, name: &str) -> String {
    match field(value, name) {
        Value::String(s) => s.replace('\0', "\u{fffd}"),
        Value::Number(n) => n.to_string(),
        _ => String::new(),
    }
}

/// A decimal of a number or a numeric text.
pub fn decimal(value: &Value, name: &str) -> Option<Decimal> {
    let text = text(value, name);
    let text = text.trim();
    Decimal::from_str_exact(text)
        .or_else(|_| Decimal::from_scientific(text))
        .ok()
}

/// An id or count; a decimal without a fraction (`1.0`) counts as one.
pub fn integer(value: &Value, name: &str) -> Option<i64> {
    let decimal = decimal(value, name)?;
    if decimal.is_integer() {
        decimal.trunc().to_string().split('.').next()?.parse().ok()
    } else {
        None
    }
}

/// An id of a relation: absent, null and 0 all mean none.
pub fn relation(value: &Value, name: &str) -> Option<i64> {
    integer(value, name).filter(|id| *id != 0)
}

/// `true`, `1` and `"1"` are true; everything else is false.
pub fn flag(value: &Value, name: &str) -> bool {
    match field(value, name) {
        Value::Bool(b) => *b,
        _ => text(value, name) == "1",
    }
}

/// The calendar date at the start of a date or date-time text; zones are ignored, because both services mean a calendar date.
/// `0000-00-00` and `0001-01-01` mean none.
pub fn date(value: &Value, name: &str) -> Option<NaiveDate> {
    let date = day(text(value, name).get(..10)?)?;
    (date > NaiveDate::from_ymd_opt(1, 1, 1)?).then_some(date)
}

/// A date written as 2026-03-31. By hand: chrono's parser takes any format, and is thirty kilobytes of component.
pub fn day(text: &str) -> Option<NaiveDate> {
    let mut parts = text.trim().splitn(3, '-');
    let year = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let mut small = || parts.next().filter(|part| part.len() == 2)?.parse().ok();
    NaiveDate::from_ymd_opt(year, small()?, small()?)
}

/// As in 2026-03.
pub fn month(date: NaiveDate) -> String {
    format!("{:04}-{:02}", date.year(), date.month())
}

/// A JSON number with exactly the decimal's digits.
pub fn number(decimal: Decimal) -> Value {
    let text = decimal.normalize().to_string();
    text.parse::<Number>()
        .map_or(Value::String(text), Value::Number)
}

/// Tells equal content apart from changed content.
pub fn digest(content: &Value) -> String {
    let digest = Sha256::digest(content.to_string().as_bytes());
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_and_texts_are_read_alike_and_to_the_last_digit() {
        let value: Value = serde_json::from_str(
            r#"{"n": 1033.85, "t": "781.7391", "i": 12.0, "s": "77", "null": null, "zero": 0, "e": 1e3,
                "long": 0.1234567890123456789, "bad": "x", "nul": "a\u0000b", "d": "2031-05-14T00:00:00Z", "none": "0000-00-00"}"#,
        )
        .expect("valid JSON");
        let dec = |text: &str| Decimal::from_str_exact(text).ok();
        assert_eq!(decimal(&value, "n"), dec("1033.85"));
        assert_eq!(decimal(&value, "t"), dec("781.7391"));
        assert_eq!(decimal(&value, "e"), dec("1000"));
        assert_eq!(decimal(&value, "long"), dec("0.1234567890123456789"));
        assert_eq!(decimal(&value, "bad"), None);
        assert_eq!(text(&value, "nul"), "a\u{fffd}b");
        assert_eq!(integer(&value, "i"), Some(12));
        assert_eq!(integer(&value, "s"), Some(77));
        assert_eq!(integer(&value, "n"), None);
        assert_eq!(relation(&value, "zero"), None);
        assert_eq!(relation(&value, "null"), None);
        assert_eq!(date(&value, "d"), NaiveDate::from_ymd_opt(2031, 5, 14));
        assert_eq!(date(&value, "none"), None);
        assert_eq!(number(Decimal::new(99900, 2)), json!(999));
        assert_eq!(number(Decimal::new(-5, 2)).to_string(), "-0.05");
    }
}
