//! The charts of an installation's pages, for the places where people look first.

use std::time::Duration;

use super::chart::Chart;
use super::subject::{Place, Subject};
use crate::host::Query;
use crate::web::App;

/// Rows of which a chart is made.
const MOST: u32 = 500;

/// Beyond it, a chart is not worth a person's wait.
const PATIENCE: Duration = Duration::from_secs(3);

/// A page's rows as a chart.
pub struct ChartPart {
    pub title: String,
    pub href: String,
    pub chart: Chart,
}

/// Pages without rows, and those that do not answer, have none.
pub async fn load(app: &App, subject: &Subject) -> Vec<ChartPart> {
    let mut parts = Vec::new();
    for page in &subject.situation.manifest.pages {
        let Some(spec) = &page.chart else { continue };
        let query = Query {
            limit: MOST,
            ..Query::default()
        };
        let asking = app.host.view(subject.name(), &page.id, query);
        let rows = match tokio::time::timeout(PATIENCE, asking).await {
            Ok(Ok(rows)) => rows.rows,
            Ok(Err(error)) => {
                tracing::debug!(
                    installation = subject.name(),
                    "a chart cannot be drawn: {error}"
                );
                continue;
            }
            Err(_) => continue,
        };
        let chart = Chart::draw(spec, &page.columns.titles, &rows);
        parts.extend(chart.map(|chart| ChartPart {
            title: page.title.clone(),
            href: subject.href(app, Place::Page(&page.id)),
            chart,
        }));
    }
    parts
}
