//! The page Statements: every receipt from Sage that waits, and pairing one with invoices by hand (F76, F77).
//!
//! Pairing makes payments through the same protocol as an import. Beware (F78, I10): a payment type that is sent to Sage brings the
//! money back to where it came from, so it has to be asked for by name.

use rust_decimal::Decimal;

use super::{filter, page, refuse, value};
use crate::addon::{Query, Rows};
use crate::capability::{Entry, Pair, Row};
use crate::collect::ToMap;
use crate::money;
use crate::settings::{Direction, Settings};
use crate::splynx::{InvoiceStatus, Receivable, writes};
use crate::sync::import_recovery;
use crate::sync::receipt_sheet::ReceiptSheet;
use crate::sync::statements::{StatementWork, carry_out, sheets};
use crate::write::ledger::{Run, RunResult};
use crate::write::record::{ATTENTION, Batch, Kind, Record, RecordKey, Remote, State};

/// Before a receipt's id: the list of what it can be paired with.
pub const OPEN_INVOICES: &str = "open-invoices/";

/// The receipts of which money waits for a person.
pub fn view(run: &mut Run, query: &Query) -> RunResult<Rows> {
    let shows = filter(query, &[])?;
    let prefix = format!("{}/", Kind::Receipt.name());
    page(run, query, (ATTENTION, &prefix), &shows, rows)
}

fn rows(run: &mut Run, entries: &[Entry]) -> RunResult<Vec<Row>> {
    let keys: Vec<RecordKey> = entries
        .iter()
        .filter_map(|entry| RecordKey::parse(&entry.key))
        .collect();
    let ids: Vec<i64> = keys.iter().map(|key| key.id).collect();
    let sheets = sheets(run, &ids)?;
    let records = run.records(keys)?;
    let customers = records
        .values()
        .filter_map(|stored| Some(stored.record.as_ref()?.customer));
    let names = super::names(run, customers)?;
    let mut rows = Vec::new();
    for (key, stored) in records {
        let (Some(record), Some(sheet)) = (stored.record, sheets.get(&key.id)) else {
            continue;
        };
        if sheet.waiting().is_zero() {
            continue;
        }
        let customer = names.get(&record.customer).cloned();
        let customer = customer.unwrap_or_else(|| format!("Sage customer {}", sheet.customer));
        rows.push(Row {
            id: key.to_string(),
            cells: vec![
                record.label,
                sheet.date.to_string(),
                customer,
                money::plain(sheet.total),
                money::plain(sheet.waiting()),
                sheet.title.clone(),
                record.reason.message,
            ],
            more: vec![("code".to_owned(), record.reason.code)],
        });
    }
    Ok(rows)
}

/// `pair`: one receipt's waiting money with Splynx invoices by their numbers (`invoices`), as payments of a type (`payment_type`).
pub fn act(run: &mut Run, act: &str, rows: &[String], values: &[Pair]) -> RunResult<String> {
    let ("pair", [row]) = (act, rows) else {
        return Err(refuse("Statements has one act: pair, for one receipt."));
    };
    let value = |name| value(values, name);
    let method = method(&run.settings, value("payment_type"), value("push_back"))?;
    let key = RecordKey::parse(row)
        .filter(|key| key.kind == Kind::Receipt)
        .ok_or_else(|| refuse("Take the receipt's id from the page Statements."))?;
    // Somebody may have paired it on Splynx's own screen meanwhile (D10).
    import_recovery::look_again(run, &[key.id])?;
    let stored = run.records([key])?.remove(&key).unwrap_or_default();
    let (record, saved) = match (
        stored.record.clone(),
        sheets(run, &[key.id])?.remove(&key.id),
    ) {
        (Some(record), Some(sheet)) if is_open(&record, &sheet) => (record, sheet),
        _ => {
            return Err(refuse(
                "No money of this receipt waits for a person: it was paired already, or the next run decides about it.",
            ));
        }
    };
    let invoices = invoices(run, value("invoices"), record.customer)?;
    let customer = invoices[0].customer_id;
    let mut sheet = saved.clone();
    let due: Vec<(i64, Decimal)> = invoices.iter().map(|i| (i.id, i.due)).collect();
    sheet.pair(&due, customer, method);
    let is_rest = sheet
        .lines
        .iter()
        .any(|line| line.waits() && line.by_hand.is_none());
    let waits = Vec::from_iter(is_rest.then(|| record.reason.clone()));
    let before = sheet.waiting();
    let work = StatementWork::new(
        key.id,
        stored,
        Record { customer, ..record },
        saved,
        sheet,
        waits,
    );
    carry_out(run, vec![work])?;
    let left = sheets(run, &[key.id])?
        .get(&key.id)
        .map_or(Decimal::ZERO, ReceiptSheet::waiting);
    let now = run
        .records([key])?
        .remove(&key)
        .and_then(|stored| stored.record);
    match now.filter(|record| record.state == State::Held && record.reason.code == "refused") {
        Some(record) => Err(refuse(&record.reason.message)),
        None => Ok(format!(
            "{} is paid; {} goes on waiting.",
            money::written(before - left),
            money::written(left)
        )),
    }
}

/// The open invoices of the receipt's customer, the oldest first: number, and what people know it by.
pub fn open_invoices(run: &mut Run, source: &str) -> RunResult<Vec<Pair>> {
    let key = source
        .strip_prefix(OPEN_INVOICES)
        .and_then(RecordKey::parse);
    let key = key.ok_or_else(|| refuse("Take the receipt's id from the page Statements."))?;
    let record = run
        .records([key])?
        .remove(&key)
        .and_then(|stored| stored.record);
    let customer = record.map_or(0, |record| record.customer);
    if customer == 0 {
        return Err(refuse(
            "Which customer of Splynx it is of is not known, so their invoices cannot be listed.",
        ));
    }
    let unpaid = writes::unpaid_invoices(run, customer)?;
    let open = unpaid.into_iter().filter(|invoice| {
        invoice.standing == InvoiceStatus::NotPaid && invoice.due > Decimal::ZERO
    });
    let by_age = open.map(|invoice| {
        let date = invoice.date.map_or_else(String::new, |day| day.to_string());
        let title = format!(
            "{} of {date}: {} of {} is due",
            invoice.number,
            money::written(invoice.due),
            money::written(invoice.total)
        );
        ((invoice.date, invoice.id), (invoice.number, title))
    });
    Ok(by_age.to_map().into_iter().map(|(_, pair)| pair).collect())
}

/// A person says that a receipt is a payment which Splynx has: it is that payment's from now on, and the next import cancels what waits of
/// it in a statement.
pub fn give_up(run: &mut Run, remote: &Remote) -> RunResult<()> {
    let owner = run.paired([remote.clone()])?.values().next().copied();
    let Some(key) = owner.filter(|key| key.kind == Kind::Receipt) else {
        return Ok(());
    };
    import_recovery::look_again(run, &[key.id])?;
    let stored = run.records([key])?.remove(&key).unwrap_or_default();
    let Some(record) = stored.record.clone() else {
        return Ok(());
    };
    let sheet = sheets(run, &[key.id])?.remove(&key.id).unwrap_or_default();
    let paid = sheet.lines.iter().find_map(|line| line.paid.as_ref());
    if let Some(paid) = paid {
        return Err(refuse(format!(
            "The receipt has become payment {} in Splynx already. Delete one of the two payments there.",
            paid.payment
        )));
    }
    if sheet.is_in_doubt() || matches!(record.state, State::Sending | State::Uncertain) {
        return Err(refuse(
            "The receipt may be on its way into Splynx; the next run finds out, decide then.",
        ));
    }
    let mut batch = Batch::default();
    let given_up = Record {
        state: State::Planned,
        remote: None,
        ..record
    };
    batch.put(key, &stored, given_up);
    run.commit(batch)
}

fn is_open(record: &Record, sheet: &ReceiptSheet) -> bool {
    matches!(record.state, State::Held | State::Owed)
        && !sheet.is_in_doubt()
        && sheet.statement.is_some()
        && sheet.waiting() > Decimal::ZERO
}

/// The payment type: that of imported payments unless another is named.
fn method(settings: &Settings, named: &str, push_back: &str) -> RunResult<i64> {
    let method = match named {
        "" => settings.imported_method,
        text => Some(
            text.parse()
                .map_err(|_| refuse("A payment type is a number."))?,
        ),
    };
    let Some(method) = method else {
        return Err(refuse(
            "Name a payment type, or choose \"Method of payments that came from Sage\" under Settings.",
        ));
    };
    let is_pushed = match settings.direction {
        Direction::FromSage => false,
        Direction::ToSage => settings.push_methods.contains(&method),
        Direction::Both => true,
    };
    if is_pushed && settings.imported_method != Some(method) && push_back != "on" {
        return Err(refuse(
            "Payments of that type are sent to Sage, where this money is already: only its pair would keep it back. Take the type of payments that came from Sage, or add push_back=on.",
        ));
    }
    Ok(method)
}

/// The invoices of these numbers, oldest first: all there, open, and of one customer.
fn invoices(run: &mut Run, numbers: &str, customer: i64) -> RunResult<Vec<Receivable>> {
    let numbers: Vec<String> = numbers
        .split([',', ';', ' '])
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    let mut found = writes::invoices_of_numbers(run, &numbers)?;
    found.retain(|invoice| invoice.standing != InvoiceStatus::Deleted);
    for number in &numbers {
        // Numbers need not be unique over partners (Splynx API 8.4): the receipt's customer tells them apart, where known.
        let of_number = || found.iter().filter(|invoice| invoice.number == *number);
        let matching = of_number().filter(|i| customer == 0 || i.customer_id == customer);
        let message = match (matching.count(), of_number().count()) {
            (1, _) => continue,
            (0, 0) => format!("Splynx has no invoice {number}, or it is deleted."),
            (0, _) => format!("Invoice {number} belongs to another customer."),
            _ => format!("Splynx has several invoices {number}."),
        };
        return Err(refuse(&message));
    }
    found.retain(|invoice| customer == 0 || invoice.customer_id == customer);
    let oldest_first = found
        .into_iter()
        .map(|invoice| ((invoice.date, invoice.id), invoice));
    let mut found: Vec<Receivable> = oldest_first.to_map().into_iter().map(|(_, i)| i).collect();
    let Some(first) = found.first() else {
        return Err(refuse("Name the numbers of one or several invoices."));
    };
    if found
        .iter()
        .any(|other| other.customer_id != first.customer_id)
    {
        return Err(refuse("The invoices belong to different customers."));
    }
    found.retain(|invoice| invoice.due > Decimal::ZERO);
    if found.is_empty() {
        return Err(refuse("Nothing is due on these invoices."));
    }
    Ok(found)
}
