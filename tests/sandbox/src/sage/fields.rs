//! Reading request bodies: property names in any case, values as forgiving as Sage's deserialiser, rules as strict.
//!
//! Every getter answers the default for what is absent or null, because a Save replaces the whole entity. Amounts are
//! bounded here, once, so that no later sum or product can leave a decimal's range.

use std::collections::HashMap;
use std::str::FromStr;

use chrono::{NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::wire::cents;

/// No amount, quantity or price reaches this: 28 digits hold the product of any two.
const LARGEST: i64 = 1_000_000_000_000;
/// More decimals than any price has; the rest is cut.
const MOST_DECIMALS: u32 = 8;

/// One JSON object of a request.
pub struct Fields<'a> {
    by_name: HashMap<String, &'a Value>,
}

impl<'a> Fields<'a> {
    pub fn of(value: &'a Value) -> Result<Self, Refusal> {
        let object = value.as_object().ok_or_else(|| {
            Refusal::invalid("", "The request is invalid: an object is expected.")
        })?;
        Ok(Self::from_map(object))
    }

    fn from_map(object: &'a Map<String, Value>) -> Self {
        let by_name = object
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.to_lowercase(), value))
            .collect();
        Self { by_name }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.by_name.get(&name.to_lowercase()).copied()
    }

    /// Whether the property was sent with a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A text of at most `most` UTF-16 units (what .NET counts); empty where absent.
    pub fn text(&self, name: &str, most: usize) -> Result<String, Refusal> {
        let text = match self.get(name) {
            None => return Ok(String::new()),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(flag)) => flag.to_string(),
            Some(_) => return Err(wrong(name, "a text")),
        };
        if text.encode_utf16().count() > most {
            let rule =
                format!("The field {name} must be a string with a maximum length of {most}.");
            return Err(Refusal::invalid(name, rule));
        }
        Ok(text)
    }

    /// A text that must have something other than blanks in it.
    pub fn required_text(&self, name: &str, most: usize) -> Result<String, Refusal> {
        let text = self.text(name, most)?;
        if text.trim().is_empty() {
            return Err(required(name));
        }
        Ok(text)
    }

    /// Numbers and texts that hold a number.
    pub fn decimal(&self, name: &str) -> Result<Option<Decimal>, Refusal> {
        let text = match self.get(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(_) => return Err(wrong(name, "a number")),
        };
        let amount = Decimal::from_str(&text)
            .or_else(|_| Decimal::from_scientific(&text))
            .map_err(|_| wrong(name, "a number"))?;
        bounded(name, amount)?;
        Ok(Some(amount.round_dp(MOST_DECIMALS)))
    }

    /// A decimal, zero where absent.
    pub fn amount(&self, name: &str) -> Result<Decimal, Refusal> {
        Ok(self.decimal(name)?.unwrap_or_default())
    }

    /// The same to whole cents.
    pub fn cents(&self, name: &str) -> Result<Decimal, Refusal> {
        self.amount(name).map(cents)
    }

    /// A fraction from 0 to 1, zero where absent: percentages are fractions.
    pub fn fraction(&self, name: &str) -> Result<Decimal, Refusal> {
        let fraction = self.amount(name)?;
        if fraction < Decimal::ZERO || fraction > Decimal::ONE {
            return Err(Refusal::invalid(
                name,
                format!("{name} must be between 0 and 1."),
            ));
        }
        Ok(fraction)
    }

    /// A whole number of 64 bits.
    pub fn int(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let text = match value {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.trim().to_owned(),
            _ => return Err(wrong(name, "a whole number")),
        };
        // `5.0` is what our own answers may have made of a 5.
        let text = text.strip_suffix(".0").unwrap_or(&text);
        i64::from_str(text)
            .map(Some)
            .map_err(|_| wrong(name, "a whole number"))
    }

    /// A choice that must be one of `allowed`; none where absent.
    pub fn choice(&self, name: &str, allowed: &[i64]) -> Result<Option<i64>, Refusal> {
        match self.int(name)? {
            Some(value) if !allowed.contains(&value) => Err(Refusal::invalid(
                name,
                format!("{name} has no meaning {value}."),
            )),
            choice => Ok(choice),
        }
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            // As ASP.NET reads a number where a truth is wanted; a client sends 1.
            Some(Value::Number(number)) => Ok(Some(number.to_string() != "0")),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(wrong(name, "true or false")),
        }
    }

    /// A flag, false where absent.
    pub fn is(&self, name: &str) -> Result<bool, Refusal> {
        Ok(self.flag(name)?.unwrap_or(false))
    }

    /// A calendar date: the first ten characters count, whatever time and zone stand behind them.
    pub fn date(&self, name: &str) -> Result<Option<NaiveDate>, Refusal> {
        let text = match self.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
            Some(Value::String(text)) => text,
            Some(_) => return Err(wrong(name, "a date")),
        };
        let stamp = parse_stamp(text).ok_or_else(|| wrong(name, "a date"))?;
        // .NET's smallest date stands for "no date".
        let none = NaiveDate::from_ymd_opt(1, 1, 1);
        Ok(Some(stamp.date()).filter(|date| Some(*date) != none))
    }

    pub fn required_date(&self, name: &str) -> Result<NaiveDate, Refusal> {
        self.date(name)?.ok_or_else(|| required(name))
    }

    pub fn required_int(&self, name: &str) -> Result<i64, Refusal> {
        self.int(name)?.ok_or_else(|| required(name))
    }

    pub fn object(&self, name: &str) -> Result<Option<Fields<'a>>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Self::from_map(object))),
            Some(_) => Err(wrong(name, "an object")),
        }
    }

    pub fn array(&self, name: &str) -> Result<&'a [Value], Refusal> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(rows)) => Ok(rows),
            Some(_) => Err(wrong(name, "an array")),
        }
    }

    /// `name01` to `name05`: an address without structure.
    pub fn address(&self, name: &str) -> Result<[String; 5], Refusal> {
        let line = |n: u8| self.text(&format!("{name}0{n}"), 100);
        Ok([line(1)?, line(2)?, line(3)?, line(4)?, line(5)?])
    }

    /// `name1` to `name3`, read one by one.
    pub fn three<T>(
        &self,
        name: &str,
        read: impl Fn(&Self, &str) -> Result<T, Refusal>,
    ) -> Result<[T; 3], Refusal> {
        let one = |n: u8| read(self, &format!("{name}{n}"));
        Ok([one(1)?, one(2)?, one(3)?])
    }
}

/// `yyyy-MM-dd`, with or without a time, fraction and `Z`; the zone is not looked at, as dates are the company's own.
pub fn parse_stamp(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return date.and_hms_opt(0, 0, 0);
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| {
            chrono::DateTime::parse_from_rfc3339(text)
                .ok()
                .map(|stamp| stamp.naive_local())
        })
}

/// Refuses what is too large to be summed up safely, sent or computed.
pub fn bounded(name: &str, amount: Decimal) -> Result<(), Refusal> {
    if amount.abs() >= Decimal::from(LARGEST) {
        return Err(Refusal::invalid(name, format!("{name} is too large.")));
    }
    Ok(())
}

pub fn required(name: &str) -> Refusal {
    Refusal::invalid(name, format!("The {name} field is required."))
}

fn wrong(name: &str, wanted: &str) -> Refusal {
    Refusal::invalid(name, format!("{name} must be {wanted}."))
}
