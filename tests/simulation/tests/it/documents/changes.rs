//! What becomes of a document that is changed or deleted in Splynx after it went to Sage (D7).

use serde_json::json;

use crate::desk::{Desk, dec, id_of, line, money};
use crate::judge::writes;

const SAVE: &str = "POST TaxInvoice/Save";
const READ: &str = "GET TaxInvoice/Get/{id}";

/// An invoice of 115.00 in Sage, and the day after.
fn sent() -> (Desk, i64) {
    let mut desk = Desk::new(1);
    let invoice = desk.invoice(desk.customer(0));
    desk.export_invoices();
    (desk, invoice)
}

fn standing(state: &str, code: &str) -> (String, String) {
    (state.to_owned(), code.to_owned())
}

/// Sage has stored a change whose answer was lost, and Splynx takes the change back: so does Sage.
#[test]
fn a_change_taken_back_after_a_lost_answer_is_taken_back_in_sage() {
    let (mut desk, invoice) = sent();
    let before = money(&desk.in_sage(invoice)["Total"]);
    desk.reprice(invoice, "300");
    desk.with_fault(
        "sage",
        json!({"path": "TaxInvoice/Save"}),
        &json!("drop-after"),
    );
    desk.export_invoices();
    desk.without_faults();
    assert_ne!(money(&desk.in_sage(invoice)["Total"]), before);
    desk.reprice(invoice, "100");
    desk.pass(6);
    desk.export_invoices();
    assert_eq!(money(&desk.in_sage(invoice)["Total"]), before);
    assert_eq!(desk.standing("invoice", invoice), standing("synced", ""));
}

/// D7: a changed unpaid invoice is sent again as an update of the same document; what Sage's users put into its other fields stays.
#[test]
pub fn a_changed_invoice_updates_its_document_and_keeps_what_sages_users_wrote() {
    let (mut desk, invoice) = sent();
    let before = desk.in_sage(invoice);
    let theirs = json!({"Message": "Mind the step.", "DeliveryAddress01": "Gate 4", "PostalAddress03": "Box 7",
        "ExternalReference": "order 77", "Printed": true, "TaxReference": "4000000077"});
    desk.sage("invoices", "update", id_of(&before, "ID"), theirs.clone());
    desk.reprice(invoice, "200");
    desk.splynx(
        "invoices",
        "update",
        invoice,
        json!({"date_till": "2026-03-01"}),
    );
    desk.export_invoices();
    let after = desk.in_sage(invoice);
    assert_eq!(after["ID"], before["ID"]);
    assert_eq!(money(&after["Total"]), dec("230"));
    assert_eq!(
        after["DueDate"].as_str().map(|d| &d[..10]),
        Some("2026-03-01")
    );
    for (field, value) in theirs.as_object().expect("fields") {
        assert_eq!(after[field], *value, "{field}");
    }
    for field in ["DocumentNumber", "Reference", "CustomerId", "Date"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(desk.standing("invoice", invoice), standing("synced", ""));
    let wrote = writes(&mut desk.installation);
    desk.export_invoices();
    assert_eq!(writes(&mut desk.installation), wrote);

    // An answer that is lost says nothing new: the same is sent again.
    desk.reprice(invoice, "300");
    desk.with_fault(
        "sage",
        json!({"path": "TaxInvoice/Save", "nth": 1}),
        &json!("drop-after"),
    );
    for _ in 0..2 {
        desk.export_invoices();
        desk.pass(6);
    }
    assert_eq!(money(&desk.in_sage(invoice)["Total"]), dec("345"));
    assert_eq!(desk.state(true, "invoices").len(), 1);

    // What would have to be another kind of document is owed.
    let rules = json!({"pay_from_balance": true, "tie_equal_payments": true, "closed_status": false, "negative_invoices": true});
    desk.splynx("behaviour", "update", 0, json!({"ledger": rules}));
    desk.reprice(invoice, "-300");
    desk.export_invoices();
    let owed = standing("owed", "changed-after-sync");
    assert_eq!(desk.standing("invoice", invoice), owed);
    desk.decide("done", "invoice", invoice, "");
    desk.export_invoices();
    assert_eq!(desk.standing("invoice", invoice).0, "done-by-hand");
}

/// D7: what Sage would refuse, because more is allocated in Sage than the new total, is held once and not tried every cycle, until it changes
/// in Splynx or a person says so; so is what it does refuse.
#[test]
fn a_change_that_sage_refuses_is_held_and_tried_again_only_for_a_reason() {
    let (mut desk, invoice) = sent();
    let customer = desk.customer(0);
    let receipt = desk.receipt(customer, "2026-02-02", "115", &[(invoice, "115", "0")]);
    desk.reprice(invoice, "50");
    desk.export_invoices();
    assert_eq!(
        desk.standing("invoice", invoice),
        standing("held", "more-allocated")
    );
    let said = desk.told("invoice", invoice);
    assert!(
        said.contains("57,50 in Splynx now, and in Sage 115,00"),
        "{said}"
    );
    let asked = [desk.asked(SAVE), desk.asked(READ)];
    for _ in 0..4 {
        desk.export_invoices();
        desk.run("sync");
        desk.pass(24 * 60);
    }
    assert_eq!([desk.asked(SAVE), desk.asked(READ)], asked, "silence");
    assert_eq!(
        desk.standing("invoice", invoice),
        standing("held", "more-allocated")
    );
    assert_eq!(money(&desk.in_sage(invoice)["Total"]), dec("115"));

    desk.reprice(invoice, "60");
    desk.export_invoices();
    assert_eq!(desk.asked(READ), asked[1] + 1, "it has changed");
    desk.sage("receipts", "delete", receipt, json!({}));
    desk.export_invoices();
    assert_eq!(
        [desk.asked(SAVE), desk.asked(READ)],
        [asked[0], asked[1] + 1]
    );
    desk.decide("retry", "invoice", invoice, "");
    desk.export_invoices();
    assert_eq!(money(&desk.in_sage(invoice)["Total"]), dec("69"));
    assert_eq!(desk.standing("invoice", invoice), standing("synced", ""));

    // What only Sage knows to be wrong, it says once.
    let refusal = json!({"code": 400, "body": "\"Valid Selection Required\""});
    let save = json!({"path": "TaxInvoice/Save"});
    desk.with_fault("sage", save, &json!({ "status": refusal }));
    desk.reprice(invoice, "70");
    desk.export_invoices();
    desk.without_faults();
    assert_eq!(
        desk.standing("invoice", invoice),
        standing("held", "refused")
    );
    let asked = [desk.asked(SAVE), desk.asked(READ)];
    for _ in 0..3 {
        desk.export_invoices();
        desk.pass(15);
    }
    assert_eq!([desk.asked(SAVE), desk.asked(READ)], asked);
}

/// D7: what falls into a closed period is held before it is sent, at no request a document, and goes by itself once the period is open. The
/// check tells it, and a preview does not promise it.
#[test]
fn a_change_of_a_document_in_a_closed_period_is_held_until_the_period_is_open() {
    let (mut desk, invoice) = sent();
    let lock = |desk: &mut Desk, until: &str| {
        let fields = json!({"LockProcessing": !until.is_empty(), "LockProcessingDate": until});
        desk.sage("company", "update", 0, fields);
    };
    lock(&mut desk, "2026-02-10");
    desk.reprice(invoice, "50");
    let customer = desk.customer(0);
    let late: Vec<i64> = (0..3).map(|_| desk.invoice(customer)).collect();
    let note = desk.credit_note(customer, json!({}));
    let payment = desk.payment(customer, "20", json!({}));
    let on = |date: &str| json!({"date_created": date, "date_till": date});
    let lines = [line("Fibre", "1", "10.0000")];
    let last_day = desk.invoice_of(customer, &lines, on("2026-02-10"));
    let after = desk.invoice_of(customer, &lines, on("2026-02-11"));
    let found = desk.installation.check();
    let told = found.iter().find(|found| found.code == "period-locked");
    assert_eq!(told.map(|told| told.severity), Some("warning"));
    let plan = desk.installation.preview_with("sync", &[]);
    let plan = plan.expect("it can be previewed");
    let promised = plan
        .iter()
        .filter(|row| ["create", "update"].contains(&row.cells[0].as_str()));
    assert_eq!(promised.count(), 1, "what is dated later: {plan:?}");

    let requests = |desk: &mut Desk| {
        let of = [
            "TaxInvoice/Save",
            "CustomerReturn/Save",
            "CustomerReceipt/Save",
        ];
        let saves = of.map(|path| desk.asked(&format!("POST {path}")));
        (saves, desk.asked(READ))
    };
    let (mut saves, read) = requests(&mut desk);
    saves[0] += 1;
    for _ in 0..4 {
        desk.run("sync");
        desk.pass(20);
    }
    let locked = standing("held", "period-locked");
    let held = [invoice, late[0], late[1], late[2], last_day];
    for id in held {
        assert_eq!(desk.standing("invoice", id), locked, "{id}");
    }
    assert_eq!(desk.standing("credit-note", note), locked);
    assert_eq!(desk.standing("payment", payment), locked);
    assert_eq!(desk.standing("invoice", after), standing("synced", ""));
    assert_eq!(requests(&mut desk), (saves, read));
    // The day moves: what is later now goes, and nothing else.
    lock(&mut desk, "2026-02-09");
    desk.run("sync");
    assert_eq!(desk.standing("invoice", last_day), standing("synced", ""));
    assert_eq!(desk.standing("invoice", invoice), locked);
    lock(&mut desk, "");
    desk.run("sync");
    assert_eq!(money(&desk.in_sage(invoice)["Total"]), dec("57.5"));
    for id in held {
        assert_eq!(desk.standing("invoice", id), standing("synced", ""), "{id}");
    }
    assert_eq!(desk.standing("credit-note", note), standing("synced", ""));
    assert_eq!(desk.standing("payment", payment), standing("synced", ""));
}

/// An invoice that Splynx gives to another customer, or renumbers though it is paid, is followed; where Sage keeps the numbers of its documents
/// it says so once, and the old number back is in step again.
#[test]
fn an_invoice_that_changes_hands_or_its_number_is_followed_as_far_as_sage_goes() {
    let mut desk = Desk::new(2);
    let rules = json!({"invoices_change_hands": true, "paid_invoices_change": true});
    desk.splynx("behaviour", "update", 0, json!({ "ledger": rules }));
    let [mover, paid] = [0, 0].map(|place| desk.invoice(desk.customer(place)));
    desk.payment(desk.customer(0), "115.00", json!({ "invoice_id": paid }));
    desk.run("sync");
    let other = desk.customer(1);
    desk.splynx("invoices", "update", mover, json!({ "customer_id": other }));
    desk.splynx("invoices", "update", paid, json!({"number": "NEW-1"}));
    desk.run("sync");
    let synced = standing("synced", "");
    assert_eq!(desk.standing("invoice", mover), synced);
    assert_eq!(desk.standing("invoice", paid), synced);
    let has = desk.sage_customer(other);
    assert_eq!(id_of(&desk.in_sage(mover), "CustomerId"), has);
    assert_eq!(desk.in_sage(paid)["DocumentNumber"], "NEW-1");

    desk.sage(
        "behaviour",
        "update",
        0,
        json!({"other_numbers": "refused"}),
    );
    desk.splynx("invoices", "update", paid, json!({"number": "NEW-2"}));
    let saved = desk.asked(SAVE);
    for _ in 0..3 {
        desk.run("sync");
        desk.pass(15);
    }
    assert_eq!(desk.standing("invoice", paid), standing("held", "refused"));
    assert_eq!(desk.asked(SAVE), saved + 1);
    desk.splynx("invoices", "update", paid, json!({"number": "NEW-1"}));
    desk.run("sync");
    assert_eq!(desk.standing("invoice", paid), synced);
    assert_eq!(desk.state(true, "invoices").len(), 2);
}

/// Where Sage does not tell of the period, or not so that it is understood, its refusal does.
#[test]
fn a_closed_period_that_sage_does_not_tell_is_learned_from_its_refusals() {
    let ways = [
        json!({"status": {"code": 404}}),
        json!({"status": {"code": 403}}),
        json!({"status": {"code": 200, "body": "null"}}),
        json!({"status": {"code": 200, "body": "[]"}}),
        json!({"status": {"code": 200, "body": "{\"ID\": 42}"}}),
    ];
    for way in ways {
        let (mut desk, invoice) = sent();
        let closed = json!({"LockProcessing": true, "LockProcessingDate": "2026-02-10"});
        desk.sage("company", "update", 0, closed);
        desk.with_fault("sage", json!({"path": "Company/Current"}), &way);
        desk.reprice(invoice, "50");
        let late = desk.invoice(desk.customer(0));
        let _ = desk.installation.run("sync");
        let locked = standing("held", "locked-in-sage");
        assert_eq!(desk.standing("invoice", invoice), locked, "{way}");
        let refused = standing("held", "refused");
        assert_eq!(desk.standing("invoice", late), refused, "{way}");
        desk.without_faults();
        desk.sage("company", "update", 0, json!({"LockProcessing": false}));
        desk.decide("retry", "invoice", invoice, "");
        desk.decide("retry", "invoice", late, "");
        desk.run("sync");
        assert_eq!(
            desk.standing("invoice", late),
            standing("synced", ""),
            "{way}"
        );
    }
}

/// Money of a customer who has another currency in Sage than the company neither goes there nor comes from there: it would be taken for
/// that currency. Whom people give the company's currency, or another customer there, is in step without an act in the outbox.
#[test]
fn money_of_a_customer_in_another_currency_is_held_before_it_moves() {
    let mut desk = Desk::new(3);
    desk.sage("company", "update", 0, json!({"HomeCurrencyId": 5}));
    // Their own one, the company's, and one that is smaller.
    for (place, currency) in [(0, 7), (1, 5), (2, 2)] {
        let customer = desk.sage_customer(desk.customer(place));
        desk.sage(
            "customers",
            "update",
            customer,
            json!({"CurrencyId": currency}),
        );
    }
    let customers = [0, 1, 2].map(|place| desk.customer(place));
    let invoices = customers.map(|customer| desk.invoice(customer));
    let notes = customers.map(|customer| desk.credit_note(customer, json!({})));
    let payments = customers.map(|customer| desk.payment(customer, "20", json!({})));
    desk.run("sync");
    desk.run("sync");
    let held = standing("held", "other-currency");
    let synced = standing("synced", "");
    for place in 0..3 {
        let wanted = if place == 1 { &synced } else { &held };
        assert_eq!(&desk.standing("invoice", invoices[place]), wanted);
        assert_eq!(&desk.standing("credit-note", notes[place]), wanted);
        assert_eq!(&desk.standing("payment", payments[place]), wanted);
    }
    let in_sage = ["invoices", "returns", "receipts"].map(|entity| desk.state(true, entity).len());
    assert_eq!(in_sage, [1, 1, 1]);
    let receipt = desk.receipt(customers[2], "2026-02-05", "12", &[]);
    desk.run("sync");
    assert_eq!(desk.standing("receipt", receipt), held);
    let first = desk.sage_customer(customers[0]);
    desk.sage("customers", "update", first, json!({"CurrencyId": 5}));
    desk.run("sync");
    assert_eq!(desk.standing("invoice", invoices[0]), synced);
    assert_eq!(desk.standing("credit-note", notes[0]), synced);
    assert_eq!(desk.standing("payment", payments[0]), synced);
    assert_eq!(desk.standing("invoice", invoices[2]), held);
    // The other one has documents by now, so it gets a second customer there.
    let second = desk.sage(
        "customers",
        "create",
        0,
        json!({"Name": "In rand", "Active": true}),
    );
    let row = customers[2].to_string();
    let act = |desk: &mut Desk, act: &str, values: &[(&str, &str)]| {
        let done = desk.installation.act("pairing", act, &[&row], values);
        done.unwrap_or_else(|why| panic!("{act}: {why:?}"));
    };
    act(&mut desk, "unpair", &[]);
    act(
        &mut desk,
        "pair",
        &[("remote-id", &id_of(&second, "ID").to_string())],
    );
    for (kind, id) in [
        ("invoice", invoices[2]),
        ("credit-note", notes[2]),
        ("payment", payments[2]),
    ] {
        desk.decide("retry", kind, id, "");
    }
    desk.run("sync");
    assert_eq!(desk.standing("invoice", invoices[2]), synced);
    assert_eq!(desk.standing("payment", payments[2]), synced);
}

/// D7, I9, D8: what is marked as deleted or deleted completely after it went to Sage is owed, and Sage keeps it; a read that fails is never
/// taken for a deletion.
#[test]
pub fn what_is_deleted_after_it_went_to_sage_is_owed_and_a_failed_read_is_no_deletion() {
    let mut desk = Desk::new(2);
    let (customer, other) = (desk.customer(0), desk.customer(1));
    let [marked, gone, kept] = [1, 2, 3].map(|_| desk.invoice(customer));
    let note = desk.credit_note(other, json!({}));
    let unsent = desk.invoice_of(customer, &[line("Fibre", "1", "5")], json!({}));
    desk.set("item.7", "");
    desk.export_invoices();
    desk.splynx("invoices", "delete", unsent, json!({}));
    desk.set("item.7", "2007");
    desk.run("sync");
    assert_eq!(
        desk.standing("invoice", unsent),
        standing("skipped", "deleted")
    );
    let wrote = writes(&mut desk.installation);
    desk.splynx("invoices", "update", marked, json!({"status": "deleted"}));
    desk.splynx("invoices", "delete", gone, json!({}));
    desk.splynx("credit_notes", "delete", note, json!({}));
    desk.pass(24 * 60);

    // The search leaves one out, and asking for it by its id fails, each time in another way.
    for act in [
        json!({"status": {"code": 500}}),
        json!({"status": {"code": 403}}),
        json!({"status": {"code": 200, "body": "null"}}),
        json!("drop-after"),
        json!("html"),
        json!("refuse"),
    ] {
        let by_id = json!({"method": "GET", "path": format!("finance/invoices/{gone}")});
        desk.with_fault("splynx", by_id, &act);
        let ended = desk.installation.run("sweep");
        assert_eq!(
            desk.standing("invoice", gone).0,
            "synced",
            "{act}: {ended:?}"
        );
    }
    desk.without_faults();
    desk.run("sync");
    let owed = standing("owed", "deleted-after-sync");
    assert_eq!(desk.standing("invoice", marked), owed);
    assert_eq!(desk.standing("invoice", gone), owed);
    assert_eq!(desk.standing("credit-note", note), owed);
    assert_eq!(desk.standing("invoice", kept), standing("synced", ""));
    assert_eq!(desk.state(true, "invoices").len(), 3, "nothing was undone");
    assert_eq!(writes(&mut desk.installation), wrote);
    let cure = desk.told("invoice", gone);
    assert!(cure.contains("Reverse it in Sage"), "{cure}");
    desk.decide("done", "invoice", gone, "");
    desk.pass(24 * 60);
    desk.run("sync");
    assert_eq!(desk.standing("invoice", gone).0, "done-by-hand");
}

/// What is marked as deleted need not be understood: it is owed, whatever else of it cannot be read.
#[test]
fn an_invoice_that_cannot_be_read_and_is_then_deleted_is_owed() {
    let mut desk = Desk::new(1);
    // What has no date is in no list of changes, only in the sweep.
    let look = |desk: &mut Desk| ["sync", "sweep", "sync"].map(|job| desk.run(job));
    let customer = desk.customer(0);
    let (sent, never_sent) = (desk.invoice(customer), desk.invoice(customer));
    let undated = json!({"date_created": "0000-00-00"});
    desk.splynx("invoices", "update", never_sent, undated.clone());
    look(&mut desk);
    desk.splynx("invoices", "update", sent, undated);
    look(&mut desk);
    for invoice in [sent, never_sent] {
        let standing = desk.standing("invoice", invoice);
        assert_eq!(standing, ("held".to_owned(), "unreadable".to_owned()));
        desk.splynx("invoices", "update", invoice, json!({"status": "deleted"}));
    }
    look(&mut desk);
    let owed = ("owed".to_owned(), "deleted-after-sync".to_owned());
    assert_eq!(desk.standing("invoice", sent), owed);
    assert_eq!(desk.standing("invoice", never_sent).0, "skipped");
}
