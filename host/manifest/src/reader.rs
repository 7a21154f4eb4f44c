//! Typed access to a TOML text that remembers positions and goes on after a mistake, so that all mistakes are told at
//! once. Asking for a key makes it known; [`Table::done`] reports the keys that nobody asked for.
//!
//! Beware: after a problem the getters answer a placeholder. That is safe only because a text with any problem never
//! becomes a manifest.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::plain::{self, is_unfit};
use super::problem::{ManifestError, Problem, nearest};
use super::template::Template;

/// The text and what was found wrong with it.
pub(super) struct Source<'t> {
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

/// One table of the text.
pub(super) struct Table<'s> {
    source: &'s Source<'s>,
    /// Empty for the whole file.
    path: String,
    span: Range<usize>,
    entries: &'s DeTable<'s>,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            problems: RefCell::default(),
        }
    }

    pub(super) fn report(
        &self,
        at: &Range<usize>,
        key: String,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) {
        let line = 1 + self
            .text
            .bytes()
            .take(at.start)
            .filter(|byte| *byte == b'\n')
            .count();
        // What is complained of may be quoted, and is printed.
        let fit = |text: String| text.replace(is_unfit, "\u{fffd}");
        self.problems.borrow_mut().push(Problem {
            line,
            key: fit(key),
            message: fit(message.into()),
            cure: fit(cure.into()),
        });
    }

    /// The tables of the text, or where it is no TOML.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'t>>, ManifestError> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            let cure = "Write this line as TOML (key = value; texts in quotes)";
            self.report(
                &error.span().unwrap_or_default(),
                String::new(),
                message,
                cure,
            );
        }
        if errors.is_empty() {
            plain::check(self, root.get_ref(), "");
            Ok(root)
        } else {
            Err(self.error())
        }
    }

    pub(super) fn has_problems(&self) -> bool {
        !self.problems.borrow().is_empty()
    }

    pub(super) fn error(&self) -> ManifestError {
        let mut problems = self.problems.borrow().clone();
        problems.sort_by_key(|problem| problem.line);
        ManifestError { problems }
    }
}

impl<'s> Table<'s> {
    pub(super) fn root(source: &'s Source<'s>, root: &'s Spanned<DeTable<'s>>) -> Self {
        Self::new(source, String::new(), root.span(), root.get_ref())
    }

    fn new(
        source: &'s Source<'s>,
        path: String,
        span: Range<usize>,
        entries: &'s DeTable<'s>,
    ) -> Self {
        Self {
            source,
            path,
            span,
            entries,
            asked: RefCell::default(),
        }
    }

    /// Reports a problem at a key's value; at the table where the key is not there.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>, cure: impl Into<String>) {
        let span = self
            .entries
            .get(key)
            .map_or_else(|| self.span.clone(), Spanned::span);
        self.source.report(&span, self.path_of(key), message, cure);
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn done(self) {
        let asked = self.asked.borrow();
        for key in self.entries.keys() {
            let name: &str = key.get_ref();
            if asked.contains(name) {
                continue;
            }
            let cure = match nearest(name, asked.iter().copied()) {
                Some(meant) => format!("Did you mean `{meant}`?"),
                None => format!(
                    "Known here: {}",
                    asked.iter().copied().collect::<Vec<_>>().join(", ")
                ),
            };
            self.source.report(
                &key.span(),
                self.path_of(name),
                format!("unknown key `{name}`"),
                cure,
            );
        }
    }

    pub(super) fn text(&self, key: &'static str) -> String {
        self.maybe_text(key).unwrap_or_else(|| {
            if self.entries.get(key).is_none() {
                self.problem(
                    key,
                    format!("`{key}` is missing"),
                    format!("Add {key} = \"…\""),
                );
            }
            String::new()
        })
    }

    pub(super) fn maybe_text(&self, key: &'static str) -> Option<String> {
        let value = self.value(key)?;
        match value.get_ref().as_str() {
            Some("") => {
                self.problem(
                    key,
                    format!("`{key}` is empty"),
                    "Give it a value, or leave the line out",
                );
                None
            }
            Some(text) => Some(text.to_owned()),
            None => self.wrong(key, value, "a text", &format!("{key} = \"…\"")),
        }
    }

    pub(super) fn flag(&self, key: &'static str, otherwise: bool) -> bool {
        let Some(value) = self.value(key) else {
            return otherwise;
        };
        match value.get_ref().as_bool() {
            Some(flag) => flag,
            None => self
                .wrong(key, value, "true or false", &format!("{key} = true"))
                .unwrap_or(otherwise),
        }
    }

    /// A whole number in a range.
    pub(super) fn maybe_number(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = self.value(key)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|text| i64::from_str_radix(text.as_str(), text.radix()).ok());
        let Some(number) = number else {
            return self.wrong(key, value, "a whole number", &format!("{key} = 10"));
        };
        if !range.contains(&number) {
            let cure = format!("Between {} and {}", range.start(), range.end());
            self.problem(key, format!("{number} is out of range"), cure);
        }
        Some(number)
    }

    /// The same, for a count that fits the range of `u32`; `otherwise`: none makes the key required.
    pub(super) fn count(
        &self,
        key: &'static str,
        range: RangeInclusive<u32>,
        otherwise: Option<u32>,
    ) -> u32 {
        let wide = i64::from(*range.start())..=i64::from(*range.end());
        let found = self
            .maybe_number(key, wide)
            .and_then(|number| u32::try_from(number).ok());
        found.or(otherwise).unwrap_or_else(|| {
            if self.entries.get(key).is_none() {
                self.problem(
                    key,
                    format!("`{key}` is missing"),
                    format!("Add {key} = {}", range.start()),
                );
            }
            *range.start()
        })
    }

    /// A list of texts; empty where the key is missing.
    pub(super) fn texts(&self, key: &'static str) -> Vec<String> {
        self.list(key)
            .filter_map(|value| match value.get_ref().as_str() {
                Some(text) => Some(text.to_owned()),
                None => self.wrong(
                    key,
                    value,
                    "a list of texts",
                    &format!("{key} = [\"…\", \"…\"]"),
                ),
            })
            .collect()
    }

    /// A list of texts that must not be empty.
    pub(super) fn some_texts(&self, key: &'static str) -> Vec<String> {
        let texts = self.texts(key);
        if texts.is_empty() {
            self.problem(
                key,
                format!("`{key}` names nothing"),
                format!("Add {key} = [\"…\"]"),
            );
        }
        texts
    }

    pub(super) fn template(&self, key: &'static str) -> Template {
        self.as_template(key, &self.text(key))
    }

    pub(super) fn as_template(&self, key: &'static str, text: &str) -> Template {
        Template::parse(text).unwrap_or_else(|error| {
            self.problem(
                key,
                error.to_string(),
                "{key} stands for a setting, {{ and }} for braces",
            );
            Template::default()
        })
    }

    /// The table under a key; an empty one, with a problem, where it is missing.
    pub(super) fn table(&self, key: &'static str) -> Option<Table<'s>> {
        match self.value(key) {
            Some(value) => self.as_table(key, value, self.path_of(key)),
            None => {
                self.problem(
                    key,
                    format!("the table [{key}] is missing"),
                    format!("Add [{key}]"),
                );
                None
            }
        }
    }

    /// The same, where it need not be there.
    pub(super) fn maybe_table(&self, key: &'static str) -> Option<Table<'s>> {
        let value = self.value(key)?;
        self.as_table(key, value, self.path_of(key))
    }

    /// `[key.NAME]`, each with its name.
    pub(super) fn named_tables(&self, key: &'static str) -> Vec<(String, Table<'s>)> {
        let Some(tables) = self.value(key) else {
            return Vec::new();
        };
        let Some(tables) = tables.get_ref().as_table() else {
            self.problem(key, "is no table of tables", format!("Write [{key}.NAME]"));
            return Vec::new();
        };
        let named = tables.iter().filter_map(|(name, value)| {
            let name = name.get_ref().to_string();
            let table = self.as_table(key, value, format!("{key}.{name}"))?;
            Some((name, table))
        });
        named.collect()
    }

    /// `[[key]]`, or a list of inline tables.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Table<'s>> {
        let path = self.path_of(key);
        self.list(key)
            .enumerate()
            .filter_map(|(index, value)| {
                self.as_table(key, value, format!("{path}[{}]", index + 1))
            })
            .collect()
    }

    fn value(&self, key: &'static str) -> Option<&'s Spanned<DeValue<'s>>> {
        self.asked.borrow_mut().insert(key);
        self.entries.get(key)
    }

    fn list(&self, key: &'static str) -> impl Iterator<Item = &'s Spanned<DeValue<'s>>> {
        let value = self.value(key);
        let list = value.and_then(|value| value.get_ref().as_array());
        if let (Some(value), None) = (value, list) {
            self.wrong::<()>(key, value, "a list", &format!("{key} = [ … ]"));
        }
        list.into_iter().flat_map(|list| list.iter())
    }

    fn as_table(
        &self,
        key: &str,
        value: &'s Spanned<DeValue<'s>>,
        path: String,
    ) -> Option<Table<'s>> {
        match value.get_ref().as_table() {
            Some(entries) => Some(Table::new(self.source, path, value.span(), entries)),
            None => self.wrong(key, value, "a table", "{ name = \"…\" }"),
        }
    }

    fn wrong<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        wanted: &str,
        example: &str,
    ) -> Option<T> {
        let message = format!(
            "is {} {}, not {wanted}",
            article(value),
            value.get_ref().type_str()
        );
        self.source.report(
            &value.span(),
            self.path_of(key),
            message,
            format!("Write {example}"),
        );
        None
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

fn article(value: &Spanned<DeValue<'_>>) -> &'static str {
    if value.get_ref().type_str().starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    }
}
