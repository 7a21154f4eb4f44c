//! Who comes in by a service's word: people whom the service of an installation knows, where the operator takes its word for them.

use std::sync::Arc;

use super::{Host, HostError};
use addon_store::{LoginSource, StoreError};
use addon_traffic::cancellation::cancellation;
use addon_traffic::{By, Caller, Person, Rights, Vouched};

/// What becomes of somebody at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// To the account of the name that was given.
    Admitted,
    /// The service wants the code of the second factor, too.
    CodeWanted,
    Refused,
}

impl Host {
    /// What a browser shows that was in this account before: bound to both, and made by nobody without this host's keys.
    pub fn browser_mark(&self, account: &str, browser: &str) -> String {
        let vault = &self.0.services.vault;
        vault.fingerprint("browser", [account, browser])
    }

    /// Asks the service of an installation for a person, and makes or updates the account.
    pub async fn admit(
        &self,
        source: &LoginSource,
        person: &Person<'_>,
    ) -> Result<Entry, HostError> {
        let lines = self.lines(&source.installation).await?;
        let (_halter, cancellation) = cancellation();
        let caller = Caller {
            access: Arc::new(lines.access),
            rights: Rights::Read,
            by: By::Person,
            urgent: true,
            run: None,
            cancellation,
            usage: Arc::default(),
            tell: Arc::new(|_, _| {}),
        };
        let connections = &self.0.services.connections;
        let vouched = connections.vouch(&caller, &source.connection, person).await;
        let theirs = match vouched.map_err(HostError::Addon)? {
            Vouched::Known { role } => role,
            Vouched::CodeWanted => return Ok(Entry::CodeWanted),
            Vouched::Unknown => return Ok(Entry::Refused),
        };
        let Some(role) = source.role_of(&theirs) else {
            tracing::warn!(
                installation = source.installation,
                role = theirs,
                "somebody was refused whose role at the service has none here"
            );
            return Ok(Entry::Refused);
        };
        let account = format!("{}@{}", person.login, source.installation);
        let now = self.0.services.clock.now();
        let saved = self
            .store()
            .save_vouched(&account, &source.installation, role, now)
            .await?;
        Ok(match saved {
            true => Entry::Admitted,
            false => Entry::Refused,
        })
    }

    /// The source that a name at the door belongs to (`LOGIN@INSTALLATION`), and the login there.
    pub async fn source_of<'n>(
        &self,
        name: &'n str,
    ) -> Result<Option<(LoginSource, &'n str)>, StoreError> {
        let Some((login, installation)) = name.rsplit_once('@') else {
            return Ok(None);
        };
        let sources = self.store().login_sources().await?;
        let source = sources
            .into_iter()
            .find(|source| source.installation == installation);
        Ok(source
            .filter(|_| !login.is_empty())
            .map(|source| (source, login)))
    }
}
