//! `addon-host hooks`

use std::process::ExitCode;

use addon_host::manifest::HookSpec;
use addon_host::scheduler::InstallationView;
use addon_host::store::{HookEvent, HookState, Store};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::output::{instant, printable, table};

#[derive(Args)]
pub struct Hooks {
    /// Name of the installation
    installation: String,
    /// Most messages to show
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

/// A hook as it stands.
struct Shown {
    spec: HookSpec,
    path: String,
    is_on: bool,
    state: HookState,
    events: Vec<HookEvent>,
}

impl Hooks {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let store = context.store().await?;
        let situation = InstallationView::load(&store, &self.installation).await?;
        let mut shown = Vec::new();
        for spec in situation.manifest.hooks {
            let is_on = situation.secrets.contains(&spec.signature.secret);
            shown.push(self.look(&store, spec, is_on).await?);
        }
        let json = shown.iter().map(json).collect();
        context.output.show(json, || {
            if shown.is_empty() {
                return "The add-on takes no web hooks.\n".to_owned();
            }
            shown.iter().map(text).collect()
        })?;
        Ok(ExitCode::SUCCESS)
    }

    async fn look(&self, store: &Store, spec: HookSpec, is_on: bool) -> Result<Shown> {
        Ok(Shown {
            path: format!("hooks/{}/{}", self.installation, spec.id),
            is_on,
            state: store.hook_state(&self.installation, &spec.id).await?,
            events: store
                .hook_events(&self.installation, &spec.id, self.limit)
                .await?,
            spec,
        })
    }
}

fn json(hook: &Shown) -> Value {
    let event = |event: &HookEvent| json!({ "record": event.record, "received_at": instant(event.received_at), "state": event.state, "run": event.run });
    json!({
        "hook": hook.spec.id, "title": hook.spec.title, "path": hook.path, "on": hook.is_on, "job": hook.spec.job,
        "flood_at": hook.state.flood_at.map(instant), "refused": hook.state.refused,
        "refused_at": hook.state.refused_at.map(instant), "events": hook.events.iter().map(event).collect::<Value>(),
    })
}

fn text(hook: &Shown) -> String {
    let state = match (hook.is_on, hook.state.flood_at) {
        (false, _) => format!("off: set the secret `{}`", hook.spec.signature.secret),
        (true, Some(at)) => format!(
            "on; messages are dropped since {}, and `{}` is due",
            instant(at),
            hook.spec.flood_job
        ),
        (true, None) => "on".to_owned(),
    };
    let refused = hook.state.refused_at.map_or_else(String::new, |at| {
        format!(
            "refused: {} without the right signature, counted last {}\n",
            hook.state.refused,
            instant(at)
        )
    });
    let rows = hook.events.iter().map(|event| {
        [
            instant(event.received_at),
            printable(&event.record),
            event.state.clone(),
            event.run.map_or_else(String::new, |run| run.to_string()),
        ]
    });
    let table = table(
        &["received", "about", "state", "run"],
        rows,
        "No message has come yet.",
    );
    format!(
        "{}: {state}\naddress: {} below the admin pages\n{refused}{table}",
        hook.spec.title, hook.path
    )
}
