//! What can go wrong for those who use the host, as sentences for people.

use thiserror::Error;

use crate::manifest::{ManifestError, nearest};
use crate::packages::PackageError;
use crate::runs::{AuditError, BeginError, Loaded};
use crate::settings::{FieldProblem, SettingsError};
use crate::store::{Failure, StoreError};
use crate::vault::VaultError;

#[derive(Debug, Error)]
pub enum HostError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    SettingsUnreadable(#[from] SettingsError),
    /// Nothing was saved.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<FieldProblem>),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("the component runtime cannot start: {0}")]
    Runtime(String),
    #[error("add-on `{0}` is not installed: use `addon install`")]
    NotInstalled(String),
    #[error("{what} `{name}` is none of this add-on's{}", .meant.as_ref().map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default())]
    Unknown {
        what: &'static str,
        name: String,
        meant: Option<String>,
    },
    #[error("the job `{0}` has no preview")]
    NoPreview(String),
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// What the add-on answered.
    #[error("{}", .0.message)]
    Addon(Failure),
}

pub(super) fn known_page(loaded: &Loaded, page: &str) -> Result<(), HostError> {
    match loaded.manifest.page(page) {
        Some(_) => Ok(()),
        None => Err(unknown(
            "the page",
            page,
            loaded.manifest.pages.iter().map(|page| &page.id),
        )),
    }
}

pub(super) fn unknown<'n>(
    what: &'static str,
    name: &str,
    known: impl Iterator<Item = &'n String>,
) -> HostError {
    let meant = nearest(name, known.map(String::as_str)).map(str::to_owned);
    HostError::Unknown {
        what,
        name: name.to_owned(),
        meant,
    }
}
