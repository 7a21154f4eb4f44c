//! Fields for what a person gives with a job or an act. Their names in a form carry a prefix, since a form has fields of its own.

use crate::manifest::{InputKind, InputSpec};
use crate::settings::FieldProblem;

use super::fields::told;

/// In front of an input's key, in forms.
const PREFIX: &str = "value.";

/// One input as `input.html` shows it.
pub struct Input {
    /// Of the form field, and its id.
    pub name: String,
    pub title: String,
    pub help: String,
    pub required: bool,
    pub kind: InputKind,
    pub value: String,
    pub error: Option<String>,
}

/// What a form says, by name; of several values the last, since a ticked box comes behind its hidden value.
pub fn given(form: &[(String, String)]) -> Vec<(String, String)> {
    let mut given: Vec<(String, String)> = Vec::new();
    for (name, value) in form {
        let Some(key) = name.strip_prefix(PREFIX) else {
            continue;
        };
        match given.iter_mut().find(|(known, _)| known == key) {
            Some((_, last)) => last.clone_from(value),
            None => given.push((key.to_owned(), value.clone())),
        }
    }
    given
}

/// What belongs to none of the fields.
pub fn unplaced(specs: &[InputSpec], problems: &[FieldProblem]) -> Option<String> {
    let has_field = |problem: &FieldProblem| specs.iter().any(|spec| spec.key == problem.field);
    problems
        .iter()
        .find(|problem| !has_field(problem))
        .map(|problem| format!("{problem}."))
}

/// The fields, with what was typed before and what is wrong with it.
pub fn inputs(
    specs: &[InputSpec],
    typed: &[(String, String)],
    problems: &[FieldProblem],
) -> Vec<Input> {
    let input = |spec: &InputSpec| {
        let typed = typed.iter().find(|(key, _)| *key == spec.key);
        let error = problems.iter().find(|problem| problem.field == spec.key);
        Input {
            name: format!("{PREFIX}{}", spec.key),
            title: spec.title.clone(),
            help: spec.help.clone(),
            required: spec.required,
            kind: spec.kind,
            value: typed.map(|(_, value)| value.clone()).unwrap_or_default(),
            error: error.map(told),
        }
    };
    specs.iter().map(input).collect()
}
