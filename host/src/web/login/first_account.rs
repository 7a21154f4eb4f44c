//! The first account of a host that has none, so that somebody can get in.

use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio::task::{JoinError, spawn_blocking};

use super::password::{self, PasswordError};
use crate::store::{Store, StoreError};
use crate::vault::Secret;

#[derive(Debug, Error)]
pub enum FirstAccountError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error("hashing a password was interrupted: {0}")]
    Interrupted(#[from] JoinError),
}

const NAME: &str = "admin";

/// Makes it where there is no account yet; answers its name and its password, which nobody can be told again.
pub async fn first_account(
    store: &Store,
    now: DateTime<Utc>,
) -> Result<Option<(&'static str, Secret)>, FirstAccountError> {
    if store.account_count().await? > 0 {
        return Ok(None);
    }
    let password = password::generate()?;
    let hashing = password.clone();
    let hash = spawn_blocking(move || password::hash(&hashing)).await??;
    store.save_account(NAME, &hash, now).await?;
    Ok(Some((NAME, password)))
}
