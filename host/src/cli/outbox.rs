//! `addon-host outbox`: the add-on's page `outbox`, with the acts that people do there most.

use std::process::ExitCode;

use addon_host::host::{ActRequest, Host, Query};
use addon_host::store::ReportRow;
use anyhow::{Result, bail};
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
    Link {
        /// Id or number of the record
        record: String,
        /// The other side's id
        remote_id: String,
    },
}

#[derive(Args)]
struct Records {
    /// Ids as the list shows them, or numbers of documents
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
        let host = context.host().await?;
        let mut ids = Vec::new();
        for row in rows {
            ids.push(id_of(&host, &self.installation, row).await?);
        }
        let rows = ids;
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

/// The id of the row that somebody names: by its id, by the number behind the kind, or by what a cell holds.
async fn id_of(host: &Host, installation: &str, named: String) -> Result<String> {
    if named.contains('/') {
        return Ok(named);
    }
    let rows = page::rows(host, installation, PAGE_ID, Query::default()).await?;
    let number = named.trim_start_matches('0');
    let is_meant = |row: &&ReportRow| {
        let id = row.id.rsplit('/').next().unwrap_or_default();
        id.trim_start_matches('0') == number || row.cells.contains(&named)
    };
    let found: Vec<&str> = rows
        .iter()
        .filter(is_meant)
        .map(|row| row.id.as_str())
        .collect();
    match found.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => {
            bail!("nothing in the outbox is `{named}`; `outbox {installation}` lists what is there")
        }
        several => bail!(
            "`{named}` is one of {}: name one of these",
            several.join(", ")
        ),
    }
}
