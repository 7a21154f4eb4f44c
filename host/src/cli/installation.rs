//! `addon-host installation …`

use std::process::ExitCode;

use addon_host::installations;
use anyhow::{Result, ensure};
use clap::Subcommand;
use serde_json::json;

use super::context::Context;
use super::output::{instant, table};

#[derive(Subcommand)]
pub enum Installation {
    /// Makes an installation of an installed add-on
    Create {
        /// What it is to be called: small letters, digits and hyphens
        name: String,
        /// Id of the add-on, as `addon list` shows it
        #[arg(long, value_name = "ID")]
        addon: String,
    },
    /// Lists the installations
    List,
    /// Removes an installation with its settings, secrets, pairs, runs and log
    Remove {
        /// Name of the installation
        name: String,
        /// What it knows is lost for good; `addon-host backup FILE` keeps a copy
        #[arg(long)]
        forget_everything: bool,
    },
}

impl Installation {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let store = context.store().await?;
        match self {
            Self::Create { name, addon } => {
                let made = installations::create(&store, &name, &addon, &context.author()).await?;
                let json = json!({ "installation": made.name, "addon": made.addon, "created_on": made.created_on.to_string() });
                context.output.show(json, || {
                    format!("{name} is made. Its settings are next: addon-host settings {name}")
                })?;
            }
            Self::List => {
                let all = store.installations().await?;
                let json = all.iter().map(|one| {
                    json!({
                        "installation": one.name, "addon": one.addon, "created_at": instant(one.created_at),
                        "created_on": one.created_on.to_string(), "stored_bytes": one.stored_bytes,
                    })
                });
                context.output.show(json.collect(), || {
                    let rows = all.iter().map(|one| {
                        [
                            one.name.clone(),
                            one.addon.clone(),
                            one.created_on.to_string(),
                        ]
                    });
                    table(
                        &["installation", "add-on", "since"],
                        rows,
                        "There is no installation.",
                    )
                })?;
            }
            Self::Remove {
                name,
                forget_everything,
            } => {
                let installation = store.installation(&name).await?;
                ensure!(
                    forget_everything,
                    "{name} holds {} KB of settings, secrets, pairs with the other side, and its log; without the pairs every record is looked for anew. \
                     `addon-host backup FILE` keeps a copy. To remove it: addon-host installation remove {name} --forget-everything",
                    installation.stored_bytes.div_ceil(1000)
                );
                store.remove_installation(&name, &context.author()).await?;
                context
                    .output
                    .show(json!({ "removed": name }), || format!("{name} is removed."))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
