//! What may be stored: validation, uniqueness, full replacement, closed periods, deletion.

use sandbox::sage::Behaviour;
use sandbox::sage::behaviour::Doubtful;
use serde_json::{Map, Value, json};

use crate::desk::{BANK, Desk, ITEM, amount, document, receipt};

/// A body with some properties changed; null takes one away.
fn but(mut body: Value, changes: Value) -> Value {
    let object = body.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        object.insert(name.clone(), value.clone());
    }
    body
}

fn line_but(mut body: Value, changes: Value) -> Value {
    body["Lines"][0] = but(body["Lines"][0].clone(), changes);
    body
}

#[test]
fn a_bad_body_is_refused_with_its_reason_and_leaves_nothing_behind() {
    let mut desk = Desk::new();
    let customer = desk.customer("Someone");
    desk.post("Customer/Save", &json!({"Name": "Gone", "Active": false}));
    let create = |entity: &str, fields: Value| json!({"entity": entity, "act": "create", "fields": fields});
    let inactive = desk.edit(create("items", json!({"Code": "OLD", "Description": "Old"}))).expect("an item")["ID"].clone();
    let closed = desk.edit(create("bank_accounts", json!({"Name": "Closed"}))).expect("a bank account")["ID"].clone();
    let long = |n: usize| "é".repeat(n);
    let invoice = || document(customer, "10");
    let credit = || but(invoice(), json!({"DueDate": null}));
    let money = || receipt(customer, "10");
    let before = desk.stored();
    let cases = [
        ("Customer", json!({}), "The Name field is required."),
        ("Customer", json!({"Name": long(101)}), "maximum length of 100"),
        ("Customer", json!({"Name": " some ONE".replace(' ', "")}), "The customer name already exists."),
        ("Customer", json!({"Name": " SOMEONE "}), "The customer name already exists."),
        ("Customer", json!({"Name": "gone"}), "The customer name already exists."),
        ("Customer", json!({"Name": "X", "Email": "nobody"}), "not a valid e-mail"),
        ("Customer", json!({"Name": "X", "Email": "a@b.example, c@d.example"}), "not a valid e-mail"),
        ("Customer", json!({"Name": "X", "CommunicationMethod": 2}), "e-mail address is required"),
        ("Customer", json!({"Name": "X", "CommunicationMethod": 7}), "no meaning"),
        ("Customer", json!({"Name": "X", "Category": {"ID": 0}}), "category does not exist"),
        ("Customer", json!({"Name": "X", "SalesRepresentativeId": 0}), "does not exist"),
        ("Customer", json!({"Name": "X", "Mobile": long(31)}), "maximum length of 30"),
        ("Customer", json!({"Name": "X", "CreditLimit": "much"}), "must be a number"),
        ("Customer", json!({"Name": "X", "CreditLimit": amount("1e20")}), "too large"),
        ("Customer", json!([{"Name": "X"}]), "an object is expected"),
        ("TaxInvoice", but(invoice(), json!({"CustomerId": null})), "CustomerId field is required"),
        ("TaxInvoice", but(invoice(), json!({"CustomerId": 5})), "customer does not exist"),
        ("TaxInvoice", but(invoice(), json!({"Date": null})), "Date field is required"),
        ("TaxInvoice", but(invoice(), json!({"Date": "14/05/2031"})), "must be a date"),
        ("TaxInvoice", but(invoice(), json!({"DueDate": null})), "DueDate field is required"),
        ("TaxInvoice", but(invoice(), json!({"Lines": []})), "at least one line"),
        ("TaxInvoice", but(invoice(), json!({"Lines": null})), "at least one line"),
        ("TaxInvoice", but(invoice(), json!({"Reference": long(101)})), "maximum length of 100"),
        ("TaxInvoice", but(invoice(), json!({"DocumentNumber": long(101)})), "maximum length of 100"),
        ("TaxInvoice", but(invoice(), json!({"DiscountPercentage": 15})), "between 0 and 1"),
        ("TaxInvoice", line_but(invoice(), json!({"SelectionId": 5})), "account does not exist"),
        ("TaxInvoice", line_but(invoice(), json!({"SelectionId": 5, "LineType": 0})), "item does not exist"),
        ("TaxInvoice", line_but(invoice(), json!({"SelectionId": inactive, "LineType": 0})), "item is not active"),
        ("TaxInvoice", line_but(invoice(), json!({"LineType": 3})), "type 3"),
        ("TaxInvoice", line_but(invoice(), json!({"TaxTypeId": 0})), "tax type does not exist"),
        ("TaxInvoice", line_but(invoice(), json!({"Quantity": null})), "Quantity field is required"),
        ("TaxInvoice", line_but(invoice(), json!({"Quantity": -1})), "can't be negative"),
        ("TaxInvoice", line_but(invoice(), json!({"UnitPriceInclusive": -1})), "can't be negative"),
        ("TaxInvoice", line_but(invoice(), json!({"UnitPriceInclusive": null})), "UnitPriceInclusive field is required"),
        ("TaxInvoice", line_but(invoice(), json!({"Description": long(101)})), "maximum length of 100"),
        ("CustomerReturn", but(credit(), json!({"FromDocumentId": 5})), "not an invoice of this customer"),
        ("CustomerReceipt", but(money(), json!({"Total": 0})), "greater than zero"),
        ("CustomerReceipt", but(money(), json!({"Total": -5})), "greater than zero"),
        ("CustomerReceipt", but(money(), json!({"BankAccountId": 5})), "bank account does not exist"),
        ("CustomerReceipt", but(money(), json!({"BankAccountId": closed})), "bank account is not active"),
        ("CustomerReceipt", but(money(), json!({"PaymentMethod": 9})), "no meaning"),
        ("CustomerReceipt", but(money(), json!({"Date": null})), "Date field is required"),
        ("CustomerWriteOff", json!({"CustomerId": customer, "Date": "2031-05-14"}), "greater than zero"),
        ("Item", json!({"Description": "X"}), "Code field is required"),
        ("Item", json!({"Code": "spl-01", "Description": "X"}), "item code already exists"),
        ("CustomerCategory", json!({"Description": "Residential"}), "already exists"),
    ];
    for (service, body, reason) in cases {
        let answer = desk.post(&format!("{service}/Save"), &body);
        assert_eq!(answer.status, 400, "{service} {body}: {answer:?}");
        assert!(answer.text().contains(reason), "{service} {body}: {:?}", answer.text());
    }
    assert_eq!(desk.stored(), before);
    for service in ["Customer", "TaxInvoice", "CustomerReceipt", "Allocation", "Item"] {
        let answer = desk.post(&format!("{service}/Save"), &json!({"ID": 5}));
        assert_eq!(answer.status, 404, "{service}: an ID that is not there");
    }

    let mut lax = Desk::with(Behaviour {
        negative_lines: Doubtful::Accepted,
        several_emails: Doubtful::Accepted,
        line_description_length: 8_000,
        ..Behaviour::default()
    });
    let customer = lax.customer("Someone");
    lax.post("Customer/Save", &json!({"Name": "X", "Email": "a@b.example; c@d.example"}));
    let mut two = line_but(document(customer, "10"), json!({"Description": long(500)}));
    two["Lines"][1] = but(two["Lines"][0].clone(), json!({"Quantity": -1, "UnitPriceInclusive": 4}));
    assert_eq!(lax.post("TaxInvoice/Save", &two).body["Total"].to_string(), "6.0");
    two["Lines"][1]["Quantity"] = json!(-9);
    assert_eq!(lax.post("TaxInvoice/Save", &two).status, 400, "never below zero as a whole");
}

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
    assert_eq!(strip(again.body), strip(round_trip), "what was got can be saved");

    let bare = desk.post("Customer/Save", &json!({"id": id, "name": "Full", "mobile": "080"})).body;
    let expected = json!({
        "ID": id, "Name": "Full", "Mobile": "080", "Active": false, "AutoAllocateToOldestInvoice": false,
        "CreditLimit": amount("0.0"), "YesNoField1": false,
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&bare[name], value, "{name}");
    }
    for name in ["ContactName", "Email", "TextField1", "NumericField2", "DateField3", "Category", "PostalAddress03"] {
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
    assert!(saved.get("Reference").is_none());
    assert_eq!(desk.get(&format!("Customer/Get/{id}"), &[]).body["Balance"].to_string(), "10.0");
}

#[test]
fn numbers_are_given_by_the_system_or_brought_along_and_then_unique_in_their_type() {
    let mut desk = Desk::new();
    let customer = desk.customer("Someone");
    let numbered = |number: &str| but(document(customer, "10"), json!({"DocumentNumber": number}));
    let number = |answer: &crate::desk::Answer| answer.body["DocumentNumber"].as_str().unwrap_or_default().to_owned();
    assert_eq!(number(&desk.post("TaxInvoice/Save", &numbered("MINE"))), "INV0000001", "a sent number is ignored");
    let own = desk.post_numbered("TaxInvoice/Save", &numbered("EX-1"));
    assert_eq!((own.status, number(&own)), (201, "EX-1".to_owned()));
    let twice = desk.post_numbered("TaxInvoice/Save", &numbered(" ex-1 "));
    assert_eq!((twice.status, twice.text()), (400, "Document Number already exists."));
    assert_eq!(desk.post_numbered("CustomerReturn/Save", &numbered("EX-1")).status, 201, "another type");
    desk.post_numbered("TaxInvoice/Save", &numbered("INV0000002"));
    assert_eq!(number(&desk.post("TaxInvoice/Save", &numbered(""))), "INV0000003", "taken numbers are passed over");
    assert_eq!(number(&desk.post_numbered("TaxInvoice/Save", &numbered(""))), "INV0000004");
    assert_eq!(number(&desk.post("CustomerReceipt/Save", &receipt(customer, "1"))), "RCP0000001");
    let renumbered = but(numbered("EX-2"), json!({"ID": own.id()}));
    assert_eq!(number(&desk.post("TaxInvoice/Save", &renumbered)), "EX-1", "an update keeps its number");
    assert_eq!(number(&desk.post_numbered("TaxInvoice/Save", &renumbered)), "EX-2");
    assert_eq!(desk.post_numbered("TaxInvoice/Save", &numbered("EX-1")).status, 201, "free again");

    let mut lax = Desk::with(Behaviour {
        duplicate_numbers: Doubtful::Accepted,
        empty_numbers: Doubtful::Refused,
        ..Behaviour::default()
    });
    lax.customer("Someone");
    assert_eq!(lax.post_numbered("TaxInvoice/Save", &numbered("EX-1")).status, 201);
    assert_eq!(lax.post_numbered("TaxInvoice/Save", &numbered("EX-1")).status, 201);
    assert_eq!(lax.post_numbered("TaxInvoice/Save", &numbered("")).status, 400);

    // References repeat, unless the company wants to be told and Sage then refuses.
    for (switch, status) in [(Doubtful::Refused, 400), (Doubtful::Accepted, 201)] {
        let mut desk = Desk::with(Behaviour { duplicate_references: switch, ..Behaviour::default() });
        let customer = desk.customer("Someone");
        let other = desk.customer("Other");
        let referenced = |customer| but(document(customer, "10"), json!({"Reference": "R-1"}));
        assert_eq!(desk.post("TaxInvoice/Save", &referenced(customer)).status, 201);
        assert_eq!(desk.post("TaxInvoice/Save", &referenced(customer)).status, 201);
        let fields = json!({"CheckForDuplicateCustomerReferences": true});
        desk.edit(json!({"entity": "company", "act": "update", "fields": fields})).expect("a setting");
        assert_eq!(desk.post("TaxInvoice/Save", &referenced(customer)).status, status);
        assert_eq!(desk.post("TaxInvoice/Save", &referenced(other)).status, 201);
        assert_eq!(desk.post("CustomerReturn/Save", &referenced(customer)).status, 201);
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
    assert_eq!((&got["Locked"], &got["Editable"]), (&json!(true), &json!(false)));
    assert_eq!(desk.post("TaxInvoice/Save", &but(got, json!({"Date": "2031-06-01"}))).status, 400);
    assert_eq!(desk.post("TaxInvoice/Save", &document(customer, "10")).status, 400);
    let later = but(document(customer, "10"), json!({"Date": "2031-05-17"}));
    assert_eq!(desk.post("TaxInvoice/Save", &later).status, 201, "the first open day");
    let moved = but(receipt(customer, "4"), json!({"ID": money, "Date": "2031-05-16"}));
    assert_eq!(desk.post("CustomerReceipt/Save", &moved).status, 400);
    let reconciled = but(receipt(customer, "4"), json!({"ID": money, "Reconciled": true}));
    assert_eq!(desk.post("CustomerReceipt/Save", &reconciled).body["Editable"], false);
    assert_eq!(desk.post("CustomerReceipt/Save", &reconciled).status, 400);

    assert_eq!(desk.delete(&format!("Customer/Delete/{customer}")).status, 409);
    let unused = desk.customer("Unused");
    let gone = desk.delete(&format!("Customer/Delete/{unused}"));
    assert_eq!((gone.status, gone.raw.body.len()), (204, 0));
    assert_eq!(desk.delete(&format!("Customer/Delete/{unused}")).status, 404);
    assert_ne!(desk.customer("Unused"), unused, "the name is free, the id is not");
    assert_eq!(desk.delete(&format!("BankAccount/Delete/{BANK}")).status, 409);
    assert_eq!(desk.delete("TaxType/Delete/301").status, 409);
    assert_eq!(desk.delete(&format!("Item/Delete/{ITEM}")).status, 204, "never used");
    assert_eq!(desk.delete("CustomerCategory/Delete/71").status, 204);
    assert_eq!(desk.get("SalesRepresentative/HasActivity/9005", &[]).body, json!(false));

    desk.sage.behaviour_mut().receipts_can_be_deleted = false;
    assert_eq!(desk.delete(&format!("CustomerReceipt/Delete/{money}")).status, 405);
}

#[test]
fn batches_exist_where_they_were_found_and_are_whole_or_nothing() {
    let mut desk = Desk::new();
    let customer = desk.customer("Someone");
    for service in ["TaxInvoice", "CustomerReturn", "CustomerReceipt", "Customer"] {
        let answer = desk.post(&format!("{service}/SaveBatch"), &json!([]));
        let text = format!("No action was found on the controller '{service}' that matches the name 'SaveBatch'.");
        assert_eq!((answer.status, answer.text()), (404, text.as_str()));
    }
    let entry = |total: i64| json!({"Date": "2031-05-14", "Effect": 1, "AccountId": 9001, "ContraAccountId": 9002, "Total": total});
    let booked = desk.post("JournalEntry/SaveBatch", &json!([entry(5), entry(7)]));
    assert_eq!((booked.status, booked.body.as_array().map(Vec::len)), (200, Some(2)));
    assert_eq!(desk.get("Account/Get/9002", &[]).body["Balance"].to_string(), "-12.0");
    let money = |kind: i64, id: i64, total: i64| {
        json!({"Date": "2031-05-14", "BankAccountId": BANK, "Type": kind, "SelectionId": id, "Total": total})
    };
    let before = desk.stored();
    let half_bad = json!([money(1, 9001, 5), money(1, 5, 5)]);
    assert_eq!(desk.post("BankTransaction/SaveBatch", &half_bad).status, 400);
    assert_eq!(desk.post("BankTransaction/SaveBatch", &json!({})).status, 400);
    let many: Vec<Value> = (0..101).map(|n| money(1, 9001, n)).collect();
    assert_eq!(desk.post("BankTransaction/SaveBatch", &json!(many)).status, 400, "one more than a batch holds");
    assert_eq!(desk.post("JournalEntry/SaveBatch", &json!([entry(1), entry(-1)])).status, 400);
    assert_eq!(desk.stored(), before);
    assert_eq!(desk.post("BankTransaction/SaveBatch", &json!([money(2, customer, 5)])).status, 200);
    assert_eq!(desk.stored()["receipts"], json!([]));

    let behaviour = desk.sage.behaviour_mut();
    behaviour.document_batches = true;
    behaviour.bank_transactions_make_receipts = true;
    assert_eq!(desk.post("BankTransaction/SaveBatch", &json!([money(2, customer, 6)])).status, 200);
    assert_eq!(desk.stored()["receipts"][0]["Total"].to_string(), "6.0");
    let invoices = desk.post("TaxInvoice/SaveBatch", &json!([document(customer, "1"), document(customer, "2")]));
    assert_eq!(invoices.body.as_array().map(Vec::len), Some(2));
    let names = desk.post("Customer/SaveBatch", &json!([{"Name": "Twin"}, {"Name": "TWIN"}]));
    assert_eq!(names.status, 400, "rows see each other");
    assert_eq!(desk.stored()["customers"].as_array().map(Vec::len), Some(1));
    let receipts = desk.post("CustomerReceipt/SaveBatch", &json!([receipt(customer, "3")]));
    assert_eq!(receipts.status, 200);
}

#[test]
fn notes_opening_balances_and_addresses_hang_on_their_customer() {
    let mut desk = Desk::new();
    let body = json!({"Name": "Someone", "Active": true, "PostalAddress01": "1 Road", "DeliveryAddress02": "Gate"});
    let customer = desk.post("Customer/Save", &body).id();
    let copied = desk.post("TaxInvoice/Save", &document(customer, "10")).body;
    assert_eq!((&copied["PostalAddress01"], &copied["DeliveryAddress02"]), (&json!("1 Road"), &json!("Gate")));
    let own = but(document(customer, "10"), json!({"PostalAddress02": "Elsewhere"}));
    let own = desk.post("TaxInvoice/Save", &own).body;
    assert!(own["PostalAddress02"] == "Elsewhere" && own.get("PostalAddress01").is_none());

    let note = desk.post("CustomerNote/Save", &json!({"CustomerId": customer, "Subject": "Called", "Note": "…"}));
    assert_eq!((note.status, &note.body["CustomerName"]), (201, &json!("Someone")));
    assert_eq!(desk.delete(&format!("CustomerNote/Delete/{}", note.id())).status, 204);

    let opening = |extra: Value| {
        let base: Map<String, Value> = [("CustomerId".to_owned(), json!(customer)), ("Date".to_owned(), json!("2030-12-31"))].into();
        but(Value::Object(base), extra)
    };
    let first = desk.post("CustomerOpeningBalance/Save", &opening(json!({"Balance": 100})));
    assert_eq!(first.status, 201);
    assert_eq!(desk.post("CustomerOpeningBalance/Save", &opening(json!({"Balance": 1}))).status, 400);
    desk.post("CustomerOpeningBalance/Save", &opening(json!({"Balance": 40, "ID": first.id()})));
    assert_eq!(desk.get(&format!("Customer/Get/{customer}"), &[]).body["Balance"].to_string(), "60.0");
}
