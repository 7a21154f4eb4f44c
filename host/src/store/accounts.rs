//! People who may log in to the web pages, and their sessions. Passwords and session tokens arrive hashed; hashing and
//! comparing belong to the pages.

use chrono::{DateTime, Utc};

use super::records::{count, instant, millis, text};
use super::{Store, StoreError, Subject};

#[derive(Debug, Clone)]
pub struct Account {
    pub name: String,
    pub password_hash: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub struct Session {
    pub account: String,
    pub created_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

impl Store {
    pub async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let row = sqlx::query("SELECT * FROM account WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| {
            Ok(Account {
                name: text(&row, "name")?,
                password_hash: text(&row, "password_hash")?,
                created_at: instant(&row, "created_at")?,
            })
        })
        .transpose()
    }

    pub async fn account_count(&self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT COUNT(*) AS amount FROM account")
            .fetch_one(&self.pool)
            .await?;
        count(&row, "amount")
    }

    /// Makes an account or gives it a new password, which ends its sessions.
    pub async fn save_account(
        &self,
        name: &str,
        password_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(Subject::Accounts).await?;
        sqlx::query(
            "INSERT INTO account (name, password_hash, created_at) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET password_hash = $2",
        )
        .bind(name)
        .bind(password_hash)
        .bind(millis(now))
        .execute(&mut *writing.transaction)
        .await?;
        sqlx::query("DELETE FROM session WHERE account = $1")
            .bind(name)
            .execute(&mut *writing.transaction)
            .await?;
        writing.commit().await
    }

    /// Opens a session, and forgets those that have expired.
    pub async fn insert_session(
        &self,
        token_hash: &str,
        account: &str,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(Subject::Accounts).await?;
        sqlx::query("DELETE FROM session WHERE expires_at <= $1")
            .bind(millis(now))
            .execute(&mut *writing.transaction)
            .await?;
        sqlx::query(
            "INSERT INTO session (token_hash, account, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $3, $4)",
        )
        .bind(token_hash)
        .bind(account)
        .bind(millis(now))
        .bind(millis(expires_at))
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await
    }

    /// The session of that token, unless it has expired.
    pub async fn session(
        &self,
        token_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query("SELECT * FROM session WHERE token_hash = $1 AND expires_at > $2")
            .bind(token_hash)
            .bind(millis(now))
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| {
            Ok(Session {
                account: text(&row, "account")?,
                created_at: instant(&row, "created_at")?,
                seen_at: instant(&row, "seen_at")?,
                expires_at: instant(&row, "expires_at")?,
            })
        })
        .transpose()
    }

    /// Notes that a session was used.
    pub async fn touch_session(
        &self,
        token_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(Subject::Accounts).await?;
        sqlx::query("UPDATE session SET seen_at = $2 WHERE token_hash = $1")
            .bind(token_hash)
            .bind(millis(now))
            .execute(&mut *writing.transaction)
            .await?;
        writing.commit().await
    }

    pub async fn delete_session(&self, token_hash: &str) -> Result<(), StoreError> {
        let mut writing = self.write(Subject::Accounts).await?;
        sqlx::query("DELETE FROM session WHERE token_hash = $1")
            .bind(token_hash)
            .execute(&mut *writing.transaction)
            .await?;
        writing.commit().await
    }
}
