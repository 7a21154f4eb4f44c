//! Our keys on the other side: how they are written, and what one that is read says.
//!
//! ```text
//! INV-00042 7K3QX9MB-I501        at the end of a reference in Sage: the number, a blank, our mark
//! INV-00042 NORTH7K3QX9MB-I501   the same with the installation tag NORTH
//! SAGE-550001-1-7K3QX9MB         receipt number of a payment, additional_1 of a statement record in Splynx
//! ```
//!
//! `I501` is the record: a letter for the kind ([`Kind::letter`]) and Splynx's id. Of the eight characters the first four are the
//! *origin*: a digest of the Splynx address and the tag, so that two installations differ by themselves, and one that has lost its
//! database knows its own again. The last four are a digest of all the rest. Both are capital letters and digits without I, L, O and U
//! (Crockford's base 32). A text becomes a mark of ours by chance once in 2^40, and somebody's once in 2^20.
//!
//! What earlier versions wrote has no such part: `I501`, `NORTH-I501`, `SAGE-550001-1`, `SAGE-NORTH-550001-1`. That is what flats
//! and boxes are called too, so it proves nothing by itself. To those versions a mark of today looks like another installation's (a tag
//! and a key): they neither import nor adopt what bears it.
//!
//! Beware: a mark says who made the object that it was made for. People copy documents with their references.

use sha2::{Digest, Sha256};

use crate::write::record::{Kind, RecordKey};

/// Begins the keys of lines in Splynx.
const LINE_KEYS: &str = "SAGE-";
const ORIGIN: usize = 4;
const CHECKED: usize = 8;

/// Who an installation is, in what it writes.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// Capital letters and digits; may be empty.
    tag: String,
    /// The first one is written; what bears one of the others is ours as well.
    origins: Vec<String>,
}

/// What a text says of where its object came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It, or what it was copied from, was made by this installation for that record.
    Ours(RecordKey),
    /// Another installation made it, or what it was copied from.
    Anothers,
    /// It ends as earlier versions' do: perhaps that record's, perhaps anybody's text.
    Old(RecordKey),
}

/// The key of a receipt's line, as read in Splynx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKey {
    Ours(Place),
    Anothers,
    Old(Place),
}

/// A line of a receipt in Sage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub receipt: i64,
    pub line: u32,
}

impl Identity {
    /// `addresses`: of Splynx, the one that was known first before the one that is set now; schemes, default ports, paths, case and outer
    /// blanks do not count. `tag`: capital letters and digits.
    pub fn new(addresses: &[&str], tag: &str) -> Self {
        let mut origins = Vec::new();
        for address in addresses {
            let origin = digest(&[&server(address), tag], ORIGIN);
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        Self {
            tag: tag.to_owned(),
            origins,
        }
    }

    /// What a record's document is marked with.
    pub fn mark(&self, key: RecordKey) -> String {
        self.marks(key).swap_remove(0)
    }

    /// Every mark that a record's document may bear: the one that is written now first, the one of earlier versions last.
    pub fn marks(&self, key: RecordKey) -> Vec<String> {
        let key = key.tag();
        let mut marks: Vec<String> = self
            .origins
            .iter()
            .map(|origin| marked(&self.tag, origin, &key))
            .collect();
        marks.push(if self.tag.is_empty() {
            key
        } else {
            format!("{}-{key}", self.tag)
        });
        marks
    }

    /// What a reference says; nothing: it bears no key.
    pub fn signs(&self, reference: &str) -> Vec<Sign> {
        let texts = marks_in(reference);
        texts.iter().filter_map(|text| self.sign(text)).collect()
    }

    fn sign(&self, text: &str) -> Option<Sign> {
        if let Some((tag, origin, key)) = checked(text) {
            let is_ours = tag == self.tag && self.origins.iter().any(|own| *own == origin);
            return Some(if is_ours {
                Sign::Ours(key)
            } else {
                Sign::Anothers
            });
        }
        let key = match text.rsplit_once('-') {
            Some((tag, key)) if tag == self.tag => key,
            None if self.tag.is_empty() => text,
            _ => return None,
        };
        record_key(key).map(Sign::Old)
    }

    /// Whether somebody's installation made it, or what it was copied from, for another record than this one.
    pub fn is_anothers(&self, reference: &str, key: RecordKey) -> bool {
        let signs = self.signs(reference);
        let proven = |sign: &Sign| matches!(sign, Sign::Ours(_) | Sign::Anothers);
        signs.iter().any(proven) && !signs.contains(&Sign::Ours(key))
    }

    /// The key of a line, as it is written in Splynx.
    pub fn line_key(&self, place: Place) -> String {
        let origin = self.origins.first().map_or("", String::as_str);
        keyed_line(place, origin)
    }

    /// Every key under which a line's record or payment may be found in Splynx, as [`Identity::marks`].
    pub fn line_keys(&self, place: Place) -> Vec<String> {
        let mut keys: Vec<String> = self
            .origins
            .iter()
            .map(|origin| keyed_line(place, origin))
            .collect();
        keys.push(self.kept_line(place));
        keys
    }

    /// How we keep the key of a line, which is also how earlier versions wrote it in Splynx: both read it.
    pub fn kept_line(&self, place: Place) -> String {
        format!("{}{}", self.kept_lines(place.receipt), place.line)
    }

    /// Before the number of a line in [`Identity::kept_line`].
    pub fn kept_lines(&self, receipt: i64) -> String {
        match self.tag.as_str() {
            "" => format!("{LINE_KEYS}{receipt}-"),
            tag => format!("{LINE_KEYS}{tag}-{receipt}-"),
        }
    }

    /// What a receipt number or a statement record's key says; `None`: it is no key of a line.
    pub fn line_of(&self, text: &str) -> Option<LineKey> {
        let text = text.trim().to_ascii_uppercase();
        let parts: Vec<&str> = text.strip_prefix(LINE_KEYS)?.split('-').collect();
        let place = |receipt: &str, line: &str| {
            Some(Place {
                receipt: digits(receipt)?,
                line: u32::try_from(digits(line)?).ok()?,
            })
        };
        match parts[..] {
            [receipt, line] if self.tag.is_empty() => place(receipt, line).map(LineKey::Old),
            [tag, receipt, line] if tag == self.tag && !tag.is_empty() => {
                place(receipt, line).map(LineKey::Old)
            }
            [receipt, line, check] => {
                let place = place(receipt, line)?;
                let origin = check.get(..ORIGIN)?;
                if keyed_line(place, origin) != text {
                    return None;
                }
                Some(if self.origins.iter().any(|own| own == origin) {
                    LineKey::Ours(place)
                } else {
                    LineKey::Anothers
                })
            }
            _ => None,
        }
    }
}

/// The texts in a reference that may be marks: whatever carries a right check, wherever it stands, in whatever case; and the last word, if
/// earlier versions wrote such.
pub fn marks_in(reference: &str) -> Vec<String> {
    let is_apart = |c: char| !c.is_ascii_alphanumeric() && c != '-';
    let words = reference.split(is_apart).map(str::to_ascii_uppercase);
    let mut marks: Vec<String> = words.filter(|word| checked(word).is_some()).collect();
    let last = reference.trim_end().rsplit_once(' ');
    if let Some((_, last)) = last
        && marks.is_empty()
        && is_old(last)
    {
        marks.push(last.to_owned());
    }
    marks
}

/// Whether somebody's installation made it, or what it was copied from.
pub fn is_made(reference: &str) -> bool {
    marks_in(reference)
        .iter()
        .any(|mark| checked(mark).is_some())
}

fn is_old(word: &str) -> bool {
    let (tag, key) = word.rsplit_once('-').unwrap_or(("T", word));
    let is_capital = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    !tag.is_empty() && tag.bytes().all(is_capital) && record_key(key).is_some()
}

/// The record of `I501`.
fn record_key(text: &str) -> Option<RecordKey> {
    let mut kinds = Kind::IN_REFERENCES.into_iter();
    kinds.find_map(|kind| {
        let id = text.strip_prefix(kind.letter())?;
        Some(RecordKey::new(kind, digits(id)?))
    })
}

fn digits(text: &str) -> Option<i64> {
    let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn marked(tag: &str, origin: &str, key: &str) -> String {
    let check = digest(&[tag, origin, key], CHECKED - ORIGIN);
    format!("{tag}{origin}{check}-{key}")
}

/// Tag, origin and record of a mark whose check is right.
fn checked(word: &str) -> Option<(&str, &str, RecordKey)> {
    let (head, key) = word.rsplit_once('-')?;
    let (tag, check) = head.split_at_checked(head.len().checked_sub(CHECKED)?)?;
    let origin = check.get(..ORIGIN)?;
    (marked(tag, origin, key) == word).then_some((tag, origin, record_key(key)?))
}

fn keyed_line(place: Place, origin: &str) -> String {
    let plain = format!("{LINE_KEYS}{}-{}", place.receipt, place.line);
    let check = digest(&[origin, &plain], CHECKED - ORIGIN);
    format!("{plain}-{origin}{check}")
}

/// The server of an address: `https://ISP.example:443/admin/` is `isp.example`.
fn server(address: &str) -> String {
    let address = address.trim().to_lowercase();
    let rest = address.split_once("://").map_or(&address[..], |(_, r)| r);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let default_ports = [":443", ":80"];
    let mut bare = default_ports.iter().filter_map(|p| host.strip_suffix(p));
    bare.next().unwrap_or(host).to_owned()
}

/// So many characters of base 32 that tell these texts from others.
fn digest(texts: &[&str], length: usize) -> String {
    const CHARACTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut sha = Sha256::new();
    sha.update(b"splynx-sageone");
    for text in texts {
        // A byte that no text has keeps them apart.
        sha.update([0xff]);
        sha.update(text.as_bytes());
    }
    let bytes = sha.finalize();
    bytes
        .iter()
        .take(length)
        .map(|byte| char::from(CHARACTERS[usize::from(byte % 32)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sage::reference;
    use crate::text;

    const I501: RecordKey = RecordKey {
        kind: Kind::Invoice,
        id: 501,
    };

    fn identity(address: &str, tag: &str) -> Identity {
        Identity::new(&[address], tag)
    }

    #[test]
    fn a_mark_survives_the_way_through_a_reference_and_is_nobody_elses() {
        for tag in ["", "NORTH", "2", "NORTHERN"] {
            let own = identity("https://isp.example/", tag);
            let other = identity("https://other.example/", tag);
            let mark = own.mark(I501);
            assert_eq!(mark.len(), tag.len() + "7K3QX9MB-I501".len());
            let long = reference(&"9".repeat(200), &mark);
            assert_eq!(text::length(&long), 100);
            let wide = reference(&"😀".repeat(99), &mark);
            assert!(matches!(text::length(&wide), 99..=100), "{wide}");
            for text in [
                reference("202601000042", &mark),
                format!("202601000042 {mark} "),
                format!("copy of ({mark}), February"),
                format!("x {}", mark.to_lowercase()),
                long,
            ] {
                assert_eq!(own.signs(&text), [Sign::Ours(I501)], "{text:?}");
                assert_eq!(other.signs(&text), [Sign::Anothers], "{text:?}");
                assert!(is_made(&text));
            }
            let two = format!("{mark} {}", own.mark(RecordKey::new(Kind::Payment, 7)));
            assert_eq!(own.signs(&two).len(), 2);
            // A digit that was mistyped, or cut off.
            assert!(!is_made(&format!("x {}", mark.replace("I501", "I510"))));
            assert!(!is_made(&format!("x {}", &mark[..mark.len() - 1])));
        }
    }

    #[test]
    fn what_earlier_versions_wrote_is_told_from_text_that_is_not_theirs() {
        let plain = identity("https://isp.example/", "");
        let north = identity("https://isp.example/", "NORTH");
        assert_eq!(plain.signs("202601000042 I501"), [Sign::Old(I501)]);
        assert_eq!(plain.signs("202601000042 I501 "), [Sign::Old(I501)]);
        assert_eq!(north.signs("202601000042 NORTH-I501"), [Sign::Old(I501)]);
        assert!(plain.signs("202601000042 NORTH-I501").is_empty());
        assert!(north.signs("202601000042 I501").is_empty());
        for foreign in [
            "",
            "I501",
            "x I",
            "x I5a",
            "INV 000501",
            "x X5",
            "é É5",
            "x -I5",
            "x north-I5",
            "x A-B-I5",
            "x I+5",
            "x I5 paid",
            "x P12-20260131",
        ] {
            assert!(marks_in(foreign).is_empty(), "{foreign:?}");
        }
    }

    #[test]
    fn the_origin_is_the_server_and_the_tag_and_nothing_else_of_the_address() {
        let own = identity("https://isp.example/", "").mark(I501);
        for same in [
            "http://ISP.example",
            "isp.example:443/admin/",
            " https://isp.example:80/?a=b ",
        ] {
            assert_eq!(identity(same, "").mark(I501), own, "{same}");
        }
        for other in ["https://isp.example:8443/", "https://an.isp.example/", ""] {
            assert_ne!(identity(other, "").mark(I501), own, "{other}");
        }
        assert_ne!(identity("isp.example", "A").marks(I501)[0], own);
        let moved = Identity::new(&["https://isp.example/", "https://new.example/"], "");
        assert_eq!(moved.mark(I501), own, "what was known first is written");
        let new = identity("https://new.example/", "").mark(I501);
        assert_eq!(moved.marks(I501), [own, new, "I501".to_owned()]);
    }

    #[test]
    fn the_key_of_a_line_fits_into_splynxs_field_and_is_read_back() {
        let place = Place {
            receipt: 999_999_999_999,
            line: 12,
        };
        for tag in ["", "NORTHERN"] {
            let own = identity("https://isp.example/", tag);
            let key = own.line_key(place);
            assert!(key.len() <= 32, "{key}");
            assert_eq!(own.line_of(&key), Some(LineKey::Ours(place)));
            assert_eq!(
                own.line_of(&format!(" {} ", key.to_lowercase())),
                Some(LineKey::Ours(place))
            );
            assert_eq!(identity("x", tag).line_of(&key), Some(LineKey::Anothers));
            let old = own.line_keys(place).pop().expect("the old one is last");
            assert_eq!(own.line_of(&old), Some(LineKey::Old(place)));
            for foreign in [
                "SAGE-",
                "SAGE-12345X",
                "SAGE-PAY-1",
                "SAGE-1-2-3-4",
                "SAGE-1-2-7K3QX9MB",
                "2026-02-00001",
            ] {
                assert_eq!(own.line_of(foreign), None, "{foreign}");
            }
        }
    }
}
