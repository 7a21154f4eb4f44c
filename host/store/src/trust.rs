//! The keys whose signatures are believed, for all that use the database.

use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;

use super::records::{instant, millis, text};
use super::{Author, Store, StoreError, WriteLock, Writing};

/// As people call it.
const KEY: &str = "trusted key";

#[derive(Debug, Clone)]
pub struct TrustedKey {
    /// Sixteen hexadecimal digits, as minisign shows it.
    pub id: String,
    /// The line that is handed around.
    pub public_key: String,
    /// What the operator calls its owner.
    pub name: String,
    pub added_at: DateTime<Utc>,
    pub added_by: String,
}

impl Store {
    /// Trusts a key from now on; one that is trusted already gets the new name.
    pub async fn trust(&self, key: &TrustedKey) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Addons).await?;
        let before = name_of(&mut writing, &key.id).await?;
        sqlx::query(
            "INSERT INTO trusted_key (id, public_key, name, added_at, added_by) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (id) DO UPDATE SET public_key = $2, name = $3, added_at = $4, added_by = $5",
        )
        .bind(&key.id)
        .bind(&key.public_key)
        .bind(&key.name)
        .bind(millis(key.added_at))
        .bind(&key.added_by)
        .execute(&mut *writing.transaction)
        .await?;
        let author = Author::new(&*key.added_by, key.added_at);
        writing
            .note(&author, KEY, &key.id, before, Some(key.name.clone()))
            .await?;
        writing.commit().await
    }

    /// Trusts a key no longer. What was installed with it goes on running.
    pub async fn distrust(&self, id: &str, author: &Author) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Addons).await?;
        let before = name_of(&mut writing, id).await?;
        let removed = sqlx::query("DELETE FROM trusted_key WHERE id = $1")
            .bind(id)
            .execute(&mut *writing.transaction)
            .await?;
        if removed.rows_affected() == 0 {
            return Err(StoreError::Missing {
                what: KEY,
                name: id.to_owned(),
            });
        }
        writing.note(author, KEY, id, before, None).await?;
        writing.commit().await
    }

    /// All of them, by name.
    pub async fn trusted_keys(&self) -> Result<Vec<TrustedKey>, StoreError> {
        let rows = sqlx::query("SELECT * FROM trusted_key ORDER BY name, id")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(key).collect()
    }

    pub async fn trusted_key(&self, id: &str) -> Result<Option<TrustedKey>, StoreError> {
        let row = sqlx::query("SELECT * FROM trusted_key WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(key).transpose()
    }
}

fn key(row: &AnyRow) -> Result<TrustedKey, StoreError> {
    Ok(TrustedKey {
        id: text(row, "id")?,
        public_key: text(row, "public_key")?,
        name: text(row, "name")?,
        added_at: instant(row, "added_at")?,
        added_by: text(row, "added_by")?,
    })
}

/// Whose a key is called; `None`: it is not trusted.
async fn name_of(writing: &mut Writing, id: &str) -> Result<Option<String>, StoreError> {
    let row = sqlx::query("SELECT name FROM trusted_key WHERE id = $1")
        .bind(id)
        .fetch_optional(&mut *writing.transaction)
        .await?;
    row.map(|row| text(&row, "name")).transpose()
}
