//! What can go wrong with the database, by what can be done about it. The text names the cure.
//!
//! Both databases' codes are told apart by their form: SQLite's are numbers, PostgreSQL's have five characters.

use thiserror::Error;

#[derive(Debug, Error)]
pub enum StoreError {
    #[error("the database answers with an error: {0}")]
    Database(sqlx::Error),
    /// Nothing was written. Whatever was to be written may be tried again.
    #[error(
        "the database was locked by another process for too long, and nothing was written ({0}): end the program that \
         holds it (a database browser, a copy of the file under way, a host that hangs), and try again"
    )]
    Busy(sqlx::Error),
    /// Nothing was written.
    #[error(
        "there is no room left for the database, and nothing was written ({0}): make room on its disk, and try again; \
         nothing else has to be repaired"
    )]
    DiskFull(sqlx::Error),
    #[error(
        "the database is damaged ({0}): stop the host, keep a copy of the database for support, and put the latest \
         backup back with `addon-host restore FILE --force`"
    )]
    Damaged(String),
    #[error("the database cannot be reached: {0}")]
    Unreachable(sqlx::Error),
    #[error(
        "no database can be opened at {0}: use `sqlite:///path/to/file.db` or `postgres://user@server/database`"
    )]
    UnknownDatabase(String),
    #[error("the address of the database cannot be used: {0}")]
    Address(String),
    #[error(
        "the database was written by a newer host (schema {found}, this host knows {known}): use that host's version"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error("this is no backup that can be put back: {0}; use another one")]
    BadBackup(String),
    #[error("a file cannot be used: {0}")]
    File(String),
    #[error("there is no {what} `{name}`")]
    Missing { what: &'static str, name: String },
    #[error("the {what} `{name}` is there already")]
    Exists { what: &'static str, name: String },
    #[error("{what} `{name}` is in use: {by}")]
    InUse {
        what: &'static str,
        name: String,
        by: String,
    },
    /// Nothing was written.
    #[error(
        "the master key was changed meanwhile: this was sealed with {with}, and {in_use} is in use; try again"
    )]
    OldKey { with: String, in_use: String },
    #[error("the call would exceed a limit: {0}")]
    Limit(String),
    /// PostgreSQL has no such texts; whoever asks for one asks for nothing that there is.
    #[error("a text holds a NUL character: leave it out")]
    Nul,
    #[error("the database holds something that this host did not write: {0}")]
    Corrupt(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(database) => database.code().unwrap_or_default().into_owned(),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut => {
                return Self::Unreachable(error);
            }
            _ => String::new(),
        };
        // SQLite's extended codes carry the plain one in their lowest byte (sqlite.org, Result and Error Codes).
        let sqlite = match code.len() {
            5 => None,
            _ => code.parse::<u32>().ok().map(|code| code & 0xff),
        };
        match (sqlite, code.as_str()) {
            // SQLITE_BUSY and SQLITE_LOCKED; lock_not_available, deadlock_detected, serialization_failure
            (Some(5 | 6), _) | (_, "55P03" | "40P01" | "40001") => Self::Busy(error),
            // SQLITE_FULL; disk_full
            (Some(13), _) | (_, "53100") => Self::DiskFull(error),
            // SQLITE_CORRUPT and SQLITE_NOTADB; data_corrupted and index_corrupted
            (Some(11 | 26), _) | (_, "XX001" | "XX002") => Self::Damaged(error.to_string()),
            // SQLITE_CANTOPEN; connections refused for a password, a role, a database, or because the server ends or is full
            (Some(14), _)
            | (_, "28000" | "28P01" | "3D000" | "57P01" | "57P02" | "57P03" | "53300") => {
                Self::Unreachable(error)
            }
            // character_not_in_repertoire: texts of this program are UTF-8, so it is a NUL
            (_, "22021") => Self::Nul,
            _ => Self::Database(error),
        }
    }
}
