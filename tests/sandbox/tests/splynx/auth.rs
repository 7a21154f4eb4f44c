//! Who gets in: signatures, nonces, Basic, tokens, permissions, partners, addresses.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use sandbox::http::{Request, Service};
use sandbox::splynx::{Splynx, signature};
use serde_json::{Value, json};

use crate::client::{Client, body_of};

const CHECK: &str = "/api/2.0/admin/finance/payment-methods";

fn with_authorization(header: &str) -> Request {
    let mut request = Request::new("GET", CHECK);
    if !header.is_empty() {
        request
            .headers
            .push(("authorization".to_owned(), header.to_owned()));
    }
    request
}

/// Status and internal code of one request.
fn outcome(client: &mut Client, request: &Request) -> (u16, String) {
    let response = client.send(request);
    let code = body_of(&response)["error"]["internal_code"].clone();
    (
        response.status,
        code.as_str().unwrap_or_default().to_owned(),
    )
}

#[test]
fn signatures_are_those_of_the_reference() {
    let (key, secret) = (
        "aaaa1111bbbb2222cccc3333dddd4444",
        "eeee5555ffff66660000777711118888",
    );
    for (nonce, expected) in [
        (
            "170000000000",
            "383CBA3D05A439289CAB9F47BFC48969674A153A8F0FCDFD2295FFDF138C6D07",
        ),
        (
            "170000000001",
            "612C78C5F0D62F288537F465AA31F1BAE2B7CDF31B83A917D050EDF0E2FE1365",
        ),
    ] {
        assert_eq!(signature(key, secret, nonce), expected);
    }
}

#[test]
fn credentials_are_told_apart() {
    let mut client = Client::tiny();
    let (key, secret) = (client.key.clone(), client.secret.clone());
    let sign = |nonce: &str| signature(&key, &secret, nonce);
    let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
    let good = sign("5");
    let cases = [
        ("", 401, "MISSED_AUTHORIZATION_HEADER"),
        ("Bearer abc", 401, "UNAUTHORIZED"),
        ("Splynx-EA nothing", 401, "UNAUTHORIZED"),
        (
            &format!("Splynx-EA (key={key}&nonce=5&signature={good})"),
            200,
            "",
        ),
        (
            &format!("Splynx-EA (signature={good}&key={key}&nonce=5)"),
            200,
            "",
        ),
        (
            &format!("Splynx-EA (nonce=%35&key={key}&signature={good})"),
            200,
            "",
        ),
        (
            &format!(
                "Splynx-EA (key={key}&nonce=5&signature={})",
                good.to_lowercase()
            ),
            200,
            "",
        ),
        (
            &format!("Splynx-EA (key={key}&nonce=6&signature={good})"),
            401,
            "UNAUTHORIZED",
        ),
        (
            &format!("Splynx-EA (key=0&nonce=5&signature={good})"),
            401,
            "UNAUTHORIZED",
        ),
        (
            &format!("Splynx-EA (key={key}&nonce=5&signature={good}&sash=1)"),
            401,
            "INVALID_SASH",
        ),
        ("Splynx-EA (access_token=)", 401, "EMPTY_ACCESS_TOKEN"),
        ("Splynx-EA (access_token=abc)", 401, "UNAUTHORIZED"),
        (&basic(format!("{key}:{secret}")), 401, "UNAUTHORIZED"),
    ];
    client
        .screen(json!({"entity": "api_keys", "act": "update", "id": 1,
            "fields": {"unsecure_auth": "0", "check_nonce": "0"}}))
        .expect("the key's switches");
    for (header, status, code) in cases {
        let seen = outcome(&mut client, &with_authorization(header));
        assert_eq!(seen, (status, code.to_owned()), "{header}");
    }
    client.behave(json!({"unsecure_auth": true, "strict_signature_case": true}));
    let lower = format!(
        "Splynx-EA (key={key}&nonce=5&signature={})",
        good.to_lowercase()
    );
    assert_eq!(outcome(&mut client, &with_authorization(&lower)).0, 401);
    let header = basic(format!("{key}:{secret}"));
    assert_eq!(outcome(&mut client, &with_authorization(&header)).0, 200);
    let header = basic(format!("{key}:wrong"));
    assert_eq!(outcome(&mut client, &with_authorization(&header)).0, 401);
}

#[test]
fn a_key_that_checks_nonces_takes_only_growing_ones() {
    let mut client = Client::tiny();
    client.behave(json!({"check_nonce": true}));
    let (key, secret) = (client.key.clone(), client.secret.clone());
    for (nonce, status) in [
        ("10", 200),
        ("10", 401),
        ("9", 401),
        ("11", 200),
        ("x", 401),
    ] {
        let text = signature(&key, &secret, nonce);
        let header = format!("Splynx-EA (key={key}&nonce={nonce}&signature={text})");
        let seen = outcome(&mut client, &with_authorization(&header));
        assert_eq!(seen.0, status, "nonce {nonce}");
    }
}

#[test]
fn tokens_live_half_an_hour_and_belong_to_who_asked_for_them() {
    let mut client = Client::tiny();
    let tokens = |method: &str, rest: &str, body: Value| {
        let mut request = Request::new(method, &format!("/api/2.0/admin/auth/tokens{rest}"));
        request
            .headers
            .push(("user-agent".to_owned(), "add-on".to_owned()));
        request.body = body.to_string().into_bytes();
        request
    };
    let body = json!({"auth_type": "api_key", "key": client.key, "nonce": 1_767_225_600,
        "signature": signature(&client.key, &client.secret, "1767225600")});
    let granted = client.send(&tokens("POST", "", body));
    assert_eq!(granted.status, 201);
    let granted = body_of(&granted);
    assert_eq!(
        granted["access_token_expiration"].as_i64(),
        Some(client.now.timestamp() + 1800)
    );
    assert_eq!(
        granted["permissions"]["admin\\finance\\Invoices"]["index"],
        "allow"
    );
    let using = |token: &Value| {
        let token = token.as_str().expect("a token");
        let mut request = with_authorization(&format!("Splynx-EA (access_token={token})"));
        request
            .headers
            .push(("user-agent".to_owned(), "add-on".to_owned()));
        request
    };
    let good = using(&granted["access_token"]);
    assert_eq!(outcome(&mut client, &good).0, 200);
    let mut other = good.clone();
    other.headers[1].1 = "browser".to_owned();
    assert_eq!(
        outcome(&mut client, &other),
        (401, "USER_AGENT_CHANGED".to_owned())
    );
    let mut other = good.clone();
    other.peer = "192.0.2.7".parse().expect("an address");
    assert_eq!(outcome(&mut client, &other), (401, "IP_CHANGED".to_owned()));
    client.wait(1801);
    assert_eq!(
        outcome(&mut client, &good),
        (401, "EXPIRED_ACCESS_TOKEN".to_owned())
    );

    let refresh = format!("/{}", granted["refresh_token"].as_str().expect("a token"));
    let renewed = client.send(&tokens("GET", &refresh, Value::Null));
    assert_eq!(renewed.status, 200);
    let renewed = body_of(&renewed);
    assert!(renewed.get("permissions").is_none());
    assert_eq!(
        outcome(&mut client, &using(&renewed["access_token"])).0,
        200
    );
    // The old refresh token was used up; a log-out ends the new pair.
    assert_eq!(
        client.send(&tokens("GET", &refresh, Value::Null)).status,
        404
    );
    let refresh = format!("/{}", renewed["refresh_token"].as_str().expect("a token"));
    assert_eq!(
        client.send(&tokens("DELETE", &refresh, Value::Null)).status,
        204
    );
    let banned = (401, "TOKEN_BANNED".to_owned());
    assert_eq!(
        outcome(&mut client, &using(&renewed["access_token"])),
        banned
    );
    assert_eq!(
        outcome(&mut client, &tokens("GET", &refresh, Value::Null)),
        banned
    );

    let mut form = tokens("POST", "", Value::Null);
    form.headers.push((
        "content-type".to_owned(),
        "application/x-www-form-urlencoded".to_owned(),
    ));
    form.body = b"auth_type=admin&login=nobody&password=wrong+word".to_vec();
    assert_eq!(
        outcome(&mut client, &form),
        (401, "UNAUTHORIZED".to_owned())
    );
    for (method, status) in [("GET", 405), ("PUT", 400), ("DELETE", 400)] {
        assert_eq!(
            outcome(&mut client, &tokens(method, "", Value::Null)).0,
            status
        );
    }
    client.wait(8 * 86_400);
    assert_eq!(
        outcome(&mut client, &tokens("GET", &refresh, Value::Null)),
        banned
    );
}

#[test]
fn an_administrator_gets_a_token_with_login_and_password() {
    let isp = sandbox::isp::Isp::seeded(sandbox::isp::Size::Tiny, 1);
    let mut client = Client::of(&isp);
    let mut request = Request::new("POST", "/api/1.0/admin/auth/tokens");
    let body = json!({"auth_type": "admin", "login": isp.splynx.admin_login,
        "password": isp.splynx.admin_password});
    request.body = body.to_string().into_bytes();
    let granted = client.send(&request);
    assert_eq!(granted.status, 201);
    let token = body_of(&granted)["access_token"].clone();
    let header = format!(
        "Splynx-EA (access_token={})",
        token.as_str().expect("a token")
    );
    assert_eq!(outcome(&mut client, &with_authorization(&header)).0, 200);
}

#[test]
fn a_key_does_only_what_it_may_and_only_from_where_it_may() {
    let mut client = Client::tiny();
    let edit = |client: &mut Client, fields: Value| {
        client
            .screen(json!({"entity": "api_keys", "act": "update", "id": 1, "fields": fields}))
            .expect("the key's switches")
    };
    let payment = client.ids("admin/finance/payments")[0];
    edit(
        &mut client,
        json!({"permissions": {"admin\\finance\\Payments": {"add": "deny", "index": "deny"}}}),
    );
    for (method, path, status) in [
        ("POST", "admin/finance/payments", 403),
        ("GET", "admin/finance/payments", 403),
        ("HEAD", "admin/finance/payments", 403),
        ("OPTIONS", "admin/finance/payments", 403),
        ("GET", &format!("admin/finance/payments/{payment}"), 200),
        ("GET", "admin/finance/invoices", 200),
    ] {
        assert_eq!(
            client.call(method, path, Value::Null).0,
            status,
            "{method} {path}"
        );
    }
    edit(
        &mut client,
        json!({"permissions": {}, "white_list": ["192.0.2.1"]}),
    );
    assert_eq!(
        client.call("GET", "admin/finance/payments", Value::Null).0,
        401
    );
    let mut request = client.request("GET", "admin/finance/payments", &Value::Null);
    request.peer = "192.0.2.1".parse().expect("an address");
    assert_eq!(client.send(&request).status, 200);
}

#[test]
fn a_key_of_one_partner_sees_no_other_partners_records() {
    let mut client = Client::tiny();
    let partner = client.create("admin/administration/partners", json!({"name": "Resale"}));
    let body =
        json!({"name": "Resold", "partner_id": partner, "location_id": 1, "category": "person"});
    let foreign = client.create("admin/customers/customer", body);
    let invoice = client.invoice(foreign, "10");
    let all = client.ids("admin/finance/invoices").len();
    client
        .screen(
            json!({"entity": "api_keys", "act": "update", "id": 1, "fields": {"partner_id": 1}}),
        )
        .expect("the key's partner");
    let own: Vec<i64> = client.ids("admin/finance/invoices");
    let own_customers = client.ids("admin/customers/customer?main_attributes[partner_id]=1");
    assert_eq!(client.ids("admin/customers/customer"), own_customers);
    assert!(own.len() < all && !own.contains(&invoice));
    let payment =
        json!({"customer_id": foreign, "payment_type": 2, "date": "2026-02-01", "amount": 1});
    for (method, path, body) in [
        (
            "GET",
            format!("admin/finance/invoices/{invoice}"),
            Value::Null,
        ),
        (
            "PUT",
            format!("admin/customers/customer-info/{foreign}"),
            json!({"vat_id": "1"}),
        ),
        (
            "DELETE",
            format!("admin/customers/customer/{foreign}"),
            Value::Null,
        ),
        ("POST", "admin/finance/payments".to_owned(), payment),
    ] {
        let (status, answer) = client.call(method, &path, body);
        let code = answer["error"]["internal_code"].as_str();
        assert_eq!(
            (status, code),
            (405, Some("NOT_ALLOWED_BY_PARTNER_RESTRICTION")),
            "{path}"
        );
    }
}

#[test]
fn the_health_check_tests_credentials_only_when_asked() {
    let mut splynx = Splynx::from_isp(&sandbox::isp::Isp::seeded(sandbox::isp::Size::Tiny, 1));
    let now = DateTime::UNIX_EPOCH;
    let mut request = Request::new("GET", "/api/2.0/admin/api/check");
    request.query.push(("code".to_owned(), "x".to_owned()));
    let answer = splynx.handle(&request, now);
    assert_eq!(
        (answer.status, body_of(&answer)),
        (
            200,
            json!({"status": "ok", "message": "API is valid", "same_server": false})
        )
    );
    request
        .query
        .push(("checkAuth".to_owned(), "true".to_owned()));
    assert_eq!(splynx.handle(&request, now).status, 401);
}
