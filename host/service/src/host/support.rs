//! What people send to those who help.

use super::{Host, HostError, Services};
use crate::support::{Bundle, Known, parts};
use addon_settings::Settings;

impl Host {
    /// How an installation stands, without secrets and people. Nothing is asked of anybody for it.
    pub async fn support(&self, installation: &str) -> Result<Bundle, HostError> {
        let Services { store, vault, .. } = &self.0.services;
        let installation = store.installation(installation).await?;
        let not_installed = || HostError::NotInstalled(installation.addon.clone());
        let version = store.addon_of(&installation).await?;
        let version = version.ok_or_else(not_installed)?;
        let package = store.package(&version.sha256).await?;
        let package = package.ok_or_else(not_installed)?;
        let manifest = addon_packages::read(&package)?.manifest;
        let settings = Settings::load(store, vault, &manifest, &installation.name).await?;
        let known = Known {
            settings: settings.for_guest(&manifest),
            installation,
            version,
            manifest,
            package,
        };
        Ok(Bundle {
            parts: parts(self, &known).await?,
        })
    }
}
