//! Requests to Sage.

use serde_json::Value;

use super::answers::{body, check, is_page, rows, said, unexpected};
use super::{
    CONNECTION, Column, Company, DocumentPayload, Filter, ListOption, Object, OptionList, Service,
};
use crate::capability::{Effect, Pair, Request};
use crate::collect::{Set, ToSet};
use crate::json;
use crate::planted::{Mistake, is_planted};
use crate::write::ledger::{Run, RunError, RunResult};

/// The most rows that Sage lists at once (Sage API 1.6).
const PAGE: usize = 100;
/// Ids in one search. ASP.NET's OData library refuses a filter of more than 100 nodes by default: an id above 2^31 costs six, with its
/// `or`. Whether Sage keeps that default is not known (Sage API 1.7).
pub const IDS: usize = 15;
/// The most parts of a batch; no maximum is published (Sage API 2.13).
pub const LARGEST_BATCH: usize = 100;

/// The request that saves an object. `own_number`: Sage is to keep the document number that we send (F33).
pub fn save_request(run: &Run, service: Service, body: String, own_number: bool) -> Request {
    let mut query = company(run);
    if !matches!(service, Service::Customer | Service::Allocation) {
        let system_number = if own_number { "false" } else { "true" };
        query.push((
            "useSystemDocumentNumber".to_owned(),
            system_number.to_owned(),
        ));
    }
    Request {
        effect: Effect::Write,
        method: "POST",
        body,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        ..read(format!("{}/Save", service.name()), query)
    }
}

/// One request for all of them: their bodies as one bare array.
pub fn save_batch_request(requests: &[Request]) -> Request {
    let bodies: Vec<&str> = requests
        .iter()
        .map(|request| request.body.as_str())
        .collect();
    let first = &requests[0];
    Request {
        path: format!("{}Batch", first.path),
        body: format!("[{}]", bodies.join(",")),
        ..first.clone()
    }
}

pub fn delete_request(run: &Run, service: Service, id: i64) -> Request {
    Request {
        effect: Effect::Write,
        method: "DELETE",
        ..read(format!("{}/Delete/{id}", service.name()), company(run))
    }
}

/// The next page of objects whose id is above `above`, in the order of their ids, and whether it is the last.
pub fn newer(
    run: &mut Run,
    service: Service,
    above: i64,
    filter: Option<Filter>,
) -> RunResult<(Vec<Object>, bool)> {
    page_above(run, service, above, above, |id| match filter {
        Some(filter) => format!("ID gt {} and {}", id(above), filter.condition()),
        None => format!("ID gt {}", id(above)),
    })
}

/// The same of the objects that have one of these ids in a column, [`IDS`] at most.
pub fn newer_of(
    run: &mut Run,
    service: Service,
    above: i64,
    column: Column,
    ids: &[i64],
) -> RunResult<(Vec<Object>, bool)> {
    let largest = ids.iter().copied().fold(above, i64::max);
    page_above(run, service, above, largest, |id| {
        let of = one_of(column, ids, id);
        format!("ID gt {} and ({of})", id(above))
    })
}

fn page_above(
    run: &mut Run,
    service: Service,
    above: i64,
    largest: i64,
    conditions: impl Fn(&dyn Fn(i64) -> String) -> String,
) -> RunResult<(Vec<Object>, bool)> {
    let path = format!("{}/Get", service.name());
    let listed = match list_where(run, &path, largest, conditions) {
        Err(RunError::Failed(_)) if is_planted(Mistake::FailedLookUpMeansAbsent) => {
            return Ok((Vec::new(), true));
        }
        listed => listed?,
    };
    let (mut rows, total) = listed
        .map_err(|refused| unexpected(&path, &format!("it refused the search ({refused})")))?;
    if is_planted(Mistake::LastPageDropped) && rows.len() < PAGE {
        rows.clear();
    }
    let mut last = above;
    for row in &rows {
        let id = row.id().unwrap_or(i64::MIN);
        if id <= last {
            return Err(unexpected(
                &path,
                "the list is not in the order that was asked for",
            ));
        }
        last = id;
    }
    // A page may be shorter than was asked for and still not the last.
    let has_all =
        total.is_some_and(|total| i64::try_from(rows.len()).is_ok_and(|have| have >= total));
    let complete = rows.is_empty() || rows.len() < PAGE && has_all;
    Ok((rows, complete))
}

/// The objects of these ids that exist. What is not in the answer is asked for once more on its own, so that a filter that was ignored
/// is never taken for a deletion.
pub fn by_ids(run: &mut Run, service: Service, ids: &[i64]) -> RunResult<Vec<Object>> {
    let mut found = Vec::new();
    for chunk in ids.chunks(IDS) {
        some_of_ids(run, service, chunk, &mut found)?;
    }
    Ok(found)
}

/// The same, read as stretches of the list: a request for a hundred where the ids are near each other. What is not met so is asked for by its
/// id.
pub fn by_near_ids(run: &mut Run, service: Service, ids: &[i64]) -> RunResult<Vec<Object>> {
    const PAGES: usize = 2;
    let ids: Vec<i64> = ids.iter().copied().to_set().into_iter().collect();
    let mut found = Vec::new();
    for chunk in ids.chunks(PAGE) {
        let (Some(lowest), Some(highest)) = (chunk.first(), chunk.last()) else {
            continue;
        };
        let mut above = lowest - 1;
        let mut missing = chunk.iter().copied().to_set();
        for _ in 0..PAGES {
            let (rows, complete) = page_above(run, service, above, *highest, |id| {
                format!("ID gt {} and ID le {}", id(above), id(*highest))
            })?;
            let last = rows.last().and_then(Object::id);
            above = last.unwrap_or(above);
            let is_wanted = |row: &Object| row.id().is_some_and(|id| missing.remove(&id));
            found.extend(rows.into_iter().filter(is_wanted));
            if complete {
                break;
            }
        }
        found.extend(by_ids(run, service, &Vec::from_iter(missing))?);
    }
    Ok(found)
}

/// The same of few enough ids for one search; of fewer where Sage refuses so many.
fn some_of_ids(
    run: &mut Run,
    service: Service,
    ids: &[i64],
    found: &mut Vec<Object>,
) -> RunResult<()> {
    let path = format!("{}/Get", service.name());
    let largest = ids.iter().copied().max().unwrap_or_default();
    let mut rows = match list_where(run, &path, largest, |id| one_of(Column::Id, ids, id))? {
        Ok((rows, _)) => rows,
        Err(_) if ids.len() > 1 => {
            let (some, others) = ids.split_at(ids.len() / 2);
            some_of_ids(run, service, some, found)?;
            return some_of_ids(run, service, others, found);
        }
        Err(_) => Vec::new(),
    };
    rows.retain(|row| row.id().is_some_and(|id| ids.contains(&id)));
    for id in ids {
        if !rows.iter().any(|row| row.id() == Some(*id)) {
            found.extend(get_one(run, service, *id)?);
        }
    }
    found.extend(rows);
    Ok(())
}

fn one_of(column: Column, ids: &[i64], id: &dyn Fn(i64) -> String) -> String {
    let terms = ids
        .iter()
        .map(|one| format!("{} eq {}", column.name(), id(*one)));
    terms.collect::<Vec<_>>().join(" or ")
}

/// Rows and their total, or why Sage refuses the search.
type Listed = Result<(Vec<Object>, Option<i64>), String>;

/// A search by ids, in their order. From 2 147 483 648 on OData v3 wants an `L` behind an id, and later versions refuse it: which of
/// the two Sage takes is found out once a run.
fn list_where(
    run: &mut Run,
    path: &str,
    largest: i64,
    conditions: impl Fn(&dyn Fn(i64) -> String) -> String,
) -> RunResult<Listed> {
    let is_long = largest > i64::from(i32::MAX);
    let mut suffixed = is_long && run.long_ids_are_suffixed;
    let mut tried_both = false;
    loop {
        let write = |id: i64| {
            let suffix = if suffixed && id > i64::from(i32::MAX) {
                "L"
            } else {
                ""
            };
            format!("{id}{suffix}")
        };
        let mut query = company(run);
        query.push(("$filter".to_owned(), conditions(&write)));
        query.push(("$orderby".to_owned(), "ID".to_owned()));
        query.push(("$top".to_owned(), PAGE.to_string()));
        let listed = list(run, path, query)?;
        match listed {
            Err(_) if is_long && !tried_both => {
                tried_both = true;
                suffixed = !suffixed;
            }
            listed => {
                if is_long && listed.is_ok() {
                    run.long_ids_are_suffixed = suffixed;
                }
                return Ok(listed);
            }
        }
    }
}

/// A whole list of what people choose from, however its ids run (built-in ones can be negative).
pub fn options(run: &mut Run, of: OptionList) -> RunResult<Vec<ListOption>> {
    let path = format!("{}/Get", of.service());
    let mut all: Vec<Object> = Vec::new();
    let mut ids = Set::new();
    loop {
        let mut query = company(run);
        query.push(("$orderby".to_owned(), "ID".to_owned()));
        query.push(("$skip".to_owned(), all.len().to_string()));
        query.push(("$top".to_owned(), PAGE.to_string()));
        let (rows, total) = list(run, &path, query)?
            .map_err(|refused| unexpected(&path, &format!("it refused the list ({refused})")))?;
        let page = rows.len();
        for row in rows {
            // Whoever does not skip sends the same rows for ever.
            if row.id().is_some_and(|id| !ids.insert(id)) {
                return Err(unexpected(&path, "the list begins anew"));
            }
            all.push(row);
        }
        let has_all =
            total.is_some_and(|total| i64::try_from(all.len()).is_ok_and(|have| have >= total));
        if page == 0 || has_all {
            return Ok(all.iter().filter_map(ListOption::of).collect());
        }
    }
}

/// One request for a list. Null, or nothing, may be an empty list and may be a failure: said twice, it is the first.
fn list(run: &mut Run, path: &str, query: Vec<Pair>) -> RunResult<Listed> {
    for _ in 0..2 {
        let list = match ask(run, read(path.to_owned(), query.clone()))? {
            Ok(list) => list,
            Err(refused) => return Ok(Err(refused)),
        };
        if let Some((rows, total)) = rows(list, path)? {
            return Ok(Ok((rows.into_iter().map(Object::from).collect(), total)));
        }
    }
    Ok(Ok((Vec::new(), Some(0))))
}

/// The companies that the login can see; needs no company id (Sage API 1.2).
pub fn companies(run: &mut Run) -> RunResult<Vec<Company>> {
    let path = "Company/Get";
    list(run, path, Vec::new())?
        .map(|(companies, _)| companies.into_iter().map(Company::from).collect())
        .map_err(|refused| unexpected(path, &format!("it refused the list ({refused})")))
}

/// The company that the installation works with.
pub fn current_company(run: &mut Run) -> RunResult<Company> {
    let path = "Company/Current";
    let query = company(run);
    let response = run.send(read(path.to_owned(), query))?;
    let company = body(&check(run, response, path)?, path)?;
    Ok(Object::from(company).into())
}

/// What Sage would store of an invoice, or what it says against it. Nothing is stored (Sage API 1.8).
pub fn calculate(run: &mut Run, invoice: &DocumentPayload) -> RunResult<Result<Object, String>> {
    let request = Request {
        method: "POST",
        body: invoice.encode().to_string(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        ..read("TaxInvoice/Calculate".to_owned(), company(run))
    };
    Ok(ask(run, request)?.map(Object::from))
}

/// What Sage answers to a request that stores nothing, or what it says against it.
pub(super) fn ask(run: &mut Run, request: Request) -> RunResult<Result<Value, String>> {
    let path = request.path.clone();
    let response = run.send(request)?;
    if response.status == 400 {
        return Ok(Err(said(&response.body)));
    }
    body(&check(run, response, &path)?, &path).map(Ok)
}

/// The object as Sage has it now; none where it is gone.
pub fn get_one(run: &mut Run, service: Service, id: i64) -> RunResult<Option<Object>> {
    get_one_as(run, service, id, "")
}

/// The same, with a priority.
pub fn get_one_as(
    run: &mut Run,
    service: Service,
    id: i64,
    priority: &'static str,
) -> RunResult<Option<Object>> {
    let path = format!("{}/Get/{id}", service.name());
    let query = company(run);
    let response = run.send(Request {
        priority,
        ..read(path.clone(), query)
    })?;
    let is_page = is_page(&response.body);
    if matches!(response.status, 204 | 404) && !is_page {
        return Ok(None);
    }
    let object = match response.status {
        404 => Value::Null,
        _ => body(&check(run, response, &path)?, &path)?,
    };
    if object.is_object() && json::integer(&object, "ID") == Some(id) {
        return Ok(Some(object.into()));
    }
    // Nothing may also come as the literal null (Sage API 1.5) or as a server's page, but so may a failure: a list is plainer.
    if object.is_null() {
        let (rows, _) = newer_of(run, service, id - 1, Column::Id, &[id])?;
        if rows.is_empty() {
            return Ok(None);
        }
    }
    Err(unexpected(&path, "the object was expected"))
}

pub(super) fn company(run: &Run) -> Vec<Pair> {
    vec![("CompanyId".to_owned(), run.settings.company_id.clone())]
}

pub(super) fn read(path: String, query: Vec<Pair>) -> Request {
    Request {
        connection: CONNECTION,
        effect: Effect::Read,
        method: "GET",
        path,
        query,
        headers: Vec::new(),
        body: String::new(),
        priority: "",
    }
}
