//! `addon-host choices`: what settings and mappings can be set to, where that comes from data.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::output::table;

#[derive(Args)]
pub struct Choices {
    /// Name of the installation
    installation: String,
    /// A list of the add-on, such as `sage-items`; its manifest names them as `choices` and `rows`
    source: String,
}

impl Choices {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let host = context.host().await?;
        let choices = host.choices(&self.installation, &self.source, true).await?;
        let json: Value = choices
            .iter()
            .map(|(value, title)| json!({ "value": value, "title": title }))
            .collect();
        context.output.show(json, || {
            let rows = choices
                .iter()
                .map(|(value, title)| [value.clone(), title.clone()]);
            table(
                &["value", "title"],
                rows,
                "There is nothing to choose from.",
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
