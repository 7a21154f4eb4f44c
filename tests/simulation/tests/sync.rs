//! Whole syncs of whole providers, judged by what the two services hold afterwards.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use mock_host::component::Plugin;
use mock_host::{DeathPoint, MemoryStorage, Side};
use sandbox::http::Service;
use sandbox::isp::{Isp, Size};
use serde_json::json;
use simulation::books::{self, expected, held};
use simulation::installation::Installation;
use splynx_sageone::write::record::{ATTENTION, OPEN};

/// Requests to Sage that are neither creates nor look-ups of documents: the mapping lists.
fn mapping_requests(requests: &std::collections::BTreeMap<String, u64>) -> u64 {
    ["Item", "TaxType", "BankAccount"]
        .iter()
        .filter_map(|list| requests.get(&format!("GET {list}/Get")))
        .sum()
}

fn total(requests: &std::collections::BTreeMap<String, u64>) -> u64 {
    requests.values().sum()
}

fn writes(installation: &mut Installation) -> u64 {
    let states = [
        installation.world().sage.state(),
        installation.world().splynx.state(),
    ];
    states
        .iter()
        .filter_map(|state| state["requests"]["writes"].as_u64())
        .sum()
}

fn splynx_requests(installation: &mut Installation) -> u64 {
    let state = installation.world().splynx.state();
    state["requests"]["total"]
        .as_u64()
        .expect("the state counts requests")
}

/// Every exportable record is in Sage once, under our key, with its total.
#[track_caller]
fn assert_in_step(isp: &Isp, installation: &mut Installation) {
    let (expected, held) = (expected(isp), held(installation.world()));
    assert_eq!(expected.customers, held.customers, "customers");
    assert_eq!(expected.invoices, held.invoices, "invoices");
    assert_eq!(expected.credit_notes, held.credit_notes, "credit notes");
    assert_eq!(expected.receipts, held.receipts, "receipts");
}

#[test]
fn a_first_sync_brings_everything_over_once_and_a_second_writes_nothing() {
    for (size, seed) in [
        (Size::Tiny, 1),
        (Size::Tiny, 2),
        (Size::Small, 1),
        (Size::Small, 2),
        (Size::Small, 3),
    ] {
        println!("{size:?} provider, seed {seed}");
        let isp = Isp::seeded(size, seed);
        let mut installation = Installation::new(&isp, false);
        let (outcome, _) = installation.run_through("sync");
        assert_eq!(outcome.state, "finished");
        assert_in_step(&isp, &mut installation);

        let before = writes(&mut installation);
        let asked = books::requests(installation.world());
        let asked_splynx = splynx_requests(&mut installation);
        installation.advance(TimeDelta::minutes(15));
        installation.run_through("sync");
        assert_eq!(
            writes(&mut installation),
            before,
            "the quiet cycle writes nothing"
        );
        let quiet = total(&books::requests(installation.world())) - total(&asked);
        assert!(quiet <= 4, "the quiet cycle asked Sage {quiet} times");
        let quiet = splynx_requests(&mut installation) - asked_splynx;
        assert!(quiet <= 10, "the quiet cycle asked Splynx {quiet} times");
    }
}

#[test]
fn a_medium_provider_stays_within_the_limits_and_the_budget_of_requests() {
    let isp = Isp::seeded(Size::Medium, 1);
    let mut installation = Installation::new(&isp, false);
    let (outcome, runs) = installation.run_through("sync");
    assert_eq!(outcome.state, "finished");
    let held = held(installation.world());
    let documents =
        held.invoices.len() + held.credit_notes.len() + held.receipts.len() + held.customers;
    println!(
        "{documents} objects in {runs} runs, until {}",
        installation.world().now
    );
    // Names that clash are held, and so is what hangs on them: named one by one, nothing silent.
    let expected = expected(&isp);
    let missing = expected.invoices.len() - held.invoices.len();
    assert!(
        expected.customers - held.customers <= 10,
        "only the few clashes are left"
    );
    let waiting = installation
        .host()
        .storage
        .tables()
        .find(|(name, _)| *name == ATTENTION)
        .map_or(0, |(_, rows)| rows.len());
    assert!(
        waiting >= missing + expected.customers - held.customers,
        "whatever is missing is listed"
    );
    for (key, total) in &held.invoices {
        assert_eq!(expected.invoices.get(key), Some(total), "{key}");
    }

    let sage = installation.world().sage.state();
    let requests = books::requests(installation.world());
    let spent = total(&requests) - mapping_requests(&requests);
    let most = documents as u64 * 101 / 100 + 10;
    assert!(
        spent <= most,
        "{spent} requests for {documents} new objects, {most} allowed"
    );
    assert_eq!(sage["requests"]["blocks"], 0);
    assert!(sage["requests"]["busiest_minute"].as_u64() <= Some(100));
    assert!(sage["requests"]["busiest_day"].as_u64() <= Some(5_000));
}

#[test]
fn a_company_that_holds_everything_already_gets_nothing_twice() {
    for (size, seed) in [
        (Size::Tiny, 1),
        (Size::Small, 1),
        (Size::Small, 2),
        (Size::Medium, 1),
    ] {
        println!("{size:?} provider, seed {seed}");
        let isp = Isp::seeded(size, seed);
        let mut installation = Installation::new(&isp, true);
        let before = held_ids(&mut installation);
        for _ in 0..2 {
            installation.run_through("sync");
            installation.advance(TimeDelta::hours(1));
        }
        assert_eq!(held_ids(&mut installation), before, "nothing was created");
        assert!(
            open(&mut installation).is_empty(),
            "everything is paired or listed with a reason"
        );
    }
}

/// The ids of everything in Sage.
fn held_ids(installation: &mut Installation) -> BTreeSet<(String, String)> {
    let state = installation.world().sage.state();
    ["customers", "invoices", "returns", "receipts"]
        .iter()
        .flat_map(|entity| {
            books::rows(&state, entity)
                .iter()
                .map(|row| ((*entity).to_owned(), row["ID"].to_string()))
        })
        .collect()
}

fn open(installation: &mut Installation) -> Vec<String> {
    installation
        .host()
        .storage
        .tables()
        .filter(|(name, _)| *name == OPEN)
        .flat_map(|(_, rows)| rows.keys().cloned())
        .collect()
}

#[test]
fn a_lost_database_is_rebuilt_from_the_keys_in_sage() {
    let isp = Isp::seeded(Size::Small, 4);
    let mut installation = Installation::new(&isp, false);
    installation.run_through("sync");
    let before = held_ids(&mut installation);
    installation.host().storage = MemoryStorage::default();
    installation.run_through("sync");
    assert_eq!(
        held_ids(&mut installation),
        before,
        "nothing was created twice"
    );
    assert_in_step(&isp, &mut installation);
    assert!(open(&mut installation).is_empty());
    let before = writes(&mut installation);
    installation.run_through("sync");
    assert_eq!(
        writes(&mut installation),
        before,
        "what was found is as it was sent: nothing to update"
    );
}

#[test]
fn a_preview_lists_exactly_what_the_job_then_does_and_changes_nothing() {
    let isp = Isp::seeded(Size::Small, 5);
    for in_step in [false, true] {
        let mut installation = Installation::new(&isp, in_step);
        // A mapping that is missing, so that the plan holds some records too.
        installation.set("item.9", "");
        let plan = installation.preview("sync").expect("the preview works");
        assert_eq!(writes(&mut installation), 0);
        assert_eq!(
            installation.host().storage.tables().count(),
            0,
            "nothing was stored"
        );
        let planned: BTreeSet<(String, String)> = plan
            .iter()
            .map(|row| (row.cells[0].clone(), row.id.clone()))
            .collect();
        installation.run_through("sync");
        let done: BTreeSet<(String, String)> = installation
            .host()
            .storage
            .activities()
            .iter()
            .map(|activity| {
                let act = match activity.action.as_str() {
                    "created" => "create",
                    "updated" => "update",
                    "paired" => "pair",
                    "skipped" => "skip",
                    "held" => "hold",
                    "owed" => "owe",
                    other => other,
                };
                (
                    act.to_owned(),
                    format!("{}/{}", activity.entity, activity.local_id),
                )
            })
            .collect();
        assert!(planned.len() > 500, "there was something to plan");
        assert_eq!(planned, done);
    }
}

#[test]
fn a_missing_mapping_holds_the_record_with_its_cure_and_setting_it_lets_it_go() {
    let isp = Isp::seeded(Size::Tiny, 1);
    let mut installation = Installation::new(&isp, false);
    let mapped: Vec<(String, String)> = isp
        .setup()
        .into_iter()
        .filter(|(key, _)| key.starts_with("item."))
        .collect();
    for (key, _) in &mapped {
        installation.set(key, "");
    }
    installation.run_through("sync");
    let sent = held(installation.world());
    assert_eq!(
        (sent.customers, sent.invoices.len(), sent.credit_notes.len()),
        (3, 0, 0)
    );
    let reasons: Vec<_> = installation
        .host()
        .storage
        .activities()
        .iter()
        .filter(|a| a.entity == "invoice")
        .collect();
    assert_eq!(reasons.len(), 6);
    for reason in reasons {
        assert_eq!(
            (reason.action.as_str(), reason.code.as_str()),
            ("held", "mapping-missing")
        );
        assert!(
            reason
                .more
                .iter()
                .any(|(name, cure)| name == "cure" && cure.contains("Mappings (item."))
        );
    }
    for (key, value) in &mapped {
        installation.set(key, value);
    }
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);
}

#[test]
fn what_a_person_decides_in_the_outbox_stands() {
    let isp = Isp::seeded(Size::Tiny, 1);
    let mut installation = Installation::new(&isp, false);
    // A bookkeeper has entered one of the payments by hand, once its customer was there.
    installation.run_through("export-customers");
    let payment = &isp.payments[0];
    let state = installation.world().sage.state();
    let name = isp
        .customers
        .iter()
        .find(|c| c.id == payment.customer_id)
        .map(|c| c.name.trim());
    let customer = books::rows(&state, "customers")
        .iter()
        .find(|row| row["Name"].as_str() == name)
        .expect("the payment's customer is in Sage");
    let by_hand = json!({"entity": "receipts", "act": "create", "fields": {
        "CustomerId": customer["ID"], "Date": payment.date.to_string(), "Total": payment.amount.to_string(),
        "BankAccountId": isp.sage.bank_accounts[0].id, "PaymentMethod": 4, "Reference": "cash book 7",
    }});
    let now = installation.world().now;
    let by_hand = installation
        .world()
        .sage
        .edit(&by_hand, now)
        .expect("the bookkeeper may");
    let held_payment = format!("payment/{:012}", payment.id);
    let first = format!("invoice/{:012}", isp.invoices[0].id);
    let second = format!("invoice/{:012}", isp.invoices[1].id);
    let items: Vec<(String, String)> = isp
        .setup()
        .into_iter()
        .filter(|(key, _)| key.starts_with("item."))
        .collect();
    for (key, _) in &items {
        installation.set(key, "");
    }
    installation.run_through("sync");

    installation
        .decide("exclude", &[&first], "")
        .expect("it is held");
    installation
        .decide("done", &[&second], "")
        .expect("it is held");
    for (key, value) in &items {
        installation.set(key, value);
    }
    installation.run_through("sync");
    assert_eq!(
        held(installation.world()).invoices.len(),
        4,
        "two of six are settled by hand"
    );
    installation
        .decide("retry", &[&second], "")
        .expect("one may change one's mind");
    installation.run_through("sync");
    assert_eq!(held(installation.world()).invoices.len(), 5);
    let paired = installation
        .decide("retry", &[&second], "")
        .expect_err("it is in Sage");
    assert!(
        paired.message.contains("never sent a second time"),
        "{}",
        paired.message
    );

    let waiting = |installation: &mut Installation| -> Vec<String> {
        let tables = installation.host().storage.tables();
        tables
            .filter(|(name, _)| *name == ATTENTION)
            .flat_map(|(_, rows)| rows.keys().cloned())
            .collect()
    };
    assert!(
        waiting(&mut installation).contains(&held_payment),
        "it may be the one that was entered by hand"
    );
    let receipts = books::rows(&installation.world().sage.state(), "receipts").len();
    let none = installation
        .decide("link", &[&held_payment], "77")
        .expect_err("there is no such receipt");
    assert!(none.message.contains("no receipt 77"), "{}", none.message);
    installation
        .decide("link", &[&held_payment], &by_hand["ID"].to_string())
        .expect("it is that one");
    installation.run_through("sync");
    assert!(!waiting(&mut installation).contains(&held_payment));
    assert_eq!(
        books::rows(&installation.world().sage.state(), "receipts").len(),
        receipts,
        "nothing was sent"
    );
}

#[test]
fn a_number_that_is_taken_is_held_until_the_document_is_gone_from_sage() {
    let isp = Isp::seeded(Size::Tiny, 5);
    let mut installation = Installation::new(&isp, false);
    installation.run_through("export-customers");
    let customer = books::rows(&installation.world().sage.state(), "customers")[0]["ID"].clone();
    let invoice = &isp.invoices[2];
    let by_hand = json!({"entity": "invoices", "act": "create", "fields": {
        "CustomerId": customer, "Date": invoice.date.to_string(), "DueDate": invoice.date.to_string(), "Inclusive": true,
        "DocumentNumber": invoice.number, "Lines": [{
            "LineType": 0, "SelectionId": isp.sage.items[0].id, "TaxTypeId": isp.sage.tax_types[0].id,
            "Description": "By hand", "Quantity": 1, "UnitPriceInclusive": 7,
        }],
    }});
    let now = installation.world().now;
    let made = installation
        .world()
        .sage
        .edit(&by_hand, now)
        .expect("the bookkeeper may");
    installation.run_through("sync");
    let activities = installation.host().storage.activities();
    let held_invoice = activities
        .iter()
        .find(|a| a.code == "number-taken")
        .expect("it is held");
    assert_eq!(held_invoice.local_id, invoice.id.to_string());

    let id = format!("invoice/{:012}", invoice.id);
    installation
        .decide("retry", &[&id], "")
        .expect("one may try");
    installation.run_through("sync");
    assert_eq!(
        held(installation.world()).invoices.len(),
        6,
        "five of ours and one by hand: it is still there"
    );
    let gone = json!({"entity": "invoices", "act": "delete", "id": made["ID"]});
    installation
        .world()
        .sage
        .edit(&gone, now)
        .expect("the bookkeeper may");
    installation
        .decide("retry", &[&id], "")
        .expect("the cure was done");
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);

    // What is noted already is not sent once the from-date has moved past it.
    let mut installation = Installation::new(&isp, false);
    installation.set("tax.1", "");
    installation.run_through("sync");
    installation.set("export_invoices_from", "2030-01-01");
    let taxes: Vec<_> = isp
        .setup()
        .into_iter()
        .filter(|(key, _)| key == "tax.1")
        .collect();
    installation.set("tax.1", &taxes[0].1);
    installation.run_through("sync");
    assert_eq!(held(installation.world()).invoices.len(), 0);
    installation.set("export_invoices_from", &isp.first_day().to_string());
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);
}

#[test]
fn a_wrong_password_is_tried_once_and_then_there_is_silence_until_it_changes() {
    let isp = Isp::seeded(Size::Tiny, 1);
    let mut installation = Installation::new(&isp, false);
    installation.world().set_sage_password(&isp, "wrong");
    for _ in 0..5 {
        let failure = installation.run("sync").expect_err("Sage refuses");
        assert_eq!(failure.code, "denied");
        installation.advance(TimeDelta::minutes(15));
    }
    assert_eq!(
        installation.world().sage.journal().total(),
        1,
        "one attempt"
    );
    installation
        .world()
        .set_sage_password(&isp, &isp.sage.password);
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);
}

#[test]
fn a_partner_that_is_left_out_later_takes_its_customers_documents_along() {
    let isp = Isp::seeded(Size::Small, 7);
    let mut installation = Installation::new(&isp, false);
    installation.run_through("export-customers");
    installation.set("partners_ignore", "2,3");
    installation.run_through("sync");
    let partner = |customer: i64| {
        isp.customers
            .iter()
            .find(|c| c.id == customer)
            .map(|c| c.partner_id)
    };
    let invoices = held(installation.world()).invoices;
    let expected = expected(&isp).invoices;
    for invoice in &isp.invoices {
        let key = format!("I{}", invoice.id);
        let wanted = expected.contains_key(&key) && partner(invoice.customer_id) == Some(1);
        assert_eq!(invoices.contains_key(&key), wanted, "{key}");
    }
    installation.set("partners_ignore", "");
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);

    installation.set("sage_company_id", "7");
    let failure = installation
        .run("sync")
        .expect_err("its pairs belong to the first company");
    assert_eq!(failure.code, "other-company");
}

#[test]
fn a_record_that_cannot_be_understood_is_held_and_the_others_go_on() {
    let isp = Isp::seeded(Size::Tiny, 4);
    let mut installation = Installation::new(&isp, false);
    for (path, broken, what) in [
        (
            "admin/customers/customer",
            r#"[{"id": 1, "name": "Nobody's"}]"#,
            "no partner",
        ),
        (
            "admin/finance/payments",
            r#"[{"id": 1, "customer_id": 11, "payment_type": 2, "date": "2026-01-01", "amount": "1e20"}]"#,
            "its amount is",
        ),
    ] {
        let answer =
            json!({"status": {"code": 200, "body": broken, "content_type": "application/json"}});
        let plan = json!({"faults": [
            {"service": "splynx", "when": {"method": "GET", "path": path, "nth": 1}, "do": answer},
        ]});
        let plan = sandbox::faults::Plan::from_json(&plan).expect("a fault plan");
        installation.world().faults = sandbox::faults::FaultPlan::new(plan);
        let job = if path.ends_with("payments") {
            "sync"
        } else {
            "export-customers"
        };
        installation.run_through(job);
        let activities = installation.host().storage.activities();
        let held = activities
            .iter()
            .find(|activity| activity.code == "unreadable" && activity.message.contains(what));
        assert_eq!(held.expect("it is held").local_id, "1");
    }
    assert_in_step(&isp, &mut installation);
}

#[test]
fn a_lost_answer_is_looked_up_before_anything_is_sent_again() {
    let isp = Isp::seeded(Size::Tiny, 2);
    for act in [
        json!("drop-after"),
        json!("refuse"),
        json!("html"),
        json!({"status": {"code": 500, "before": false}}),
    ] {
        for path in [
            "Customer/Save",
            "TaxInvoice/Save",
            "CustomerReturn/Save",
            "CustomerReceipt/Save",
        ] {
            println!("{act} on {path}");
            let mut installation = Installation::new(&isp, false);
            let plan = json!({"faults": [
                {"service": "sage", "when": {"method": "POST", "path": path, "nth": 2}, "do": act},
            ]});
            installation.world().faults = sandbox::faults::FaultPlan::new(
                sandbox::faults::Plan::from_json(&plan).expect("a fault plan"),
            );
            for _ in 0..4 {
                installation.run_through("sync");
                installation.advance(TimeDelta::minutes(6));
            }
            assert_in_step(&isp, &mut installation);
            assert!(open(&mut installation).is_empty());
        }
    }
}

#[test]
fn a_run_that_dies_at_any_call_leaves_nothing_doubled_and_nothing_lost() {
    let isp = Isp::seeded(Size::Tiny, 3);
    let mut undisturbed = Installation::new(&isp, false);
    undisturbed.run_through("sync");
    assert_in_step(&isp, &mut undisturbed);
    let calls = undisturbed.host().calls();
    let sides = [Side::Before, Side::After, Side::Within(1), Side::Within(2)];
    for point in (1..=calls).flat_map(|call| sides.map(|side| DeathPoint { call, side })) {
        let mut installation = Installation::new(&isp, false);
        assert!(
            installation.run_and_die("sync", point),
            "{point:?} is within the run"
        );
        for _ in 0..3 {
            installation.run_through("sync");
            installation.advance(TimeDelta::minutes(6));
        }
        assert_in_step(&isp, &mut installation);
        assert!(open(&mut installation).is_empty(), "{point:?}");
    }
}

/// The built component, where there is one; `scripts/test` insists on it.
fn component() -> Option<Plugin> {
    let path = std::env::var_os("ADDON_COMPONENT").map_or_else(
        || {
            std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../../target/plugin/splynx-sageone.wasm")
        },
        Into::into,
    );
    if !path.exists() {
        let required = std::env::var("REQUIRE_COMPONENT").is_ok_and(|value| value == "1");
        assert!(!required, "there is no component at {}", path.display());
        eprintln!(
            "skipped: no component at {}; scripts/build-plugin makes it",
            path.display()
        );
        return None;
    }
    let bytes = std::fs::metadata(&path).map_or(u64::MAX, |file| file.len());
    assert!(
        bytes < 1 << 20,
        "the component has {bytes} bytes, and may have a mebibyte"
    );
    Some(Plugin::load(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

#[test]
fn the_component_does_what_the_native_domain_does() {
    let Some(plugin) = component() else {
        return;
    };
    let isp = Isp::seeded(Size::Small, 6);
    let mut native = Installation::new(&isp, false);
    let planned = native.preview("sync").expect("the preview works");
    let (native_outcome, _) = native.run_through("sync");
    let mut component = Installation::with_component(&isp, false, plugin);
    assert_eq!(
        component.preview("sync").expect("the preview works"),
        planned
    );
    let (outcome, _) = component.run_through("sync");
    assert_eq!(outcome, native_outcome);
    assert_in_step(&isp, &mut component);
    let tables = |installation: &mut Installation| -> Vec<(String, Vec<(String, String)>)> {
        let storage = &installation.host().storage;
        storage
            .tables()
            .map(|(name, rows)| (name.to_owned(), rows.clone().into_iter().collect()))
            .collect()
    };
    assert_eq!(
        tables(&mut component),
        tables(&mut native),
        "the same state to the last byte"
    );
}
