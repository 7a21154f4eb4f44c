//! The settings of one installation as everything above the store sees them: the manifest's defaults, what was stored, and
//! the secrets, opened.
//!
//! [`Settings::get`] never answers a secret, so texts made from settings hold none by accident; who needs one says
//! [`Settings::secret`]. Values that the manifest no longer declares stay stored and are not seen.

mod changes;

pub use changes::{FieldProblem, NewValue, ValidChange, validate, validate_fetched};

use std::collections::BTreeMap;

use thiserror::Error;

use addon_manifest::{AuthSpec, Connection, Manifest, SettingKind, SettingSpec, Template};
use addon_store::{Store, StoreError, StoredSetting, StoredValue};
use addon_vault::{Secret, Vault, VaultError};

#[derive(Debug, Error)]
pub enum SettingsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Resolved settings and mappings.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Never empty values; mappings under `KEY.ROW`.
    plain: BTreeMap<String, String>,
    secrets: BTreeMap<String, Secret>,
}

impl Settings {
    /// Reads what is stored and fills in the defaults.
    pub async fn load(
        store: &Store,
        vault: &Vault,
        manifest: &Manifest,
        installation: &str,
    ) -> Result<Self, SettingsError> {
        Ok(Self::resolve(
            manifest,
            vault,
            installation,
            store.settings(installation).await?,
        )?)
    }

    /// The same from what is stored.
    pub fn resolve(
        manifest: &Manifest,
        vault: &Vault,
        installation: &str,
        stored: Vec<StoredSetting>,
    ) -> Result<Self, VaultError> {
        let mut settings = Self::defaults(manifest);
        for StoredSetting { key, value, .. } in stored {
            let kind = manifest.setting(&key).map(|spec| &spec.kind);
            match (kind, value) {
                (Some(SettingKind::Secret), StoredValue::Sealed(sealed)) => {
                    let secret = vault.unseal(installation, &key, &sealed)?;
                    settings.secrets.insert(key, secret);
                }
                // A setting that an update of the add-on made secret.
                (Some(SettingKind::Secret), StoredValue::Plain(text)) => {
                    settings.secrets.insert(key, Secret::new(text));
                }
                // And the other way round: what was entered as a secret is never shown.
                (_, StoredValue::Sealed(_)) => {}
                (Some(_), StoredValue::Plain(text)) => {
                    settings.plain.insert(key, text);
                }
                (None, StoredValue::Plain(text)) => {
                    if is_mapping(manifest, &key) {
                        settings.plain.insert(key, text);
                    }
                }
            }
        }
        Ok(settings)
    }

    fn defaults(manifest: &Manifest) -> Self {
        let with_default = manifest
            .settings
            .iter()
            .filter_map(|spec| Some((spec.key.clone(), spec.default.clone()?)));
        Self {
            plain: with_default.collect(),
            secrets: BTreeMap::new(),
        }
    }

    /// As it would be with these changes saved.
    pub fn with_changes(&self, manifest: &Manifest, changes: &[ValidChange]) -> Self {
        let mut settings = self.clone();
        for ValidChange { key, value } in changes {
            settings.plain.remove(key);
            settings.secrets.remove(key);
            match value {
                Some(NewValue::Plain(text)) => {
                    settings.plain.insert(key.clone(), text.clone());
                }
                Some(NewValue::Secret(secret)) => {
                    settings.secrets.insert(key.clone(), secret.clone());
                }
                None => {
                    if let Some(default) =
                        manifest.setting(key).and_then(|spec| spec.default.clone())
                    {
                        settings.plain.insert(key.clone(), default);
                    }
                }
            }
        }
        settings
    }

    /// The value of a setting or mapping; empty where it is not set, and for a secret.
    pub fn get(&self, key: &str) -> &str {
        self.plain.get(key).map_or("", String::as_str)
    }

    /// Whether a toggle is on.
    pub fn is_on(&self, key: &str) -> bool {
        self.get(key) == "on"
    }

    pub fn secret(&self, key: &str) -> Option<&Secret> {
        self.secrets.get(key)
    }

    /// Every secret that is set: what must be redacted wherever it turns up.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.values()
    }

    pub fn is_set(&self, key: &str) -> bool {
        self.plain.contains_key(key) || self.secrets.contains_key(key)
    }

    /// A template with its settings filled in; as secret as they are. The error is the key that is not set.
    pub fn render(&self, template: &Template) -> Result<Secret, String> {
        template
            .render(|key| self.expose(key).map(str::trim))
            .map(Secret::new)
    }

    /// What the guest may know (`run.wit`, `settings`): everything declared, secrets only as `set` or empty, and the mappings
    /// that are set.
    pub fn for_guest(&self, manifest: &Manifest) -> Vec<(String, String)> {
        let declared = manifest.settings.iter().map(|spec| {
            let value = match spec.kind {
                SettingKind::Secret if self.secrets.contains_key(&spec.key) => "set",
                SettingKind::Secret => "",
                _ => self.get(&spec.key),
            };
            (spec.key.clone(), value.to_owned())
        });
        declared
            .chain(
                self.mappings()
                    .map(|(key, value)| (key.to_owned(), value.to_owned())),
            )
            .collect()
    }

    /// The mappings that are set, `KEY.ROW` and value.
    pub fn mappings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.plain
            .iter()
            .filter(|(key, _)| key.contains('.'))
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Required settings that are not set.
    pub fn missing<'m>(&self, manifest: &'m Manifest) -> Vec<&'m SettingSpec> {
        manifest
            .settings
            .iter()
            .filter(|spec| spec.required && !self.is_set(&spec.key))
            .collect()
    }

    /// Names the budget that a connection draws on: equal for all installations that the service counts together. `service`: host and
    /// port; what one service says of its limits stops nobody who talks to another.
    pub fn budget_key(
        &self,
        vault: &Vault,
        service: &str,
        connection_name: &str,
        connection: &Connection,
    ) -> String {
        let counted = connection
            .counted_by
            .iter()
            .map(|key| self.expose(key).unwrap_or_default());
        let named = [service, connection_name].into_iter();
        vault.fingerprint("budget", named.chain(counted))
    }

    /// Changes exactly when one of the credentials of a connection does.
    pub fn credentials_fingerprint(&self, vault: &Vault, connection: &Connection) -> String {
        let keys = connection.auth.iter().flat_map(credential_keys);
        vault.fingerprint(
            "credentials",
            keys.map(|key| self.expose(key).unwrap_or_default()),
        )
    }

    fn expose(&self, key: &str) -> Option<&str> {
        let secret = || self.secrets.get(key).map(Secret::expose);
        self.plain.get(key).map(String::as_str).or_else(secret)
    }
}

/// The settings that an authentication uses.
pub fn credential_keys(auth: &AuthSpec) -> Vec<&str> {
    match auth {
        AuthSpec::Basic { user, password } => vec![user, password],
        AuthSpec::Bearer { token } => token.keys().collect(),
        AuthSpec::QueryKey { value, .. } | AuthSpec::Header { value, .. } => value.keys().collect(),
        AuthSpec::SplynxSignature { key, secret } | AuthSpec::SplynxToken { key, secret } => {
            vec![key, secret]
        }
    }
}

/// Whether a key is `KEY.ROW` of a declared mapping.
fn is_mapping(manifest: &Manifest, key: &str) -> bool {
    key.split_once('.')
        .is_some_and(|(mapping, row)| !row.is_empty() && manifest.mapping(mapping).is_some())
}
