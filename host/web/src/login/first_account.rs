//! The first account of a host that has none, so that somebody can get in.

use chrono::{DateTime, Utc};

use super::account::{AccountError, with_new_password};
use addon_store::{Author, Store};
use addon_vault::Secret;

const NAME: &str = "admin";

/// Makes it where there is no account yet; answers its name and its password, which nobody can be told again.
pub async fn first_account(
    store: &Store,
    now: DateTime<Utc>,
) -> Result<Option<(&'static str, Secret)>, AccountError> {
    if store.account_count().await? > 0 {
        return Ok(None);
    }
    let password = with_new_password(store, NAME, None, &Author::host(now)).await?;
    Ok(Some((NAME, password)))
}
