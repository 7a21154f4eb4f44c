//! A company whose documents are in Sage already: paired by number, never made twice.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use mock_host::{DeathPoint, Side};
use sandbox::http::Service;
use sandbox::isp::{Isp, Size};
use serde_json::{Value, json};
use simulation::books;
use simulation::installation::Installation;
use splynx_sageone::write::record::REMOTE;

use crate::judge::{held_ids, open, writes};

const JOBS: [&str; 2] = ["pair-same-number-invoices", "pair-same-number-credit-notes"];

/// The company as another add-on left it, with all its customers paired and nothing exported: every from-date is tomorrow.
fn taken_over(isp: &Isp) -> Installation {
    let mut installation = Installation::new(isp, true);
    let tomorrow = (isp.today + TimeDelta::days(1)).to_string();
    for kind in ["invoices", "credit_notes", "payments"] {
        installation.set(&format!("export_{kind}_from"), &tomorrow);
    }
    installation.run_through("load-customers-for-pairing");
    let proposed = installation.rows("pairing", &[("state", "proposed")]);
    let ids: Vec<&str> = proposed.iter().map(|row| row[0].as_str()).collect();
    installation
        .act("pairing", "pair", &ids, &[])
        .expect("each has a proposal of its own");
    installation.run_through("export-customers");
    installation
}

/// The pairs of documents: Sage's side → ours.
fn pairs(installation: &mut Installation) -> BTreeMap<String, String> {
    let tables = installation.host().storage.tables();
    let remote = tables.filter(|(name, _)| *name == REMOTE);
    remote
        .flat_map(|(_, rows)| rows.clone())
        .filter(|(_, ours)| !ours.starts_with("customer"))
        .collect()
}

fn number_of(row: &Value) -> String {
    row["DocumentNumber"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// F68, I11, I12, D5, D8, F34: documents of any date are paired where number, customer, date and total agree; what differs is reported
/// and left alone; afterwards they count as synchronised, also with an earlier from-date. The preview says just that.
#[test]
fn documents_of_the_same_number_are_paired_where_everything_agrees() {
    let isp = Isp::seeded(Size::Tiny, 6);
    let mut installation = taken_over(&isp);
    let state = installation.world().sage.state();
    let invoices = books::rows(&state, "invoices").to_vec();
    let customers = books::rows(&state, "customers").to_vec();
    let another = |row: &Value| {
        let other = customers.iter().find(|c| c["ID"] != row["CustomerId"]);
        other.expect("another customer")["ID"].clone()
    };
    // The bookkeeper made three of them again under the old number: for another customer, on another day, over another amount.
    let [day, amount, customer] = [0, 1, 2].map(|place| invoices[place].clone());
    for (row, what) in [(&day, "date"), (&amount, "total"), (&customer, "customer")] {
        installation.in_sage(&json!({"entity": "invoices", "act": "void", "id": row["ID"]}));
        installation.in_sage(&json!({"entity": "invoices", "act": "delete", "id": row["ID"]}));
        let (mut date, mut price, mut whose) = (
            row["Date"].clone(),
            row["Total"].clone(),
            row["CustomerId"].clone(),
        );
        match what {
            "date" => date = json!("2025-12-24"),
            "total" => price = json!(7),
            _ => whose = another(row),
        }
        installation.in_sage(&json!({"entity": "invoices", "act": "create", "fields": {
            "CustomerId": whose, "Date": date, "DueDate": date, "Inclusive": true, "DocumentNumber": number_of(row),
            "Lines": [{"LineType": 0, "SelectionId": isp.sage.items[0].id, "TaxTypeId": isp.sage.tax_types[0].id,
                "Description": "By hand", "Quantity": 1, "UnitPriceInclusive": price}],
        }}));
    }
    let before = held_ids(&mut installation);
    let wrote = writes(&mut installation);
    for job in JOBS {
        let plan = installation.preview(job).expect("the preview works");
        let mut planned: Vec<String> = plan.iter().map(|row| row.id.clone()).collect();
        assert!(plan.iter().all(|row| row.cells[0] == "pair"), "{plan:?}");
        let previewed = installation.host().reports.get("difference").cloned();
        let known = pairs(&mut installation);
        let (outcome, _) = installation.run_through(job);
        let report = installation.host().reports.get("difference").cloned();
        assert_eq!(previewed, report, "{job}");
        let mut made: Vec<String> = pairs(&mut installation)
            .into_iter()
            .filter(|(sage, _)| !known.contains_key(sage))
            .map(|(_, ours)| ours)
            .map(|ours| {
                let (kind, id) = ours.split_once('/').expect("a key");
                format!("{kind}/{}", id.trim_start_matches('0'))
            })
            .collect();
        planned.sort();
        made.sort();
        assert_eq!(planned, made, "{job}");
        let Some(report) = report else {
            assert_eq!(outcome.why, None);
            continue;
        };
        assert_eq!(
            outcome.why.map(|why| why.code).as_deref(),
            Some("numbers-differ")
        );
        for (row, what) in [(&day, "date"), (&amount, "total"), (&customer, "customer")] {
            let number = number_of(row);
            let found = report.iter().find(|line| line.cells[1] == number);
            let found = found.unwrap_or_else(|| panic!("{number} is not reported: {report:?}"));
            assert_eq!(found.cells[2], what, "{found:?}");
        }
        assert_eq!(report.len(), 3);
    }
    let paired = pairs(&mut installation).len();
    assert_eq!(paired, isp.invoices.len() - 3 + isp.credit_notes.len());
    assert_eq!(
        writes(&mut installation),
        wrote,
        "nothing was written to either service"
    );

    // A from-date that brings the history back finds it synchronised; the three are held with the cure.
    for kind in ["invoices", "credit_notes", "payments"] {
        installation.set(&format!("export_{kind}_from"), &isp.first_day().to_string());
    }
    installation.run_through("sync");
    assert_eq!(held_ids(&mut installation), before, "nothing was created");
    let held = installation.rows("records", &[("kind", "invoice"), ("state", "held")]);
    assert_eq!(held.len(), 3);
    let synced = installation.rows("records", &[("kind", "invoice"), ("state", "synced")]);
    assert_eq!(synced.len(), isp.invoices.len() - 3);
    assert!(open(&mut installation).is_empty());
    // What was paired is compared with Splynx from then on.
    let free = isp
        .invoices
        .iter()
        .find(|i| synced.iter().any(|row| row[1] == i.id.to_string()))
        .expect("one that is paired");
    assert_eq!(
        synced
            .iter()
            .find(|row| row[1] == free.id.to_string())
            .map(|row| row[2].as_str()),
        Some(free.number.as_str())
    );
}

/// F68, I6: our own key in the reference pairs too, whatever the number; customers that are not paired are named; those of a partner
/// that is left out are passed over.
#[test]
fn our_key_pairs_whatever_the_number_and_unpaired_customers_are_named() {
    let isp = Isp::seeded(Size::Tiny, 7);
    let mut installation = Installation::new(&isp, false);
    // Sage numbers the documents itself, and then the database is lost.
    installation.set("use_system_document_number", "off");
    installation.run_through("sync");
    let before = held_ids(&mut installation);
    let expected = pairs(&mut installation);
    installation.host().storage = mock_host::MemoryStorage::default();
    installation.run_through("pair-same-number-invoices");
    let report = installation.host().reports["difference"].clone();
    assert_eq!(report.len(), isp.invoices.len());
    assert!(
        report
            .iter()
            .all(|row| row.cells[2] == "customer" && row.cells[3].contains("not paired"))
    );
    installation.run_through("export-customers");
    for job in JOBS {
        installation.run_through(job);
        assert!(
            !installation.host().reports.contains_key("difference"),
            "{job}"
        );
    }
    let documents = |all: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        let mut all = all.clone();
        all.retain(|_, ours| !ours.starts_with("payment") && !ours.starts_with("allocation"));
        all
    };
    assert_eq!(pairs(&mut installation), documents(&expected));
    installation.run_through("sync");
    assert_eq!(held_ids(&mut installation), before);

    let mut installation = taken_over(&isp);
    let partner = isp.customers[0].partner_id.to_string();
    installation.set("partners_ignore", &partner);
    installation.run_through("export-customers");
    installation.run_through("pair-same-number-invoices");
    let paired = pairs(&mut installation).len();
    let others = isp
        .customers
        .iter()
        .filter(|c| c.partner_id.to_string() != partner);
    let others: Vec<i64> = others.map(|c| c.id).collect();
    let theirs = isp
        .invoices
        .iter()
        .filter(|i| others.contains(&i.customer_id));
    assert_eq!(paired, theirs.count());
}

/// F68: the job can die at any call, and can be repeated.
#[test]
fn pairing_by_number_can_die_at_any_call_and_be_repeated() {
    let isp = Isp::seeded(Size::Tiny, 8);
    for job in JOBS {
        let mut undisturbed = taken_over(&isp);
        undisturbed.run(job).expect("it works");
        let calls = undisturbed.host().calls();
        let expected = pairs(&mut undisturbed);
        assert!(!expected.is_empty());
        for point in (1..=calls)
            .flat_map(|call| [Side::Before, Side::After].map(|side| DeathPoint { call, side }))
        {
            let mut installation = taken_over(&isp);
            let wrote = writes(&mut installation);
            assert!(installation.run_and_die(job, point), "{job}: {point:?}");
            installation.run(job).expect("it works");
            assert_eq!(pairs(&mut installation), expected, "{job}: {point:?}");
            assert_eq!(writes(&mut installation), wrote);
        }
    }
}
