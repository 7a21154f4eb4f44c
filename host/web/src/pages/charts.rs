//! The charts of an installation's pages, for the places where people look first.

use super::chart::Chart;
use super::glance::Glance;
use super::installation_page::{InstallationPage, Place};
use crate::App;

/// A page's rows as a chart.
pub struct ChartPart {
    pub title: String,
    pub href: String,
    pub chart: Chart,
}

/// Pages without rows, and those that do not answer, have none.
pub async fn load(
    app: &App,
    subject: &InstallationPage,
    glance: &mut Glance<'_>,
) -> Vec<ChartPart> {
    let mut parts = Vec::new();
    for page in &subject.situation.manifest.pages {
        let Some(spec) = &page.chart else { continue };
        let Some(rows) = glance.at(&page.id).await else {
            continue;
        };
        let chart = Chart::draw(spec, &page.columns.titles, &rows.rows);
        parts.extend(chart.map(|chart| ChartPart {
            title: page.title.clone(),
            href: subject.href(app, Place::Page(&page.id)),
            chart,
        }));
    }
    parts
}
