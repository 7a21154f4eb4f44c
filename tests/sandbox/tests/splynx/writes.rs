//! Which writes are refused and how, what a create fills in, stamps, screens.

use sandbox::http::{Request, Service};
use serde_json::{Value, json};

use crate::client::{Client, body_of};

#[test]
fn refusals_have_the_status_and_the_body_of_the_reference() {
    let mut client = Client::tiny();
    let invoice_path = format!("admin/finance/invoices/{}", client.an_invoice);
    for (method, path, status, code) in [
        ("GET", "admin/no/such", 404, "NOT_FOUND"),
        ("GET", "admin/finance/bank-accounts", 404, "NOT_FOUND"),
        (
            "GET",
            "admin/finance/accounting-customers",
            404,
            "NOT_FOUND",
        ),
        ("GET", "admin/config/hooks", 404, "NOT_FOUND"),
        ("GET", "admin/finance/invoices/999999", 404, "NOT_FOUND"),
        ("GET", "admin/finance/invoices/abc", 404, "NOT_FOUND"),
        ("PUT", "admin/finance/invoices", 400, "BAD_REQUEST"),
        ("DELETE", "admin/finance/invoices", 400, "BAD_REQUEST"),
        (
            "GET",
            "admin/customers/customer-billing",
            400,
            "BAD_REQUEST",
        ),
        ("POST", &invoice_path, 405, "METHOD_DISABLED"),
        ("PATCH", &invoice_path, 405, "METHOD_DISABLED"),
        ("POST", "admin/config/taxes", 405, "METHOD_DISABLED"),
        ("PUT", "admin/config/taxes/1", 405, "METHOD_DISABLED"),
        (
            "DELETE",
            "admin/customers/customer-info/1",
            405,
            "METHOD_DISABLED",
        ),
        (
            "POST",
            "admin/finance/invoice-relations",
            405,
            "METHOD_DISABLED",
        ),
        (
            "GET",
            "admin/finance/bank-statements-import",
            405,
            "METHOD_DISABLED",
        ),
        (
            "DELETE",
            "admin/finance/transaction-categories/1",
            405,
            "ENTITY_CANNOT_BE_DELETED",
        ),
        ("PUT", &invoice_path, 400, "BAD_REQUEST"),
    ] {
        let (seen, body) = client.call(method, path, Value::Null);
        let error = &body["error"];
        assert_eq!(
            (seen, &error["code"], error["internal_code"].as_str()),
            (status, &json!(status), Some(code)),
            "{method} {path}"
        );
    }
    let request = client.request("POST", "admin/config/taxes", &Value::Null);
    let body = client.send(&request).body;
    assert_eq!(
        body.len(),
        88,
        "as long as a live server's: {}",
        String::from_utf8_lossy(&body)
    );
    let outside = Request::new("GET", "/api/3.0/admin/finance/invoices");
    assert_eq!(client.send(&outside).status, 404);
}

#[test]
fn failed_validation_names_every_field() {
    let mut client = Client::tiny();
    let long = "x".repeat(257);
    let item = json!({"description": "A", "price": 1, "tax": 0});
    let customer = client.customers[0];
    let cases = [
        (
            "admin/customers/customer",
            json!({}),
            vec!["partner_id", "location_id", "category", "name"],
        ),
        (
            "admin/customers/customer",
            json!({"name": long, "partner_id": 1, "location_id": 1, "category": "x"}),
            vec!["category", "name"],
        ),
        (
            "admin/customers/customer",
            json!({"name": "A", "partner_id": 99, "location_id": 1, "category": "lead"}),
            vec!["partner_id"],
        ),
        (
            "admin/finance/invoices",
            json!({}),
            vec!["customer_id", "status"],
        ),
        (
            "admin/finance/invoices",
            json!({"customer_id": customer, "status": "not_paid"}),
            vec!["items"],
        ),
        (
            "admin/finance/invoices",
            json!({"customer_id": customer, "status": "not_paid", "items": [{"price": 1}]}),
            vec!["description"],
        ),
        (
            "admin/finance/invoices",
            json!({"customer_id": customer, "status": "paid", "items": [item]}),
            vec!["status"],
        ),
        (
            "admin/finance/invoices",
            json!({"customer_id": 9999, "status": "not_paid", "items": [item]}),
            vec!["customer_id"],
        ),
        (
            "admin/finance/invoices",
            json!({"customer_id": customer, "status": "not_paid", "items": [{"description": "A", "tax_id": 99}]}),
            vec!["items"],
        ),
        (
            "admin/finance/proforma-invoices",
            json!({}),
            vec!["customer_id", "status"],
        ),
        (
            "admin/finance/credit-notes",
            json!({}),
            vec!["customer_id", "status"],
        ),
        (
            "admin/finance/credit-notes",
            json!({"customer_id": customer, "status": "not_refunded", "items": [item], "invoicesId": [1, 2]}),
            vec!["invoicesId"],
        ),
        (
            "admin/finance/payments",
            json!({}),
            vec!["customer_id", "payment_type", "date", "amount"],
        ),
        (
            "admin/finance/payments",
            json!({"customer_id": customer, "payment_type": 2, "date": "2026-02-01", "amount": "0.00"}),
            vec!["amount"],
        ),
        (
            "admin/finance/payments",
            json!({"customer_id": customer, "payment_type": 99, "date": "2026-02-01", "amount": 1}),
            vec!["payment_type"],
        ),
        (
            "admin/finance/payments",
            json!({"customer_id": customer, "payment_type": 2, "date": "01/02/2026", "amount": "R1"}),
            vec!["date", "amount"],
        ),
        (
            "admin/finance/invoices",
            json!({"customer_id": customer, "status": "not_paid",
                "items": [{"description": "A", "quantity": "1e27", "price": "9".repeat(28), "tax": 1e20}]}),
            vec!["quantity", "price", "tax"],
        ),
        (
            "admin/finance/payments",
            json!({"customer_id": customer, "payment_type": 2, "date": "2026-02-01", "amount": 1, "invoice_id": 999}),
            vec!["invoice_id"],
        ),
        (
            "admin/finance/payments",
            json!({"customer_id": customer, "payment_type": 2, "date": "2026-02-01", "amount": 1, "receipt_number": "1".repeat(33)}),
            vec!["receipt_number"],
        ),
        (
            "admin/finance/transactions",
            json!({}),
            vec![
                "customer_id",
                "type",
                "tax_percent",
                "date",
                "category",
                "description",
            ],
        ),
        (
            "admin/finance/payment-methods",
            json!({}),
            vec!["name", "is_active"],
        ),
        (
            "admin/finance/transaction-categories",
            json!({}),
            vec!["name"],
        ),
        (
            "admin/finance/bank-statements-records",
            json!({}),
            vec!["bank_statements_process_id"],
        ),
        (
            "admin/finance/bank-statements-import",
            json!({}),
            vec!["data"],
        ),
        ("admin/administration/partners", json!({}), vec!["name"]),
        ("admin/administration/locations", json!({}), vec!["name"]),
        (
            "admin/administration/administrators",
            json!({}),
            vec!["login", "name", "email"],
        ),
    ];
    for (path, body, fields) in cases {
        let (status, answer) = client.call("POST", path, body.clone());
        assert_eq!(status, 422, "POST {path} {body}: {answer}");
        let errors = answer.as_array().expect("a list");
        let named: Vec<&str> = errors.iter().filter_map(|e| e["field"].as_str()).collect();
        assert_eq!(named, fields, "POST {path} {body}");
        assert!(errors.iter().all(|e| {
            e["message"]
                .as_str()
                .is_some_and(|m| m.ends_with(['.', '!']))
        }));
    }
    // A body that is no JSON counts as an empty one.
    let mut request = client.request("POST", "admin/finance/payments", &Value::Null);
    request.body = b"{not json".to_vec();
    assert_eq!(client.send(&request).status, 422);
    for (shape, is_right) in [
        (
            "object",
            (|body: &Value| body["customer_id"][0].is_string()) as fn(&Value) -> bool,
        ),
        ("error", |body| body["error"]["code"] == json!(422)),
        ("text", Value::is_null),
    ] {
        client.behave(json!({"invalid_shape": shape}));
        let (status, body) = client.call("POST", "admin/finance/payments", json!({}));
        assert!(status == 422 && is_right(&body), "{shape}: {body}");
    }
}

#[test]
fn creates_fill_in_what_is_missing_and_edits_move_the_stamps() {
    let mut client = Client::tiny();
    let customer = client.customer("Naledi Ösker");
    let shown = client.get(&format!("admin/customers/customer/{customer}"));
    assert_eq!(shown["login"], json!(format!("{customer:06}")));
    assert_eq!(
        (&shown["status"], &shown["added_by"]),
        (&json!("new"), &json!("api"))
    );
    // The server's clock is two hours east of UTC.
    assert_eq!(shown["last_update"], "2026-02-02 10:00:00");
    assert_eq!(shown["last_online"], "0000-00-00 00:00:00");
    client.wait(60);
    client.put(
        &format!("admin/customers/customer-info/{customer}"),
        json!({"vat_id": "4012345678"}),
    );
    let info = client.get(&format!("admin/customers/customer-info/{customer}"));
    assert_eq!(
        (&info["vat_id"], &info["updated_at"]),
        (&json!("4012345678"), &json!("2026-02-02 10:01:00"))
    );
    assert_eq!(
        client.get(&format!("admin/customers/customer/{customer}"))["last_update"],
        "2026-02-02 10:00:00"
    );
    client.put(
        &format!("admin/customers/customer/{customer}"),
        json!({"name": "Naledi"}),
    );
    assert_eq!(
        client.get(&format!("admin/customers/customer/{customer}"))["last_update"],
        "2026-02-02 10:01:00"
    );

    let invoice = client.invoice(customer, "10");
    let payment = client.payment(customer, "15");
    client.wait(86_400);
    client.invoice(customer, "5");
    // The new invoice used the payment's rest, which changes the payment.
    assert_eq!(
        client.get(&format!("admin/finance/payments/{payment}"))["updated_at"],
        "2026-02-03 10:01:00"
    );
    let old = client.get(&format!("admin/finance/invoices/{invoice}"));
    assert_eq!(
        (&old["date_updated"], &old["real_create_datetime"]),
        (&json!("2026-02-02"), &json!("2026-02-02 10:01:00"))
    );
    let number = old["number"].as_str().expect("a number");
    assert!(
        number.len() == 12 && number.starts_with("202601"),
        "{number}"
    );
    let same = format!("admin/finance/invoices?main_attributes[number]={number}");
    assert_eq!(client.ids(&same), [invoice]);
    client.put(
        &format!("admin/finance/invoices/{invoice}"),
        json!({"memo": "seen"}),
    );
    assert_eq!(
        client.get(&format!("admin/finance/invoices/{invoice}"))["date_updated"],
        "2026-02-03"
    );

    client.behave(json!({"billing_touches_customers": true}));
    client.payment(customer, "1");
    assert_eq!(
        client.get(&format!("admin/customers/customer/{customer}"))["last_update"],
        "2026-02-03 10:01:00"
    );
    client.delete(&format!("admin/customers/customer/{customer}"));
    for path in ["customer", "customer-info", "customer-billing"] {
        assert_eq!(
            client
                .call(
                    "GET",
                    &format!("admin/customers/{path}/{customer}"),
                    Value::Null
                )
                .0,
            404
        );
    }
    assert_eq!(
        client.get(&format!("admin/finance/invoices/{invoice}"))["customer_id"],
        json!(customer)
    );
}

#[test]
fn version_one_serves_the_same_data_and_requests_are_counted() {
    let mut client = Client::tiny();
    let invoice_path = format!("admin/finance/invoices/{}", client.an_invoice);
    let invoices = client.get("admin/finance/invoices");
    let mut request = client.request("GET", "admin/finance/invoices", &Value::Null);
    request.path = "/api/1.0/admin/finance/invoices".to_owned();
    let answer = client.send(&request);
    assert_eq!(body_of(&answer), invoices);
    client.get(&invoice_path);
    client.call("POST", "admin/finance/payments", json!({}));
    let requests = client.splynx.state()["requests"].clone();
    assert_eq!(
        (&requests["total"], &requests["writes"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(requests["refused"], json!({"422": 1}));
    assert_eq!(requests["by_path"]["GET admin/finance/invoices/{id}"], 1);
    assert_eq!(requests["by_path"]["GET admin/finance/invoices"], 2);
}

#[test]
fn screens_edit_through_the_same_rules() {
    let mut client = Client::tiny();
    let customer = client.customers[0];
    let made = client
        .screen(json!({"entity": "payments", "act": "create",
            "fields": {"customer_id": customer, "payment_type": 1, "date": "2026-02-01", "amount": "5"}}))
        .expect("a payment");
    let payment = client.get(&format!("admin/finance/payments/{}", made["id"]));
    assert_eq!(payment["added_by"], "admin");
    let failed = client.screen(json!({"entity": "payments", "act": "create", "fields": {}}));
    assert!(failed.is_err_and(|text| text.contains("customer_id: Customer ID cannot be blank.")));
    let renamed = client
        .screen(json!({"entity": "taxes", "act": "update", "id": 1, "fields": {"name": "VAT"}}))
        .expect("taxes are edited on the screen only");
    assert_eq!(renamed["name"], "VAT");
    for wrong in [
        json!({"entity": "nothing", "act": "create"}),
        json!({"entity": "payments", "act": "explode", "id": 1}),
        json!({"entity": "payments", "act": "update"}),
        json!({"entity": "invoice_relations", "act": "create", "fields": {}}),
        json!({"entity": "behaviour", "act": "update", "fields": {"no_such_switch": true}}),
        json!([]),
    ] {
        assert!(client.screen(wrong.clone()).is_err(), "{wrong}");
    }
}
