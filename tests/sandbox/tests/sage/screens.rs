//! The company's own people: edits, reports, and a company that another add-on has fed.

use sandbox::http::Service;
use sandbox::isp::{CustomerCategory, Isp, Size};
use serde_json::{Value, json};

use crate::desk::{Desk, ITEM, dec, document};

fn rows<'s>(state: &'s Value, name: &str) -> &'s Vec<Value> {
    state[name]
        .as_array()
        .unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn people_rename_void_delete_lock_and_allocate_on_their_screens() {
    let mut desk = Desk::new();
    let body =
        json!({"Name": "Someone", "Active": true, "TextField1": "mine", "Email": "a@b.example"});
    let customer = desk.post("Customer/Save", &body).id();
    desk.customer("Taken");
    let update = |id: i64, fields: Value| json!({"entity": "customers", "act": "update", "id": id, "fields": fields});
    let renamed = desk
        .edit(update(customer, json!({"name": "Renamed"})))
        .expect("renamed");
    assert_eq!(
        (&renamed["Name"], &renamed["TextField1"]),
        (&json!("Renamed"), &json!("mine")),
        "the rest stays"
    );
    let error = desk
        .edit(update(customer, json!({"Name": "taken"})))
        .expect_err("the name is taken");
    assert!(error.contains("already exists"), "{error}");

    let first = desk.invoice(customer, "50");
    let second = desk.post_numbered("TaxInvoice/Save", &{
        let mut body = document(customer, "30");
        body["DocumentNumber"] = json!("EX-1");
        body
    });
    let made = desk
        .edit(json!({"entity": "receipts", "act": "create", "fields": {
            "CustomerId": customer, "Date": "2031-05-20", "Total": 70, "BankAccountId": 501, "Reference": "by hand",
            "Allocations": [
                {"AllocatedToDocumentId": first, "Total": 50},
                {"AllocatedToDocumentId": second.id(), "Total": 15},
            ]}}))
        .expect("a receipt");
    assert_eq!(
        (
            made["TotalUnallocated"].to_string(),
            &made["DocumentNumber"]
        ),
        ("5.0".into(), &json!("RCP0000001"))
    );
    let too_much = json!({"entity": "receipts", "act": "create", "fields": {
        "CustomerId": customer, "Date": "2031-05-20", "Total": 70, "BankAccountId": 501,
        "Allocations": [{"AllocatedToDocumentId": first, "Total": 1}]}});
    let before = desk.stored();
    desk.edit(too_much).expect_err("the invoice is paid");
    assert_eq!(desk.stored(), before, "no receipt without its allocations");

    let act = |act: &str, id: i64| json!({"entity": "invoices", "act": act, "id": id});
    desk.edit(act("delete", first))
        .expect_err("it has allocations");
    let void = desk.edit(act("void", first)).expect("void");
    assert_eq!(
        (void["StatusId"].as_i64(), void["AmountDue"].to_string()),
        (Some(4), "0.0".into())
    );
    desk.edit(act("void", first)).expect_err("void already");
    let receipt = desk
        .get(&format!("CustomerReceipt/Get/{}", made["ID"]), &[])
        .body;
    assert_eq!(
        receipt["TotalUnallocated"].to_string(),
        "55.0",
        "its money is free again"
    );
    desk.edit(json!({"entity": "CustomerReceipt", "act": "delete", "id": made["ID"]}))
        .expect("deleted");
    desk.edit(act("delete", second.id())).expect("deleted");
    let mut again = document(customer, "30");
    again["DocumentNumber"] = json!("EX-1");
    assert_eq!(
        desk.post_numbered("TaxInvoice/Save", &again).status,
        201,
        "a deleted document's number is free"
    );

    desk.edit(json!({"entity": "items", "act": "update", "id": ITEM, "fields": {"Active": false}}))
        .expect("inactive");
    let mut inactive = document(customer, "1");
    inactive["Lines"][0]["LineType"] = json!(0);
    inactive["Lines"][0]["SelectionId"] = json!(ITEM);
    assert_eq!(desk.post("TaxInvoice/Save", &inactive).status, 400);
    desk.edit(json!({"entity": "behaviour", "act": "update", "fields": {"ties": "to_even", "update_status": 201}}))
        .expect("turned");
    assert_eq!(desk.sage.behaviour().update_status, 201);
    for nonsense in [
        json!({"entity": "behaviour", "act": "update", "fields": {"no_such_switch": true}}),
        json!({"entity": "dragons", "act": "create"}),
        json!({"entity": "customers", "act": "fly", "id": customer}),
        json!({"entity": "customers", "act": "update"}),
        json!({"entity": "customers", "act": "create", "fields": 5}),
        json!(null),
    ] {
        desk.edit(nonsense).expect_err("nonsense");
    }
}

#[test]
fn reports_add_up_to_the_balance() {
    let mut desk = Desk::new();
    let customer = desk.customer("Someone");
    desk.customer("Nobody");
    let mut old = document(customer, "100");
    old["Date"] = json!("2031-01-10");
    desk.post("TaxInvoice/Save", &old);
    desk.invoice(customer, "50");
    desk.receipt(customer, "30");
    let ageing = desk
        .post(
            "CustomerAgeing/GetSummary",
            &json!({"ToDate": "2031-05-31", "ExcludeZeroBalance": true}),
        )
        .body;
    let row = &ageing["Results"][0];
    assert_eq!(
        (&ageing["TotalResults"], row["Total"].to_string()),
        (&json!(1), "120.0".into())
    );
    assert_eq!(
        (row["Current"].to_string(), row["Days120Plus"].to_string()),
        ("20.0".into(), "100.0".into())
    );

    let path = "CustomerTransactionListing/GetCustomerTransactionListingReportingDetail";
    let period = json!({"FromDate": "2031-05-01", "ToDate": "2031-05-31", "FromCustomer": "s", "ToCustomer": "t"});
    let listing = desk.post(path, &period).body;
    let one = &listing[0];
    assert_eq!(
        (
            one["OpeningBalance"].to_string(),
            one["ClosingBalance"].to_string()
        ),
        ("100.0".into(), "120.0".into())
    );
    let transactions = one["Transactions"].as_array().expect("transactions");
    assert_eq!(
        (transactions.len(), transactions[1]["Credit"].to_string()),
        (2, "30.0".into())
    );
    assert_eq!(
        desk.post(path, &json!({"FromDate": "2031-05-01"})).status,
        400
    );

    let statement = desk.post("CustomerStatement/Get", &period).body;
    assert_eq!(
        (
            statement["Results"][0]["TotalDue"].to_string(),
            statement["Results"][0]["TotalPaid"].to_string()
        ),
        ("120.0".into(), "30.0".into())
    );
    let nobody = json!({"FromDate": "2031-05-01", "ToDate": "2031-05-31", "FromCustomer": "x"});
    assert_eq!(desk.post("CustomerStatement/Get", &nobody).status, 204);
}

#[test]
fn a_company_in_step_holds_all_that_the_provider_holds_and_nothing_of_ours() {
    for (size, seed) in [(Size::Tiny, 1), (Size::Small, 2), (Size::Medium, 3)] {
        println!("{} seed {seed}", size.name());
        let isp = Isp::seeded(size, seed);
        let desk = Desk::of(isp.clone(), true);
        let state = desk.sage.state();
        assert_eq!(state["requests"]["total"], 0);
        let people = isp
            .customers
            .iter()
            .filter(|c| c.category != CustomerCategory::Lead)
            .count();
        assert_eq!(rows(&state, "customers").len(), people);
        let sent: Vec<_> = isp
            .invoices
            .iter()
            .filter(|i| !i.deleted && i.uses_transactions && !i.total.is_zero())
            .collect();
        let stored = rows(&state, "invoices");
        assert_eq!(stored.len(), sent.len());
        let by_number: std::collections::HashMap<_, _> = stored
            .iter()
            .map(|row| (row["DocumentNumber"].as_str().expect("a number"), row))
            .collect();
        for invoice in sent {
            let row = by_number[invoice.number.as_str()];
            assert_eq!(dec(&row["Total"]), invoice.total);
            assert_eq!(row["Reference"], invoice.number.as_str());
            assert_eq!(
                &row["Date"].as_str().expect("a date")[..10],
                invoice.date.to_string()
            );
        }
        assert_eq!(rows(&state, "returns").len(), isp.credit_notes.len());
        let paid = isp
            .payments
            .iter()
            .filter(|p| p.amount > rust_decimal::Decimal::ZERO);
        assert_eq!(rows(&state, "receipts").len(), paid.count());
        assert!(rows(&state, "allocations").len() > isp.invoices.len() / 2);
        let emails = rows(&state, "customers")
            .iter()
            .filter_map(|row| row["Email"].as_str());
        let corrected = emails.filter(|email| email.starts_with("office")).count();
        assert_eq!(corrected > 0, size != Size::Tiny);

        let furniture = &isp.sage;
        let counts = [
            ("customers", 0),
            ("invoices", 0),
            ("items", furniture.items.len()),
            ("tax_types", furniture.tax_types.len()),
            ("bank_accounts", furniture.bank_accounts.len()),
        ];
        let empty = Desk::of(isp.clone(), false).sage.state();
        for (name, count) in counts {
            assert_eq!(rows(&empty, name).len(), count, "{name}");
        }
    }
}
