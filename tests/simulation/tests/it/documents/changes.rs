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

/// D7: a document in a closed period is not touched; the record says so once.
#[test]
fn a_change_of_a_document_in_a_closed_period_is_held_until_the_period_is_open() {
    let (mut desk, invoice) = sent();
    let lock = |desk: &mut Desk, on: bool| {
        let fields = json!({"LockProcessing": on, "LockProcessingDate": "2026-02-10"});
        desk.sage("company", "update", 0, fields);
    };
    lock(&mut desk, true);
    desk.reprice(invoice, "50");
    let saved = desk.asked(SAVE);
    desk.export_invoices();
    let locked = standing("held", "locked-in-sage");
    assert_eq!(desk.standing("invoice", invoice), locked);
    let read = desk.asked(READ);
    for _ in 0..3 {
        desk.export_invoices();
        desk.pass(60);
    }
    assert_eq!([desk.asked(SAVE), desk.asked(READ)], [saved, read]);
    lock(&mut desk, false);
    desk.decide("retry", "invoice", invoice, "");
    desk.export_invoices();
    assert_eq!(money(&desk.in_sage(invoice)["Total"]), dec("57.5"));

    // A new document of a closed period is refused by Sage itself.
    lock(&mut desk, true);
    let late = desk.invoice(desk.customer(0));
    desk.export_invoices();
    assert_eq!(desk.standing("invoice", late), standing("held", "refused"));
    lock(&mut desk, false);
    desk.decide("retry", "invoice", late, "");
    desk.export_invoices();
    assert_eq!(desk.standing("invoice", late), standing("synced", ""));
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
