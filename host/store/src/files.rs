//! SQLite files that are written once and then kept: written under another name, checked, and only then given their own, so
//! that a file of that name is always whole.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions, Row};

use super::schema::beside;
#[cfg(unix)]
use super::schema::with_ending;
use super::{Store, StoreError};

/// An empty file to write before it gets its name, for its owner alone. What an earlier try left there is removed.
pub(super) fn temporary(file: &Path) -> Result<PathBuf, StoreError> {
    let path = beside(file, "partial");
    let make = || -> io::Result<()> {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map(drop)
    };
    make().map_err(|error| failed(&path, &error))?;
    Ok(path)
}

/// Takes a database's files from everybody but their owner, whoever made the folder that they are in. New ones of SQLite's get the
/// rights of the database.
pub(super) fn keep_to_owner(file: &Path) {
    #[cfg(unix)]
    for path in ["", "-wal", "-shm"].map(|ending| with_ending(file, ending)) {
        use std::os::unix::fs::PermissionsExt;
        let Ok(found) = std::fs::metadata(&path) else {
            continue;
        };
        let mode = found.permissions().mode();
        if mode & 0o077 == 0 {
            continue;
        }
        if let Err(error) = std::fs::set_permissions(&path, PermissionsExt::from_mode(mode & 0o700))
        {
            tracing::warn!(file = %path.display(), %error, "others can read the database: its file belongs to somebody else");
        }
    }
    #[cfg(not(unix))]
    let _ = file;
}

/// Gives a whole file its name, durably, in place of whatever had it.
pub(super) fn put(written: &Path, file: &Path) -> Result<(), StoreError> {
    let durably = || -> io::Result<()> {
        File::open(written)?.sync_all()?;
        std::fs::rename(written, file)?;
        // The name is durable once its folder is; Windows has no such thing.
        #[cfg(unix)]
        if let Some(folder) = file.parent() {
            let folder = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            };
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    durably().map_err(|error| failed(file, &error))
}

/// Opens a SQLite file that nobody else uses.
pub(super) async fn open(file: &Path) -> Result<AnyConnection, StoreError> {
    sqlx::any::install_default_drivers();
    let options: AnyConnectOptions = Store::file_url(file).parse()?;
    Ok(options.connect().await?)
}

/// An empty SQLite database that is on no disk.
pub(super) async fn memory() -> Result<AnyConnection, StoreError> {
    sqlx::any::install_default_drivers();
    let options: AnyConnectOptions = "sqlite::memory:".parse()?;
    Ok(options.connect().await?)
}

/// Reads every page of a file and compares every index with its table.
pub(super) async fn check(file: &Path) -> Result<(), StoreError> {
    let mut connection = open(file).await?;
    let answer = quick_check(&mut connection).await;
    sqlx::Connection::close(connection).await?;
    answer
}

pub(super) async fn quick_check(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let rows = sqlx::query("PRAGMA quick_check(5)")
        .fetch_all(connection)
        .await?;
    let told: Vec<String> = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    match told.as_slice() {
        [fine] if fine == "ok" => Ok(()),
        _ => Err(StoreError::Damaged(told.join("; "))),
    }
}

pub(super) fn failed(path: &Path, error: &io::Error) -> StoreError {
    StoreError::File(format!("{}: {error}", path.display()))
}
