//! What a setting of each kind may hold. One place for defaults in the manifest, for what people type and for what the
//! guest fetches; each value comes out in one normal form, so that the guest never meets `yes`, `TRUE` and `on`.

use chrono::NaiveDate;
use thiserror::Error;
use url::{Host, Url};

use super::{ChoiceSource, SettingKind};

/// Longest value of any setting, in characters.
const LONGEST: usize = 4000;

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
        match self {
            Self::Text
            | Self::Secret
            | Self::Fetched { .. }
            | Self::Choice(ChoiceSource::Guest(_)) => Ok(value.to_owned()),
            Self::Number { min, max } => number(value, *min, *max),
            Self::Toggle => toggle(value),
            Self::Date => date(value),
            Self::Url => address(value),
            Self::Choice(source) => one_of(value, source),
            Self::Choices(source) => several_of(value, source),
        }
    }
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
        Ok(date) => Ok(date.format("%Y-%m-%d").to_string()),
        Err(_) => Err(ValueError::new(
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
