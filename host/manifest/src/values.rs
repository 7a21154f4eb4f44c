//! What a setting of each kind may hold. One place for defaults in the manifest, for what people type and for what the
//! guest fetches; each value comes out in one normal form, so that the guest never meets `yes`, `TRUE` and `on`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDate};
use thiserror::Error;
use url::{Host, Url};

use super::{ChoiceSource, InputKind, SettingKind, TextRules};

/// Longest value of any setting, in characters.
const LONGEST: usize = 4000;

/// Longest long text, in bytes: a list of 50,000 customers with names, addresses and ids.
pub const LONGEST_TEXT_BYTES: usize = 4 << 20;

/// Years that a date may lie in: `26-01-31` is a slip, not a day in the year 26.
const YEARS: RangeInclusive<i32> = 1900..=2999;

/// Why a value cannot be; the texts go behind the name of the field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}. {cure}")]
pub struct ValueError {
    pub message: String,
    pub cure: String,
}

impl ValueError {
    fn new(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            cure: cure.into(),
        }
    }
}

impl SettingKind {
    /// The normal form of a value that is not empty.
    pub fn normalise(&self, value: &str) -> Result<String, ValueError> {
        // A secret may begin or end with a blank; everything else is typed and pasted by people.
        let value = if *self == Self::Secret {
            value
        } else {
            value.trim()
        };
        one_line(value)?;
        match self {
            Self::Text(rules) => text(value, rules),
            Self::Secret | Self::Fetched { .. } | Self::Choice(ChoiceSource::Guest(_)) => {
                Ok(value.to_owned())
            }
            Self::Number { min, max } => number(value, *min, *max),
            Self::Toggle => toggle(value),
            Self::Date => date(value),
            Self::Days => days(value),
            Self::Url => address(value),
            Self::Choice(source) => one_of(value, source),
            Self::Choices(source) => several_of(value, source),
        }
    }
}

impl InputKind {
    /// The normal form of a value that is not empty.
    pub fn normalise(&self, value: &str) -> Result<String, ValueError> {
        if *self == Self::LongText {
            return long_text(value);
        }
        let value = value.trim();
        one_line(value)?;
        match self {
            Self::Text | Self::LongText => Ok(value.to_owned()),
            Self::Date => date(value),
            Self::Number => decimal(value),
            Self::Toggle => toggle(value),
            Self::Choice(source) => one_of(value, source),
            Self::Choices(source) => several_of(value, source),
        }
    }
}

fn one_line(value: &str) -> Result<(), ValueError> {
    if value.chars().count() > LONGEST {
        return Err(ValueError::new(
            "is too long",
            format!("At most {LONGEST} characters"),
        ));
    }
    if value.chars().any(char::is_control) {
        return Err(ValueError::new(
            "holds a control character",
            "Write it on one line, without tabs",
        ));
    }
    Ok(())
}

/// With plain line ends: a browser sends CR LF, a file has what its program wrote, and a spreadsheet puts a mark in front.
fn long_text(value: &str) -> Result<String, ValueError> {
    if value.len() > LONGEST_TEXT_BYTES {
        let cure = format!(
            "At most {} MB; give it in several parts",
            LONGEST_TEXT_BYTES >> 20
        );
        return Err(ValueError::new("is too long", cure));
    }
    let value = value.strip_prefix('\u{feff}').unwrap_or(value);
    if value.contains('\0') {
        return Err(ValueError::new(
            "is no text",
            "Save it as text, such as CSV in UTF-8",
        ));
    }
    Ok(value.replace("\r\n", "\n"))
}

/// Kept as text: an amount never passes through a binary float.
fn decimal(value: &str) -> Result<String, ValueError> {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return Err(ValueError::new(
            format!("`{value}` is not a number"),
            "Write digits, with a point before decimals, such as 1250.00",
        ));
    }
    Ok(value.strip_prefix('+').unwrap_or(value).to_owned())
}

fn text(value: &str, rules: &TextRules) -> Result<String, ValueError> {
    let longest = rules
        .max_length
        .and_then(|longest| usize::try_from(longest).ok());
    if let Some(longest) = longest
        && value.chars().count() > longest
    {
        let message = format!("has {} characters", value.chars().count());
        return Err(ValueError::new(
            message,
            format!("At most {longest} characters"),
        ));
    }
    if !rules.variables.is_empty() {
        pattern(value, &rules.variables)?;
    }
    Ok(value.to_owned())
}

/// Whether what stands in braces is known; a misspelt variable would reach the other side as it stands.
fn pattern(value: &str, variables: &[String]) -> Result<(), ValueError> {
    let known: Vec<String> = variables.iter().map(|name| format!("{{{name}}}")).collect();
    let wrong = |message: String| ValueError::new(message, format!("Known: {}", known.join(", ")));
    let mut rest = value;
    while let Some(at) = rest.find(['{', '}']) {
        if rest[at..].starts_with('}') {
            return Err(wrong("has a `}` without its `{`".to_owned()));
        }
        let inside = &rest[at + 1..];
        let Some((name, after)) = inside
            .split_once('}')
            .filter(|(name, _)| !name.contains('{'))
        else {
            return Err(wrong("has a `{` without its `}`".to_owned()));
        };
        if !variables.iter().any(|variable| variable == name) {
            return Err(wrong(format!("has `{{{name}}}`, which stands for nothing")));
        }
        rest = after;
    }
    Ok(())
}

fn days(value: &str) -> Result<String, ValueError> {
    let parts = value
        .split([',', ' '])
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let day = |part: &str| {
        part.parse::<u32>()
            .ok()
            .filter(|day| (1..=31).contains(day))
            .ok_or_else(|| {
                ValueError::new(
                    format!("`{part}` is no day of the month"),
                    "Write days from 1 to 31 with commas between, such as 1,15,31",
                )
            })
    };
    let days: BTreeSet<u32> = parts.map(day).collect::<Result<_, _>>()?;
    let days: Vec<String> = days.iter().map(u32::to_string).collect();
    Ok(days.join(","))
}

fn number(value: &str, min: Option<i64>, max: Option<i64>) -> Result<String, ValueError> {
    let number: i64 = value.parse().map_err(|_| {
        ValueError::new(
            format!("`{value}` is not a whole number"),
            "Write digits only, such as 15",
        )
    })?;
    let cure = match (min, max) {
        (Some(min), Some(max)) => format!("Between {min} and {max}"),
        (Some(min), None) => format!("At least {min}"),
        (None, Some(max)) => format!("At most {max}"),
        (None, None) => String::new(),
    };
    if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
        return Err(ValueError::new(format!("{number} is out of range"), cure));
    }
    Ok(number.to_string())
}

fn toggle(value: &str) -> Result<String, ValueError> {
    match value.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok("on".to_owned()),
        "off" | "false" | "no" | "0" => Ok("off".to_owned()),
        _ => Err(ValueError::new(
            format!("`{value}` is neither on nor off"),
            "Write on or off",
        )),
    }
}

fn date(value: &str) -> Result<String, ValueError> {
    match NaiveDate::parse_from_str(value, "%Y-%m-%d") {
        // chrono reads `2026-1-5` as well; the guest compares dates as texts.
        Ok(date) if YEARS.contains(&date.year()) => Ok(date.format("%Y-%m-%d").to_string()),
        _ => Err(ValueError::new(
            format!("`{value}` is not a date"),
            "Write it as 2026-01-31",
        )),
    }
}

fn address(value: &str) -> Result<String, ValueError> {
    let wrong = |message: String| ValueError::new(message, "Write it as https://isp.example/");
    let url = Url::parse(value).map_err(|_| wrong(format!("`{value}` is not an address")))?;
    let Some(host) = url.host() else {
        return Err(wrong(format!("`{value}` names no host")));
    };
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(wrong("holds more than host and path".to_owned()));
    }
    match url.scheme() {
        "https" => {}
        // In clear text only where nobody can listen.
        "http" if is_loopback(&host) => {}
        "http" => {
            return Err(wrong(
                "is not encrypted, and carries credentials".to_owned(),
            ));
        }
        scheme => {
            return Err(wrong(format!(
                "`{scheme}` is not a scheme that add-ons use"
            )));
        }
    }
    let mut text = url.to_string();
    if !text.ends_with('/') {
        text.push('/');
    }
    Ok(text)
}

/// Whether a host is this machine itself.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

fn one_of(value: &str, source: &ChoiceSource) -> Result<String, ValueError> {
    match source {
        ChoiceSource::Guest(_) => Ok(value.to_owned()),
        ChoiceSource::Fixed(options) if options.iter().any(|option| option.value == value) => {
            Ok(value.to_owned())
        }
        ChoiceSource::Fixed(options) => {
            let known: Vec<&str> = options.iter().map(|option| option.value.as_str()).collect();
            Err(ValueError::new(
                format!("`{value}` is not offered"),
                format!("One of {}", known.join(", ")),
            ))
        }
    }
}

fn several_of(value: &str, source: &ChoiceSource) -> Result<String, ValueError> {
    let mut chosen: Vec<String> = Vec::new();
    for one in value
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
    {
        let one = one_of(one, source)?;
        if !chosen.contains(&one) {
            chosen.push(one);
        }
    }
    Ok(chosen.join(","))
}
