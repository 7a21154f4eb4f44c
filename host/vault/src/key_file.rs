//! The file that holds the master keys, one a line, the newest last, and where it is found.
//!
//! Which of them is in use is what the database says; the others are one that a change will take into use, and older ones that
//! backups still need. The file is replaced as a whole and durably before anything is sealed with a key that is new in it. The
//! trap: without a key all that was sealed with it is lost, and a new one made in its place would hide that; a file is made only
//! where the database was never sealed with anything.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::VaultError;
use super::key::{KeyId, MasterKey};

/// What the file is called in the data folder.
const NAME: &str = "master.key";

/// The credential's name for the service manager: `LoadCredential=addon-host-master-key:FILE`.
pub const CREDENTIAL: &str = "addon-host-master-key";

/// Where the master keys are.
#[derive(Debug, Clone)]
pub struct KeySource {
    path: PathBuf,
    /// A service manager lends it: it cannot be written, and its rights are the manager's business.
    lent: bool,
}

impl KeySource {
    /// The file that is named, or else what the service manager lends, or else the file in the data folder.
    pub fn find(named: Option<PathBuf>, data_dir: &Path) -> Self {
        Self::choose(named, std::env::var_os("CREDENTIALS_DIRECTORY"), data_dir)
    }

    fn choose(named: Option<PathBuf>, credentials: Option<OsString>, data_dir: &Path) -> Self {
        if let Some(path) = named.filter(|path| !path.as_os_str().is_empty()) {
            return Self::file(path);
        }
        let lent = credentials
            .map(|folder| Path::new(&folder).join(CREDENTIAL))
            .filter(|file| file.exists());
        match lent {
            Some(path) => Self { path, lent: true },
            None => Self::in_folder(data_dir),
        }
    }

    /// The file in the data folder.
    pub fn in_folder(data_dir: &Path) -> Self {
        Self::file(data_dir.join(NAME))
    }

    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            lent: false,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys, the newest last; empty: there is no file.
    pub(super) fn read(&self) -> Result<Vec<MasterKey>, VaultError> {
        let text = match std::fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => Zeroizing::new(read.map_err(|source| self.failed(source))?),
        };
        if !self.lent {
            self.refuse_shared()?;
        }
        let keys: Option<Vec<MasterKey>> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(MasterKey::parse)
            .collect();
        keys.filter(|keys| !keys.is_empty())
            .ok_or_else(|| VaultError::NoKey {
                path: self.path.clone(),
            })
    }

    /// Makes the file with one key, unless it is there by now: of two hosts that start together one wins.
    pub(super) fn make(&self) -> Result<(), VaultError> {
        let key = MasterKey::generate()?;
        let write = || match self.written(&[key])?.persist_noclobber(&self.path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
            _ => sync_folder(&self.folder()),
        };
        write().map_err(|source| self.failed(source))
    }

    /// The ids of its keys, the newest last; `None`: there is no file.
    pub fn ids(&self) -> Result<Vec<KeyId>, VaultError> {
        Ok(ids(&self.read()?))
    }

    /// Whether the file is a service manager's.
    pub fn is_lent(&self) -> bool {
        self.lent
    }

    /// Why a lent file is not changed.
    pub fn lent(&self) -> VaultError {
        VaultError::Lent {
            path: self.path.clone(),
        }
    }

    /// Keeps everybody else from changing the file.
    pub fn lock(&self) -> Result<KeyFile<'_>, VaultError> {
        if self.lent {
            return Err(self.lent());
        }
        let mut name = self.path.clone().into_os_string();
        name.push(".lock");
        // The key file itself is replaced by every change, so a lock on it would be one on a file that is gone.
        let locked = || {
            let mut options = File::options();
            options.write(true).create(true).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(name)?;
            file.lock()?;
            Ok(file)
        };
        Ok(KeyFile {
            source: self,
            _lock: locked().map_err(|source| self.failed(source))?,
            keys: self.read()?,
        })
    }

    /// The keys in a file that has no name yet, for its owner alone.
    fn written(&self, keys: &[MasterKey]) -> io::Result<tempfile::NamedTempFile> {
        // Made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(self.folder())?;
        for key in keys {
            writeln!(file, "{}", *key.to_text())?;
        }
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// The file itself, where the path is a link to it: what replaces it must not replace the link.
    fn target(&self) -> PathBuf {
        std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone())
    }

    fn folder(&self) -> PathBuf {
        self.target()
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .to_owned()
    }

    #[cfg(unix)]
    fn refuse_shared(&self) -> Result<(), VaultError> {
        use std::os::unix::fs::PermissionsExt;
        let metadata = std::fs::metadata(&self.path).map_err(|source| self.failed(source))?;
        if metadata.permissions().mode() & 0o077 == 0 {
            Ok(())
        } else {
            Err(VaultError::Open {
                path: self.path.clone(),
            })
        }
    }

    /// Other systems guard the user's folders by themselves.
    #[cfg(not(unix))]
    fn refuse_shared(&self) -> Result<(), VaultError> {
        Ok(())
    }

    fn failed(&self, source: io::Error) -> VaultError {
        VaultError::File {
            path: self.path.clone(),
            source,
        }
    }
}

/// The key file, while nobody else changes it.
pub struct KeyFile<'s> {
    source: &'s KeySource,
    _lock: File,
    keys: Vec<MasterKey>,
}

impl KeyFile<'_> {
    /// The ids of its keys, the newest last.
    pub fn ids(&self) -> Vec<KeyId> {
        ids(&self.keys)
    }

    /// Adds a new key; it is on the disk when this returns.
    pub fn add(&mut self) -> Result<KeyId, VaultError> {
        let key = MasterKey::generate()?;
        let id = key.id();
        let mut keys = self.keys.clone();
        keys.push(key);
        self.replace(keys)?;
        Ok(id)
    }

    /// Takes a key out. False: it is not in the file.
    pub fn forget(&mut self, id: KeyId) -> Result<bool, VaultError> {
        let keys: Vec<MasterKey> = self
            .keys
            .iter()
            .filter(|key| key.id() != id)
            .cloned()
            .collect();
        let found = keys.len() < self.keys.len();
        if found {
            self.replace(keys)?;
        }
        Ok(found)
    }

    fn replace(&mut self, keys: Vec<MasterKey>) -> Result<(), VaultError> {
        let write = || {
            self.source
                .written(&keys)?
                .persist(self.source.target())
                .map_err(|error| error.error)?;
            sync_folder(&self.source.folder())
        };
        write().map_err(|source| self.source.failed(source))?;
        self.keys = keys;
        Ok(())
    }
}

pub(super) fn ids(keys: &[MasterKey]) -> Vec<KeyId> {
    keys.iter().map(MasterKey::id).collect()
}

/// A name is durable once its folder is; Windows has no such thing.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_goes_before_a_lent_one_and_that_before_the_data_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (data, lent) = (Path::new("/data"), folder.path());
        let named = || Some(PathBuf::from("/etc/key"));
        let choose = |named, credentials: Option<&Path>| {
            let source = KeySource::choose(named, credentials.map(Into::into), data);
            (source.path, source.lent)
        };
        let in_data = (PathBuf::from("/data/master.key"), false);
        assert_eq!(choose(None, None), in_data);
        assert_eq!(choose(Some(PathBuf::new()), None), in_data);
        assert_eq!(
            choose(None, Some(lent)),
            in_data,
            "another credential's folder"
        );
        std::fs::write(lent.join(CREDENTIAL), "x").unwrap();
        assert_eq!(choose(None, Some(lent)), (lent.join(CREDENTIAL), true));
        assert_eq!(
            choose(named(), Some(lent)),
            (PathBuf::from("/etc/key"), false)
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_file_stays_one_when_the_file_is_replaced() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (link, file) = (folder.path().join(NAME), elsewhere.path().join("key"));
        KeySource::file(&file).make().unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let source = KeySource::file(&link);
        let added = source.lock().unwrap().add().unwrap();
        assert!(link.is_symlink());
        let ids = KeySource::file(&file).ids().unwrap();
        assert_eq!((ids.len(), ids.last()), (2, Some(&added)));
    }

    #[cfg(unix)]
    #[test]
    fn what_a_service_manager_lends_is_read_whatever_its_mode_and_never_written() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(CREDENTIAL);
        std::fs::write(&file, "ab".repeat(32)).unwrap();
        // As systemd shows a file that an access list opens to the service's user.
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o440)).unwrap();
        let lent = KeySource::choose(None, Some(folder.path().into()), Path::new("/data"));
        assert_eq!(lent.read().unwrap().len(), 1);
        assert!(matches!(lent.lock(), Err(VaultError::Lent { .. })));
        assert!(matches!(
            KeySource::file(file).read(),
            Err(VaultError::Open { .. })
        ));
    }
}
