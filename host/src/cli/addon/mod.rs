//! `addon-host addon …`: packages from their makers' side and from the operator's.

mod install;
mod keys;
mod show;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use addon_host::packages::{self, LARGEST_PACKAGE};
use addon_host::runs::audit;
use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::json;

use super::context::Context;
use install::Taking;

pub use keys::text_of_key;

#[derive(Subcommand)]
pub enum Addon {
    /// Makes the keys that packages are signed with: a secret file, and beside it FILE.pub
    Keygen {
        /// Where the secret key goes; the public one goes beside it, with .pub
        #[arg(short, long, value_name = "FILE", default_value = "addon.key")]
        output: PathBuf,
        /// Does not ask for a password: whoever has the file can sign
        #[arg(long)]
        no_password: bool,
    },
    /// Makes a package of a folder that holds addon.toml and the component
    Pack {
        /// The folder
        folder: PathBuf,
        /// Where the package goes
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Signs it with this secret key; its password, where it has one, is read from standard input
        #[arg(long, value_name = "KEY")]
        sign: Option<PathBuf>,
    },
    /// Signs a package that is there, in its place; a signature that it bears is replaced
    Sign {
        /// The package
        file: PathBuf,
        /// File of the secret key
        #[arg(long, value_name = "KEY")]
        key: PathBuf,
    },
    /// Shows what is in a package, who signed it, and what it asks for
    Inspect {
        /// The package
        file: PathBuf,
    },
    /// Installs a package
    Install {
        /// The package
        file: PathBuf,
        #[command(flatten)]
        taking: Taking,
    },
    /// Installs a package in the place of the version in use; what runs goes on with the old one
    Update {
        /// The package
        file: PathBuf,
        /// Only for this installation, which then stays at it
        #[arg(long, value_name = "NAME")]
        installation: Option<String>,
        #[command(flatten)]
        taking: Taking,
    },
    /// Goes back to the version that was in use before; stored state stays as it is
    Rollback {
        /// Id of the add-on, as `addon list` shows it
        id: String,
        /// To this version
        #[arg(long)]
        to: Option<String>,
    },
    /// Has an installation go with the version in use again
    Unpin {
        /// Name of the installation
        installation: String,
    },
    /// Lists what is installed
    List,
    /// Removes an add-on that no installation uses
    Remove {
        /// Id of the add-on, as `addon list` shows it
        id: String,
    },
    /// Trusts the packages of whoever has this key: the line of a minisign public key, or its file. Without one: lists whom
    /// this host trusts
    Trust {
        /// The key's line, or the file that holds it
        key: Option<String>,
        /// What its owner is called here
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Trusts a key no longer; what was installed goes on running
    Distrust {
        /// Id of the key, as `addon trust` shows it
        id: String,
    },
}

impl Addon {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::Keygen {
                output,
                no_password,
            } => keys::make(context, &output, no_password)?,
            Self::Pack {
                folder,
                output,
                sign,
            } => pack(context, &folder, &output, sign.as_deref())?,
            Self::Sign { file, key } => sign(context, &file, &key)?,
            Self::Inspect { file } => show::inspect(context, &file).await?,
            Self::Install { file, taking } => {
                return install::install(context, &file, &taking).await;
            }
            Self::Update {
                file,
                installation,
                taking,
            } => return install::update(context, &file, installation.as_deref(), &taking).await,
            Self::Rollback { id, to } => install::roll_back(context, &id, to.as_deref()).await?,
            Self::Unpin { installation } => install::unpin(context, &installation).await?,
            Self::List => show::list(context).await?,
            Self::Remove { id } => {
                let store = context.store().await?;
                store.remove_addon(&id, &context.author()).await?;
                context
                    .output
                    .show(json!({ "removed": id }), || format!("{id} is removed."))?;
            }
            Self::Trust { key: None, .. } => keys::list(context).await?,
            Self::Trust {
                key: Some(key),
                name,
            } => keys::trust(context, &key, &name).await?,
            Self::Distrust { id } => keys::distrust(context, &id).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn pack(context: &Context, folder: &Path, output: &Path, key: Option<&Path>) -> Result<()> {
    let mut bytes = packages::pack(folder)?;
    // What every host refuses is refused to its makers first.
    audit(&packages::read(&bytes)?.component)?;
    if let Some(key) = key {
        bytes = keys::sign(&bytes, key)?;
    }
    write(output, &bytes)?;
    packed(context, output, &bytes, "is packed into")
}

fn sign(context: &Context, file: &Path, key: &Path) -> Result<()> {
    let bytes = read(file)?;
    let bytes = keys::sign(packages::split(&bytes)?.archive, key)?;
    write(file, &bytes)?;
    packed(context, file, &bytes, "is signed in")
}

fn packed(context: &Context, file: &Path, bytes: &[u8], done: &str) -> Result<()> {
    let parts = packages::split(bytes)?;
    let package = packages::read(parts.archive)?;
    let addon = &package.manifest.addon;
    let key = parts.signature.as_ref().map(|signature| signature.key());
    let json = json!({
        "addon": addon.id, "version": addon.version.to_string(), "serial": addon.serial, "sha256": package.sha256,
        "signed_with": key, "file": file.display().to_string(), "bytes": bytes.len(),
    });
    context.output.show(json, || {
        let signed = key.map_or("not signed".to_owned(), |key| {
            format!("signed with the key {key}")
        });
        format!(
            "{} {} {done} {} ({} bytes, {signed}).",
            addon.id,
            addon.version,
            file.display(),
            bytes.len()
        )
    })?;
    Ok(())
}

/// A package file, no more of it than a package may have and one byte.
pub fn read(file: &Path) -> Result<Vec<u8>> {
    let failed = || format!("{} cannot be read", file.display());
    let opened = std::fs::File::open(file).with_context(failed)?;
    let mut bytes = Vec::new();
    opened
        .take(LARGEST_PACKAGE as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(failed)?;
    Ok(bytes)
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(file, bytes).with_context(|| format!("{} cannot be written", file.display()))
}
