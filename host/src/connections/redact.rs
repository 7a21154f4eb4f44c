//! Secrets that turn up in what comes back, an error's text or a log line are replaced, by value and in the encodings that
//! servers echo them in.
//!
//! The trap: a short secret is also an ordinary word or number, and replacing it would falsify an answer. Below
//! `SHORTEST` characters nothing is replaced; credentials that are worth the name are longer.

use std::borrow::Cow;
use std::collections::BTreeSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::vault::Secret;

const SHORTEST: usize = 8;
const INSTEAD: &str = "[redacted]";

/// Knows what must not be seen.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    /// The longest first, so that a secret inside another one does not leave the rest standing.
    needles: Vec<Secret>,
}

impl Redactor {
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            let secret = secret.expose();
            if secret.chars().count() >= SHORTEST {
                let json = serde_json::Value::from(secret).to_string();
                let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
                let json = json[1..json.len() - 1].to_owned();
                forms.extend([
                    encoded.to_lowercase(),
                    secret.to_lowercase(),
                    secret.to_uppercase(),
                ]);
                forms.extend([secret.to_owned(), encoded, json]);
            }
        }
        let mut needles: Vec<Secret> = forms.into_iter().map(Secret::new).collect();
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.expose().len()));
        Self { needles }
    }

    /// One that knows these secrets too.
    pub fn and<'s>(&self, secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let mut all = Self::new(secrets);
        all.needles.extend(self.needles.iter().cloned());
        all.needles
            .sort_by_key(|needle| std::cmp::Reverse(needle.expose().len()));
        all
    }

    /// The text without secrets.
    pub fn clean<'t>(&self, text: impl Into<Cow<'t, str>>) -> Cow<'t, str> {
        self.needles.iter().fold(text.into(), |text, needle| {
            if text.contains(needle.expose()) {
                text.replace(needle.expose(), INSTEAD).into()
            } else {
                text
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_in_every_encoding_and_ordinary_words_are_not() {
        let secrets = [
            Secret::new("pa\"ss wörd&1"),
            Secret::new("{ABCDEF01-2345}"),
            Secret::new("1234"),
            Secret::new("ABCDEF01-2345"),
        ];
        let redactor = Redactor::new(&secrets);
        for (text, expected) in [
            ("nothing here", "nothing here"),
            ("is pa\"ss wörd&1!", "is [redacted]!"),
            (r#"{"echo":"pa\"ss wörd&1"}"#, r#"{"echo":"[redacted]"}"#),
            ("?p=pa%22ss%20w%C3%B6rd%261&x", "?p=[redacted]&x"),
            ("?k=%7BABCDEF01%2D2345%7D", "?k=[redacted]"),
            ("{abcdef01-2345} abcdef01-2345", "[redacted] [redacted]"),
            ("invoice 1234", "invoice 1234"),
        ] {
            assert_eq!(redactor.clean(text), expected);
        }
        assert_eq!(
            redactor
                .and(&[Secret::new("temporary")])
                .clean("a temporary {ABCDEF01-2345}"),
            "a [redacted] [redacted]"
        );
    }
}
