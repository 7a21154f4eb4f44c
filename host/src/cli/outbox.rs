//! `addon-host outbox`: the add-on's page `outbox`, with the acts that people do there most.

use std::process::ExitCode;

use addon_host::host::{ActRequest, Query};
use anyhow::Result;
use clap::{Args, Subcommand};

use super::context::{Context, installed};
use super::page;

#[derive(Args)]
pub struct Outbox {
    /// Name of the installation
    installation: String,
    /// Only records in this state: planned, held, owed, …
    #[arg(long)]
    state: Option<String>,
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Subcommand)]
enum Act {
    /// Tries the records again with the next run
    Retry(Records),
    /// Never sends the records
    Exclude(Records),
    /// Notes that somebody entered the records by hand
    Done(Records),
    /// Parts records from what the other side has of earlier ones under their ids
    Another(Records),
    /// Links a record to one that is there already
    Link { record: String, remote_id: String },
}

#[derive(Args)]
struct Records {
    /// Ids as the list shows them
    #[arg(required = true)]
    records: Vec<String>,
}

const PAGE_ID: &str = "outbox";

impl Outbox {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let Some(act) = self.act else {
            let host = context.host().await?;
            let (_, manifest) = installed(host.store(), &self.installation).await?;
            let spec = page::declared(&manifest, PAGE_ID)?;
            let state = self.state.map(|state| ("state".to_owned(), state));
            let query = Query {
                filters: state.into_iter().collect(),
                ..Query::default()
            };
            let rows = page::rows(&host, &self.installation, PAGE_ID, query).await?;
            page::show(context, spec, &rows, "Nothing waits.")?;
            return Ok(ExitCode::SUCCESS);
        };
        let (act, rows, values) = match act {
            Act::Retry(Records { records }) => ("retry", records, Vec::new()),
            Act::Exclude(Records { records }) => ("exclude", records, Vec::new()),
            Act::Done(Records { records }) => ("done", records, Vec::new()),
            Act::Another(Records { records }) => ("another", records, Vec::new()),
            Act::Link { record, remote_id } => (
                "link",
                vec![record],
                vec![("remote-id".to_owned(), remote_id)],
            ),
        };
        let request = ActRequest {
            page: PAGE_ID.to_owned(),
            act: act.to_owned(),
            rows,
            values,
            actor: context.actor(),
        };
        page::act(context, &self.installation, request).await
    }
}
