//! The first rows of the add-on's pages, for places that only sum them up. Each page is asked for once, however many look at it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::installation_page::InstallationPage;
use crate::App;
use addon_service::host::{Query, Rows};

/// Rows of a page: beyond them, counting is not worth a person's wait.
const MOST: u32 = 500;
const PATIENCE: Duration = Duration::from_secs(3);

pub struct Glance<'a> {
    app: &'a App,
    subject: &'a InstallationPage,
    known: BTreeMap<String, Option<Rows>>,
}

impl<'a> Glance<'a> {
    pub fn new(app: &'a App, subject: &'a InstallationPage) -> Self {
        Self {
            app,
            subject,
            known: BTreeMap::new(),
        }
    }

    /// `None`: the page does not answer, or not in time.
    pub async fn at(&mut self, page: &str) -> Option<&Rows> {
        if !self.known.contains_key(page) {
            let rows = self.ask(page).await;
            self.known.insert(page.to_owned(), rows);
        }
        self.known.get(page)?.as_ref()
    }

    async fn ask(&self, page: &str) -> Option<Rows> {
        let query = Query {
            limit: MOST,
            ..Query::default()
        };
        let asking = self.app.host.view(self.subject.name(), page, query);
        match tokio::time::timeout(PATIENCE, asking).await.ok()? {
            Ok(rows) => Some(rows),
            Err(error) => {
                let installation = self.subject.name();
                tracing::debug!(installation, page, "the page cannot be looked at: {error}");
                None
            }
        }
    }
}
