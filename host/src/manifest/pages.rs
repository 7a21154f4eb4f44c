//! The sections `[[pages]]` and `[[reports]]`: tables that people read, and what they can do there.

use std::collections::BTreeSet;

use super::inputs::inputs;
use super::parse::{check_id, check_name, check_unique};
use super::reader::Table;
use super::settings::options;
use super::{ActRows, ActSpec, FilterSpec, PageSpec, ReportSpec};

pub(super) fn pages(root: &Table<'_>) -> Vec<PageSpec> {
    let mut seen = BTreeSet::new();
    let read = |table: Table<'_>| {
        let (id, title, columns) = columned(&table, &mut seen);
        let page = PageSpec {
            id,
            title,
            columns,
            search: table.flag("search", false),
            filters: filters(&table),
            acts: acts(&table),
        };
        table.done();
        page
    };
    root.tables("pages").into_iter().map(read).collect()
}

pub(super) fn reports(root: &Table<'_>) -> Vec<ReportSpec> {
    let mut seen = BTreeSet::new();
    let read = |table: Table<'_>| {
        let (id, title, columns) = columned(&table, &mut seen);
        table.done();
        ReportSpec { id, title, columns }
    };
    root.tables("reports").into_iter().map(read).collect()
}

/// What both have in common: id, title, columns.
fn columned(table: &Table<'_>, seen: &mut BTreeSet<String>) -> (String, String, Vec<String>) {
    let (id, title, columns) = (
        table.text("id"),
        table.text("title"),
        table.some_texts("columns"),
    );
    check_id(table, "id", &id);
    check_unique(table, "id", &id, seen);
    (id, title, columns)
}

fn filters(page: &Table<'_>) -> Vec<FilterSpec> {
    let mut seen = BTreeSet::new();
    let read = |table: Table<'_>| {
        let filter = FilterSpec {
            key: table.text("key"),
            title: table.text("title"),
            options: options(&table),
        };
        check_name(&table, "key", &filter.key);
        check_unique(&table, "key", &filter.key, &mut seen);
        if filter.options.is_empty() {
            let cure = "Add options = [{ value = \"…\", title = \"…\" }]";
            table.problem("options", "a filter needs something to choose from", cure);
        }
        table.done();
        filter
    };
    page.tables("filters").into_iter().map(read).collect()
}

fn acts(page: &Table<'_>) -> Vec<ActSpec> {
    let mut seen = BTreeSet::new();
    let read = |table: Table<'_>| {
        let act = ActSpec {
            id: table.text("id"),
            title: table.text("title"),
            help: table.maybe_text("help").unwrap_or_default(),
            rows: rows(&table),
            confirm: table.maybe_text("confirm"),
            values: inputs(&table, "values"),
        };
        check_id(&table, "id", &act.id);
        check_unique(&table, "id", &act.id, &mut seen);
        table.done();
        act
    };
    page.tables("acts").into_iter().map(read).collect()
}

fn rows(table: &Table<'_>) -> ActRows {
    let name = table.text("rows");
    match name.as_str() {
        "none" => ActRows::None,
        "one" => ActRows::One,
        "some" | "" => ActRows::Some,
        _ => {
            table.problem(
                "rows",
                format!("`{name}` is no number of rows"),
                "One of none, one, some",
            );
            ActRows::Some
        }
    }
}
