//! `addon-host user`: accounts of the admin pages. The password comes in on standard input.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use addon_host::store::{LoginSource, Role};
use addon_host::vault::Secret;
use addon_host::web::login::{account, password};
use anyhow::{Context as _, Result, ensure};
use clap::Subcommand;
use serde_json::json;

use super::context::{Context, installed};
use super::output::{instant, table};
use super::settings::pair;

#[derive(Subcommand)]
pub enum User {
    /// Makes an account for the admin pages, or changes its password (from standard input), and logs it out everywhere
    Set {
        /// What the person logs in with
        name: String,
        /// What it may do: view, operate or administer [default: what it may now; a new one administers]
        #[arg(long)]
        role: Option<Role>,
        /// Instead: takes off the second factor of somebody who has lost it; the password stays, and none is read
        #[arg(long, conflicts_with = "role")]
        no_second_factor: bool,
    },
    /// Changes what an account may do, from its next click on
    Role {
        /// Name of the account
        name: String,
        /// What it may do from now on
        role: Role,
    },
    /// Lists the accounts
    List,
    /// Lets administrators of an installation's Splynx log in as LOGIN@INSTALLATION, with their passwords there; without --role no more
    Admit {
        /// Name of the installation
        installation: String,
        /// The installation's connection to Splynx
        #[arg(long, default_value = "splynx")]
        connection: String,
        /// What a role there may do here; `*` stands for every other role, and whoever has none is refused
        #[arg(long = "role", value_name = "THEIRS=OURS", value_parser = pair)]
        roles: Vec<(String, String)>,
    },
    /// Removes an account and logs it out everywhere
    Remove {
        /// Name of the account
        name: String,
    },
}

/// Longer than any password.
const MOST_STDIN_BYTES: u64 = 16 << 10;

impl User {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let output = &context.output;
        match self {
            Self::Set {
                name,
                no_second_factor: true,
                ..
            } => {
                let store = context.store().await?;
                let author = context.author();
                ensure!(
                    store.reset_second_factor(&name, &author).await?,
                    "{name} has no second factor"
                );
                output.show(json!({ "account": name, "second_factor": false }), || {
                    format!("{name} logs in with the password alone.")
                })?;
            }
            Self::Set { name, role, .. } => {
                account::check_name(&name)?;
                let hash = password::hash(&read_password()?)?;
                let store = context.store().await?;
                store
                    .save_account_as(&name, &hash, role, &context.author())
                    .await?;
                output.show(json!({ "account": name }), || {
                    format!("The account {name} is set.")
                })?;
            }
            Self::Role { name, role } => {
                let store = context.store().await?;
                store.set_role(&name, role, &context.author()).await?;
                let json = json!({ "account": name, "role": role.to_string() });
                output.show(json, || format!("The account {name} may {role}."))?;
            }
            Self::List => {
                let accounts = context.store().await?.accounts().await?;
                let rows = accounts.iter().map(|account| {
                    json!({
                        "account": account.name, "role": account.role.to_string(), "second_factor": account.has_second_factor,
                        "created_at": instant(account.created_at),
                    })
                });
                output.show(rows.collect(), || {
                    let lines = accounts.iter().map(|account| {
                        [
                            account.name.clone(),
                            account.role.to_string(),
                            if account.has_second_factor { "yes" } else { "" }.to_owned(),
                            instant(account.created_at),
                        ]
                    });
                    table(
                        &["account", "role", "second factor", "created"],
                        lines,
                        "There are no accounts.",
                    )
                })?;
            }
            Self::Admit {
                installation,
                connection,
                roles,
            } => admit(context, installation, connection, roles).await?,
            Self::Remove { name } => {
                let store = context.store().await?;
                store.remove_account(&name, &context.author()).await?;
                output.show(json!({ "removed": name }), || {
                    format!("The account {name} is gone.")
                })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn admit(
    context: &Context,
    installation: String,
    connection: String,
    roles: Vec<(String, String)>,
) -> Result<()> {
    let store = context.store().await?;
    let (_, manifest) = installed(&store, &installation).await?;
    if roles.is_empty() {
        ensure!(
            store
                .remove_login_source(&installation, &context.author())
                .await?,
            "nobody of {installation} is admitted; say who with --role THEIRS=OURS"
        );
        return Ok(context.output.show(json!({ "admitted": [] }), || {
            format!("Nobody of {installation} is admitted any more.")
        })?);
    }
    ensure!(
        manifest.connections.contains_key(&connection),
        "there is no connection `{connection}`"
    );
    let roles = roles
        .into_iter()
        .map(|(theirs, ours)| Ok((theirs, ours.parse()?)));
    let source = LoginSource {
        installation,
        connection,
        roles: roles.collect::<Result<_>>()?,
    };
    store.save_login_source(&source, &context.author()).await?;
    let names: Vec<&str> = source
        .roles
        .iter()
        .map(|(theirs, _)| theirs.as_str())
        .collect();
    Ok(context.output.show(json!({ "admitted": names }), || {
        format!("People of {} log in as LOGIN@{0}.", source.installation)
    })?)
}

/// The first line, or all there is.
fn read_password() -> Result<Secret> {
    if std::io::stdin().is_terminal() {
        eprintln!("Type the password, then Enter and Ctrl-D (it shows as you type):");
    }
    let mut text = String::new();
    std::io::stdin()
        .take(MOST_STDIN_BYTES)
        .read_to_string(&mut text)
        .context("standard input cannot be read as text")?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}
