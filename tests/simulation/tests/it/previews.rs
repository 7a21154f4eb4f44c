//! A preview of each job lists exactly what the job then does, and changes nothing.

use std::collections::BTreeSet;

use addon_host::manifest::Manifest;
use mock_host::contract::Row;
use sandbox::isp::{Isp, Size};
use serde_json::json;
use simulation::installation::Installation;
use simulation::world::MANIFEST;
use splynx_sageone::capability::Pair;

use crate::desk::{Desk, line, with};
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

/// Two services in which everything has happened since the last sync, the day before.
fn busy() -> Desk {
    let mut desk = Desk::new(5);
    let [first, second, third, fourth] = [0, 1, 2, 3].map(|place| desk.customer(place));
    desk.set("create_payment_without_invoice", "on");
    desk.set("import_payments_from", "2026-02-10");
    let [changed, deleted, open, refused] = [1, 2, 3, 4].map(|_| desk.invoice(first));
    let note = desk.credit_note(second, json!({"number": "CN 1"}));
    let pay = |desk: &mut Desk, customer: i64, amount: &str, number: &str, more| {
        desk.payment(
            customer,
            amount,
            with(json!({"receipt_number": number}), more),
        )
    };
    let edited = pay(&mut desk, third, "40", "R1", json!({}));
    let gone = pay(&mut desk, fourth, "50", "R2", json!({}));
    let paid = desk.invoice(fourth);
    desk.run("sync");

    desk.splynx("customers", "update", first, json!({"city": "Ceres"}));
    desk.splynx("customers", "update", second, json!({"category": "lead"}));
    desk.reprice(changed, "200");
    desk.splynx("invoices", "delete", deleted, json!({}));
    desk.splynx("credit_notes", "update", note, json!({"status": "deleted"}));
    desk.splynx("payments", "update", edited, json!({"amount": "41"}));
    desk.splynx("payments", "delete", gone, json!({}));
    // More is allocated to it in Sage than it will be worth.
    desk.receipt(first, "2026-02-02", "115", &[(refused, "115", "0")]);
    desk.reprice(refused, "10");
    let new = desk.invoice(third);
    desk.invoice_of(
        third,
        &[with(line("Group", "1", "1"), json!({"tax_id": 3}))],
        json!({}),
    );
    desk.invoice_of(third, &[line("Nothing", "1", "0")], json!({}));
    desk.credit_note(third, json!({"number": "CN 2"}));
    pay(&mut desk, third, "150", "R3", json!({"invoice_id": new}));
    pay(&mut desk, fourth, "115", "R4", json!({"invoice_id": paid}));
    pay(&mut desk, third, "-5", "R5", json!({}));
    desk.receipt(first, "2026-02-17", "120", &[(open, "115", "0")]);
    desk.receipt(first, "2026-02-18", "7", &[]);

    // A bookkeeper has typed in a document of each kind under Splynx's number, and a customer.
    for (entity, in_splynx, id) in [
        ("invoices", "invoices", desk.invoice(fourth)),
        (
            "returns",
            "credit_notes",
            desk.credit_note(fourth, json!({"number": "CN 3"})),
        ),
    ] {
        let rows = desk.state(false, in_splynx);
        let row = rows
            .iter()
            .find(|row| row["id"] == json!(id))
            .expect("it is there");
        let date = row["date_created"].clone();
        let fields = json!({"CustomerId": desk.sage_customer(fourth), "Date": date, "DueDate": date, "Inclusive": true,
            "DocumentNumber": row["number"], "Lines": [{"LineType": 0, "SelectionId": 2001, "TaxTypeId": 301,
            "Description": "By hand", "Quantity": 1, "UnitPriceInclusive": 115}]});
        desk.sage(entity, "create", 0, fields);
    }
    desk.sage(
        "customers",
        "create",
        0,
        json!({"Name": "Typed in", "ContactName": "Typed in"}),
    );
    let fields = json!({"name": "Somebody new", "login": "new", "category": "person", "partner_id": 1, "location_id": 1,
        "status": "active", "email": "new@new.example"});
    desk.splynx("customers", "create", 0, fields);
    desk.pass(24 * 60);
    desk
}

/// F39, F59, F60, F62, F63, F64, F67, F68, D2, D5, D7, D11: every job of the manifest that can be previewed, in a world in which all kinds of
/// things have happened: the plan is what the job does, row by row, with names, amounts and reasons.
#[test]
fn every_job_does_exactly_what_its_preview_lists() {
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
    ];
    let previewed = manifest.jobs.iter().filter(|job| job.preview);
    let previewed: BTreeSet<&str> = previewed.map(|job| job.id.as_str()).collect();
    assert_eq!(previewed, table.iter().map(|(job, _)| *job).collect());
    for (job, acts) in table {
        let mut desk = busy();
        let mut options = Vec::new();
        if job == "import-pairing" {
            let customers = desk.state(true, "customers");
            let typed = customers.iter().find(|row| row["Name"] == "Typed in");
            let new = desk.state(false, "customers");
            let new = new.iter().find(|row| row["login"] == "new");
            let csv = format!(
                "splynx_id,sage_id\n{},{}\n77,88\n",
                new.expect("it is there")["id"],
                typed.expect("it is there")["ID"]
            );
            options.push(("csv".to_owned(), csv));
        }
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
