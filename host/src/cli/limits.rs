//! `addon-host limits`: what add-ons may use up, for one installation or for all.

use std::process::ExitCode;

use addon_host::runs::{LIMIT_SPECS, LimitSpec, Limits};
use addon_host::store::ALL_INSTALLATIONS;
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::context::Context;
use super::output::table;
use super::settings::pair;

#[derive(Args)]
pub struct LimitsOf {
    /// Name of the installation; without it, what holds for all
    installation: Option<String>,
    #[command(subcommand)]
    command: Option<Change>,
}

#[derive(Subcommand)]
enum Change {
    /// Sets limits; an empty value goes back to what held before
    Set {
        /// Limits with their new values; an empty value is the usual one again
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = pair)]
        changes: Vec<(String, String)>,
    },
}

impl LimitsOf {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let store = context.store().await?;
        let scope = match &self.installation {
            Some(name) => {
                store.installation(name).await?;
                name.as_str()
            }
            None => ALL_INSTALLATIONS,
        };
        let mut changed = store.changed_limits(scope).await?;
        if let Some(Change::Set { changes }) = self.command {
            for (name, value) in changes {
                let knob = LimitSpec::named(&name)?;
                if value.trim().is_empty() {
                    changed.remove(knob.name);
                    continue;
                }
                let value: u64 = value
                    .trim()
                    .parse()
                    .with_context(|| format!("`{name}` is a whole number"))?;
                knob.check(value)?;
                changed.insert(name, value);
            }
            store
                .set_changed_limits(scope, &changed, &context.author())
                .await?;
        }
        let for_all = match scope {
            ALL_INSTALLATIONS => Limits::default(),
            _ => Limits::default().with(&store.changed_limits(ALL_INSTALLATIONS).await?),
        };
        let limits = for_all.with(&changed);
        let json: Map<String, Value> = LIMIT_SPECS
            .iter()
            .map(|knob| {
                let value = json!({"value": knob.of(&limits), "otherwise": knob.of(&for_all),
                    "least": knob.least, "most": knob.most});
                (knob.name.to_owned(), value)
            })
            .collect();
        context.output.show(Value::Object(json), || {
            let rows = LIMIT_SPECS.iter().map(|knob| {
                let otherwise = match changed.contains_key(knob.name) {
                    true => format!("otherwise {}", knob.of(&for_all)),
                    false => String::new(),
                };
                vec![
                    knob.name.to_owned(),
                    knob.of(&limits).to_string(),
                    otherwise,
                    knob.help.to_owned(),
                ]
            });
            table(&["LIMIT", "VALUE", "", "WHAT IT IS"], rows, "")
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
