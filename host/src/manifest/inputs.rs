//! What people fill in for a run or an act: `{ key, title, type, required, help }`.

use std::collections::BTreeSet;

use super::parse::{check_name, check_unique};
use super::reader::Table;
use super::{InputKind, InputSpec};

const KINDS: [InputKind; 5] = [
    InputKind::Text,
    InputKind::LongText,
    InputKind::Date,
    InputKind::Number,
    InputKind::Toggle,
];

pub(super) fn inputs(table: &Table<'_>, key: &'static str) -> Vec<InputSpec> {
    let mut seen = BTreeSet::new();
    let read = |table: Table<'_>| {
        let input = InputSpec {
            key: table.text("key"),
            title: table.text("title"),
            kind: kind(&table),
            required: table.flag("required", false),
            help: table.maybe_text("help").unwrap_or_default(),
        };
        check_name(&table, "key", &input.key);
        check_unique(&table, "key", &input.key, &mut seen);
        table.done();
        input
    };
    table.tables(key).into_iter().map(read).collect()
}

fn kind(table: &Table<'_>) -> InputKind {
    let name = table.text("type");
    let known = KINDS.into_iter().find(|kind| kind.name() == name);
    if known.is_none() && !name.is_empty() {
        let names = KINDS.map(InputKind::name).join(", ");
        table.problem(
            "type",
            format!("there is no type `{name}`"),
            format!("One of {names}"),
        );
    }
    known.unwrap_or(InputKind::Text)
}
