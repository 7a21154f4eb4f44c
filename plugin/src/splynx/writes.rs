//! Changes of Splynx, what their answers mean, and finding again what was made.
//!
//! Splynx has no idempotency key either, so whoever creates something gives it a key of ours in a field that can be searched. The
//! trap: a search that a server does not know is ignored, not refused, so absence counts only where no stranger was listed.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::client::{check, condition, fetch_list, is_page, one, said};
use super::{CANCELLED, CONNECTION, Receivable, Resource, StatementRecord};
use crate::capability::{Answer, Effect, Request};
use crate::collect::{Set, ToSet};
use crate::json;
use crate::write::ledger::{Run, RunError, RunResult};

pub const STATEMENTS: &str = "admin/finance/bank-statements";
pub const PAYMENTS: &str = "admin/finance/payments";

/// Values in one search, and rows of one page.
const VALUES: usize = 80;
const PAGE: usize = 200;

/// What Splynx made of a POST or PUT.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done; the id of what a POST made, 0 of a PUT.
    Done(i64),
    /// Not done, and Splynx says why.
    Refused(String),
    /// It may have been done: no answer, or one that cannot be read.
    Uncertain(String),
    /// Not done, and nothing more can be sent for now.
    NotSent(RunError),
}

/// One of our records in a payment statement: money from Sage that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRecord<'r> {
    pub statement: Option<i64>,
    /// What it is found by.
    pub key: &'r str,
    /// The receipt's number in Sage.
    pub label: &'r str,
    pub money: RecordedMoney,
}

/// What a statement's record says of the money.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedMoney {
    pub date: NaiveDate,
    pub amount: Decimal,
    pub customer: Option<i64>,
    pub invoice: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewPayment<'p> {
    pub statement: Option<i64>,
    /// What it is found by.
    pub key: &'p str,
    pub method: i64,
    pub money: RecordedMoney,
}

/// What Splynx shows of every payment and record of ours (F75).
const COMMENT: &str = "SageOne";

/// Enters a record into a statement.
pub fn enter_record(record: &NewRecord) -> Request {
    let money = &record.money;
    let object = json!({
        "bank_statements_process_id": record.statement,
        "payment_date": money.date.to_string(),
        "amount": json::number(money.amount),
        "status": "new",
        "comment": COMMENT,
        "additional_1": record.key,
        "additional_2": record.label,
        "customer_id": money.customer,
        "invoice_id": money.invoice,
    });
    post(StatementRecord::PATH, &object)
}

/// Says other things of the money of a record.
pub fn amend_record(record: i64, money: &RecordedMoney) -> Request {
    let object = json!({
        "amount": json::number(money.amount),
        "payment_date": money.date.to_string(),
        "customer_id": money.customer,
        "invoice_id": money.invoice,
    });
    put(StatementRecord::PATH, record, &object)
}

/// A record's money became a payment.
pub fn close_record(record: i64, payment: Option<i64>, money: &RecordedMoney) -> Request {
    let object = json!({
        "status": "processed",
        "payment_id": payment,
        "customer_id": money.customer,
        "invoice_id": money.invoice,
        "amount": json::number(money.amount),
    });
    put(StatementRecord::PATH, record, &object)
}

/// A record's money is no more.
pub fn cancel_record(record: i64) -> Request {
    put(StatementRecord::PATH, record, &json!({"status": CANCELLED}))
}

pub fn enter_payment(payment: &NewPayment) -> Request {
    let money = &payment.money;
    let object = json!({
        "customer_id": money.customer,
        "invoice_id": money.invoice,
        "payment_statement_id": payment.statement,
        "payment_type": payment.method,
        "receipt_number": payment.key,
        "date": money.date.to_string(),
        "amount": json::number(money.amount),
        "comment": COMMENT,
    });
    post(PAYMENTS, &object)
}

fn post(path: &str, object: &Value) -> Request {
    request("POST", path.to_owned(), object)
}

/// Changes the fields that `object` names; the others stay (Splynx API 2.1).
fn put(path: &str, id: i64, object: &Value) -> Request {
    request("PUT", format!("{path}/{id}"), object)
}

fn request(method: &'static str, path: String, object: &Value) -> Request {
    Request {
        connection: CONNECTION,
        effect: Effect::Write,
        method,
        path,
        query: Vec::new(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: object.to_string(),
        priority: "",
    }
}

/// Reads the answer to a POST or PUT (Splynx API 2.1, 2.3).
pub fn reply_of(answer: Answer, path: &str, is_post: bool) -> Reply {
    let response = match answer {
        Ok(response) => response,
        Err(unanswered) if unanswered.maybe_sent => {
            return Reply::Uncertain(unanswered.reason.message);
        }
        Err(unanswered) => return Reply::NotSent(unanswered.reason.into()),
    };
    match response.status {
        // A page, of a log-in say, is the word of something between here and Splynx.
        200..=299 if !is_post && !is_page(&response.body) => Reply::Done(0),
        // A record that somebody deleted needs no change any more.
        404 if !is_post && !is_page(&response.body) => Reply::Done(0),
        200..=299 => json::parse(&response.body)
            .and_then(|made| json::integer(&made, "id"))
            .filter(|id| *id > 0)
            .map_or_else(
                || Reply::Uncertain("Splynx answered without an id.".to_owned()),
                Reply::Done,
            ),
        // 405 is about the record here: it is another partner's, say (Splynx API 1.5).
        400 | 404 | 405 | 409 | 422 if !is_page(&response.body) => {
            Reply::Refused(said(&response.body))
        }
        // The request came too slowly, or not whole: nobody knows how far it got.
        400..=499 if response.status != 408 => match check(response, path) {
            Err(halt) => Reply::NotSent(halt),
            Ok(_) => Reply::Uncertain("Splynx gave no answer.".to_owned()),
        },
        status => Reply::Uncertain(format!("Splynx answered {status} to {path}.")),
    }
}

/// Of these statements the ones that there are, as far as they are listed.
pub fn statements_listed(run: &mut Run, ids: &[String]) -> RunResult<Set<i64>> {
    let rows = find(run, STATEMENTS, "id", ids)?;
    Ok(rows.iter().filter_map(id_of).to_set())
}

/// What people paired with invoices in these statements.
pub fn records_paired_by_hand(
    run: &mut Run,
    statements: &[String],
) -> RunResult<Vec<StatementRecord>> {
    let by_hand = Some(("status", "manual_paired"));
    let statement = "bank_statements_process_id";
    let rows = find_with(run, StatementRecord::PATH, statement, statements, by_hand)?;
    Ok(parsed(&rows))
}

/// The records that bear these keys of ours: key and id.
pub fn records_of_keys(run: &mut Run, keys: &[String]) -> RunResult<Vec<(String, i64)>> {
    of_keys(run, StatementRecord::PATH, "additional_1", keys)
}

/// The payments that bear these keys of ours: key and id.
pub fn payments_of_keys(run: &mut Run, keys: &[String]) -> RunResult<Vec<(String, i64)>> {
    of_keys(run, PAYMENTS, "receipt_number", keys)
}

fn of_keys(
    run: &mut Run,
    path: &str,
    field: &str,
    keys: &[String],
) -> RunResult<Vec<(String, i64)>> {
    let rows = find(run, path, field, keys)?;
    let keyed = |row: &Value| Some((json::text(row, field), id_of(row)?));
    Ok(rows.iter().filter_map(keyed).collect())
}

/// The payments of a statement: id and amount.
pub fn payments_of_statement(
    run: &mut Run,
    statement: i64,
) -> RunResult<Vec<(i64, Option<Decimal>)>> {
    let of = [statement.to_string()];
    let rows = find(run, PAYMENTS, "payment_statement_id", &of)?;
    let paid = |row: &Value| Some((id_of(row)?, json::decimal(row, "amount")));
    Ok(rows.iter().filter_map(paid).collect())
}

/// A customer's invoices that are not paid.
pub fn unpaid_invoices(run: &mut Run, customer: i64) -> RunResult<Vec<Receivable>> {
    let of = [customer.to_string()];
    let unpaid = Some(("status", "not_paid"));
    let rows = find_with(run, Receivable::PATH, "customer_id", &of, unpaid)?;
    Ok(parsed(&rows))
}

/// The invoices of these numbers: numbers need not be unique over partners (Splynx API 8.4).
pub fn invoices_of_numbers(run: &mut Run, numbers: &[String]) -> RunResult<Vec<Receivable>> {
    let rows = find(run, Receivable::PATH, "number", numbers)?;
    Ok(parsed(&rows))
}

/// Those that can be understood.
fn parsed<R: Resource>(rows: &[Value]) -> Vec<R> {
    let parse = |row: &Value| R::parse(id_of(row)?, row).ok();
    rows.iter().filter_map(parse).collect()
}

fn id_of(row: &Value) -> Option<i64> {
    json::integer(row, "id")
}

/// The rows whose `field` has one of the values, and all of them.
fn find(run: &mut Run, path: &str, field: &str, values: &[String]) -> RunResult<Vec<Value>> {
    find_with(run, path, field, values, None)
}

/// The same, of those in which another field has that value.
fn find_with(
    run: &mut Run,
    path: &str,
    field: &str,
    values: &[String],
    also: Option<(&str, &str)>,
) -> RunResult<Vec<Value>> {
    let mut found = Vec::new();
    for chunk in values.chunks(VALUES) {
        let name = |rest: &str| format!("main_attributes[{field}]{rest}");
        let mut search = vec![(name("[0]"), "IN".to_owned())];
        search.extend(
            chunk
                .iter()
                .enumerate()
                .map(|(place, value)| (name(&format!("[1][{place}]")), value.clone())),
        );
        search.extend(
            also.iter()
                .flat_map(|(name, value)| condition(name, "=", value)),
        );
        let is_wanted = |row: &Value| {
            chunk.contains(&json::text(row, field))
                && also.is_none_or(|(name, value)| json::text(row, name) == value)
        };
        let mut after = 0;
        loop {
            let mut query = search.clone();
            query.extend(condition("id", ">", &after.to_string()));
            query.push(("order[id]".to_owned(), "ASC".to_owned()));
            query.push(("limit".to_owned(), PAGE.to_string()));
            let mut rows = fetch_list(run, path, query)?;
            let before = after;
            // An ignored search lists everything: then everything is read, and looked through here.
            for row in &rows {
                after = id_of(row).unwrap_or(0).max(after);
            }
            let complete = rows.len() < PAGE || after == before;
            rows.retain(is_wanted);
            found.extend(rows);
            if complete {
                break;
            }
        }
    }
    Ok(found)
}

/// Whether Splynx says (404) that there is no such record.
pub fn is_gone(run: &mut Run, path: &str, id: i64) -> RunResult<bool> {
    Ok(one(run, path, id)?.is_none())
}

/// A statement by its title; the first where people made several.
pub fn statement(run: &mut Run, title: &str) -> RunResult<Option<i64>> {
    let rows = find(run, STATEMENTS, "title", &[title.to_owned()])?;
    Ok(rows.iter().find_map(id_of))
}

/// The request that makes a statement.
pub fn statement_request(title: &str) -> Request {
    post(
        STATEMENTS,
        &json!({"title": title, "handler": COMMENT, "status": "success"}),
    )
}
