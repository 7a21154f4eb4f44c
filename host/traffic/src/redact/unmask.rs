//! Escapes taken off, one layer at a time: percent-encoding, escapes of JSON and of programs, entities of HTML.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::Range;

use super::entities;

/// Bytes of the longest escape: two halves of a character in JSON.
pub const LONGEST_ESCAPE: usize = 12;

/// A byte as the text means it, and where in the text it stands.
#[derive(Debug, Clone)]
pub struct Byte {
    pub value: u8,
    pub place: Range<usize>,
}

/// Bytes without their outermost layer of escapes.
pub struct Unmasked<'c, I> {
    bytes: I,
    /// Read, and not looked at yet.
    ahead: VecDeque<Byte>,
    /// The rest of an escaped character.
    rest: VecDeque<Byte>,
    /// Set once there was an escape.
    escapes: &'c Cell<bool>,
}

impl Byte {
    /// A byte that stands for itself.
    pub fn at(text: &[u8], at: usize) -> Self {
        Self {
            value: text[at],
            place: at..at + 1,
        }
    }
}

impl<'c, I: Iterator<Item = Byte>> Unmasked<'c, I> {
    pub fn new(bytes: I, escapes: &'c Cell<bool>) -> Self {
        Self {
            bytes,
            ahead: VecDeque::new(),
            rest: VecDeque::new(),
            escapes,
        }
    }

    /// The escape that begins here, if one does.
    fn escape(&mut self) -> Option<Byte> {
        let missing = LONGEST_ESCAPE - self.ahead.len();
        self.ahead.extend(self.bytes.by_ref().take(missing));
        let mut text = [0; LONGEST_ESCAPE];
        for (to, from) in text.iter_mut().zip(&self.ahead) {
            *to = from.value;
        }
        let (meant, length) = meaning(&text[..self.ahead.len()])?;
        self.escapes.set(true);
        let place = self.ahead[0].place.start..self.ahead[length - 1].place.end;
        self.ahead.drain(..length);
        let byte = |value| Byte {
            value,
            place: place.clone(),
        };
        match meant {
            Meant::Byte(value) => Some(byte(value)),
            Meant::Character(character) => {
                let mut room = [0; 4];
                let encoded = character.encode_utf8(&mut room).bytes();
                self.rest.extend(encoded.map(byte));
                self.rest.pop_front()
            }
        }
    }
}

impl<I: Iterator<Item = Byte>> Iterator for Unmasked<'_, I> {
    type Item = Byte;

    fn next(&mut self) -> Option<Byte> {
        if let Some(byte) = self.rest.pop_front() {
            return Some(byte);
        }
        if self.ahead.is_empty() {
            self.ahead.extend(self.bytes.next());
        }
        let may_begin = matches!(self.ahead.front()?.value, b'%' | b'\\' | b'&');
        if may_begin && let Some(byte) = self.escape() {
            return Some(byte);
        }
        self.ahead.pop_front()
    }
}

/// What an escape stands for.
enum Meant {
    /// A part of UTF-8.
    Byte(u8),
    Character(char),
}

/// What the escape means that a text begins with, and its length.
fn meaning(text: &[u8]) -> Option<(Meant, usize)> {
    match *text {
        [b'%', ref digits @ ..] => {
            let value = hex(digits, 2)?;
            Some((Meant::Byte(u8::try_from(value).ok()?), 3))
        }
        [b'\\', b'u', ref digits @ ..] => in_json(digits),
        [b'\\', b'x', ref digits @ ..] => {
            Some((Meant::Character(char::from_u32(hex(digits, 2)?)?), 4))
        }
        [b'\\', letter, ..] => {
            let character = match letter {
                b'/' | b'\\' | b'"' | b'\'' => char::from(letter),
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                _ => return None,
            };
            Some((Meant::Character(character), 2))
        }
        [b'&', ref name @ ..] => {
            let end = name.iter().position(|byte| *byte == b';')?;
            let name = std::str::from_utf8(&name[..end]).ok()?;
            Some((Meant::Character(entities::meaning(name)?), end + 2))
        }
        _ => None,
    }
}

/// `0041`, after `\u`; what does not fit into that is written as two halves.
fn in_json(digits: &[u8]) -> Option<(Meant, usize)> {
    let first = hex(digits, 4)?;
    if let Some(character) = char::from_u32(first) {
        return Some((Meant::Character(character), 6));
    }
    let second = digits.get(4..)?.strip_prefix(b"\\u")?;
    let units = [first, hex(second, 4)?].map(|unit| u16::try_from(unit).unwrap_or_default());
    let character = char::decode_utf16(units).next()?.ok()?;
    Some((Meant::Character(character), 12))
}

fn hex(digits: &[u8], amount: usize) -> Option<u32> {
    let mut value = 0;
    for digit in digits.get(..amount)? {
        value = value * 16 + char::from(*digit).to_digit(16)?;
    }
    Some(value)
}
