//! The master key over its life: which one a database was sealed with, and how another one takes its place while hosts are running.
//!
//! Whatever dies in between, the secrets open: a new key is on the disk before anything is sealed with it, all secrets change in
//! one transaction, and the old key stays in the file for the backups that need it. Beware: what is stored under fingerprints
//! (budgets, nonces, refused logins) must survive, so their key is handed on from one master key to the next.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::HostError;
use addon_store::{ResealError, Store, StoreError};
use addon_vault::{KeyId, KeySource, NoKeyId, Vault, VaultError};

/// Opens the vault of a database; the first one to do so settles which key it is sealed with.
pub(super) async fn open(
    store: &Store,
    source: KeySource,
    now: DateTime<Utc>,
) -> Result<Vault, MasterKeyError> {
    if let Some((id, fingerprinting)) = in_use(store).await? {
        let vault = Vault::open_at(source, Some(id))?;
        vault.take_fingerprinting(&fingerprinting)?;
        return Ok(vault);
    }
    let vault = Vault::open_at(source, None)?;
    let id = vault.key_id().to_string();
    store
        .register_master_key(&id, &vault.seal_fingerprinting()?, now)
        .await?;
    // Another host may have been first.
    follow(store, &vault).await?;
    Ok(vault)
}

/// Has the vault seal with the key that the database is at now.
pub(super) async fn follow(store: &Store, vault: &Vault) -> Result<(), MasterKeyError> {
    if let Some((id, fingerprinting)) = in_use(store).await?
        && vault.key_id() != id
    {
        vault.follow(id)?;
        vault.take_fingerprinting(&fingerprinting)?;
    }
    Ok(())
}

async fn in_use(store: &Store) -> Result<Option<(KeyId, Vec<u8>)>, MasterKeyError> {
    store
        .master_key()
        .await?
        .map(|key| Ok((key.id.parse()?, key.fingerprinting)))
        .transpose()
}

/// Why the master key cannot be used, or was not changed.
#[derive(Debug, Error)]
pub enum MasterKeyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Id(#[from] NoKeyId),
    #[error(transparent)]
    Reseal(#[from] ResealError<VaultError>),
    #[error("the master key {0} is in use: `master-key rotate` takes another one first")]
    InUse(KeyId),
    #[error("{path} holds no master key {id}")]
    Unknown { id: KeyId, path: PathBuf },
    #[error("the master key {id} is in {path}, and opens the secrets: there is nothing to give up")]
    NotLost { id: KeyId, path: PathBuf },
}

impl From<MasterKeyError> for HostError {
    fn from(error: MasterKeyError) -> Self {
        match error {
            MasterKeyError::Store(error) => Self::Store(error),
            MasterKeyError::Vault(error) => Self::Vault(error),
            other => Self::MasterKey(other),
        }
    }
}

/// The master keys of a database and of a key file, for those who look after them.
pub struct MasterKeys<'a> {
    pub store: &'a Store,
    pub source: &'a KeySource,
}

impl MasterKeys<'_> {
    /// The key in use, where there is one, and the keys of the file, the newest last.
    pub async fn look(&self) -> Result<(Option<KeyId>, Vec<KeyId>), MasterKeyError> {
        let in_use = in_use(self.store).await?.map(|(id, _)| id);
        Ok((in_use, self.source.ids()?))
    }

    /// Adds a new key to the file without using it, so that it can be brought to every host before it is used.
    pub fn add(&self) -> Result<KeyId, MasterKeyError> {
        Ok(self.source.lock()?.add()?)
    }

    /// Takes the newest key of the file into use, a new one where that is in use already. Answers the key before and after, and
    /// how many secrets were sealed anew.
    pub async fn rotate(
        &self,
        now: DateTime<Utc>,
    ) -> Result<(KeyId, KeyId, usize), MasterKeyError> {
        let vault = open(self.store, self.source.clone(), now).await?;
        // Held to the end: nobody takes a key out of the file that is about to be used.
        let mut file = (!self.source.is_lent())
            .then(|| self.source.lock())
            .transpose()?;
        let from = vault.key_id();
        let newest = self.source.ids()?.last().copied();
        let to = match (newest.filter(|newest| *newest != from), &mut file) {
            (Some(newest), _) => newest,
            (None, Some(file)) => file.add()?,
            (None, None) => return Err(self.source.lent().into()),
        };
        vault.follow(to)?;
        let ids = (from.to_string(), to.to_string());
        let amount = self
            .store
            .reseal(
                (&ids.0, &ids.1),
                &vault.seal_fingerprinting()?,
                now,
                |installation, key, sealed| vault.reseal(installation, key, sealed),
            )
            .await?;
        Ok((from, to, amount))
    }

    /// Takes a key out of the file for good. Backups from its time do not open any more.
    pub async fn forget(&self, id: KeyId) -> Result<(), MasterKeyError> {
        let mut file = self.source.lock()?;
        if in_use(self.store)
            .await?
            .is_some_and(|(used, _)| used == id)
        {
            return Err(MasterKeyError::InUse(id));
        }
        if file.forget(id)? {
            Ok(())
        } else {
            let path = self.source.path().to_owned();
            Err(MasterKeyError::Unknown { id, path })
        }
    }

    /// Where the key in use is lost: goes on with a new one, without the secrets. Answers the key, and installation and setting of
    /// what has to be entered again.
    pub async fn reset(
        &self,
        now: DateTime<Utc>,
    ) -> Result<(KeyId, Vec<(String, String)>), MasterKeyError> {
        let mut file = self.source.lock()?;
        if let Some((id, _)) = in_use(self.store).await?
            && file.ids().contains(&id)
        {
            let path = self.source.path().to_owned();
            return Err(MasterKeyError::NotLost { id, path });
        }
        let id = file.add()?;
        let vault = Vault::open_at(self.source.clone(), Some(id))?;
        let gone = self
            .store
            .forget_secrets(&id.to_string(), &vault.seal_fingerprinting()?, now)
            .await?;
        Ok((id, gone))
    }
}
