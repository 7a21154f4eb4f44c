//! Web hooks: what is queued, how it is signed, and how delivery is tried again.

use sandbox::splynx::hook_signature;
use serde_json::{Value, json};

use crate::client::Client;

fn hook(client: &mut Client, fields: Value) -> i64 {
    let mut all = json!({"url": "http://127.0.0.1:9/hook", "secret": "hook-secret-1"});
    let object = all.as_object_mut().expect("an object");
    object.extend(fields.as_object().cloned().unwrap_or_default());
    let made = client.screen(json!({"entity": "hooks", "act": "create", "fields": all}));
    let id = made.expect("a hook")["id"].as_i64().expect("an id");
    // The ping is not what these tests are about.
    for delivery in client
        .splynx
        .due_deliveries(client.now + chrono::TimeDelta::days(1))
    {
        client.splynx.report_delivery(delivery.id, true, client.now);
    }
    id
}

#[test]
fn hook_signatures_are_those_of_the_reference() {
    let event = r#"{"type":"event","data":{"source":"admin","model":"models\\common\\finance\\Payments","action":"create"}}"#;
    for (body, expected) in [
        (
            r#"{"type":"ping"}"#,
            "196ef357a73775ab54fca39470d58c3896d10a23",
        ),
        (event, "e2f12c1a198ac5a6dc0db3e1359d518b8b45d16e"),
    ] {
        assert_eq!(hook_signature("hook-secret-1", body), expected);
    }
}

#[test]
fn a_new_hook_is_pinged_and_events_are_signed_and_tried_again() {
    let mut client = Client::tiny();
    let made = client
        .screen(json!({"entity": "hooks", "act": "create", "fields": {"url": "http://127.0.0.1:9/", "secret": "s"}}))
        .expect("a hook");
    let ping = client.splynx.due_deliveries(client.now);
    assert_eq!(
        (ping[0].body.as_str(), &ping[0].signature),
        (r#"{"type":"ping"}"#, &None)
    );
    client.splynx.report_delivery(ping[0].id, true, client.now);

    let payment = client.payment(client.customers[0], "10");
    let events = client.splynx.due_deliveries(client.now);
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(
        event.signature.as_deref(),
        Some(hook_signature("s", &event.body).as_str())
    );
    let body: Value = serde_json::from_str(&event.body).expect("JSON");
    let data = &body["data"];
    assert_eq!(
        (
            &data["model"],
            &data["action"],
            &data["attributes"]["id"],
            &data["hook_id"]
        ),
        (
            &json!("models\\common\\finance\\Payments"),
            &json!("create"),
            &json!(payment.to_string()),
            &made["id"]
        )
    );
    // At once, then after 1 min, 10 min and 1 h; then given up.
    for (index, wait) in [60, 600, 3600].into_iter().enumerate() {
        client.splynx.report_delivery(event.id, false, client.now);
        client.wait(wait - 1);
        assert!(client.splynx.due_deliveries(client.now).is_empty());
        client.wait(1);
        assert_eq!(
            client.splynx.due_deliveries(client.now)[0].failed,
            index + 1
        );
    }
    client.splynx.report_delivery(event.id, false, client.now);
    client.wait(86_400);
    assert!(client.splynx.due_deliveries(client.now).is_empty());

    client.put(
        &format!("admin/finance/payments/{payment}"),
        json!({"comment": "EFT"}),
    );
    let edited = client.splynx.due_deliveries(client.now);
    let body: Value = serde_json::from_str(&edited[0].body).expect("JSON");
    assert_eq!(body["data"]["action"], "edit");
    assert_eq!(body["data"]["changed_attributes"]["comment"], "EFT");
}

#[test]
fn hooks_lose_double_reorder_and_missign_when_told_to() {
    let cases = [
        (json!({}), vec![1, 2, 3]),
        (json!({"lose_every": 2}), vec![1, 3]),
        (json!({"double": true}), vec![1, 1, 2, 2, 3, 3]),
        (json!({"newest_first": true}), vec![3, 2, 1]),
        (json!({"delay_seconds": 60}), vec![]),
        (json!({"events": ["Invoices"]}), vec![]),
        (json!({"events": ["payments/create"]}), vec![1, 2, 3]),
        (json!({"enabled": false}), vec![]),
    ];
    for (fields, expected) in cases {
        let mut client = Client::tiny();
        hook(&mut client, fields.clone());
        let first = client.payment(client.customers[0], "1");
        client.payment(client.customers[1], "1");
        client.payment(client.customers[2], "1");
        let seen: Vec<i64> = client
            .splynx
            .due_deliveries(client.now)
            .iter()
            .map(|delivery| {
                let body: Value = serde_json::from_str(&delivery.body).expect("JSON");
                let id = body["data"]["attributes"]["id"].as_str().expect("a text");
                id.parse::<i64>().expect("an id") - first + 1
            })
            .collect();
        assert_eq!(seen, expected, "{fields}");
    }
    let mut client = Client::tiny();
    hook(
        &mut client,
        json!({"content_type": "application/x-www-form-urlencoded", "bad_signature": true}),
    );
    client.payment(client.customers[0], "1");
    let sent = &client.splynx.due_deliveries(client.now)[0];
    assert_ne!(
        sent.signature.as_deref(),
        Some(hook_signature("hook-secret-1", &sent.body).as_str())
    );
    let customer = format!(
        "data%5Battributes%5D%5Bcustomer%5Fid%5D={}",
        client.customers[0]
    );
    assert!(sent.body.contains(&customer), "{}", sent.body);
}
