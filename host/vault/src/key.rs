//! One master key: 32 random bytes, known by an id that tells nothing of them. Nothing is encrypted with the key itself, only with
//! what is derived from it for one purpose.

use std::fmt;
use std::str::FromStr;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

use super::VaultError;

pub(super) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const ID_BYTES: usize = 8;

/// First byte of what was sealed before keys had ids: nonce and ciphertext follow.
const WITHOUT_ID: u8 = 1;
/// First byte of everything sealed today: the key's id, nonce and ciphertext follow.
const WITH_ID: u8 = 2;

/// Names a master key: 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; ID_BYTES]);

/// What was meant to be the id of a master key.
#[derive(Debug, Error)]
#[error(
    "`{0}` is no id of a master key: it has 16 hexadecimal digits, `master-key show` lists them"
)]
pub struct NoKeyId(String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for KeyId {
    type Err = NoKeyId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; ID_BYTES];
        hex::decode_to_slice(text, &mut id).map_err(|_| NoKeyId(text.to_owned()))?;
        Ok(Self(id))
    }
}

/// The key that something was sealed with; `None`: it was sealed before keys had ids, or is nothing sealed.
pub fn sealed_with(sealed: &[u8]) -> Option<KeyId> {
    let id = sealed.strip_prefix(&[WITH_ID])?.first_chunk::<ID_BYTES>()?;
    Some(KeyId(*id))
}

#[derive(Clone)]
pub(super) struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

impl MasterKey {
    pub fn generate() -> Result<Self, VaultError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        random(key.as_mut_slice())?;
        Ok(Self(key))
    }

    /// `None`: the text is no key.
    pub fn parse(text: &str) -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        hex::decode_to_slice(text, key.as_mut_slice()).ok()?;
        Some(Self(key))
    }

    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    pub fn id(&self) -> KeyId {
        let digest = self.derive("id");
        let (id, _) = digest
            .split_first_chunk()
            .expect("a digest is longer than an id");
        KeyId(*id)
    }

    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut mac = mac(&self.0);
        mac.update(purpose.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    /// Encrypts for one place: elsewhere it does not open.
    pub fn seal(&self, place: &str, bytes: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let id = self.id();
        let aad = format!("{id}|{place}");
        let payload = Payload {
            msg: bytes,
            aad: aad.as_bytes(),
        };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .expect("what is sealed is far below the cipher's limit of 256 GiB");
        Ok([&[WITH_ID], id.0.as_slice(), nonce.as_slice(), &sealed].concat())
    }

    /// `None`: it is not what this key sealed for that place.
    pub fn unseal(&self, place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (aad, rest) = match sealed.split_first()? {
            (&WITHOUT_ID, rest) => (place.to_owned(), rest),
            (&WITH_ID, rest) => {
                let id = self.id();
                (format!("{id}|{place}"), rest.strip_prefix(&id.0)?)
            }
            _ => return None,
        };
        let (nonce, msg) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload {
            msg,
            aad: aad.as_bytes(),
        };
        let bytes = self.cipher().decrypt(&XNonce::from(*nonce), payload).ok()?;
        Some(Zeroizing::new(bytes))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.derive("seal")).into())
    }
}

pub(super) fn mac(key: &[u8; KEY_BYTES]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn random(bytes: &mut [u8]) -> Result<(), VaultError> {
    SysRng
        .try_fill_bytes(bytes)
        .map_err(|error| VaultError::Random(error.to_string()))
}
