//! Reading JSON as these two services really send it: numbers as text, text as numbers, nulls and absences alike.
//!
//! Decimals are read from the number's own text and never pass through a binary float.

use std::str::FromStr as _;

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

use crate::digested;

/// The value of a body; `None`: it is no JSON. A byte-order mark before it is none of it: files of PHP often begin with one.
pub fn parse(body: &str) -> Option<Value> {
    serde_json::from_str(body.trim_start_matches('\u{feff}')).ok()
}

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

/// A decimal of a number or a numeric text, plain or scientific. What has more than 28 decimals is rounded to them: a binary float may
/// print as many, or leave `-1.1368683772161603e-13` where 0 is meant. `None`: it is no number, or larger than any amount.
pub fn decimal(value: &Value, name: &str) -> Option<Decimal> {
    let text = text(value, name);
    let text = text.trim();
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let number = Decimal::from_str(digits).ok()?;
    let places = i64::from(number.scale()) - exponent.parse::<i64>().ok()?;
    let mantissa = number.mantissa();
    let most = i64::from(Decimal::MAX_SCALE);
    let (mantissa, places) = match places {
        ..0 => (shifted_left(mantissa, places.unsigned_abs())?, 0),
        places if places > most => (shifted_right(mantissa, places.abs_diff(most)), most),
        places => (mantissa, places),
    };
    Decimal::try_from_i128_with_scale(mantissa, u32::try_from(places).ok()?).ok()
}

fn shifted_left(mantissa: i128, places: u64) -> Option<i128> {
    if mantissa == 0 {
        return Some(0);
    }
    mantissa.checked_mul(power_of_ten(places)?)
}

/// Rounded, ties away from zero.
fn shifted_right(mantissa: i128, places: u64) -> i128 {
    // More places than a mantissa has digits leave nothing.
    power_of_ten(places).map_or(0, |power| {
        (mantissa + mantissa.signum() * (power / 2)) / power
    })
}

fn power_of_ten(exponent: u64) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(exponent).ok()?)
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

/// The values of a list. PHP and those who imitate it write one whose numbering has a gap as an object: `{"0": …, "2": …}`.
pub fn into_list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(values) => Some(values),
        Value::Object(numbered) if !numbered.is_empty() && are_numbers(numbered.keys()) => {
            let mut numbered: Vec<(String, Value)> = numbered.into_iter().collect();
            // By number: as texts, 10 comes before 2.
            numbered.sort_by_key(|(number, _)| number.parse::<u64>().unwrap_or(u64::MAX));
            Some(numbered.into_iter().map(|(_, value)| value).collect())
        }
        _ => None,
    }
}

fn are_numbers<'k>(mut keys: impl Iterator<Item = &'k String>) -> bool {
    keys.all(|key| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit()))
}

/// An id of a relation: absent, null and 0 all mean none.
pub fn relation(value: &Value, name: &str) -> Option<i64> {
    integer(value, name).filter(|id| *id != 0)
}

/// `true` and `1`, also as texts, are true; everything else is false.
pub fn flag(value: &Value, name: &str) -> bool {
    said(value, name) == Some(true)
}

/// Whether it says that it is not so: `false` and `0`, also as texts. What is missing says nothing.
pub fn is_off(value: &Value, name: &str) -> bool {
    said(value, name) == Some(false)
}

fn said(value: &Value, name: &str) -> Option<bool> {
    if let Value::Bool(said) = field(value, name) {
        return Some(*said);
    }
    match text(value, name).trim().to_ascii_lowercase().as_str() {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
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
    let text = content.to_string();
    digested::note(&text);
    let digest = Sha256::digest(text.as_bytes());
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
    fn a_number_that_is_there_is_read_however_it_is_written() {
        for (written, read) in [
            ("-1.1368683772161603e-13", "-0.0000000000001136868377216160"),
            ("1.1368683772161603E-12", "0.0000000000011368683772161603"),
            ("5e-29", "0.0000000000000000000000000001"),
            ("4e-29", "0"),
            ("-1e-400", "0"),
            ("1.5e+3", "1500"),
            ("1.5e0", "1.5"),
            ("0e500", "0"),
            ("7e27", "7000000000000000000000000000"),
            (
                "100.09999999999999431565811391919851303",
                "100.09999999999999431565811392",
            ),
            ("0.00000000000000000000000000000000001", "0"),
        ] {
            let expected = Decimal::from_str_exact(read).ok();
            for value in [
                format!("{{\"n\": {written}}}"),
                format!("{{\"n\": \" {written} \"}}"),
            ] {
                let value: Value = serde_json::from_str(&value).expect("valid JSON");
                assert_eq!(decimal(&value, "n"), expected, "{value}");
            }
        }
        for none in [
            "",
            "e5",
            "1e",
            "1e1.5",
            "--1",
            "1e29",
            "1e99999999999999999999",
            "NaN",
        ] {
            assert_eq!(decimal(&json!({ "n": none }), "n"), None, "{none:?}");
        }
    }

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
        let list = |value: Value| into_list(value);
        assert_eq!(list(json!([7])), Some(vec![json!(7)]));
        assert_eq!(
            list(json!({"0": 7, "2": 8, "10": 9})),
            Some(vec![json!(7), json!(8), json!(9)])
        );
        for other in [json!({}), json!({"id": 7}), json!("7"), json!(null)] {
            assert_eq!(list(other.clone()), None, "{other}");
        }
        assert_eq!(number(Decimal::new(-5, 2)).to_string(), "-0.05");
    }
}
