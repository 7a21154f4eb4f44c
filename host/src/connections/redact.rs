//! Secrets that turn up in what comes back, an error's text or a log line are replaced, by value and in the encodings that
//! servers echo them in.
//!
//! The trap: a short secret is also an ordinary word or number, and replacing it would falsify an answer. Below
//! `SHORTEST` characters nothing is replaced; credentials that are worth the name are longer.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
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
                forms.extend([hex::encode(secret), hex::encode_upper(secret)]);
                forms.extend((0..3).flat_map(|shift| in_base64(secret, shift)));
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

/// How a secret looks within a longer text that was encoded as a whole (`user:password`), where `shift` bytes stand before it in
/// its group of three: the characters that are made of nothing else.
fn in_base64(secret: &str, shift: usize) -> [String; 2] {
    let padded = [&[0; 2][..shift], secret.as_bytes()].concat();
    // Six bits a character: those that share bits with what stands before or behind are left out.
    let (from, to) = ((shift * 8).div_ceil(6), padded.len() * 8 / 6);
    [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|alphabet| alphabet.encode(&padded)[from..to].to_owned())
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
            (
                "7B41424344454630312D323334357D 41424344454630312d32333435",
                "[redacted] [redacted]",
            ),
        ] {
            assert_eq!(redactor.clean(text), expected);
        }
        // Wherever it stands in a text that was encoded as a whole, in either alphabet.
        for before in ["", "a", "ab", "ann:"] {
            for after in ["", "x", ">>>???"] {
                let text = format!("{before}pa\"ss wörd&1{after}");
                for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    let cleaned = redactor.clean(encoded.as_str());
                    assert!(
                        cleaned.contains(INSTEAD) && cleaned.len() < 10 + 4 + 12,
                        "{text}: {cleaned}"
                    );
                }
            }
        }
        assert_eq!(
            redactor
                .and(&[Secret::new("temporary")])
                .clean("a temporary {ABCDEF01-2345}"),
            "a [redacted] [redacted]"
        );
    }
}
