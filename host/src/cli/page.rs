//! `addon-host page` and `addon-host act`: the add-on's pages on the command line, and what people may do there. `outbox` is
//! the same for one page.

use std::process::ExitCode;

use addon_host::exports::{Export, PageExport};
use addon_host::host::{ActRequest, Host, Query};
use addon_host::manifest::{Manifest, PageSpec, nearest};
use addon_host::store::ReportRow;
use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::json;

use super::context::{Context, installed};
use super::files;
use super::output::{printable, table};
use super::report;
use super::settings::pair;

#[derive(Args)]
pub struct Page {
    /// Name of the installation
    installation: String,
    /// A page of the add-on, such as `outbox`
    page: String,
    /// Only rows with this value; the page's manifest names the filters
    #[arg(long = "filter", value_name = "KEY=VALUE", value_parser = pair)]
    filters: Vec<(String, String)>,
    /// Only rows that hold this text
    #[arg(long, value_name = "TEXT", default_value = "")]
    search: String,
    #[command(flatten)]
    file: files::Target,
}

#[derive(Args)]
pub struct Act {
    /// Name of the installation
    installation: String,
    /// A page of the add-on, such as `outbox`
    page: String,
    /// What to do, such as `retry`
    act: String,
    /// Ids of rows, as `page` shows them
    rows: Vec<String>,
    /// A value that the act needs; `@FILE` and `@-` read it from a file or standard input
    #[arg(long = "value", value_name = "KEY=VALUE", value_parser = pair)]
    values: Vec<(String, String)>,
}

/// Rows that are asked for at once.
const PAGE: u32 = 200;

impl Page {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let host = context.host().await?;
        let query = Query {
            search: self.search,
            filters: self.filters,
            ..Query::default()
        };
        let (_, manifest) = installed(host.store(), &self.installation).await?;
        let spec = declared(&manifest, &self.page)?;
        if !self.file.is_given() {
            let rows = rows(&host, &self.installation, &self.page, query).await?;
            show(context, spec, &rows, "There is nothing here.")?;
            return Ok(ExitCode::SUCCESS);
        }
        let columns = &spec.columns;
        let export = PageExport::new(host, &self.installation, &self.page, columns, query);
        self.file.write(Export::Page(export)).await?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Act {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let values = files::values(self.values)?;
        let request = ActRequest {
            page: self.page,
            act: self.act,
            rows: self.rows,
            values,
            actor: context.actor(),
        };
        act(context, &self.installation, request).await
    }
}

/// Does an act and prints what the add-on answers.
pub async fn act(context: &Context, installation: &str, request: ActRequest) -> Result<ExitCode> {
    let told = context.host().await?.act(installation, request).await?;
    context
        .output
        .show(json!({ "message": told }), || printable(&told))?;
    Ok(ExitCode::SUCCESS)
}

/// The page as the manifest declares it.
pub fn declared<'m>(manifest: &'m Manifest, id: &str) -> Result<&'m PageSpec> {
    manifest.page(id).ok_or_else(|| {
        let known: Vec<&str> = manifest.pages.iter().map(|page| page.id.as_str()).collect();
        let cure = match nearest(id, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        anyhow!("add-on `{}` has no page `{id}`; {cure}", manifest.addon.id)
    })
}

/// All rows of the page, however many pages the add-on makes of them.
pub async fn rows(
    host: &Host,
    installation: &str,
    page: &str,
    query: Query,
) -> Result<Vec<ReportRow>> {
    let mut rows = Vec::new();
    let mut after = String::new();
    loop {
        let query = Query {
            after: after.clone(),
            limit: PAGE,
            ..query.clone()
        };
        let found = host.view(installation, page, query).await?;
        rows.extend(found.rows);
        // A place that does not move would be asked for for ever.
        if found.next.is_empty() || found.next == after {
            return Ok(rows);
        }
        after = found.next;
    }
}

/// Prints rows with their ids, which acts take.
pub fn show(context: &Context, page: &PageSpec, rows: &[ReportRow], otherwise: &str) -> Result<()> {
    context.output.show(
        rows.iter()
            .map(|row| report::json(&page.columns.titles, row))
            .collect(),
        || {
            let headings =
                std::iter::once("id").chain(page.columns.titles.iter().map(String::as_str));
            let lines = rows
                .iter()
                .map(|row| [std::slice::from_ref(&row.id), &row.cells].concat());
            table(&headings.collect::<Vec<_>>(), lines, otherwise)
        },
    )?;
    Ok(())
}
