//! Who plays whom: what of a run is nobody's, and what everything else becomes.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::disguise::{Disguise, Kept, words};
use super::tape::TapeContents;
use super::vocabulary::Vocabulary;
use super::walk::{Leaf, rewrite};
use addon_manifest::{Manifest, SettingKind};
use addon_traffic::{Answer, Request};

/// Digits from which on a number may be a telephone's or a tax number, and no id.
const LONG_NUMBER: usize = 9;
/// What stands between a field and a text in a search (OData).
const OPERATORS: [&str; 7] = ["eq", "ne", "gt", "ge", "lt", "le", "datetime"];

pub struct Cast<'a> {
    manifest: &'a Manifest,
    vocabulary: &'a Vocabulary,
    disguise: Disguise<'a>,
}

/// What the texts of a JSON text are, by their fields.
#[derive(Clone, Copy)]
struct Fields<'a> {
    kept: &'a BTreeSet<String>,
    messages: &'a BTreeSet<String>,
    /// Numbers are ids, counts and moments, however long.
    keeps_numbers: bool,
}

impl Fields<'_> {
    fn keeps(&self, field: &str) -> bool {
        self.kept.contains(field)
    }

    fn is_message(&self, field: &str) -> bool {
        field.is_empty() || self.messages.contains(field)
    }
}

impl<'a> Cast<'a> {
    /// For what belongs to no run.
    pub fn without_run(manifest: &'a Manifest, vocabulary: &'a Vocabulary) -> Self {
        Self::of(&TapeContents::default(), manifest, vocabulary)
    }

    pub fn of(taken: &TapeContents, manifest: &'a Manifest, vocabulary: &'a Vocabulary) -> Self {
        let kept = learn(taken, manifest);
        let disguise = Disguise::new(kept, &manifest.recording.marks);
        let mut cast = Self {
            manifest,
            vocabulary,
            disguise,
        };
        let digests = taken
            .digested
            .iter()
            .filter_map(|text| {
                let made_up = rewrite(text, &mut |_, leaf| cast.leaf(leaf))?;
                Some((sha256(text), sha256(&made_up)))
            })
            .collect();
        cast.disguise.know_digests(digests);
        cast
    }

    /// A text whose field nobody knows.
    pub fn text(&self, text: &str) -> String {
        self.disguise.text(text)
    }

    /// A message: the add-on's own words stay.
    pub fn message(&self, text: &str) -> String {
        let is_said = |words: &[&str], place: usize| self.vocabulary.says(words, place);
        self.disguise.prose(text, is_said)
    }

    /// The body of a request or an answer of a connection.
    pub fn body(&self, connection: &str, body: &str) -> String {
        self.structured(body, fields_of(self.manifest, connection))
            .unwrap_or_else(|| self.message(body))
    }

    /// What an option of the job says: a list of a service's, or a text.
    pub fn option(&self, value: &str) -> String {
        let of_any = self.manifest.connections.values();
        let kept = of_any.flat_map(|connection| connection.keeps.iter().cloned());
        let fields = Fields {
            kept: &kept.collect(),
            messages: &self.manifest.recording.messages,
            keeps_numbers: false,
        };
        self.structured(value, fields)
            .unwrap_or_else(|| self.disguise.text(value))
    }

    /// Names in addresses stand in the add-on's program, and numbers are ids.
    pub fn path(&self, path: &str) -> String {
        let of = |segment: &str| {
            let is_id = segment.len() < LONG_NUMBER && segment.bytes().all(|b| b.is_ascii_digit());
            let is_ours = || parts(segment).all(|part| self.vocabulary.holds(part));
            match is_id || self.vocabulary.holds(segment) || is_ours() {
                true => segment.to_owned(),
                false => self.text(segment),
            }
        };
        path.split('/').map(of).collect::<Vec<_>>().join("/")
    }

    pub fn parameter(&self, connection: &str, name: &str, value: &str) -> String {
        let fields = fields_of(self.manifest, connection);
        if keeps_parameter(fields, name) {
            return value.to_owned();
        }
        if !name.starts_with('$') {
            return self.text(value);
        }
        // A query in a language of its own: names and numbers, and texts in quotes.
        let mut written = String::new();
        for (place, part) in value.split('\'').enumerate() {
            let is_quoted = place % 2 == 1;
            let before = words(&written).filter(|word| !OPERATORS.contains(word));
            let is_kept = before.last().is_some_and(|field| fields.keeps(field));
            if place > 0 {
                written.push('\'');
            }
            match is_quoted && !is_kept {
                true => written.push_str(&self.text(part)),
                false => written.push_str(part),
            }
        }
        written
    }

    /// An entry of the add-on's tables: its key and its value.
    pub fn entry(&self, table: &str, key: &str, value: &str) -> (String, String) {
        let is_plain = self.manifest.recording.plain.contains(table);
        let key = match is_plain {
            true => key.to_owned(),
            false => self.text(key),
        };
        let is_document = value.starts_with(['{', '[']);
        let structured = is_document
            .then(|| self.structured(value, stored_fields(self.manifest)))
            .flatten();
        let value = structured.unwrap_or_else(|| match is_plain {
            true => value.to_owned(),
            false => self.text(value),
        });
        (key, value)
    }

    pub fn setting(&self, key: &str, value: &str) -> String {
        match keeps_setting(self.manifest, key) {
            true => value.to_owned(),
            false => self.text(value),
        }
    }

    fn structured(&self, json: &str, fields: Fields<'_>) -> Option<String> {
        rewrite(json, &mut |field, leaf| match leaf {
            _ if fields.keeps(field) => None,
            Leaf::Number(_) if fields.keeps_numbers => None,
            Leaf::Text(text) if fields.is_message(field) => Some(self.message(text)),
            leaf => self.leaf(leaf),
        })
    }

    fn leaf(&self, leaf: Leaf<'_>) -> Option<String> {
        match leaf {
            Leaf::Text(text) => Some(self.text(text)),
            Leaf::Number(number) => {
                let is_long =
                    number.len() >= LONG_NUMBER && number.bytes().all(|byte| byte.is_ascii_digit());
                is_long.then(|| self.text(number))
            }
        }
    }
}

/// What a name such as `SaveBatch` is put together of.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    let capitals = name.char_indices().filter(|(_, c)| c.is_uppercase());
    let mut starts: Vec<usize> = std::iter::once(0)
        .chain(capitals.map(|(at, _)| at))
        .chain([name.len()])
        .collect();
    starts.dedup();
    (1..starts.len()).map(move |place| &name[starts[place - 1]..starts[place]])
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn fields_of<'m>(manifest: &'m Manifest, connection: &str) -> Fields<'m> {
    static NONE: BTreeSet<String> = BTreeSet::new();
    let connection = manifest.connections.get(connection);
    Fields {
        kept: connection.map_or(&NONE, |connection| &connection.keeps),
        messages: &manifest.recording.messages,
        keeps_numbers: false,
    }
}

fn stored_fields(manifest: &Manifest) -> Fields<'_> {
    Fields {
        kept: &manifest.recording.stored,
        messages: &manifest.recording.messages,
        // The add-on wrote them.
        keeps_numbers: true,
    }
}

/// Whether the value of a parameter is nobody's: it is named like a kept field, or `main_attributes[FIELD][1]` is.
fn keeps_parameter(fields: Fields<'_>, name: &str) -> bool {
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = name.split(['[', ']']).filter(|part| !part.is_empty());
    let named = parts.rfind(|part| !is_number(part));
    named.is_some_and(|field| fields.keeps(field))
}

/// Texts and addresses hold what people write; all others one of a few values.
fn keeps_setting(manifest: &Manifest, key: &str) -> bool {
    match manifest.setting(key).map(|spec| &spec.kind) {
        Some(SettingKind::Text(_) | SettingKind::Url) => manifest.recording.settings.contains(key),
        // Of a secret the add-on is told only that it is set.
        Some(_) => true,
        None => key
            .split_once('.')
            .is_some_and(|(family, _)| manifest.mapping(family).is_some()),
    }
}

/// What is nobody's: whatever stands in kept fields.
fn learn(taken: &TapeContents, manifest: &Manifest) -> Kept {
    let mut kept = Kept::new(&manifest.recording.words);
    let mut document = |text: &str, fields: Fields<'_>| {
        let mut leaf = |field: &str, leaf: Leaf<'_>| {
            if fields.keeps(field) {
                let (Leaf::Text(text) | Leaf::Number(text)) = leaf;
                kept.learn(text);
            }
            None
        };
        rewrite(text, &mut leaf);
    };
    for (request, answer) in &taken.exchanges {
        let fields = fields_of(manifest, &request.connection);
        document(&request.body, fields);
        if let Ok(response) = answer {
            document(&response.body, fields);
        }
    }
    for value in taken.stored.values() {
        document(value, stored_fields(manifest));
    }
    for (request, _) in &taken.exchanges {
        learn_parameters(&mut kept, manifest, request);
    }
    kept
}

fn learn_parameters(kept: &mut Kept, manifest: &Manifest, request: &Request) {
    let fields = fields_of(manifest, &request.connection);
    for (name, value) in &request.query {
        if keeps_parameter(fields, name) {
            kept.learn(value);
        }
    }
}

/// Headers of an answer that an add-on may go by.
pub fn headers(answer: &Answer) -> BTreeMap<String, String> {
    const KEPT: [&str; 5] = [
        "content-type",
        "date",
        "last-modified",
        "retry-after",
        "x-total-count",
    ];
    let headers = answer.iter().flat_map(|response| &response.headers);
    headers
        .filter(|(name, _)| KEPT.contains(&name.as_str()))
        .cloned()
        .collect()
}
