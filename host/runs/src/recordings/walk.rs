//! Walks through a JSON text and replaces what is said to be replaced; every other byte stays: order of fields, digits of numbers,
//! blanks.

use serde::de::IgnoredAny;

/// What stands somewhere in a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaf<'t> {
    Text(&'t str),
    /// As it is written.
    Number(&'t str),
}

/// Says what a leaf becomes, by the name of the field that it stands under (empty: under none); `None`: it stays.
pub type Each<'e> = dyn FnMut(&str, Leaf<'_>) -> Option<String> + 'e;

/// The text with its leaves replaced; `None`: it is no JSON.
pub fn rewrite(json: &str, each: &mut Each<'_>) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(json).ok()?;
    let mut walk = Walk {
        rest: json,
        written: String::with_capacity(json.len()),
        within: Vec::new(),
    };
    while let Some(next) = walk.rest.chars().next() {
        walk.step(next, each)?;
    }
    Some(walk.written)
}

/// An object or a list.
struct Within {
    is_object: bool,
    /// The field that comes, or the one that the list stands under.
    field: String,
    wants_key: bool,
}

struct Walk<'t> {
    rest: &'t str,
    written: String,
    within: Vec<Within>,
}

impl Walk<'_> {
    fn step(&mut self, next: char, each: &mut Each<'_>) -> Option<()> {
        match next {
            '"' => {
                let token = self.take(string_end(self.rest)?);
                let text: String = serde_json::from_str(token).ok()?;
                self.string(token, text, each)?;
            }
            '-' | '0'..='9' => {
                let end = self
                    .rest
                    .find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c)));
                let token = self.take(end.unwrap_or(self.rest.len()));
                let replaced = each(self.field(), Leaf::Number(token));
                self.written.push_str(&replaced.unwrap_or(token.to_owned()));
            }
            '{' | '[' => {
                let within = Within {
                    is_object: next == '{',
                    field: self.field().to_owned(),
                    wants_key: next == '{',
                };
                self.within.push(within);
                self.copy(next);
            }
            '}' | ']' => {
                self.within.pop();
                self.copy(next);
            }
            ',' => {
                if let Some(within) = self.within.last_mut() {
                    within.wants_key = within.is_object;
                }
                self.copy(next);
            }
            other => self.copy(other),
        }
        Some(())
    }

    fn string(&mut self, token: &str, text: String, each: &mut Each<'_>) -> Option<()> {
        match self.within.last_mut().filter(|within| within.wants_key) {
            Some(within) => {
                within.wants_key = false;
                // A name that no program gives a field is data.
                let replaced = (!is_name(&text)).then(|| each("", Leaf::Text(&text)));
                within.field = text;
                self.write(replaced.flatten(), token)
            }
            None => {
                let replaced = each(self.field(), Leaf::Text(&text));
                self.write(replaced, token)
            }
        }
    }

    fn write(&mut self, replaced: Option<String>, token: &str) -> Option<()> {
        match replaced {
            Some(text) => self.written.push_str(&serde_json::to_string(&text).ok()?),
            None => self.written.push_str(token),
        }
        Some(())
    }

    fn field(&self) -> &str {
        self.within.last().map_or("", |within| &within.field)
    }

    fn copy(&mut self, next: char) {
        self.written.push(next);
        self.rest = &self.rest[next.len_utf8()..];
    }
}

impl<'t> Walk<'t> {
    fn take(&mut self, bytes: usize) -> &'t str {
        let (token, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        token
    }
}

/// Behind the closing quote.
fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.$[]:".contains(c);
    text.len() <= 80 && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_replaced_under_their_fields_and_every_other_byte_stays() {
        let json =
            r#" {"a": "x\"y", "b":[1.10, {"c": "\u0041"}, "z"],"Jan Botha":null, "d": -3e2} "#;
        let mut seen = Vec::new();
        let rewritten = rewrite(json, &mut |field, leaf| {
            seen.push(format!("{field}={leaf:?}"));
            match leaf {
                Leaf::Text("z") => Some("new \"z\"".to_owned()),
                Leaf::Text("Jan Botha") => Some("Xyz".to_owned()),
                Leaf::Number("-3e2") => Some("4".to_owned()),
                _ => None,
            }
        });
        let wanted =
            r#" {"a": "x\"y", "b":[1.10, {"c": "\u0041"}, "new \"z\""],"Xyz":null, "d": 4} "#;
        assert_eq!(rewritten.as_deref(), Some(wanted));
        assert_eq!(
            seen,
            [
                r#"a=Text("x\"y")"#,
                r#"b=Number("1.10")"#,
                r#"c=Text("A")"#,
                r#"b=Text("z")"#,
                r#"=Text("Jan Botha")"#,
                r#"d=Number("-3e2")"#,
            ]
        );
        for text in ["", "plain", "{\"a\":}", "[1,]"] {
            assert_eq!(rewrite(text, &mut |_, _| None), None, "{text}");
        }
    }
}
