//! `addon-host support`: a file for those who help.

use std::process::ExitCode;

use addon_host::support::{Bundle, Part};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::{files, question};

/// Writes how an installation stands to a zip file that may be sent to a stranger: versions, settings, limits, the last runs with their
/// logs, what waits and why, failed requests. Secrets are not in it, and people's names, addresses and numbers are made up.
#[derive(Args)]
pub struct Support {
    /// Name of the installation
    installation: String,
    /// The zip file to write; `-`: standard output
    #[arg(short, long, value_name = "FILE", required_unless_present = "list")]
    output: Option<String>,
    /// Lists what would be in it, and writes nothing
    #[arg(long, conflicts_with = "output")]
    list: bool,
    /// Writes it without asking
    #[arg(long)]
    yes: bool,
}

impl Support {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let bundle = context.host().await?.support(&self.installation).await?;
        let Some(file) = self.output.filter(|_| !self.list) else {
            context.output.show(json(&bundle), || bundle.contents())?;
            return Ok(ExitCode::SUCCESS);
        };
        if !self.yes {
            let question = format!("Write it to {file}?");
            let otherwise = "--yes writes it; nothing was written";
            question::ask(&bundle.contents(), &question, otherwise)?;
        }
        files::write_bytes(&file, &bundle.zip()?)?;
        // What goes to standard output is the file alone.
        if file != "-" {
            let parts = bundle.parts.len();
            context.output.show(json(&bundle), || {
                format!("{file} was written, with {parts} parts. Look into it before you send it: it is all text.\n")
            })?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn json(bundle: &Bundle) -> Value {
    let part =
        |part: &Part| json!({ "name": part.name, "bytes": part.content.len(), "what": part.what });
    bundle.parts.iter().map(part).collect()
}
