//! All rows of a database, carried from one to another, row by row: flat in memory, and counted and digested on the way, so that
//! two databases can be told to hold the same whatever their kind.
//!
//! What tables there are is read from a SQLite file, whose schema is made by the same steps as any other: nothing here has to be
//! changed with the schema. Beware: rows must come in one order from both databases; texts compare by their bytes in both.

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{AnyConnection, Arguments, AssertSqlSafe, Connection, Row};

use super::dialect::Dialect;
use super::records::{number, text};
use super::schema::{STEPS, apply};
use super::{StoreError, files};

#[derive(Debug, Clone)]
pub(super) struct Table {
    pub name: String,
    columns: Vec<(String, Kind)>,
    /// The primary key's columns, in its order.
    key: Vec<String>,
}

/// The three types of column that the schema has.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Number,
    Bytes,
}

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tally {
    pub rows: u64,
    /// SHA-256 in hexadecimal.
    pub digest: String,
}

/// The tables of a SQLite database, those that others refer to first; without the schema's own version.
pub(super) async fn tables(sqlite: &mut AnyConnection) -> Result<Vec<Table>, StoreError> {
    let names = sqlx::query(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('schema_version', 'backup') \
         AND name NOT LIKE 'sqlite%' ORDER BY rowid",
    )
    .fetch_all(&mut *sqlite)
    .await?;
    let mut tables = Vec::new();
    for row in names {
        let name = text(&row, "name")?;
        let rows = sqlx::query("SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid")
            .bind(&name)
            .fetch_all(&mut *sqlite)
            .await?;
        let mut columns = Vec::new();
        let mut key = Vec::new();
        for row in &rows {
            let column = text(row, "name")?;
            let kind = match text(row, "type")?.as_str() {
                "TEXT" => Kind::Text,
                "BIGINT" => Kind::Number,
                "BLOB" => Kind::Bytes,
                other => {
                    return Err(StoreError::Corrupt(format!(
                        "{name}.{column} is of the type {other}"
                    )));
                }
            };
            let place = number(row, "pk")?;
            if place > 0 {
                key.push((place, column.clone()));
            }
            columns.push((column, kind));
        }
        key.sort();
        let key = key.into_iter().map(|(_, column)| column).collect();
        tables.push(Table { name, columns, key });
    }
    Ok(tables)
}

/// The tables of today's schema, whatever the database.
pub(super) async fn schema_tables() -> Result<Vec<Table>, StoreError> {
    let mut memory = files::memory().await?;
    let mut making = memory.begin().await?;
    apply(Dialect::Sqlite, &mut making, STEPS).await?;
    tables(&mut making).await
}

impl Table {
    fn columns(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    }

    fn select(&self) -> AssertSqlSafe<String> {
        AssertSqlSafe(format!(
            "SELECT {} FROM {} ORDER BY {}",
            self.columns(),
            self.name,
            self.key.join(", ")
        ))
    }

    fn insert(&self) -> String {
        let places: Vec<String> = (1..=self.columns.len()).map(|n| format!("${n}")).collect();
        format!(
            "INSERT INTO {} ({}) VALUES ({})",
            self.name,
            self.columns(),
            places.join(", ")
        )
    }

    /// Adds a row to a digest, and makes it the arguments of [`Table::insert`].
    fn take(&self, row: &AnyRow, digest: &mut Sha256) -> Result<AnyArguments, StoreError> {
        let mut arguments = AnyArguments::default();
        for (place, (_, kind)) in self.columns.iter().enumerate() {
            let added = match kind {
                Kind::Text => {
                    let value: Option<String> = row.try_get(place)?;
                    digest_value(digest, value.as_deref().map(str::as_bytes));
                    arguments.add(value)
                }
                Kind::Number => {
                    let value: Option<i64> = row.try_get(place)?;
                    digest_value(
                        digest,
                        value
                            .map(i64::to_be_bytes)
                            .as_ref()
                            .map(<[u8; 8]>::as_slice),
                    );
                    arguments.add(value)
                }
                Kind::Bytes => {
                    let value: Option<Vec<u8>> = row.try_get(place)?;
                    digest_value(digest, value.as_deref());
                    arguments.add(value)
                }
            };
            added.map_err(sqlx::Error::Encode)?;
        }
        Ok(arguments)
    }

    /// Counts and digests what a database holds of it.
    pub async fn tally(&self, database: &mut AnyConnection) -> Result<Tally, StoreError> {
        let (mut rows, mut digest) = (0, Sha256::new());
        let mut found = sqlx::query(self.select()).fetch(database);
        while let Some(row) = found.try_next().await? {
            self.take(&row, &mut digest)?;
            rows += 1;
        }
        Ok(tallied(rows, digest))
    }

    /// Copies all of its rows.
    pub async fn copy(
        &self,
        from: &mut AnyConnection,
        to: &mut AnyConnection,
    ) -> Result<Tally, StoreError> {
        let (mut rows, mut digest) = (0, Sha256::new());
        let insert = self.insert();
        let mut found = sqlx::query(self.select()).fetch(from);
        while let Some(row) = found.try_next().await? {
            let values = self.take(&row, &mut digest)?;
            sqlx::query_with(AssertSqlSafe(insert.clone()), values)
                .execute(&mut *to)
                .await?;
            rows += 1;
        }
        Ok(tallied(rows, digest))
    }
}

/// With its length, so that no two rows of values look the same; absence is not emptiness.
fn digest_value(digest: &mut Sha256, value: Option<&[u8]>) {
    match value {
        None => digest.update([0]),
        Some(bytes) => {
            digest.update([1]);
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        }
    }
}

fn tallied(rows: u64, digest: Sha256) -> Tally {
    Tally {
        rows,
        digest: hex::encode(digest.finalize()),
    }
}
