//! The outbox: everything that is not simply done, and what a person can decide about it.

use crate::addon::{Query, Rows};
use crate::capability::{Entry, Pair, Row};
use crate::mark::Sign;
use crate::pages::statements;
use crate::pages::{Cell, More, refuse, value};
use crate::sage::{self, MatchKey, Object, Service};
use crate::sync::births;
use crate::sync::retyped;
use crate::write::ledger::{Run, RunResult, activity};
use crate::write::record::{
    ATTENTION, Batch, GONE_IN_SAGE, Kind, OPEN, Reason, Record, RecordKey, Remote, State,
};
use crate::write::verdict::POSSIBLE_DUPLICATE;

/// Everything that is not simply done: what waits for the next run, for a look-up, or for a person.
pub fn view(run: &mut Run, query: &Query) -> RunResult<Rows> {
    let places = [
        ("kind", Cell(0)),
        ("state", Cell(2)),
        ("code", More("code")),
    ];
    let shows = super::filter(query, &places)?;
    let prefix = super::of_kind(query);
    // One page runs over two tables; its place names the table and the key.
    let (begun, after) = match query.after.split_once(':') {
        Some((OPEN, after)) => (OPEN, after),
        Some((_, after)) => (ATTENTION, after),
        None => (ATTENTION, ""),
    };
    let mut query = Query {
        after: after.to_owned(),
        ..query.clone()
    };
    let mut all = Rows::default();
    if begun == ATTENTION {
        let page = super::page(run, &query, (ATTENTION, &prefix), &shows, rows)?;
        let table = if page.next.is_empty() {
            OPEN
        } else {
            ATTENTION
        };
        all = Rows {
            next: format!("{table}:{}", page.next),
            ..page
        };
        if table == ATTENTION || all.rows.len() >= query.limit as usize {
            return Ok(all);
        }
        query.after.clear();
        query.limit -= all.rows.len() as u32;
    }
    let page = super::page(run, &query, (OPEN, &prefix), &shows, rows)?;
    all.rows.extend(page.rows);
    all.next = match page.next.as_str() {
        "" => String::new(),
        after => format!("{OPEN}:{after}"),
    };
    Ok(all)
}

fn rows(run: &mut Run, entries: &[Entry]) -> RunResult<Vec<Row>> {
    let keys = entries
        .iter()
        .filter_map(|entry| RecordKey::parse(&entry.key));
    let records = run.records(keys)?;
    let customers = records
        .values()
        .filter_map(|stored| Some(stored.record.as_ref()?.customer));
    let names = super::names(run, customers)?;
    Ok(records
        .into_iter()
        .filter_map(|(key, stored)| {
            let record = stored.record?;
            let (setting, follows) = (record.reason.setting(), record.reason.follows());
            let mut more = vec![
                ("local-id".to_owned(), key.id.to_string()),
                ("customer-id".to_owned(), record.customer.to_string()),
            ];
            more.extend(setting.map(|key| ("field".to_owned(), key.to_owned())));
            more.extend(follows.then(|| ("follows".to_owned(), "yes".to_owned())));
            more.push(("code".to_owned(), record.reason.code));
            Some(Row {
                id: key.to_string(),
                cells: vec![
                    key.kind.name().to_owned(),
                    record.label,
                    record.state.name().to_owned(),
                    record.reason.message,
                    record.reason.cure,
                    super::named(&names, record.customer),
                    super::money_cell(record.amount),
                ],
                more,
            })
        })
        .collect())
}

/// Decides about records: `retry`, `exclude`, `done`, `another`, or `link` (one record; value `remote-id`). Answers what to tell the person.
pub fn act(run: &mut Run, act: &str, rows: &[String], values: &[Pair]) -> RunResult<String> {
    let keys: Vec<RecordKey> = rows
        .iter()
        .map(|row| {
            RecordKey::parse(row).ok_or_else(|| {
                refuse(format!(
                    "{row:?} is no record; take the id from the outbox."
                ))
            })
        })
        .collect::<RunResult<_>>()?;
    let mut batch = Batch::default();
    for (key, stored) in run.records(keys.iter().copied())? {
        let Some(record) = stored.record.clone() else {
            return Err(refuse(format!("There is no record {key}.")));
        };
        if matches!(record.state, State::Sending | State::Uncertain) {
            return Err(refuse(format!(
                "{} {} may be on its way to Sage; the next run finds out, decide then.",
                key.kind.name(),
                record.label
            )));
        }
        match (act, births::is_in_doubt(&record)) {
            ("another", true) => {
                births::part(run, &mut batch, key, &stored, &record)?;
                continue;
            }
            ("another", false) => {
                return Err(refuse(format!(
                    "{} {} is no other record than it was: only one that is held for that can be parted from what Sage has.",
                    key.kind.name(),
                    record.label
                )));
            }
            ("retry", _) | (_, false) => {}
            _ => {
                return Err(refuse(format!(
                    "Whether {} {} is the same record is to be decided first: choose Retry if it is, else \"Another record\".",
                    key.kind.name(),
                    record.label
                )));
            }
        }
        let new = match act {
            "retry" if births::is_in_doubt(&record) => births::same(Record {
                state: State::Planned,
                reason: Reason::default(),
                ..record
            }),
            "retry" => retried(run, key, record)?,
            "exclude" if record.state == State::Synced => {
                return Err(refuse(format!(
                    "{} {} is on both sides and in step: there is nothing left to send.",
                    key.kind.name(),
                    record.label
                )));
            }
            "exclude" => Record {
                state: State::DoNotSend,
                reason: Reason::default(),
                ..record
            },
            "done" => Record {
                state: State::DoneByHand,
                reason: Reason::default(),
                // As it is in Sage by now, nobody has looked; what changes there from then on is told.
                seen: None,
                ..record
            },
            "link" => linked(run, key, record, &keys, values)?,
            unknown => return Err(refuse(format!("The outbox has no act {unknown:?}."))),
        };
        batch.activities.push(activity(key, &new, new.state.name()));
        run.put(&mut batch, key, &stored, new)?;
    }
    run.commit(batch)?;
    Ok(match act {
        "retry" => "The next run looks at it again.",
        "exclude" => "It will never be sent.",
        "done" => "It counts as done by hand.",
        "another" => "It goes its own way from the next run on. What Sage has of the one before is listed apart.",
        _ => "It is linked.",
    }
    .to_owned())
}

/// Takes back what people decided for good: never to send records, or that they were done by hand. The next run looks at them again.
pub fn take_back(run: &mut Run, rows: &[String]) -> RunResult<String> {
    let keys: Vec<RecordKey> = rows
        .iter()
        .filter_map(|row| RecordKey::parse(row))
        .collect();
    for (key, stored) in run.records(keys)? {
        let state = stored.record.as_ref().map(|record| record.state);
        if !matches!(state, Some(State::DoNotSend | State::DoneByHand)) {
            return Err(refuse(format!(
                "Nobody set {} {} aside: there is nothing to take back.",
                key.kind.name(),
                stored.record.map(|record| record.label).unwrap_or_default()
            )));
        }
    }
    act(run, "retry", rows, &[])
}

fn retried(run: &mut Run, key: RecordKey, record: Record) -> RunResult<Record> {
    if record.reason.code == GONE_IN_SAGE {
        return made_again(run, record);
    }
    // Customers and documents are saved again as an update of what Sage has, and a receipt was made there: what is tried again is
    // its way into Splynx. Other money is sent once.
    let is_sent_once = matches!(key.kind, Kind::Payment | Kind::Allocation);
    if record.remote.is_some() && is_sent_once {
        return Err(refuse(format!(
            "{} {} is in Sage already and is never sent a second time. Correct it in Sage, then mark it as done.",
            key.kind.name(),
            record.label
        )));
    }
    // The reason stays: a retry answers what a record was held for.
    Ok(Record {
        vouched_for: record.vouched_for || record.reason.code == POSSIBLE_DUPLICATE,
        state: State::Planned,
        failures: 0,
        ..record
    })
}

/// What was deleted in Sage is made again like something new: looked for first, and under an intent. It must really be gone.
fn made_again(run: &mut Run, record: Record) -> RunResult<Record> {
    if let Some(remote) = &record.remote
        && sage::get_one(run, remote.service, remote.id)?.is_some()
    {
        return Err(refuse(format!(
            "Sage has it again, as {} {}. Link the two.",
            remote.service.title(),
            remote.id
        )));
    }
    Ok(Record {
        state: State::Planned,
        remote: None,
        seen: None,
        sent: Vec::new(),
        hash: String::new(),
        refused: String::new(),
        failures: 0,
        ..record
    })
}

/// Whom an object of Sage was made for, if not for this record, by its reference. A copy bears the mark of what it was copied from: where that
/// one's record has another pair, it is free.
fn made_for_another(
    run: &mut Run,
    marked: RecordKey,
    remote: &Remote,
    object: &Object,
) -> RunResult<Option<String>> {
    let signs = run.settings.identity.signs(&object.reference());
    if signs.contains(&Sign::Ours(marked)) {
        return Ok(None);
    }
    for sign in signs {
        match sign {
            Sign::Anothers => return Ok(Some("another installation".to_owned())),
            Sign::Ours(other) => {
                let other = births::bearers(run, [other])?[&other];
                let stored = run.records([other])?.remove(&other).unwrap_or_default();
                let pair = stored.record.and_then(|record| record.remote);
                // What Splynx no longer has may have been entered again.
                if pair.is_none_or(|pair| pair == *remote) && !retyped::is_gone(run, other)? {
                    return Ok(Some(format!("{} {}", other.kind.name(), other.id)));
                }
            }
            Sign::Old(_) => {}
        }
    }
    Ok(None)
}

/// Pairs a record with an object that a person names; it must exist, and belong to nobody else (the commit sees to that).
fn linked(
    run: &mut Run,
    key: RecordKey,
    record: Record,
    keys: &[RecordKey],
    values: &[Pair],
) -> RunResult<Record> {
    let id = value(values, "remote-id").parse::<i64>().ok();
    let (Some(id), [_]) = (id, keys) else {
        return Err(refuse(
            "Link one record to one Sage id, which is a number.".to_owned(),
        ));
    };
    let negative = record
        .amount
        .is_some_and(|amount| amount.is_sign_negative());
    let service = match key.kind {
        Kind::Customer => Service::Customer,
        Kind::Invoice if !negative => Service::TaxInvoice,
        Kind::Invoice | Kind::CreditNote => Service::CustomerReturn,
        Kind::Payment => Service::CustomerReceipt,
        Kind::Allocation => Service::Allocation,
        Kind::Receipt => {
            return Err(refuse(
                "A receipt is paired with invoices on the page Statements.".to_owned(),
            ));
        }
    };
    let title = service.title();
    let remote = Remote { service, id };
    let Some(object) = sage::get_one(run, service, id)? else {
        return Err(refuse(format!("Sage has no {title} {id}.")));
    };
    if let Some(owner) = made_for_another(run, key.marked(Some(&record)), &remote, &object)? {
        return Err(refuse(format!(
            "The {title} {id} was made for {owner}, as its reference says. A run joins those two."
        )));
    }
    // The pairs of customers are parted on the page Pairing.
    if let Some(old) = record
        .remote
        .as_ref()
        .filter(|old| old.id != id && key.kind != Kind::Customer)
        && sage::get_one(run, old.service, old.id)?.is_some()
    {
        return Err(refuse(format!(
            "It is in Sage already, as {} {}. Delete that one there first.",
            old.service.title(),
            old.id
        )));
    }
    // Only now: a link that is refused takes nothing from anybody.
    retyped::give_up(run, key, &remote)?;
    if key.kind == Kind::Payment {
        statements::give_up(run, &remote)?;
    }
    Ok(Record {
        state: State::Synced,
        remote: Some(remote),
        seen: MatchKey::of(service, &object),
        sent: Vec::new(),
        // Not known: the next look at the record takes it as it is then.
        hash: String::new(),
        reason: Reason::default(),
        ..record
    })
}
