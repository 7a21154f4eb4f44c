//! The sections `[[pages]]` and `[[reports]]`: tables that people read, and what they can do there.

use std::collections::BTreeSet;

use super::inputs::inputs;
use super::parse::{check_id, check_name, check_unique, refer_job, suggestion};
use super::reader::Table;
use super::settings::options;
use super::{
    ActRows, ActSpec, ChartSpec, Columns, FilterSpec, JobSpec, NeedsSpec, PageContent, PageSpec,
    PageTab, ReportSpec,
};

pub(super) fn pages(root: &Table<'_>, jobs: &[JobSpec], reports: &[ReportSpec]) -> Vec<PageSpec> {
    let mut seen = BTreeSet::new();
    let read = |table: Table<'_>| {
        let (id, title) = named(&table, &mut seen);
        let tab = tab(&table);
        let page = match table.maybe_text("job") {
            Some(job) => {
                let shown = table.some_texts("reports");
                refer_job(&table, "job", &job, jobs);
                for id in &shown {
                    refer_report(&table, id, reports);
                }
                PageSpec {
                    id,
                    title,
                    content: PageContent::Reports {
                        job,
                        reports: shown,
                    },
                    columns: Columns::default(),
                    search: false,
                    filters: Vec::new(),
                    acts: Vec::new(),
                    chart: None,
                    tab,
                    needs: None,
                }
            }
            None => {
                let columns = columns(&table);
                PageSpec {
                    id,
                    title,
                    content: PageContent::View,
                    search: table.flag("search", false),
                    filters: filters(&table, check_name),
                    acts: acts(&table),
                    chart: chart(&table, &columns),
                    tab,
                    needs: needs(&table, &columns),
                    columns,
                }
            }
        };
        table.done();
        page
    };
    root.tables("pages").into_iter().map(read).collect()
}

pub(super) fn reports(root: &Table<'_>) -> Vec<ReportSpec> {
    let mut seen = BTreeSet::new();
    let read = |table: Table<'_>| {
        let (id, title) = named(&table, &mut seen);
        let columns = columns(&table);
        let check = |table: &Table<'_>, key: &'static str, name: &str| {
            refer_column(table, key, name, &columns);
        };
        let report = ReportSpec {
            id,
            title,
            filters: filters(&table, check),
            chart: chart(&table, &columns),
            columns,
        };
        table.done();
        report
    };
    root.tables("reports").into_iter().map(read).collect()
}

fn named(table: &Table<'_>, seen: &mut BTreeSet<String>) -> (String, String) {
    let (id, title) = (table.text("id"), table.text("title"));
    check_id(table, "id", &id);
    check_unique(table, "id", &id, seen);
    (id, title)
}

fn columns(table: &Table<'_>) -> Columns {
    let columns = Columns {
        titles: table.some_texts("columns"),
        money: table.texts("money"),
        naming: table.texts("naming"),
    };
    for title in &columns.money {
        refer_column(table, "money", title, &columns);
    }
    for title in &columns.naming {
        refer_column(table, "naming", title, &columns);
    }
    columns
}

fn tab(table: &Table<'_>) -> PageTab {
    let Some(named) = table.maybe_text("tab") else {
        return PageTab::default();
    };
    let found = PageTab::ALL.into_iter().find(|(name, _)| *name == named);
    found.map_or_else(
        || {
            let known = PageTab::ALL.into_iter().map(|(name, _)| name);
            let message = format!("there is no tab `{named}`");
            table.problem("tab", message, suggestion(&named, known));
            PageTab::default()
        },
        |(_, tab)| tab,
    )
}

fn needs(table: &Table<'_>, columns: &Columns) -> Option<NeedsSpec> {
    let table = table.maybe_table("needs")?;
    let column = |key| {
        let title = table.maybe_text(key)?;
        refer_column(&table, key, &title, columns);
        Some(title)
    };
    let named = column("column");
    let needs = NeedsSpec {
        values: match &named {
            Some(_) => table.some_texts("values"),
            None => Vec::new(),
        },
        column: named,
        reason: column("reason"),
        cure: column("cure"),
    };
    table.done();
    Some(needs)
}

fn chart(table: &Table<'_>, columns: &Columns) -> Option<ChartSpec> {
    let table = table.maybe_table("chart")?;
    let chart = ChartSpec {
        label: table.text("label"),
        split: table.maybe_text("split"),
        bars: table.some_texts("bars"),
    };
    refer_column(&table, "label", &chart.label, columns);
    for (key, title) in chart
        .split
        .iter()
        .map(|title| ("split", title))
        .chain(chart.bars.iter().map(|title| ("bars", title)))
    {
        refer_column(&table, key, title, columns);
    }
    table.done();
    Some(chart)
}

fn refer_column(table: &Table<'_>, key: &'static str, title: &str, columns: &Columns) {
    if !title.is_empty() && !columns.titles.iter().any(|known| known == title) {
        let known = columns.titles.iter().map(String::as_str);
        let message = format!("there is no column `{title}`");
        table.problem(key, message, suggestion(title, known));
    }
}

fn refer_report(table: &Table<'_>, id: &str, reports: &[ReportSpec]) {
    if !reports.iter().any(|report| report.id == id) {
        let known = reports.iter().map(|report| report.id.as_str());
        let message = format!("there is no report `{id}`");
        table.problem("reports", message, suggestion(id, known));
    }
}

fn filters(
    page: &Table<'_>,
    check_key: impl Fn(&Table<'_>, &'static str, &str),
) -> Vec<FilterSpec> {
    let mut seen = BTreeSet::new();
    let read = |table: Table<'_>| {
        let filter = FilterSpec {
            key: table.text("key"),
            title: table.text("title"),
            options: options(&table),
        };
        check_key(&table, "key", &filter.key);
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
