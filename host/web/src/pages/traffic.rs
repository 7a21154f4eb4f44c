//! How the connections stand with their limits: a small panel, beside runs and on the first page of an installation.

use super::installation_page::InstallationPage;
use crate::App;
use crate::frame::Moment;
use crate::texts;
use addon_traffic::governor::Figures;

pub struct TrafficPart {
    pub title: String,
    /// Why it cannot be used, or is not to be used now.
    pub problem: Option<String>,
    pub figures: Option<Figures>,
    /// Class and number of those who wait.
    pub waiting: Vec<(&'static str, u32)>,
    pub blocked: Option<Moment>,
}

/// Empty where that cannot be read: a page is worth more than its panel.
pub async fn load(app: &App, subject: &InstallationPage) -> Vec<TrafficPart> {
    let states = match app.host.traffic(subject.name()).await {
        Ok(states) => states,
        Err(error) => {
            tracing::warn!(
                installation = subject.name(),
                "the connections cannot be shown: {error}"
            );
            return Vec::new();
        }
    };
    let part = |state: addon_service::host::ConnectionState| {
        let (figures, problem) = match state.figures {
            Ok(figures) if figures.refused => {
                (Some(figures), Some(texts::traffic::REFUSED.to_owned()))
            }
            Ok(figures) => (Some(figures), None),
            Err(failure) => (None, Some(failure.message)),
        };
        let blocked = figures.as_ref().and_then(|figures| figures.blocked_until);
        let blocked = blocked.and_then(chrono::DateTime::from_timestamp_millis);
        TrafficPart {
            title: state.title,
            problem,
            waiting: figures
                .iter()
                .flat_map(|figures| &figures.waiting)
                .map(|waiting| (waiting.class.title(), waiting.count))
                .collect(),
            blocked: blocked.map(|at| subject.moment(at)),
            figures,
        }
    };
    states.into_iter().map(part).collect()
}
