//! `addon inspect` and `addon list`.

use std::path::Path;

use addon_host::packages::{self, Changes, Package, PublicKey, Signature, auth, hosts};
use addon_host::runs::audit;
use anyhow::Result;
use serde_json::{Value, json};

use super::super::context::Context;
use super::super::output::{instant, printable, table};
use super::read;

/// A package that is looked at need not be trusted: nothing of it is run. Whether it is, is said.
pub async fn inspect(context: &Context, file: &Path) -> Result<()> {
    let bytes = read(file)?;
    let parts = packages::split(&bytes)?;
    let signer = match &parts.signature {
        None => Signer::Nobody,
        Some(signature) => signer(context, signature, parts.archive).await?,
    };
    let package = packages::read(parts.archive)?;
    context.output.show(described(&package, &signer), || {
        description(&package, &signer)
    })?;
    Ok(())
}

enum Signer {
    Nobody,
    Unknown {
        key: String,
    },
    Trusted {
        key: String,
        name: String,
        says: String,
    },
}

async fn signer(context: &Context, signature: &Signature, archive: &[u8]) -> Result<Signer> {
    let key = signature.key().to_owned();
    let Some(trusted) = context.store().await?.trusted_key(&key).await? else {
        return Ok(Signer::Unknown { key });
    };
    let says = signature.verify(&PublicKey::read(&trusted.public_key)?, archive)?;
    let name = trusted.name;
    Ok(Signer::Trusted { key, name, says })
}

fn described(package: &Package, signer: &Signer) -> Value {
    let manifest = &package.manifest;
    let connections = manifest.connections.iter().map(|(name, connection)| {
        let connection = json!({
            "title": connection.title, "base_url": connection.base_url.source(), "hosts": hosts(connection),
            "private_addresses": connection.private_addresses, "auth": auth(connection), "reads": connection.reads,
            "per_minute": connection.per_minute, "per_day": connection.per_day,
        });
        (name.clone(), connection)
    });
    let signature = match signer {
        Signer::Nobody => Value::Null,
        Signer::Unknown { key } => json!({ "key": key, "trusted": false }),
        Signer::Trusted { key, name, says } => {
            json!({ "key": key, "trusted": true, "name": name, "comment": says })
        }
    };
    json!({
        "addon": manifest.addon.id, "version": manifest.addon.version.to_string(), "serial": manifest.addon.serial,
        "title": manifest.addon.title, "description": manifest.addon.description,
        "interface": manifest.addon.interface.to_string(), "state": manifest.addon.state, "signature": signature,
        "sha256": package.sha256, "component_sha256": package.component_sha256,
        "component_bytes": package.component.len(), "refused": refused(package), "connections": connections.collect::<Value>(),
        "settings": manifest.settings.iter().map(|spec| spec.key.as_str()).collect::<Vec<_>>(),
        "asks_for": Changes::between(None, manifest).asks_for_more,
        "jobs": manifest.jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(),
    })
}

/// Why this host would not install it; `None`: it would.
fn refused(package: &Package) -> Option<String> {
    let audited = audit(&package.component);
    audited.err().map(|error| error.to_string())
}

fn description(package: &Package, signer: &Signer) -> String {
    let manifest = &package.manifest;
    let addon = &manifest.addon;
    let jobs: Vec<&str> = manifest.jobs.iter().map(|job| job.id.as_str()).collect();
    let refused = refused(package).map_or_else(String::new, |why| {
        format!("\nThis host REFUSES it: {}", printable(&why))
    });
    let signed = match signer {
        Signer::Nobody => "NOBODY signed it".to_owned(),
        Signer::Unknown { key } => {
            format!(
                "It says that the key {key} signed it, which is NOT TRUSTED here and was not checked"
            )
        }
        Signer::Trusted { key, name, says } => {
            format!("Signed by {name} (key {key}): {}", printable(says))
        }
    };
    format!(
        "{} {} (serial {}): {}\n{}\n\n{signed}\nPackage sha256 {}\nComponent {}, {} bytes, for interface {}{refused}\n{} settings; jobs: {}\n\n\
         It asks for\n  {}",
        addon.id,
        addon.version,
        addon.serial,
        addon.title,
        printable(&addon.description),
        package.sha256,
        addon.component,
        package.component.len(),
        addon.interface,
        manifest.settings.len(),
        jobs.join(", "),
        Changes::between(None, manifest).asks_for_more.join("\n  ")
    )
}

pub async fn list(context: &Context) -> Result<()> {
    let store = context.store().await?;
    let versions = store.addon_versions().await?;
    let installations = store.installations().await?;
    let pinned_to = |sha256: &str| {
        let pinned = installations.iter().filter(|one| one.pinned == sha256);
        pinned.map(|one| one.name.as_str()).collect::<Vec<_>>()
    };
    let json = versions.iter().map(|version| {
        json!({
            "addon": version.addon, "version": version.version, "serial": version.serial, "active": version.active,
            "sha256": version.sha256, "signed_by": version.signed_by, "withdrawn": version.withdrawn,
            "pinned": pinned_to(&version.sha256),
            "installed_at": instant(version.installed_at), "installed_by": version.installed_by,
        })
    });
    context.output.show(json.collect(), || {
        let rows = versions.iter().map(|version| {
            let pinned = pinned_to(&version.sha256);
            let mut use_of = Vec::new();
            if version.active {
                use_of.push("active".to_owned());
            }
            if !pinned.is_empty() {
                use_of.push(format!("for {}", pinned.join(", ")));
            }
            use_of.push(version.withdrawn.clone());
            use_of.retain(|text| !text.is_empty());
            let signed = match version.signed_by.as_str() {
                "" => "UNSIGNED",
                key => key,
            };
            [
                version.addon.clone(),
                version.version.clone(),
                version.serial.to_string(),
                use_of.join("; "),
                signed.to_owned(),
                version.sha256.chars().take(12).collect(),
                instant(version.installed_at),
            ]
        });
        table(
            &[
                "add-on",
                "version",
                "serial",
                "",
                "signed with",
                "sha256",
                "installed",
            ],
            rows,
            "No add-on is installed.",
        )
    })?;
    Ok(())
}
