//! Compiled components, kept from one start of the host to the next: loading one takes milliseconds, compiling it seconds.
//!
//! Beware: what is loaded here is machine code that runs with the host's rights. So every file bears a keyed digest (HMAC) over
//! what it is of and its bytes, and nothing is loaded whose digest does not fit: who can write to the folder but does not have the
//! master key gains nothing. Whatever does not load is compiled anew, so the folder may be deleted at any time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;
use zeroize::Zeroizing;

const DIGEST_BYTES: usize = 32;
/// Files that are kept, the newest: a few versions of a few add-ons.
const KEPT: usize = 12;
const ENDING: &str = "cwasm";

/// A folder of the host's own.
#[derive(Clone)]
pub struct CompiledComponents {
    folder: PathBuf,
    key: Zeroizing<[u8; 32]>,
}

impl CompiledComponents {
    /// `key`: known to the host alone.
    pub fn new(folder: &Path, key: Zeroizing<[u8; 32]>) -> Self {
        Self {
            folder: folder.to_owned(),
            key,
        }
    }

    /// What was kept of the component with that digest, for this engine.
    pub fn load(&self, engine: &Engine, sha256: &str) -> Option<Component> {
        let file = self.file(engine, sha256);
        let bytes = std::fs::read(&file).ok()?;
        let (digest, code) = bytes.split_at_checked(DIGEST_BYTES)?;
        if self.mac(&file, code).verify_slice(digest).is_err() {
            tracing::warn!(file = %file.display(), "a compiled component is not what this host wrote, and is compiled anew");
            return None;
        }
        loaded(engine, code)
            .inspect_err(|error| tracing::info!(%error, "a compiled component does not load, and is compiled anew"))
            .ok()
    }

    /// Keeps a component. A failure costs the next start some seconds and nothing else.
    pub fn keep(&self, engine: &Engine, sha256: &str, component: &Component) {
        if let Err(error) = self.try_keep(engine, sha256, component) {
            tracing::warn!(%error, folder = %self.folder.display(), "a compiled component could not be kept");
        }
    }

    fn try_keep(
        &self,
        engine: &Engine,
        sha256: &str,
        component: &Component,
    ) -> Result<(), io::Error> {
        let code = component.serialize().map_err(io::Error::other)?;
        make_folder(&self.folder)?;
        let file = self.file(engine, sha256);
        let digest = self.mac(&file, &code).finalize().into_bytes();
        // Renamed into place: another process may be reading the old one.
        let mut new = tempfile::NamedTempFile::new_in(&self.folder)?;
        new.write_all(&digest)?;
        new.write_all(&code)?;
        new.as_file().sync_all()?;
        new.persist(&file)?;
        self.forget_old()
    }

    fn forget_old(&self) -> Result<(), io::Error> {
        let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry
                .path()
                .extension()
                .is_some_and(|ending| ending == ENDING)
            {
                files.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        files.sort();
        let too_many = files.len().saturating_sub(KEPT);
        files
            .iter()
            .take(too_many)
            .try_for_each(|(_, file)| std::fs::remove_file(file))
    }

    /// By the engine's settings and version too: code of another one would not load.
    fn file(&self, engine: &Engine, sha256: &str) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.folder
            .join(format!("{sha256}-{:016x}.{ENDING}", hasher.finish()))
    }

    fn mac(&self, file: &Path, code: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::new_from_slice(self.key.as_slice()).expect("HMAC takes keys of any length");
        let name = file.file_name().unwrap_or_default().as_encoded_bytes();
        mac.update(name);
        // Names have one length, so nothing can move from the one to the other.
        mac.update(code);
        mac
    }
}

/// Code of this host's own making.
pub(super) fn loaded(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    #[allow(
        unsafe_code,
        reason = "the bytes are what this program made itself: their keyed digest was verified right before, or they come from a process of its own"
    )]
    unsafe {
        Component::deserialize(engine, code)
    }
}

/// For its owner alone.
fn make_folder(folder: &Path) -> Result<(), io::Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
