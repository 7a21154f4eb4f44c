//! What must be true once nothing goes wrong any more: everything is settled, on one side once and on the other listed with a reason.
//!
//! Judged as [`super::oracles`] judge; what people have taken upon themselves is not the add-on's fault.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::Value;
use splynx_sageone::write::record::{OPEN, RECORDS, REMOTE};

use super::oracles::{is_so, nothing_stands_twice};
use super::{Life, Verdict, hands};
use crate::differences::{Judge, SORTS, Sort, listed};
use crate::people::{id_of, key_of, money};

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
        what_people_edited_in_sage_is_listed(life)?;
        hands::what_changed_after_it_was_settled_is_listed(life)?;
        allocations_are_splynxs_relations(life)?;
    }
    Ok(())
}

/// What of ours people have edited in Sage does not count as in step.
fn what_people_edited_in_sage_is_listed(life: &mut Life) -> Verdict {
    // A link takes it as it is.
    if life.coverage.count("decisions", "link") > 0 {
        return Ok(());
    }
    let listed = listed(&mut life.installation);
    let host = life.installation.host();
    for edit in &host.world.storm.people.edited_there {
        let service = match edit.entity {
            "invoices" => "TaxInvoice",
            "returns" => "CustomerReturn",
            "customers" => "Customer",
            _ => "CustomerReceipt",
        };
        let pair = host
            .storage
            .value(REMOTE, &format!("{service}/{}", edit.id));
        let state = pair.and_then(|record| listed.get(record));
        let rows = host.world.sage.rows(edit.entity);
        let stands = rows.iter().any(|row| edit.stands(row));
        let is_synced = state.is_some_and(|(state, _)| state == "synced");
        is_so(
            "what people edited in Sage is listed",
            !(stands && is_synced),
            || format!("{edit:?} of {pair:?}"),
        )?;
    }
    Ok(())
}

/// What counts as allocated is so in Sage as Splynx says by now.
fn allocations_are_splynxs_relations(life: &mut Life) -> Verdict {
    if life.coverage.count("decisions", "link") > 0 {
        return Ok(());
    }
    let host = life.installation.host();
    let record = |kind: &str, id: i64| -> Option<Value> {
        let text = host.storage.value(RECORDS, &format!("{kind}/{id:012}"))?;
        serde_json::from_str(text).ok()
    };
    // By payer and invoice: the lowest id, and the sum.
    let mut relations: BTreeMap<(String, i64, i64), (i64, Decimal)> = BTreeMap::new();
    for row in host.world.splynx.rows("invoice_relations") {
        let kind = row["type"].as_str().unwrap_or_default().to_owned();
        let pair = (kind, id_of(&row, "payer_id"), id_of(&row, "invoice_id"));
        let id = id_of(&row, "id");
        let (lowest, sum) = relations.entry(pair).or_insert((id, Decimal::ZERO));
        *lowest = id.min(*lowest);
        *sum += money(&row["amount"]);
    }
    let there = host.world.sage.rows("allocations");
    for ((kind, payer, invoice), (id, amount)) in relations {
        let kind = match kind.as_str() {
            "payment" => "payment",
            "credit_note" => "credit-note",
            _ => continue,
        };
        let ends = [record(kind, payer), record("invoice", invoice)];
        let (Some(own), [Some(source), Some(target)]) = (record("allocation", id), ends) else {
            continue;
        };
        if [&own, &source, &target]
            .iter()
            .any(|r| r["state"] != "synced")
        {
            continue;
        }
        let row = there.iter().find(|row| row["ID"] == own["remote"]["id"]);
        let agrees = row.is_some_and(|row| {
            row["SourceDocumentId"] == source["remote"]["id"]
                && row["AllocatedToDocumentId"] == target["remote"]["id"]
                && money(&row["Total"]) == amount
        });
        is_so("allocations are Splynx's relations", agrees, || {
            format!("relation {id}: {kind} {payer} for {invoice}, {amount}; in Sage {row:?}")
        })?;
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
    let people = &host.world.storm.people;
    let theirs = &people.theirs;
    let made = |entity: &'static str| -> BTreeMap<String, String> {
        let rows = host.world.sage.rows(entity).into_iter();
        let rows = rows.filter(|row| !theirs.contains(&(entity, id_of(row, "ID"))));
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
        // What people deleted in Sage had gone before, and was made once more by their word.
        if people.deleted.contains(&format!("I{invoice}")) {
            continue;
        }
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
    let theirs = &world.storm.people.theirs;
    let ours: BTreeMap<String, i64> = receipts
        .iter()
        .filter(|row| !theirs.contains(&("receipts", id_of(row, "ID"))))
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

/// What the add-on says it leaves out is not in Sage. What a person linked with another record bears the key of the first one still.
fn skipped_records_have_nothing(life: &mut Life) -> Verdict {
    let listed = listed(&mut life.installation);
    let tables = life.installation.host().storage.tables();
    let paired: BTreeMap<String, String> = tables
        .filter(|(name, _)| *name == REMOTE)
        .flat_map(|(_, rows)| rows.iter())
        .map(|(remote, key)| (remote.clone(), key.clone()))
        .collect();
    let world = life.installation.world();
    for Sort { kind, letter, .. } in SORTS {
        for (entity, service) in [
            ("invoices", "TaxInvoice"),
            ("returns", "CustomerReturn"),
            ("receipts", "CustomerReceipt"),
        ] {
            let theirs = &world.storm.people.theirs;
            let rows = world.sage.rows(entity).into_iter();
            for row in rows.filter(|row| !theirs.contains(&(entity, id_of(row, "ID")))) {
                let key = key_of(&row).unwrap_or_default();
                let Some(id) = key
                    .strip_prefix(letter)
                    .and_then(|id| id.parse::<i64>().ok())
                else {
                    continue;
                };
                let record = format!("{kind}/{id:012}");
                let remote = format!("{service}/{}", id_of(&row, "ID"));
                if paired.get(&remote).is_some_and(|owner| *owner != record) {
                    continue;
                }
                let state = listed.get(&record);
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
    let paired: BTreeMap<String, i64> = tables
        .filter(|(name, _)| *name == REMOTE)
        .flat_map(|(_, rows)| rows.iter())
        .filter_map(|(remote, key)| {
            let (_, id) = remote.rsplit_once('/')?;
            Some((key.clone(), id.parse().ok()?))
        })
        .collect();
    let pair_of = |id: &Value| {
        let id = id.as_i64().unwrap_or_default();
        paired.get(&format!("{}/{id:012}", sort.kind))
    };
    // Somebody may have linked it to another one.
    let is_anothers = |id: i64| {
        let kind = format!("{}/", sort.kind);
        let mut of_kind = paired.iter().filter(|(key, _)| key.starts_with(&kind));
        of_kind.any(|(_, pair)| *pair == id)
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
            if people.theirs.contains(&(entity, id_of(&row, "ID"))) && key_of(&row).is_some() {
                row["Reference"] = "a copy".into();
            }
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
                let there = id_of(&row, "ID");
                let own = here.iter().find(fits).filter(|own| {
                    let pair = pair_of(&own["id"]);
                    pair.is_some_and(|pair| *pair == there || !is_anothers(there))
                });
                if let Some(own) = own {
                    row["Reference"] = format!("x ANOTHERS-{}{}", sort.letter, own["id"]).into();
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
