//! `addon-host restore`

use std::path::PathBuf;
use std::process::ExitCode;

use addon_host::store;
use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::backup::backup_json;
use super::context::Context;

/// Puts a backup in the database's place; of SQLite or PostgreSQL, whichever it was taken from.
///
/// Stop every host first. What is in the database now is kept beside it, and replaced only with --force. Afterwards nobody is
/// logged in, and each installation looks at both of its services before it makes anything, so nothing is made twice. The
/// master key is in no backup: put the one back that belongs to it, or enter the passwords again.
#[derive(Args)]
pub struct Restore {
    /// A file that `backup` wrote
    file: PathBuf,
    /// Replaces what is in the database; it is kept beside
    #[arg(long)]
    force: bool,
}

impl Restore {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let (url, folder) = context.place()?;
        let restored = store::restore(url, &self.file, folder, context.now(), self.force).await?;
        let mut json = json!({
            "backup": backup_json(&restored.backup), "kept": restored.kept, "installations": restored.installations,
        });
        let key_file = context.master_key().path();
        let known = context.master_key().ids()?;
        let needed = restored.backup.master_key.as_ref();
        let has_key = match needed {
            Some(id) => known.iter().any(|known| known.to_string() == *id),
            None => !known.is_empty(),
        };
        json["master_key_found"] = json!(has_key);
        context.output.show(json, || {
            let mut text = format!(
                "The backup of {} is in place, with {} installations.\n",
                super::output::instant(restored.backup.taken_at),
                restored.installations.len()
            );
            if let Some(kept) = &restored.kept {
                text.push_str(&format!("What was there before is kept as {}.\n", kept.display()));
            }
            if !has_key {
                let id = needed.map(|id| format!(" {id}")).unwrap_or_default();
                text.push_str(&format!(
                    "The master key{id} that belongs to the backup is not in {}: put its file there before a host starts. If it is \
                     lost, `addon-host master-key reset --forget-secrets` goes on, and all passwords are entered again.\n",
                    key_file.display()
                ));
            }
            text.push_str("Start the host, log in again, and run `sync`: it looks at both services before it makes anything.\n");
            text
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
