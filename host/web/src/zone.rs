//! The time zone of pages that belong to no installation.

use chrono_tz::Tz;

use super::App;
use super::failure::Failure;
use addon_runs::time_zone;
use addon_service::scheduler::InstallationView;

/// Installations that are looked at; a host with more serves people in several places.
const MOST: usize = 20;

/// The zone that all installations share; UTC where they do not, or where there are none.
pub async fn shared(app: &App) -> Result<Tz, Failure> {
    let store = app.host.store();
    let installations = store.installations().await?;
    if installations.len() > MOST {
        return Ok(Tz::UTC);
    }
    let mut shared = None;
    for installation in installations {
        // One whose add-on cannot be read has no say.
        let Ok(situation) = InstallationView::load(store, &installation.name).await else {
            continue;
        };
        let zone = time_zone(&situation.manifest, &situation.settings);
        if *shared.get_or_insert(zone) != zone {
            return Ok(Tz::UTC);
        }
    }
    Ok(shared.unwrap_or(Tz::UTC))
}
