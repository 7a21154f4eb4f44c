//! The words of an add-on: what stands in its package anybody may read, so in its messages these words tell nothing of anybody.
//!
//! Beware: names are words too (Bill May). So a word of a message counts as the add-on's only beside another one that stands
//! beside it in the package as well.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::disguise::words;

/// Bytes in a row that may be a text.
const SHORTEST: usize = 4;

#[derive(Debug, Default)]
pub struct Vocabulary {
    /// In small letters. Texts of a program stand in it without anything between them.
    text: String,
    /// Of neighbours.
    pairs: HashSet<u64>,
}

impl Vocabulary {
    /// Of a package as everybody has it; nothing of what is none.
    pub fn of_package(package: &[u8]) -> Self {
        let package = addon_packages::read(package);
        let files = package
            .iter()
            .flat_map(|package| [package.manifest_text.as_bytes(), &package.component]);
        Self::of(files)
    }

    /// Of files, texts or not.
    fn of<'f>(files: impl IntoIterator<Item = &'f [u8]>) -> Self {
        let mut vocabulary = Self::default();
        for file in files {
            let texts = file.split(|byte| !matches!(byte, b' '..=b'~' | b'\n' | 0x80..));
            for text in texts.filter(|text| text.len() >= SHORTEST) {
                vocabulary.learn(&String::from_utf8_lossy(text));
            }
        }
        vocabulary
    }

    pub fn learn(&mut self, text: &str) {
        let mut before = None;
        self.text.push_str(&text.to_lowercase());
        self.text.push('\n');
        for word in words(text).map(digest) {
            if let Some(before) = before.replace(word) {
                self.pairs.insert(pair(before, word));
            }
        }
    }

    /// Whether it stands somewhere, perhaps as a part of a word.
    pub fn holds(&self, text: &str) -> bool {
        self.text.contains(&text.to_lowercase())
    }

    /// Whether a word of a message, by its place among them, is the add-on's.
    pub fn says(&self, words: &[&str], place: usize) -> bool {
        let is_pair = |first: usize| match words.get(first..first + 2) {
            Some([first, second]) => self.pairs.contains(&pair(digest(first), digest(second))),
            _ => false,
        };
        is_pair(place) || place.checked_sub(1).is_some_and(is_pair)
    }
}

fn digest(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    word.to_lowercase().hash(&mut hasher);
    hasher.finish()
}

fn pair(first: u64, second: u64) -> u64 {
    first.rotate_left(17) ^ second
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_add_ons_beside_their_neighbours_only() {
        let vocabulary =
            Vocabulary::of([b"Sage has a customer of this name already\0bill\0may\0".as_slice()]);
        let said = |text: &str| {
            let all: Vec<&str> = words(text).collect();
            let kept = (0..all.len()).filter(|place| vocabulary.says(&all, *place));
            kept.map(|place| all[place]).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            said("Sage has Bill May (12) of this name already."),
            "Sage has of this name already"
        );
        assert!(vocabulary.holds("Customer") && !vocabulary.holds("Botha"));
    }
}
