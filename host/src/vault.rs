//! Secrets at rest: XChaCha20-Poly1305 under keys derived from one master key, which is a file of its own beside the
//! database or wherever the operator puts it. A stolen database without that file tells nothing.
//!
//! What is sealed is bound to its place (installation and setting): moved elsewhere it does not open. Fingerprints are
//! keyed too, so that a stored fingerprint of a weak password cannot be guessed. The trap: without the master key all
//! secrets are lost, and a new one made in its place would hide that; a key is made only where no file is.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

/// A text that must not be shown: no `Display`, a `Debug` that tells nothing, wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself; for putting it where it belongs, not for formatting.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[derive(Debug, Error)]
pub enum VaultError {
    #[error("the master key {path} cannot be used: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error(
        "the master key {path} is no key: it must hold 64 hexadecimal digits; restore it from a copy"
    )]
    NoKey { path: PathBuf },
    #[error("the master key {path} can be read by others: chmod 600 it")]
    Open { path: PathBuf },
    #[error("the machine gives no random numbers: {0}")]
    Random(String),
    #[error(
        "the secret `{key}` of `{installation}` does not open with this master key: enter it again"
    )]
    Tampered { installation: String, key: String },
}

/// The keys in memory.
pub struct Vault {
    sealing: Zeroizing<[u8; KEY_BYTES]>,
    fingerprinting: Zeroizing<[u8; KEY_BYTES]>,
    compiling: Zeroizing<[u8; KEY_BYTES]>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// First byte of everything sealed, for a later change of method.
const FORMAT: u8 = 1;

/// Names a master key file outside the data folder.
pub const KEY_FILE_VARIABLE: &str = "ADDON_HOST_MASTER_KEY_FILE";

impl Vault {
    /// Where the master key is: where the environment says, or else in the data folder.
    pub fn key_file(data_dir: &Path) -> PathBuf {
        match std::env::var_os(KEY_FILE_VARIABLE) {
            Some(path) if !path.is_empty() => PathBuf::from(path),
            _ => data_dir.join("master.key"),
        }
    }

    /// Reads the master key; makes one, readable by its owner only, where there is no file.
    pub fn open(key_file: &Path) -> Result<Self, VaultError> {
        let failed = |source| VaultError::File {
            path: key_file.to_owned(),
            source,
        };
        if !key_file.try_exists().map_err(failed)? {
            make_key(key_file)?;
        }
        refuse_shared(key_file)?;
        let text = Zeroizing::new(std::fs::read_to_string(key_file).map_err(failed)?);
        let mut master = Zeroizing::new([0; KEY_BYTES]);
        hex::decode_to_slice(text.trim(), master.as_mut_slice()).map_err(|_| {
            VaultError::NoKey {
                path: key_file.to_owned(),
            }
        })?;
        Ok(Self {
            sealing: derive(&master, "seal"),
            fingerprinting: derive(&master, "fingerprint"),
            compiling: derive(&master, "compiled components"),
        })
    }

    /// The key by which compiled components are known for this host's own.
    pub fn compiling_key(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        self.compiling.clone()
    }

    /// Encrypts a secret for one place.
    pub fn seal(
        &self,
        installation: &str,
        key: &str,
        secret: &Secret,
    ) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let payload = Payload {
            msg: secret.expose().as_bytes(),
            aad: &place(installation, key),
        };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a setting is far below the cipher's limit of 256 GiB");
        Ok([&[FORMAT], nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts what [`Vault::seal`] made for the same place.
    pub fn unseal(
        &self,
        installation: &str,
        key: &str,
        sealed: &[u8],
    ) -> Result<Secret, VaultError> {
        let opened = || {
            let (nonce, sealed) = sealed
                .strip_prefix(&[FORMAT])?
                .split_first_chunk::<NONCE_BYTES>()?;
            let payload = Payload {
                msg: sealed,
                aad: &place(installation, key),
            };
            let bytes = self.cipher().decrypt(&XNonce::from(*nonce), payload).ok()?;
            Some(Secret::new(String::from_utf8(bytes).ok()?))
        };
        opened().ok_or_else(|| VaultError::Tampered {
            installation: installation.to_owned(),
            key: key.to_owned(),
        })
    }

    /// A stable name for a list of texts, of which some may be secret: equal for equal lists, and telling nothing of them
    /// without the master key. `purpose` keeps fingerprints for different uses apart.
    pub fn fingerprint<'p>(
        &self,
        purpose: &str,
        parts: impl IntoIterator<Item = &'p str>,
    ) -> String {
        let mut mac = mac(&self.fingerprinting);
        let mut update = |part: &str| {
            // With lengths, or ["ab", "c"] would equal ["a", "bc"].
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        };
        update(purpose);
        parts.into_iter().for_each(update);
        hex::encode(mac.finalize().into_bytes())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.sealing).into())
    }
}

fn place(installation: &str, key: &str) -> Vec<u8> {
    format!("{installation}|{key}").into_bytes()
}

fn derive(master: &[u8; KEY_BYTES], purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut mac = mac(master);
    mac.update(purpose.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn mac(key: &[u8; KEY_BYTES]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn random(bytes: &mut [u8]) -> Result<(), VaultError> {
    SysRng
        .try_fill_bytes(bytes)
        .map_err(|error| VaultError::Random(error.to_string()))
}

/// Written beside its place and put there in one step, so that of two hosts that start together one wins.
fn make_key(key_file: &Path) -> Result<(), VaultError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    random(key.as_mut_slice())?;
    let write = || {
        let folder = key_file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        // Made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(file, "{}", *Zeroizing::new(hex::encode(key.as_slice())))?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(key_file) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
            _ => Ok(()),
        }
    };
    write().map_err(|source| VaultError::File {
        path: key_file.to_owned(),
        source,
    })
}

#[cfg(unix)]
fn refuse_shared(key_file: &Path) -> Result<(), VaultError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(key_file);
    let metadata = metadata.map_err(|source| VaultError::File {
        path: key_file.to_owned(),
        source,
    })?;
    if metadata.permissions().mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(VaultError::Open {
            path: key_file.to_owned(),
        })
    }
}

/// Other systems guard the user's folders by themselves.
#[cfg(not(unix))]
fn refuse_shared(_: &Path) -> Result<(), VaultError> {
    Ok(())
}
