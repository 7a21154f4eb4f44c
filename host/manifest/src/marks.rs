//! The add-on's own marks in texts, as its manifest describes them: they are nobody's, and say what belongs to what.

use regex_lite::{Regex, RegexBuilder};

#[derive(Debug, Clone, Default)]
pub struct Marks {
    patterns: Vec<String>,
    any: Option<Regex>,
}

impl Marks {
    /// Of regular expressions, in letters of either case; an error says what is wrong with one.
    pub fn new(patterns: &[String]) -> Result<Self, String> {
        for pattern in patterns {
            Regex::new(pattern).map_err(|error| error.to_string())?;
        }
        if patterns.is_empty() {
            return Ok(Self::default());
        }
        // Whole words only: what stands in the middle of one is no mark.
        let any = format!(r"\b(?:{})\b", patterns.join("|"));
        let built = RegexBuilder::new(&any).case_insensitive(true).build();
        let built = built.map_err(|error| error.to_string())?;
        Ok(Self {
            patterns: patterns.to_vec(),
            any: Some(built),
        })
    }

    /// As the manifest writes them.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// The text with what stands between its marks replaced. Blanks around a piece are no part of it.
    pub fn between(&self, text: &str, mut replace: impl FnMut(&str) -> String) -> String {
        let mut written = String::with_capacity(text.len());
        let mut piece = |written: &mut String, piece: &str| {
            let bare = piece.trim();
            let (before, behind) = piece.split_at(piece.len() - piece.trim_start().len());
            written.push_str(before);
            written.push_str(&replace(bare));
            written.push_str(&behind[bare.len()..]);
        };
        let mut from = 0;
        for mark in self.any.iter().flat_map(|any| any.find_iter(text)) {
            piece(&mut written, &text[from..mark.start()]);
            written.push_str(mark.as_str());
            from = mark.end();
        }
        piece(&mut written, &text[from..]);
        written
    }
}
