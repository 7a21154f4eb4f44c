//! `addon-host changes`: who changed what of this host.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::context::Context;
use super::output::{instant, table};

#[derive(Args)]
pub struct Changes {
    /// How many, the newest first
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

impl Changes {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let changes = context.store().await?;
        let changes = changes.host_changes(None, self.limit).await?;
        let json = changes.iter().map(|change| {
            json!({
                "number": change.number, "at": instant(change.at), "by": change.by, "what": change.what,
                "name": change.name, "before": change.before, "after": change.after,
            })
        });
        context.output.show(json.collect(), || {
            let rows = changes.iter().map(|change| {
                [
                    instant(change.at),
                    change.by.clone(),
                    format!("{}: {}", change.what, change.name),
                    change.before.clone().unwrap_or_default(),
                    change.after.clone().unwrap_or_default(),
                ]
            });
            table(
                &["when", "who", "what", "before", "after"],
                rows,
                "Nobody has changed anything yet.",
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
