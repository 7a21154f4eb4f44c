//! The guest's tables (`storage.wit`): ordered keys, and commits that happen as a whole or not at all.
//!
//! A commit checks the run's fence and the expected values in the same transaction that writes entries and activities:
//! there is no moment between looking and writing. Keys compare by the bytes of UTF-8, which is the order of code points.
//! Beware: sizes are limited before anything is read or written, so that no guest makes the host allocate at will.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Row};
use thiserror::Error;

use super::activities::insert_activities;
use super::records::{number, text, to_json};
use super::room::{counted, within};
use super::{Activity, Fence, Store, StoreError, WriteLock, Writing};

/// What a table of an add-on's holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSize {
    pub table: String,
    pub entries: i64,
    /// Of its values.
    pub characters: i64,
}

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

/// What an entry counts for besides its key and value, so that many small ones are limited too.
const OVERHEAD: i64 = 64;

/// What the selected entries count for: their bytes, and [`OVERHEAD`] for each.
pub(super) const KEPT: &str =
    "CAST(COALESCE(SUM(OCTET_LENGTH(key) + OCTET_LENGTH(value) + 64), 0) AS BIGINT)";

/// The entries that rows of a table and a key name.
const NAMED: &str =
    "g.installation = $1 AND g.collection = w.value ->> 0 AND g.key = w.value ->> 1";

impl Store {
    /// The entries that exist among `keys`, in the order of `keys`.
    pub async fn guest_get(
        &self,
        installation: &str,
        table: &str,
        keys: &[String],
    ) -> Result<Vec<Entry>, StoreError> {
        self.limit("keys of one get", keys.len(), self.limits.items_per_call)?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        // Nothing is stored under what holds NUL, and databases disagree about such a question.
        let can_be = |key: &&String| !table.contains('\0') && !key.contains('\0');
        let named: Vec<_> = keys.iter().filter(can_be).map(|key| (table, key)).collect();
        let sql = format!(
            "SELECT g.key, g.value FROM {} AS w CROSS JOIN guest_entry AS g WHERE {NAMED}",
            self.dialect.rows("$2")
        );
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(installation)
            .bind(to_json(&named));
        // A key that is asked for twice is answered twice, and counts twice.
        let found = self.read_entries("bytes of one get", query).await?;
        let found: BTreeMap<_, _> = found
            .into_iter()
            .map(|entry| (entry.key.clone(), entry))
            .collect();
        Ok(keys
            .iter()
            .filter_map(|key| found.get(key).cloned())
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
        // No key holds NUL: none has such a prefix, and what comes after such a text comes after the part before it.
        if table.contains('\0') || prefix.contains('\0') {
            return Ok(Vec::new());
        }
        let after = after.split('\0').next().unwrap_or_default();
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
        let query = sqlx::query(AssertSqlSafe(page))
            .bind(installation)
            .bind(table)
            .bind(low)
            .bind(i64::from(limit));
        let query = match high.as_deref() {
            Some(high) => query.bind(high),
            None => query,
        };
        self.read_entries("bytes of one scan", query).await
    }

    /// Breaks off once there are more bytes than a call carries; the database may be a few dozen entries ahead then.
    async fn read_entries(
        &self,
        what: &str,
        query: Query<'_, Any, AnyArguments>,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut rows = query.fetch(&self.pool);
        let (mut entries, mut size) = (Vec::new(), 0);
        while let Some(row) = rows.try_next().await? {
            let (key, value): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            size += key.len() + value.len();
            self.limit(what, size, self.limits.bytes_per_call)?;
            entries.push(Entry { key, value });
        }
        Ok(entries)
    }

    /// How much an installation keeps, table by table.
    pub async fn guest_sizes(&self, installation: &str) -> Result<Vec<TableSize>, StoreError> {
        let rows = sqlx::query(
            "SELECT collection, COUNT(*) AS entries, CAST(SUM(LENGTH(value)) AS BIGINT) AS characters \
             FROM guest_entry WHERE installation = $1 GROUP BY collection ORDER BY collection",
        )
        .bind(installation)
        .fetch_all(&self.pool)
        .await?;
        let size = |row: &AnyRow| {
            Ok(TableSize {
                table: text(row, "collection")?,
                entries: number(row, "entries")?,
                characters: number(row, "characters")?,
            })
        };
        rows.iter().map(size).collect()
    }

    /// All of it or none of it; durable once it returns.
    pub async fn guest_commit(
        &self,
        commit: Commit<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), CommitError> {
        self.check_commit(&commit)?;
        let installation = commit.fence.installation.as_str();
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        if !writing.holds(commit.fence).await? {
            return Err(CommitError::Fenced);
        }
        if let Some((table, key)) = writing.conflict(installation, commit.expect).await? {
            return Err(CommitError::Conflict { table, key });
        }
        let grown = writing.apply(installation, commit.changes).await?;
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

impl Writing {
    /// The table and key of an expectation that does not hold.
    async fn conflict(
        &mut self,
        installation: &str,
        expect: &[Change],
    ) -> Result<Option<(String, String)>, StoreError> {
        if expect.is_empty() {
            return Ok(None);
        }
        let sql = format!(
            "SELECT w.value ->> 0, w.value ->> 1 FROM {} AS w LEFT JOIN guest_entry AS g ON {NAMED} \
             WHERE g.value IS DISTINCT FROM w.value ->> 2 ORDER BY 1, 2 LIMIT 1",
            self.dialect.rows("$2")
        );
        let found = sqlx::query(AssertSqlSafe(sql))
            .bind(installation)
            .bind(rows(expect.iter()))
            .fetch_optional(&mut *self.transaction)
            .await?;
        let names = found.map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        names.transpose()
    }

    /// Writes and deletes; answers by how many bytes the tables grew.
    async fn apply(&mut self, installation: &str, changes: &[Change]) -> Result<i64, StoreError> {
        if changes.is_empty() {
            return Ok(0);
        }
        let source = self.dialect.rows("$2");
        let sql = format!(
            "SELECT {KEPT} AS size FROM \
             (SELECT g.key, g.value FROM {source} AS w CROSS JOIN guest_entry AS g WHERE {NAMED}) AS named"
        );
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(installation)
            .bind(rows(changes.iter()))
            .fetch_one(&mut *self.transaction)
            .await?;
        let mut grown = -number(&row, "size")?;
        let (put, gone): (Vec<_>, Vec<_>) =
            changes.iter().partition(|change| change.value.is_some());
        let delete = format!(
            "DELETE FROM guest_entry WHERE installation = $1 AND (collection, key) IN \
             (SELECT w.value ->> 0, w.value ->> 1 FROM {source} AS w)"
        );
        // What an upsert selects from needs a condition in SQLite, so that ON begins no join.
        let upsert = format!(
            "INSERT INTO guest_entry (installation, collection, key, value) \
             SELECT $1, w.value ->> 0, w.value ->> 1, w.value ->> 2 FROM {source} AS w WHERE true \
             ON CONFLICT (installation, collection, key) DO UPDATE SET value = excluded.value"
        );
        for (sql, changes) in [(delete, &gone), (upsert, &put)] {
            if !changes.is_empty() {
                sqlx::query(AssertSqlSafe(sql))
                    .bind(installation)
                    .bind(rows(changes.iter().copied()))
                    .execute(&mut *self.transaction)
                    .await?;
            }
        }
        grown += put.iter().map(|change| change.kept()).sum::<i64>();
        Ok(grown)
    }
}

impl Change {
    /// What an entry with its value counts for.
    fn kept(&self) -> i64 {
        let value = self.value.as_deref().unwrap_or_default();
        (self.key.len() + value.len()) as i64 + OVERHEAD
    }
}

/// As [`Dialect::rows`](super::dialect::Dialect::rows) takes them.
fn rows<'c>(changes: impl Iterator<Item = &'c Change>) -> String {
    let rows = changes.map(|change| (&change.table, &change.key, &change.value));
    to_json(&rows.collect::<Vec<_>>())
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
