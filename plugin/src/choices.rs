//! What people choose from: the lists of both sides as loaded, the rows of the mappings, and what is proposed for rows that nobody
//! has mapped yet.

use crate::capability::{Capabilities, Failure, Pair};
use crate::collect::ToMap;
use crate::pages;
use crate::sage;
use crate::settings::{LEFT_UNMAPPED, Settings};
use crate::sync::lists::{self, List, Row};
use crate::sync::mapping::Mapping;
use crate::sync::taxes;
use crate::write::ledger::{Run, RunError, RunResult};

/// Before the name of a list: what its rows can be mapped to, `sage-items` and leaving them unmapped for example.
const TARGETS: &str = "targets:";
/// Before the key of a mapping: rows and what is proposed for each.
const PROPOSALS: &str = "proposals:";

/// The customer categories of Splynx, which are not data there; a lead is none yet (Splynx API, customers).
const CUSTOMER_CATEGORIES: [(&str, &str); 2] = [("person", "Person"), ("company", "Company")];

/// What a field or mapping row can be set to: value and title. Of proposals: row and value.
///
/// # Errors
/// Where the lists were never loaded, or Sage does not answer.
pub fn choices(cap: &mut dyn Capabilities, source: &str) -> Result<Vec<Pair>, Failure> {
    let mut run = Run::new(cap)?;
    named(&mut run, source).map_err(RunError::into_failure)
}

fn named(run: &mut Run, source: &str) -> RunResult<Vec<Pair>> {
    if let Some(list) = List::of_source(source) {
        return of_list(run, list);
    }
    if let Some(list) = source.strip_prefix(TARGETS).and_then(List::of_source) {
        let leave = (
            LEFT_UNMAPPED.to_owned(),
            "Leave unmapped: hold what needs it".to_owned(),
        );
        let mut targets = vec![leave];
        targets.extend(of_list(run, list)?);
        return Ok(targets);
    }
    match source {
        "sage-companies" => {
            let companies = sage::companies(run)?;
            let choice = |company: &sage::Company| (company.id_text(), company.name());
            Ok(companies.iter().map(choice).collect())
        }
        "splynx-customer-categories" => Ok(customer_categories()),
        own if own.starts_with(pages::statements::OPEN_INVOICES) => {
            pages::statements::open_invoices(run, own)
        }
        own => match own.strip_prefix(PROPOSALS) {
            Some(mapping) => proposals(run, mapping),
            None => Err(RunError::Failed(Failure::new(
                "unknown-choices",
                format!("There is no list {own:?}."),
            ))),
        },
    }
}

/// What is in a list as loaded. What can no longer be chosen is there only where it is chosen already, and says so.
fn of_list(run: &mut Run, list: List) -> RunResult<Vec<Pair>> {
    needs_lists(run)?;
    if list == List::SplynxTaxes {
        return taxes::choices(run);
    }
    let rows = lists::stored(run, list)?
        .into_iter()
        .map(|(_, row)| (row.id, row))
        .to_map();
    let mut choices = rows
        .values()
        .filter(|row| row.active)
        .map(|row| (row.id, row.named()))
        .to_map();
    for (_, of, id) in lists::chosen(&run.settings) {
        let row = rows.get(&id);
        if let (true, Some(what)) = (of == list, lists::staleness(list, row)) {
            let title = row.map_or_else(|| id.to_string(), Row::named);
            choices.insert(id, format!("{title} ({what})"));
        }
    }
    Ok(choices
        .into_iter()
        .map(|(id, title)| (id.to_string(), title))
        .collect())
}

fn needs_lists(run: &mut Run) -> RunResult<()> {
    if lists::is_loaded(run)? {
        return Ok(());
    }
    Err(RunError::Failed(Failure::new(
        "not-loaded",
        "Press \"Import mapping settings\" first: it loads what there is to choose from.",
    )))
}

fn customer_categories() -> Vec<Pair> {
    CUSTOMER_CATEGORIES
        .iter()
        .map(|(value, title)| ((*value).to_owned(), (*title).to_owned()))
        .collect()
}

/// What agrees by itself, for rows without a choice: equal titles, of taxes equal rates, of bank accounts the only one. Where two fit,
/// nobody but a person can tell.
fn proposals(run: &mut Run, mapping: &str) -> RunResult<Vec<Pair>> {
    needs_lists(run)?;
    let lists = Mapping::loaded(run)?;
    let settings = &run.settings;
    let titled = |rows: List, to: List| {
        let rows = lists.rows(rows).filter(|row| row.active);
        rows.map(|row| (row.id.to_string(), same_title(&lists, to, &row.title)))
            .collect::<Vec<_>>()
    };
    let found: Vec<(String, Option<i64>)> = match mapping {
        "item" => titled(List::SplynxCategories, List::SageItems),
        "bank_account" if settings.mapped("default_bank_account").is_some() => {
            titled(List::SplynxMethods, List::SageBankAccounts)
        }
        "bank_account" => {
            let only = only(lists.rows(List::SageBankAccounts));
            let titled = titled(List::SplynxMethods, List::SageBankAccounts);
            let or_only = |(row, to): (String, Option<i64>)| (row, to.or(only));
            titled.into_iter().map(or_only).collect()
        }
        "customer_category" => customer_categories()
            .into_iter()
            .map(|(row, title)| {
                (
                    row,
                    same_title(&lists, List::SageCustomerCategories, &title),
                )
            })
            .collect(),
        "tax" => of_equal_rate(&lists, settings),
        _ => Vec::new(),
    };
    let is_open = |row: &str| settings.value(&format!("{mapping}.{row}")).is_empty();
    Ok(found
        .into_iter()
        .filter(|(row, _)| is_open(row))
        .filter_map(|(row, to)| Some((row, to?.to_string())))
        .collect())
}

fn only<'r>(rows: impl Iterator<Item = &'r Row>) -> Option<i64> {
    let mut active = rows.filter(|row| row.active);
    match (active.next(), active.next()) {
        (Some(row), None) => Some(row.id),
        _ => None,
    }
}

/// Sage's items have their code behind the title.
fn same_title(lists: &Mapping, list: List, title: &str) -> Option<i64> {
    let plain = |title: &str| title.trim().to_lowercase();
    let wanted = plain(title);
    let is_same = |row: &&Row| {
        let found = plain(&row.title);
        let before_code = found
            .strip_suffix(')')
            .and_then(|rest| rest.rsplit_once(" ("));
        found == wanted || before_code.is_some_and(|(title, _)| title.trim() == wanted)
    };
    only(lists.rows(list).filter(is_same))
}

/// The only tax type of the rate, or the only one that is called alike, or the company's default.
fn of_equal_rate(lists: &Mapping, settings: &Settings) -> Vec<(String, Option<i64>)> {
    let rated = lists.rated(settings).into_iter();
    rated
        .filter_map(|rated| {
            let row = rated.key.split_once('.')?.1.to_owned();
            let percent = rated.percent?;
            let types: Vec<&Row> = lists.of_rate(percent).collect();
            let titled = same_title(lists, List::SageTaxTypes, &rated.tax.title)
                .filter(|id| types.iter().any(|row| row.id == *id));
            let default = types.iter().copied().filter(|row| row.default);
            let to = only(types.iter().copied())
                .or(titled)
                .or_else(|| only(default));
            Some((row, to))
        })
        .collect()
}
