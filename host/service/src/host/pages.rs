//! Pages of the manifest: reading their rows, and a person's acts on them. What is asked for is checked against the manifest
//! here, for all who ask, so that an add-on meets only filters, acts and values that it declares.

use super::error::unknown;
use super::inputs::{check, problem};
use super::{Host, HostError, Query, RunHandle};
use addon_manifest::{ActRows, ActSpec, PageContent, PageSpec};
use addon_runs::{ANSWER, Instance, Loaded, Purpose, Rows, Starter, Task};
use addon_store::{Outcome, RunState};

/// What a person does on a page.
#[derive(Debug, Clone)]
pub struct ActRequest {
    pub page: String,
    pub act: String,
    /// Ids of rows.
    pub rows: Vec<String>,
    pub values: Vec<(String, String)>,
    pub actor: String,
}

impl Host {
    /// Rows of a page. Filters without a value do not narrow.
    pub async fn view(
        &self,
        installation: &str,
        page: &str,
        mut query: Query,
    ) -> Result<Rows, HostError> {
        let (installation, loaded) = self.situation(installation).await?;
        let spec = known_page(&loaded, page)?;
        query.filters.retain(|(_, value)| !value.is_empty());
        check_filters(spec, &query.filters)?;
        let page = page.to_owned();
        let call = |addon: Instance| async move { addon.view(&page, &query).await };
        self.ask(&loaded, &installation, Purpose::view(), call)
            .await
    }

    /// Starts an act and returns at once; [`answer`] reads what came of it. It is a run like any other.
    pub async fn start_act(
        &self,
        installation: &str,
        request: ActRequest,
    ) -> Result<RunHandle, HostError> {
        let (installation, loaded) = self.situation(installation).await?;
        let page = known_page(&loaded, &request.page)?;
        let spec = page.act(&request.act).ok_or_else(|| {
            let known = page.acts.iter().map(|act| &act.id);
            unknown("the act", &request.act, known)
        })?;
        check_rows(spec, request.rows.len())?;
        let task = Task::Act {
            values: check(&spec.values, &request.values)?,
            page: request.page,
            act: request.act,
            rows: request.rows,
        };
        let by = Starter::person(&request.actor);
        self.begin(installation, loaded, task, by).await
    }

    /// Does an act; answers what to tell the person.
    pub async fn act(&self, installation: &str, request: ActRequest) -> Result<String, HostError> {
        let outcome = self.start_act(installation, request).await?.wait().await;
        answer(&outcome)
    }
}

/// What an act's outcome tells the person.
pub fn answer(outcome: &Outcome) -> Result<String, HostError> {
    match &outcome.why {
        Some(why) if outcome.state != RunState::Finished => Err(HostError::Addon(why.clone())),
        _ => Ok(outcome
            .more
            .iter()
            .find(|(name, _)| name == ANSWER)
            .map(|(_, text)| text.clone())
            .unwrap_or_default()),
    }
}

fn known_page<'l>(loaded: &'l Loaded, page: &str) -> Result<&'l PageSpec, HostError> {
    let is_view = |page: &&PageSpec| page.content == PageContent::View;
    loaded.manifest.page(page).filter(is_view).ok_or_else(|| {
        let known = loaded.manifest.pages.iter().filter(is_view);
        unknown("the page", page, known.map(|page| &page.id))
    })
}

fn check_filters(page: &PageSpec, filters: &[(String, String)]) -> Result<(), HostError> {
    for (key, value) in filters {
        let Some(spec) = page.filters.iter().find(|spec| spec.key == *key) else {
            return Err(unknown(
                "the filter",
                key,
                page.filters.iter().map(|spec| &spec.key),
            ));
        };
        if !spec.options.iter().any(|option| option.value == *value) {
            let known: Vec<&str> = spec
                .options
                .iter()
                .map(|option| option.value.as_str())
                .collect();
            let cure = format!("One of {}", known.join(", "));
            return Err(HostError::Inputs(vec![problem(
                key,
                format!("`{value}` is not offered"),
                cure,
            )]));
        }
    }
    Ok(())
}

fn check_rows(act: &ActSpec, amount: usize) -> Result<(), HostError> {
    if act.rows.fits(amount) {
        return Ok(());
    }
    let wanted = match act.rows {
        ActRows::None => "no row",
        ActRows::One => "exactly one row",
        ActRows::Some => "at least one row",
    };
    let message = format!("is for {wanted}, and {amount} were chosen");
    Err(HostError::Inputs(vec![problem(
        &act.id,
        message,
        format!("Choose {wanted}"),
    )]))
}
