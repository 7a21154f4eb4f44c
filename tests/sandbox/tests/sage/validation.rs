//! Every rule that a body can break, and what is said then.

use sandbox::sage::Behaviour;
use sandbox::sage::behaviour::Doubtful;
use serde_json::{Value, json};

use crate::desk::{Desk, amount, but, document, receipt};

fn line_but(mut body: Value, changes: Value) -> Value {
    body["Lines"][0] = but(body["Lines"][0].clone(), changes);
    body
}

#[test]
fn a_bad_body_is_refused_with_its_reason_and_leaves_nothing_behind() {
    let mut desk = Desk::new();
    let customer = desk.customer("Someone");
    desk.post("Customer/Save", &json!({"Name": "Gone", "Active": false}));
    let create =
        |entity: &str, fields: Value| json!({"entity": entity, "act": "create", "fields": fields});
    let inactive = desk
        .edit(create(
            "items",
            json!({"Code": "OLD", "Description": "Old"}),
        ))
        .expect("an item")["ID"]
        .clone();
    let closed = desk
        .edit(create("bank_accounts", json!({"Name": "Closed"})))
        .expect("a bank account")["ID"]
        .clone();
    let long = |n: usize| "é".repeat(n);
    let invoice = || document(customer, "10");
    let credit = || but(invoice(), json!({"DueDate": null}));
    let money = || receipt(customer, "10");
    let before = desk.stored();
    let cases = [
        ("Customer", json!({}), "The Name field is required."),
        (
            "Customer",
            json!({"Name": long(101)}),
            "maximum length of 100",
        ),
        (
            "Customer",
            json!({"Name": " some ONE".replace(' ', "")}),
            "The customer name already exists.",
        ),
        (
            "Customer",
            json!({"Name": " SOMEONE "}),
            "The customer name already exists.",
        ),
        (
            "Customer",
            json!({"Name": "gone"}),
            "The customer name already exists.",
        ),
        (
            "Customer",
            json!({"Name": "X", "Email": "nobody"}),
            "not a valid e-mail",
        ),
        (
            "Customer",
            json!({"Name": "X", "Email": "a@b.example, c@d.example"}),
            "not a valid e-mail",
        ),
        (
            "Customer",
            json!({"Name": "X", "CommunicationMethod": 2}),
            "e-mail address is required",
        ),
        (
            "Customer",
            json!({"Name": "X", "CommunicationMethod": 7}),
            "no meaning",
        ),
        (
            "Customer",
            json!({"Name": "X", "Category": {"ID": 0}}),
            "category does not exist",
        ),
        (
            "Customer",
            json!({"Name": "X", "SalesRepresentativeId": 0}),
            "does not exist",
        ),
        (
            "Customer",
            json!({"Name": "X", "Mobile": long(31)}),
            "maximum length of 30",
        ),
        (
            "Customer",
            json!({"Name": "X", "CreditLimit": "much"}),
            "must be a number",
        ),
        (
            "Customer",
            json!({"Name": "X", "CreditLimit": amount("1e20")}),
            "too large",
        ),
        ("Customer", json!([{"Name": "X"}]), "an object is expected"),
        (
            "TaxInvoice",
            but(invoice(), json!({"CustomerId": null})),
            "CustomerId field is required",
        ),
        (
            "TaxInvoice",
            but(invoice(), json!({"CustomerId": 5})),
            "customer does not exist",
        ),
        (
            "TaxInvoice",
            but(invoice(), json!({"Date": null})),
            "Date field is required",
        ),
        (
            "TaxInvoice",
            but(invoice(), json!({"Date": "14/05/2031"})),
            "must be a date",
        ),
        (
            "TaxInvoice",
            but(invoice(), json!({"DueDate": null})),
            "DueDate field is required",
        ),
        (
            "TaxInvoice",
            but(invoice(), json!({"Lines": []})),
            "at least one line",
        ),
        (
            "TaxInvoice",
            but(invoice(), json!({"Lines": null})),
            "at least one line",
        ),
        (
            "TaxInvoice",
            but(invoice(), json!({"Reference": long(101)})),
            "maximum length of 100",
        ),
        (
            "TaxInvoice",
            but(invoice(), json!({"DocumentNumber": long(101)})),
            "maximum length of 100",
        ),
        (
            "TaxInvoice",
            but(invoice(), json!({"DiscountPercentage": 15})),
            "between 0 and 1",
        ),
        (
            "TaxInvoice",
            line_but(invoice(), json!({"SelectionId": 5})),
            "account does not exist",
        ),
        (
            "TaxInvoice",
            line_but(invoice(), json!({"SelectionId": 5, "LineType": 0})),
            "item does not exist",
        ),
        (
            "TaxInvoice",
            line_but(invoice(), json!({"SelectionId": inactive, "LineType": 0})),
            "item is not active",
        ),
        (
            "TaxInvoice",
            line_but(invoice(), json!({"LineType": 3})),
            "type 3",
        ),
        (
            "TaxInvoice",
            line_but(invoice(), json!({"TaxTypeId": 0})),
            "tax type does not exist",
        ),
        (
            "TaxInvoice",
            line_but(invoice(), json!({"Quantity": null})),
            "Quantity field is required",
        ),
        (
            "TaxInvoice",
            line_but(invoice(), json!({"Quantity": -1})),
            "can't be negative",
        ),
        (
            "TaxInvoice",
            line_but(invoice(), json!({"UnitPriceInclusive": -1})),
            "can't be negative",
        ),
        (
            "TaxInvoice",
            line_but(invoice(), json!({"UnitPriceInclusive": null})),
            "UnitPriceInclusive field is required",
        ),
        (
            "TaxInvoice",
            line_but(invoice(), json!({"Description": long(101)})),
            "maximum length of 100",
        ),
        (
            "TaxInvoice",
            line_but(
                invoice(),
                json!({"Quantity": 999_999_999_999_i64, "UnitPriceInclusive": 999_999_999_999_i64}),
            ),
            "too large",
        ),
        (
            "CustomerReturn",
            but(credit(), json!({"FromDocumentId": 5})),
            "not an invoice of this customer",
        ),
        (
            "CustomerReceipt",
            but(money(), json!({"Total": 0})),
            "greater than zero",
        ),
        (
            "CustomerReceipt",
            but(money(), json!({"Total": -5})),
            "greater than zero",
        ),
        (
            "CustomerReceipt",
            but(money(), json!({"BankAccountId": 5})),
            "bank account does not exist",
        ),
        (
            "CustomerReceipt",
            but(money(), json!({"BankAccountId": closed})),
            "bank account is not active",
        ),
        (
            "CustomerReceipt",
            but(money(), json!({"PaymentMethod": 9})),
            "no meaning",
        ),
        (
            "CustomerReceipt",
            but(money(), json!({"Date": null})),
            "Date field is required",
        ),
        (
            "CustomerWriteOff",
            json!({"CustomerId": customer, "Date": "2031-05-14"}),
            "greater than zero",
        ),
        (
            "Item",
            json!({"Description": "X"}),
            "Code field is required",
        ),
        (
            "Item",
            json!({"Code": "spl-01", "Description": "X"}),
            "item code already exists",
        ),
        (
            "CustomerCategory",
            json!({"Description": "Residential"}),
            "already exists",
        ),
    ];
    for (service, body, reason) in cases {
        let answer = desk.post(&format!("{service}/Save"), &body);
        assert_eq!(answer.status, 400, "{service} {body}: {answer:?}");
        assert!(
            answer.text().contains(reason),
            "{service} {body}: {:?}",
            answer.text()
        );
    }
    assert_eq!(desk.stored(), before);
    for service in [
        "Customer",
        "TaxInvoice",
        "CustomerReceipt",
        "Allocation",
        "Item",
    ] {
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
    lax.post(
        "Customer/Save",
        &json!({"Name": "X", "Email": "a@b.example; c@d.example"}),
    );
    let mut two = line_but(document(customer, "10"), json!({"Description": long(500)}));
    let second = but(
        two["Lines"][0].clone(),
        json!({"Quantity": -1, "UnitPriceInclusive": 4}),
    );
    two["Lines"].as_array_mut().expect("lines").push(second);
    assert_eq!(
        lax.post("TaxInvoice/Save", &two).body["Total"].to_string(),
        "6.0"
    );
    two["Lines"][1]["Quantity"] = json!(-9);
    assert_eq!(
        lax.post("TaxInvoice/Save", &two).status,
        400,
        "never below zero as a whole"
    );
}
