//! What people do to the add-on's and Splynx's state behind everybody's back: a record is settled by hand and changes afterwards, and Splynx
//! is put back from a backup.

use chrono::TimeDelta;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sandbox::http::Service;
use serde_json::{Value, json};
use splynx_sageone::write::record::{ATTENTION, RECORDS};

use super::draw::Act;
use super::oracles::is_so;
use super::{Life, Verdict, keys};
use crate::people::id_of;

/// Splynx is as it was when it was backed up: what was made since is lost, ids are given again, and stamps go back. Its clock goes on.
pub fn put_splynx_back(life: &mut Life) {
    let Some(backup) = life.splynx.clone() else {
        return;
    };
    let world = life.installation.world();
    let behaviour = world.splynx.behaviour().clone();
    world.splynx = backup;
    world.splynx.set_behaviour(behaviour);
    let done = &mut world.storm.people.done;
    *done.entry(Act::PUT_BACK).or_default() += 1;
    life.installation.advance(TimeDelta::minutes(1));
    life.watch.settled.clear();
}

/// A person says that a held record is settled by hand; then Splynx's staff change its amount, before any run has looked.
pub fn settle_by_hand(life: &mut Life, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    life.installation.world().storm.begin(&[]);
    let mut waiting = keys(&mut life.installation, ATTENTION);
    waiting.retain(|key| key.starts_with("invoice/") || key.starts_with("payment/"));
    let Some(key) = waiting.choose(&mut rng).cloned() else {
        return;
    };
    let amount = format!(
        "{}.{:02}",
        rng.random_range(1..2_000),
        rng.random_range(0..100)
    );
    let Some(change) = changed(life, &key, &amount) else {
        return;
    };
    if life.installation.decide("done", &[&key], "").is_err() {
        return;
    }
    life.coverage.note("decisions", "done", 1);
    life.watch.decided("done", &key);
    let world = life.installation.world();
    let now = world.now;
    if world.splynx.edit(&change, now).is_ok() {
        life.watch.settled.insert(key.clone());
        *world.storm.people.done.entry(Act::BY_HAND).or_default() += 1;
    }
    life.tell(|| format!("  done {key}, and then {change}"));
}

/// How Splynx's staff would change the amount of a record; none: it has it no longer, or it is Sage's money.
fn changed(life: &mut Life, key: &str, amount: &str) -> Option<Value> {
    let (kind, id) = key.split_once('/')?;
    let id: i64 = id.parse().ok()?;
    let splynx = &life.installation.world().splynx;
    let row = |entity: &str| {
        splynx
            .rows(entity)
            .into_iter()
            .find(|row| id_of(row, "id") == id)
    };
    let (entity, fields) = if kind == "invoice" {
        let item = row("invoices")?["items"][0]["id"].clone();
        (
            "invoices",
            json!({"items": [{"id": item, "price": amount}]}),
        )
    } else {
        let number = row("payments")?["receipt_number"].clone();
        let lines = splynx.rows("bank_statements_records");
        let is_sages = lines.iter().any(|line| id_of(line, "payment_id") == id)
            || number
                .as_str()
                .is_some_and(|number| number.starts_with("SAGE-"));
        if is_sages {
            return None;
        }
        ("payments", json!({"amount": amount}))
    };
    Some(json!({"entity": entity, "act": "update", "id": id, "fields": fields}))
}

/// What changed after a person had settled it does not count as settled.
pub fn what_changed_after_it_was_settled_is_listed(life: &mut Life) -> Verdict {
    for key in life.watch.settled.clone() {
        let record = life.installation.host().storage.value(RECORDS, &key);
        let is_quiet = record.is_some_and(|record| record.contains(r#""state":"done-by-hand""#));
        is_so(
            "what changed after it was settled is listed",
            !is_quiet,
            || format!("{key}: {record:?}"),
        )?;
    }
    Ok(())
}
