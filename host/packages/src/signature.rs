//! Who vouches for a package: four lines of text in minisign's format, and behind them the archive that they sign.
//!
//! So a package stays one file, and the tool of that name can check it too (docs/packages.md). Beware: whatever stands in an archive
//! whose signature was not verified may be an attacker's, so nothing of it is parsed before; what is looked at here are the first
//! bytes, up to a limit.

use std::io::Cursor;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use minisign::{KeyPair, PublicKeyBox, SecretKeyBox, SignatureBox};
use thiserror::Error;

use super::PackageError;

/// How a signature begins; no archive does.
const BEGINNING: &[u8] = b"untrusted comment:";
/// What stands before the comment that is signed too.
const TRUSTED: &str = "trusted comment: ";
const LINES: usize = 4;
const LONGEST: usize = 2 << 10;
/// Hexadecimal digits of a key's id.
const ID_DIGITS: usize = 16;

#[derive(Debug, Error)]
pub enum SignatureError {
    #[error("the package begins like a signed one, and its signature cannot be read: {0}")]
    Unreadable(String),
    #[error(
        "the signature of the key {key} does not fit the package: it was changed after it was signed; get it again from its makers"
    )]
    Wrong { key: String },
    #[error(
        "the signature cannot be checked: its trusted comment begins or ends with blanks; have its makers sign the package anew, with a \
         comment that does not"
    )]
    Blanks,
    #[error(
        "this is no minisign public key: give the line of 56 characters that begins with RW, or the file that holds it"
    )]
    NoPublicKey,
    #[error("this is no minisign secret key, or its password is another one: {0}")]
    NoSecretKey(String),
    #[error("the package could not be signed: {0}")]
    NotSigned(String),
}

/// A package file, cut in two.
#[derive(Debug)]
pub struct Parts<'b> {
    /// `None`: nobody signed it.
    pub signature: Option<Signature>,
    pub archive: &'b [u8],
}

/// Cuts a package file into its signature and what that signs. Nothing is verified by that.
pub fn split(bytes: &[u8]) -> Result<Parts<'_>, SignatureError> {
    if !bytes.starts_with(BEGINNING) {
        return Ok(Parts {
            signature: None,
            archive: bytes,
        });
    }
    let head = &bytes[..bytes.len().min(LONGEST)];
    let ends = head.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let end = ends.map(|(at, _)| at + 1).nth(LINES - 1);
    let unreadable = |why: &str| SignatureError::Unreadable(why.to_owned());
    let end = end.ok_or_else(|| unreadable("it has no four short lines"))?;
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| unreadable("it is not UTF-8"))?;
    Ok(Parts {
        signature: Some(Signature::read(text)?),
        archive: &bytes[end..],
    })
}

/// Refuses a package file that the owner of that key did not sign as it is. Nothing of the archive is looked into.
pub fn check_signed_with(bytes: &[u8], key: &PublicKey) -> Result<(), PackageError> {
    let parts = split(bytes)?;
    let Some(signature) = parts.signature else {
        return Err(PackageError::Untrusted(
            "nobody signed the package".to_owned(),
        ));
    };
    if signature.key() != key.id() {
        return Err(PackageError::OtherKey {
            signed_with: signature.key,
            given: key.id(),
        });
    }
    signature.verify(key, parts.archive)?;
    Ok(())
}

/// A signature as it stands before an archive.
#[derive(Debug, Clone)]
pub struct Signature {
    text: String,
    key: String,
}

impl Signature {
    fn read(text: &str) -> Result<Self, SignatureError> {
        let found = SignatureBox::from_string(text)
            .map_err(|error| SignatureError::Unreadable(error.to_string()))?;
        Ok(Self {
            text: text.to_owned(),
            key: id(found.keynum()),
        })
    }

    /// The id of the key that it says it was made with.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its four lines.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A package file of an archive that it signs.
    pub fn before(&self, archive: &[u8]) -> Vec<u8> {
        [self.text.as_bytes(), archive].concat()
    }

    /// Whether its trusted comment begins or ends with blanks, which are signed, and which the reader of signatures takes off.
    fn has_blanks(&self) -> bool {
        let comment = self.text.lines().nth(2).unwrap_or_default();
        let comment = comment.strip_prefix(TRUSTED).unwrap_or(comment);
        comment != comment.trim()
    }

    /// Whether the owner of that key signed exactly these bytes; answers what the signature says besides (its trusted comment).
    pub fn verify(&self, key: &PublicKey, archive: &[u8]) -> Result<String, SignatureError> {
        let wrong = |_| match self.has_blanks() {
            true => SignatureError::Blanks,
            false => SignatureError::Wrong { key: key.id() },
        };
        let signature = SignatureBox::from_string(&self.text).map_err(wrong)?;
        // The older kind of signature is over the bytes and not over their digest, and vouches for the same.
        let (quiet, output, allow_legacy) = (true, false, true);
        minisign::verify(
            &key.0,
            &signature,
            Cursor::new(archive),
            quiet,
            output,
            allow_legacy,
        )
        .map_err(wrong)?;
        signature.trusted_comment().map_err(wrong)
    }
}

/// Signatures of its owner are believed.
#[derive(Debug, Clone)]
pub struct PublicKey(minisign::PublicKey);

impl PublicKey {
    /// Reads the line of a public key, or the text of its file.
    pub fn read(text: &str) -> Result<Self, SignatureError> {
        let line = text.trim();
        let key = if line.lines().count() > 1 {
            PublicKeyBox::from_string(line).and_then(PublicKeyBox::into_public_key)
        } else {
            minisign::PublicKey::from_base64(line)
        };
        key.map(Self).map_err(|_| SignatureError::NoPublicKey)
    }

    /// As minisign shows it: sixteen hexadecimal digits in capitals.
    pub fn id(&self) -> String {
        id(self.0.keynum())
    }

    /// The line that is handed around.
    pub fn line(&self) -> String {
        self.0.to_base64()
    }
}

/// What a vendor signs with.
pub struct SecretKey(minisign::SecretKey);

/// The texts of two files that belong together.
pub struct NewKeys {
    pub secret: String,
    pub public: String,
    pub key: PublicKey,
}

/// Makes a pair of keys, the secret one under a password where one is given.
pub fn make_keys(password: Option<&str>) -> Result<NewKeys, SignatureError> {
    let failed = |error: minisign::PError| SignatureError::NotSigned(error.to_string());
    let keys = match password {
        Some(password) => KeyPair::generate_encrypted_keypair(Some(password.to_owned())),
        None => KeyPair::generate_unencrypted_keypair(),
    };
    let KeyPair { pk, sk } = keys.map_err(failed)?;
    Ok(NewKeys {
        secret: sk.to_box(None).map_err(failed)?.into_string(),
        public: pk.to_box().map_err(failed)?.into_string(),
        key: PublicKey(pk),
    })
}

impl SecretKey {
    /// Reads the text of a key file. `password`: where it is under one.
    pub fn read(text: &str, password: Option<&str>) -> Result<Self, SignatureError> {
        let failed = |error: minisign::PError| SignatureError::NoSecretKey(error.to_string());
        if let (None, Some(key)) = (password, without_checksum(text)) {
            return Ok(Self(key));
        }
        let sealed = SecretKeyBox::from_string(text).map_err(failed)?;
        let key = match password {
            Some(password) => sealed.into_secret_key(Some(password.to_owned())),
            None => sealed.into_unencrypted_secret_key(),
        };
        key.map(Self).map_err(failed)
    }

    /// Signs an archive. `comment`: what the signature vouches for besides.
    pub fn sign(&self, archive: &[u8], comment: &str) -> Result<Signature, SignatureError> {
        let failed = |error: minisign::PError| SignatureError::NotSigned(error.to_string());
        let signed = minisign::sign(None, &self.0, Cursor::new(archive), Some(comment), None);
        let text = signed.map_err(failed)?.into_string();
        Signature::read(&text)
    }
}

/// A key that is under no password, as the tool of that name writes it: with zeros for the checksum, which tells wrong passwords. `None`: it
/// is another one.
fn without_checksum(text: &str) -> Option<minisign::SecretKey> {
    // Kinds of signature, derivation and checksum; salt and limits of the derivation; id; key; checksum.
    const BYTES: usize = 3 * 2 + 32 + 2 * 8 + 8 + 64 + 32;
    const CHECKSUM: usize = BYTES - 32;
    let line = text.lines().nth(1)?.trim();
    let bytes = BASE64_STANDARD.decode(line).ok()?;
    let is_one = bytes.len() == BYTES
        && bytes[2..4] == [0, 0]
        && bytes[CHECKSUM..].iter().all(|byte| *byte == 0);
    is_one
        .then(|| minisign::SecretKey::from_bytes(&bytes).ok())
        .flatten()
}

/// Eight bytes, the lowest first.
fn id(number: &[u8]) -> String {
    let digits: String = number
        .iter()
        .rev()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    debug_assert_eq!(digits.len(), ID_DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARCHIVE: &[u8] = b"PK an archive";

    #[test]
    fn keys_and_signatures_of_the_tool_of_that_name_are_taken_or_their_fault_is_named() {
        let keys = make_keys(None).unwrap();
        // As `minisign -G -W` writes a key.
        let (comment, line) = keys.secret.split_once('\n').unwrap();
        let mut bytes = BASE64_STANDARD.decode(line.trim()).unwrap();
        let checksum = bytes.len() - 32;
        bytes[checksum..].fill(0);
        let plain = format!("{comment}\n{}\n", BASE64_STANDARD.encode(&bytes));
        let key = SecretKey::read(&plain, None).unwrap();
        let signature = key.sign(ARCHIVE, "of a test").unwrap();
        assert_eq!(signature.verify(&keys.key, ARCHIVE).unwrap(), "of a test");
        // One that is damaged is none, with a checksum and under a password as before.
        bytes[checksum..].fill(1);
        let damaged = format!("{comment}\n{}\n", BASE64_STANDARD.encode(&bytes));
        assert!(SecretKey::read(&damaged, None).is_err());
        let sealed = make_keys(Some("a password")).unwrap();
        assert!(SecretKey::read(&sealed.secret, None).is_err());
        assert!(SecretKey::read(&sealed.secret, Some("a password")).is_ok());

        let signature = key.sign(ARCHIVE, " of a test ").unwrap();
        let error = signature.verify(&keys.key, ARCHIVE).unwrap_err();
        assert!(matches!(error, SignatureError::Blanks), "{error}");
    }
}
