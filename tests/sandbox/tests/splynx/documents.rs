//! What may be changed and deleted on invoices, credit notes, payments and proformas, and what follows.

use rust_decimal::Decimal;
use sandbox::http::Service;
use serde_json::{Value, json};

use crate::client::{Client, money, number};
use crate::ledger::check_books;

fn invoice_path(id: i64) -> String {
    format!("admin/finance/invoices/{id}")
}

#[test]
fn an_invoice_posts_its_lines_and_rounds_as_the_installation_does() {
    let mut client = Client::tiny();
    let customer = client.customer("Rounding");
    let lines = json!([
        {"description": "Fibre", "quantity": 1, "unit": 1, "price": "781.7391", "tax": 15, "tax_id": 1, "categoryIdForTransaction": 1},
        {"description": "Data", "quantity": 3, "unit": "GB", "price": "0.0333", "tax": "15.0000"},
        {"description": "Discount", "price": "-0.0333", "tax": 15},
    ]);
    let body =
        json!({"customer_id": customer, "status": "not_paid", "items": lines, "unknown_field": 1});
    let per_line = client.create("admin/finance/invoices", body.clone());
    client.behave(json!({"rounding": "at-end"}));
    let at_end = client.create("admin/finance/invoices", body);
    // 898.999965 + 0.114885 - 0.038295: 899.00 + 0.11 - 0.04, or 899.076555.
    for (id, total) in [(per_line, "899.07"), (at_end, "899.08")] {
        let invoice = client.get(&invoice_path(id));
        assert_eq!(invoice["total"].to_string(), total);
        assert_eq!(invoice["due"], invoice["total"]);
        let first = &invoice["items"][0];
        assert_eq!(
            (
                &first["price"],
                &first["tax"],
                first["tax_amount"].to_string()
            ),
            (&json!("781.7391"), &json!("15.0000"), "117.2609".to_owned())
        );
        assert_eq!(invoice["items"][2]["pos"], 3);
        let mut posted = Decimal::ZERO;
        for item in invoice["items"].as_array().expect("items") {
            let charge = client.get(&format!(
                "admin/finance/transactions/{}",
                item["transaction_id"]
            ));
            assert_eq!(charge["invoice_id"], json!(id));
            posted += if charge["type"] == "debit" {
                money(&charge["total"])
            } else {
                -money(&charge["total"])
            };
        }
        assert_eq!(posted, total.parse::<Decimal>().expect("an amount"));
    }
    assert_eq!(
        client.balance(customer),
        "-1798.15".parse().expect("an amount")
    );

    let negative = json!({"customer_id": customer, "status": "not_paid", "items": [{"description": "Credit", "price": -1, "tax": 0}]});
    assert_eq!(
        client
            .call("POST", "admin/finance/invoices", negative.clone())
            .0,
        422
    );
    client.behave(json!({"ledger": {"negative_invoices": true}}));
    let id = client.create("admin/finance/invoices", negative);
    assert_eq!(client.get(&invoice_path(id))["total"], json!(-1));
    check_books(&client.splynx.state()).expect("balanced books");
}

#[test]
fn how_much_of_an_invoice_may_change_depends_on_what_was_paid() {
    let edits = [
        ("memo", json!("internal")),
        ("number", json!("X-1")),
        ("date_till", json!("2026-03-01")),
        (
            "items",
            json!([{"description": "More", "price": "1", "tax": 0}]),
        ),
    ];
    // How much was paid, and which of the edits pass.
    for (paid, passing) in [("0", 4), ("40", 3), ("100", 1)] {
        let mut client = Client::tiny();
        let customer = client.customer("Edits");
        let id = client.invoice(customer, "100");
        if paid != "0" {
            client.payment(customer, paid);
        }
        for (index, (field, value)) in edits.iter().enumerate() {
            let (status, answer) = client.call("PUT", &invoice_path(id), json!({*field: value}));
            let expected = if index < passing { 202 } else { 422 };
            assert_eq!(status, expected, "{paid} paid, {field}: {answer}");
        }
    }

    // Items are matched by id; those that are not named stay, unless the server drops them.
    let mut client = Client::tiny();
    let customer = client.customer("Items");
    let lines = json!([{"description": "A", "price": 10, "tax": 0}, {"description": "B", "price": 5, "tax": 0}]);
    let id = client.create(
        "admin/finance/invoices",
        json!({"customer_id": customer, "status": "not_paid", "items": lines}),
    );
    let first = client.get(&invoice_path(id))["items"][0]["id"].clone();
    client.put(
        &invoice_path(id),
        json!({"items": [{"id": first, "price": "20"}]}),
    );
    assert_eq!(client.get(&invoice_path(id))["total"], json!(25));
    client.behave(json!({"put_items_drop_missing": true}));
    client.put(
        &invoice_path(id),
        json!({"items": [{"id": first, "description": "Only"}]}),
    );
    let invoice = client.get(&invoice_path(id));
    assert_eq!(
        (&invoice["total"], &invoice["items"][0]["description"]),
        (&json!(20), &json!("Only"))
    );
    assert_eq!(client.balance(customer), Decimal::from(-20));
    let (status, _) = client.call(
        "PUT",
        &invoice_path(id),
        json!({"items": [{"id": 999_999}]}),
    );
    assert_eq!(status, 422);
}

#[test]
fn a_paid_invoice_is_deleted_only_after_its_payments() {
    let mut client = Client::tiny();
    let customer = client.customer("Deletions");
    let id = client.invoice(customer, "100");
    let payment = client.payment(customer, "100");
    // Equal amounts: the payment is tied to the invoice.
    assert_eq!(
        client.get(&format!("admin/finance/payments/{payment}"))["invoice_id"],
        json!(id)
    );
    for (method, body) in [
        ("DELETE", Value::Null),
        ("PUT", json!({"status": "deleted"})),
    ] {
        let (status, answer) = client.call(method, &invoice_path(id), body);
        let code = &answer["error"]["internal_code"];
        assert_eq!((status, code), (405, &json!("ENTITY_CANNOT_BE_DELETED")));
    }
    client.delete(&format!("admin/finance/payments/{payment}"));
    let charge = client.get(&invoice_path(id))["items"][0]["transaction_id"].clone();
    client.put(&invoice_path(id), json!({"status": "deleted"}));
    let deleted = client.get(&invoice_path(id));
    assert_eq!(
        (
            &deleted["status"],
            &deleted["due"],
            &deleted["items"][0]["transaction_id"]
        ),
        (&json!("deleted"), &json!(0), &Value::Null)
    );
    assert_eq!(
        client
            .call(
                "GET",
                &format!("admin/finance/transactions/{charge}"),
                Value::Null
            )
            .0,
        404
    );
    assert_eq!(
        client.ids("admin/finance/invoices?main_attributes[status]=deleted"),
        [id]
    );
    assert_eq!(
        client
            .call("PUT", &invoice_path(id), json!({"status": "not_paid"}))
            .0,
        422
    );
    client.delete(&invoice_path(id));
    assert_eq!(client.call("GET", &invoice_path(id), Value::Null).0, 404);
    assert_eq!(client.balance(customer), Decimal::ZERO);
    // Automatic transactions go with their documents only.
    let other = client.invoice(customer, "5");
    let charge = client.get(&invoice_path(other))["items"][0]["transaction_id"].clone();
    let (status, _) = client.call(
        "DELETE",
        &format!("admin/finance/transactions/{charge}"),
        Value::Null,
    );
    assert_eq!(status, 405);
}

#[test]
fn an_invoice_without_transactions_is_off_the_balance_and_paid_only_by_name() {
    let mut client = Client::tiny();
    let customer = client.customer("Off the books");
    let body = json!({"customer_id": customer, "status": "not_paid", "use_transactions": "0",
        "items": [{"description": "Off", "price": 30, "tax": 0}]});
    let id = client.create("admin/finance/invoices", body);
    assert_eq!(client.balance(customer), Decimal::ZERO);
    client.payment(customer, "30");
    assert_eq!(client.get(&invoice_path(id))["status"], "not_paid");
    let named = json!({"customer_id": customer, "payment_type": 2, "date": "2026-02-01", "amount": 30, "invoice_id": id});
    client.create("admin/finance/payments", named);
    assert_eq!(client.get(&invoice_path(id))["status"], "paid");
    check_books(&client.splynx.state()).expect("balanced books");
}

#[test]
fn a_credit_note_pays_its_invoice_and_its_rest_can_be_refunded() {
    let mut client = Client::tiny();
    let customer = client.customer("Credits");
    let invoice = client.invoice(customer, "100");
    let line = client.get(&invoice_path(invoice))["items"][0]["id"].clone();
    client.payment(customer, "70");
    let body = json!({"customer_id": customer, "date_created": "2026-02-02", "status": "not_refunded", "invoicesId": invoice.to_string(),
        "resetPeriodForService": "1", "items": [{"invoice_item_id": line, "description": "Line", "quantity": 1, "unit": "", "price": "100.0000", "tax": "0.0000"}]});
    let note = client.create("admin/finance/credit-notes", body);
    let path = format!("admin/finance/credit-notes/{note}");
    let shown = client.get(&path);
    assert_eq!(
        (&shown["total"], &shown["remind_amount"], &shown["status"]),
        (&json!(100), &json!("70.0000"), &json!("not_refunded"))
    );
    assert!(shown.get("invoicesId").is_none() && shown["items"][0]["invoice_item_id"] == line);
    let relations = client.rows(&format!(
        "admin/finance/invoice-relations?invoice_id={invoice}"
    ));
    let of_note = relations
        .iter()
        .find(|r| r["type"] == "credit_note")
        .expect("a relation");
    assert_eq!(
        (&of_note["payer_id"], &of_note["amount"]),
        (&json!(note), &json!(30))
    );
    // Used: only its notes may change.
    client.put(&path, json!({"note": "Sorry"}));
    assert_eq!(client.call("PUT", &path, json!({"number": "N-1"})).0, 422);

    client.put(&path, json!({"status": "refunded"}));
    let refunded = client.get(&path);
    let refund = client.get(&format!(
        "admin/finance/payments/{}",
        refunded["payment_id"]
    ));
    assert_eq!(
        (
            &refund["amount"],
            &refund["credit_note_id"],
            &refunded["remind_amount"]
        ),
        (&json!("-70.0000"), &json!(note), &json!("0.0000"))
    );
    assert_eq!(client.balance(customer), Decimal::ZERO);
    assert_eq!(client.call("DELETE", &path, Value::Null).0, 405);
    client.delete(&format!("admin/finance/payments/{}", refund["id"]));
    assert_eq!(client.get(&path)["status"], "not_refunded");
    client.put(&path, json!({"status": "deleted"}));
    assert_eq!(client.get(&invoice_path(invoice))["due"], json!(30));
    assert_eq!(client.balance(customer), Decimal::from(-30));
    check_books(&client.splynx.state()).expect("balanced books");

    // Whether a used-up note is "closed" is a switch.
    client.behave(json!({"ledger": {"closed_status": true}}));
    let body = json!({"customer_id": customer, "status": "not_refunded", "invoicesId": [invoice],
        "items": [{"description": "Line", "price": "30", "tax": "0"}]});
    let note = client.create("admin/finance/credit-notes", body);
    assert_eq!(
        client.get(&format!("admin/finance/credit-notes/{note}"))["status"],
        "closed"
    );
}

#[test]
fn payments_and_proformas_follow_each_other_without_touching_invoices() {
    let mut client = Client::tiny();
    let customer = client.customer("Proforma");
    let proforma = client.create(
        "admin/finance/proforma-invoices",
        json!({"customer_id": customer, "status": "not_paid", "items": [{"description": "Deposit", "price": 100, "tax": 15}]}),
    );
    let path = format!("admin/finance/proforma-invoices/{proforma}");
    assert_eq!(client.get(&path)["total"], json!(115));
    assert!(client.get(&path).get("due").is_none());
    assert_eq!(client.balance(customer), Decimal::ZERO);
    let payment = client.create(
        "admin/finance/payments",
        json!({"customer_id": customer, "payment_type": 8, "date": "2026-02-01", "amount": "115", "request_id": proforma}),
    );
    assert_eq!(client.get(&path)["status"], "paid");
    let shown = client.get(&format!("admin/finance/payments/{payment}"));
    assert_eq!(shown["remind_amount"], "115.0000");
    assert!(
        !shown["receipt_number"]
            .as_str()
            .unwrap_or_default()
            .is_empty()
    );
    let transaction = client.get(&format!(
        "admin/finance/transactions/{}",
        shown["transaction_id"]
    ));
    let method = client.get("admin/finance/payment-methods/8");
    assert_eq!(transaction["description"], method["name"]);
    client.delete(&format!("admin/finance/payments/{payment}"));
    assert_eq!(client.get(&path)["status"], "not_paid");
}

#[test]
fn statements_are_imported_and_paired_by_hand() {
    let mut client = Client::tiny();
    let customer = client.customer("Statement");
    let invoice = client.invoice(customer, "60");
    let invoice_number = client.get(&invoice_path(invoice))["number"].clone();
    let statement = client.create(
        "admin/finance/bank-statements-import",
        json!({"data": [{"0": customer, "1": invoice_number, "2": "60.00", "3": "2026-01-30"}],
            "columns": {"0": "customer_id", "1": "invoice_number", "2": "amount", "3": "date"}}),
    );
    let records = format!(
        "admin/finance/bank-statements-records?main_attributes[bank_statements_process_id]={statement}"
    );
    let record = client.rows(&records)[0].clone();
    assert_eq!(
        (&record["status"], &record["amount"]),
        (&json!("new"), &json!("60.0000"))
    );
    let pair = json!({"entity": "bank_statements_records", "act": "pair", "id": record["id"],
        "fields": {"invoice_number": invoice_number, "payment_type": 2}});
    let paired = client.screen(pair.clone()).expect("a pairing");
    let payment = client.get(&format!(
        "admin/finance/payments/{}",
        number(&paired["payment_id"])
    ));
    assert_eq!(
        (&payment["date"], &payment["invoice_id"]),
        (&json!("2026-01-30"), &json!(invoice))
    );
    let record = client.rows(&records)[0].clone();
    assert_eq!(
        (&record["status"], &record["payment_id"]),
        (&json!("manual_paired"), &payment["id"])
    );
    assert!(client.screen(pair).is_err(), "a record is paired once");
}

#[test]
fn the_calculator_rounds_like_the_documents() {
    let mut client = Client::tiny();
    let rows = json!({"rowData": [{"quantity": 1, "price": "781.7391", "tax_id": 1}, {"quantity": 2, "withVat": "11.5", "tax_id": 1, "isChangedInput": "withVat"}]});
    let (status, result) = client.call("POST", "admin/finance/calculate-finance", rows);
    assert_eq!(status, 200);
    assert_eq!(result["rowData"][0]["total"], "899.00");
    assert_eq!(
        (&result["rowData"][1]["price"], &result["total"]["total"]),
        (&json!("10.0000"), &json!("922.00"))
    );
}
