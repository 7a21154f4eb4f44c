//! Changes that someone asks for, checked against the manifest: all of them, with every problem told, before any is
//! stored. An empty value takes a setting back to its default.

use std::collections::BTreeSet;
use std::fmt;

use super::is_mapping;
use addon_manifest::{Manifest, SettingKind, TextRules, ValueError, nearest};
use addon_store::{SettingChange, StoredValue};
use addon_vault::{Secret, Vault, VaultError};

/// A change that may be stored.
#[derive(Debug, Clone)]
pub struct ValidChange {
    pub key: String,
    /// In its normal form; `None`: remove what is stored.
    pub value: Option<NewValue>,
}

#[derive(Debug, Clone)]
pub enum NewValue {
    Plain(String),
    Secret(Secret),
}

/// Why one field cannot be changed so. Never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// Key of the setting or mapping.
    pub field: String,
    pub message: String,
    pub cure: String,
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.field, self.message, self.cure)
    }
}

/// What a row of a mapping is set to.
static ID: SettingKind = SettingKind::Text(TextRules {
    variables: Vec::new(),
    max_length: None,
});

/// Row names and values of mappings are ids.
const LONGEST_ROW: usize = 100;

/// Checks what a person asks for: keys with texts, as typed.
pub fn validate(
    manifest: &Manifest,
    requested: &[(String, String)],
) -> Result<Vec<ValidChange>, Vec<FieldProblem>> {
    let mut seen = BTreeSet::new();
    let mut changes = Vec::new();
    let mut problems = Vec::new();
    for (key, value) in requested {
        let checked = if seen.insert(key) {
            change(manifest, key, value)
        } else {
            Err(problem(key, "is given twice", "Give each setting once"))
        };
        match checked {
            Ok(change) => changes.push(change),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(changes)
    } else {
        Err(problems)
    }
}

/// Checks what the guest fetched for itself (`set-fetched`): only settings that are declared so.
pub fn validate_fetched(
    manifest: &Manifest,
    key: &str,
    value: &str,
) -> Result<ValidChange, FieldProblem> {
    match manifest.setting(key).map(|spec| &spec.kind) {
        Some(SettingKind::Fetched { .. }) => change(manifest, key, value),
        _ => Err(problem(
            key,
            "is not a setting that the add-on may fetch",
            "Declare it with type = \"fetched\"",
        )),
    }
}

impl ValidChange {
    /// What the store is to keep.
    pub fn seal(&self, vault: &Vault, installation: &str) -> Result<SettingChange, VaultError> {
        let value = match &self.value {
            None => None,
            Some(NewValue::Plain(text)) => Some(StoredValue::Plain(text.clone())),
            Some(NewValue::Secret(secret)) => Some(StoredValue::Sealed(vault.seal(
                installation,
                &self.key,
                secret,
            )?)),
        };
        Ok(SettingChange {
            key: self.key.clone(),
            value,
        })
    }
}

fn change(manifest: &Manifest, key: &str, value: &str) -> Result<ValidChange, FieldProblem> {
    let kind = match manifest.setting(key) {
        Some(spec) => &spec.kind,
        None if is_mapping(manifest, key) => {
            check_row(key)?;
            &ID
        }
        None => return Err(unknown(manifest, key)),
    };
    // A secret of blanks is as good as none, too.
    if value.trim().is_empty() {
        return Ok(ValidChange {
            key: key.to_owned(),
            value: None,
        });
    }
    let invalid = |ValueError { message, cure }| FieldProblem {
        field: key.to_owned(),
        message,
        cure,
    };
    let value = kind.normalise(value).map_err(invalid)?;
    if is_time_zone(manifest, key) && value.parse::<chrono_tz::Tz>().is_err() {
        let message = format!("`{value}` is not a time zone");
        return Err(problem(
            key,
            message,
            "Write a name of the IANA database, such as Africa/Johannesburg",
        ));
    }
    let value = match kind {
        SettingKind::Secret => NewValue::Secret(Secret::new(value)),
        _ => NewValue::Plain(value),
    };
    Ok(ValidChange {
        key: key.to_owned(),
        value: Some(value),
    })
}

fn check_row(key: &str) -> Result<(), FieldProblem> {
    let plain = key
        .chars()
        .all(|c| !c.is_control() && !c.is_whitespace() && c != '|');
    if plain && key.chars().count() <= LONGEST_ROW {
        return Ok(());
    }
    Err(problem(
        key,
        "is no row of a mapping",
        "Write MAPPING.ID, without blanks",
    ))
}

fn is_time_zone(manifest: &Manifest, key: &str) -> bool {
    manifest
        .schedules
        .iter()
        .any(|schedule| schedule.time_zone.as_deref() == Some(key))
}

fn unknown(manifest: &Manifest, key: &str) -> FieldProblem {
    let settings = manifest.settings.iter().map(|spec| spec.key.as_str());
    if let Some(mapping) = manifest.mapping(key) {
        return problem(
            key,
            "is a mapping, not a setting",
            format!("Write {}.ID, one setting for each row", mapping.key),
        );
    }
    let known = settings.chain(manifest.mappings.iter().map(|spec| spec.key.as_str()));
    let cure = match nearest(key.split('.').next().unwrap_or(key), known) {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None => "The list of settings shows what there is".to_owned(),
    };
    problem(key, "is not a setting of this add-on", cure)
}

fn problem(field: &str, message: impl Into<String>, cure: impl Into<String>) -> FieldProblem {
    FieldProblem {
        field: field.to_owned(),
        message: message.into(),
        cure: cure.into(),
    }
}
