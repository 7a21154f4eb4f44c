//! Backups: one format for both databases, so that one can be moved to the other. A backup is a SQLite file with the tables of the
//! schema that it was taken at, and a table `backup` that says what it is and what each table must hold.
//!
//! It is taken from one snapshot while hosts work on, and read back before it gets its name. Secrets are in it as the vault sealed
//! them; the master key is not, and must be kept elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, Connection, Executor};

use super::copy::{Table, Tally, tables};
use super::dialect::Dialect;
use super::master_key::current_key;
use super::records::{instant_from, millis, text};
use super::schema::{STEPS, apply};
use super::{Store, StoreError, files};

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Version of the schema that its tables have.
    pub schema: i64,
    /// Of the host that wrote it.
    pub host_version: String,
    pub taken_at: DateTime<Utc>,
    /// `SQLite` or `PostgreSQL`
    pub database: String,
    /// Rows, by table.
    pub rows: BTreeMap<String, u64>,
    /// Of the contents, whatever database they came from.
    pub checksum: String,
    /// The id of the master key that opens its secrets; `None`: there are none, or it is from before keys had ids.
    pub master_key: Option<String>,
}

impl Store {
    /// Writes a backup of one moment, beside everything else that goes on. `replace`: a file of that name may be there.
    pub async fn backup(
        &self,
        file: &Path,
        now: DateTime<Utc>,
        replace: bool,
    ) -> Result<Backup, StoreError> {
        if !replace && file.exists() {
            return Err(StoreError::Exists {
                what: "file",
                name: file.display().to_string(),
            });
        }
        let written = files::temporary(file)?;
        let answer = self.write_backup(&written, now).await;
        let backup = match answer {
            Ok(()) => read(&written).await,
            Err(error) => Err(error),
        };
        if backup.is_ok() {
            files::put(&written, file)?;
        } else {
            // What is left of it helps nobody; the error says why it failed.
            let _ = std::fs::remove_file(&written);
        }
        backup
    }

    async fn write_backup(&self, file: &Path, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut source = self.snapshot().await?;
        let mut target = new_file(file).await?;
        let mut writing = target.begin().await?;
        apply(Dialect::Sqlite, &mut writing, STEPS).await?;
        let mut facts = BTreeMap::from([
            ("schema".to_owned(), STEPS.len().to_string()),
            ("host".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("taken".to_owned(), millis(now).to_string()),
            (
                "database".to_owned(),
                match self.dialect {
                    Dialect::Sqlite => "SQLite",
                    Dialect::Postgres => "PostgreSQL",
                }
                .to_owned(),
            ),
        ]);
        for table in tables(&mut writing).await? {
            let Tally { rows, digest } = table.copy(&mut source, &mut writing).await?;
            facts.insert(format!("table {}", table.name), format!("{rows} {digest}"));
        }
        facts.insert("checksum".to_owned(), checksum(&facts));
        writing
            .execute("CREATE TABLE backup (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)")
            .await?;
        for (name, value) in facts {
            sqlx::query("INSERT INTO backup (name, value) VALUES ($1, $2)")
                .bind(name)
                .bind(value)
                .execute(&mut *writing)
                .await?;
        }
        writing.commit().await?;
        Ok(target.close().await?)
    }
}

/// A new SQLite file, to be filled in one go: it is thrown away unless that works.
pub(super) async fn new_file(file: &Path) -> Result<AnyConnection, StoreError> {
    let mut connection = files::open(file).await?;
    for pragma in [
        "PRAGMA journal_mode = OFF",
        "PRAGMA synchronous = OFF",
        "PRAGMA foreign_keys = OFF",
    ] {
        connection.execute(pragma).await?;
    }
    Ok(connection)
}

/// Of what was taken of each table; when and from where it was taken is none of the contents.
fn checksum(facts: &BTreeMap<String, String>) -> String {
    let mut digest = Sha256::new();
    for (name, value) in facts {
        if name == "schema" || name.starts_with("table ") {
            digest.update(format!("{name}={value}\n"));
        }
    }
    hex::encode(digest.finalize())
}

/// Reads a backup to its end, and compares it with what it says of itself.
pub async fn read(file: &Path) -> Result<Backup, StoreError> {
    if !file.is_file() {
        return Err(StoreError::Missing {
            what: "file",
            name: file.display().to_string(),
        });
    }
    let mut connection = files::open(file).await?;
    let answer = read_open(&mut connection).await;
    connection.close().await?;
    answer.map_err(|error| match error {
        // Nobody's database is damaged, only this file.
        StoreError::Damaged(why) => StoreError::BadBackup(why),
        other => other,
    })
}

async fn read_open(connection: &mut AnyConnection) -> Result<Backup, StoreError> {
    let bad = |why: &str| StoreError::BadBackup(why.to_owned());
    let facts = sqlx::query("SELECT name, value FROM backup")
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| match StoreError::from(error) {
            StoreError::Database(error) => bad(&format!("it is none of this host's: {error}")),
            other => other,
        })?;
    let facts: BTreeMap<String, String> = facts
        .iter()
        .map(|row| Ok((text(row, "name")?, text(row, "value")?)))
        .collect::<Result<_, StoreError>>()?;
    let fact = |name: &str| {
        facts
            .get(name)
            .ok_or_else(|| bad(&format!("`{name}` is missing")))
    };
    let whole = |name: &str| -> Result<i64, StoreError> {
        fact(name)?
            .parse()
            .map_err(|_| bad(&format!("`{name}` is no number")))
    };
    let (schema, known) = (whole("schema")?, STEPS.len() as i64);
    if schema > known {
        return Err(StoreError::NewerSchema {
            found: schema,
            known,
        });
    }
    files::quick_check(connection).await?;
    let mut rows = BTreeMap::new();
    for table in tables(connection).await? {
        let Tally {
            rows: found,
            digest,
        } = table.tally(connection).await?;
        if *fact(&format!("table {}", table.name))? != format!("{found} {digest}") {
            return Err(bad(&format!(
                "the table `{}` is not what it was",
                table.name
            )));
        }
        rows.insert(table.name, found);
    }
    if rows.len()
        != facts
            .keys()
            .filter(|name| name.starts_with("table "))
            .count()
    {
        return Err(bad("a table is missing"));
    }
    let checksum = checksum(&facts);
    if *fact("checksum")? != checksum {
        return Err(bad("its checksum is another"));
    }
    let master_key = match rows.contains_key("master_key") {
        true => current_key(connection).await?,
        false => None,
    };
    Ok(Backup {
        schema,
        host_version: fact("host")?.clone(),
        taken_at: instant_from(whole("taken")?)?,
        database: fact("database")?.clone(),
        rows,
        checksum,
        master_key,
    })
}

/// Copies all tables of one database into another that has the same ones, empty.
pub(super) async fn copy_all(
    tables: &[Table],
    from: &mut AnyConnection,
    to: &mut AnyConnection,
) -> Result<(), StoreError> {
    for table in tables {
        table.copy(from, to).await?;
    }
    Ok(())
}
