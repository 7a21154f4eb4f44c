//! The guest's tables (`storage.wit`): ordered keys, and commits that happen as a whole or not at all.
//!
//! A commit checks the run's fence and the expected values in the same transaction that writes entries and activities:
//! there is no moment between looking and writing. Keys compare by the bytes of UTF-8, which is the order of code points.
//! The trap: sizes are limited before anything is read or written, so that no guest makes the host allocate at will.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use sqlx::{Any, AssertSqlSafe, Row, Transaction};
use thiserror::Error;

use super::activities::insert_activities;
use super::records::number;
use super::room::{counted, within};
use super::{Activity, Fence, Store, StoreError, Subject};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: String,
}

/// A value to write or to expect; none means absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub table: String,
    pub key: String,
    pub value: Option<String>,
}

/// What one call of `commit` asks for.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// The lease of the run that commits; names the installation too.
    pub fence: &'a Fence,
    pub expect: &'a [Change],
    pub changes: &'a [Change],
    pub activities: &'a [Activity],
    /// Of everything that the installation keeps: in its tables, and as told by its runs.
    pub most_bytes: u64,
}

#[derive(Debug, Error)]
pub enum CommitError {
    #[error("another value stands in table `{table}` under `{key}`: read again and decide anew")]
    Conflict { table: String, key: String },
    #[error("this run lost its lease; another run works on the installation")]
    Fenced,
    #[error(
        "the installation's storage is full ({limit} bytes): `addon-host limits` shows and changes `stored-mib`, and with it how \
         much it may keep"
    )]
    Full { limit: u64 },
    #[error(
        "the disk of the host's database has {free_mib} MiB left, and add-ons leave {floor_mib} MiB free on it: make room there; \
         nothing was written, and nothing has to be repaired"
    )]
    Disk { free_mib: u64, floor_mib: u64 },
    /// The call itself makes no sense; the text says why.
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for CommitError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Sizes that a guest cannot exceed; bytes, except where the name says otherwise.
#[derive(Debug, Clone)]
pub struct GuestLimits {
    pub table_name: usize,
    pub key: usize,
    pub value: usize,
    /// Keys of one `get`; expectations, changes and activities together of one `commit`.
    pub items_per_call: usize,
    /// Keys and values that one call carries in or out.
    pub bytes_per_call: usize,
}

impl Default for GuestLimits {
    fn default() -> Self {
        Self {
            table_name: 64,
            key: 512,
            value: 1 << 20,
            items_per_call: 10_000,
            bytes_per_call: 16 << 20,
        }
    }
}

/// Keys that one statement names. Shorter lists repeat their first key, so that there is one statement to prepare.
const KEYS_PER_STATEMENT: usize = 64;

/// `… WHERE installation = $1 AND collection = $2 AND key IN ($3, …)`
fn by_keys(head: &str) -> String {
    let mut sql = format!(
        "{head} FROM guest_entry WHERE installation = $1 AND collection = $2 AND key IN ($3"
    );
    for parameter in 4..3 + KEYS_PER_STATEMENT {
        write!(sql, ", ${parameter}").expect("writing to a String cannot fail");
    }
    sql.push(')');
    sql
}

static SELECT_BY_KEYS: LazyLock<String> = LazyLock::new(|| by_keys("SELECT key, value"));
static DELETE_BY_KEYS: LazyLock<String> = LazyLock::new(|| by_keys("DELETE"));
static SIZE_BY_KEYS: LazyLock<String> =
    LazyLock::new(|| by_keys(&format!("SELECT {SIZE} AS size")));
static KEPT_BY_KEYS: LazyLock<String> =
    LazyLock::new(|| by_keys(&format!("SELECT {KEPT} AS size")));

/// Bytes of the selected entries.
const SIZE: &str = "CAST(COALESCE(SUM(OCTET_LENGTH(key) + OCTET_LENGTH(value)), 0) AS BIGINT)";

/// What an entry counts for besides its key and value, so that many small ones are limited too.
const OVERHEAD: i64 = 64;

/// What the selected entries count for: their bytes, and [`OVERHEAD`] for each.
pub(super) const KEPT: &str =
    "CAST(COALESCE(SUM(OCTET_LENGTH(key) + OCTET_LENGTH(value) + 64), 0) AS BIGINT)";

/// One of the three statements above, for up to [`KEYS_PER_STATEMENT`] keys.
fn keyed<'q>(
    sql: &'static str,
    installation: &'q str,
    table: &'q str,
    keys: &[&'q str],
) -> sqlx::query::Query<'q, Any, sqlx::any::AnyArguments> {
    let padding = KEYS_PER_STATEMENT - keys.len();
    let padded = keys.iter().chain(std::iter::repeat_n(&keys[0], padding));
    padded.fold(
        sqlx::query(sql).bind(installation).bind(table),
        |query, key| query.bind(*key),
    )
}

impl Store {
    /// The entries that exist among `keys`, in the order of `keys`.
    pub async fn guest_get(
        &self,
        installation: &str,
        table: &str,
        keys: &[String],
    ) -> Result<Vec<Entry>, StoreError> {
        self.limit("keys of one get", keys.len(), self.limits.items_per_call)?;
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut reading = self.snapshot().await?;
        let found = self
            .read_keys(&mut reading, installation, table, &keys)
            .await?;
        // A key that is asked for twice is answered twice, and counts twice.
        let size = |key: &&str| found.get(*key).map_or(0, |value| key.len() + value.len());
        self.limit(
            "bytes of one get",
            keys.iter().map(size).sum(),
            self.limits.bytes_per_call,
        )?;
        Ok(keys
            .iter()
            .filter_map(|key| {
                found.get(*key).map(|value| Entry {
                    key: (*key).to_owned(),
                    value: value.clone(),
                })
            })
            .collect())
    }

    /// Entries whose key starts with `prefix` and is greater than `after`, in byte order, at most `limit`.
    pub async fn guest_scan(
        &self,
        installation: &str,
        table: &str,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        // Keys are never empty, so `> ''` is every key.
        let (comparison, low) = if prefix > after {
            (">=", prefix)
        } else {
            (">", after)
        };
        let high = successor(prefix);
        let below = if high.is_some() { "AND key < $5" } else { "" };
        let page = format!(
            "SELECT key, value FROM guest_entry WHERE installation = $1 AND collection = $2 \
             AND key {comparison} $3 {below} ORDER BY key LIMIT $4"
        );
        let mut reading = self.snapshot().await?;
        let bound = |sql: String| {
            let query = sqlx::query(AssertSqlSafe(sql))
                .bind(installation)
                .bind(table)
                .bind(low)
                .bind(i64::from(limit));
            match high.as_deref() {
                Some(high) => query.bind(high),
                None => query,
            }
        };
        let size = bound(format!("SELECT {SIZE} AS size FROM ({page}) AS page"))
            .fetch_one(&mut *reading)
            .await?;
        self.limit(
            "bytes of one scan",
            read_size(&size)?,
            self.limits.bytes_per_call,
        )?;
        let rows = bound(page).fetch_all(&mut *reading).await?;
        rows.iter()
            .map(|row| {
                Ok(Entry {
                    key: row.try_get("key")?,
                    value: row.try_get("value")?,
                })
            })
            .collect()
    }

    /// All of it or none of it; durable once it returns.
    pub async fn guest_commit(
        &self,
        commit: Commit<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), CommitError> {
        self.check_commit(&commit)?;
        let installation = commit.fence.installation.as_str();
        let mut writing = self.write(Subject::Installation(installation)).await?;
        if !writing.holds(commit.fence).await? {
            return Err(CommitError::Fenced);
        }
        for (table, expected) in by_table(commit.expect) {
            let keys: Vec<&str> = expected.iter().map(|change| change.key.as_str()).collect();
            let found = self
                .read_keys(&mut writing.transaction, installation, table, &keys)
                .await?;
            for change in expected {
                if found.get(change.key.as_str()) != change.value.as_ref() {
                    return Err(CommitError::Conflict {
                        table: table.to_owned(),
                        key: change.key.clone(),
                    });
                }
            }
        }
        let mut grown = 0_i64;
        for (table, changes) in by_table(commit.changes) {
            grown += apply(&mut writing.transaction, installation, table, &changes).await?;
        }
        let told = counted(commit.activities.iter().map(Activity::kept).sum());
        let row = sqlx::query(
            "UPDATE installation SET stored_bytes = stored_bytes + $2, told_bytes = told_bytes + $3 WHERE name = $1 \
             RETURNING stored_bytes + told_bytes AS kept",
        )
        .bind(installation)
        .bind(grown)
        .bind(told)
        .fetch_one(&mut *writing.transaction)
        .await?;
        // A commit that shrinks is welcome also above the limit (which may have been lowered).
        if grown + told > 0 {
            within(number(&row, "kept")?, commit.most_bytes)?;
            self.disk_has_room()?;
        }
        insert_activities(
            &mut writing,
            installation,
            Some(commit.fence.run),
            commit.activities,
            now,
        )
        .await?;
        Ok(writing.commit().await?)
    }

    async fn read_keys(
        &self,
        reading: &mut Transaction<'_, Any>,
        installation: &str,
        table: &str,
        keys: &[&str],
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let mut size = 0;
        for chunk in keys.chunks(KEYS_PER_STATEMENT) {
            let row = keyed(&SIZE_BY_KEYS, installation, table, chunk)
                .fetch_one(&mut **reading)
                .await?;
            size += read_size(&row)?;
        }
        self.limit("bytes of one get", size, self.limits.bytes_per_call)?;
        let mut found = BTreeMap::new();
        for chunk in keys.chunks(KEYS_PER_STATEMENT) {
            for row in keyed(&SELECT_BY_KEYS, installation, table, chunk)
                .fetch_all(&mut **reading)
                .await?
            {
                found.insert(row.try_get("key")?, row.try_get("value")?);
            }
        }
        Ok(found)
    }

    fn check_commit(&self, commit: &Commit<'_>) -> Result<(), CommitError> {
        let items = commit.expect.len() + commit.changes.len() + commit.activities.len();
        self.limit("items of one commit", items, self.limits.items_per_call)?;
        let mut bytes = commit.activities.iter().map(Activity::size).sum::<usize>();
        for change in commit.expect.iter().chain(commit.changes) {
            let Change { table, key, value } = change;
            let value = value.as_deref().unwrap_or_default();
            if table.is_empty() || key.is_empty() {
                return Err(CommitError::Invalid(
                    "tables and keys have names: an empty one was given".to_owned(),
                ));
            }
            if [table, key, value].iter().any(|text| text.contains('\0')) {
                return Err(CommitError::Invalid(format!(
                    "`{}` holds a NUL character",
                    key.escape_debug()
                )));
            }
            self.limit(
                "bytes of a table's name",
                table.len(),
                self.limits.table_name,
            )?;
            self.limit("bytes of a key", key.len(), self.limits.key)?;
            self.limit("bytes of a value", value.len(), self.limits.value)?;
            bytes += key.len() + value.len();
        }
        self.limit("bytes of one commit", bytes, self.limits.bytes_per_call)?;
        let mut seen = BTreeSet::new();
        match commit
            .changes
            .iter()
            .find(|change| !seen.insert((&change.table, &change.key)))
        {
            Some(Change { table, key, .. }) => Err(CommitError::Invalid(format!(
                "table `{table}`: `{key}` is changed twice in one commit"
            ))),
            None => Ok(()),
        }
    }

    fn limit(&self, what: &str, found: usize, most: usize) -> Result<(), StoreError> {
        if found > most {
            Err(StoreError::Limit(format!(
                "{what}: {found}, at most {most}"
            )))
        } else {
            Ok(())
        }
    }
}

/// Writes and deletes in one table; answers by how many bytes it grew.
async fn apply(
    transaction: &mut Transaction<'_, Any>,
    installation: &str,
    table: &str,
    changes: &[&Change],
) -> Result<i64, StoreError> {
    let mut grown = 0_i64;
    for chunk in changes.chunks(KEYS_PER_STATEMENT) {
        let keys: Vec<&str> = chunk.iter().map(|change| change.key.as_str()).collect();
        let row = keyed(&KEPT_BY_KEYS, installation, table, &keys)
            .fetch_one(&mut **transaction)
            .await?;
        grown -= number(&row, "size")?;
        let gone: Vec<&str> = chunk
            .iter()
            .filter(|c| c.value.is_none())
            .map(|c| c.key.as_str())
            .collect();
        if !gone.is_empty() {
            keyed(&DELETE_BY_KEYS, installation, table, &gone)
                .execute(&mut **transaction)
                .await?;
        }
        for change in chunk {
            let Some(value) = &change.value else { continue };
            sqlx::query(
                "INSERT INTO guest_entry (installation, collection, key, value) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (installation, collection, key) DO UPDATE SET value = $4",
            )
            .bind(installation)
            .bind(table)
            .bind(&change.key)
            .bind(value)
            .execute(&mut **transaction)
            .await?;
            grown += (change.key.len() + value.len()) as i64 + OVERHEAD;
        }
    }
    Ok(grown)
}

fn by_table(changes: &[Change]) -> BTreeMap<&str, Vec<&Change>> {
    let mut tables: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        tables.entry(&change.table).or_default().push(change);
    }
    tables
}

fn read_size(row: &sqlx::any::AnyRow) -> Result<usize, StoreError> {
    let size = number(row, "size")?;
    usize::try_from(size).map_err(|_| StoreError::Corrupt(format!("a size of {size} bytes")))
}

/// The smallest text that is greater than every text with this prefix; none where there is none.
fn successor(prefix: &str) -> Option<String> {
    let mut head = prefix.to_owned();
    while let Some(last) = head.pop() {
        // Ranges of char step over the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            head.push(next);
            return Some(head);
        }
    }
    None
}
