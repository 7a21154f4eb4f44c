//! Secrets at rest: XChaCha20-Poly1305 under keys derived from a master key, which is in a file of its own, never in the database.
//! A stolen database without that file tells nothing.
//!
//! What is sealed names its key and is bound to its place (installation and setting): moved elsewhere it does not open. The master
//! key can be changed under running hosts: whoever meets a key that it does not know reads the file again. Fingerprints are keyed
//! too, so that a stored fingerprint of a weak password cannot be guessed; their key stays the same whatever the master key,
//! because budgets, nonces and refused logins are stored under fingerprints, and must not be forgotten.

mod key;
mod key_file;
mod secret;

pub use key::{KeyId, NoKeyId, sealed_with};
pub use key_file::{CREDENTIAL, KeyFile, KeySource};
pub use secret::Secret;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use hmac::Mac;
use thiserror::Error;
use zeroize::Zeroizing;

use key::{KEY_BYTES, MasterKey, mac};
use key_file::ids;

#[derive(Debug, Error)]
pub enum VaultError {
    #[error("the master key {path} cannot be used: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error(
        "the master key {path} is no key: each line must hold 64 hexadecimal digits; restore it from a copy"
    )]
    NoKey { path: PathBuf },
    #[error("the master key {path} can be read by others: chmod 600 it")]
    Open { path: PathBuf },
    #[error(
        "the master key {path} is lent by the service manager and cannot be changed there: change the file that the manager \
         reads, with --master-key-file, and restart the service"
    )]
    Lent { path: PathBuf },
    #[error("the machine gives no random numbers: {0}")]
    Random(String),
    #[error(
        "the secrets in this database are sealed with the master key {id}, and {path} {}: put the key file there that belongs to \
         the database (from a copy, or from the host where the key was changed); if it is lost for good, `addon-host master-key \
         reset --forget-secrets` goes on without the secrets",
        holds(.known)
    )]
    OtherKey {
        id: KeyId,
        path: PathBuf,
        known: Vec<KeyId>,
    },
    #[error(
        "the secret `{key}` of `{installation}` does not open with this master key: enter it again"
    )]
    Tampered { installation: String, key: String },
}

fn holds(known: &[KeyId]) -> String {
    if known.is_empty() {
        return "is not there".to_owned();
    }
    let known: Vec<String> = known.iter().map(KeyId::to_string).collect();
    format!("holds {}", known.join(", "))
}

/// The keys in memory.
pub struct Vault {
    source: KeySource,
    keys: RwLock<Keys>,
}

struct Keys {
    known: Vec<MasterKey>,
    /// One of the known; what is sealed from now on is sealed with it.
    current: MasterKey,
    fingerprinting: Zeroizing<[u8; KEY_BYTES]>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

/// Where the key of the fingerprints is sealed for; no installation has an empty name.
const FINGERPRINTING: (&str, &str) = ("", "fingerprints");

impl Vault {
    /// With the newest key of a file; makes the file, readable by its owner only, where there is none.
    pub fn open(key_file: &Path) -> Result<Self, VaultError> {
        Self::open_at(KeySource::file(key_file), None)
    }

    /// `current`: the key that everything is sealed with; `None`: nothing is, so any key will do, also one that is made now.
    pub fn open_at(source: KeySource, current: Option<KeyId>) -> Result<Self, VaultError> {
        let mut known = source.read()?;
        if known.is_empty() && current.is_none() {
            source.make()?;
            known = source.read()?;
        }
        let current = match current {
            Some(id) => find(&known, id).ok_or_else(|| other_key(id, &source, &known))?,
            None => known.last().cloned().ok_or_else(|| VaultError::NoKey {
                path: source.path().to_owned(),
            })?,
        };
        let fingerprinting = current.derive("fingerprint");
        let keys = Keys {
            known,
            current,
            fingerprinting,
        };
        Ok(Self {
            source,
            keys: RwLock::new(keys),
        })
    }

    /// The key that is sealed with.
    pub fn key_id(&self) -> KeyId {
        self.keys().current.id()
    }

    /// All keys of the file, the newest last.
    pub fn known(&self) -> Vec<KeyId> {
        ids(&self.keys().known)
    }

    /// Seals with that key from now on; the file is read again where it is not known yet.
    pub fn follow(&self, id: KeyId) -> Result<(), VaultError> {
        let key = self.key(id)?;
        self.change(|keys| keys.current = key);
        Ok(())
    }

    /// The key of the fingerprints for the database, sealed with the current master key.
    pub fn seal_fingerprinting(&self) -> Result<Vec<u8>, VaultError> {
        let keys = self.keys();
        keys.current
            .seal(&place(FINGERPRINTING), keys.fingerprinting.as_slice())
    }

    /// Makes fingerprints with the key that the database holds.
    pub fn take_fingerprinting(&self, sealed: &[u8]) -> Result<(), VaultError> {
        let opened = self.unseal_at(FINGERPRINTING, sealed)?;
        let key =
            <[u8; KEY_BYTES]>::try_from(opened.as_slice()).map_err(|_| tampered(FINGERPRINTING))?;
        self.change(|keys| keys.fingerprinting = Zeroizing::new(key));
        Ok(())
    }

    /// The key by which compiled components are known for this host's own.
    pub fn compiling_key(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        self.keys().current.derive("compiled components")
    }

    /// Encrypts a secret for one place.
    pub fn seal(
        &self,
        installation: &str,
        key: &str,
        secret: &Secret,
    ) -> Result<Vec<u8>, VaultError> {
        self.keys()
            .current
            .seal(&place((installation, key)), secret.expose().as_bytes())
    }

    /// Decrypts what [`Vault::seal`] made for the same place.
    pub fn unseal(
        &self,
        installation: &str,
        key: &str,
        sealed: &[u8],
    ) -> Result<Secret, VaultError> {
        let bytes = self.unseal_at((installation, key), sealed)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| tampered((installation, key)))?;
        Ok(Secret::new(text))
    }

    /// The same, sealed with the current key.
    pub fn reseal(
        &self,
        installation: &str,
        key: &str,
        sealed: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        self.seal(installation, key, &self.unseal(installation, key, sealed)?)
    }

    /// A stable name for a list of texts, of which some may be secret: equal for equal lists, and telling nothing of them
    /// without the key. `purpose` keeps fingerprints for different uses apart.
    pub fn fingerprint<'p>(
        &self,
        purpose: &str,
        parts: impl IntoIterator<Item = &'p str>,
    ) -> String {
        let mut mac = mac(&self.keys().fingerprinting);
        let mut update = |part: &str| {
            // With lengths, or ["ab", "c"] would equal ["a", "bc"].
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        };
        update(purpose);
        parts.into_iter().for_each(update);
        hex::encode(mac.finalize().into_bytes())
    }

    fn unseal_at(&self, at: (&str, &str), sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let place = place(at);
        let opened = match sealed_with(sealed) {
            Some(id) => self.key(id)?.unseal(&place, sealed),
            // From before keys had ids.
            None => {
                let keys = self.keys();
                keys.known.iter().find_map(|key| key.unseal(&place, sealed))
            }
        };
        opened.ok_or_else(|| tampered(at))
    }

    /// A key of the file, as it is by now.
    fn key(&self, id: KeyId) -> Result<MasterKey, VaultError> {
        if let Some(key) = find(&self.keys().known, id) {
            return Ok(key);
        }
        let known = self.source.read()?;
        let key = find(&known, id).ok_or_else(|| other_key(id, &self.source, &known))?;
        self.change(|keys| keys.known = known);
        Ok(key)
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        // Keys stay keys, whoever panicked.
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Keys)) {
        change(&mut self.keys.write().unwrap_or_else(PoisonError::into_inner));
    }
}

fn find(keys: &[MasterKey], id: KeyId) -> Option<MasterKey> {
    keys.iter().find(|key| key.id() == id).cloned()
}

fn other_key(id: KeyId, source: &KeySource, known: &[MasterKey]) -> VaultError {
    VaultError::OtherKey {
        id,
        path: source.path().to_owned(),
        known: ids(known),
    }
}

fn tampered((installation, key): (&str, &str)) -> VaultError {
    VaultError::Tampered {
        installation: installation.to_owned(),
        key: key.to_owned(),
    }
}

fn place((installation, key): (&str, &str)) -> String {
    format!("{installation}|{key}")
}
