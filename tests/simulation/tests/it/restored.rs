//! Our state is older than the world, or gone: a backup is put back, or the database is lost. Both services have gone on meanwhile,
//! and everything that we made there since is met again instead of being made twice (architecture, an older or emptier state).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate, TimeDelta};
use mock_host::MemoryStorage;
use sandbox::http::Service;
use sandbox::isp::{Isp, Size};
use sandbox::splynx::Splynx;
use serde_json::{Value, json};
use simulation::books::rows;
use simulation::installation::Installation;
use splynx_sageone::write::record::{OPEN, RECORDS};

use crate::desk::id_of;
use crate::judge::writes;

/// Days that the provider lives, and those whose evening's backup is put back at the end.
const DAYS: u64 = 80;
const BACKUPS: [u64; 4] = [79, 70, 45, 12];

fn opened(isp: &Isp) -> Installation {
    let mut installation = Installation::new(isp, false);
    let eve = isp.first_day().pred_opt().expect("a day before");
    let world = installation.world();
    world.now = eve.and_hms_opt(16, 30, 0).expect("a time of day").and_utc();
    world.splynx = Splynx::opened(isp);
    world.splynx.live(isp, NaiveDate::MIN..=eve);
    for (key, value) in [
        ("payments_direction", "both"),
        ("make_names_unique", "on"),
        // Nothing but its key says that a receipt was imported before.
        ("create_payment_without_invoice", "on"),
        ("create_payment_for_paid_invoice", "on"),
    ] {
        installation.set(key, value);
    }
    installation
}

/// One day: what the provider's system writes, a receipt or two of the bookkeeper's, and the evening's sync.
fn live_a_day(installation: &mut Installation, isp: &Isp, number: u64) {
    let day = isp.first_day() + Days::new(number);
    let world = installation.world();
    let evening = day.and_hms_opt(16, 30, 0).expect("a time of day").and_utc();
    world.now = evening.max(world.now);
    world.splynx.live(isp, day..=day);
    let state = world.sage.state();
    let unpaid = rows(&state, "invoices")
        .iter()
        .rfind(|row| row["AmountDue"] == row["Total"]);
    if let Some(invoice) = unpaid.filter(|_| number.is_multiple_of(3)) {
        let total = invoice["Total"].to_string();
        let mut fields = json!({"CustomerId": invoice["CustomerId"], "Date": day.to_string(), "Total": total,
            "BankAccountId": isp.sage.bank_accounts[0].id, "PaymentMethod": 4, "Reference": format!("slip {number}")});
        // Every second one on account.
        if number.is_multiple_of(2) {
            fields["Allocations"] =
                json!([{"AllocatedToDocumentId": invoice["ID"], "Total": total}]);
        }
        installation.in_sage(&json!({"entity": "receipts", "act": "create", "fields": fields}));
    }
    installation.run_through("sync");
}

/// Everything that either service holds, by list and id.
fn everything(installation: &mut Installation) -> BTreeMap<&'static str, BTreeSet<i64>> {
    let (sage, splynx) = (
        installation.world().sage.state(),
        installation.world().splynx.state(),
    );
    let ids = |state: &Value, list: &str, id: &str| {
        rows(state, list).iter().map(|row| id_of(row, id)).collect()
    };
    let lists = [
        "customers",
        "invoices",
        "returns",
        "receipts",
        "allocations",
    ];
    let mut held: BTreeMap<_, _> = lists.map(|list| (list, ids(&sage, list, "ID"))).into();
    held.insert("payments in Splynx", ids(&splynx, "payments", "id"));
    let lines = ids(&splynx, "bank_statements_records", "id");
    held.insert("statement lines in Splynx", lines);
    held
}

/// State and reason of each record, as the add-on lists it.
fn listed(installation: &mut Installation) -> BTreeMap<String, (String, String)> {
    let tables = installation.host().storage.tables();
    let records = tables.into_iter().find(|(name, _)| *name == RECORDS);
    let (_, records) = records.expect("there are records");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    records
        .iter()
        .map(|(key, record)| {
            let record: Value = serde_json::from_str(record).expect("a record is JSON");
            (
                key.clone(),
                (text(&record["state"]), text(&record["reason"]["code"])),
            )
        })
        .collect()
}

/// F59, F60, F62, F64: after a backup was put back nothing is made twice in Sage, and no receipt is paid twice in Splynx; all that
/// was in step is so again within a few runs; and then nothing is written any more.
#[test]
fn after_a_restore_nothing_is_made_twice_and_everything_settles() {
    for seed in [1, 2] {
        println!("small provider, seed {seed}");
        let isp = Isp::seeded(Size::Small, seed);
        let mut installation = opened(&isp);
        let mut backups: BTreeMap<u64, MemoryStorage> = BTreeMap::new();
        for number in 0..DAYS {
            live_a_day(&mut installation, &isp, number);
            if BACKUPS.contains(&number) {
                backups.insert(number, installation.host().storage.clone());
            }
        }
        let (held, before) = (everything(&mut installation), listed(&mut installation));
        let in_step = before
            .values()
            .filter(|(state, _)| state == "synced")
            .count();
        assert!(in_step > 100 && held["payments in Splynx"].len() > 10);

        // The latest backup first; last of all there is none.
        let restored = BACKUPS
            .iter()
            .map(|day| (format!("backup of day {day}"), backups[day].clone()));
        for (what, storage) in
            restored.chain([("lost database".to_owned(), MemoryStorage::default())])
        {
            println!("{what}");
            installation.host().storage = storage;
            let restored_at = installation.world().now.timestamp().to_string();
            installation
                .host()
                .context
                .insert("restored-at".to_owned(), restored_at);
            for _ in 0..4 {
                installation.run_through("sync");
                installation.advance(TimeDelta::minutes(15));
                assert_eq!(everything(&mut installation), held, "{what}");
            }
            let after = listed(&mut installation);
            for (record, then) in before.iter().filter(|(_, (state, _))| state == "synced") {
                assert_eq!(
                    after.get(record),
                    Some(then),
                    "{what}: {record} was in step"
                );
            }
            let storage = &installation.host().storage;
            let open = storage.tables().find(|(name, _)| *name == OPEN);
            let open = open.map_or(0, |(_, rows)| rows.len());
            assert_eq!(open, 0, "{what}: everything is settled");
            let count = writes(&mut installation);
            installation.run_through("sync");
            assert_eq!(
                writes(&mut installation),
                count,
                "{what}: nothing is left to write"
            );
        }
    }
}
