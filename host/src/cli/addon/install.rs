//! `addon install`, `addon update`, `addon rollback`: what is asked before, and told after.

use std::path::Path;
use std::process::ExitCode;

use addon_host::host::{Host, Offer, Terms};
use addon_host::store::AddonVersion;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::super::context::Context;
use super::super::question;
use super::read;

/// What an operator lets through.
#[derive(Debug, Args)]
pub struct Taking {
    /// Takes a package that nobody signed, or nobody whom this host trusts: for makers of add-ons at work
    #[arg(long)]
    allow_unsigned: bool,
    /// Takes an update signed with another trusted key than the version in use
    #[arg(long)]
    accept_new_key: bool,
    /// Agrees to what it asks for; of an update, beyond the version in use
    #[arg(short, long)]
    yes: bool,
}

impl Taking {
    fn terms(&self) -> Terms {
        Terms {
            unsigned: self.allow_unsigned,
            new_key: self.accept_new_key,
        }
    }
}

pub async fn install(context: &Context, file: &Path, taking: &Taking) -> Result<ExitCode> {
    let host = context.host().await?;
    let offer = host.examine(&read(file)?, taking.terms(), None).await?;
    take(context, &host, &offer, None, taking).await
}

pub async fn update(
    context: &Context,
    file: &Path,
    installation: Option<&str>,
    taking: &Taking,
) -> Result<ExitCode> {
    let host = context.host().await?;
    let offer = host
        .examine(&read(file)?, taking.terms(), installation)
        .await?;
    if offer.current.is_none() {
        let id = &offer.package.manifest.addon.id;
        bail!("add-on `{id}` is not installed: use `addon install`");
    }
    take(context, &host, &offer, installation, taking).await
}

async fn take(
    context: &Context,
    host: &Host,
    offer: &Offer,
    installation: Option<&str>,
    taking: &Taking,
) -> Result<ExitCode> {
    let more = &offer.changes.asks_for_more;
    if !more.is_empty() && !taking.yes {
        let what = match offer.current {
            Some(_) => "The new version asks for more than the one in use",
            None => "The add-on asks for this",
        };
        agree(what, more)?;
    }
    let actor = context.actor();
    let version = host.accept(offer, installation, &actor).await?;
    let migrated = host.migrate_installations(&version, &actor).await?;
    let failed: Vec<_> = migrated
        .iter()
        .filter_map(|one| Some((&one.installation, one.failure.as_ref()?)))
        .collect();
    let failures = failed.iter().map(
        |(name, why)| json!({ "installation": name, "code": why.code, "message": why.message }),
    );
    let json = json!({
        "addon": version.addon, "version": version.version, "serial": version.serial, "sha256": version.sha256,
        "signed_by": offer.signed_by.as_ref().map(|key| &key.name), "asks_for_more": more, "changes": offer.changes.other,
        "migrated": migrated.iter().filter(|one| one.failure.is_none()).map(|one| one.installation.as_str()).collect::<Value>(),
        "failed": failures.collect::<Value>(),
    });
    context.output.show(json, || {
        let mut text = told(offer, &version, installation);
        for (name, why) in &failed {
            text.push_str(&format!("\n{name}: {}", why.message));
        }
        text
    })?;
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("The host went back to the version before; see `addon-host addon list`.");
    Ok(ExitCode::FAILURE)
}

fn told(offer: &Offer, version: &AddonVersion, installation: Option<&str>) -> String {
    let by = offer.signed_by.as_ref().map_or_else(
        || "UNSIGNED".to_owned(),
        |key| format!("signed by {}", key.name),
    );
    let place = installation.map_or(String::new(), |name| {
        format!(" for {name}, which stays at it")
    });
    let mut text = format!(
        "{} {} is installed{place} ({by}).",
        version.addon, version.version
    );
    let (asks, what) = match &offer.current {
        None => ("It may use", "It has"),
        Some(_) => ("It may do more than before", "Besides"),
    };
    for (title, lines) in [
        (asks, &offer.changes.asks_for_more),
        (what, &offer.changes.other),
    ] {
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}:\n  {}", lines.join("\n  ")));
        }
    }
    text
}

/// Asks a person; where there is none, says how to agree.
fn agree(what: &str, asked: &[String]) -> Result<()> {
    let list = asked.join("\n  ");
    question::ask(
        &format!("{what}:\n  {list}"),
        "Install it?",
        "--yes agrees to that; nothing was changed",
    )
}

pub async fn roll_back(context: &Context, id: &str, to: Option<&str>) -> Result<()> {
    let host = context.host().await?;
    let version = host.roll_back(id, to, &context.actor()).await?;
    let json =
        json!({ "addon": version.addon, "version": version.version, "sha256": version.sha256 });
    context.output.show(json, || {
        format!(
            "{} is at {} again; what runs finishes with the version that it began with.",
            version.addon, version.version
        )
    })?;
    Ok(())
}

pub async fn unpin(context: &Context, installation: &str) -> Result<()> {
    let store = context.store().await?;
    store.pin(installation, None, &context.author()).await?;
    context
        .output
        .show(json!({ "unpinned": installation }), || {
            format!("{installation} goes with its add-on's version in use again.")
        })?;
    Ok(())
}
