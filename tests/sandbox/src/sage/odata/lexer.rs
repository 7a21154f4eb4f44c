//! The words of a `$filter`.

use std::str::FromStr;

use chrono::NaiveDateTime;
use rust_decimal::Decimal;

use crate::sage::fields::parse_stamp;

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// A property, an operator or a function.
    Word(String),
    Number(Decimal),
    /// With the suffix `L`.
    Long(Decimal),
    /// A quoted text, doubled quotes made single.
    Text(String),
    /// `datetime'…'`, the word in any case.
    Stamp(NaiveDateTime),
    Open,
    Close,
    Comma,
}

/// A longer filter is refused, so that what is made of it can't exhaust the stack.
const MOST_TOKENS: usize = 1_000;

/// Cuts a filter into words; the error says what could not be read.
pub fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '(' => (Token::Open, &rest[1..]),
            ')' => (Token::Close, &rest[1..]),
            ',' => (Token::Comma, &rest[1..]),
            '\'' => {
                let (text, after) = quoted(rest)?;
                (Token::Text(text), after)
            }
            '-' | '0'..='9' => number(rest)?,
            first if first.is_alphabetic() || first == '_' || first == '$' => word(rest)?,
            other => return Err(format!("'{other}' is not expected")),
        };
        tokens.push(token);
        if tokens.len() > MOST_TOKENS {
            return Err("it is too long".to_owned());
        }
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn word(text: &str) -> Result<(Token, &str), String> {
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    if word.eq_ignore_ascii_case("datetime") && after.starts_with('\'') {
        let (stamp, after) = quoted(after)?;
        let stamp = parse_stamp(&stamp).ok_or_else(|| format!("'{stamp}' is not a date"))?;
        return Ok((Token::Stamp(stamp), after));
    }
    Ok((Token::Word(word.to_owned()), after))
}

fn number(text: &str) -> Result<(Token, &str), String> {
    let end = text[1..]
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .map_or(text.len(), |end| end + 1);
    let (digits, after) = text.split_at(end);
    // The suffixes of OData's number types: 5L, 5.0M, 5.0d.
    let number = Decimal::from_str(digits).map_err(|_| format!("'{digits}' is not a number"))?;
    if let Some(after) = after.strip_prefix(['L', 'l']) {
        return Ok((Token::Long(number), after));
    }
    let after = after.strip_prefix(['M', 'm', 'D', 'd']).unwrap_or(after);
    Ok((Token::Number(number), after))
}

/// A text in single quotes from the start of `text`; a doubled quote stands for one.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut found = String::new();
    let mut rest = &text[1..];
    loop {
        let end = rest.find('\'').ok_or("a text is not closed")?;
        found.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                found.push('\'');
                rest = after;
            }
            None => return Ok((found, rest)),
        }
    }
}
