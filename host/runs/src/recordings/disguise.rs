//! What people are called becomes something made up: letters become other letters, digits other digits, and everything else stays,
//! so that shapes, lengths, blanks and cases do.
//!
//! The same text becomes the same text wherever it stands, alone or within a longer one, cut off, in small letters or in capitals: what
//! a program compares, it finds equal or different as before. For that each character is shifted by what stands before it in its
//! word, under a key that nobody keeps. Beware: what is kept is kept everywhere, since nothing here knows where a text stands.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::ops::Range;

use rust_decimal::Decimal;

use addon_manifest::Marks;

/// Digits of a whole number beside letters (the number of a house, an id) that are kept.
const SHORT: usize = 6;
/// Digits of a number in groups that is not kept.
const LONG: usize = 9;
/// Digits of the shortest digest that add-ons store.
const SHORTEST_DIGEST: usize = 8;
/// Digits in a row that tell nothing of anybody.
const FEW: usize = 2;
/// How a number begins says what kind it is (a mobile telephone's, a tax number), and not whose.
const KIND: usize = 3;

/// Letters that are two bytes long, to be shifted among themselves.
const ACCENTED: [char; 28] = [
    'à', 'á', 'â', 'ã', 'ä', 'å', 'æ', 'ç', 'è', 'é', 'ê', 'ë', 'ì', 'í', 'î', 'ï', 'ñ', 'ò', 'ó',
    'ô', 'õ', 'ö', 'ø', 'ù', 'ú', 'û', 'ü', 'ý',
];

/// Makes texts unrecognisable.
pub struct Disguise<'m> {
    key: RandomState,
    kept: Kept,
    marks: &'m Marks,
    /// In hexadecimal, what each became.
    digests: BTreeMap<String, String>,
}

/// What is nobody's: what stood in fields that are kept.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Whole.
    texts: HashSet<String>,
    /// With letters, or of many digits; in small letters.
    words: HashSet<String>,
}

impl Kept {
    /// `words` besides what is learnt.
    pub fn new(words: &[String]) -> Self {
        let words = words.iter().flat_map(|text| self::words(text));
        Self {
            words: words.map(str::to_lowercase).collect(),
            ..Self::default()
        }
    }

    pub fn learn(&mut self, text: &str) {
        let text = text.trim();
        // The day of a moment.
        let day = text.get(..10).filter(|_| text.get(4..5) == Some("-"));
        for text in [Some(text), day].into_iter().flatten() {
            self.texts.insert(plain(text));
        }
        for word in words(text).filter(|word| is_telling(word)) {
            self.words.insert(word.to_lowercase());
        }
    }

    fn has(&self, text: &str) -> bool {
        self.texts.contains(&plain(text.trim()))
    }

    fn has_word(&self, word: &str) -> bool {
        is_telling(word) && self.words.contains(&word.to_lowercase())
    }
}

impl<'m> Disguise<'m> {
    pub fn new(kept: Kept, marks: &'m Marks) -> Self {
        Self {
            key: RandomState::new(),
            kept,
            marks,
            digests: BTreeMap::new(),
        }
    }

    /// The digest of a text, or the beginning of it, becomes that of what the text became.
    pub fn know_digests(&mut self, digests: BTreeMap<String, String>) {
        self.digests = digests;
    }

    fn digest(&self, text: &str) -> Option<String> {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() < SHORTEST_DIGEST || !text.bytes().all(is_hex) {
            return None;
        }
        let mut from = self.digests.range(text.to_owned()..);
        let (_, made_up) = from.next().filter(|(digest, _)| digest.starts_with(text))?;
        Some(made_up[..text.len()].to_owned())
    }

    /// A text of somebody's. Marks of the add-on stay, and part it into texts of their own.
    pub fn text(&self, text: &str) -> String {
        self.marks.between(text, |piece| self.piece(piece))
    }

    /// A text of the add-on's, or of a service's, in which somebody's may stand; `is_said`: whether a word is one of theirs, by its place among
    /// the text's words.
    pub fn prose(&self, text: &str, is_said: impl Fn(&[&str], usize) -> bool) -> String {
        self.marks.between(text, |piece| {
            let all: Vec<&str> = words(piece).collect();
            self.mixed(piece, |place| is_said(&all, place))
        })
    }

    fn piece(&self, text: &str) -> String {
        if self.kept.has(text) {
            return text.to_owned();
        }
        if let Some(digest) = self.digest(text) {
            return digest;
        }
        if text.contains(char::is_alphabetic) {
            return self.mixed(text, |_| false);
        }
        // Several numbers in a field are several texts, and one is the same with blanks in it and without.
        let parts = text.split_inclusive([',', ';', '/', '\n']);
        parts.map(|part| self.number(part)).collect()
    }

    /// Letters and numbers. `is_said`: whether a word is to stay, by its place.
    fn mixed(&self, text: &str, is_said: impl Fn(usize) -> bool) -> String {
        let found = places(text);
        let mut written = String::with_capacity(text.len());
        let (mut from, mut place) = (0, 0);
        while let Some(word) = found.get(place) {
            written.push_str(&text[from..word.start]);
            let end = long_number(text, &found[place..]);
            let part = &text[word.start..end.unwrap_or(word.end)];
            written.push_str(&match end {
                Some(_) => self.number(part),
                None if is_said(place) => part.to_owned(),
                None => self.word(part),
            });
            from = word.start + part.len();
            place += found[place..]
                .iter()
                .take_while(|word| word.end <= from)
                .count();
        }
        written.push_str(&text[from..]);
        written
    }

    fn word(&self, word: &str) -> String {
        let is_number = !word.contains(char::is_alphabetic);
        // Keys are filled up with zeros.
        let bare = if is_number {
            word.trim_start_matches('0')
        } else {
            word
        };
        if self.kept.has_word(bare)
            || !is_number && is_filling(word)
            || is_number && bare.len() <= SHORT
        {
            return word.to_owned();
        }
        if is_number {
            return self.number(word);
        }
        if let Some(digest) = self.digest(word) {
            return digest;
        }
        let mut before = self.key.build_hasher();
        let shifted = word.chars().map(|c| {
            let shift = before.finish();
            before.write_u32(u32::from(small(c)));
            shifted(c, shift)
        });
        shifted.collect()
    }

    fn number(&self, text: &str) -> String {
        let digits = text.chars().filter(char::is_ascii_digit).count();
        if digits <= FEW || self.kept.has_word(text.trim()) {
            return text.to_owned();
        }
        let kind = kind_of(text);
        let mut before = self.key.build_hasher();
        let mut place = 0;
        let shifted = text.chars().map(|c| {
            if !c.is_ascii_digit() {
                return c;
            }
            place += 1;
            let shift = before.finish();
            before.write_u32(u32::from(c));
            if place <= kind { c } else { shifted(c, shift) }
        });
        shifted.collect()
    }
}

/// How many digits of a number only say what kind it is: more where a country's code comes first.
fn kind_of(number: &str) -> usize {
    const COUNTRY: &str = "27";
    const NATIONAL: usize = 9;
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let bare = digits.strip_prefix("00").unwrap_or(&digits);
    match bare.strip_prefix(COUNTRY) {
        Some(rest) if rest.len() == NATIONAL => digits.len() - NATIONAL + KIND - 1,
        _ => KIND,
    }
}

/// Whether it is one letter again and again, which tries how long a text may be.
fn is_filling(word: &str) -> bool {
    let first = word.chars().next();
    word.len() > 3 && word.chars().all(|c| Some(c) == first)
}

/// A number without what it may be written with or without; else the text.
fn plain(text: &str) -> String {
    match text.parse::<Decimal>() {
        // Zeros in front belong to a text.
        Ok(number) if !text.starts_with('0') || text.starts_with("0.") => {
            number.normalize().to_string()
        }
        _ => text.to_owned(),
    }
}

/// Whether a word alone may tell whose it is.
fn is_telling(word: &str) -> bool {
    word.contains(char::is_alphabetic) || word.len() > SHORT
}

/// Letters and digits in a row.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// Where its words stand.
fn places(text: &str) -> Vec<Range<usize>> {
    let place = |word: &str| {
        let start = word.as_ptr().addr() - text.as_ptr().addr();
        start..start + word.len()
    };
    words(text).map(place).collect()
}

/// The end of a telephone number, or another long one, that is written in groups and begins with the first of these words; `None`: it
/// does not, or is a date.
fn long_number(text: &str, words: &[Range<usize>]) -> Option<usize> {
    let is_number = |word: &Range<usize>| text[word.clone()].bytes().all(|b| b.is_ascii_digit());
    let first = words.first().filter(|word| is_number(word))?;
    let (mut digits, mut end) = (first.len(), first.end);
    for word in &words[1..] {
        let between = &text[end..word.start];
        let is_group = between.len() <= 2 && between.chars().all(|c| " -/.()".contains(c));
        if !is_group || !is_number(word) {
            break;
        }
        (digits, end) = (digits + word.len(), word.end);
    }
    let lengths: Vec<usize> = words.iter().take(3).map(Range::len).collect();
    let is_date = lengths == [4, 2, 2] && text[first.end..].starts_with('-');
    (digits >= LONG && !is_date && end > first.end).then_some(end)
}

fn small(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// Another character of its kind, of as many bytes.
fn shifted(c: char, shift: u64) -> char {
    // By one at least: the last digit of a short number is all that is changed of it.
    let turn = |at: u32, of: u32| (at + 1 + (shift % u64::from(of - 1)) as u32) % of;
    let from = |first: char, of: u32| {
        char::from_u32(first as u32 + turn(c as u32 - first as u32, of)).unwrap_or(c)
    };
    match c {
        'a'..='z' => from('a', 26),
        'A'..='Z' => from('A', 26),
        '0'..='9' => from('0', 10),
        _ => match c.len_utf8() {
            2 => {
                let place = ACCENTED.iter().position(|letter| *letter == small(c));
                let place = turn(place.unwrap_or_default() as u32, ACCENTED.len() as u32);
                let letter = ACCENTED[place as usize];
                let capital = letter.to_uppercase().next().unwrap_or(letter);
                if c.is_uppercase() { capital } else { letter }
            }
            3 => char::from_u32(0x4E00 + turn(0, 0x5000)).unwrap_or(c),
            _ => char::from_u32(0x2_0000 + turn(0, 0xA000)).unwrap_or(c),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_becomes_one_other_wherever_it_stands_and_shapes_stay() {
        let marks = Marks::new(&["[0-9A-Z]{8}-[IP][0-9]+".to_owned()]).unwrap();
        let mut kept = Kept::new(&["Imported".to_owned()]);
        for text in ["INV-00042", "2026-02-01 10:11:12", "115.0000", "active"] {
            kept.learn(text);
        }
        let disguise = Disguise::new(kept, &marks);
        let of = |text: &str| disguise.text(text);
        for (text, other) in [
            ("Johanna van der Merwe", "Johanna"),
            ("jan.botha+1@mail.example", "Mail"),
            ("Zoë Müller-Öz", "Zoë"),
            ("ACME (Pty) Ltd", "Acme"),
        ] {
            let made_up = of(text);
            assert_ne!(made_up, text);
            assert_eq!(made_up.len(), text.len(), "{text}");
            assert_eq!(made_up.to_lowercase(), of(&text.to_lowercase()), "{text}");
            for (a, b) in text.chars().zip(made_up.chars()) {
                assert_eq!(a.is_alphanumeric(), b.is_alphanumeric(), "{text}");
                assert_eq!(a.is_uppercase(), b.is_uppercase(), "{text}");
            }
            let longer = of(&format!("x: {text}, again"));
            assert!(longer.contains(&made_up), "{longer}");
            assert!(made_up.to_lowercase().contains(&of(other).to_lowercase()));
            let cut: String = text.chars().take(5).collect();
            assert!(made_up.starts_with(&of(&cut)), "{text} cut off");
            let with_mark = of(&format!("{text} 7K3QX9MB-I501"));
            assert_eq!(with_mark, format!("{made_up} 7K3QX9MB-I501"));
        }
        for nobodys in [
            "INV-00042",
            "2026-02-01",
            "115",
            "115.00",
            "-",
            "",
            "7",
            "ACTIVE",
            "12 imported",
            "7K3QX9MB-I501",
        ] {
            assert_eq!(of(nobodys), nobodys);
        }
        assert_eq!(of("INV-00042 7K3QX9MB-I501"), "INV-00042 7K3QX9MB-I501");
        let receipt = of("2026-02-00012");
        assert_eq!(
            of("number 2026-02-00012|x"),
            format!("{} {receipt}|{}", of("number"), of("x"))
        );
        assert_eq!(of("082 445 5667").replace(' ', ""), of("0824455667"));
        let many = of("082 445 5667, +27 83 555 0001");
        let (first, second) = many.split_once(", ").unwrap();
        assert_eq!(first, of("082 445 5667"));
        assert!(
            second.starts_with("+27 8") && !second.contains("0001"),
            "{second}"
        );
        let in_text = of("Or +27 83 555 0001 (after hours)");
        assert!(in_text.contains(&of("+27 83 555 0001")), "{in_text}");
        let in_text = of("Tel 082 445 5667, since 2026-02-01 10:11");
        assert!(in_text.contains(&of("082 445 5667")), "{in_text}");
        assert!(in_text.ends_with(" 2026-02-01 10:11"), "{in_text}");
        for number in ["4123456789", "2015/123456/07", "8001010000087", "8001"] {
            assert_ne!(of(number), number);
            assert_eq!(of(number)[..3], number[..3]);
        }
    }
}
