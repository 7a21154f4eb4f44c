//! People who may log in to the web pages, and their sessions. Passwords and session tokens arrive hashed; hashing and
//! comparing belong to the pages.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};
use thiserror::Error;

use super::records::{count, flag, instant, millis, text};
use super::{Author, Store, StoreError, WriteLock, Writing};

/// What an account may do; each may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees everything but what is secret.
    View,
    /// Runs and stops jobs, decides about records, maps.
    Operate,
    /// Changes settings, and looks after people.
    Administer,
}

#[derive(Debug, Error)]
#[error("`{0}` is no role: view, operate or administer")]
pub struct NoRole(String);

const ROLES: [(Role, &str); 3] = [
    (Role::View, "view"),
    (Role::Operate, "operate"),
    (Role::Administer, "administer"),
];

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ROLES.iter().find(|(role, _)| role == self);
        f.pad(name.map_or("", |(_, name)| name))
    }
}

impl FromStr for Role {
    type Err = NoRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = ROLES.iter().find(|(_, name)| *name == text);
        found
            .map(|(role, _)| *role)
            .ok_or_else(|| NoRole(text.to_owned()))
    }
}

#[derive(Debug, Clone)]
pub struct Account {
    pub name: String,
    pub password_hash: String,
    pub role: Role,
    /// The installation whose service vouches for it; empty: it has a password here.
    pub source: String,
    /// A second factor is asked for.
    pub has_second_factor: bool,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub struct Session {
    /// Names the session, and is of no use to anybody who wants to have it.
    pub id: String,
    pub account: String,
    /// Of the account, now.
    pub role: Role,
    /// What its browser says that it is.
    pub agent: String,
    pub created_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Sessions with the roles of their accounts; their ids are the beginnings of the tokens' hashes.
const SESSIONS: &str = "SELECT SUBSTR(session.token_hash, 1, 12) AS id, session.account, session.agent, account.role, \
                        session.created_at, session.seen_at, session.expires_at \
                        FROM session JOIN account ON account.name = session.account \
                        AND (account.source = '' OR account.source IN (SELECT installation FROM login_source))";

/// Accounts, with whether a second factor counts.
const ACCOUNTS: &str = "SELECT account.*, COALESCE(second_factor.proven, 0) AS has_second_factor \
                        FROM account LEFT JOIN second_factor ON second_factor.account = account.name";

/// In the record of changes.
const ACCOUNT: &str = "account";

impl Store {
    pub async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let sql = format!("{ACCOUNTS} WHERE account.name = $1");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(account).transpose()
    }

    /// All accounts, by name.
    pub async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let sql = format!("{ACCOUNTS} ORDER BY account.name");
        let rows = sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(account).collect()
    }

    /// Changes what an account may do. The last one that administers stays so.
    pub async fn set_role(
        &self,
        name: &str,
        role: Role,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        let before = role_of(&mut writing, name).await?;
        let changed = sqlx::query("UPDATE account SET role = $2 WHERE name = $1")
            .bind(name)
            .bind(role.to_string())
            .execute(&mut *writing.transaction)
            .await?;
        if changed.rows_affected() == 0 {
            return Err(no_account(name));
        }
        refuse_leaderless(&mut writing.transaction, name).await?;
        writing
            .note(author, ACCOUNT, name, before, Some(role.to_string()))
            .await?;
        writing.commit().await
    }

    /// Removes an account and ends its sessions. The last one that administers stays.
    pub async fn remove_account(&self, name: &str, author: &Author) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        let before = role_of(&mut writing, name).await?;
        let removed = sqlx::query("DELETE FROM account WHERE name = $1")
            .bind(name)
            .execute(&mut *writing.transaction)
            .await?;
        if removed.rows_affected() == 0 {
            return Err(no_account(name));
        }
        refuse_leaderless(&mut writing.transaction, name).await?;
        writing.note(author, ACCOUNT, name, before, None).await?;
        writing.commit().await
    }

    pub async fn account_count(&self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT COUNT(*) AS amount FROM account")
            .fetch_one(&self.pool)
            .await?;
        count(&row, "amount")
    }

    /// Makes an account, which may do everything, or gives it a new password, which ends its sessions.
    pub async fn save_account(
        &self,
        name: &str,
        password_hash: &str,
        author: &Author,
    ) -> Result<(), StoreError> {
        self.save_account_as(name, password_hash, None, author)
            .await
    }

    /// The same, with another role than it has, or than a new one gets. The last one that administers stays so.
    pub async fn save_account_as(
        &self,
        name: &str,
        password_hash: &str,
        role: Option<Role>,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        let before = role_of(&mut writing, name).await?;
        sqlx::query(
            "INSERT INTO account (name, password_hash, role, created_at) VALUES ($1, $2, COALESCE($4, 'administer'), $3) \
             ON CONFLICT (name) DO UPDATE SET password_hash = $2, role = COALESCE($4, account.role), source = ''",
        )
        .bind(name)
        .bind(password_hash)
        .bind(millis(author.at))
        .bind(role.map(|role| role.to_string()))
        .execute(&mut *writing.transaction)
        .await?;
        sqlx::query("DELETE FROM session WHERE account = $1")
            .bind(name)
            .execute(&mut *writing.transaction)
            .await?;
        refuse_leaderless(&mut writing.transaction, name).await?;
        let after = role_of(&mut writing, name).await?.map(|role| match before {
            Some(_) => format!("{role}, with another password"),
            None => role,
        });
        writing.note(author, ACCOUNT, name, before, after).await?;
        writing.commit().await
    }

    /// Opens a session, and forgets those that have expired.
    pub async fn insert_session(
        &self,
        token_hash: &str,
        account: &str,
        agent: &str,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        sqlx::query("DELETE FROM session WHERE expires_at <= $1")
            .bind(millis(now))
            .execute(&mut *writing.transaction)
            .await?;
        sqlx::query(
            "INSERT INTO session (token_hash, account, agent, created_at, seen_at, expires_at) VALUES ($1, $2, $5, $3, $3, $4)",
        )
        .bind(token_hash)
        .bind(account)
        .bind(millis(now))
        .bind(millis(expires_at))
        .bind(agent)
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
        let sql = format!("{SESSIONS} WHERE session.token_hash = $1 AND session.expires_at > $2");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(token_hash)
            .bind(millis(now))
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(session).transpose()
    }

    /// Sessions that have not expired, those used last first.
    pub async fn sessions(&self, now: DateTime<Utc>) -> Result<Vec<Session>, StoreError> {
        let sql = format!(
            "{SESSIONS} WHERE session.expires_at > $1 ORDER BY session.seen_at DESC, session.token_hash"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(millis(now))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(session).collect()
    }

    /// Ends a session by its id; with an account, only one of its own. False: there is none.
    pub async fn revoke_session(
        &self,
        id: &str,
        account: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        let ended = sqlx::query(
            "DELETE FROM session WHERE SUBSTR(token_hash, 1, 12) = $1 AND ($2 = '' OR account = $2)",
        )
        .bind(id)
        .bind(account.unwrap_or_default())
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await?;
        Ok(ended.rows_affected() > 0)
    }

    /// Ends the sessions of an account, or all of them. Answers how many.
    pub async fn revoke_sessions(&self, account: Option<&str>) -> Result<u64, StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        let ended = sqlx::query("DELETE FROM session WHERE $1 = '' OR account = $1")
            .bind(account.unwrap_or_default())
            .execute(&mut *writing.transaction)
            .await?;
        writing.commit().await?;
        Ok(ended.rows_affected())
    }

    /// Notes that a session was used.
    pub async fn touch_session(
        &self,
        token_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        sqlx::query("UPDATE session SET seen_at = $2 WHERE token_hash = $1")
            .bind(token_hash)
            .bind(millis(now))
            .execute(&mut *writing.transaction)
            .await?;
        writing.commit().await
    }

    pub async fn delete_session(&self, token_hash: &str) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        sqlx::query("DELETE FROM session WHERE token_hash = $1")
            .bind(token_hash)
            .execute(&mut *writing.transaction)
            .await?;
        writing.commit().await
    }
}

fn account(row: &AnyRow) -> Result<Account, StoreError> {
    Ok(Account {
        name: text(row, "name")?,
        password_hash: text(row, "password_hash")?,
        role: role(row)?,
        source: text(row, "source")?,
        has_second_factor: flag(row, "has_second_factor")?,
        created_at: instant(row, "created_at")?,
    })
}

fn session(row: &AnyRow) -> Result<Session, StoreError> {
    Ok(Session {
        id: text(row, "id")?,
        account: text(row, "account")?,
        role: role(row)?,
        agent: text(row, "agent")?,
        created_at: instant(row, "created_at")?,
        seen_at: instant(row, "seen_at")?,
        expires_at: instant(row, "expires_at")?,
    })
}

fn role(row: &AnyRow) -> Result<Role, StoreError> {
    text(row, "role")?
        .parse()
        .map_err(|error: NoRole| StoreError::Corrupt(error.to_string()))
}

pub(super) fn no_account(name: &str) -> StoreError {
    StoreError::Missing {
        what: "account",
        name: name.to_owned(),
    }
}

/// What an account may do; `None`: there is no such account.
async fn role_of(writing: &mut Writing, name: &str) -> Result<Option<String>, StoreError> {
    let row = sqlx::query("SELECT role FROM account WHERE name = $1")
        .bind(name)
        .fetch_optional(&mut *writing.transaction)
        .await?;
    row.map(|row| text(&row, "role")).transpose()
}

/// Somebody must be left who can let others in, whatever services say.
async fn refuse_leaderless(database: &mut AnyConnection, name: &str) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS amount FROM account WHERE role = 'administer' AND source = ''",
    )
    .fetch_one(database)
    .await?;
    match count(&row, "amount")? {
        0 => Err(StoreError::Leaderless(name.to_owned())),
        _ => Ok(()),
    }
}
