//! `addon-host settings …`. Secrets come in on standard input, never as an argument that others can see, and never go out.

use std::process::ExitCode;

use addon_host::manifest::{Manifest, SettingKind};
use addon_host::store::{StoredSetting, StoredValue};
use anyhow::{Result, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::check;
use super::context::{Context, installed};
use super::output::{instant, table};
use super::secret_input;

#[derive(Args)]
pub struct Settings {
    /// Name of the installation
    installation: String,
    #[command(subcommand)]
    command: Option<Change>,
}

#[derive(Subcommand)]
enum Change {
    /// Sets settings and mappings; an empty value goes back to the default
    Set {
        /// Settings and mappings with their new values; an empty value is the default again
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = pair)]
        changes: Vec<(String, String)>,
    },
    /// Sets a secret to what standard input holds, without the last line break
    SetSecret {
        /// Key of the setting
        key: String,
        /// Removes it instead
        #[arg(long)]
        remove: bool,
    },
    /// Shows who changed what, the newest first; of secrets only that they were changed
    Changes {
        /// Most changes
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
}

/// What is to be set.
enum Wanted {
    Plain(Vec<(String, String)>),
    Secret { key: String, remove: bool },
}

impl Settings {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let name = &self.installation;
        let command = match self.command {
            Some(Change::Changes { limit }) => return changes(context, name, limit).await,
            Some(Change::Set { changes }) => Some(Wanted::Plain(changes)),
            Some(Change::SetSecret { key, remove }) => Some(Wanted::Secret { key, remove }),
            None => None,
        };
        let Some(command) = command else {
            let store = context.store().await?;
            let (_, manifest) = installed(&store, name).await?;
            let stored = store.settings(name).await?;
            let rows = rows(&manifest, &stored);
            context
                .output
                .show(rows.iter().map(Row::json).collect(), || listing(&rows))?;
            return Ok(ExitCode::SUCCESS);
        };
        let host = context.host().await?;
        let (_, manifest) = installed(host.store(), name).await?;
        let changes = match command {
            Wanted::Plain(changes) => {
                if let Some((key, _)) = changes.iter().find(|(key, _)| is_secret(&manifest, key)) {
                    bail!(
                        "{key} is a secret: addon-host settings {name} set-secret {key}, with the value on standard input"
                    );
                }
                changes
            }
            Wanted::Secret { key, remove } => {
                if !is_secret(&manifest, &key) {
                    bail!(
                        "{key} is not a secret of {}: addon-host settings {name} set {key}=VALUE",
                        manifest.addon.id
                    );
                }
                let value = if remove {
                    String::new()
                } else {
                    secret_input::read()?
                };
                vec![(key, value)]
            }
        };
        let findings = host.save_settings(name, &changes, &context.actor()).await?;
        let saved: Vec<&str> = changes.iter().map(|(key, _)| key.as_str()).collect();
        let json = json!({ "saved": saved, "findings": check::json(&findings) });
        context.output.show(json, || {
            format!("Saved: {}\n{}", saved.join(", "), check::listing(&findings))
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn changes(context: &Context, installation: &str, limit: u32) -> Result<ExitCode> {
    let store = context.store().await?;
    store.installation(installation).await?;
    let changes = store.setting_changes(installation, None, limit).await?;
    let json = changes.iter().map(|change| {
        json!({
            "number": change.number, "at": instant(change.at), "by": change.by, "key": change.key, "secret": change.secret,
            "before": change.before, "after": change.after,
        })
    });
    context.output.show(json.collect(), || {
        let lines = changes.iter().map(|change| {
            [
                instant(change.at),
                change.by.clone(),
                change.key.clone(),
                change.before.clone().unwrap_or_default(),
                change.after.clone().unwrap_or_default(),
            ]
        });
        table(
            &["when", "who", "setting", "before", "after"],
            lines,
            "Nobody has changed anything yet.",
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// One line of the listing.
struct Row<'m> {
    key: String,
    group: &'m str,
    title: &'m str,
    kind: &'static str,
    /// What counts; of a secret only `set` or nothing.
    value: String,
    /// Who set it and when; nothing: the default stands.
    changed: Option<&'m StoredSetting>,
    required: bool,
}

impl Row<'_> {
    fn json(&self) -> Value {
        json!({
            "key": self.key, "group": self.group, "title": self.title, "type": self.kind, "value": self.value,
            "required": self.required, "changed_at": self.changed.map(|stored| instant(stored.changed_at)),
            "changed_by": self.changed.map(|stored| stored.changed_by.as_str()),
        })
    }
}

fn rows<'m>(manifest: &'m Manifest, stored: &'m [StoredSetting]) -> Vec<Row<'m>> {
    let find = |key: &str| stored.iter().find(|stored| stored.key == key);
    let settings = manifest.settings.iter().map(|spec| {
        let changed = find(&spec.key);
        let value = match (changed.map(|stored| &stored.value), &spec.kind) {
            (Some(_), SettingKind::Secret) | (Some(StoredValue::Sealed(_)), _) => "set".to_owned(),
            (Some(StoredValue::Plain(text)), _) => text.clone(),
            (None, _) => spec.default.clone().unwrap_or_default(),
        };
        let (group, title, kind) = (spec.group.as_str(), spec.title.as_str(), spec.kind.name());
        Row {
            key: spec.key.clone(),
            group,
            title,
            kind,
            value,
            changed,
            required: spec.required,
        }
    });
    let mappings = stored.iter().filter_map(|stored| {
        let (mapping, _) = stored.key.split_once('.')?;
        let title = manifest.mapping(mapping)?.title.as_str();
        let StoredValue::Plain(value) = &stored.value else {
            return None;
        };
        let (key, value) = (stored.key.clone(), value.clone());
        Some(Row {
            key,
            group: title,
            title,
            kind: "mapping",
            value,
            changed: Some(stored),
            required: false,
        })
    });
    settings.chain(mappings).collect()
}

fn listing(rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    for group in rows.chunk_by(|one, next| one.group == next.group) {
        text.push_str(&format!("{}\n", group[0].group));
        let lines = group.iter().map(|row| {
            let note = match (row.changed, row.value.is_empty()) {
                (None, true) if row.required => "required",
                (None, false) => "(default)",
                _ => "",
            };
            [format!("  {}", row.key), row.value.clone(), note.to_owned()]
        });
        // The headings would come again with each group; the columns speak for themselves.
        let lines = table(&["", "", ""], lines, "");
        text.extend(
            lines
                .lines()
                .filter(|line| !line.is_empty())
                .map(|line| format!("{line}\n")),
        );
    }
    text
}

fn is_secret(manifest: &Manifest, key: &str) -> bool {
    manifest
        .setting(key)
        .is_some_and(|spec| spec.kind == SettingKind::Secret)
}

pub fn pair(text: &str) -> Result<(String, String)> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| anyhow!("write it as KEY=VALUE"))?;
    Ok((name.trim().to_owned(), value.to_owned()))
}
