//! A preview of each job lists exactly what the job then does, and changes nothing.

use std::collections::BTreeSet;

use addon_manifest::Manifest;
use mock_host::contract::Row;
use sandbox::isp::{Isp, Size};
use serde_json::json;
use simulation::installation::Installation;
use simulation::world::MANIFEST;
use splynx_sageone::capability::Pair;

use crate::busy::{busy, options};
use crate::desk::Desk;
use crate::judge::writes;

/// A row of a plan, and the activity that it foretells: act, record, name, amount, reason.
type Act = [String; 5];

/// What a preview of a job says, and what the job then did.
fn foretold_and_done(
    installation: &mut Installation,
    job: &str,
    options: &[Pair],
) -> (Vec<Act>, Vec<Act>) {
    let wrote = writes(installation);
    let tables = |installation: &mut Installation| -> Vec<(String, String, String)> {
        let storage = &installation.host().storage;
        storage
            .tables()
            .flat_map(|(table, rows)| {
                rows.iter()
                    .map(|(key, value)| (table.to_owned(), key.clone(), value.clone()))
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let stored = tables(installation);
    let plan = installation
        .preview_with(job, options)
        .unwrap_or_else(|why| panic!("the preview of {job}: {why:?}"));
    assert_eq!(writes(installation), wrote, "{job}: nothing was written");
    assert_eq!(tables(installation), stored, "{job}: nothing was stored");
    let told = installation.host().storage.activities().len();
    installation
        .run_with(job, options)
        .unwrap_or_else(|why| panic!("{job}: {why:?}"));
    let done = installation.host().storage.activities()[told..]
        .iter()
        .map(|activity| {
            let act = match activity.action.as_str() {
                "created" => "create",
                "updated" => "update",
                "paired" => "pair",
                "skipped" => "skip",
                "held" => "hold",
                "owed" => "owe",
                "imported" => "import",
                "listed" => "list",
                other => other,
            };
            let amount = activity.more.iter().find(|(name, _)| name == "amount");
            [
                act.to_owned(),
                format!("{}/{}", activity.entity, activity.local_id),
                activity.label.clone(),
                amount.map(|(_, a)| a.clone()).unwrap_or_default(),
                activity.message.clone(),
            ]
        })
        .collect();
    let of = |row: &Row, cell: usize| row.cells[cell].clone();
    let foretold = plan
        .iter()
        .map(|row| {
            [
                of(row, 0),
                row.id.clone(),
                of(row, 3),
                of(row, 4),
                of(row, 5),
            ]
        })
        .collect();
    (foretold, done)
}

/// F39, F59, F60, F62, F63, F64, F67, F68, D2, D5, D7, D11: every job of the manifest that can be previewed, in a world in which all kinds of
/// things have happened: the plan is what the job does, row by row, with names, amounts and reasons.
#[test]
pub fn every_job_does_exactly_what_its_preview_lists() {
    let manifest = Manifest::parse(MANIFEST).expect("the add-on's manifest is valid");
    // Each with the acts that it must come to in that world, so that no preview is right by being empty.
    let table = [
        ("import-pairing", "pair"),
        ("export-customers", "create update skip"),
        ("export-invoices", "create update hold skip pair"),
        ("export-credit-notes", "create owe"),
        ("export-payments", "create owe removed"),
        ("import-payments", "import"),
        ("import-all-payments", "import"),
        ("sweep", "update hold owe"),
        ("pair-same-number-invoices", "pair"),
        ("pair-same-number-credit-notes", "pair"),
        ("sync", "create update hold skip owe import removed"),
        ("sync-records", "create update hold skip"),
    ];
    let previewed = manifest.jobs.iter().filter(|job| job.preview);
    let previewed: BTreeSet<&str> = previewed.map(|job| job.id.as_str()).collect();
    assert_eq!(previewed, table.iter().map(|(job, _)| *job).collect());
    for (job, acts) in table {
        let mut desk = busy();
        let options = options(&mut desk, job);
        let (foretold, done) = foretold_and_done(&mut desk.installation, job, &options);
        assert_eq!(foretold, done, "{job}");
        let came: BTreeSet<&str> = done.iter().map(|act| act[0].as_str()).collect();
        for act in acts.split(' ') {
            assert!(came.contains(act), "{job} came to no {act}: {came:?}");
        }
    }
}

/// The same for the first sync of whole providers, into an empty company and into one that another add-on has fed, with a mapping that is missing.
#[test]
fn a_first_sync_does_exactly_what_its_preview_lists() {
    let isp = Isp::seeded(Size::Small, 5);
    for in_step in [false, true] {
        let mut installation = Installation::new(&isp, in_step);
        installation.set("item.9", "");
        let (foretold, done) = foretold_and_done(&mut installation, "sync", &[]);
        assert!(foretold.len() > 500, "there was something to plan");
        assert_eq!(foretold, done);
    }
}

/// What a preview that fails had come to was not done, and is not told as if it were; what a run had done is.
#[test]
fn a_preview_that_fails_tells_nothing_as_done() {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    desk.invoice(customer);
    desk.payment(customer, "20", json!({}));
    let receipts = json!({"method": "GET", "path": "CustomerReceipt/Get"});
    desk.with_fault("sage", receipts, &json!({"status": {"code": 500}}));
    let why = desk.installation.preview_with("sync", &[]);
    let why = why.expect_err("receipts cannot be read").message;
    assert!(!why.contains("Done in this run"), "{why}");
    let why = desk.installation.run("sync");
    let why = why.expect_err("receipts cannot be read").message;
    assert!(
        why.contains("Done in this run: 1 invoices created"),
        "{why}"
    );
}
