//! Form fields from the manifest, and what a browser sends back for them. A form names each setting by its key; a toggle and
//! a list of several come with a hidden empty value, so that nothing ticked differs from not asked; `remove:KEY` takes a
//! secret away. What is set stays set unless it was changed, and a secret is never put into a page.

use std::collections::BTreeMap;

use super::check_part::Found;
use super::installation_page::InstallationPage;
use crate::choices::Answer;
use crate::texts;
use addon_manifest::{ChoiceSource, Manifest, SettingKind, SettingSpec};
use addon_service::host::Finding;
use addon_settings::{FieldProblem, Settings};

/// One setting as a form shows it.
pub struct Field {
    /// Names it on the page; by `key` the form names it.
    pub id: String,
    pub key: String,
    pub title: String,
    pub help: String,
    pub required: bool,
    pub control: Control,
    /// Why a list of choices is missing.
    pub hint: Option<String>,
    /// What is wrong with what was typed.
    pub error: Option<String>,
    /// What the last check says about it.
    pub findings: Vec<Finding>,
}

/// Fields under a heading.
pub struct Group {
    pub title: String,
    pub fields: Vec<Field>,
}

pub enum Control {
    /// `kind`: the type of the input; `decimal`: a text that is a number.
    Line {
        kind: &'static str,
        value: String,
        min: Option<i64>,
        max: Option<i64>,
    },
    /// Many lines.
    Long {
        value: String,
    },
    /// `lost`: it was typed, but other fields kept it from being saved.
    Secret {
        is_set: bool,
        lost: bool,
    },
    Toggle {
        on: bool,
    },
    One {
        options: Vec<Choice>,
    },
    /// `days`: short ones, side by side.
    Several {
        options: Vec<Choice>,
        days: bool,
    },
    /// Stored by the add-on itself, and not to be chosen.
    Fetched {
        value: String,
    },
}

pub struct Choice {
    pub value: String,
    pub title: String,
    pub chosen: bool,
}

/// Name of the form value that removes a secret.
const REMOVE: &str = "remove:";

/// What a person asked for, for showing it again.
pub type Typed = BTreeMap<String, String>;

/// Sources of choices that the fields need from the guest.
pub fn sources(manifest: &Manifest) -> impl Iterator<Item = &str> {
    manifest
        .settings
        .iter()
        .filter_map(|spec| match &spec.kind {
            SettingKind::Choice(ChoiceSource::Guest(source))
            | SettingKind::Choices(ChoiceSource::Guest(source)) => Some(source.as_str()),
            SettingKind::Fetched { choices } => choices.as_deref(),
            _ => None,
        })
}

/// The changes that a form asks for.
pub fn requested(
    manifest: &Manifest,
    settings: &Settings,
    form: &[(String, String)],
) -> Vec<(String, String)> {
    let changed = |spec: &SettingSpec| {
        let sent: Vec<&str> = form
            .iter()
            .filter(|(name, _)| *name == spec.key)
            .map(|(_, value)| value.as_str())
            .collect();
        let last = *sent.last()?;
        let value = match spec.kind {
            SettingKind::Secret => {
                let remove = format!("{REMOVE}{}", spec.key);
                let removed = form
                    .iter()
                    .any(|(name, value)| *name == remove && value == "on");
                return (removed || !last.is_empty()).then(|| last.to_owned());
            }
            SettingKind::Choices(_) | SettingKind::Days => sent
                .into_iter()
                .filter(|value| !value.is_empty())
                .collect::<Vec<_>>()
                .join(","),
            _ => last.trim().to_owned(),
        };
        (value != settings.get(&spec.key)).then_some(value)
    };
    manifest
        .settings
        .iter()
        .filter_map(|spec| Some((spec.key.clone(), changed(spec)?)))
        .collect()
}

/// The fields of a form, in the manifest's order.
pub fn fields(
    subject: &InstallationPage,
    choices: &BTreeMap<String, Answer>,
    typed: &Typed,
    problems: &[FieldProblem],
    found: &[Found],
) -> Vec<Field> {
    let field = |spec: &SettingSpec| {
        let value = typed
            .get(&spec.key)
            .map_or_else(|| subject.situation.settings.get(&spec.key), String::as_str);
        let (control, hint) = match &spec.kind {
            SettingKind::Secret => {
                let is_set = subject.situation.secrets.contains(&spec.key);
                let lost = typed.get(&spec.key).is_some_and(|typed| !typed.is_empty());
                (Control::Secret { is_set, lost }, None)
            }
            SettingKind::Toggle => (Control::Toggle { on: value == "on" }, None),
            SettingKind::Number { min, max } => (line("number", value, *min, *max), None),
            SettingKind::Date => (line("date", value, None, None), None),
            SettingKind::Url => (line("url", value, None, None), None),
            SettingKind::Text(_) => (line("text", value, None, None), None),
            SettingKind::Days => (days(value), None),
            SettingKind::Choice(source) => one(source, value, choices),
            SettingKind::Choices(source) => several(source, value, choices),
            SettingKind::Fetched { choices: None } => (
                Control::Fetched {
                    value: value.to_owned(),
                },
                None,
            ),
            SettingKind::Fetched {
                choices: Some(source),
            } => fetched(source, value, choices),
        };
        // A form in which something is still to be entered does not complain that it is not.
        let is_set = !value.is_empty() || subject.situation.secrets.contains(&spec.key);
        let findings = found
            .iter()
            .map(|found| &found.finding)
            .filter(|_| is_set || !spec.required);
        Field {
            id: spec.key.clone(),
            key: spec.key.clone(),
            title: spec.title.clone(),
            help: spec.help.clone(),
            required: spec.required,
            control,
            hint,
            error: problems
                .iter()
                .find(|problem| problem.field == spec.key)
                .map(told),
            findings: findings
                .filter(|finding| finding.field == spec.key)
                .cloned()
                .collect(),
        }
    };
    subject
        .situation
        .manifest
        .settings
        .iter()
        .map(field)
        .collect()
}

/// Fields under their groups' headings, in the manifest's order.
pub fn grouped(manifest: &Manifest, fields: Vec<Field>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (spec, field) in manifest.settings.iter().zip(fields) {
        match groups.iter_mut().find(|group| group.title == spec.group) {
            Some(group) => group.fields.push(field),
            None => groups.push(Group {
                title: spec.group.clone(),
                fields: vec![field],
            }),
        }
    }
    groups
}

/// A problem as the sentence behind a field's title.
pub fn told(problem: &FieldProblem) -> String {
    let end = if problem.cure.is_empty() || problem.cure.ends_with(['.', '?']) {
        ""
    } else {
        "."
    };
    format!("{}. {}{end}", problem.message, problem.cure)
}

/// The options with what is chosen among them; values that are not offered any more stay, named as such.
pub fn options(offered: &[(String, String)], chosen: &[&str]) -> Vec<Choice> {
    let known = offered.iter().map(|(value, title)| Choice {
        value: value.clone(),
        title: if title.is_empty() {
            value.clone()
        } else {
            title.clone()
        },
        chosen: chosen.contains(&value.as_str()),
    });
    let gone = chosen
        .iter()
        .filter(|chosen| !offered.iter().any(|(value, _)| value == *chosen));
    let gone = gone.map(|value| Choice {
        value: (*value).to_owned(),
        title: texts::fields::gone(value),
        chosen: true,
    });
    known.chain(gone).collect()
}

pub fn line(kind: &'static str, value: &str, min: Option<i64>, max: Option<i64>) -> Control {
    Control::Line {
        kind,
        value: value.to_owned(),
        min,
        max,
    }
}

pub fn one(
    source: &ChoiceSource,
    value: &str,
    choices: &BTreeMap<String, Answer>,
) -> (Control, Option<String>) {
    match offered(source, choices) {
        Ok(offered) => {
            let chosen: &[&str] = if value.is_empty() { &[] } else { &[value] };
            (
                Control::One {
                    options: options(&offered, chosen),
                },
                None,
            )
        }
        Err(why) => (
            line("text", value, None, None),
            Some(texts::fields::type_id(&why)),
        ),
    }
}

fn days(value: &str) -> Control {
    let days: Vec<_> = (1..=31)
        .map(|day: u32| (day.to_string(), day.to_string()))
        .collect();
    let chosen: Vec<&str> = value.split(',').filter(|one| !one.is_empty()).collect();
    Control::Several {
        options: options(&days, &chosen),
        days: true,
    }
}

pub fn several(
    source: &ChoiceSource,
    value: &str,
    choices: &BTreeMap<String, Answer>,
) -> (Control, Option<String>) {
    let chosen: Vec<&str> = value
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .collect();
    match offered(source, choices) {
        Ok(offered) => (
            Control::Several {
                options: options(&offered, &chosen),
                days: false,
            },
            None,
        ),
        Err(why) => (
            line("text", value, None, None),
            Some(texts::fields::type_ids(&why)),
        ),
    }
}

/// A person chooses only where there is something to choose; else the add-on does.
fn fetched(
    source: &str,
    value: &str,
    choices: &BTreeMap<String, Answer>,
) -> (Control, Option<String>) {
    match choices.get(source).map(|answer| answer.as_ref()) {
        Some(Ok(offered)) if !offered.is_empty() => {
            let chosen: &[&str] = if value.is_empty() { &[] } else { &[value] };
            (
                Control::One {
                    options: options(offered, chosen),
                },
                None,
            )
        }
        Some(Err(why)) => (
            Control::Fetched {
                value: value.to_owned(),
            },
            Some(why.clone()),
        ),
        _ => (
            Control::Fetched {
                value: value.to_owned(),
            },
            None,
        ),
    }
}

fn offered(
    source: &ChoiceSource,
    choices: &BTreeMap<String, Answer>,
) -> Result<Vec<(String, String)>, String> {
    match source {
        ChoiceSource::Fixed(options) => Ok(options
            .iter()
            .map(|option| (option.value.clone(), option.title.clone()))
            .collect()),
        ChoiceSource::Guest(source) => match choices.get(source) {
            Some(answer) => answer.as_ref().clone(),
            None => Err(texts::fields::NOT_ASKED.to_owned()),
        },
    }
}
