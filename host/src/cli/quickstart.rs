//! `addon-host quickstart`: from an empty data folder and a package to the page that sets an installation up.
//!
//! What it decides is asked, or agreed to beforehand: whose key is trusted, and what the add-on asks for. Whatever breaks off can be begun
//! again, until there is an account.

use std::path::PathBuf;
use std::process::ExitCode;

use addon_host::host::{Host, HostError, Offer, Terms};
use addon_host::installations;
use addon_host::packages::{PackageError, PublicKey, check_signed_with};
use addon_host::store::{AddonVersion, StoreError};
use anyhow::{Result, bail, ensure};
use clap::Args;

use super::addon;
use super::context::Context;
use super::question;
use super::serve::Serve;

/// Takes an empty data folder and a package to the page that sets the add-on up: trusts its key, installs it, makes an installation and the
/// first account, whose password is printed once, and serves until Ctrl-C
#[derive(Args)]
pub struct Quickstart {
    /// The package file, as its makers signed it
    package: PathBuf,
    /// The makers' key, as they publish it: the line of a minisign public key, or its file; asked about before it is trusted
    #[arg(long)]
    key: Option<String>,
    /// Whose key it is
    #[arg(long, value_name = "MAKERS", default_value = "the makers")]
    name: String,
    /// What the installation is to be called [default: the add-on's id]
    #[arg(long, value_name = "NAME")]
    installation: Option<String>,
    /// Trusts the key that was given, and agrees to what the add-on asks for
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    serve: Serve,
}

const BEFORE: &str = "--yes agrees to that; nothing was changed";

impl Quickstart {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let host = context.host().await?;
        let accounts = host.store().account_count().await?;
        ensure!(
            accounts == 0,
            "this host is in use: `addon install` takes the package, `installation create` makes an installation, `serve` serves"
        );
        let bytes = addon::read(&self.package)?;
        let offer = self.examine(context, &host, &bytes).await?;
        let addon = offer.package.manifest.addon.id.clone();
        let is_here = |current: &AddonVersion| current.sha256 == offer.package.sha256;
        if !offer.current.as_ref().is_some_and(is_here) {
            let list = offer.changes.asks_for_more.join("\n  ");
            self.agree(
                &format!("The add-on asks for this:\n  {list}"),
                "Install it?",
            )?;
            host.accept(&offer, None, &context.actor()).await?;
        }
        let name = self.installation.as_deref().unwrap_or(&addon);
        match host.store().installation(name).await {
            Ok(made) => ensure!(
                made.addon == addon,
                "the installation {name} is one of {}: choose another name with --installation",
                made.addon
            ),
            Err(StoreError::Missing { .. }) => {
                installations::create(host.store(), name, &addon, &context.author()).await?;
            }
            Err(error) => return Err(error.into()),
        }
        let setup = format!("installations/{name}/setup");
        self.serve.with(context, host, Some(setup)).await
    }

    /// The package, once its key is trusted.
    async fn examine(&self, context: &Context, host: &Host, bytes: &[u8]) -> Result<Offer> {
        match host.examine(bytes, Terms::default(), None).await {
            Err(HostError::Package(PackageError::UnknownKey(id))) => {
                self.trust(context, host, bytes, &id).await?;
                Ok(host.examine(bytes, Terms::default(), None).await?)
            }
            examined => Ok(examined?),
        }
    }

    async fn trust(&self, context: &Context, host: &Host, bytes: &[u8], id: &str) -> Result<()> {
        let Some(given) = &self.key else {
            bail!(
                "the package is signed with the key {id}, which is not trusted here. Give the whole of it with --key, as its makers publish it: \
                 from their website, a letter or a call, and not from where the package came from"
            );
        };
        let key = PublicKey::read(&addon::text_of_key(given))?;
        check_signed_with(bytes, &key)?;
        let line = key.line();
        self.agree(
            &format!(
                "The package is signed with the key {line} of {}.",
                self.name
            ),
            "Do its makers publish this key, and do you trust them?",
        )?;
        host.trust_for(bytes, &line, &self.name, &context.actor())
            .await?;
        Ok(())
    }

    fn agree(&self, known: &str, question: &str) -> Result<()> {
        match self.yes {
            true => {
                eprintln!("{known}");
                Ok(())
            }
            false => question::ask(known, question, BEFORE),
        }
    }
}
