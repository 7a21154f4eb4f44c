//! Packages: one `.addon` file with the manifest, the component, and optionally an icon and texts; a zip archive, behind its makers'
//! signature.
//!
//! A package comes from outside. It is never unpacked to disk: only names that are known are read, into memory, up to a
//! size; whatever is built to be seen differently by two readers is refused (see [`mod@read`]). What the component may do
//! is audited elsewhere, before a package becomes active.

mod changes;
mod measure;
mod pack;
mod read;
mod signature;
mod terms;

pub use changes::{Changes, auth, hosts, may_replace};
pub use pack::{archive, pack};
pub use read::{is_archive, read};
pub use signature::{
    NewKeys, Parts, PublicKey, SecretKey, Signature, SignatureError, check_signed_with, make_keys,
    split,
};

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use thiserror::Error;

use addon_manifest::{Manifest, ManifestError};

/// A package that was read and found whole.
#[derive(Debug, Clone)]
pub struct Package {
    pub manifest: Manifest,
    /// The text of `addon.toml`.
    pub manifest_text: String,
    pub component: Vec<u8>,
    /// Of the component, in lower-case hexadecimal.
    pub component_sha256: String,
    /// Of the archive: the package's identity, whoever signed it.
    pub sha256: String,
    /// README, licence and changes, by file name.
    pub texts: BTreeMap<String, String>,
    /// A PNG.
    pub icon: Option<Vec<u8>>,
}

#[derive(Debug, Error)]
pub enum PackageError {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("the file is no package: {0}")]
    NoZip(String),
    #[error("the package is refused: {0}")]
    Refused(String),
    #[error("{what} has more than {most} bytes")]
    TooLarge { what: String, most: usize },
    #[error("the package has no `{0}`")]
    Missing(String),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("{0}")]
    Untrusted(String),
    #[error(
        "the package is signed with the key {0}, which is not trusted here. Where its makers tell you the same key by another way, \
         `addon trust KEY` trusts it"
    )]
    UnknownKey(String),
    #[error("the package is signed with the key {signed_with}, and this is the key {given}")]
    OtherKey { signed_with: String, given: String },
    #[error("`{name}` is not a WebAssembly component: {why}")]
    NoComponent { name: String, why: &'static str },
    #[error("{0}")]
    NoUpdate(String),
}

const MANIFEST: &str = "addon.toml";
const ICON: &str = "icon.png";
const TEXTS: [&str; 3] = ["README.md", "CHANGELOG.md", "LICENSE"];

/// Most bytes of the file, and of each part of it once unpacked.
pub const LARGEST_PACKAGE: usize = 32 << 20;
const LARGEST_COMPONENT: usize = 32 << 20;
const LARGEST_MANIFEST: usize = 256 << 10;
const LARGEST_ICON: usize = 256 << 10;
const LARGEST_TEXT: usize = 1 << 20;

/// SHA-256 in lower-case hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// What kind of binary the first bytes say; the rest of the check needs the runtime.
fn check_component(name: &str, bytes: &[u8]) -> Result<(), PackageError> {
    let why = match bytes.get(..8) {
        Some([0x00, b'a', b's', b'm', _, _, 0x01, 0x00]) => return Ok(()),
        Some([0x00, b'a', b's', b'm', 0x01, 0x00, 0x00, 0x00]) => {
            "it is a core module; build it for wasm32-wasip2, or make a component of it"
        }
        _ => "it does not begin as one",
    };
    Err(PackageError::NoComponent {
        name: name.to_owned(),
        why,
    })
}
