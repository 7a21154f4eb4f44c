//! Fields for what a person gives with a job or an act. Their names in a form carry a prefix, since a form has fields of its own.

use std::collections::BTreeMap;

use super::fields::{Control, Field, line, one, several, told};
use crate::App;
use crate::choices::{Answer, Choices};
use crate::login::session::Visitor;
use addon_manifest::{ChoiceSource, InputKind, InputSpec};
use addon_settings::FieldProblem;

/// In front of an input's key, in forms.
const PREFIX: &str = "value.";

/// What a form says, by name. Of several values the last, since a ticked box comes behind its hidden value; all of them where several
/// can be chosen.
pub fn given(specs: &[InputSpec], form: &[(String, String)]) -> Vec<(String, String)> {
    let is_several = |key: &str| {
        let spec = specs.iter().find(|spec| spec.key == key);
        spec.is_some_and(|spec| matches!(spec.kind, InputKind::Choices(_)))
    };
    let mut given: Vec<(String, String)> = Vec::new();
    for (name, value) in form {
        let Some(key) = name.strip_prefix(PREFIX) else {
            continue;
        };
        match given.iter_mut().find(|(known, _)| known == key) {
            Some((_, all)) if is_several(key) && !all.is_empty() => {
                all.push(',');
                all.push_str(value);
            }
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

/// The lists that the fields offer, from the guest. `row`: the one that an act is on.
pub async fn offers(
    app: &App,
    visitor: &Visitor,
    installation: &str,
    specs: &[InputSpec],
    row: Option<&str>,
) -> BTreeMap<String, Answer> {
    let sources: Vec<String> = specs.iter().filter_map(|spec| spec.source(row)).collect();
    Choices::load(
        app,
        visitor,
        installation,
        sources.iter().map(String::as_str),
    )
    .await
}

/// The fields, with what was typed before and what is wrong with it. `row` as in [`offers`].
pub fn inputs(
    specs: &[InputSpec],
    row: Option<&str>,
    offers: &BTreeMap<String, Answer>,
    typed: &[(String, String)],
    problems: &[FieldProblem],
) -> Vec<Field> {
    let input = |spec: &InputSpec| {
        let typed = typed.iter().find(|(key, _)| *key == spec.key);
        let value = typed.map_or("", |(_, value)| value.as_str());
        let source = |source: &ChoiceSource| match spec.source(row) {
            Some(name) => ChoiceSource::Guest(name),
            None => source.clone(),
        };
        let (control, hint) = match &spec.kind {
            InputKind::Text => (line("text", value, None, None), None),
            InputKind::Date => (line("date", value, None, None), None),
            InputKind::Number => (line("decimal", value, None, None), None),
            InputKind::Toggle => (Control::Toggle { on: value == "on" }, None),
            InputKind::LongText => {
                let value = value.to_owned();
                (Control::Long { value }, None)
            }
            InputKind::Choice(list) => one(&source(list), value, offers),
            InputKind::Choices(list) => several(&source(list), value, offers),
        };
        let name = format!("{PREFIX}{}", spec.key);
        Field {
            id: name.clone(),
            key: name,
            title: spec.title.clone(),
            help: spec.help.clone(),
            required: spec.required,
            control,
            hint,
            error: problems
                .iter()
                .find(|problem| problem.field == spec.key)
                .map(told),
            findings: Vec::new(),
        }
    };
    specs.iter().map(input).collect()
}
