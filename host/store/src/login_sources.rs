//! Services whose own people may log in to the admin pages, and the accounts that they vouch for. Such an account has no password
//! here; it and its sessions count only as long as its source is there.

use chrono::{DateTime, Utc};

use super::accounts::Role;
use super::records::{json, millis, text, to_json};
use super::{Author, Store, StoreError, WriteLock, Writing};

/// In the record of changes.
const SOURCE: &str = "people of a service";

/// A service that vouches for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginSource {
    pub installation: String,
    /// Of that installation, to the service.
    pub connection: String,
    /// The service's role, and ours; `*` stands for any other.
    pub roles: Vec<(String, Role)>,
}

impl LoginSource {
    /// What somebody may do who has that role at the service; `None`: nothing.
    pub fn role_of(&self, theirs: &str) -> Option<Role> {
        let find = |name: &str| self.roles.iter().find(|(known, _)| known == name);
        find(theirs).or_else(|| find("*")).map(|(_, role)| *role)
    }
}

impl Store {
    pub async fn login_sources(&self) -> Result<Vec<LoginSource>, StoreError> {
        let rows = sqlx::query("SELECT * FROM login_source ORDER BY installation")
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let stored: Vec<(String, String)> = json(&text(row, "roles")?)?;
                let roles = stored.into_iter().map(|(theirs, ours)| {
                    let ours = ours.parse();
                    let ours =
                        ours.map_err(|_| StoreError::Corrupt(format!("the role of {theirs}")))?;
                    Ok((theirs, ours))
                });
                Ok(LoginSource {
                    installation: text(row, "installation")?,
                    connection: text(row, "connection")?,
                    roles: roles.collect::<Result<_, StoreError>>()?,
                })
            })
            .collect()
    }

    /// Has a service vouch for people, on these terms from now on.
    pub async fn save_login_source(
        &self,
        source: &LoginSource,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        let before = admitted(&mut writing, &source.installation).await?;
        let roles: Vec<(&str, String)> = source
            .roles
            .iter()
            .map(|(theirs, ours)| (theirs.as_str(), ours.to_string()))
            .collect();
        sqlx::query(
            "INSERT INTO login_source (installation, connection, roles) VALUES ($1, $2, $3) \
             ON CONFLICT (installation) DO UPDATE SET connection = $2, roles = $3",
        )
        .bind(&source.installation)
        .bind(&source.connection)
        .bind(to_json(&roles))
        .execute(&mut *writing.transaction)
        .await?;
        // Who is in by other terms comes in again.
        end_sessions(&mut writing.transaction, &source.installation).await?;
        let after = admitted(&mut writing, &source.installation).await?;
        writing
            .note(author, SOURCE, &source.installation, before, after)
            .await?;
        writing.commit().await
    }

    /// Takes the service's word no more; whoever is in by it is out. False: it was not taken.
    pub async fn remove_login_source(
        &self,
        installation: &str,
        author: &Author,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        let before = admitted(&mut writing, installation).await?;
        let removed = sqlx::query("DELETE FROM login_source WHERE installation = $1")
            .bind(installation)
            .execute(&mut *writing.transaction)
            .await?;
        end_sessions(&mut writing.transaction, installation).await?;
        sqlx::query("DELETE FROM account WHERE source = $1")
            .bind(installation)
            .execute(&mut *writing.transaction)
            .await?;
        writing
            .note(author, SOURCE, installation, before, None)
            .await?;
        writing.commit().await?;
        Ok(removed.rows_affected() > 0)
    }

    /// Makes or updates the account of somebody whom a service vouched for. False: there is an account of that name with a password
    /// here, which is another one's.
    pub async fn save_vouched(
        &self,
        name: &str,
        installation: &str,
        role: Role,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write(WriteLock::Accounts).await?;
        let saved = sqlx::query(
            "INSERT INTO account (name, password_hash, role, source, created_at) VALUES ($1, '', $2, $3, $4) \
             ON CONFLICT (name) DO UPDATE SET role = $2 WHERE account.source = $3",
        )
        .bind(name)
        .bind(role.to_string())
        .bind(installation)
        .bind(millis(now))
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await?;
        Ok(saved.rows_affected() > 0)
    }
}

/// Who of a service may log in, as people read it; `None`: nobody.
async fn admitted(writing: &mut Writing, installation: &str) -> Result<Option<String>, StoreError> {
    let row = sqlx::query("SELECT connection, roles FROM login_source WHERE installation = $1")
        .bind(installation)
        .fetch_optional(&mut *writing.transaction)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let roles: Vec<(String, String)> = json(&text(&row, "roles")?)?;
    let roles = roles
        .iter()
        .map(|(theirs, ours)| format!("{theirs} may {ours}"));
    let roles = roles.collect::<Vec<_>>().join(", ");
    Ok(Some(format!("{}: {roles}", text(&row, "connection")?)))
}

async fn end_sessions(
    database: &mut sqlx::AnyConnection,
    installation: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM session WHERE account IN (SELECT name FROM account WHERE source = $1)",
    )
    .bind(installation)
    .execute(database)
    .await?;
    Ok(())
}
