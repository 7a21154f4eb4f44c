//! What an operator changed about a connection's terms, knowingly: limits lower or higher than the manifest's, and hosts
//! that the manifest does not name (a test server).

use serde::{Deserialize, Serialize};
use sqlx::{Any, Executor, Row};

use super::host_changes::{Author, words};
use super::records::{json, to_json};
use super::{Store, StoreError, WriteLock};

/// Each field that is there replaces the manifest's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionOverride {
    /// Most requests in any 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    /// Most requests in any 24 hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_day: Option<u32>,
    /// How many of the day's requests automatic runs leave to people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserve: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settle_seconds: Option<u32>,
    /// How long an answer may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// How large an answer may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_mib: Option<u32>,
    /// Hosts that may be reached besides the manifest's, also at private addresses: whoever names one here means it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_hosts: Vec<String>,
}

impl Store {
    /// Empty where nothing was changed.
    pub async fn connection_override(
        &self,
        installation: &str,
        connection: &str,
    ) -> Result<ConnectionOverride, StoreError> {
        document(&self.pool, installation, connection).await
    }

    /// Replaces what was changed before.
    pub async fn set_connection_override(
        &self,
        installation: &str,
        connection: &str,
        terms: &ConnectionOverride,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        let before = document(&mut *writing.transaction, installation, connection).await?;
        sqlx::query(
            "INSERT INTO connection_override (installation, connection, document) VALUES ($1, $2, $3) \
             ON CONFLICT (installation, connection) DO UPDATE SET document = $3",
        )
        .bind(installation)
        .bind(connection)
        .bind(to_json(terms))
        .execute(&mut *writing.transaction)
        .await?;
        let name = format!("{installation}, {connection}");
        writing
            .note(author, "connection", &name, words(&before), words(terms))
            .await?;
        writing.commit().await
    }
}

async fn document(
    database: impl Executor<'_, Database = Any>,
    installation: &str,
    connection: &str,
) -> Result<ConnectionOverride, StoreError> {
    let row = sqlx::query(
        "SELECT document FROM connection_override WHERE installation = $1 AND connection = $2",
    )
    .bind(installation)
    .bind(connection)
    .fetch_optional(database)
    .await?;
    match row {
        Some(row) => json(row.try_get("document")?),
        None => Ok(ConnectionOverride::default()),
    }
}
