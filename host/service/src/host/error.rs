//! What can go wrong for those who use the host, as sentences for people.

use thiserror::Error;

use super::master_key::MasterKeyError;
use crate::exports::xlsx::Unwritable;
use addon_manifest::{ManifestError, nearest};
use addon_packages::PackageError;
use addon_runs::{AuditError, BeginError, Finding};
use addon_settings::{FieldProblem, SettingsError};
use addon_store::{Failure, StoreError};
use addon_vault::VaultError;

#[derive(Debug, Error)]
pub enum HostError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    MasterKey(MasterKeyError),
    #[error(transparent)]
    SettingsUnreadable(#[from] SettingsError),
    /// Nothing was saved.
    #[error("{}", lines(.0))]
    Settings(Vec<FieldProblem>),
    /// What was given with a job, an act or a query; nothing was started.
    #[error("{}", lines(.0))]
    Inputs(Vec<FieldProblem>),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Workbook(#[from] Unwritable),
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
    /// What this installation makes could not be told from what another one makes; nothing was started.
    #[error("{} {}", .0.message, .0.cure)]
    SameMark(Box<Finding>),
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// What the add-on answered.
    #[error("{}", .0.message)]
    Addon(Failure),
}

fn lines(problems: &[FieldProblem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
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
