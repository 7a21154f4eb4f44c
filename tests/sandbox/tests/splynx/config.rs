//! What a server tells about itself: schemas, additional fields, configuration, and the style of its values.

use serde_json::{Value, json};

use crate::client::Client;

#[test]
fn the_legacy_style_is_text_throughout() {
    fn assert_text(value: &Value) {
        match value {
            Value::Number(_) | Value::Bool(_) => panic!("{value} is no text"),
            Value::Array(values) => values.iter().for_each(assert_text),
            Value::Object(fields) => fields.values().for_each(assert_text),
            Value::Null | Value::String(_) => {}
        }
    }
    let mut client = Client::tiny();
    let invoice_path = format!("admin/finance/invoices/{}", client.an_invoice);
    client.behave(json!({"style": "legacy"}));
    for path in [
        "customers/customer",
        "finance/invoices",
        "finance/payments",
        "finance/credit-notes",
        "finance/payment-methods",
        "config/taxes",
    ] {
        let rows = client.get(&format!("admin/{path}"));
        assert!(rows.as_array().is_some_and(|rows| !rows.is_empty()));
        assert_text(&rows);
    }
    let invoice = client.get(&invoice_path);
    assert!(
        invoice["total"]
            .as_str()
            .is_some_and(|total| total.contains('.'))
    );
    let (_, answer) = client.call(
        "POST",
        "admin/administration/partners",
        json!({"name": "P"}),
    );
    assert!(answer["id"].is_string());
}

#[test]
fn schemas_tell_which_fields_this_server_has() {
    let mut client = Client::tiny();
    let names = |client: &mut Client, path: &str| -> Vec<(String, bool)> {
        let (status, schema) = client.call("OPTIONS", path, Value::Null);
        assert_eq!(status, 200);
        let attributes = schema["attributes"].as_array().expect("a list").clone();
        attributes
            .iter()
            .map(|a| {
                (
                    a["name"].as_str().unwrap_or_default().to_owned(),
                    a["required"] == json!(true),
                )
            })
            .collect()
    };
    let payment = names(&mut client, "admin/finance/payments");
    assert!(payment.contains(&("customer_id".to_owned(), true)));
    assert!(payment.contains(&("receipt_number".to_owned(), false)));
    assert!(payment.contains(&("updated_at".to_owned(), false)));
    assert!(
        names(&mut client, "admin/finance/credit-notes")
            .contains(&("invoicesId".to_owned(), false))
    );
    client.behave(json!({"missing_fields": [["payments", "updated_at"]]}));
    assert!(
        !names(&mut client, "admin/finance/payments").contains(&("updated_at".to_owned(), false))
    );
    assert!(
        client.rows("admin/finance/payments")[0]
            .get("updated_at")
            .is_none()
    );
    let search = "admin/finance/payments?main_attributes[updated_at][0]=>&main_attributes[updated_at][1]=2026-01-01";
    assert_eq!(client.call("GET", search, Value::Null).0, 400);
}

#[test]
fn additional_fields_show_on_every_record_and_take_texts() {
    let mut client = Client::tiny();
    let invoice_path = format!("admin/finance/invoices/{}", client.an_invoice);
    let field = json!({"name": "sage_reference", "title": "Sage reference", "type": "string", "default_value": ""});
    let fields = "admin/config/additional-fields/invoices";
    assert_eq!(
        client.call("POST", fields, field.clone()),
        (201, json!({"name": "sage_reference"}))
    );
    assert_eq!(client.call("POST", fields, field).0, 422);
    client.put(
        &invoice_path,
        json!({"additional_attributes": {"sage_reference": "INV1 I1", "nowhere": "x"}}),
    );
    let invoice = client.get(&invoice_path);
    assert_eq!(
        invoice["additional_attributes"],
        json!({"sage_reference": "INV1 I1"})
    );
    let found = client.ids("admin/finance/invoices?additional_attributes[sage_reference][0]=LIKE&additional_attributes[sage_reference][1]=I1");
    assert_eq!(found, [client.an_invoice]);
    let (_, schema) = client.call("OPTIONS", "admin/finance/invoices", Value::Null);
    assert_eq!(schema["additional_attributes"][0]["name"], "sage_reference");
    client.put(
        &format!("{fields}--sage_reference"),
        json!({"title": "Sage"}),
    );
    assert_eq!(client.get(fields)[0]["title"], "Sage");
    client.delete(&format!("{fields}--sage_reference"));
    assert_eq!(
        client.get(&invoice_path)["additional_attributes"],
        json!({})
    );
}

#[test]
fn configuration_is_readable_and_add_on_settings_are_writable() {
    let mut client = Client::tiny();
    let localization = client.get("admin/config/config?module=main&path=localization");
    assert_eq!(localization["currency"], "ZAR");
    let one = client.get("admin/config/config?module=main&path=localization&key=timezone");
    assert_eq!(one, json!({"timezone": "Africa/Johannesburg"}));
    let own = "admin/config/config?module=add-on&path=splynx_addon_sageone_accounting";
    assert_eq!(client.call("GET", own, Value::Null).0, 404);
    client.put(own, json!({"sage_company_id": "41001"}));
    assert_eq!(client.get(own), json!({"sage_company_id": "41001"}));
    assert_eq!(
        client.call("GET", "admin/config/config", Value::Null).0,
        400
    );
    let charges = client.get("admin/config/transaction-categories");
    assert!(charges["transaction_type_internet_service"]["id"].is_string());
    assert!(client.get("admin/config/company-info/1")["company_name"].is_string());
    let module = json!({"module": "splynx_addon", "title": "Add-on", "root": "controllers\\admin\\FinanceController", "type": "simple"});
    let (status, answer) = client.call("POST", "admin/config/modules", module);
    assert_eq!((status, answer), (201, json!({"name": "splynx_addon"})));
    client.put("admin/config/modules/splynx_addon", json!({"status": "1"}));
    assert_eq!(
        client.get("admin/config/modules/splynx_addon")["status"],
        "1"
    );
}
