//! Accounts with passwords that this host makes up: told once to whoever asked for them, and to nobody afterwards.

use thiserror::Error;
use tokio::task::{JoinError, spawn_blocking};

use super::password::{self, PasswordError};
use addon_store::{Author, Role, Store, StoreError};
use addon_vault::Secret;

/// In characters.
const LONGEST_NAME: usize = 64;

#[derive(Debug, Error)]
pub enum AccountError {
    #[error(
        "`{0}` cannot be an account's name: letters, digits, `-`, `_`, `.` and `@`, at most {LONGEST_NAME}"
    )]
    Name(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error("hashing a password was interrupted: {0}")]
    Interrupted(#[from] JoinError),
}

/// Refuses what cannot be an account's name.
pub fn check_name(name: &str) -> Result<(), AccountError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
        return Err(AccountError::Name(name.to_owned()));
    }
    Ok(())
}

/// Makes an account, or gives one another password and ends its sessions; answers the password. `role`: as in
/// [`Store::save_account_as`].
pub async fn with_new_password(
    store: &Store,
    name: &str,
    role: Option<Role>,
    author: &Author,
) -> Result<Secret, AccountError> {
    check_name(name)?;
    let password = password::generate()?;
    let hashing = password.clone();
    let hash = spawn_blocking(move || password::hash(&hashing)).await??;
    store.save_account_as(name, &hash, role, author).await?;
    Ok(password)
}
