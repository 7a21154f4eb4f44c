//! What can go wrong with the database, by what can be done about it. The text names the cure.
//!
//! Both databases' codes are told apart by their form: SQLite's are numbers, PostgreSQL's have five characters.

use thiserror::Error;

/// What a server calls a statement that was prepared on another one of its connections, and one that is there already.
const POOLED: [&str; 2] = ["26000", "42P05"];

/// A pooler's words for a parameter that it does not know (PgBouncer, `src/client.c`).
const UNKNOWN_PARAMETER: &str = "unsupported startup parameter";

#[derive(Debug, Error)]
pub enum StoreError {
    #[error("the database answers with an error: {}", said(.0))]
    Database(sqlx::Error),
    /// Nothing was written. Whatever was to be written may be tried again.
    #[error(
        "the database was locked by another process for too long, and nothing was written ({}): end the program that \
         holds it (a database browser, a copy of the file under way, a host that hangs), and try again", said(.0)
    )]
    Busy(sqlx::Error),
    /// Nothing was written.
    #[error(
        "there is no room left for the database, and nothing was written ({}): make room on its disk, and try again; \
         nothing else has to be repaired", said(.0)
    )]
    DiskFull(sqlx::Error),
    #[error(
        "the database is damaged ({0}): stop the host, keep a copy of the database for support, and put the latest \
         backup back with `addon-host restore FILE --force`"
    )]
    Damaged(String),
    #[error("the database cannot be reached: {}", said(.0))]
    Unreachable(sqlx::Error),
    #[error(
        "the database gives this user no more connections ({}): end what else uses them, allow it more, or have each host use fewer: \
         `?connections=3` at the end of its address, two at least", said(.0)
    )]
    NoConnections(sqlx::Error),
    #[error(
        "the database allows this user {0} connections, and a host needs two: allow it more (ALTER ROLE … CONNECTION LIMIT …)"
    )]
    FewConnections(u32),
    /// Whether it was written is not known.
    #[error(
        "the database server does not confirm what was written, within 30 s: if it waits for a synchronous standby that is gone, bring \
         that back, or take it out of synchronous_standby_names"
    )]
    Unconfirmed,
    /// Nothing was written.
    #[error(
        "the database cannot be written ({}): SQLite's file and its folder have to belong to the user that the host runs as, on a disk \
         that may be written; with PostgreSQL connect to the primary server, not to a standby", said(.0)
    )]
    ReadOnly(sqlx::Error),
    #[error(
        "the database's user may not do that ({}): let the user own the database and its schema (ALTER DATABASE … OWNER TO …, \
         ALTER SCHEMA public OWNER TO …)", said(.0)
    )]
    Denied(sqlx::Error),
    #[error(
        "the database server ended a statement before its time ({}): give the database's user a longer statement_timeout \
         (ALTER ROLE … SET statement_timeout = 0), and try again", said(.0)
    )]
    Ended(sqlx::Error),
    #[error(
        "the database has the encoding {0}, which does not hold every name: make one with UTF8 (CREATE DATABASE … ENCODING 'UTF8' \
         TEMPLATE template0)"
    )]
    Encoding(String),
    #[error(
        "a pooler stands before the database, and does not fit ({}): have PgBouncer ignore what it does not know \
         (ignore_startup_parameters = extra_float_digits), and pool sessions, or, from version 1.21 on, transactions with \
         max_prepared_statements above 0", said(.0)
    )]
    Pooler(sqlx::Error),
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
    /// Of an account: somebody has to be able to let others in.
    #[error(
        "without `{0}` nobody would administer this host: make an account with the role `administer` first"
    )]
    Leaderless(String),
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
            (Some(11 | 26), _) | (_, "XX001" | "XX002") => Self::Damaged(said(&error)),
            // SQLITE_CANTOPEN; connections refused for a password, a role, a database, or because the server ends
            (Some(14), _) | (_, "28000" | "28P01" | "3D000" | "57P01" | "57P02" | "57P03") => {
                Self::Unreachable(error)
            }
            // too_many_connections
            (_, "53300") => Self::NoConnections(error),
            // SQLITE_READONLY; read_only_sql_transaction
            (Some(8), _) | (_, "25006") => Self::ReadOnly(error),
            // SQLITE_PERM; insufficient_privilege, and no schema that the user may use
            (Some(3), _) | (_, "42501" | "3F000") => Self::Denied(error),
            // query_canceled
            (_, "57014") => Self::Ended(error),
            (_, code) if POOLED.contains(&code) => Self::Pooler(error),
            _ if said(&error).contains(UNKNOWN_PARAMETER) => Self::Pooler(error),
            // character_not_in_repertoire: texts of this program are UTF-8, so it is a NUL
            (_, "22021") => Self::Nul,
            _ => Self::Database(error),
        }
    }
}

/// What the database itself says, without the driver's words around it.
fn said(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => database.message().to_owned(),
        error => error.to_string(),
    }
}
