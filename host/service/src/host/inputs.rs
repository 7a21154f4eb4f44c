//! What people give with a job or an act, checked against what the manifest declares: everything that is wrong is told, and
//! nothing starts. An empty value counts as not given.

use super::HostError;
use addon_manifest::{InputSpec, ValueError};
use addon_settings::FieldProblem;

/// The values in their normal form, in the order of the manifest.
pub(super) fn check(
    specs: &[InputSpec],
    given: &[(String, String)],
) -> Result<Vec<(String, String)>, HostError> {
    let mut problems: Vec<FieldProblem> = given
        .iter()
        .filter(|(key, _)| !specs.iter().any(|spec| spec.key == *key))
        .map(|(key, _)| unknown(specs, key))
        .collect();
    let mut values = Vec::new();
    for spec in specs {
        let mut found = given
            .iter()
            .filter(|(key, _)| *key == spec.key)
            .map(|(_, value)| value.as_str());
        let value = found.next().filter(|value| !value.trim().is_empty());
        match value {
            _ if found.next().is_some() => {
                problems.push(problem(&spec.key, "is given twice", "Give it once"));
            }
            None if spec.required => {
                let cure = format!("{} is needed", spec.title);
                problems.push(problem(&spec.key, "is missing", cure));
            }
            None => {}
            Some(value) => match spec.kind.normalise(value) {
                Ok(value) => values.push((spec.key.clone(), value)),
                Err(ValueError { message, cure }) => {
                    problems.push(problem(&spec.key, message, cure));
                }
            },
        }
    }
    if problems.is_empty() {
        Ok(values)
    } else {
        Err(HostError::Inputs(problems))
    }
}

fn unknown(specs: &[InputSpec], key: &str) -> FieldProblem {
    let known: Vec<&str> = specs.iter().map(|spec| spec.key.as_str()).collect();
    let cure = if known.is_empty() {
        "There are none".to_owned()
    } else {
        format!("Known: {}", known.join(", "))
    };
    problem(key, "is not known here", cure)
}

pub(super) fn problem(
    field: &str,
    message: impl Into<String>,
    cure: impl Into<String>,
) -> FieldProblem {
    FieldProblem {
        field: field.to_owned(),
        message: message.into(),
        cure: cure.into(),
    }
}
