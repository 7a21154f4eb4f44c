//! The sections `[[settings]]` and `[[mappings]]`.

use std::collections::BTreeSet;

use super::parse::{check_name, check_unique};
use super::reader::Table;
use super::{ChoiceOption, ChoiceSource, MappingSpec, SettingKind, SettingSpec, TextRules};

const KINDS: &str = "text, secret, number, toggle, date, choice, choices, days, url, fetched";

pub(super) fn settings(root: &Table<'_>) -> Vec<SettingSpec> {
    let mut seen = BTreeSet::new();
    root.tables("settings")
        .into_iter()
        .map(|table| setting(table, &mut seen))
        .collect()
}

fn setting(table: Table<'_>, seen: &mut BTreeSet<String>) -> SettingSpec {
    let key = table.text("key");
    check_key(&table, &key);
    check_unique(&table, "key", &key, seen);
    let kind = kind(&table);
    let spec = SettingSpec {
        key,
        group: table
            .maybe_text("group")
            .unwrap_or_else(|| "Settings".to_owned()),
        title: table.text("title"),
        required: table.flag("required", false),
        default: default(&table, kind.as_ref()),
        help: table.maybe_text("help").unwrap_or_default(),
        kind: kind.unwrap_or(SettingKind::Text(TextRules::default())),
    };
    table.done();
    spec
}

fn kind(table: &Table<'_>) -> Option<SettingKind> {
    let name = table.text("type");
    Some(match name.as_str() {
        "text" => SettingKind::Text(text_rules(table)),
        "secret" => SettingKind::Secret,
        "number" => {
            let (min, max) = (
                table.maybe_number("min", WHOLE),
                table.maybe_number("max", WHOLE),
            );
            if let (Some(min), Some(max)) = (min, max)
                && min > max
            {
                table.problem("min", format!("{min} is above max, {max}"), "Exchange them");
            }
            SettingKind::Number { min, max }
        }
        "toggle" => SettingKind::Toggle,
        "date" => SettingKind::Date,
        "choice" => SettingKind::Choice(choice_source(table)),
        "choices" => SettingKind::Choices(choice_source(table)),
        "days" => SettingKind::Days,
        "url" => SettingKind::Url,
        "fetched" => SettingKind::Fetched {
            choices: table.maybe_text("choices"),
        },
        "" => return None,
        _ => {
            table.problem(
                "type",
                format!("there is no type `{name}`"),
                format!("One of {KINDS}"),
            );
            return None;
        }
    })
}

/// TOML numbers and ours are the same size: any will do.
const WHOLE: std::ops::RangeInclusive<i64> = i64::MIN..=i64::MAX;

fn text_rules(table: &Table<'_>) -> TextRules {
    let variables = table.texts("variables");
    for name in &variables {
        check_name(table, "variables", name);
    }
    TextRules {
        variables,
        max_length: table
            .maybe_number("max_length", 1..=4000)
            .and_then(|number| u32::try_from(number).ok()),
    }
}

/// A fixed list of values: `options = [{ value = "…", title = "…" }]`.
pub(super) fn options(table: &Table<'_>) -> Vec<ChoiceOption> {
    table
        .tables("options")
        .into_iter()
        .map(|option| {
            let (value, title) = (option.text("value"), option.text("title"));
            if value.contains(',') {
                option.problem(
                    "value",
                    format!("`{value}` holds a comma"),
                    "Commas part the values of a list",
                );
            }
            option.done();
            ChoiceOption { value, title }
        })
        .collect()
}

pub(super) fn choice_source(table: &Table<'_>) -> ChoiceSource {
    let options = options(table);
    match (table.maybe_text("choices"), options.is_empty()) {
        (Some(source), true) => ChoiceSource::Guest(source),
        (None, false) => ChoiceSource::Fixed(options),
        (Some(_), false) => {
            table.problem(
                "options",
                "`choices` and `options` are both given",
                "Keep one of them",
            );
            ChoiceSource::Fixed(options)
        }
        (None, true) => {
            let cure = "Add choices = \"SOURCE\", which the add-on fills, or options = [{ value = \"…\", title = \"…\" }]";
            table.problem("type", "a choice needs something to choose from", cure);
            ChoiceSource::Fixed(options)
        }
    }
}

fn default(table: &Table<'_>, kind: Option<&SettingKind>) -> Option<String> {
    let default = table.maybe_text("default")?;
    match kind? {
        kind @ (SettingKind::Secret | SettingKind::Fetched { .. }) => {
            let message = format!("a setting of type {} has no default", kind.name());
            table.problem("default", message, "Leave the line out");
            None
        }
        kind => match kind.normalise(&default) {
            Ok(value) => Some(value),
            Err(error) => {
                table.problem("default", error.message, error.cure);
                None
            }
        },
    }
}

pub(super) fn mappings(root: &Table<'_>, settings: &[SettingSpec]) -> Vec<MappingSpec> {
    let mut seen: BTreeSet<String> = settings.iter().map(|spec| spec.key.clone()).collect();
    let read = |table: Table<'_>| {
        let mapping = MappingSpec {
            key: table.text("key"),
            title: table.text("title"),
            help: table.maybe_text("help").unwrap_or_default(),
            rows: table.text("rows"),
            choices: table.text("choices"),
            proposals: table.maybe_text("proposals"),
        };
        check_key(&table, &mapping.key);
        check_unique(&table, "key", &mapping.key, &mut seen);
        table.done();
        mapping
    };
    root.tables("mappings").into_iter().map(read).collect()
}

/// Keys of settings: no dot (it parts a mapping's key from its row), no brace (templates), no `|` (the vault).
fn check_key(table: &Table<'_>, key: &str) {
    let plain = key
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let fits = plain && key.starts_with(|c: char| c.is_ascii_lowercase()) && key.len() <= 64;
    if !key.is_empty() && !fits {
        let cure = "Lower-case letters, digits and underscores, a letter first, at most 64";
        table.problem("key", format!("`{key}` is no key"), cure);
    }
}
