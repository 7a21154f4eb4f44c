//! What is kept: uniqueness, full replacement, closed periods, deletion.

use sandbox::sage::Behaviour;
use sandbox::sage::behaviour::Doubtful;
use serde_json::{Value, json};

use crate::desk::{BANK, Desk, ITEM, amount, but, document, receipt};

#[test]
fn a_save_replaces_everything_and_takes_property_names_in_any_case() {
    let mut desk = Desk::new();
    let full = json!({
        "Name": "Full", "ContactName": "A. Example", "Email": "a@b.example", "CommunicationMethod": 2, "Active": true,
        "TextField1": "EXT-1", "NumericField2": 1.5, "DateField3": "2031-01-02T00:00:00Z", "YesNoField1": true,
        "Category": {"ID": 71}, "PostalAddress03": "Road", "AutoAllocateToOldestInvoice": true, "CreditLimit": 100,
        "Balance": 5_000, "Created": "1999-01-01", "Unknown": {"kept": false},
    });
    let created = desk.post("Customer/Save", &full);
    assert_eq!(created.status, 201);
    let id = created.id();
    assert_eq!(created.body["Category"]["Description"], "Residential");
    assert_eq!(created.body["Balance"].to_string(), "0.0", "read only");
    assert_eq!(created.body["Created"], "2031-05-14T09:03:21", "read only");
    desk.pass(10);
    let round_trip = desk.get(&format!("Customer/Get/{id}"), &[]).body;
    let again = desk.post("Customer/Save", &round_trip);
    assert_eq!(again.status, 200);
    let strip = |mut value: Value| {
        value.as_object_mut().expect("an object").remove("Modified");
        value
    };
    assert_eq!(
        strip(again.body),
        strip(round_trip),
        "what was got can be saved"
    );

    let bare = desk
        .post(
            "Customer/Save",
            &json!({"id": id, "name": "Full", "mobile": "080"}),
        )
        .body;
    let expected = json!({
        "ID": id, "Name": "Full", "Mobile": "080", "Active": false, "AutoAllocateToOldestInvoice": false,
        "CreditLimit": amount("0.0"), "YesNoField1": false,
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&bare[name], value, "{name}");
    }
    for name in ["ContactName", "Email", "TextField1", "PostalAddress03"] {
        assert_eq!(bare[name], "", "{name} was left out and is reset");
    }
    for name in ["NumericField2", "DateField3", "Category"] {
        assert!(bare.get(name).is_none(), "{name} was left out and is reset");
    }

    // Documents too: what is got can be saved, what is left out is gone, line ids stay.
    let mut body = document(id, "999.00");
    body["Reference"] = json!("EX-1");
    let invoice = desk.post("TaxInvoice/Save", &body).id();
    let got = desk.get(&format!("TaxInvoice/Get/{invoice}"), &[]).body;
    let saved = desk.post("TaxInvoice/Save", &got).body;
    assert_eq!(strip(saved), strip(got.clone()));
    let mut bare = document(id, "10");
    bare["ID"] = json!(invoice);
    let saved = desk.post("TaxInvoice/Save", &bare).body;
    assert_eq!(saved["DocumentNumber"], got["DocumentNumber"]);
    assert_eq!(saved["Reference"], "");
    assert_eq!(
        desk.get(&format!("Customer/Get/{id}"), &[]).body["Balance"].to_string(),
        "10.0"
    );
}

#[test]
fn numbers_are_given_by_the_system_or_brought_along_and_then_unique_in_their_type() {
    let mut desk = Desk::new();
    let customer = desk.customer("Someone");
    let numbered = |number: &str| but(document(customer, "10"), json!({"DocumentNumber": number}));
    let number = |answer: &crate::desk::Answer| {
        answer.body["DocumentNumber"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        number(&desk.post("TaxInvoice/Save", &numbered("MINE"))),
        "INV0000001",
        "a sent number is ignored"
    );
    let own = desk.post_numbered("TaxInvoice/Save", &numbered("EX-1"));
    assert_eq!((own.status, number(&own)), (201, "EX-1".to_owned()));
    let twice = desk.post_numbered("TaxInvoice/Save", &numbered(" ex-1 "));
    assert_eq!(
        (twice.status, twice.text()),
        (400, "Document Number already exists.")
    );
    assert_eq!(
        desk.post_numbered("CustomerReturn/Save", &numbered("EX-1"))
            .status,
        201,
        "another type"
    );
    desk.post_numbered("TaxInvoice/Save", &numbered("INV0000002"));
    assert_eq!(
        number(&desk.post("TaxInvoice/Save", &numbered(""))),
        "INV0000003",
        "taken numbers are passed over"
    );
    assert_eq!(
        number(&desk.post_numbered("TaxInvoice/Save", &numbered(""))),
        "INV0000004"
    );
    assert_eq!(
        number(&desk.post("CustomerReceipt/Save", &receipt(customer, "1"))),
        "RCP0000001"
    );
    let renumbered = but(numbered("EX-2"), json!({"ID": own.id()}));
    assert_eq!(
        number(&desk.post("TaxInvoice/Save", &renumbered)),
        "EX-1",
        "an update keeps its number"
    );
    assert_eq!(
        number(&desk.post_numbered("TaxInvoice/Save", &renumbered)),
        "EX-2"
    );
    assert_eq!(
        desk.post_numbered("TaxInvoice/Save", &numbered("EX-1"))
            .status,
        201,
        "free again"
    );

    let mut lax = Desk::with(Behaviour {
        duplicate_numbers: Doubtful::Accepted,
        empty_numbers: Doubtful::Refused,
        ..Behaviour::default()
    });
    lax.customer("Someone");
    assert_eq!(
        lax.post_numbered("TaxInvoice/Save", &numbered("EX-1"))
            .status,
        201
    );
    assert_eq!(
        lax.post_numbered("TaxInvoice/Save", &numbered("EX-1"))
            .status,
        201
    );
    assert_eq!(
        lax.post_numbered("TaxInvoice/Save", &numbered("")).status,
        400
    );

    // References repeat, unless the company wants to be told and Sage then refuses.
    for (switch, status) in [(Doubtful::Refused, 400), (Doubtful::Accepted, 201)] {
        let mut desk = Desk::with(Behaviour {
            duplicate_references: switch,
            ..Behaviour::default()
        });
        let customer = desk.customer("Someone");
        let other = desk.customer("Other");
        let referenced = |customer| but(document(customer, "10"), json!({"Reference": "R-1"}));
        assert_eq!(
            desk.post("TaxInvoice/Save", &referenced(customer)).status,
            201
        );
        assert_eq!(
            desk.post("TaxInvoice/Save", &referenced(customer)).status,
            201
        );
        let fields = json!({"CheckForDuplicateCustomerReferences": true});
        desk.edit(json!({"entity": "company", "act": "update", "fields": fields}))
            .expect("a setting");
        assert_eq!(
            desk.post("TaxInvoice/Save", &referenced(customer)).status,
            status
        );
        assert_eq!(desk.post("TaxInvoice/Save", &referenced(other)).status, 201);
        assert_eq!(
            desk.post("CustomerReturn/Save", &referenced(customer))
                .status,
            201
        );
    }
}

#[test]
fn closed_periods_and_used_records_stay_as_they_are() {
    let mut desk = Desk::new();
    let customer = desk.customer("Someone");
    let invoice = desk.invoice(customer, "10");
    let money = desk.receipt(customer, "4");
    desk.edit(json!({"entity": "company", "act": "update",
        "fields": {"LockProcessing": true, "LockProcessingDate": "2031-05-16"}}))
        .expect("locked");
    let got = desk.get(&format!("TaxInvoice/Get/{invoice}"), &[]).body;
    assert_eq!(
        (&got["Locked"], &got["Editable"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        desk.post("TaxInvoice/Save", &but(got, json!({"Date": "2031-06-01"})))
            .status,
        400
    );
    assert_eq!(
        desk.post("TaxInvoice/Save", &document(customer, "10"))
            .status,
        400
    );
    let later = but(document(customer, "10"), json!({"Date": "2031-05-17"}));
    assert_eq!(
        desk.post("TaxInvoice/Save", &later).status,
        201,
        "the first open day"
    );
    let moved = but(
        receipt(customer, "4"),
        json!({"ID": money, "Date": "2031-05-16"}),
    );
    assert_eq!(desk.post("CustomerReceipt/Save", &moved).status, 400);
    let reconciled = but(
        receipt(customer, "4"),
        json!({"ID": money, "Reconciled": true}),
    );
    assert_eq!(
        desk.post("CustomerReceipt/Save", &reconciled).body["Editable"],
        false
    );
    assert_eq!(desk.post("CustomerReceipt/Save", &reconciled).status, 400);

    assert_eq!(
        desk.delete(&format!("Customer/Delete/{customer}")).status,
        409
    );
    let unused = desk.customer("Unused");
    let gone = desk.delete(&format!("Customer/Delete/{unused}"));
    assert_eq!((gone.status, gone.raw.body.len()), (204, 0));
    assert_eq!(
        desk.delete(&format!("Customer/Delete/{unused}")).status,
        404
    );
    assert_ne!(
        desk.customer("Unused"),
        unused,
        "the name is free, the id is not"
    );
    assert_eq!(
        desk.delete(&format!("BankAccount/Delete/{BANK}")).status,
        409
    );
    assert_eq!(desk.delete("TaxType/Delete/301").status, 409);
    assert_eq!(
        desk.delete(&format!("Item/Delete/{ITEM}")).status,
        204,
        "never used"
    );
    assert_eq!(desk.delete("CustomerCategory/Delete/71").status, 204);
    let person = desk.stored()["sales_representatives"][0]["ID"].clone();
    let has_activity = format!("SalesRepresentative/HasActivity/{person}");
    assert_eq!(desk.get(&has_activity, &[]).body, json!(false));
    let by = but(
        document(customer, "1"),
        json!({"Date": "2031-05-17", "SalesRepresentativeId": person}),
    );
    assert_eq!(desk.post("TaxInvoice/Save", &by).status, 201);
    assert_eq!(desk.get(&has_activity, &[]).body, json!(true));

    desk.sage.behaviour_mut().receipts_can_be_deleted = false;
    assert_eq!(
        desk.delete(&format!("CustomerReceipt/Delete/{money}"))
            .status,
        405
    );
}

#[test]
fn batches_exist_where_they_were_found_and_are_whole_or_nothing() {
    let mut desk = Desk::new();
    let customer = desk.customer("Someone");
    for service in [
        "TaxInvoice",
        "CustomerReturn",
        "CustomerReceipt",
        "Customer",
    ] {
        let answer = desk.post(&format!("{service}/SaveBatch"), &json!([]));
        let text = format!(
            "No action was found on the controller '{service}' that matches the name 'SaveBatch'."
        );
        assert_eq!((answer.status, answer.text()), (404, text.as_str()));
    }
    let entry = |total: i64| json!({"Date": "2031-05-14", "Effect": 1, "AccountId": 9001, "ContraAccountId": 9002, "Total": total});
    let booked = desk.post("JournalEntry/SaveBatch", &json!([entry(5), entry(7)]));
    assert_eq!(
        (booked.status, booked.body.as_array().map(Vec::len)),
        (200, Some(2))
    );
    assert_eq!(
        desk.get("Account/Get/9002", &[]).body["Balance"].to_string(),
        "-12.0"
    );
    let money = |kind: i64, id: i64, total: i64| json!({"Date": "2031-05-14", "BankAccountId": BANK, "Type": kind, "SelectionId": id, "Total": total});
    let before = desk.stored();
    let half_bad = json!([money(1, 9001, 5), money(1, 5, 5)]);
    assert_eq!(
        desk.post("BankTransaction/SaveBatch", &half_bad).status,
        400
    );
    assert_eq!(
        desk.post("BankTransaction/SaveBatch", &json!({})).status,
        400
    );
    let many: Vec<Value> = (0..101).map(|n| money(1, 9001, n)).collect();
    assert_eq!(
        desk.post("BankTransaction/SaveBatch", &json!(many)).status,
        400,
        "one more than a batch holds"
    );
    assert_eq!(
        desk.post("JournalEntry/SaveBatch", &json!([entry(1), entry(-1)]))
            .status,
        400
    );
    assert_eq!(desk.stored(), before);
    assert_eq!(
        desk.post("BankTransaction/SaveBatch", &json!([money(2, customer, 5)]))
            .status,
        200
    );
    assert_eq!(desk.stored()["receipts"], json!([]));

    let behaviour = desk.sage.behaviour_mut();
    behaviour.document_batches = true;
    behaviour.bank_transactions_make_receipts = true;
    assert_eq!(
        desk.post("BankTransaction/SaveBatch", &json!([money(2, customer, 6)]))
            .status,
        200
    );
    assert_eq!(desk.stored()["receipts"][0]["Total"].to_string(), "6.0");
    let invoices = desk.post(
        "TaxInvoice/SaveBatch",
        &json!([document(customer, "1"), document(customer, "2")]),
    );
    assert_eq!(invoices.body.as_array().map(Vec::len), Some(2));
    let names = desk.post(
        "Customer/SaveBatch",
        &json!([{"Name": "Twin"}, {"Name": "TWIN"}]),
    );
    assert_eq!(names.status, 400, "rows see each other");
    assert_eq!(desk.stored()["customers"].as_array().map(Vec::len), Some(1));
    let receipts = desk.post(
        "CustomerReceipt/SaveBatch",
        &json!([receipt(customer, "3")]),
    );
    assert_eq!(receipts.status, 200);
}

#[test]
fn notes_opening_balances_and_addresses_hang_on_their_customer() {
    let mut desk = Desk::new();
    let body = json!({"Name": "Someone", "Active": true, "PostalAddress01": "1 Road", "DeliveryAddress02": "Gate"});
    let customer = desk.post("Customer/Save", &body).id();
    let copied = desk.post("TaxInvoice/Save", &document(customer, "10")).body;
    assert_eq!(
        (&copied["PostalAddress01"], &copied["DeliveryAddress02"]),
        (&json!("1 Road"), &json!("Gate"))
    );
    let own = but(
        document(customer, "10"),
        json!({"PostalAddress02": "Elsewhere"}),
    );
    let own = desk.post("TaxInvoice/Save", &own).body;
    assert!(own["PostalAddress02"] == "Elsewhere" && own["PostalAddress01"] == "");

    let note = desk.post(
        "CustomerNote/Save",
        &json!({"CustomerId": customer, "Subject": "Called", "Note": "…"}),
    );
    assert_eq!(
        (note.status, &note.body["CustomerName"]),
        (201, &json!("Someone"))
    );
    assert_eq!(
        desk.delete(&format!("CustomerNote/Delete/{}", note.id()))
            .status,
        204
    );

    let opening = |extra: Value| but(json!({"CustomerId": customer, "Date": "2030-12-31"}), extra);
    let first = desk.post(
        "CustomerOpeningBalance/Save",
        &opening(json!({"Balance": 100})),
    );
    assert_eq!(first.status, 201);
    assert_eq!(
        desk.post(
            "CustomerOpeningBalance/Save",
            &opening(json!({"Balance": 1}))
        )
        .status,
        400
    );
    desk.post(
        "CustomerOpeningBalance/Save",
        &opening(json!({"Balance": 40, "ID": first.id()})),
    );
    assert_eq!(
        desk.get(&format!("Customer/Get/{customer}"), &[]).body["Balance"].to_string(),
        "60.0"
    );
}
