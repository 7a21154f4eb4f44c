//! `addon-host backup` and `addon-host check-database`

use std::path::PathBuf;
use std::process::ExitCode;

use addon_host::store::Backup as Written;
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::output::instant;

/// Writes everything in the database to one file, as it is at one moment; hosts may work on meanwhile.
///
/// The file fits SQLite and PostgreSQL alike. Passwords and keys are in it only as the master key sealed them, and the master
/// key is not: keep a copy of it in another place than the backups. Without it, those secrets have to be entered again.
#[derive(Args)]
pub struct Backup {
    /// The file to write
    file: PathBuf,
    /// Replaces a file of that name
    #[arg(long)]
    force: bool,
}

/// Reads the whole database and says whether it is sound.
#[derive(Args)]
pub struct CheckDatabase {}

impl Backup {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let store = context.store().await?;
        let backup = store.backup(&self.file, context.now(), self.force).await?;
        let key = context.master_key().path();
        let mut json = backup_json(&backup);
        json["file"] = json!(self.file);
        json["master_key"] = json!(key);
        context.output.show(json, || {
            format!(
                "{} was written and read back: {} rows, schema {}, checksum {}\n\
                 The master key {}is not in it. Keep a copy of {} in another place: without it the passwords in the \
                 backup have to be entered again.\n",
                self.file.display(),
                backup.rows.values().sum::<u64>(),
                backup.schema,
                backup.checksum,
                backup
                    .master_key
                    .as_ref()
                    .map(|id| format!("{id} "))
                    .unwrap_or_default(),
                key.display()
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl CheckDatabase {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        context.store().await?.check().await?;
        context.output.show(json!({ "sound": true }), || {
            "The database is sound.\n".to_owned()
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

pub fn backup_json(backup: &Written) -> Value {
    json!({
        "schema": backup.schema, "host_version": backup.host_version, "taken_at": instant(backup.taken_at),
        "database": backup.database, "rows": backup.rows, "checksum": backup.checksum,
        "needs_master_key": backup.master_key,
    })
}
