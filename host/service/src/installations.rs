//! Making an installation: the rules for its name, and the day that counts as its first.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use thiserror::Error;

use addon_manifest::{Manifest, ManifestError};
use addon_store::{Author, Installation, NewInstallation, Store, StoreError};

#[derive(Debug, Error)]
pub enum CreateError {
    #[error(
        "`{0}` cannot be an installation's name: lower-case letters, digits and dashes, a letter first, at most 40"
    )]
    Name(String),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes an installation of an installed add-on.
pub async fn create(
    store: &Store,
    name: &str,
    addon: &str,
    author: &Author,
) -> Result<Installation, CreateError> {
    let plain = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    // Names appear in commands, addresses, and in what binds a sealed secret to its place.
    let fits = plain && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 40;
    if !fits {
        return Err(CreateError::Name(name.to_owned()));
    }
    let version = store
        .active_addon(addon)
        .await?
        .ok_or_else(|| StoreError::Missing {
            what: "add-on",
            name: addon.to_owned(),
        })?;
    let manifest = Manifest::parse(&version.manifest)?;
    let created_on = first_day(&manifest, author.at);
    let state = manifest.addon.state;
    store
        .create_installation(
            NewInstallation {
                name,
                addon,
                created_on,
                state,
            },
            author,
        )
        .await?;
    Ok(store.installation(name).await?)
}

/// Today, where the add-on is used by default: nothing is configured yet that would say more.
fn first_day(manifest: &Manifest, now: DateTime<Utc>) -> NaiveDate {
    let keys = manifest
        .schedules
        .iter()
        .filter_map(|schedule| schedule.time_zone.as_deref());
    let zone = keys
        .filter_map(|key| {
            manifest
                .setting(key)?
                .default
                .as_deref()?
                .parse::<Tz>()
                .ok()
        })
        .next();
    now.with_timezone(&zone.unwrap_or(Tz::UTC)).date_naive()
}
