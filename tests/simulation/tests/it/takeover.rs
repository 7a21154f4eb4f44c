//! A company that the previous version has fed is taken over without a write, with its stored state and without; and what this version stores
//! is read by the previous one.
//!
//! `takeover/previous.json` was recorded from the component before marks had a check: what its runs sent and what people did, to be done
//! again by the stand-ins, and the state that it had stored by then.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use mock_host::contract::{Change, Request};
use mock_host::{MemoryStorage, World as _};
use sandbox::http::Service;
use sandbox::isp::{Isp, Size};
use serde_json::Value;
use simulation::books::rows;
use simulation::installation::Installation;

use crate::judge::{open, writes};

const SEED: u64 = 7;

fn data() -> Value {
    serde_json::from_str(include_str!("takeover/previous.json")).expect("JSON")
}

fn time(value: &Value) -> DateTime<Utc> {
    let text = value.as_str().expect("a time");
    text.parse().expect("a time")
}

fn pairs(value: &Value) -> Vec<(String, String)> {
    serde_json::from_value(value.clone()).expect("pairs of texts")
}

/// The two services as the previous version left them; nothing stored.
fn company() -> Installation {
    let data = data();
    let isp = Isp::seeded(Size::Tiny, SEED);
    let mut installation = Installation::new(&isp, false);
    for (key, value) in pairs(&data["settings"]) {
        installation.set(&key, &value);
    }
    for step in data["steps"].as_array().expect("steps") {
        installation.world().now = time(&step["at"]);
        if let Some(sent) = step.get("send") {
            let text = |field: &str| sent[field].as_str().expect("a text").to_owned();
            let request = Request {
                connection: text("connection"),
                effect: "write".to_owned(),
                method: text("method"),
                path: text("path"),
                query: pairs(&sent["query"]),
                headers: pairs(&sent["headers"]),
                body: text("body"),
                options: Vec::new(),
            };
            // What was refused then is refused again.
            let answer = installation.world().send(vec![request]).pop();
            answer.expect("an answer").expect("it is answered");
        } else if let Some(change) = step.get("sage") {
            installation.in_sage(change);
        } else {
            installation.in_splynx(&step["splynx"]);
        }
    }
    installation.world().now = time(&data["now"]);
    installation
}

/// What the previous version had stored.
fn stored() -> MemoryStorage {
    let mut storage = MemoryStorage::default();
    let data = data();
    for (table, rows) in data["storage"].as_object().expect("tables") {
        let changes: Vec<Change> = rows
            .as_object()
            .expect("rows")
            .iter()
            .map(|(key, value)| Change {
                table: table.clone(),
                key: key.clone(),
                value: value.as_str().map(str::to_owned),
            })
            .collect();
        storage.commit(&[], &changes, &[]).expect("it fits");
    }
    storage
}

/// What the previous version had listed is found under today's keys at once, a stranger's text as well: it is never listed anew.
#[test]
fn what_the_previous_version_had_listed_is_found_by_todays_keys() {
    const FOUND: &str = "found";
    let mut installation = company();
    let before = stored();
    installation.host().storage = before.clone();
    installation.run_through("sync");
    let storage = &installation.host().storage;
    let mut tables = before.tables();
    let (_, listed) = tables.find(|(name, _)| *name == FOUND).expect("an index");
    let mut moved = 0;
    for (key, text) in listed {
        let Some((service, mark)) = key.split_once("/key/") else {
            continue;
        };
        let object: Value = serde_json::from_str(text).expect("JSON");
        let now = format!("{service}/mark/{mark}|{}", object["id"]);
        assert!(storage.value(FOUND, &now).is_some(), "{key} as {now}");
        moved += 1;
    }
    assert!(moved > 10, "{moved}");
}

/// What people see of everything that either service holds.
fn books(installation: &mut Installation) -> BTreeSet<String> {
    const IN_SAGE: [&str; 5] = [
        "customers",
        "invoices",
        "returns",
        "receipts",
        "allocations",
    ];
    const IN_SPLYNX: [&str; 3] = ["payments", "bank_statements", "bank_statements_records"];
    const SEEN: [&str; 12] = [
        "ID",
        "id",
        "Name",
        "Email",
        "CustomerId",
        "Date",
        "DocumentNumber",
        "Reference",
        "Total",
        "amount",
        "receipt_number",
        "status",
    ];
    let (sage, splynx) = (
        installation.world().sage.state(),
        installation.world().splynx.state(),
    );
    let lists = IN_SAGE.map(|list| (list, &sage)).into_iter();
    let lists = lists.chain(IN_SPLYNX.map(|list| (list, &splynx)));
    let seen = lists.flat_map(|(list, state)| {
        rows(state, list).iter().map(move |row| {
            let seen: Vec<String> = SEEN.iter().map(|field| row[field].to_string()).collect();
            format!("{list} {}", seen.join(" "))
        })
    });
    seen.collect()
}

/// What a bookkeeper's invoice kept from Sage, because the previous version took that one for it.
const KEPT_OUT: i64 = 501;

/// Nothing was changed, and only what was kept out was made.
fn assert_untouched(installation: &mut Installation, before: &BTreeSet<String>) {
    let after = books(installation);
    let gone: Vec<&String> = before.difference(&after).collect();
    assert!(gone.is_empty(), "{gone:?}");
    let is_kept_out = |row: &&&String| row.contains(&format!("-I{KEPT_OUT}"));
    let made: Vec<&String> = after
        .difference(before)
        .filter(|row| !row.starts_with("allocations"))
        .collect();
    assert_eq!(made.iter().filter(is_kept_out).count(), 1, "{made:?}");
    assert_eq!(made.len(), 1, "{made:?}");
}

/// State and pair of each record of ours.
fn standings(installation: &mut Installation) -> BTreeMap<String, (String, String)> {
    let tables = installation.host().storage.tables();
    let records = tables.filter(|(name, _)| *name == "record");
    records
        .flat_map(|(_, rows)| rows)
        .map(|(key, record)| {
            let record: Value = serde_json::from_str(record).expect("JSON");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (
                key.clone(),
                (text(&record["state"]), record["remote"].to_string()),
            )
        })
        .collect()
}

fn syncs(installation: &mut Installation) {
    for _ in 0..3 {
        for job in ["sync", "sweep", "import-all-payments"] {
            installation.run_through(job);
        }
        installation.advance(TimeDelta::hours(25));
    }
}

/// With the state that is there nothing is written, whatever job runs; and what was synced stays so. But an invoice that never went, because a
/// bookkeeper's ended like its key and was taken for it, goes out.
#[test]
fn a_company_of_the_previous_version_is_taken_over_without_a_write() {
    let mut installation = company();
    installation.host().storage = stored();
    let (before, standing) = (books(&mut installation), standings(&mut installation));
    let synced = standing
        .values()
        .filter(|(state, _)| state == "synced")
        .count();
    assert!(synced > 10, "{standing:?}");
    syncs(&mut installation);
    assert_untouched(&mut installation, &before);
    let now = standings(&mut installation);
    for (record, then) in standing.iter().filter(|(_, (state, _))| state == "synced") {
        assert_eq!(now.get(record), Some(then), "{record}");
    }
    assert_eq!(open(&mut installation), [] as [String; 0]);
    let wrote = writes(&mut installation);
    syncs(&mut installation);
    assert_eq!(writes(&mut installation), wrote, "it is settled");
}

/// With a lost database everything is met again by what agrees, without a write to either service.
#[test]
fn a_company_of_the_previous_version_whose_database_is_lost_is_adopted_without_a_write() {
    let mut installation = company();
    installation.host().storage = stored();
    let then = standings(&mut installation);
    installation.host().storage = MemoryStorage::default();
    let before = books(&mut installation);
    syncs(&mut installation);
    assert_untouched(&mut installation, &before);
    let now = standings(&mut installation);
    for (record, standing) in then.iter().filter(|(_, (state, _))| state == "synced") {
        assert_eq!(now.get(record), Some(standing), "{record}");
    }
}

/// What the previous version reads of a record is what it had written: fields are added, none is changed.
#[test]
fn the_previous_version_reads_what_this_one_stores() {
    const FIELDS: [&str; 20] = [
        "state",
        "label",
        "customer",
        "reason",
        "remote",
        "hash",
        "refused",
        "failures",
        "amount",
        "open",
        "allocated_in_sage",
        "intent",
        "update_in_flight_until",
        "seen",
        "sent",
        "born",
        "again",
        "vouched_for",
        "looked_like",
        "invoice",
    ];
    let mut installation = company();
    installation.host().storage = stored();
    syncs(&mut installation);
    for (table, rows) in installation.host().storage.tables() {
        for (key, text) in rows.iter().filter(|_| table == "record") {
            let record: Value = serde_json::from_str(text).expect("JSON");
            let record = record.as_object().expect("an object");
            for must in ["state", "label", "customer", "reason"] {
                assert!(record.contains_key(must), "{key}");
            }
            for field in record.keys() {
                assert!(FIELDS.contains(&field.as_str()), "{key}: {field}");
            }
        }
    }
    // Money from Sage is noted under the key that the previous version looks for.
    let noted = installation.host().storage.tables();
    let noted: Vec<String> = noted
        .filter(|(name, _)| *name == "from-sage")
        .flat_map(|(_, rows)| rows.values().cloned())
        .collect();
    assert!(!noted.is_empty());
    for key in noted {
        let parts: Vec<&str> = key.split('-').collect();
        assert!(matches!(parts[..], ["SAGE", _, _]), "{key}");
    }
}
