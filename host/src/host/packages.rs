//! Installing and updating add-ons: a package becomes active only after its component has passed the audit.

use std::sync::Arc;

use super::{Host, HostError};
use crate::manifest::Manifest;
use crate::packages::{self, Package};
use crate::runs::Loaded;
use crate::store::{AddonVersion, NewAddonVersion};

impl Host {
    /// Installs a package, also over an older version of the same add-on. Nothing changes unless the component passes its
    /// audit.
    pub async fn install_package(
        &self,
        bytes: &[u8],
        actor: &str,
    ) -> Result<AddonVersion, HostError> {
        let package = packages::read(bytes)?;
        let id = package.manifest.addon.id.clone();
        if let Some(current) = self.store().active_addon(&id).await? {
            packages::may_replace(&Manifest::parse(&current.manifest)?, &package.manifest)?;
        }
        self.activate(package, bytes, actor).await
    }

    /// The same for an add-on that must be installed already.
    pub async fn update_package(
        &self,
        bytes: &[u8],
        actor: &str,
    ) -> Result<AddonVersion, HostError> {
        let id = packages::read(bytes)?.manifest.addon.id;
        if self.store().active_addon(&id).await?.is_none() {
            return Err(HostError::NotInstalled(id));
        }
        self.install_package(bytes, actor).await
    }

    async fn activate(
        &self,
        package: Package,
        bytes: &[u8],
        actor: &str,
    ) -> Result<AddonVersion, HostError> {
        let addon = package.manifest.addon.clone();
        let (sha256, manifest) = (package.sha256.clone(), package.manifest_text.clone());
        self.load(package).await?;
        let version = NewAddonVersion {
            addon: &addon.id,
            version: &addon.version.to_string(),
            sha256: &sha256,
            manifest: &manifest,
            package: bytes,
            installed_by: actor,
        };
        self.store()
            .activate_addon(version, self.0.services.clock.now())
            .await?;
        self.store()
            .active_addon(&addon.id)
            .await?
            .ok_or(HostError::NotInstalled(addon.id))
    }

    /// Compiles the component, unless it is known.
    pub(super) async fn load(&self, package: Package) -> Result<Arc<Loaded>, HostError> {
        let mut loaded = self.0.loaded.lock().await;
        if let Some(known) = loaded.get(&package.sha256) {
            return Ok(known.clone());
        }
        let Package {
            manifest,
            component,
            sha256,
            ..
        } = package;
        let addon = self.0.services.runtime.admit(component).await?;
        let new = Arc::new(Loaded {
            sha256: sha256.clone(),
            manifest: Arc::new(manifest),
            addon,
        });
        loaded.insert(sha256, new.clone());
        Ok(new)
    }
}
