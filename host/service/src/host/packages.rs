//! Installing, updating and going back: a package becomes active only after its signature, its archive, its manifest and its component
//! have passed, in this order, and after a person has seen what it asks for.
//!
//! Everything before [`Host::accept`] leaves nothing behind but a compiled component in the cache, which the next attempt uses. That one
//! is a single transaction. Runs that are under way finish on the version that they began with. Beware: an archive is an
//! attacker's until its signature was verified, so it is not even looked into before.

use std::sync::Arc;

use super::{Host, HostError};
use addon_manifest::Manifest;
use addon_packages::{
    Changes, LARGEST_PACKAGE, Package, PackageError, PublicKey, Signature, check_signed_with,
    is_archive, may_replace, read, split,
};
use addon_runs::Loaded;
use addon_store::{AddonVersion, Author, NewAddonVersion, StoreError, TrustedKey};

/// What an operator lets through besides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms {
    /// Packages that nobody signed, or nobody whose key is trusted here: for makers of add-ons at work. It stays visible.
    pub unsigned: bool,
    /// An update signed with another trusted key than the version in use.
    pub new_key: bool,
}

impl Terms {
    /// Whatever was just built.
    pub const DEVELOPMENT: Self = Self {
        unsigned: true,
        new_key: true,
    };
}

/// A package that may be installed once somebody agrees.
pub struct Offer {
    pub package: Package,
    /// Whose signature it bears; `None`: nobody's that is trusted.
    pub signed_by: Option<TrustedKey>,
    /// Against the version in use; the whole of what it asks for where there is none.
    pub changes: Changes,
    /// The version in use.
    pub current: Option<AddonVersion>,
    signature: Option<Signature>,
    archive: Vec<u8>,
}

impl Host {
    /// Examines a package file: everything that can be wrong with it, and what would change. `for_installation`: it is to run there
    /// only, so that one's version is the one in use.
    pub async fn examine(
        &self,
        bytes: &[u8],
        terms: Terms,
        for_installation: Option<&str>,
    ) -> Result<Offer, HostError> {
        if bytes.len() > LARGEST_PACKAGE {
            let what = "the package".to_owned();
            let most = LARGEST_PACKAGE;
            return Err(PackageError::TooLarge { what, most }.into());
        }
        let parts = split(bytes).map_err(PackageError::from)?;
        // A file that is no archive at all is told as that, not as one that somebody should sign.
        if parts.signature.is_none() && !is_archive(parts.archive) {
            read(parts.archive)?;
        }
        let signed_by = self
            .signer(parts.signature.as_ref(), parts.archive, terms)
            .await?;
        let package = read(parts.archive)?;
        let id = package.manifest.addon.id.clone();
        let store = self.store();
        let current = match for_installation {
            Some(name) => {
                let installation = store.installation(name).await?;
                if installation.addon != id {
                    let text = format!(
                        "`{name}` is an installation of `{}`, and the package is of `{id}`",
                        installation.addon
                    );
                    return Err(PackageError::NoUpdate(text).into());
                }
                store.addon_of(&installation).await?
            }
            None => store.active_addon(&id).await?,
        };
        let before = match &current {
            Some(current) => Some(Manifest::parse(&current.manifest)?),
            None => None,
        };
        if let (Some(before), Some(current)) = (&before, &current) {
            may_replace(before, &package.manifest, store.highest_serial(&id).await?)?;
            check_key(current, signed_by.as_ref(), terms)?;
        }
        let changes = Changes::between(before.as_ref(), &package.manifest);
        self.load(package.clone()).await?;
        Ok(Offer {
            package,
            signed_by,
            changes,
            current,
            signature: parts.signature,
            archive: parts.archive.to_vec(),
        })
    }

    /// Installs what was examined. `for_installation`: for that one only, which stays at it.
    pub async fn accept(
        &self,
        offer: &Offer,
        for_installation: Option<&str>,
        actor: &str,
    ) -> Result<AddonVersion, HostError> {
        let addon = &offer.package.manifest.addon;
        let version = NewAddonVersion {
            addon: &addon.id,
            version: &addon.version.to_string(),
            serial: addon.serial,
            sha256: &offer.package.sha256,
            manifest: &offer.package.manifest_text,
            package: &offer.archive,
            signature: offer.signature.as_ref().map_or("", Signature::text),
            signed_by: offer.signed_by.as_ref().map_or("", |key| &key.id),
            installed_by: actor,
        };
        let now = self.0.services.clock.now();
        let store = self.store();
        match for_installation {
            Some(name) => store.install_for(version, name, now).await?,
            None => store.activate_addon(version, now).await?,
        }
        let kept = store
            .addon_version(&addon.id, &offer.package.sha256)
            .await?;
        kept.ok_or_else(|| HostError::NotInstalled(addon.id.clone()))
    }

    /// Examines and installs at once, for those who need not be asked.
    pub async fn install_package(
        &self,
        bytes: &[u8],
        terms: Terms,
        actor: &str,
    ) -> Result<AddonVersion, HostError> {
        let offer = self.examine(bytes, terms, None).await?;
        self.accept(&offer, None, actor).await
    }

    /// Goes back to an earlier version that was installed here; none given: the one before. The state stays as it is: each version
    /// reads what the next one wrote.
    pub async fn roll_back(
        &self,
        addon: &str,
        version: Option<&str>,
        actor: &str,
    ) -> Result<AddonVersion, HostError> {
        let store = self.store();
        let active = store.active_addon(addon).await?;
        let active = active.ok_or_else(|| HostError::NotInstalled(addon.to_owned()))?;
        let versions = store.versions_of(addon).await?;
        let target = versions.into_iter().find(|other| match version {
            Some(wanted) => other.version == wanted && other.sha256 != active.sha256,
            None => {
                other.sha256 != active.sha256
                    && other.withdrawn.is_empty()
                    && other.installed_at <= active.installed_at
            }
        });
        let target = target.ok_or_else(|| StoreError::Missing {
            what: "earlier version",
            name: version.unwrap_or(addon).to_owned(),
        })?;
        let why = format!("{actor} went back to {}", target.version);
        let author = Author::new(actor, self.0.services.clock.now());
        store.step_back(&active, &target, &why, &author).await?;
        let now_active = store.active_addon(addon).await?;
        now_active.ok_or_else(|| HostError::NotInstalled(addon.to_owned()))
    }

    /// Whose signature a package bears, verified.
    async fn signer(
        &self,
        signature: Option<&Signature>,
        archive: &[u8],
        terms: Terms,
    ) -> Result<Option<TrustedKey>, HostError> {
        let untrusted = |error: PackageError| match terms.unsigned {
            true => Ok(None),
            false => Err(error.into()),
        };
        let Some(signature) = signature else {
            let text = "nobody signed the package. Get it signed from its makers; while you make it yourself, --allow-unsigned takes it";
            return untrusted(PackageError::Untrusted(text.to_owned()));
        };
        let key = signature.key();
        let Some(trusted) = self.store().trusted_key(key).await? else {
            return untrusted(PackageError::UnknownKey(key.to_owned()));
        };
        let public = PublicKey::read(&trusted.public_key).map_err(PackageError::from)?;
        signature
            .verify(&public, archive)
            .map_err(PackageError::from)?;
        Ok(Some(trusted))
    }

    /// Trusts the key that a package is signed with from now on, where it is that key's package as it is. Answers the key.
    pub async fn trust_for(
        &self,
        bytes: &[u8],
        key: &str,
        name: &str,
        actor: &str,
    ) -> Result<TrustedKey, HostError> {
        let key = PublicKey::read(key).map_err(PackageError::from)?;
        check_signed_with(bytes, &key)?;
        let trusted = TrustedKey {
            id: key.id(),
            public_key: key.line(),
            name: name.to_owned(),
            added_at: self.0.services.clock.now(),
            added_by: actor.to_owned(),
        };
        self.store().trust(&trusted).await?;
        Ok(trusted)
    }

    /// Compiles the component, unless it is known.
    pub(super) async fn load(&self, package: Package) -> Result<Arc<Loaded>, HostError> {
        let sha256 = package.sha256.clone();
        let cell = self.loaded().entry(sha256.clone()).or_default().clone();
        let loaded = cell.get_or_try_init(|| self.compile(package)).await;
        if loaded.is_err() {
            // One that cannot be loaded leaves nothing behind, unless somebody tries it again right now.
            let mut all = self.loaded();
            if all.get(&sha256).is_some_and(|cell| cell.get().is_none()) {
                all.remove(&sha256);
            }
        }
        loaded.cloned()
    }

    async fn compile(&self, package: Package) -> Result<Arc<Loaded>, HostError> {
        let Package {
            manifest,
            component,
            component_sha256,
            sha256,
            ..
        } = package;
        let runtime = &self.0.services.runtime;
        let addon = runtime.admit(component, &component_sha256).await?;
        Ok(Arc::new(Loaded {
            sha256,
            manifest: Arc::new(manifest),
            addon,
        }))
    }
}

/// An add-on stays with whoever made the version in use, until a person says otherwise.
fn check_key(
    current: &AddonVersion,
    signed_by: Option<&TrustedKey>,
    terms: Terms,
) -> Result<(), PackageError> {
    let same = signed_by.map_or("", |key| &key.id) == current.signed_by;
    if current.signed_by.is_empty() || same || terms.new_key {
        return Ok(());
    }
    let by = signed_by.map_or_else(
        || "nobody who is trusted here".to_owned(),
        |key| format!("{} ({})", key.name, key.id),
    );
    Err(PackageError::Untrusted(format!(
        "the version in use is signed with the key {}, and this package by {by}. Ask its makers whether they changed their key; --accept-new-key takes it",
        current.signed_by
    )))
}
