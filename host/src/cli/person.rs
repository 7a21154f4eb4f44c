//! `addon-host person`: what the host keeps of one customer in words, and how it goes.

use std::process::ExitCode;

use addon_host::store::KeptOfCustomer;
use anyhow::{Result, ensure};
use clap::Args;
use serde_json::json;

use super::context::{Context, installed};
use super::question;

/// Shows what the host keeps of one customer in words, or erases it: names in logs, reports and alerts, and the texts of the customer's
/// entries in the activity log. Pairs, ids, numbers of documents, days and amounts stay, since the books need them.
///
/// Make the customer anonymous in Splynx and Sage first: what the add-on keeps of both follows with its next runs.
#[derive(Args)]
pub struct Person {
    /// Name of the installation
    installation: String,
    /// The customer's id, as in the activity log
    customer: String,
    /// Another name, e-mail address or telephone number of the customer, as it was written
    #[arg(long = "also", value_name = "TEXT")]
    also: Vec<String>,
    /// Erases it; nothing brings it back but a backup
    #[arg(long)]
    erase: bool,
    /// Erases it without asking
    #[arg(long, requires = "erase")]
    yes: bool,
}

/// A shorter text stands in too many others.
const SHORTEST: usize = 3;

impl Person {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let store = context.store().await?;
        let (installation, manifest) = installed(&store, &self.installation).await?;
        let entity = manifest.activity.and_then(|activity| activity.customer);
        let mut names = self.also.clone();
        if let Some(entity) = entity {
            let known = store.customer_names(&installation.name, &entity, &self.customer);
            names.extend(known.await?);
        }
        names.retain(|name| !name.trim().is_empty());
        for name in &names {
            ensure!(
                name.chars().count() >= SHORTEST,
                "`{name}` is too short to be looked for: it stands in other words"
            );
        }
        let kept = store.kept_of_customer(&installation.name, &self.customer, &names);
        let kept = kept.await?;
        let shown = listing(&names, &kept);
        if !self.erase {
            let json = json!({ "names": names, "kept": kept });
            context.output.show(json, || shown)?;
            return Ok(ExitCode::SUCCESS);
        }
        if !self.yes {
            let otherwise = "--yes erases it; nothing was changed";
            question::ask(&shown, "Erase the names and texts?", otherwise)?;
        }
        let author = context.author();
        store
            .erase_customer(&installation.name, &self.customer, &names, &author)
            .await?;
        context
            .output
            .show(json!({ "erased": self.customer, "kept": kept }), || {
                "Erased. Backups that were made before still hold it.\n".to_owned()
            })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn listing(names: &[String], kept: &KeptOfCustomer) -> String {
    let mut text = match names {
        [] => "No name of this customer is known here; --also TEXT looks for one.\n".to_owned(),
        names => format!("Known as: {}\n", names.join(", ")),
    };
    text.push_str(&format!(
        "{:>6}  entries of the activity log about the customer, with words\n",
        kept.activities
    ));
    for found in &kept.found {
        text.push_str(&format!("{:>6}  {}\n", found.rows, found.what));
    }
    text.push_str(&format!(
        "{:>6}  entries of the add-on's tables: they follow what Splynx and Sage say, and are not erased here\n",
        kept.stored
    ));
    text
}
