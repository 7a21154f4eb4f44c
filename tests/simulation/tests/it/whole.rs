//! Everything goes over, once, within the limits; natively and as the component.

use chrono::TimeDelta;
use mock_host::MemoryStorage;
use sandbox::http::Service;
use sandbox::isp::{Isp, Size};
use simulation::books::{self, expected, held};
use simulation::installation::Installation;
use splynx_sageone::write::record::ATTENTION;

use crate::component::component;
use crate::judge::{assert_in_step, held_ids, open, splynx_requests, writes};

/// Requests to Sage that are neither creates nor look-ups of documents: mapping lists, calibration, allocations.
fn other_requests(requests: &std::collections::BTreeMap<String, u64>) -> u64 {
    [
        "GET Item/Get",
        "GET TaxType/Get",
        "GET BankAccount/Get",
        "GET CustomerCategory/Get",
        "POST TaxInvoice/Calculate",
        "GET Company/Current",
        "GET Allocation/Get",
        "POST Allocation/SaveBatch",
        "POST Allocation/Save",
    ]
    .iter()
    .filter_map(|request| requests.get(*request))
    .sum()
}

fn total(requests: &std::collections::BTreeMap<String, u64>) -> u64 {
    requests.values().sum()
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
    let spent = total(&requests) - other_requests(&requests);
    // The limits of a day part it into runs, and each day what was made before is watched.
    let watching = runs as u64 * 100;
    let most = documents as u64 * 101 / 100 + 10 + watching;
    assert!(
        spent <= most,
        "{spent} requests for {documents} new objects, {most} allowed"
    );
    assert_eq!(sage["requests"]["blocks"], 0);
    assert!(sage["requests"]["busiest_minute"].as_u64() <= Some(100));
    assert!(sage["requests"]["busiest_day"].as_u64() <= Some(5_000));
}

#[test]
pub fn a_company_that_holds_everything_already_gets_nothing_twice() {
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
