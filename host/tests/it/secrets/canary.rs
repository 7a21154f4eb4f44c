//! Secrets that can be told from everything else, and the search for them, in whatever form they may have got away.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// What must be found nowhere.
#[derive(Default)]
pub struct Canaries {
    /// Name, and a form that it may have.
    needles: Vec<(String, Vec<u8>)>,
}

/// A secret of its own for a name: letters and digits to be looked for, with characters around them that encodings change.
pub fn secret(name: &str) -> String {
    let core: String = format!("{name}{:016x}", rand::random::<u64>());
    format!("\"{core}&/")
}

impl Canaries {
    pub fn add(&mut self, name: &str, secret: &str) {
        // What is around the letters and digits looks different in JSON, in HTML and in an address.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let core = secret.split(|c| !plain(c)).max_by_key(|part| part.len());
        let core = core.unwrap_or_default();
        assert!(core.len() >= 12, "{name} cannot be told from other texts");
        let percent = utf8_percent_encode(core, NON_ALPHANUMERIC).to_string();
        for form in [
            core.to_owned(),
            core.to_lowercase(),
            core.to_uppercase(),
            percent,
        ] {
            self.add_bytes(name, form.as_bytes());
        }
        self.add_encoded(name, core.as_bytes());
    }

    /// A key that is no text.
    pub fn add_key(&mut self, name: &str, key: &[u8]) {
        self.add_bytes(name, key);
        self.add_encoded(name, key);
    }

    fn add_encoded(&mut self, name: &str, bytes: &[u8]) {
        for form in [hex::encode(bytes), hex::encode_upper(bytes)] {
            self.add_bytes(name, form.as_bytes());
        }
        // In a text that was encoded as a whole it begins at any of three places in a group.
        for shift in 0..3 {
            let padded = [&[0; 2][..shift], bytes].concat();
            for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                let encoded = alphabet.encode(&padded);
                let inner = &encoded[(shift * 8).div_ceil(6)..padded.len() * 8 / 6];
                self.add_bytes(name, inner.as_bytes());
            }
        }
    }

    fn add_bytes(&mut self, name: &str, form: &[u8]) {
        if !self.needles.iter().any(|(_, known)| known == form) {
            self.needles.push((name.to_owned(), form.to_vec()));
        }
    }

    /// Where a canary is in it: its name, and what stands around.
    pub fn find(&self, text: &[u8]) -> Option<(&str, String)> {
        self.needles.iter().find_map(|(name, needle)| {
            let at = memchr::memmem::find(text, needle)?;
            let around = &text[at.saturating_sub(80)..(at + needle.len() + 20).min(text.len())];
            Some((name.as_str(), String::from_utf8_lossy(around).into_owned()))
        })
    }
}

#[test]
fn a_canary_is_found_however_it_is_written() {
    let mut canaries = Canaries::default();
    let secret = secret("password");
    canaries.add("password", &secret);
    canaries.add_key("key", b"\x00\xffraw bytes of a key\xfe");
    let hidden = |text: &str| canaries.find(text.as_bytes()).map(|(name, _)| name);
    let password = Some("password");
    assert_eq!(hidden(&format!("x{secret}y")), password);
    assert_eq!(hidden(&serde_json::json!([secret]).to_string()), password);
    assert_eq!(hidden(&secret.to_uppercase()), password);
    assert_eq!(
        hidden(&utf8_percent_encode(&secret, NON_ALPHANUMERIC).to_string()),
        password
    );
    for before in ["", "a", "ann:"] {
        let pair = format!("{before}{secret}");
        assert_eq!(hidden(&STANDARD_NO_PAD.encode(&pair)), password);
        assert_eq!(hidden(&hex::encode(&pair)), password);
    }
    assert_eq!(
        canaries
            .find(b"..\x00\xffraw bytes of a key\xfe")
            .map(|(name, _)| name),
        Some("key")
    );
    assert_eq!(hidden("password"), None);
}
