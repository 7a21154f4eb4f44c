//! The comparison of the books: what differs is found once, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use mock_host::contract::Row;
use mock_host::{DeathPoint, Side};
use sandbox::isp::{Isp, Size};
use serde_json::{Value, json};
use simulation::installation::Installation;
use simulation::people::money;

use crate::judge::writes;

/// Class and id of each finding.
type Findings = BTreeSet<(String, String)>;

fn reconcile(installation: &mut Installation) -> Findings {
    let before = writes(installation);
    installation.run_through("reconcile");
    assert_eq!(writes(installation), before, "the books are read only");
    let reported = report(installation, "reconciliation");
    let findings: Findings = reported
        .iter()
        .map(|row| (row.cells[0].clone(), row.id.clone()))
        .collect();
    assert_eq!(findings.len(), reported.len(), "one is told twice");
    let scratch = installation.host().storage.tables();
    let scratch = scratch.filter(|(name, _)| *name == "reconcile");
    assert_eq!(scratch.map(|(_, rows)| rows.len()).sum::<usize>(), 0);
    findings
}

fn report(installation: &mut Installation, kind: &str) -> Vec<Row> {
    let reports = &installation.host().reports;
    reports.get(kind).cloned().unwrap_or_default()
}

/// Sage's rows that bear our keys, by them. One list at a time: those of a large provider take gigabytes.
fn ours(installation: &mut Installation, entity: &str) -> BTreeMap<String, Value> {
    let rows = installation.world().sage.rows(entity).into_iter();
    let marked = rows.filter_map(|row| {
        let (_, mark) = row["Reference"].as_str()?.rsplit_once(' ')?;
        let (_, key) = mark.rsplit_once('-')?;
        Some((key.to_owned(), row))
    });
    marked.collect()
}

/// What people did to the two books, and how each is to be told.
fn spoil(installation: &mut Installation) -> Findings {
    let mut expected = Findings::new();
    let splynx = &installation.world().splynx;
    let invoices = splynx.rows("invoices").into_iter();
    let unpaid: BTreeSet<String> = invoices
        .filter(|row| money(&row["due"]) == money(&row["total"]))
        .map(|row| format!("I{}", row["id"]))
        .collect();
    let notes = splynx.rows("credit_notes").into_iter();
    let refunded: BTreeSet<String> = notes
        .filter(|row| row["status"] == "refunded")
        .map(|row| format!("C{}", row["id"]))
        .collect();
    let customers = installation.world().sage.rows("customers").into_iter();
    let customers: Vec<i64> = customers
        .filter_map(|row| row["ID"].as_i64())
        .take(2)
        .collect();
    for entity in ["invoices", "returns", "receipts"] {
        let whole = |row: &Value| {
            let rest = if entity == "invoices" {
                "AmountDue"
            } else {
                "TotalUnallocated"
            };
            row[rest] == row["Total"]
        };
        // A small company has few that Sage lets people change.
        let ours = ours(installation, entity).into_iter();
        let free = ours.filter(|(key, row)| {
            let is_paid = key.starts_with('I') && (entity == "returns" || !unpaid.contains(key));
            whole(row) && !is_paid && !refunded.contains(key)
        });
        for ((key, row), spoiling) in free.zip(SPOILINGS) {
            if spoiling == Spoiling::Voided && entity == "receipts" {
                continue;
            }
            let another = customers.iter().find(|id| row["CustomerId"] != **id);
            let another = *another.expect("two customers");
            expected.insert(spoiling.happen(installation, entity, (&key, &row), another));
        }
    }
    expected
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoiling {
    Deleted,
    Given,
    Dated,
    Priced,
    Doubled,
    Typed,
    Voided,
    DeletedInSplynx,
}

const SPOILINGS: [Spoiling; 8] = [
    Spoiling::Deleted,
    Spoiling::Given,
    Spoiling::Dated,
    Spoiling::Priced,
    Spoiling::Doubled,
    Spoiling::Typed,
    Spoiling::Voided,
    Spoiling::DeletedInSplynx,
];

impl Spoiling {
    /// Answers how it is to be told. `another`: a customer whose it is not.
    fn happen(
        self,
        installation: &mut Installation,
        entity: &str,
        (key, row): (&str, &Value),
        another: i64,
    ) -> (String, String) {
        let (service, kind, list) = match entity {
            "invoices" => ("TaxInvoice", "invoice", "invoices"),
            "returns" => ("CustomerReturn", "credit-note", "credit_notes"),
            _ => ("CustomerReceipt", "payment", "payments"),
        };
        let number: i64 = key[1..].parse().expect("an id");
        let here = format!("{kind}/{number:012}");
        let there = |row: &Value| format!("{service}/{}", row["ID"]);
        let mut change = |act: &str, fields: Value| {
            let change = json!({"entity": entity, "act": act, "id": row["ID"], "fields": fields});
            installation.in_sage(&change)
        };
        let copy = |reference: &str| {
            let mut copy = row.clone();
            let fields = copy.as_object_mut().expect("an object");
            fields.remove("ID");
            fields.remove("DocumentNumber");
            if !reference.is_empty() {
                copy["Reference"] = json!(reference);
            }
            copy
        };
        let (class, id) = match self {
            Self::Deleted => {
                change("delete", json!({}));
                ("only in Splynx", here)
            }
            Self::Given => {
                change("update", json!({"CustomerId": another}));
                ("customer differs", here)
            }
            Self::Dated => {
                change("update", json!({"Date": "2026-02-27T00:00:00"}));
                ("date differs", here)
            }
            Self::Priced => {
                let line = &row["Lines"][0];
                change(
                    "update",
                    if entity == "receipts" {
                        json!({"Total": 7.77})
                    } else {
                        json!({"Lines": [{"LineType": 0, "SelectionId": line["SelectionId"], "TaxTypeId": line["TaxTypeId"],
                        "Description": "By hand", "Quantity": 1, "UnitPriceInclusive": 7.77, "UnitPriceExclusive": 6.76}]})
                    },
                );
                ("amount differs", here)
            }
            Self::Doubled => ("duplicate in Sage", there(&change("create", copy("")))),
            Self::Typed => ("only in Sage", there(&change("create", copy("by hand")))),
            Self::Voided => {
                change("void", json!({}));
                ("status differs", here)
            }
            Self::DeletedInSplynx => {
                installation.in_splynx(&json!({"entity": list, "act": "delete", "id": number}));
                ("only in Sage", there(row))
            }
        };
        (class.to_owned(), id)
    }
}

/// Somebody takes what pays an invoice off it again, in Sage.
fn take_an_allocation_back(installation: &mut Installation, told: &Findings) -> (String, String) {
    let invoices = ours(installation, "invoices");
    let allocations = installation.world().sage.rows("allocations");
    let settled = allocations.iter().find_map(|allocation| {
        let is_of = |invoice: &Value| invoice["ID"] == allocation["AllocatedToDocumentId"];
        let paid = invoices.iter().find(|(_, invoice)| is_of(invoice));
        let number: i64 = paid?.0.strip_prefix('I')?.parse().ok()?;
        let id = format!("invoice/{number:012}");
        let known = told.iter().any(|(_, known)| *known == id);
        (!known).then(|| (allocation["ID"].clone(), id))
    });
    let (allocation, id) = settled.expect("an invoice that is paid");
    installation.in_sage(&json!({"entity": "allocations", "act": "delete", "id": allocation}));
    ("settlement differs".to_owned(), id)
}

/// Invoices that something pays in Splynx which is not in Sage: it is held, or left out.
fn paid_by_what_is_not_there(installation: &mut Installation) -> BTreeSet<String> {
    let mut there = BTreeSet::from_iter(ours(installation, "receipts").into_keys());
    there.extend(ours(installation, "returns").into_keys());
    let relations = installation.world().splynx.rows("invoice_relations");
    let by_absent = relations.iter().filter_map(|relation| {
        let mark = match relation["type"].as_str()? {
            "payment" => "P",
            "credit_note" => "C",
            // A loose charge, which is none of Sage's.
            _ => "",
        };
        let payer = format!("{mark}{}", relation["payer_id"]);
        let invoice = relation["invoice_id"].as_i64()?;
        (!there.contains(&payer)).then(|| format!("invoice/{invoice:012}"))
    });
    by_absent.collect()
}

/// `RECONCILED_PROVIDER=large` takes a build with optimisations, much memory and some time.
fn providers() -> Vec<(Size, u64)> {
    match std::env::var("RECONCILED_PROVIDER") {
        Ok(size) => vec![(size.parse().expect("a size"), 5)],
        Err(_) => vec![(Size::Small, 3), (Size::Small, 4), (Size::Medium, 5)],
    }
}

/// Differences of every class and kind are each told once; a company in step has none but what is held, and that with its reason.
#[test]
fn each_difference_is_found_once_and_nothing_else_is() {
    for (size, seed) in providers() {
        let isp = Isp::seeded(size, seed);
        let mut installation = Installation::new(&isp, false);
        installation.set("make_names_unique", "on");
        installation.run_through("sync");
        let before = reconcile(&mut installation);
        let explained = report(&mut installation, "reconciliation");
        assert!(explained.iter().all(|row| !row.cells[8].is_empty()));
        let attention = installation.whole_page("outbox", &[]);
        let attention: BTreeSet<&str> = attention.iter().map(|row| row.id.as_str()).collect();
        let paid_by_absent = paid_by_what_is_not_there(&mut installation);
        for (class, id) in &before {
            match class.as_str() {
                "settlement differs" => assert!(paid_by_absent.contains(id), "{size:?}: {id}"),
                _ => {
                    assert_eq!(class, "only in Splynx", "{id}");
                    assert!(
                        attention.contains(id.as_str()),
                        "{size:?}: {id} is not held"
                    );
                }
            }
        }

        let mut expected = spoil(&mut installation);
        let told = Findings::from_iter(expected.iter().chain(&before).cloned());
        expected.insert(take_an_allocation_back(&mut installation, &told));
        let after = reconcile(&mut installation);
        let found: Findings = after.difference(&before).cloned().collect();
        assert_eq!(found, expected, "{size:?} {seed}");
        if size != Size::Small {
            assert_eq!(expected.len(), SPOILINGS.len() * 3);
        }
        assert!(before.is_subset(&after));
        assert_eq!(reconcile(&mut installation), after, "again");
    }
}

/// Sage answers so many requests a day that a large company takes days: the job goes on where it was, whatever ends a run, and tells of
/// both books as they are when it comes to a record, not as they were when it began.
#[test]
fn a_comparison_of_several_runs_tells_each_difference_once_and_none_that_is_over() {
    for calls in [23, 41] {
        let isp = Isp::seeded(Size::Small, 6);
        let mut installation = Installation::new(&isp, false);
        installation.set("make_names_unique", "on");
        installation.run_through("sync");
        spoil(&mut installation);
        let mut lives = 0;
        loop {
            let point = DeathPoint {
                // The end, which is told in one go, takes a longer life.
                call: calls + lives / 2,
                side: Side::Before,
            };
            installation.goes_on(lives > 0);
            let died = installation.run_with_and_die("reconcile", &[], point);
            if !died {
                if !report(&mut installation, "reconciliation-months").is_empty() {
                    break;
                }
                // Sage's limits.
                installation.advance(TimeDelta::hours(2));
            }
            lives += 1;
            assert!(lives < 500, "it does not come any further");
            // Meanwhile life goes on: somebody pays, somebody pays in Sage, and the add-on brings the books into step.
            installation.goes_on(false);
            if lives % 3 == 0 {
                pay_something(&mut installation);
                installation.run_through("sync");
            }
        }
        assert!(lives > 5, "{lives}");
        let reported = report(&mut installation, "reconciliation");
        let told: Findings = reported
            .iter()
            .map(|row| (row.cells[0].clone(), row.id.clone()))
            .collect();
        assert_eq!(told.len(), reported.len(), "one is told twice");
        let months = report(&mut installation, "reconciliation-months");
        installation.goes_on(false);
        assert_eq!(told, reconcile(&mut installation), "{calls}");
        let anew = report(&mut installation, "reconciliation-months");
        let spoiled = |rows: &[Row]| -> Vec<(String, String)> {
            let rows = rows.iter();
            rows.map(|row| (row.id.clone(), row.cells[6].clone()))
                .collect()
        };
        assert_eq!(spoiled(&months), spoiled(&anew), "differences by month");
    }
}

/// Somebody pays an invoice whole, in Splynx.
fn pay_something(installation: &mut Installation) {
    let today = installation.world().today().to_string();
    let invoices = installation.world().splynx.rows("invoices");
    let open = invoices
        .iter()
        .find(|row| row["status"] == "not_paid" && row["date_created"].as_str() >= Some("2026"));
    let Some(open) = open else { return };
    installation.in_splynx(&json!({"entity": "payments", "act": "create", "fields": {
        "customer_id": open["customer_id"], "invoice_id": open["id"], "payment_type": 1, "date": today,
        "amount": money(&open["due"]).to_string(),
    }}));
}
