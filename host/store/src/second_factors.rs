//! Second factors of accounts: what their codes are made from, as the vault sealed it, and which codes were taken. Making and comparing
//! codes belongs to the host.

use chrono::{DateTime, Utc};
use sqlx::Row;

use super::accounts::no_account;
use super::master_key::check_seals;
use super::records::{flag, instant, millis};
use super::{Author, Store, StoreError, WriteLock};

/// In the record of changes.
const SECOND_FACTOR: &str = "second factor";

/// The second factor of an account.
#[derive(Debug, Clone)]
pub struct SecondFactor {
    pub sealed: Vec<u8>,
    /// A first code has proven it: from then on it is asked for.
    pub is_proven: bool,
    pub since: DateTime<Utc>,
}

impl Store {
    /// `None`: the account has none, proven or not.
    pub async fn second_factor(&self, account: &str) -> Result<Option<SecondFactor>, StoreError> {
        let row = sqlx::query("SELECT * FROM second_factor WHERE account = $1")
            .bind(account)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| {
            Ok(SecondFactor {
                sealed: row.try_get("sealed")?,
                is_proven: flag(&row, "proven")?,
                since: instant(&row, "since_at")?,
            })
        })
        .transpose()
    }

    /// Keeps a new one, which a code has to prove before it counts, in the place of another that none has proven. False: the account has
    /// one that counts, or no password here.
    pub async fn offer_second_factor(
        &self,
        account: &str,
        sealed: &[u8],
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        let offered = sqlx::query(
            "INSERT INTO second_factor (account, sealed, proven, counted, since_at) \
             SELECT name, $2, 0, 0, $3 FROM account WHERE name = $1 AND source = '' \
             ON CONFLICT (account) DO UPDATE SET sealed = $2, since_at = $3 WHERE second_factor.proven = 0",
        )
        .bind(account)
        .bind(sealed)
        .bind(millis(now))
        .execute(&mut *writing.transaction)
        .await?;
        check_seals(&mut writing.transaction, [sealed]).await?;
        writing.commit().await?;
        Ok(offered.rows_affected() > 0)
    }

    /// Has the one that was offered count from now on; `step`: of the code that proves it. False: it is another one by now, or counts
    /// already.
    pub async fn prove_second_factor(
        &self,
        account: &str,
        sealed: &[u8],
        step: i64,
        author: &Author,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        let proven = sqlx::query(
            "UPDATE second_factor SET proven = 1, counted = $3, since_at = $4 WHERE account = $1 AND sealed = $2 AND proven = 0",
        )
        .bind(account)
        .bind(sealed)
        .bind(step)
        .bind(millis(author.at))
        .execute(&mut *writing.transaction)
        .await?;
        if proven.rows_affected() == 0 {
            return Ok(false);
        }
        let on = Some("on".to_owned());
        writing
            .note(author, SECOND_FACTOR, account, None, on)
            .await?;
        writing.commit().await?;
        Ok(true)
    }

    /// Takes the code of a time step. False: one of that step or of a later one was taken before.
    pub async fn count_code(&self, account: &str, step: i64) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        let counted = sqlx::query(
            "UPDATE second_factor SET counted = $2 WHERE account = $1 AND proven = 1 AND counted < $2",
        )
        .bind(account)
        .bind(step)
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await?;
        Ok(counted.rows_affected() > 0)
    }

    /// Has the account do without. False: it does already.
    pub async fn remove_second_factor(
        &self,
        account: &str,
        author: &Author,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        let counted = sqlx::query("SELECT proven FROM second_factor WHERE account = $1")
            .bind(account)
            .fetch_optional(&mut *writing.transaction)
            .await?;
        let before = match counted {
            Some(row) if flag(&row, "proven")? => Some("on".to_owned()),
            _ => None,
        };
        let removed = sqlx::query("DELETE FROM second_factor WHERE account = $1")
            .bind(account)
            .execute(&mut *writing.transaction)
            .await?;
        writing
            .note(author, SECOND_FACTOR, account, before, None)
            .await?;
        writing.commit().await?;
        Ok(removed.rows_affected() > 0)
    }

    /// The same for somebody who has lost it: logged out everywhere, too.
    pub async fn reset_second_factor(
        &self,
        account: &str,
        author: &Author,
    ) -> Result<bool, StoreError> {
        if self.account(account).await?.is_none() {
            return Err(no_account(account));
        }
        let removed = self.remove_second_factor(account, author).await?;
        self.revoke_sessions(Some(account)).await?;
        Ok(removed)
    }
}
