//! How much of what an add-on says is kept. Every text that comes from an add-on passes here once, on its way in.
//!
//! A text that is too long is cut, and bears the mark that says so: a long name of a customer must not stop a run. An answer with too
//! much in it is refused as a whole: nobody could tell what is missing. What a call hands over at once has a limit of its own
//! (`call-mib`); these keep the database, the pages and the host's memory from growing with it.

use super::bindings::types;
use super::instance::Answered;
use addon_store::Failure;

/// Characters of a name, a code or an id. A key has up to 512 bytes.
pub const LONGEST_NAME: usize = 600;

/// Characters of a message, a label, a cell, a value, a line of a log.
pub const LONGEST_TEXT: usize = 8 << 10;

/// Stands for what was cut off.
const CUT: char = '…';

/// What each text and each entry of a list counts for besides its bytes, so that many empty ones are limited too.
const OVERHEAD: usize = 32;

/// Bytes of all the texts of one answer.
#[derive(Debug, Clone, Copy)]
pub enum Room {
    /// Of how a run ended, of a failure.
    Outcome,
    /// Of a check.
    Findings,
    /// Of what a field can be set to.
    Choices,
    /// Of one page of rows.
    Rows,
    /// Of what one call of `report` or `commit` hands over.
    Records,
}

impl Room {
    const fn bytes(self) -> usize {
        match self {
            Self::Outcome => 256 << 10,
            Self::Findings => 1 << 20,
            Self::Choices => 8 << 20,
            Self::Rows => 8 << 20,
            // What one commit may write at most anyway.
            Self::Records => 16 << 20,
        }
    }
}

/// The texts of one answer, as they come in.
pub struct Words {
    room: usize,
    used: usize,
}

impl Words {
    pub fn new(room: Room) -> Self {
        Self {
            room: room.bytes(),
            used: 0,
        }
    }

    pub fn name(&mut self, text: String) -> String {
        self.take(text, LONGEST_NAME)
    }

    pub fn text(&mut self, text: String) -> String {
        self.take(text, LONGEST_TEXT)
    }

    pub fn pairs(&mut self, pairs: Vec<types::Pair>) -> Vec<(String, String)> {
        let pair = |types::Pair { name, value }| (self.name(name), self.text(value));
        pairs.into_iter().map(pair).collect()
    }

    /// The answer that was made of these texts, if there is room for them.
    pub fn enough<T>(self, answer: T) -> Answered<T> {
        if self.used <= self.room {
            return Ok(answer);
        }
        let message = format!(
            "The add-on said more than {} KiB at once, and nothing of it is kept. Please tell its makers.",
            self.room >> 10
        );
        Err(Failure::new("limit", message))
    }

    /// What goes beyond the room is not even kept until the answer is refused.
    fn take(&mut self, text: String, longest: usize) -> String {
        let text = cut(text, longest);
        self.used = self.used.saturating_add(text.len() + OVERHEAD);
        if self.used > self.room {
            return String::new();
        }
        text
    }
}

/// A text of at most so many characters.
pub fn cut(mut text: String, longest: usize) -> String {
    // Most are shorter by their bytes already, which nobody has to count.
    if text.len() > longest
        && let Some((end, _)) = text.char_indices().nth(longest)
    {
        text.truncate(end);
        text.pop();
        text.push(CUT);
        text.shrink_to_fit();
    }
    text
}

/// Why an export did not work. What does not fit into an outcome is left out, rather than the reason itself.
pub fn failure(failure: types::Failure) -> Failure {
    let types::Failure {
        code,
        message,
        retry_at,
        more,
    } = failure;
    let mut words = Words::new(Room::Outcome);
    let (code, message) = (words.name(code), words.text(message));
    let more = words.pairs(more);
    Failure {
        code,
        message,
        retry_at,
        more: words.enough(more).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_with_a_mark_and_too_many_are_refused() {
        for (length, kept) in [
            (0, 0),
            (1, 1),
            (LONGEST_NAME, LONGEST_NAME),
            (1 << 20, LONGEST_NAME),
        ] {
            for letter in ["x", "ü", "😀"] {
                let text = Words::new(Room::Outcome).name(letter.repeat(length));
                assert_eq!(text.chars().count(), kept);
                assert_eq!(text.ends_with(CUT), length > kept);
            }
        }
        let empty = |amount: usize| {
            let mut words = Words::new(Room::Outcome);
            let texts: Vec<_> = (0..amount).map(|_| words.text(String::new())).collect();
            words.enough(texts).map(|texts| texts.len())
        };
        assert_eq!(empty(8192), Ok(8192));
        assert_eq!(empty(8193).unwrap_err().code, "limit");
        let mut words = Words::new(Room::Outcome);
        let all: usize = (0..1000)
            .map(|_| words.text("x".repeat(1 << 20)).len())
            .sum();
        assert!(all <= Room::Outcome.bytes() && words.enough(()).is_err());
    }
}
