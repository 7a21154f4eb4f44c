//! What people do later: dating back, allocating, editing, deleting, pairing, changing settings.

use sandbox::http::Service;
use serde_json::{Value, json};
use simulation::books::{self, rows};

use super::{Desk, dec, id_of, money, shown};
use crate::judge::writes;

fn titles(desk: &mut Desk) -> Vec<String> {
    let statements = desk.state(false, "bank_statements");
    let mut titles: Vec<String> = statements
        .iter()
        .filter_map(|row| Some(row["title"].as_str()?.to_owned()))
        .collect();
    titles.sort();
    titles
}

fn sage_requests(desk: &mut Desk) -> u64 {
    books::requests(desk.installation.world()).values().sum()
}

/// F12, F14, F63, F64, I7, D2, D5: import new and import all, again and again, with receipts that are dated back, and with the from-date
/// moved both ways; statements by month and by day.
#[test]
fn import_new_and_import_all_never_import_twice_whatever_the_dates() {
    let mut desk = Desk::new(2);
    let (first, second) = (desk.customer(0), desk.customer(1));
    desk.set("create_payment_without_invoice", "on");
    desk.set("import_payments_from", "2026-02-01");
    let before = desk.receipt(first, "2026-01-31", "10", &[]);
    let on_the_day = desk.receipt(first, "2026-02-01", "20", &[]);
    desk.import();
    assert_eq!(
        shown(&desk.lines(on_the_day)),
        ["1: 20 paid"],
        "the date is inclusive"
    );
    assert_eq!(desk.lines(before), []);

    // Dated back, and made after the cursor.
    let late = desk.receipt(second, "2026-02-02", "30", &[]);
    let too_late = desk.receipt(second, "2026-01-30", "40", &[]);
    desk.import();
    assert_eq!(shown(&desk.lines(late)), ["1: 30 paid"]);
    assert_eq!(desk.lines(too_late), []);
    assert_eq!(
        desk.record(too_late),
        ("skipped".to_owned(), "too-early".to_owned())
    );
    assert_eq!(titles(&mut desk), ["SageOne (2026-02)"]);

    // The quiet cycle: two requests to Sage, nothing written.
    let (asked, wrote) = (sage_requests(&mut desk), writes(&mut desk.installation));
    desk.import();
    // New receipts, new allocations, and receipts that were changed.
    assert!(sage_requests(&mut desk) - asked <= 3);
    desk.import_all();
    desk.import_all();
    assert_eq!(writes(&mut desk.installation), wrote);

    // An earlier date brings in what was left out, also what was never listed; by day now.
    desk.set("bank_statements_group", "day");
    desk.set("import_payments_from", "2026-01-31");
    desk.import();
    assert_eq!(shown(&desk.lines(before)), ["1: 10 paid"]);
    assert_eq!(desk.lines(too_late), []);
    assert_eq!(
        titles(&mut desk),
        ["SageOne (2026-01-31)", "SageOne (2026-02)"]
    );
    desk.set("import_payments_from", "2026-01-01");
    desk.import();
    assert_eq!(shown(&desk.lines(too_late)), ["1: 40 paid"]);
    let wrote = writes(&mut desk.installation);
    for from in ["2026-02-20", "2026-02-01", "2026-01-01"] {
        desk.set("import_payments_from", from);
        desk.import();
        desk.import_all();
    }
    assert_eq!(
        writes(&mut desk.installation),
        wrote,
        "a later date deletes nothing, and back again makes nothing"
    );
    assert_eq!(desk.state(false, "payments").len(), 4);
    assert_eq!(desk.state(false, "bank_statements").len(), 3);
}

/// F18, F20, D9, I3: a waiting line follows its allocations and its settings; paid money is fixed.
#[test]
fn a_line_is_decided_anew_when_its_allocations_or_the_settings_change() {
    let mut desk = Desk::new(2);
    let customer = desk.customer(0);
    let invoice = desk.invoice(customer);
    let other = desk.invoice(customer);
    desk.export_invoices();
    let receipt = desk.receipt(customer, "2026-02-17", "200", &[]);
    desk.import();
    assert_eq!(shown(&desk.lines(receipt)), ["1: 200 new"]);
    assert_eq!(
        desk.record(receipt),
        ("held".to_owned(), "unlinked".to_owned())
    );
    // Allocated later: the invoice gets a line of its own, the rest keeps its line.
    desk.allocate(receipt, invoice, "115", "0");
    desk.import();
    assert_eq!(shown(&desk.lines(receipt)), ["1: 85 new", "2: 115 paid"]);
    assert_eq!(desk.invoice_status(invoice), "paid");
    let part = desk.allocate(receipt, other, "60", "0");
    desk.import();
    assert_eq!(
        shown(&desk.lines(receipt)),
        ["1: 25 new", "2: 115 paid", "3: 60 new"]
    );
    // The allocation is taken back in Sage: a line too many is cancelled, and its number is not used again.
    let gone = desk
        .state(true, "allocations")
        .iter()
        .find(|row| row["Total"].to_string().starts_with("60"))
        .map(|row| id_of(row, "ID"));
    assert!(gone.is_some() && part > 0);
    desk.sage("allocations", "delete", gone.unwrap_or_default(), json!({}));
    desk.import_all();
    assert_eq!(
        shown(&desk.lines(receipt)),
        ["1: 85 new", "2: 115 paid", "3: 60 canceled"]
    );
    desk.set("create_payment_without_invoice", "on");
    desk.import();
    assert_eq!(
        shown(&desk.lines(receipt)),
        ["1: 85 paid", "2: 115 paid", "3: 60 canceled"]
    );
    assert_eq!(desk.record(receipt), ("synced".to_owned(), "".to_owned()));
    // What was paid from the balance is not paid again where Sage allocates it afterwards.
    desk.allocate(receipt, other, "85", "0");
    desk.import();
    desk.import_all();
    let paid: Vec<_> = desk
        .payments(receipt)
        .iter()
        .map(|row| money(&row["amount"]))
        .collect();
    assert_eq!(
        paid,
        [dec("115"), dec("85")],
        "in the order in which they were made"
    );

    // F20 alone brings back what waits for it.
    let customer = desk.customer(1);
    let invoice = desk.invoice(customer);
    desk.export_invoices();
    desk.splynx(
        "payments",
        "create",
        0,
        json!({"customer_id": customer, "payment_type": 6, "date": "2026-02-03", "amount": "115",
        "invoice_id": invoice, "receipt_number": "till"}),
    );
    let receipt = desk.receipt(customer, "2026-02-18", "115", &[(invoice, "115", "0")]);
    desk.import();
    assert_eq!(
        desk.record(receipt),
        ("held".to_owned(), "invoice-paid".to_owned())
    );
    desk.set("create_payment_for_paid_invoice", "on");
    desk.import();
    assert_eq!(shown(&desk.lines(receipt)), ["1: 115 paid"]);

    // A discount settles in full with less money, and is told once.
    let customer = desk.customer(0);
    let invoice = desk.invoice(customer);
    desk.export_invoices();
    let receipt = desk.receipt(customer, "2026-02-19", "110", &[(invoice, "110", "5")]);
    desk.set("create_payment_without_invoice", "off");
    for _ in 0..2 {
        desk.import_all();
        assert_eq!(shown(&desk.lines(receipt)), ["1: 110 paid"]);
        assert_eq!(
            desk.record(receipt),
            ("owed".to_owned(), "discount".to_owned())
        );
    }
    let activities = desk.installation.host().storage.activities();
    assert_eq!(
        activities.iter().filter(|a| a.code == "discount").count(),
        1
    );
}

/// D2, D7, I7: a receipt that is edited or deleted in Sage takes its waiting lines along; where it was paid, a person owes the rest.
#[test]
fn an_edited_or_deleted_receipt_moves_what_waits_and_owes_what_was_paid() {
    let mut desk = Desk::new(2);
    let (customer, other) = (desk.customer(0), desk.customer(1));
    desk.installation.run_through("calibrate");
    let waiting = desk.receipt(customer, "2026-02-17", "50", &[]);
    let deleted = desk.receipt(customer, "2026-02-17", "60", &[]);
    desk.import();
    let paid_ids = {
        desk.set("create_payment_without_invoice", "on");
        let ids = [
            ("70", "less"),
            ("80", "more"),
            ("90", "moved"),
            ("95", "gone"),
        ]
        .map(|(total, _)| desk.receipt(other, "2026-02-18", total, &[]));
        desk.set("import_payments_from", "2026-02-18");
        desk.import();
        ids
    };
    desk.set("import_payments_from", "2026-02-01");
    desk.set("create_payment_without_invoice", "off");
    let [less, more, moved, gone] = paid_ids;
    for (receipt, total) in [(less, "70"), (more, "80"), (moved, "90"), (gone, "95")] {
        assert_eq!(shown(&desk.lines(receipt)), [format!("1: {total} paid")]);
    }
    desk.sage(
        "receipts",
        "update",
        waiting,
        json!({"Total": "55", "Date": "2026-02-16"}),
    );
    desk.sage("receipts", "delete", deleted, json!({}));
    desk.sage("receipts", "update", less, json!({"Total": "65"}));
    desk.sage("receipts", "update", more, json!({"Total": "100"}));
    desk.sage("receipts", "update", moved, json!({"Date": "2026-02-20"}));
    desk.sage("receipts", "delete", gone, json!({}));
    // Sage's lists can be searched by changes, as the calibration has found: edits are noticed by "import new" too, deletions not.
    desk.import();
    assert_eq!(shown(&desk.lines(waiting)), ["1: 55 new"]);
    assert_eq!(shown(&desk.lines(more)), ["1: 80 paid", "2: 20 new"]);
    for _ in 0..2 {
        desk.import_all();
        assert_eq!(shown(&desk.lines(waiting)), ["1: 55 new"]);
        assert_eq!(shown(&desk.lines(deleted)), ["1: 60 canceled"]);
        assert_eq!(shown(&desk.lines(less)), ["1: 70 paid"]);
        assert_eq!(shown(&desk.lines(more)), ["1: 80 paid", "2: 20 new"]);
        assert_eq!(shown(&desk.lines(gone)), ["1: 95 paid"]);
        for (receipt, state, code) in [
            (waiting, "held", "unlinked"),
            (deleted, "skipped", "deleted"),
            (less, "owed", "changed-in-sage"),
            (more, "held", "unlinked"),
            (moved, "owed", "changed-in-sage"),
            (gone, "owed", "deleted-in-sage"),
        ] {
            assert_eq!(
                desk.record(receipt),
                (state.to_owned(), code.to_owned()),
                "{receipt}"
            );
        }
    }
    let records = desk.state(false, "bank_statements_records");
    let record = records.iter().find(|row| is_of_line(row, waiting, 1));
    assert_eq!(record.expect("it is listed")["payment_date"], "2026-02-16");
}

/// D10, F78, I10: somebody pairs a line on Splynx's own screen, with a method that is sent to Sage; it is noted before payments go out,
/// and no second payment is made when the settings would allow one.
#[test]
fn a_line_that_somebody_pairs_on_splynxs_screen_is_paid_by_that_payment() {
    for waits_for_a_sync in [true, false] {
        let mut desk = Desk::new(1);
        let customer = desk.customer(0);
        let invoice = desk.invoice(customer);
        desk.export_invoices();
        let receipt = desk.receipt(customer, "2026-02-17", "115", &[]);
        let ignored = desk.receipt(customer, "2026-02-17", "7", &[]);
        desk.import();
        let record = |desk: &mut Desk, receipt: i64| {
            let records = desk.state(false, "bank_statements_records");
            id_of(
                records
                    .iter()
                    .find(|row| is_of_line(row, receipt, 1))
                    .expect("it is listed"),
                "id",
            )
        };
        let invoices = desk.state(false, "invoices");
        let number = invoices
            .iter()
            .find(|row| row["id"] == json!(invoice))
            .expect("it is there")["number"]
            .clone();
        let id = record(&mut desk, receipt);
        let pair = json!({"invoice_number": number, "payment_type": 3});
        let payment = id_of(
            &desk.splynx("bank_statements_records", "pair", id, pair),
            "payment_id",
        );
        let id = record(&mut desk, ignored);
        desk.splynx(
            "bank_statements_records",
            "update",
            id,
            json!({"status": "ignored"}),
        );
        desk.set("create_payment_without_invoice", "on");
        if waits_for_a_sync {
            desk.installation.run_through("export-payments");
            let storage = &desk.installation.host().storage;
            let noted = storage.tables().any(|(name, _)| name == "from-sage");
            assert!(noted, "before payments go out");
        }
        desk.import();
        assert_eq!(desk.payments(receipt).len(), 0);
        assert_eq!(desk.state(false, "payments").len(), 1, "no second payment");
        assert_eq!(desk.record(receipt).0, "synced");
        assert_eq!(
            desk.record(ignored),
            ("held".to_owned(), "decided-in-splynx".to_owned())
        );
        let noted = desk.installation.host().storage.tables();
        let noted = noted
            .filter(|(name, _)| *name == "from-sage")
            .flat_map(|(_, rows)| rows.clone());
        assert_eq!(
            noted.collect::<Vec<_>>(),
            [(format!("{payment:012}"), format!("SAGE-{receipt}-1"))]
        );
        // The cure: New again, and retry.
        desk.splynx(
            "bank_statements_records",
            "update",
            id,
            json!({"status": "new"}),
        );
        desk.installation
            .decide("retry", &[&format!("receipt/{ignored:012}")], "")
            .expect("it is held");
        desk.import();
        assert_eq!(shown(&desk.lines(ignored)), ["1: 7 paid"]);
    }
}

/// F76, F77, F78, F79, I10: the page lists what waits; a person pairs one receipt with invoices by their numbers, oldest first, up to what is
/// due; what is wrong is refused with the reason.
#[test]
fn a_person_pairs_a_waiting_receipt_with_invoices_by_their_numbers() {
    let mut desk = Desk::new(3);
    let (customer, other, third) = (desk.customer(0), desk.customer(1), desk.customer(2));
    let invoices = [customer, customer, other, third].map(|customer| desk.invoice(customer));
    desk.export_invoices();
    desk.splynx(
        "invoices",
        "update",
        invoices[3],
        json!({"status": "deleted"}),
    );
    let listed = desk.state(false, "invoices");
    let numbers = invoices.map(|id| {
        let row = listed
            .iter()
            .find(|row| row["id"] == json!(id))
            .expect("it is there");
        row["number"].as_str().unwrap_or_default().to_owned()
    });
    let receipt = desk.receipt(customer, "2026-02-17", "150", &[]);
    let stranger = desk.sage("customers", "create", 0, json!({"Name": "Only in Sage"}));
    let strange = desk.receipt_of(id_of(&stranger, "ID"), "2026-02-18", "200", &[]);
    desk.import();
    let page = desk.installation.whole_page("statements", &[]);
    let cells: Vec<_> = page
        .iter()
        .map(|row| {
            (
                row.cells[2].clone(),
                row.cells[3].clone(),
                row.cells[4].clone(),
                row.cells[5].clone(),
            )
        })
        .collect();
    let of = |customer: &str, amount: &str| {
        (
            customer.to_owned(),
            amount.to_owned(),
            amount.to_owned(),
            "SageOne (2026-02)".to_owned(),
        )
    };
    assert_eq!(
        cells,
        [
            of("Customer 0", "150.00"),
            of(&format!("Sage customer {}", stranger["ID"]), "200.00")
        ]
    );

    let pair = |desk: &mut Desk, receipt: i64, invoices: &str, more: &[(&str, &str)]| {
        let mut values = vec![("invoices", invoices)];
        values.extend(more);
        desk.installation.act(
            "statements",
            "pair",
            &[&format!("receipt/{receipt:012}")],
            &values,
        )
    };
    desk.set("payments_direction", "to_sage");
    desk.set("payments_push_methods", "3");
    let wrote = writes(&mut desk.installation);
    let both = format!("{}, {}", numbers[1], numbers[0]);
    for (receipt, invoices, more, why) in [
        (receipt, "nothing", &[][..], "no invoice nothing"),
        (receipt, &numbers[3], &[], "or it is deleted"),
        (receipt, &numbers[2], &[], "another customer"),
        (receipt, "", &[], "Name the numbers"),
        (receipt, &both, &[("payment_type", "3")], "push_back=on"),
        (receipt, &both, &[("payment_type", "x")], "is a number"),
        (receipt + 1000, &both, &[], "No money"),
        (
            strange,
            &format!("{},{}", numbers[0], numbers[2]),
            &[],
            "different customers",
        ),
    ] {
        let refused = pair(&mut desk, receipt, invoices, more).expect_err(why);
        assert!(refused.message.contains(why), "{}", refused.message);
    }
    assert_eq!(
        writes(&mut desk.installation),
        wrote,
        "a refusal changes nothing"
    );

    let told = pair(&mut desk, receipt, &both, &[]).expect("it waits");
    assert_eq!(told, "150,00 is paid; 0,00 goes on waiting.");
    assert_eq!(shown(&desk.lines(receipt)), ["1: 115 paid", "2: 35 paid"]);
    let paid: Vec<_> = desk
        .payments(receipt)
        .iter()
        .map(|row| (row["invoice_id"].clone(), row["payment_type"].clone()))
        .collect();
    assert_eq!(
        paid,
        [
            (json!(invoices[0]), json!(8)),
            (json!(invoices[1]), json!(8))
        ],
        "the oldest first, with the F10 method"
    );
    let told = pair(
        &mut desk,
        strange,
        &numbers[2],
        &[("payment_type", "3"), ("push_back", "on")],
    )
    .expect("it waits");
    assert_eq!(told, "115,00 is paid; 85,00 goes on waiting.");
    assert_eq!(shown(&desk.lines(strange)), ["1: 115 paid", "2: 85 new"]);
    assert_eq!(desk.record(receipt).0, "synced");
    assert_eq!(
        desk.record(strange),
        ("held".to_owned(), "customer-not-paired".to_owned())
    );
    let nothing_due = pair(&mut desk, strange, &numbers[2], &[]).expect_err("it is paid");
    assert!(
        nothing_due.message.contains("Nothing is due"),
        "{}",
        nothing_due.message
    );

    desk.set("payments_direction", "both");
    let wrote = writes(&mut desk.installation);
    desk.import_all();
    desk.import();
    assert_eq!(
        writes(&mut desk.installation),
        wrote,
        "what a person paired stays as it is"
    );
    let page = desk.installation.whole_page("statements", &[]);
    assert_eq!(
        page.iter()
            .map(|row| row.cells[4].as_str())
            .collect::<Vec<_>>(),
        ["85.00"]
    );
}

/// F10, F13, F15, F74, I3, I6: nothing is imported without a method, in the other direction, or for customers of a partner that is left out;
/// a customer that gets paired brings its receipts along.
#[test]
fn a_receipt_waits_for_its_customer_and_an_ignored_partners_is_left_alone() {
    let mut desk = Desk::new(2);
    let (customer, other) = (desk.customer(0), desk.customer(1));
    desk.set("create_payment_without_invoice", "on");
    desk.splynx("customers", "update", other, json!({"partner_id": 2}));
    desk.set("partners_ignore", "2");
    desk.installation.run_through("export-customers");
    let ignored = desk.receipt(other, "2026-02-17", "20", &[]);
    let ours = desk.receipt(customer, "2026-02-17", "30", &[]);
    desk.set("payment_method_id", "");
    let failure = desk
        .installation
        .run("import-payments")
        .expect_err("there is no method");
    assert_eq!(failure.code, "no-import-method");
    desk.set("payment_method_id", "8");
    desk.set("payments_direction", "to_sage");
    let (outcome, _) = desk.installation.run_through("import-all-payments");
    assert_eq!(
        outcome.why.map(|why| why.code).as_deref(),
        Some("direction")
    );
    assert_eq!(desk.state(false, "payments").len(), 0);
    desk.set("payments_direction", "from_sage");
    desk.import();
    assert_eq!(desk.lines(ignored), []);
    assert_eq!(
        desk.record(ignored),
        ("skipped".to_owned(), "partner-ignored".to_owned())
    );
    assert_eq!(shown(&desk.lines(ours)), ["1: 30 paid"]);
    desk.set("partners_ignore", "");
    desk.installation.run_through("export-customers");
    desk.import();
    assert_eq!(shown(&desk.lines(ignored)), ["1: 20 paid"]);

    let stranger = desk.sage(
        "customers",
        "create",
        0,
        json!({"Name": "New here", "ContactName": "New here"}),
    );
    let strange = desk.receipt_of(id_of(&stranger, "ID"), "2026-02-18", "40", &[]);
    desk.import();
    assert_eq!(shown(&desk.lines(strange)), ["1: 40 new"]);
    let fields = json!({"name": "New here", "login": "new", "category": "person", "partner_id": 1, "location_id": 1, "status": "active"});
    desk.splynx("customers", "create", 0, fields);
    desk.installation.run_through("load-customers-for-pairing");
    desk.installation.run_through("export-customers");
    let customers = rows(&desk.installation.world().sage.state(), "customers").len();
    desk.import();
    assert_eq!(customers, 3, "they were paired, not made");
    assert_eq!(shown(&desk.lines(strange)), ["1: 40 paid"]);
}

/// Whether a statement record bears the key of a receipt's line.
fn is_of_line(record: &Value, receipt: i64, line: u32) -> bool {
    let key = record["additional_1"].as_str().unwrap_or_default();
    key.starts_with(&format!("SAGE-{receipt}-{line}-"))
}
