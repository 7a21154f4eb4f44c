//! `addon-host addon …`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use addon_host::manifest::{AuthSpec, Connection};
use addon_host::packages::{self, Package};
use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::context::Context;
use super::output::{instant, table};

#[derive(Subcommand)]
pub enum Addon {
    /// Makes a package of a folder that holds addon.toml and the component
    Pack {
        folder: PathBuf,
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Shows what is in a package and what it asks for
    Inspect { file: PathBuf },
    /// Installs a package
    Install { file: PathBuf },
    /// Installs a package in the place of the active version; what runs goes on with the old one
    Update { file: PathBuf },
    /// Lists what is installed
    List,
    /// Removes an add-on that no installation uses
    Remove { id: String },
}

impl Addon {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::Pack { folder, output } => pack(context, &folder, &output)?,
            Self::Inspect { file } => inspect(context, &file)?,
            Self::Install { file } => install(context, &file, false).await?,
            Self::Update { file } => install(context, &file, true).await?,
            Self::List => list(context).await?,
            Self::Remove { id } => {
                context.store().await?.remove_addon(&id).await?;
                context
                    .output
                    .show(json!({ "removed": id }), || format!("{id} is removed."))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn pack(context: &Context, folder: &Path, output: &Path) -> Result<()> {
    let bytes = packages::pack(folder)?;
    let package = packages::read(&bytes)?;
    std::fs::write(output, &bytes)
        .with_context(|| format!("{} cannot be written", output.display()))?;
    let addon = &package.manifest.addon;
    let json = json!({
        "addon": addon.id, "version": addon.version.to_string(), "sha256": package.sha256,
        "file": output.display().to_string(), "bytes": bytes.len(),
    });
    context.output.show(json, || {
        format!(
            "{} {} is packed into {} ({} bytes).",
            addon.id,
            addon.version,
            output.display(),
            bytes.len()
        )
    })?;
    Ok(())
}

fn inspect(context: &Context, file: &Path) -> Result<()> {
    let package = packages::read(&read(file)?)?;
    context
        .output
        .show(described(&package), || description(&package))?;
    Ok(())
}

async fn install(context: &Context, file: &Path, update: bool) -> Result<()> {
    let bytes = read(file)?;
    let host = context.host().await?;
    let actor = context.actor();
    let version = if update {
        host.update_package(&bytes, &actor).await?
    } else {
        host.install_package(&bytes, &actor).await?
    };
    let json =
        json!({ "addon": version.addon, "version": version.version, "sha256": version.sha256 });
    context.output.show(json, || {
        format!("{} {} is installed.", version.addon, version.version)
    })?;
    Ok(())
}

async fn list(context: &Context) -> Result<()> {
    let versions = context.store().await?.addon_versions().await?;
    let json = versions.iter().map(|version| {
        json!({
            "addon": version.addon, "version": version.version, "active": version.active, "sha256": version.sha256,
            "installed_at": instant(version.installed_at), "installed_by": version.installed_by,
        })
    });
    context.output.show(json.collect(), || {
        let rows = versions.iter().map(|version| {
            let active = if version.active { "active" } else { "" };
            let digest = version.sha256.chars().take(12).collect();
            [
                version.addon.clone(),
                version.version.clone(),
                active.into(),
                digest,
                instant(version.installed_at),
            ]
        });
        table(
            &["add-on", "version", "", "sha256", "installed"],
            rows,
            "No add-on is installed.",
        )
    })?;
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn described(package: &Package) -> Value {
    let manifest = &package.manifest;
    let connections = manifest.connections.iter().map(|(name, connection)| {
        let connection = json!({
            "title": connection.title, "base_url": connection.base_url.source(), "hosts": hosts(connection),
            "private_addresses": connection.private_addresses, "auth": auth(connection),
            "per_minute": connection.per_minute, "per_day": connection.per_day,
        });
        (name.clone(), connection)
    });
    json!({
        "addon": manifest.addon.id, "version": manifest.addon.version.to_string(), "title": manifest.addon.title,
        "description": manifest.addon.description, "interface": manifest.addon.interface.to_string(),
        "state": manifest.addon.state, "sha256": package.sha256, "component_sha256": package.component_sha256,
        "component_bytes": package.component.len(), "connections": connections.collect::<Value>(),
        "settings": manifest.settings.iter().map(|spec| spec.key.as_str()).collect::<Vec<_>>(),
        "jobs": manifest.jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(),
    })
}

fn description(package: &Package) -> String {
    let manifest = &package.manifest;
    let addon = &manifest.addon;
    let jobs: Vec<&str> = manifest.jobs.iter().map(|job| job.id.as_str()).collect();
    let mut text = format!(
        "{} {}: {}\n{}\n\nPackage sha256 {}\nComponent {}, {} bytes, for interface {}\n{} settings; jobs: {}\n\nIt talks to\n",
        addon.id,
        addon.version,
        addon.title,
        addon.description,
        package.sha256,
        addon.component,
        package.component.len(),
        addon.interface,
        manifest.settings.len(),
        jobs.join(", "),
    );
    let rows = manifest.connections.iter().map(|(name, connection)| {
        let per_day = connection
            .per_day
            .map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
        [
            name.clone(),
            hosts(connection).join(", "),
            auth(connection).join(", "),
            connection.per_minute.to_string(),
            per_day,
        ]
    });
    text.push_str(&table(
        &["connection", "hosts", "credentials", "a minute", "a day"],
        rows,
        "nothing",
    ));
    text
}

fn hosts(connection: &Connection) -> Vec<&str> {
    connection.hosts.iter().map(|host| host.source()).collect()
}

fn auth(connection: &Connection) -> Vec<&'static str> {
    let name = |auth: &AuthSpec| match auth {
        AuthSpec::Basic { .. } => "basic",
        AuthSpec::Bearer { .. } => "bearer",
        AuthSpec::QueryKey { .. } => "query-key",
        AuthSpec::SplynxSignature { .. } => "splynx-signature",
        AuthSpec::SplynxToken { .. } => "splynx-token",
    };
    connection.auth.iter().map(name).collect()
}
