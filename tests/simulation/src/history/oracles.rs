//! What must be true of every history: judged by what the two services hold and were asked, never by what the add-on believes.
//!
//! Each oracle is a function of its own name. The add-on's store is looked at only where the promise is about the store: cursors, and the
//! list of reasons.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use mock_host::component::Crash;
use mock_host::contract::{Failure, Outcome};
use rust_decimal::Decimal;
use sandbox::faults::Party;
use serde_json::Value;
use splynx_sageone::write::record::{OPEN, RECORDS, REMOTE};

use super::{Life, Verdict, Wrong, writes};
use crate::differences::{Judge, SORTS, Sort, listed};
use crate::people::{id_of, key_of, money};
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
    linked: BTreeSet<String>,
    /// Splynx payments about which people have decided.
    payments: BTreeSet<i64>,
    /// People have said who a customer is in Sage.
    customers_linked: bool,
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
        self.customers_linked |= what == "link" && record.starts_with("customer/");
        if let Some(id) = record.strip_prefix("payment/") {
            self.payments.extend(id.parse::<i64>());
        }
        if matches!(what, "link" | "retry") {
            let (kind, id) = record.split_once('/').unwrap_or_default();
            let letter = SORTS.iter().find(|sort| sort.kind == kind);
            if let (Some(sort), Ok(id)) = (letter, id.parse::<i64>()) {
                self.linked.insert(format!("{}{id}", sort.letter));
            }
        }
    }
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
fn nothing_stands_twice(life: &mut Life) -> Verdict {
    const ORACLE: &str = "nothing stands twice";
    let world = life.installation.world();
    let people = &world.storm.people;
    for entity in ["invoices", "returns", "receipts"] {
        let mut seen = BTreeMap::new();
        for row in world.sage.rows(entity) {
            if let Some(key) = key_of(&row) {
                let id = id_of(&row, "ID");
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

/// Everything that holds once nothing goes wrong any more. `whole`: the store was never lost, so that what people decided is known.
pub fn judge(life: &mut Life, whole: bool) -> Verdict {
    nothing_stands_twice(life)?;
    nothing_is_left_open(life)?;
    no_secret_is_seen(life)?;
    nothing_comes_back(life)?;
    if whole {
        skipped_records_have_nothing(life)?;
        every_difference_is_listed(life)?;
        sums_are_conserved(life)?;
        no_payment_goes_before_its_invoice(life)?;
    }
    Ok(())
}

/// Where both are due to go, the invoice is in Sage before the payment that was entered for it.
fn no_payment_goes_before_its_invoice(life: &mut Life) -> Verdict {
    // Who exports payments alone, before any export has come upon their invoices, has it so (F37, F62).
    if life.coverage.count("jobs", "export-payments")
        + life.coverage.count("previews", "export-payments")
        > 0
    {
        return Ok(());
    }
    let host = life.installation.host();
    let made = |entity: &str| -> BTreeMap<String, String> {
        let rows = host.world.sage.rows(entity).into_iter();
        rows.filter_map(|row| {
            Some((
                key_of(&row)?.to_owned(),
                row["Created"].as_str()?.to_owned(),
            ))
        })
        .collect()
    };
    let (invoices, receipts) = (made("invoices"), made("receipts"));
    for payment in host.world.splynx.rows("payments") {
        let invoice = id_of(&payment, "invoice_id");
        let receipt = receipts.get(&format!("P{}", payment["id"]));
        let (Some(receipt), Some(document)) = (receipt, invoices.get(&format!("I{invoice}")))
        else {
            continue;
        };
        // An invoice that was left out for a while, or that was decided about, was not due to go.
        let id = invoice.to_string();
        let mut told = host
            .storage
            .activities()
            .iter()
            .filter(|activity| activity.entity == "invoice" && activity.local_id == id);
        let was_out = told.any(|activity| {
            matches!(
                activity.action.as_str(),
                "skipped" | "owed" | "do-not-send" | "done-by-hand"
            )
        });
        is_so(
            "no payment goes before its invoice",
            was_out || document <= receipt,
            || {
                format!(
                    "payment {} of {receipt}, invoice {invoice} of {document}",
                    payment["id"]
                )
            },
        )?;
    }
    Ok(())
}

/// Liveness: what is planned, under way or in doubt settles within the runs of healing.
fn nothing_is_left_open(life: &mut Life) -> Verdict {
    let host = life.installation.host();
    let imports = host
        .settings
        .get("payments_direction")
        .is_some_and(|way| way != "to_sage");
    let tables = host.storage.tables();
    let open: Vec<String> = tables
        .filter(|(name, _)| *name == OPEN)
        .flat_map(|(_, rows)| rows.iter())
        // Without imports nobody looks at receipts.
        .filter(|(key, _)| imports || !key.starts_with("receipt/"))
        .map(|(key, state)| format!("{key} {state}"))
        .collect();
    is_so(
        "everything settles once faults stop",
        open.is_empty(),
        || open.join(", "),
    )
}

fn no_secret_is_seen(life: &mut Life) -> Verdict {
    let mut secrets: Vec<String> = life
        .history
        .isp
        .secrets()
        .into_iter()
        .map(|(_, secret)| secret)
        .collect();
    secrets.push("changed-secret-".to_owned());
    let storage = &life.installation.host().storage;
    let stored = storage
        .tables()
        .flat_map(|(_, rows)| rows.values().map(String::as_str));
    let told = storage
        .activities()
        .iter()
        .map(|activity| activity.message.as_str());
    let seen = stored
        .chain(told)
        .find(|text| secrets.iter().any(|secret| text.contains(secret.as_str())));
    is_so("no secret is seen", seen.is_none(), || {
        seen.unwrap_or_default().to_owned()
    })
}

/// Money that came from one side never returns to it.
fn nothing_comes_back(life: &mut Life) -> Verdict {
    const ORACLE: &str = "nothing comes back";
    let world = life.installation.world();
    let payments = world.splynx.rows("payments");
    let receipts = world.sage.rows("receipts");
    let ours: BTreeMap<String, i64> = receipts
        .iter()
        .filter_map(|row| Some((key_of(row)?.to_owned(), id_of(row, "ID"))))
        .collect();
    for payment in &payments {
        let number = payment["receipt_number"].as_str().unwrap_or_default();
        let Some(rest) = number.strip_prefix("SAGE-") else {
            continue;
        };
        let key = format!("P{}", payment["id"]);
        is_so(ORACLE, !ours.contains_key(&key), || {
            format!("{number} came from Sage, and stands there as {key}")
        })?;
        let receipt = rest.split('-').next().and_then(|id| id.parse::<i64>().ok());
        let echo = ours.iter().find(|(_, id)| Some(**id) == receipt);
        is_so(ORACLE, echo.is_none(), || {
            format!("{number} was made of our own {echo:?}")
        })?;
    }
    Ok(())
}

/// What the add-on says it leaves out is not in Sage.
fn skipped_records_have_nothing(life: &mut Life) -> Verdict {
    let listed = listed(&mut life.installation);
    let world = life.installation.world();
    for Sort { kind, letter, .. } in SORTS {
        for entity in ["invoices", "returns", "receipts"] {
            for row in world.sage.rows(entity) {
                let key = key_of(&row).unwrap_or_default();
                let Some(id) = key
                    .strip_prefix(letter)
                    .and_then(|id| id.parse::<i64>().ok())
                else {
                    continue;
                };
                let state = listed.get(&format!("{kind}/{id:012}"));
                let is_skipped = state.is_some_and(|(state, _)| state == "skipped");
                is_so("skipped records have nothing", !is_skipped, || {
                    format!("{key} is in Sage: {state:?}")
                })?;
            }
        }
    }
    Ok(())
}

/// Both services' documents of a kind, as pairs by our key; what another add-on brought goes by its number.
struct Shelves {
    here: Vec<Value>,
    there: Vec<Value>,
}

fn shelves(life: &mut Life, sort: Sort) -> Shelves {
    let in_step = life.history.in_step;
    // What is left out was never looked for there, and what is held may wait for a person's word.
    let tables = life.installation.host().storage.tables();
    let paired: BTreeSet<String> = tables
        .filter(|(name, _)| *name == REMOTE)
        .flat_map(|(_, rows)| rows.values().cloned())
        .collect();
    let is_paired = |id: &Value| {
        let id = id.as_i64().unwrap_or_default();
        paired.contains(&format!("{}/{id:012}", sort.kind))
    };
    let world = life.installation.world();
    let people = &world.storm.people;
    let here = world.splynx.rows(sort.splynx);
    let entities: &[&'static str] = match sort.letter {
        'I' => &["invoices", "returns"],
        'C' => &["returns"],
        _ => &["receipts"],
    };
    let mut there = Vec::new();
    for entity in entities {
        for mut row in world.sage.rows(entity) {
            if in_step
                && key_of(&row).is_none()
                && !people.theirs.contains(&(entity, id_of(&row, "ID")))
            {
                let (number, name) = match sort.letter {
                    'P' => (row["Reference"].clone(), "receipt_number"),
                    _ => (row["DocumentNumber"].clone(), "number"),
                };
                // A credit note can have the number of an invoice.
                let fits = |other: &&Value| {
                    other[name] == number
                        && (sort.letter != 'I'
                            || (money(&other["total"]) < Decimal::ZERO) == (*entity == "returns"))
                };
                if let Some(own) = here.iter().find(fits).filter(|own| is_paired(&own["id"])) {
                    row["Reference"] = format!("x {}{}", sort.letter, own["id"]).into();
                }
            }
            there.push(row);
        }
    }
    Shelves { here, there }
}

/// Keys that people have taken upon themselves.
fn excused(life: &mut Life) -> BTreeSet<String> {
    let mut excused = life.watch.linked.clone();
    excused.extend(
        life.installation
            .world()
            .storm
            .people
            .deleted
            .iter()
            .cloned(),
    );
    excused
}

fn every_difference_is_listed(life: &mut Life) -> Verdict {
    let excused = excused(life);
    let mut judge = Judge::new(listed(&mut life.installation));
    for sort in SORTS {
        let shelves = shelves(life, sort);
        let there: Vec<&Value> = shelves.there.iter().collect();
        let from = match sort.kind {
            "invoice" => "export_invoices_from",
            "credit-note" => "export_credit_notes_from",
            _ => "export_payments_from",
        };
        let from = life
            .installation
            .host()
            .settings
            .get(from)
            .cloned()
            .unwrap_or_default();
        judge.compare(sort, &shelves.here, &there, &excused, |row| {
            row[sort.date].as_str().unwrap_or_default() >= from.as_str()
        });
    }
    let host = life.installation.host();
    let world = &mut host.world;
    let imports = host
        .settings
        .get("payments_direction")
        .is_some_and(|way| way != "to_sage");
    let mut payments = world.splynx.rows("payments");
    let mut records = world.splynx.rows("bank_statements_records");
    let receipts = world.sage.rows("receipts");
    // Whether another add-on's receipts were imported already, nobody can know.
    let theirs = &world.storm.people.theirs;
    let is_nobodys =
        |row: &&Value| key_of(row).is_none() && !theirs.contains(&("receipts", id_of(row, "ID")));
    let before: Vec<String> = receipts
        .iter()
        .filter(is_nobodys)
        .map(|row| format!("SAGE-{}-", row["ID"]))
        .collect();
    let is_old = |key: &Value| {
        before
            .iter()
            .any(|start| key.as_str().is_some_and(|key| key.starts_with(start)))
    };
    payments.retain(|row| !is_old(&row["receipt_number"]));
    // A receipt that a person has linked to a payment is that payment.
    let linked = theirs.iter().filter(|(entity, id)| {
        let pair = host.storage.value(REMOTE, &format!("CustomerReceipt/{id}"));
        *entity == "receipts" && pair.is_some_and(|key| key.starts_with("payment/"))
    });
    let linked: Vec<i64> = linked.map(|(_, id)| *id).collect();
    let mut edited = world.storm.people.edited_imports.clone();
    edited.extend(linked);
    let keys = life
        .watch
        .payments
        .iter()
        .filter_map(|id| host.storage.value("from-sage", &format!("{id:012}")));
    edited.extend(keys.filter_map(|key| {
        key.strip_prefix("SAGE-")?
            .split('-')
            .next()?
            .parse::<i64>()
            .ok()
    }));
    records.retain(|row| !is_old(&row["additional_1"]));
    let made = world
        .storm
        .people
        .theirs
        .iter()
        .filter(|(entity, _)| *entity == "receipts" && imports)
        .map(|(_, id)| *id)
        .filter(|id| !edited.contains(id));
    let is_edited = |key: &Value| {
        let key = key.as_str().and_then(|key| key.strip_prefix("SAGE-"));
        let receipt = key.and_then(|key| key.split('-').next()?.parse::<i64>().ok());
        receipt.is_some_and(|id| edited.contains(&id))
    };
    payments.retain(|row| !is_edited(&row["receipt_number"]));
    records.retain(|row| !is_edited(&row["additional_1"]));
    if imports {
        judge.compare_imports(
            &payments,
            &records,
            &receipts.iter().collect::<Vec<_>>(),
            made,
        );
    }
    for ((kind, code), times) in &judge.explained {
        life.coverage
            .note("explained", &format!("{kind}: {code}"), u64::from(*times));
    }
    is_so(
        "every difference is listed",
        judge.unexplained.is_empty(),
        || judge.unexplained.join("; "),
    )
}

/// Of what is on both sides, the sums agree: by month and customer to the cent, and the tax as far as rounding by line can move it.
fn sums_are_conserved(life: &mut Life) -> Verdict {
    const ORACLE: &str = "sums are conserved";
    let excused = excused(life);
    let listed = listed(&mut life.installation);
    for sort in SORTS {
        let shelves = shelves(life, sort);
        // Customer and month → net, tax, lines.
        let mut sums: BTreeMap<(i64, String), (Decimal, Decimal, usize)> = BTreeMap::new();
        for row in &shelves.here {
            let id = id_of(row, "id");
            let key = format!("{}{id}", sort.letter);
            let state = listed
                .get(&format!("{}/{id:012}", sort.kind))
                .map(|(state, _)| state.as_str());
            let counterpart = shelves
                .there
                .iter()
                .find(|other| key_of(other) == Some(key.as_str()));
            let (Some(other), Some("synced")) = (counterpart, state) else {
                continue;
            };
            if excused.contains(&key) {
                continue;
            }
            let month = |text: &Value| {
                text.as_str()
                    .unwrap_or_default()
                    .get(..7)
                    .unwrap_or_default()
                    .to_owned()
            };
            let customer = id_of(row, "customer_id");
            let lines = row["items"].as_array().map_or(0, Vec::len);
            let here = sums.entry((customer, month(&row[sort.date]))).or_default();
            here.0 += money(&row[sort.amount]).abs();
            here.1 += tax_of(row)
                * if money(&row[sort.amount]) < Decimal::ZERO {
                    -Decimal::ONE
                } else {
                    Decimal::ONE
                };
            here.2 += lines + 2;
            let there = sums.entry((customer, month(&other["Date"]))).or_default();
            there.0 -= money(&other["Total"]);
            there.1 -= money(&other["Tax"]);
        }
        for ((customer, month), (total, tax, lines)) in sums {
            let slack = Decimal::new(i64::try_from(lines).unwrap_or(i64::MAX), 2);
            let conserved = total.is_zero() && (sort.letter == 'P' || tax.abs() <= slack);
            is_so(ORACLE, conserved, || {
                format!(
                    "{} of customer {customer} in {month}: off by {total}, the tax by {tax}",
                    sort.kind
                )
            })?;
        }
    }
    Ok(())
}

/// The tax in a document of Splynx's.
fn tax_of(row: &Value) -> Decimal {
    let items = row["items"].as_array().into_iter().flatten();
    items
        .map(|item| {
            money(&item["quantity"]) * money(&item["price"]) * money(&item["tax"])
                / Decimal::ONE_HUNDRED
        })
        .sum()
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
    is_so("the quiet cycle asks little", there.len() <= 4, || {
        format!("{there:?}")
    })
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
