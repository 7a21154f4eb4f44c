//! What a guest is told of the run that it is part of (`run.wit`, `context`).

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use addon_manifest::Manifest;
use addon_settings::Settings;
use addon_store::{Installation, RunId, Trigger};
use addon_traffic::Access;

/// The language of messages; there is one so far.
const LOCALE: &str = "en";

/// The time zone of an installation: what the schedules' setting says; UTC where the add-on has none.
pub fn time_zone(manifest: &Manifest, settings: &Settings) -> Tz {
    let mut keys = manifest
        .schedules
        .iter()
        .filter_map(|schedule| schedule.time_zone.as_deref());
    keys.find_map(|key| settings.get(key).parse().ok())
        .unwrap_or(Tz::UTC)
}

pub(super) fn context(
    manifest: &Manifest,
    settings: &Settings,
    installation: &Installation,
    access: &Access,
    run: Option<(RunId, Trigger)>,
    now: DateTime<Utc>,
) -> Vec<(String, String)> {
    let zone = time_zone(manifest, settings);
    let (run, trigger) = run.map_or((String::new(), Trigger::Person), |(run, trigger)| {
        (run.to_string(), trigger)
    });
    let known = [
        ("run", run),
        ("trigger", trigger.as_str().to_owned()),
        ("today", now.with_timezone(&zone).date_naive().to_string()),
        ("time-zone", zone.name().to_owned()),
        ("installed-on", installation.created_on.to_string()),
        ("locale", LOCALE.to_owned()),
    ];
    let known = known
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    // What is stored may be older than the world since then.
    let restored = installation
        .restored_at
        .map(|at| ("restored-at".to_owned(), at.timestamp().to_string()));
    let settle = access
        .settle_seconds()
        .iter()
        .map(|(name, seconds)| (format!("settle.{name}"), seconds.to_string()));
    known.chain(restored).chain(settle).collect()
}
