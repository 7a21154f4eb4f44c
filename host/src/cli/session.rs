//! `addon-host session`: who is logged in to the admin pages.

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Subcommand;
use serde_json::json;

use super::context::Context;
use super::output::{instant, printable, table};

#[derive(Subcommand)]
pub enum Session {
    /// Lists the sessions of the admin pages, those used last first
    List,
    /// Ends a session, all of an account (--account NAME), or everybody's (--all)
    Revoke {
        /// As `session list` names it
        #[arg(required_unless_present_any = ["account", "all"])]
        id: Option<String>,
        /// All sessions of this account
        #[arg(long, value_name = "NAME", conflicts_with_all = ["id", "all"])]
        account: Option<String>,
        /// Everybody's
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
}

impl Session {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let store = context.store().await?;
        match self {
            Self::List => {
                let sessions = store.sessions(context.now()).await?;
                let rows = sessions.iter().map(|session| {
                    json!({
                        "id": session.id, "account": session.account, "role": session.role.to_string(), "agent": session.agent,
                        "since": instant(session.created_at), "used": instant(session.seen_at),
                        "until": instant(session.expires_at),
                    })
                });
                context.output.show(rows.collect(), || {
                    let lines = sessions.iter().map(|session| {
                        [
                            session.id.clone(),
                            session.account.clone(),
                            session.role.to_string(),
                            instant(session.created_at),
                            instant(session.seen_at),
                            printable(&session.agent),
                        ]
                    });
                    let headings = ["id", "account", "role", "since", "used", "browser"];
                    table(&headings, lines, "Nobody is logged in.")
                })?;
            }
            Self::Revoke { id, account, all } => {
                let ended = match (id, account) {
                    (Some(id), _) => {
                        ensure!(
                            store.revoke_session(&id, None).await?,
                            "there is no session `{id}`: `session list` shows them"
                        );
                        1
                    }
                    (None, Some(name)) => {
                        if store.account(&name).await?.is_none() {
                            bail!("there is no account `{name}`");
                        }
                        store.revoke_sessions(Some(&name)).await?
                    }
                    (None, None) => {
                        ensure!(all, "name a session, an --account, or --all");
                        store.revoke_sessions(None).await?
                    }
                };
                context.output.show(json!({ "ended": ended }), || {
                    format!("Sessions ended: {ended}")
                })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
