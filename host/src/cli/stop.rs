//! `addon-host stop`: ends a job that works, or that waits to go on.

use std::process::ExitCode;

use addon_host::store::RunState;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use super::context::Context;

#[derive(Args)]
pub struct Stop {
    /// Name of the installation
    installation: String,
    /// The job, such as `sync`
    job: String,
}

/// Runs that are looked at: only the newest of a job can be at work.
const LOOKED_AT: u32 = 100;

impl Stop {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let Self { installation, job } = self;
        let store = context.store().await?;
        store.installation(&installation).await?;
        // First, so that what is stopped does not find its earlier pause.
        let waited = store
            .cancel_pause(&installation, &job, &context.author())
            .await?;
        let runs = store.runs(&installation, None, LOOKED_AT).await?;
        let works =
            |run: &&addon_host::store::Run| run.job == job && run.state == RunState::Running;
        let mut stopped = Vec::new();
        for run in runs.iter().filter(works) {
            if store.request_stop(run.id).await? {
                stopped.push(run.id);
            }
        }
        if !waited && stopped.is_empty() {
            bail!("`{job}` of `{installation}` neither works nor waits to go on");
        }
        let json = json!({ "stopped": stopped, "waited": waited });
        context.output.show(json, || {
            let mut lines: Vec<String> = stopped
                .iter()
                .map(|run| {
                    format!("Run {run} was asked to stop: what is in flight is finished first.")
                })
                .collect();
            if waited {
                lines.push(format!("{job} does not go on by itself any more."));
            }
            lines.join("\n")
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
