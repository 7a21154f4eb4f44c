//! Automatic runs: which kinds, on which days, in which order; and what a changed setting brings back.

use addon_manifest::Manifest;
use chrono::{DateTime, TimeDelta, Utc};
use sandbox::http::Service;
use sandbox::isp::{Isp, Size};
use serde_json::json;
use simulation::books::{expected, held, rows};
use simulation::installation::Installation;
use simulation::world::MANIFEST;

use crate::judge::{assert_in_step, writes};

const TOGGLES: [&str; 4] = ["customers", "invoices", "credit_notes", "payments"];

/// F35, F36, F37, F38, F39, I8, D4, D8: each toggle runs its kind and no other; payments on their days only, a day that a month
/// lacks being its last; all off, a sync says so and does nothing, and every kind can be run by hand all the same.
#[test]
fn each_toggle_runs_its_kind_and_payments_on_their_days_only() {
    let isp = Isp::seeded(Size::Tiny, 9);
    for switched in 0..16u32 {
        let mut installation = Installation::new(&isp, false);
        let on = |n: usize| switched >> n & 1 == 1;
        for (n, kind) in TOGGLES.iter().enumerate() {
            let value = if on(n) { "on" } else { "off" };
            installation.set(&format!("cron_{kind}"), value);
        }
        if !on(0) {
            installation.run_through("export-customers");
        }
        let before = writes(&mut installation);
        let (outcome, _) = installation.run_through("sync");
        if switched == 0 {
            let why = outcome.why.map(|why| why.code);
            assert_eq!(why.as_deref(), Some("nothing-due"));
            assert_eq!(writes(&mut installation), before);
        }
        let (held, all) = (held(installation.world()), expected(&isp));
        assert_eq!(held.customers, all.customers);
        assert_eq!(!held.invoices.is_empty(), on(1), "{switched:04b}");
        assert_eq!(!held.credit_notes.is_empty(), on(2), "{switched:04b}");
        assert_eq!(!held.receipts.is_empty(), on(3), "{switched:04b}");
        for job in [
            "export-customers",
            "export-invoices",
            "export-credit-notes",
            "export-payments",
        ] {
            installation.run_through(job);
        }
        assert_in_step(&isp, &mut installation);
    }

    // From the 27th of February on: the 31st is the 28th.
    let mut installation = Installation::new(&isp, false);
    installation.set("cron_payment_days", "1, 31");
    let day = |text: &str| -> DateTime<Utc> { text.parse().expect("a time") };
    // Half past ten in the evening of the 27th UTC is the 28th in Johannesburg.
    for (now, due) in [
        ("2027-02-26T10:00:00Z", false),
        ("2027-02-27T21:30:00Z", false),
        ("2027-02-27T22:30:00Z", true),
    ] {
        installation.world().now = day(now);
        installation.run_through("sync");
        let sent = held(installation.world());
        assert_eq!(sent.invoices.len(), 6);
        assert_eq!(!sent.receipts.is_empty(), due, "{now}");
    }
}

/// F69, F39: a sync goes customers, invoices, credit notes, payments, allocations, one kind after the other.
#[test]
fn a_sync_goes_through_the_kinds_in_their_order() {
    let isp = Isp::seeded(Size::Tiny, 10);
    let mut installation = Installation::new(&isp, false);
    installation.run_through("sync");
    let state = installation.world().sage.state();
    let mut before = String::new();
    for entity in [
        "customers",
        "invoices",
        "returns",
        "receipts",
        "allocations",
    ] {
        let made: Vec<String> = rows(&state, entity)
            .iter()
            .map(|row| row["Created"].as_str().unwrap_or_default().to_owned())
            .collect();
        let (first, last) = (made.iter().min(), made.iter().max());
        let (first, last) = (first.expect("some"), last.expect("some"));
        assert!(
            *first >= before,
            "{entity} began at {first}, after {before}"
        );
        before.clone_from(last);
    }
    // By hand, out of order: nothing goes before what it needs.
    let mut installation = Installation::new(&isp, false);
    for job in ["export-payments", "export-credit-notes", "export-invoices"] {
        installation.run_through(job);
    }
    assert_eq!(writes(&mut installation), 0);
    let waiting = installation.rows("outbox", &[("state", "held")]);
    assert!(
        waiting
            .iter()
            .any(|row| row[3].contains("is not in Sage yet"))
    );
    for job in ["export-customers", "export-payments", "export-invoices"] {
        installation.run_through(job);
    }
    let sent = held(installation.world());
    assert_eq!(sent.invoices.len(), isp.invoices.len());
    installation.advance(TimeDelta::minutes(15));
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);
}

/// D5, D6, F13, F17, F34, I6: what was skipped comes back with the setting that it names, and only then.
#[test]
fn a_setting_that_changes_brings_back_what_it_had_left_out() {
    let isp = Isp::seeded(Size::Small, 13);
    let later = (isp.today - TimeDelta::days(40)).to_string();
    let first = isp.first_day().to_string();
    let all: Vec<String> = isp
        .setup()
        .into_iter()
        .filter(|(key, _)| key == "payments_push_methods")
        .map(|(_, v)| v)
        .collect();
    for (key, narrow, wide) in [
        ("partners_ignore", "2", ""),
        ("export_invoices_from", later.as_str(), first.as_str()),
        ("export_credit_notes_from", &later, &first),
        ("export_payments_from", &later, &first),
        ("payments_push_methods", "1", &all[0]),
        ("payments_direction", "from_sage", "to_sage"),
    ] {
        let mut installation = Installation::new(&isp, false);
        installation.set(key, narrow);
        installation.run_through("sync");
        let (sent, wanted) = (held(installation.world()), expected(&isp));
        assert_ne!(sent, wanted, "{key} leaves something out");
        installation.in_splynx(&json!({"entity": "customers", "act": "update", "id": isp.customers[0].id, "fields": {"city": "Ceres"}}));
        installation.run_through("sync");
        assert_eq!(held(installation.world()), sent, "{key}");
        installation.set(key, wide);
        installation.run_through("sync");
        println!("{key}");
        assert_in_step(&isp, &mut installation);
    }
}

/// D17, F40, F18, F20, F30, F33, F34, F15: what an operator gets who sets nothing is the safe choice.
#[test]
fn the_defaults_are_the_safe_choices() {
    let manifest = Manifest::parse(MANIFEST).expect("the add-on's manifest is valid");
    for (key, default) in [
        ("cron_customers", "off"),
        ("cron_invoices", "off"),
        ("cron_credit_notes", "off"),
        ("cron_payments", "off"),
        ("create_payment_without_invoice", "off"),
        ("create_payment_for_paid_invoice", "off"),
        ("payments_direction", "to_sage"),
        ("use_inclusive_amounts", "on"),
        ("use_system_document_number", "on"),
        ("use_credit_notes", "on"),
        ("sync_every_minutes", "15"),
    ] {
        let setting = manifest.settings.iter().find(|setting| setting.key == key);
        let setting = setting.unwrap_or_else(|| panic!("{key} is a setting"));
        assert_eq!(setting.default.as_deref(), Some(default), "{key}");
    }
}
