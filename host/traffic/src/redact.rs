//! Secrets that turn up in what comes back, an error's text or a log line are replaced: by value, in the encodings that servers echo
//! them in, and in whatever way the text around them was escaped.
//!
//! The text is searched once for all secrets in all their forms. Where it has escapes (`%41`, `\u0041`, `&#65;`), it is searched again
//! as it reads without them, so that no mixture of them has to be foreseen. Beware: a short secret is also an ordinary word or number,
//! and replacing it would falsify an answer. Below `SHORTEST` characters nothing is replaced; credentials that are worth the name are
//! longer.

mod entities;
#[cfg(test)]
mod tests;
mod unmask;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use tokio::sync::Semaphore;

use self::unmask::{Byte, LONGEST_ESCAPE, Unmasked};
use addon_vault::Secret;

const SHORTEST: usize = 8;
const INSTEAD: &str = "[redacted]";

/// How often a text may have been escaped: a key in an address, in JSON, in a page.
const LAYERS: usize = 3;

/// Bytes that are searched at once where escapes are taken off.
const WINDOW: usize = 64 << 10;

/// Texts above this many bytes are not searched on the threads that everybody's requests share.
const LARGE: usize = 64 << 10;

/// Large texts that are searched at the same time.
static SEARCHES: Semaphore = Semaphore::const_new(2);

/// Knows what must not be seen.
#[derive(Clone, Default)]
pub struct Redactor {
    forms: BTreeSet<String>,
    /// `None`: there is nothing to look for.
    needles: Option<Arc<Needles>>,
}

/// All forms of all secrets, as one automaton.
struct Needles {
    automaton: AhoCorasick,
    /// Bytes of the longest form.
    longest: usize,
}

/// Places of a text, in order, without overlaps.
#[derive(Default)]
struct Places(Vec<Range<usize>>);

impl Redactor {
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        Self::default().and(secrets)
    }

    /// One that knows these secrets too.
    pub fn and<'s>(&self, secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let mut forms = self.forms.clone();
        forms.extend(secrets.into_iter().flat_map(forms_of));
        if forms.len() == self.forms.len() {
            return self.clone();
        }
        let needles = Some(Arc::new(Needles::new(&forms)));
        Self { forms, needles }
    }

    /// The text without secrets.
    pub fn clean<'t>(&self, text: impl Into<Cow<'t, str>>) -> Cow<'t, str> {
        let text = text.into();
        let Some(needles) = &self.needles else {
            return text;
        };
        let places = needles.places(&text);
        if places.is_empty() {
            return text;
        }
        let mut cleaned = String::with_capacity(text.len());
        let mut from = 0;
        for place in places {
            cleaned.push_str(&text[from..place.start]);
            cleaned.push_str(INSTEAD);
            from = place.end;
        }
        cleaned.push_str(&text[from..]);
        cleaned.into()
    }

    /// The text of an answer's body without secrets, and how long that took. A large one is searched on a thread of its own, so that
    /// nobody else waits for it.
    pub async fn clean_body(self, body: Vec<u8>) -> (String, Duration) {
        let clean = move |body: Vec<u8>| {
            let began = Instant::now();
            let text = String::from_utf8(body)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
            let cleaned = self.clean(text).into_owned();
            (cleaned, began.elapsed())
        };
        if body.len() <= LARGE {
            return clean(body);
        }
        let _turn = SEARCHES.acquire().await.expect("it is never closed");
        let cleaned = tokio::task::spawn_blocking(move || clean(body)).await;
        cleaned.expect("searching a text cannot fail")
    }
}

/// Without its secrets.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} forms)", self.forms.len())
    }
}

impl Needles {
    fn new(forms: &BTreeSet<String>) -> Self {
        let automaton = AhoCorasick::builder()
            // All matches, also those within and across each other: what any of them covers goes.
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .ascii_case_insensitive(true)
            .build(forms);
        Self {
            automaton: automaton.expect("a few hundred short texts make an automaton"),
            longest: forms.iter().map(String::len).max().unwrap_or_default(),
        }
    }

    fn places(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Places::default();
        for hit in self.automaton.find_overlapping_iter(text) {
            found.add(hit.range());
        }
        for region in self.escaped_regions(text.as_bytes()) {
            for layers in 1..=LAYERS {
                let (places, escapes) = self.unmasked_places(text.as_bytes(), &region, layers);
                found.0.extend(places.0);
                if !escapes {
                    break;
                }
            }
        }
        let mut merged = Places::default();
        found.0.sort_unstable_by_key(|place| place.end);
        for Range { start, end } in found.0 {
            // Every form is a whole text, and an escape is ASCII, so these are boundaries already.
            merged.add(text.floor_char_boundary(start)..text.ceil_char_boundary(end));
        }
        merged.0
    }

    /// Where a secret may stand that is partly escaped: around everything that may begin an escape.
    fn escaped_regions(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut regions: Vec<Range<usize>> = Vec::new();
        for at in memchr::memchr3_iter(b'%', b'\\', b'&', text) {
            let start = at.saturating_sub(self.longest);
            let end = text.len().min(at + LONGEST_ESCAPE + self.longest);
            match regions.last_mut() {
                Some(last) if start <= last.end => last.end = end,
                _ => regions.push(start..end),
            }
        }
        regions
    }

    /// Searches a region with so many layers of escapes taken off; also whether the last layer had any.
    fn unmasked_places(&self, text: &[u8], region: &Range<usize>, layers: usize) -> (Places, bool) {
        let escapes = Cell::new(false);
        let plain = region.clone().map(|at| Byte::at(text, at));
        let mut bytes: Box<dyn Iterator<Item = Byte> + '_> = Box::new(plain);
        for _ in 0..layers {
            escapes.set(false);
            bytes = Box::new(Unmasked::new(bytes, &escapes));
        }
        let mut found = Places::default();
        let (mut window, mut places) = (Vec::new(), Vec::new());
        let mut searched = 0;
        loop {
            for byte in bytes.by_ref().take(WINDOW) {
                window.push(byte.value);
                places.push(byte.place);
            }
            if window.len() == searched {
                return (found, escapes.get());
            }
            for hit in self.automaton.find_overlapping_iter(&window) {
                // What ends earlier was found in the window before.
                if hit.end() > searched {
                    found.add(places[hit.start()].start..places[hit.end() - 1].end);
                }
            }
            // A secret may stand across two windows.
            let gone = window.len().saturating_sub(self.longest);
            window.drain(..gone);
            places.drain(..gone);
            searched = window.len();
        }
    }
}

impl Places {
    /// Adds a place that ends no earlier than those before it.
    fn add(&mut self, mut place: Range<usize>) {
        while let Some(last) = self.0.last()
            && place.start < last.end
        {
            place = place.start.min(last.start)..place.end.max(last.end);
            self.0.pop();
        }
        self.0.push(place);
    }
}

/// A secret as it may stand in a text, besides letters in the other case and escapes.
fn forms_of(secret: &Secret) -> Vec<String> {
    let whole = secret.expose();
    let mut forms = forms_as_sent(whole);
    // Keys are sent without the blanks around them.
    if whole.trim() != whole {
        forms.extend(forms_as_sent(whole.trim()));
    }
    forms
}

fn forms_as_sent(secret: &str) -> Vec<String> {
    if secret.chars().count() < SHORTEST {
        return Vec::new();
    }
    let mut forms = vec![
        secret.to_owned(),
        secret.to_lowercase(),
        secret.to_uppercase(),
        // Forms encode a blank as a plus.
        secret.replace(' ', "+"),
        hex::encode(secret),
    ];
    forms.extend((0..3).flat_map(|shift| in_base64(secret, shift)));
    forms
}

/// How a secret looks within a longer text that was encoded as a whole (`user:password`), where `shift` bytes stand before it in
/// its group of three: the characters that are made of nothing else.
fn in_base64(secret: &str, shift: usize) -> [String; 2] {
    let padded = [&[0; 2][..shift], secret.as_bytes()].concat();
    // Six bits a character: those that share bits with what stands before or behind are left out.
    let (from, to) = ((shift * 8).div_ceil(6), padded.len() * 8 / 6);
    [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|alphabet| alphabet.encode(&padded)[from..to].to_owned())
}
