//! Whether a database is sound: every page read, every reference followed, every size added up.

use sqlx::{AssertSqlSafe, Row};

use super::copy::schema_tables;
use super::dialect::Dialect;
use super::guest::KEPT;
use super::records::{number, text};
use super::schema::{sqlite_file, with_ending};
use super::{Store, StoreError, files};

impl Store {
    /// Reads all of it; an error says what is wrong and what to do.
    pub async fn check(&self) -> Result<(), StoreError> {
        let mut reading = self.snapshot().await?;
        if self.dialect == Dialect::Sqlite {
            files::quick_check(&mut reading).await?;
            let dangling = sqlx::query("PRAGMA foreign_key_check")
                .fetch_optional(&mut *reading)
                .await?;
            if let Some(row) = dangling {
                let table: String = row.try_get(0)?;
                return Err(StoreError::Damaged(format!(
                    "a row of `{table}` belongs to nothing"
                )));
            }
        }
        for table in schema_tables().await? {
            table.tally(&mut reading).await?;
        }
        let wrong = sqlx::query(AssertSqlSafe(format!(
            "SELECT name, stored_bytes, (SELECT {KEPT} FROM guest_entry WHERE installation = name) AS found FROM installation"
        )))
        .fetch_all(&mut *reading)
        .await?;
        for row in wrong {
            let (told, found) = (number(&row, "stored_bytes")?, number(&row, "found")?);
            if told != found {
                return Err(StoreError::Damaged(format!(
                    "installation `{}` should hold {told} bytes and holds {found}",
                    text(&row, "name")?
                )));
            }
        }
        Ok(())
    }

    /// Whether a SQLite database was not closed when it was used last (or is open now): its host was killed, or the power
    /// failed. That alone harms nothing.
    pub fn was_left_open(url: &str) -> bool {
        let Ok(Some(file)) = sqlite_file(url) else {
            return false;
        };
        let log = with_ending(&file, "-wal");
        std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
    }
}
