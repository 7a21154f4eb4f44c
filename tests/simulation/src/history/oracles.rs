//! What must be true of every history: judged by what the two services hold and were asked, never by what the add-on believes.
//!
//! Each oracle is a function of its own name. The add-on's store is looked at only where the promise is about the store: cursors, and the
//! list of reasons.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use mock_host::component::Crash;
use mock_host::contract::{Failure, Outcome};
use sandbox::faults::Party;
use serde_json::Value;
use splynx_sageone::write::record::RECORDS;

use super::draw::Act;
use super::{Life, Verdict, Wrong, writes};
use crate::differences::SORTS;
use crate::people::{Edit, id_of, key_of};
use crate::storm::Asked;

/// What is remembered from run to run.
#[derive(Default)]
pub struct Watch {
    /// Creates that were sent, by our key.
    sent: BTreeMap<String, u32>,
    /// What each cursor was.
    texts: BTreeMap<&'static str, String>,
    /// Where each cursor stood: from-date, since, after.
    cursors: BTreeMap<&'static str, (String, String, i64)>,
    /// What people have decided by hand.
    decisions: u32,
    /// Settings that were changed.
    settings: u32,
    /// Runs that ended before their end.
    broken: u32,
    /// Keys about which people have said something that only they can know.
    pub linked: BTreeSet<String>,
    /// Keys of documents that people had made once more, because they took the one that bears the key for another's.
    pub sent_anew: BTreeSet<String>,
    /// Splynx payments about which people have decided.
    pub payments: BTreeSet<i64>,
    /// People have said who a customer is in Sage.
    customers_linked: bool,
    /// What people have settled by hand, and changed in Splynx since.
    pub settled: BTreeSet<String>,
    /// Cursors that a changed setting may have put back.
    pub put_back: BTreeSet<&'static str>,
}

/// The kinds that have a cursor over Splynx's lists: kind, list, its stamp of changes, its date.
const CURSORS: [[&str; 4]; 4] = [
    ["customer", "customers", "last_update", ""],
    ["invoice", "invoices", "date_updated", "date_created"],
    [
        "credit-note",
        "credit_notes",
        "date_updated",
        "date_created",
    ],
    ["payment", "payments", "updated_at", "date"],
];

impl Watch {
    /// The store is another one.
    pub fn forget(&mut self) {
        self.cursors.clear();
        self.texts.clear();
    }

    pub fn settings_changed(&mut self) {
        self.settings += 1;
        self.put_back.extend(CURSORS.map(|[kind, ..]| kind));
    }

    pub fn decided(&mut self, what: &str, record: &str) {
        self.decisions += 1;
        self.settled.remove(record);
        self.customers_linked |= what == "link" && record.starts_with("customer/");
        if let Some(id) = record.strip_prefix("payment/") {
            self.payments.extend(id.parse::<i64>());
        }
        if matches!(what, "link" | "retry") {
            self.linked.extend(mark_of(record));
        }
    }
}

/// `invoice/000000000501` → `I501`.
pub fn mark_of(record: &str) -> Option<String> {
    let (kind, id) = record.split_once('/')?;
    let sort = SORTS.iter().find(|sort| sort.kind == kind)?;
    Some(format!("{}{}", sort.letter, id.parse::<i64>().ok()?))
}

pub fn is_so(oracle: &'static str, so: bool, what: impl FnOnce() -> String) -> Verdict {
    if so {
        Ok(())
    } else {
        Err(Wrong::new(oracle, what()))
    }
}

/// What holds after every run, however it ended.
pub fn after_run(
    life: &mut Life,
    job: &str,
    ended: &Result<Result<Outcome, Failure>, Crash>,
) -> Verdict {
    if let Err(crash) = ended
        && !matches!(crash, Crash::Death(_))
    {
        return Err(Wrong::new("no crash", format!("{job}: {crash}")));
    }
    if let Ok(Err(failure)) = ended {
        failures_are_the_worlds(job, failure)?;
    }
    life.watch.broken +=
        u32::from(!matches!(ended, Ok(Ok(outcome)) if outcome.state == "finished"));
    let asked = life
        .installation
        .world()
        .storm
        .asked
        .take()
        .unwrap_or_default();
    let judged = no_write_after_an_unanswered_look_up(&asked)
        .and_then(|()| effort_is_bounded(life, job, &asked));
    let wrote = asked.iter().any(|request| request.is_write);
    life.installation.world().storm.asked = Some(asked);
    judged?;
    if wrote {
        nothing_stands_twice(life)?;
    }
    cursors_keep_behind_what_is_handled(life)
}

/// One writer and honest services: these can only be the add-on's own mistakes.
fn failures_are_the_worlds(job: &str, failure: &Failure) -> Verdict {
    let ours = [
        "conflict",
        "invalid-request",
        "limit",
        "damaged",
        "preview",
        "no-http",
        "unknown-job",
        "invalid-settings",
    ];
    is_so(
        "failures are the world's",
        !ours.contains(&failure.code.as_str()),
        || format!("{job}: {failure:?}"),
    )
}

/// What a write was about: the service, and the object that it changes, or none where it makes one.
fn target(asked: &Asked) -> (String, Option<i64>) {
    let service = asked.path.split('/').next().unwrap_or_default().to_owned();
    let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
    let id = body["ID"].as_i64().filter(|id| *id > 0);
    (service, id)
}

/// A look-up that was not answered tells nothing, so nothing that hangs on it may be written in the same run.
fn no_write_after_an_unanswered_look_up(asked: &[Asked]) -> Verdict {
    let mut unanswered: BTreeSet<(String, Option<i64>)> = BTreeSet::new();
    for request in asked.iter().filter(|request| request.party == Party::Sage) {
        let mut parts = request.path.split('/');
        let (service, method) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let id = parts.next().and_then(|id| id.parse().ok());
        if request.is_write {
            let about = target(request);
            let blind = unanswered.contains(&about) && method.starts_with("Save");
            is_so("no write after an unanswered look-up", !blind, || {
                format!(
                    "{} was not listed, and then {} sent {}",
                    about.0, request.path, request.body
                )
            })?;
        } else if method == "Get" && !request.answered {
            unanswered.insert((service.to_owned(), id));
        } else if method == "Get" {
            unanswered.remove(&(service.to_owned(), id));
        }
    }
    Ok(())
}

/// Requests grow with the records, never without end; and a document is not sent again and again.
fn effort_is_bounded(life: &mut Life, job: &str, asked: &[Asked]) -> Verdict {
    // Below that, nobody need count.
    const LITTLE: usize = 120;
    if asked.len() > LITTLE {
        let world = life.installation.world();
        let lists = [
            "customers",
            "invoices",
            "credit_notes",
            "payments",
            "bank_statements_records",
        ];
        let here: usize = lists.iter().map(|list| world.splynx.rows(list).len()).sum();
        let lists = [
            "customers",
            "invoices",
            "returns",
            "receipts",
            "allocations",
        ];
        let there: usize = lists.iter().map(|list| world.sage.rows(list).len()).sum();
        let most = LITTLE + 10 * (here + there);
        is_so("effort is bounded", asked.len() <= most, || {
            let count = asked.len();
            format!("{job}: {count} requests for {here} records here and {there} there")
        })?;
    }
    for request in asked
        .iter()
        .filter(|request| request.is_write && request.party == Party::Sage)
    {
        if let (_, None) = target(request)
            && let Ok(body) = serde_json::from_str::<Value>(&request.body)
            && let Some(key) = key_of(&body)
            && request.struck.is_none()
        {
            *life.watch.sent.entry(key.to_owned()).or_default() += 1;
        }
    }
    documents_are_not_sent_again_and_again(life)
}

/// Each send of a document that reached Sage has a cause: the first one, a person's word or edit, a changed setting, a run that ended
/// before it could keep the answer.
fn documents_are_not_sent_again_and_again(life: &mut Life) -> Verdict {
    let edits: u64 = life.installation.world().storm.people.done.values().sum();
    let causes = u64::from(life.watch.decisions + life.watch.settings + life.watch.broken) + edits;
    let often = life
        .watch
        .sent
        .iter()
        .find(|(_, times)| u64::from(**times) > 2 + causes);
    is_so("effort is bounded", often.is_none(), || {
        format!("{often:?} sends with {causes} causes")
    })
}

/// Each record has one document at most, each customer one namesake, each line one payment; whatever has happened.
pub fn nothing_stands_twice(life: &mut Life) -> Verdict {
    const ORACLE: &str = "nothing stands twice";
    let world = life.installation.world();
    let people = &world.storm.people;
    for entity in ["invoices", "returns", "receipts"] {
        let mut seen = BTreeMap::new();
        for row in world.sage.rows(entity) {
            let id = id_of(&row, "ID");
            // A copy bears its key; and a person may have had it sent anew.
            let is_excused = |key: &str| {
                people.theirs.contains(&(entity, id)) || life.watch.sent_anew.contains(key)
            };
            if let Some(key) = key_of(&row).filter(|key| !is_excused(key)) {
                let other = seen.insert(key.to_owned(), id);
                is_so(ORACLE, other.is_none(), || {
                    format!("{key} stands on {entity} {other:?} and {id}")
                })?;
            }
        }
    }
    let mut seen = BTreeMap::new();
    for row in world.sage.rows("customers") {
        let id = id_of(&row, "ID");
        let email = row["Email"].as_str().unwrap_or_default().to_owned();
        if !life.watch.customers_linked
            && !email.is_empty()
            && !people.theirs.contains(&("customers", id))
        {
            let other = seen.insert(email.clone(), id);
            is_so(ORACLE, other.is_none(), || {
                format!("{email} is customer {other:?} and {id}")
            })?;
        }
    }
    let mut seen = BTreeSet::new();
    for row in world.splynx.rows("payments") {
        let number = row["receipt_number"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let is_new = !number.starts_with("SAGE-") || seen.insert(number.clone());
        is_so(ORACLE, is_new, || {
            format!("{number} stands on two payments")
        })?;
    }
    let mut seen = BTreeSet::new();
    for row in world.splynx.rows("bank_statements_records") {
        let key = row["additional_1"].as_str().unwrap_or_default().to_owned();
        let is_new =
            !key.starts_with("SAGE-") || row["status"] == "canceled" || seen.insert(key.clone());
        is_so(ORACLE, is_new, || {
            format!("{key} stands on two statement lines")
        })?;
    }
    Ok(())
}

/// A cursor passes only what is in the ledger, and does not go back while it reads the same.
fn cursors_keep_behind_what_is_handled(life: &mut Life) -> Verdict {
    const ORACLE: &str = "cursors keep behind what is handled";
    let host = life.installation.host();
    // Stamps of a clock that was wrong, or of a Splynx that was put back, prove nothing.
    let done = &host.world.storm.people.done;
    if done.contains_key(Edit::ClockSet.name()) || done.contains_key(Act::PUT_BACK) {
        return Ok(());
    }
    for [kind, list, changed, date] in CURSORS {
        let Some(text) = host.storage.value("meta", &format!("cursor/{kind}")) else {
            continue;
        };
        // Where it stands as it stood, it passes nothing.
        if life
            .watch
            .texts
            .get(kind)
            .is_some_and(|before| before == text)
        {
            continue;
        }
        life.watch.texts.insert(kind, text.to_owned());
        let cursor: Value =
            serde_json::from_str(text).map_err(|error| Wrong::new(ORACLE, error.to_string()))?;
        let day = |field: &str| cursor[field].as_str().unwrap_or_default().to_owned();
        let (from, since, began) = (day("from"), day("since"), day("began"));
        let after = cursor["after"].as_i64().unwrap_or_default();
        for row in host.world.splynx.rows(list) {
            let id = id_of(&row, "id");
            let touched = row[changed]
                .as_str()
                .unwrap_or_default()
                .get(..10)
                .unwrap_or_default()
                .to_owned();
            let dated = row[date].as_str().unwrap_or_default().to_owned();
            // Stamps are Splynx's local days; what was touched on a day that is read again proves nothing.
            let was_read = (!since.is_empty() && touched < since)
                || (id <= after && touched < began && touched >= since);
            let is_wanted = from.is_empty() || dated >= from;
            let is_known = host
                .storage
                .value(RECORDS, &format!("{kind}/{id:012}"))
                .is_some();
            is_so(ORACLE, !(was_read && is_wanted) || is_known, || {
                format!(
                    "{kind} {id}, changed {touched}, is not in the ledger; the cursor is {text}"
                )
            })?;
        }
        let place = (from, since, after);
        if let Some(before) = life.watch.cursors.insert(kind, place.clone()) {
            let is_ahead = place.0 != before.0
                || place.1 > before.1
                || (place.1 == before.1 && (place.2 >= before.2 || place.2 == 0));
            let is_put_back = life.watch.put_back.remove(kind);
            is_so(
                ORACLE,
                is_ahead || is_put_back || host.world.is_behind(),
                || format!("the cursor of {kind} went from {before:?} to {place:?}"),
            )?;
        }
    }
    Ok(())
}

/// The run before this changed nothing, and asked little.
pub fn quiet_cycle(life: &mut Life) -> Verdict {
    let asked = life
        .installation
        .world()
        .storm
        .asked
        .clone()
        .unwrap_or_default();
    let wrote: Vec<String> = asked
        .iter()
        .filter(|request| request.is_write)
        .map(|request| format!("{} {}", request.path, request.body))
        .collect();
    is_so("the quiet cycle writes nothing", wrote.is_empty(), || {
        wrote.join("; ")
    })?;
    let there: Vec<&str> = asked
        .iter()
        .filter(|request| request.party == Party::Sage)
        .map(|request| request.path.as_str())
        .collect();
    // Stamps of days that are yet to come are read again in every run.
    let people = &life.installation.world().storm.people;
    let is_ahead = people.done.contains_key(Edit::ClockSet.name());
    is_so(
        "the quiet cycle asks little",
        is_ahead || there.len() <= 4,
        || format!("{there:?}"),
    )
}

/// A preview in fair weather writes nothing, and lists what the job then does.
pub fn preview_is_truth(life: &mut Life, job: &'static str) -> Verdict {
    const ORACLE: &str = "preview is truth";
    // Nothing arrives late in the middle of it.
    life.installation.advance(TimeDelta::minutes(5));
    life.installation.world().deliver_late();
    let wrote = writes(&mut life.installation);
    let stored = life.installation.host().storage.clone();
    let Ok(plan) = life.installation.preview(job) else {
        return Ok(());
    };
    is_so(ORACLE, writes(&mut life.installation) == wrote, || {
        format!("the preview of {job} wrote")
    })?;
    is_so(ORACLE, life.installation.host().storage == stored, || {
        format!("the preview of {job} stored")
    })?;
    let told = stored.activities().len();
    // That a document is gone from Sage is known only where something is sent to it.
    let calm = life.installation.world().storm.people.deleted.is_empty();
    let ended = life.installation.attempt(job, None);
    after_run(life, job, &ended)?;
    if !calm || !matches!(&ended, Ok(Ok(outcome)) if outcome.state == "finished") {
        return Ok(());
    }
    let activities = &life.installation.host().storage.activities()[told..];
    // What Sage says against something, and what an allocation frees that is taken back, is known only to Sage.
    let is_surprise = |text: &str| {
        [
            "Sage refused",
            "Sage stored",
            "Sage already has",
            "Sage has allocated",
            // It allocates receipts by itself (F27).
            "In Sage the receipt",
            "Splynx refused",
        ]
        .iter()
        .any(|start| text.starts_with(start))
    };
    if activities
        .iter()
        .any(|activity| is_surprise(&activity.message))
        || plan.iter().any(|row| row.cells[0] == "removed")
    {
        return Ok(());
    }
    let mut done: Vec<String> = activities
        .iter()
        .map(|activity| {
            let amount = activity.more.iter().find(|(name, _)| name == "amount");
            let amount = amount
                .map(|(_, amount)| amount.as_str())
                .unwrap_or_default();
            format!(
                "{}/{} {amount} {}",
                activity.entity, activity.local_id, activity.message
            )
        })
        .collect();
    let mut foretold: Vec<String> = plan
        .iter()
        .map(|row| format!("{} {} {}", row.id, row.cells[4], row.cells[5]))
        .collect();
    // What Sage allocates by itself changes the order, and nothing else.
    done.sort();
    foretold.sort();
    is_so(ORACLE, foretold == done, || {
        format!("{job}: foretold {foretold:?}, done {done:?}")
    })
}
