//! All that differs between SQLite and PostgreSQL. Everything else in this folder is one text for both: `$1` parameters,
//! TEXT, BIGINT and BLOB columns, upserts with ON CONFLICT, RETURNING, OCTET_LENGTH.
//!
//! **Who writes when.** SQLite has one lock for the whole file; BEGIN IMMEDIATE takes it at once, since a transaction that
//! began as a reader could not become a writer while another one writes. On PostgreSQL hosts must not wait for each other
//! where they have nothing in common, so each write transaction names its [`WriteLock`] and begins by taking a transaction-wide
//! advisory lock on it: whatever is read there in order to be written is read under that lock. Row locks would not do, because
//! a lease, bucket or schedule that is not there yet has no row to lock. A transaction takes one such lock, and takes it
//! first; rows that several subjects share are the growing numbers and what an installation keeps in all, which are taken last. So there is no circle to wait
//! in, and at READ COMMITTED nothing that could fail to serialise: nothing has to be tried again. Beware: a new kind of write
//! must find its subject here, and must not touch what belongs to another one.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use url::Url;

use super::StoreError;
use super::open::CONNECTIONS;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// What a write transaction is about. Two transactions of one subject never overlap, in whichever process they are.
#[derive(Debug, Clone, Copy)]
pub(super) enum WriteLock<'a> {
    /// Schema, backup and restore.
    Schema,
    /// Whether the database is the one that was written to last.
    Continuity,
    /// Packages, versions, and which installations use them.
    Addons,
    /// Accounts and sessions.
    Accounts,
    /// Who is told of troubles, and what was told.
    Alerts,
    /// Which master key is in use, and all that is sealed with it.
    MasterKey,
    /// Everything under an installation that is not one of its runs' alone: lease, guest's tables, settings, schedule.
    Installation(&'a str),
    /// Progress, log and reports of one run.
    Run(i64),
    Bucket(&'a str),
    Nonce(&'a str),
}

/// How long a writer waits for another process before it gives up.
pub(super) const PATIENCE_MS: u32 = 10_000;

/// Parameters of a PostgreSQL address that are known; any other would be logged with its value, which may be a password.
const PARAMETERS: [&str; 14] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "application_name",
    CONNECTIONS,
];

/// What PostgreSQL is told, whatever the server's, the database's and the user's defaults are. A connection is told when it is opened, and each
/// transaction again, for itself: behind a pooler its statements may come over another connection of the server's.
const SETTINGS: [(&str, &str); 5] = [
    // An intent that a power cut takes back would be sent twice.
    ("synchronous_commit", "'on'"),
    ("lock_timeout", "'10s'"),
    // A host that hangs or is cut off in the middle of a transaction does not hold its locks for ever.
    ("idle_in_transaction_session_timeout", "'30s'"),
    // A statement's time-out would end a commit's wait for the standby, and call it done.
    ("statement_timeout", "0"),
    ("client_min_messages", "'warning'"),
];

impl Dialect {
    /// Of a database's address. What is wrong with one is said without repeating it: it may hold a password.
    pub fn of(url: &str) -> Result<Self, StoreError> {
        match url.split(':').next().unwrap_or_default() {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" | "postgresql" => {
                let url: Url = url
                    .parse()
                    .map_err(|error: url::ParseError| StoreError::Address(error.to_string()))?;
                match url
                    .query_pairs()
                    .find(|(key, _)| !PARAMETERS.contains(&key.as_ref()))
                {
                    Some((key, _)) => Err(StoreError::Address(format!(
                        "its parameter `{key}` is not one of {}; a password stands before the @, in PGPASSWORD or in ~/.pgpass",
                        PARAMETERS.join(", ")
                    ))),
                    None => Ok(Self::Postgres),
                }
            }
            kind => Err(StoreError::UnknownDatabase(format!("`{kind}:…`"))),
        }
    }

    /// What every new connection is told.
    pub fn session(self) -> Vec<Cow<'static, str>> {
        match self {
            Self::Sqlite => vec![
                // First: switching to WAL itself needs a lock.
                format!("PRAGMA busy_timeout = {PATIENCE_MS}").into(),
                // Readers and the writer do not wait for each other, and a commit is one write at the end of one file.
                "PRAGMA journal_mode = WAL".into(),
                // A commit is on the disk when it returns: an intent that a power cut takes back would be sent twice.
                "PRAGMA synchronous = FULL".into(),
                // Where a long reader (a backup) made the log grow, the disk gets the room back.
                "PRAGMA journal_size_limit = 67108864".into(),
                "PRAGMA foreign_keys = ON".into(),
                // What is deleted, sealed secrets included, does not linger in free pages.
                "PRAGMA secure_delete = ON".into(),
                // Damage is found where it is read, and not passed on; a schema that somebody planted calls nothing.
                "PRAGMA cell_size_check = ON".into(),
                "PRAGMA trusted_schema = OFF".into(),
            ],
            Self::Postgres => SETTINGS
                .iter()
                // Each statement sees what was committed before it.
                .chain(&[("default_transaction_isolation", "'read committed'")])
                .map(|(name, value)| format!("SET {name} = {value}").into())
                .collect(),
        }
    }

    /// Begins a write transaction.
    pub fn begin(self, subject: WriteLock<'_>) -> String {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE".to_owned(),
            // One round trip. The key is the same in every host of every version.
            Self::Postgres => format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED; {}SELECT pg_advisory_xact_lock({})",
                settings_of_a_transaction(),
                subject.key()
            ),
        }
    }

    /// Begins a transaction that sees one state of the database, and writes nothing.
    pub fn begin_snapshot(self) -> String {
        match self {
            Self::Sqlite => "BEGIN".to_owned(),
            Self::Postgres => format!(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {}",
                settings_of_a_transaction()
            ),
        }
    }

    /// Within a write transaction: waits for those who write to a table, and keeps others from it until the end. SQLite has one
    /// writer at a time anyway.
    pub fn lock_writers(self, table: &str) -> Option<String> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")),
        }
    }

    /// A table expression of many rows that one parameter carries: a JSON array of arrays. Its column `value` is one of them, and
    /// `value ->> N` the text at a place in it.
    pub fn rows(self, parameter: &str) -> String {
        match self {
            Self::Sqlite => format!("json_each({parameter})"),
            Self::Postgres => format!("json_array_elements(CAST({parameter} AS json))"),
        }
    }

    /// A step of the schema, which is written in SQLite's words. PostgreSQL compares texts by the rules of a language where
    /// it is not told otherwise; keys must compare by their bytes.
    pub fn schema(self, step: &'static str) -> Cow<'static, str> {
        match self {
            Self::Sqlite => step.into(),
            Self::Postgres => step
                .replace(" TEXT", " TEXT COLLATE \"C\"")
                .replace(" BLOB", " BYTEA")
                .into(),
        }
    }

    /// One number: whether a table is there.
    pub fn count_of_table(self, table: &str) -> String {
        let mut sql = "SELECT COUNT(*) FROM ".to_owned();
        let answer = match self {
            Self::Sqlite => write!(
                sql,
                "sqlite_master WHERE type = 'table' AND name = '{table}'"
            ),
            Self::Postgres => write!(
                sql,
                "information_schema.tables WHERE table_schema = current_schema() AND table_name = '{table}'"
            ),
        };
        answer.expect("writing to a String cannot fail");
        sql
    }
}

fn settings_of_a_transaction() -> String {
    let statements = SETTINGS.map(|(name, value)| format!("SET LOCAL {name} = {value}; "));
    statements.concat()
}

impl WriteLock<'_> {
    /// The number that PostgreSQL locks. Two subjects that share one by chance wait for each other, and nothing worse.
    fn key(self) -> i64 {
        let text = match self {
            Self::Schema => "schema".to_owned(),
            Self::Continuity => "continuity".to_owned(),
            Self::Addons => "addons".to_owned(),
            Self::Accounts => "accounts".to_owned(),
            Self::Alerts => "alerts".to_owned(),
            Self::MasterKey => "master key".to_owned(),
            Self::Installation(name) => format!("installation {name}"),
            Self::Run(id) => format!("run {id}"),
            Self::Bucket(key) => format!("bucket {key}"),
            Self::Nonce(key) => format!("nonce {key}"),
        };
        let digest = Sha256::digest(format!("addon-host {text}"));
        let (head, _) = digest
            .split_first_chunk::<8>()
            .expect("a digest has 32 bytes");
        i64::from_be_bytes(*head)
    }
}
