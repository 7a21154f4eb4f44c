//! Requests to Splynx: pages of what changed, records by their ids.

use chrono::NaiveDate;
use serde_json::Value;

use super::types::BY_TRANSACTION;
use super::{CONNECTION, ListOption, OptionList, Payment, Relation, Resource, Transaction};
use crate::capability::{Effect, Failure, Pair, Request, Response};
use crate::collect::{ToMap, ToSet};
use crate::json;
use crate::planted::{Mistake, is_planted};
use crate::write::ledger::{Run, RunError, RunResult};

/// Rows a page; small enough for a slow server, large enough that a quiet cycle is one request a list.
const PAGE: usize = 200;
/// What settles what.
pub const RELATIONS: &str = "admin/finance/invoice-relations";
/// What is kept of a customer apart.
pub const INFO: &str = "admin/customers/customer-info";
/// Ids in one `IN` search: keeps the address below the 8 KiB that web servers take.
const IDS: usize = 80;

/// Which records of a list are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Changed on this day or later; `None`: whenever.
    pub changed_since: Option<NaiveDate>,
    /// Dated on this day or later; `None`: whenever.
    pub dated_from: Option<NaiveDate>,
}

/// A resource's list, without its type: one copy of the code reads all of them.
#[derive(Debug, Clone, Copy)]
pub struct Listing {
    path: &'static str,
    changed: &'static str,
    date: Option<&'static str>,
}

impl Listing {
    pub fn of<T: Resource>() -> Self {
        Self {
            path: T::PATH,
            changed: T::CHANGED,
            date: T::DATE,
        }
    }

    fn query(&self, window: &Window) -> Vec<Pair> {
        let mut query = Vec::new();
        if let Some(since) = window.changed_since {
            query.extend(condition(self.changed, ">=", &since.to_string()));
        }
        if let (Some(field), Some(from)) = (self.date, window.dated_from) {
            query.extend(condition(field, ">=", &from.to_string()));
        }
        query
    }

    /// The next rows in the window whose id is above `after`, in the order of their ids. Empty: there are no more.
    pub fn above(&self, run: &mut Run, window: &Window, after: i64) -> RunResult<Vec<Row>> {
        let mut query = self.query(window);
        query.extend(condition("id", ">", &after.to_string()));
        query.push(("order[id]".to_owned(), "ASC".to_owned()));
        query.push(("limit".to_owned(), PAGE.to_string()));
        let rows = self.rows(fetch_list(run, self.path, query)?)?;
        let mut last = after;
        for (id, _) in &rows {
            // A server that ignored the search would send the same page for ever.
            if *id <= last {
                return Err(unexpected(
                    self.path,
                    "the list is not what was asked for, or not in that order",
                ));
            }
            last = *id;
        }
        Ok(rows)
    }

    /// The rows of these ids that exist. What is not in the answer is asked for once more on its own, so that a failed or
    /// ignored search is never taken for a deletion.
    pub fn of_ids(&self, run: &mut Run, ids: &[i64]) -> RunResult<Vec<Row>> {
        let mut found = Vec::new();
        for chunk in ids.chunks(IDS) {
            let mut query = one_of("id", chunk);
            query.push(("order[id]".to_owned(), "ASC".to_owned()));
            query.push(("limit".to_owned(), chunk.len().to_string()));
            let mut missing = chunk.iter().copied().to_set();
            for (id, row) in self.rows(fetch_list(run, self.path, query)?)? {
                if missing.remove(&id) {
                    found.push((id, row));
                }
            }
            if is_planted(Mistake::IgnoredSearchMeansDeleted) {
                continue;
            }
            for id in missing {
                let Some(list) = one(run, self.path, id)? else {
                    continue;
                };
                let mut rows = self.rows(list)?.into_iter();
                let row = rows.find(|(other, _)| *other == id);
                found.push(row.ok_or_else(|| unexpected(self.path, "it is another record"))?);
            }
        }
        Ok(found)
    }

    /// How many rows are in the window (0 where the server does not tell).
    pub fn count(&self, run: &mut Run, window: &Window) -> RunResult<u64> {
        self.counted(run, self.query(window))
    }

    /// How many of them have ids in a range, both ends included.
    pub fn count_between(
        &self,
        run: &mut Run,
        window: &Window,
        low: i64,
        high: i64,
    ) -> RunResult<u64> {
        let mut query = self.query(window);
        query.extend(between("id", &low.to_string(), &high.to_string()));
        self.counted(run, query)
    }

    /// How many with ids in a range, both ends included, are dated up to a day; those without a date are not among them.
    pub fn count_dated(
        &self,
        run: &mut Run,
        up_to: NaiveDate,
        low: i64,
        high: i64,
    ) -> RunResult<u64> {
        // Of what databases take for dates the first: that of records without one lies before.
        const FIRST: &str = "1000-01-01";
        let Some(field) = self.date else {
            return Ok(0);
        };
        let mut query = Vec::from(between("id", &low.to_string(), &high.to_string()));
        query.extend(between(field, FIRST, &up_to.to_string()));
        self.counted(run, query)
    }

    /// The row's own date.
    pub fn date_of(&self, (_, row): &Row) -> Option<NaiveDate> {
        json::date(row, self.date?)
    }

    fn counted(&self, run: &mut Run, query: Vec<Pair>) -> RunResult<u64> {
        let request = Request {
            method: "HEAD",
            ..get(self.path, query)
        };
        let response = run.send(request)?;
        Ok(response
            .headers
            .iter()
            .find(|(name, _)| name == "x-total-count")
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(0))
    }

    fn rows(&self, list: Vec<Value>) -> RunResult<Vec<Row>> {
        let mut rows = Vec::new();
        for value in list {
            let id = json::integer(&value, "id")
                .ok_or_else(|| unexpected(self.path, "a record has no id"))?;
            rows.push((id, value));
        }
        Ok(rows)
    }
}

/// A record as it was sent, with its id.
pub type Row = (i64, Value);

pub(super) fn condition(field: &str, operator: &str, value: &str) -> [Pair; 2] {
    [
        (format!("main_attributes[{field}][0]"), operator.to_owned()),
        (format!("main_attributes[{field}][1]"), value.to_owned()),
    ]
}

fn between(field: &str, low: &str, high: &str) -> [Pair; 3] {
    let part = |place: u8, value: &str| {
        (
            format!("main_attributes[{field}][{place}]"),
            value.to_owned(),
        )
    };
    [part(0, "BETWEEN"), part(1, low), part(2, high)]
}

fn get(path: &str, query: Vec<Pair>) -> Request {
    Request {
        connection: CONNECTION,
        effect: Effect::Read,
        method: "GET",
        path: path.to_owned(),
        query,
        headers: Vec::new(),
        body: String::new(),
        priority: "",
    }
}

/// Records as read. One that cannot be understood is no reason to stop all others.
pub struct Page<T> {
    pub records: Vec<T>,
    /// Id, and what is wrong with it.
    pub unreadable: Vec<(i64, String)>,
    /// The highest id; `None`: the page is empty.
    pub last: Option<i64>,
}

impl<T: Resource> Page<T> {
    pub fn parse(rows: &[Row]) -> Self {
        let mut page = Self {
            records: Vec::new(),
            unreadable: Vec::new(),
            last: rows.iter().map(|(id, _)| *id).max(),
        };
        for (id, value) in rows {
            match T::parse(*id, value) {
                Ok(record) => page.records.push(record),
                Err(what) => page.unreadable.push((*id, what)),
            }
        }
        page
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.records.len() + self.unreadable.len()
    }
}

/// The next page of records in the window whose id is above `after`, in the order of their ids. Empty: there are no more.
pub fn changed<T: Resource>(run: &mut Run, window: &Window, after: i64) -> RunResult<Page<T>> {
    let rows = Listing::of::<T>().above(run, window, after)?;
    Ok(Page::parse(&rows))
}

/// How many records are in the window (0 where the server does not tell). For progress only.
pub fn count<T: Resource>(run: &mut Run, window: &Window) -> RunResult<u64> {
    Listing::of::<T>().count(run, window)
}

/// The records of these ids that exist.
pub fn by_ids<T: Resource>(run: &mut Run, ids: &[i64]) -> RunResult<Page<T>> {
    let rows = Listing::of::<T>().of_ids(run, ids)?;
    Ok(Page::parse(&rows))
}

fn one_of(field: &str, ids: &[i64]) -> Vec<Pair> {
    let mut query = vec![(format!("main_attributes[{field}][0]"), "IN".to_owned())];
    query.extend(
        ids.iter()
            .enumerate()
            .map(|(i, id)| (format!("main_attributes[{field}][1][{i}]"), id.to_string())),
    );
    query
}

/// The record of that id; none where Splynx says that there is none (404).
pub(super) fn one(run: &mut Run, path: &str, id: i64) -> RunResult<Option<Vec<Value>>> {
    let path = format!("{path}/{id}");
    let response = run.send(get(&path, Vec::new()))?;
    // A page says it of another address than Splynx's.
    if response.status == 404 && !is_page(&response.body) {
        return Ok(None);
    }
    // Some versions answer one object as a list of one.
    let object = body(&check(response, &path)?, &path)?;
    Ok(Some(
        json::into_list(object.clone()).unwrap_or_else(|| vec![object]),
    ))
}

/// What settles what, of one customer. The parameter is one of the two that the list is documented to take (Splynx API 3.9).
pub fn relations(run: &mut Run, customer: i64) -> RunResult<Vec<Relation>> {
    let query = vec![("customer_id".to_owned(), customer.to_string())];
    let list = fetch_list(run, RELATIONS, query)?;
    let of_customer = |row: &&Value| json::integer(row, "customer_id") == Some(customer);
    let rows: Vec<&Value> = list.iter().filter(of_customer).collect();
    let payers = rows.iter().filter_map(|row| {
        let by_transaction = json::text(row, "type") == BY_TRANSACTION;
        json::relation(row, "payer_id").filter(|_| by_transaction)
    });
    let payers: Vec<i64> = payers.to_set().into_iter().collect();
    let transactions = by_ids::<Transaction>(run, &payers)?.records.into_iter();
    let invoices = transactions
        .filter_map(|transaction| Some((transaction.id, transaction.invoice_id?)))
        .to_map();
    let parse = |row: &&Value| Relation::parse(row, |id| invoices.get(&id).copied());
    Ok(rows.iter().filter_map(parse).collect())
}

/// The payments of these customers that are dated within these days, both included.
pub fn payments_between(
    run: &mut Run,
    customers: &[i64],
    from: NaiveDate,
    to: NaiveDate,
) -> RunResult<Vec<Payment>> {
    let mut found = Vec::new();
    for chunk in customers.chunks(IDS) {
        let mut after = 0;
        loop {
            let mut query = one_of("customer_id", chunk);
            let days = [from.to_string(), to.to_string()];
            query.extend(between("date", &days[0], &days[1]));
            query.extend(condition("id", ">", &after.to_string()));
            query.push(("order[id]".to_owned(), "ASC".to_owned()));
            query.push(("limit".to_owned(), PAGE.to_string()));
            let listing = Listing::of::<Payment>();
            let rows = listing.rows(fetch_list(run, listing.path, query)?)?;
            let before = after;
            after = rows.iter().map(|(id, _)| *id).fold(after, i64::max);
            let is_last = rows.len() < PAGE || after == before;
            // A search that was ignored lists everything.
            let is_wanted = |payment: &Payment| {
                chunk.contains(&payment.customer_id) && (from..=to).contains(&payment.date)
            };
            let page = Page::<Payment>::parse(&rows);
            found.extend(page.records.into_iter().filter(is_wanted));
            if is_last {
                break;
            }
        }
    }
    Ok(found)
}

/// What a request that is made only for its status tells of the API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    Given,
    Missing,
    /// Splynx answered something else.
    Unknown(Failure),
}

/// An id that there is not. 0 would not do: Splynx takes it for no id, or for a search (Splynx API 3.1).
const NOBODY: i64 = 2_000_000_000;

/// Whether the API key has the permission to list what is at the path (`index`).
pub fn may_list(run: &mut Run, path: &str) -> RunResult<Permission> {
    // Of relations, a limit is not documented, and without one the whole table would come.
    let query = match path {
        RELATIONS => ("customer_id".to_owned(), NOBODY.to_string()),
        _ => ("limit".to_owned(), "1".to_owned()),
    };
    let response = run.send(get(path, vec![query]))?;
    permission(response, path)
}

/// Whether the API key has the permission to read single records of the path (`view`).
pub fn may_view(run: &mut Run, path: &str) -> RunResult<Permission> {
    let path = format!("{path}/{NOBODY}");
    let response = run.send(get(&path, Vec::new()))?;
    permission(response, &path)
}

fn permission(response: Response, path: &str) -> RunResult<Permission> {
    match response.status {
        403 => Ok(Permission::Missing),
        404 if !is_page(&response.body) => Ok(Permission::Given),
        // A proxy's page of welcome says nothing of the key.
        _ => match check(response, path).and_then(|response| body(&response, path)) {
            Ok(_) => Ok(Permission::Given),
            Err(RunError::Failed(why)) if why.path().is_some() => Ok(Permission::Unknown(why)),
            Err(halt) => Err(halt),
        },
    }
}

/// The VAT number of a company; empty: it has none. Splynx keeps it apart from the customer, and documents only one way to read it: by
/// the customer's id (Splynx API 3.3).
pub fn vat_number(run: &mut Run, customer: i64) -> RunResult<String> {
    let Some(found) = one(run, INFO, customer)? else {
        return Ok(String::new());
    };
    let Some(info) = found.first() else {
        return Ok(String::new());
    };
    let of = json::integer(info, "customer_id").or_else(|| json::integer(info, "id"));
    if !info.is_object() || of.is_some_and(|of| of != customer) {
        return Err(unexpected(INFO, "it is no customer's, or another's"));
    }
    Ok(json::text(info, "vat_id").trim().to_owned())
}

/// A short list in full (categories, taxes, methods, partners). What has no id cannot be chosen.
pub fn options(run: &mut Run, of: OptionList) -> RunResult<Vec<ListOption>> {
    let list = fetch_list(run, of.path(), Vec::new())?;
    Ok(list.iter().filter_map(ListOption::of).collect())
}

pub(super) fn fetch_list(run: &mut Run, path: &str, query: Vec<Pair>) -> RunResult<Vec<Value>> {
    // Null may be an empty list, and may be a failure: said twice, it is the first.
    for _ in 0..2 {
        let response = fetch(run, get(path, query.clone()))?;
        let list = body(&response, path)?;
        if !list.is_null() {
            return json::into_list(list).ok_or_else(|| unexpected(path, "a list was expected"));
        }
    }
    Ok(Vec::new())
}

fn fetch(run: &mut Run, request: Request) -> RunResult<Response> {
    let path = request.path.clone();
    let response = run.send(request)?;
    check(response, &path)
}

/// Anything but success ends the job, with the cure.
pub(super) fn check(response: Response, path: &str) -> RunResult<Response> {
    let said = said(&response.body);
    Err(match response.status {
        200..=299 => return Ok(response),
        401 => RunError::Failed(Failure::new(
            "denied",
            format!(
                "Splynx refused the API key or secret ({said}). Enter them again under Settings, Splynx. If they are right, another tool may use the same key with larger nonces: make a key for this add-on alone."
            ),
        )),
        403 => RunError::Failed(Failure::about(
            path,
            "forbidden",
            format!(
                "The Splynx API key may not use {path} ({said}). Give it that permission in Splynx under Administration, API keys. What waits for it goes on by itself; it is asked for again within the hour, or at once where a person starts a run."
            ),
        )),
        429 => RunError::Paused(Failure::new("paused", "Splynx asked for a pause.")),
        status if is_page(&response.body) || matches!(status, 407 | 411 | 415) => {
            RunError::Failed(Failure::about(
                path,
                "splynx-connection",
                format!(
                    "{path} was answered with {status} by something between here and Splynx ({said}). Look at the proxy or firewall there, and at the API domain under Settings, Splynx. It is tried again with the next run."
                ),
            ))
        }
        status => RunError::Failed(Failure::about(
            path,
            "splynx-trouble",
            format!(
                "Splynx answered {status} to {path} ({said}). It is tried again with the next run; if it stays, look at the Splynx server."
            ),
        )),
    })
}

/// Whether a body is for a browser.
pub(super) fn is_page(body: &str) -> bool {
    body.trim_start().starts_with('<')
}

/// The message in an error body, whatever its shape.
pub(super) fn said(text: &str) -> String {
    let message = json::parse(text)
        .and_then(|value| Some(value.get("error")?.get("message")?.as_str()?.to_owned()))
        .unwrap_or_else(|| text.split('<').next().unwrap_or_default().trim().to_owned());
    if message.is_empty() {
        return "no reason given".to_owned();
    }
    message.chars().take(200).collect()
}

fn body(response: &Response, path: &str) -> RunResult<Value> {
    json::parse(&response.body).ok_or_else(|| {
        let what = match response.body.trim() {
            "" => "it is empty",
            page if is_page(page) => {
                "it is a web page, as something between here and Splynx may send"
            }
            _ => "it is not JSON",
        };
        unexpected(path, what)
    })
}

fn unexpected(path: &str, what: &str) -> RunError {
    RunError::Failed(Failure::about(
        path,
        "unexpected-answer",
        format!(
            "Splynx answered {path} in a form that is not understood: {what}. It is tried again with the next run; if it stays, ask support."
        ),
    ))
}
