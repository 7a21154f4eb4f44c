//! What people fill in for a run or an act: `{ key, title, type, required, help }`, and of a choice what there is to choose from.

use std::collections::BTreeSet;

use super::parse::{check_name, check_unique};
use super::reader::Table;
use super::settings::choice_source;
use super::{InputKind, InputSpec};

const KINDS: &str = "text, long-text, date, number, toggle, choice, choices";

pub(super) fn inputs(table: &Table<'_>, key: &'static str) -> Vec<InputSpec> {
    let mut seen = BTreeSet::new();
    let read = |table: Table<'_>| {
        let input = InputSpec {
            key: table.text("key"),
            title: table.text("title"),
            kind: kind(&table),
            of_row: table.flag("of_row", false),
            required: table.flag("required", false),
            help: table.maybe_text("help").unwrap_or_default(),
        };
        check_name(&table, "key", &input.key);
        check_unique(&table, "key", &input.key, &mut seen);
        if input.of_row && input.source(None).is_none() {
            table.problem(
                "of_row",
                "only a list of the add-on's can be a row's own",
                "Add choices = \"SOURCE\", or leave the line out",
            );
        }
        table.done();
        input
    };
    table.tables(key).into_iter().map(read).collect()
}

fn kind(table: &Table<'_>) -> InputKind {
    let name = table.text("type");
    match name.as_str() {
        "text" | "" => InputKind::Text,
        "long-text" => InputKind::LongText,
        "date" => InputKind::Date,
        "number" => InputKind::Number,
        "toggle" => InputKind::Toggle,
        "choice" => InputKind::Choice(choice_source(table)),
        "choices" => InputKind::Choices(choice_source(table)),
        _ => {
            table.problem(
                "type",
                format!("there is no type `{name}`"),
                format!("One of {KINDS}"),
            );
            InputKind::Text
        }
    }
}
