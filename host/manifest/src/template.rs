//! Texts with settings in them, such as the base address `{splynx_api_domain}api/2.0/`. `{key}` stands for a setting,
//! `{{` and `}}` for literal braces. A template may render a secret: what comes out is as secret as what went in.

use thiserror::Error;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Setting(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    #[error("`{{` without a closing `}}`")]
    Unclosed,
    #[error("`}}` without an opening `{{`")]
    Unopened,
    #[error("`{{}}` names no setting")]
    Nameless,
}

impl Template {
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            let after = &rest[at + 1..];
            if let Some(tail) = after.strip_prefix(brace) {
                literal.push_str(brace);
                rest = tail;
                continue;
            }
            if brace == "}" {
                return Err(TemplateError::Unopened);
            }
            let (key, tail) = after.split_once('}').ok_or(TemplateError::Unclosed)?;
            if key.is_empty() {
                return Err(TemplateError::Nameless);
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Setting(key.to_owned()));
            rest = tail;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self {
            source: source.to_owned(),
            parts,
        })
    }

    /// The settings that it needs, in order of appearance.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Setting(key) => Some(key.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The text with every setting replaced. Where `value` knows no value for a key, that key is the error.
    pub fn render<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> Result<String, String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Setting(key) => text.push_str(value(key).ok_or_else(|| key.clone())?),
            }
        }
        Ok(text)
    }

    /// As it stands in the manifest.
    pub fn source(&self) -> &str {
        &self.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_literal_when_doubled_and_settings_otherwise() {
        let render = |source: &str| {
            Template::parse(source)
                .unwrap()
                .render(|key| (key == "key").then_some("v"))
        };
        for (source, expected) in [
            ("", Ok("")),
            ("plain", Ok("plain")),
            ("{key}api/", Ok("vapi/")),
            ("a{key}b{key}", Ok("avbv")),
            ("{{{key}}}", Ok("{v}")),
            ("{{key}}", Ok("{key}")),
            ("é{key}é", Ok("évé")),
            ("{other}", Err("other")),
        ] {
            assert_eq!(
                render(source),
                expected.map(str::to_owned).map_err(str::to_owned),
                "{source}"
            );
        }
        for (source, error) in [
            ("{key", TemplateError::Unclosed),
            ("key}", TemplateError::Unopened),
            ("{}", TemplateError::Nameless),
            ("{{key}", TemplateError::Unopened),
        ] {
            assert_eq!(Template::parse(source), Err(error), "{source}");
        }
    }
}
