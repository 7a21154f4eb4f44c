//! `addon-host connection`: the manifest's terms of a connection, and the operator's.

use std::process::ExitCode;

use addon_host::manifest::Connection as Declared;
use addon_host::store::ConnectionOverride;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::{Args, Subcommand};
use serde_json::json;

use super::context::{Context, installed};
use super::output::table;
use super::settings::pair;

#[derive(Args)]
pub struct Connection {
    /// Name of the installation
    installation: String,
    /// Name of the connection, such as `splynx`
    connection: String,
    #[command(subcommand)]
    command: Option<Change>,
}

#[derive(Subcommand)]
enum Change {
    /// Sets per-minute, per-day, burst, settle (seconds) or allow-host (several: parted by commas); an empty value goes
    /// back to the manifest's
    Set {
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = pair)]
        changes: Vec<(String, String)>,
    },
}

impl Connection {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let store = context.store().await?;
        let (_, manifest) = installed(&store, &self.installation).await?;
        let declared = manifest.connections.get(&self.connection).ok_or_else(|| {
            let known: Vec<&str> = manifest.connections.keys().map(String::as_str).collect();
            anyhow!(
                "there is no connection `{}`; there are {}",
                self.connection,
                known.join(", ")
            )
        })?;
        let mut terms = store
            .connection_override(&self.installation, &self.connection)
            .await?;
        if let Some(Change::Set { changes }) = self.command {
            for (name, value) in changes {
                change(&mut terms, declared, &name, value.trim()).with_context(|| name.clone())?;
            }
            store
                .set_connection_override(&self.installation, &self.connection, &terms)
                .await?;
        }
        show(context, declared, &terms)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn change(
    terms: &mut ConnectionOverride,
    declared: &Declared,
    name: &str,
    value: &str,
) -> Result<()> {
    let number = || -> Result<Option<u32>> {
        if value.is_empty() {
            return Ok(None);
        }
        let number: u32 = value
            .parse()
            .map_err(|_| anyhow!("`{value}` is not a whole number"))?;
        ensure!(number > 0, "nothing would ever be sent; write at least 1");
        Ok(Some(number))
    };
    match name {
        "per-minute" => terms.per_minute = number()?,
        "per-day" => terms.per_day = number()?,
        "burst" => terms.burst = number()?,
        "settle" => {
            let seconds = number()?;
            let least = declared.timeout_seconds;
            ensure!(
                seconds.is_none_or(|seconds| seconds > least),
                "a request can be in flight for {least} s; write more"
            );
            terms.settle_seconds = seconds;
        }
        "allow-host" => {
            let hosts = value
                .split(',')
                .map(str::trim)
                .filter(|host| !host.is_empty());
            terms.allow_hosts = hosts.map(str::to_owned).collect();
            ensure!(
                terms
                    .allow_hosts
                    .iter()
                    .all(|host| !host.contains(['/', '@', '?', '#', ' '])),
                "write host names or addresses only"
            );
        }
        _ => {
            bail!("there is no such term; there are per-minute, per-day, burst, settle, allow-host")
        }
    }
    Ok(())
}

fn show(context: &Context, declared: &Declared, terms: &ConnectionOverride) -> Result<()> {
    let number = |changed: Option<u32>, usual: Option<u32>| {
        let text = |number: Option<u32>| {
            number.map_or_else(|| "none".to_owned(), |number| number.to_string())
        };
        [text(changed.or(usual)), text(usual)]
    };
    let lines = [
        (
            "per-minute",
            number(terms.per_minute, Some(declared.per_minute)),
        ),
        ("per-day", number(terms.per_day, declared.per_day)),
        ("burst", number(terms.burst, Some(declared.burst))),
        (
            "settle",
            number(terms.settle_seconds, Some(declared.settle_seconds)),
        ),
        ("allow-host", [terms.allow_hosts.join(","), String::new()]),
    ];
    let json = lines
        .iter()
        .map(|(name, [value, usual])| json!({ "name": name, "value": value, "manifest": usual }));
    context.output.show(json.collect(), || {
        let rows = lines
            .iter()
            .map(|(name, [value, usual])| [(*name).to_owned(), value.clone(), usual.clone()]);
        table(&["term", "value", "manifest"], rows, "")
    })?;
    Ok(())
}
