//! `addon-host master-key`: keys are named by their ids; none is ever printed.

use std::process::ExitCode;

use addon_host::host::MasterKeys;
use addon_host::vault::KeyId;
use anyhow::{Result, ensure};
use clap::Subcommand;
use serde_json::json;

use super::context::Context;

#[derive(Subcommand)]
pub enum MasterKey {
    /// Says where the key file is, which keys are in it, and which one is in use
    Show,
    /// Adds a new key to the file without using it: copy the file to every host, then `rotate`
    Add,
    /// Seals all secrets anew with the newest key of the file; makes one where the newest is in use already
    ///
    /// Hosts go on meanwhile: one that finds a secret sealed with a key that it does not know reads its key file again. The old
    /// key stays in the file, because backups taken so far need it; `forget` takes it out.
    Rotate,
    /// Takes a key out of the file for good; secrets in backups from its time do not open any more
    Forget {
        /// Id of the key
        id: KeyId,
    },
    /// Goes on with a new key where the one in use is lost for good: all stored passwords and keys have to be entered again
    Reset {
        /// Removes the secrets, which nothing can open any more
        #[arg(long)]
        forget_secrets: bool,
    },
}

impl MasterKey {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let store = context.store().await?;
        let source = context.master_key();
        let keys = MasterKeys {
            store: &store,
            source,
        };
        let file = source.path();
        let output = &context.output;
        match self {
            Self::Show => {
                let (in_use, known) = keys.look().await?;
                let texts: Vec<String> = known.iter().map(KeyId::to_string).collect();
                let found = in_use.is_none_or(|id| known.contains(&id));
                let in_use = in_use.map(|id| id.to_string());
                let value =
                    json!({ "file": file, "keys": texts, "in_use": in_use, "found": found });
                output.show(value, || {
                    let mut text = format!("Key file: {}\n", file.display());
                    for id in &texts {
                        let used = if Some(id) == in_use.as_ref() {
                            "  in use"
                        } else {
                            ""
                        };
                        text.push_str(&format!("  {id}{used}\n"));
                    }
                    if let Some(id) = in_use.filter(|_| !found) {
                        text.push_str(&format!(
                            "The secrets are sealed with {id}, which is not there.\n"
                        ));
                    }
                    text
                })?;
                return Ok(if found {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::FAILURE
                });
            }
            Self::Add => {
                let id = keys.add()?.to_string();
                output.show(json!({ "added": id }), || {
                    format!(
                        "The key {id} is in {}. Bring the file to every host, then run `master-key rotate` on one of them.\n",
                        file.display()
                    )
                })?;
            }
            Self::Rotate => {
                let (from, to, amount) = keys.rotate(context.now()).await?;
                let (from, to) = (from.to_string(), to.to_string());
                output.show(json!({ "from": from, "to": to, "secrets": amount }), || {
                    format!(
                        "{amount} secrets are sealed with the key {to} now. Keep a copy of {} in another place than the backups, \
                         and bring it to the other hosts on this database.\nThe key {from} stays in the file for older backups; \
                         `master-key forget {from}` takes it out.\n",
                        file.display()
                    )
                })?;
            }
            Self::Forget { id } => {
                keys.forget(id).await?;
                output.show(json!({ "forgotten": id.to_string() }), || {
                    format!("The key {id} is gone from {}.\n", file.display())
                })?;
            }
            Self::Reset { forget_secrets } => {
                ensure!(
                    forget_secrets,
                    "this removes every stored password and key; say --forget-secrets where the master key is lost for good"
                );
                let (id, gone) = keys.reset(context.now()).await?;
                let id = id.to_string();
                output.show(json!({ "key": id, "gone": gone }), || {
                    let mut text = format!("The key {id} is in use now. To be entered again:\n");
                    for (installation, key) in &gone {
                        text.push_str(&format!("  {installation}  {key}\n"));
                    }
                    text
                })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
