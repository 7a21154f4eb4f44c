//! People who come in by the word of a service that knows them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use addon_host::store::{LoginSource, Role};
use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::site::{PASSWORD, Page, Site};
use crate::fixtures::{at, by};
use crate::guest::guest;
use crate::service::{Reply, Seen, Service, answer};

/// A connection to Splynx, and one that is none.
const MANIFEST: &str = r#"[addon]
id = "guest"
version = "1.0.0"
title = "Guest"
interface = "splynx:addon@1.0.0"
component = "guest.wasm"
state = 1
[connections.splynx]
base_url = "{url}api/2.0/"
hosts = ["{url}"]
private_addresses = true
auth = [{ type = "splynx-signature", key = "key", secret = "secret" }]
counted_by = ["url", "key"]
per_minute = 6000
burst = 100
parallel = 1
[connections.books]
base_url = "{url}books/"
hosts = ["{url}"]
private_addresses = true
auth = [{ type = "bearer", token = "{{{secret}}}" }]
counted_by = ["key"]
per_minute = 6000
[[settings]]
key = "url"
title = "Address"
type = "url"
[[settings]]
key = "key"
title = "Key"
type = "secret"
[[settings]]
key = "secret"
title = "Secret"
type = "secret"
[[settings]]
key = "company"
title = "Company"
type = "fetched"
[[jobs]]
id = "finish"
title = "Finish"
"#;

/// Answers as Splynx does (Splynx API, access tokens): ann and bob have the password `sesame-sesame`, bob a second factor.
fn splynx(seen: &Seen, may_list: bool) -> Reply {
    let signed = seen.header("authorization").is_some();
    if seen
        .line
        .starts_with("GET /api/2.0/admin/administration/administrators?")
    {
        assert!(signed, "the list is asked for with the API key");
        let known = json!([
            { "id": 1, "login": "ann", "role_name": "super-administrator" },
            { "id": 2, "login": "bob", "role_name": "financial-manager" },
            { "id": 3, "login": "eve", "role_name": "engineer" },
        ]);
        return match may_list {
            true => answer(200, known.to_string()),
            false => answer(403, "{}"),
        };
    }
    assert!(
        !signed,
        "a person's password goes without the API key: {}",
        seen.line
    );
    if seen
        .line
        .starts_with("DELETE /api/2.0/admin/auth/tokens/0f1e2d")
    {
        return answer(204, "");
    }
    assert!(
        seen.line.starts_with("POST /api/2.0/admin/auth/tokens "),
        "{}",
        seen.line
    );
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(body["auth_type"], "admin");
    let error = |code: &str| {
        answer(
            401,
            json!({ "error": { "internal_code": code } }).to_string(),
        )
    };
    match (
        body["login"].as_str(),
        body["password"].as_str(),
        body["code"].as_str(),
    ) {
        (Some("bob"), Some("sesame-sesame"), Some("")) => error("MISSED_TWO_FACTOR_CODE"),
        (Some("bob"), Some("sesame-sesame"), Some(code)) if code != "123456" => {
            error("INVALID_TWO_FACTOR_CODE")
        }
        (Some("ann" | "bob" | "eve"), Some("sesame-sesame"), _) => answer(
            201,
            json!({ "access_token": "a.b.c", "refresh_token": "0f1e2d" }).to_string(),
        ),
        _ => error("UNAUTHORIZED"),
    }
}

#[tokio::test]
async fn people_of_a_service_come_in_where_they_are_admitted_and_may_what_their_roles_say() {
    let may_list = Arc::new(AtomicBool::new(true));
    let allowed = may_list.clone();
    let service = Service::start(move |seen| splynx(seen, allowed.load(Ordering::Relaxed))).await;
    let site = Site::with("", MANIFEST, guest()).await;
    let mut admin = site.ann().await;
    let settings = [
        ("url", service.address()),
        ("key", "k".repeat(32)),
        ("secret", "s".repeat(32)),
    ];
    let form: Vec<(&str, &str)> = settings
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    admin.post("/installations/isp/settings", &form).await;
    let tell = |connection: &str| LoginSource {
        installation: "isp".to_owned(),
        connection: connection.to_owned(),
        roles: vec![
            ("super-administrator".to_owned(), Role::Administer),
            ("financial-manager".to_owned(), Role::Operate),
        ],
    };

    // Off unless somebody says so, and then nobody is asked.
    let mut browser = site.visitor();
    let before = service.count();
    let refused = browser.log_in("ann@isp", "sesame-sesame").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(service.count(), before);
    assert!(
        !browser
            .get("/login")
            .await
            .has("Administrators of a service")
    );

    site.store
        .save_login_source(&tell("splynx"), &by(at(0)))
        .await
        .unwrap();
    browser
        .get("/login")
        .await
        .shows(&["Administrators of a service"]);
    for (name, password) in [
        ("ann@isp", "wrong"),
        ("nobody@isp", "sesame-sesame"),
        ("ann@other", "sesame-sesame"),
        ("@isp", "sesame-sesame"),
        // Her role there has none here.
        ("eve@isp", "sesame-sesame"),
        // The local account has a password of its own.
        ("ann", "sesame-sesame"),
    ] {
        let page = browser.log_in(name, password).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{name}");
        page.shows(&["The name or the password is wrong."]);
    }
    let entered = browser.log_in("ann@isp", "sesame-sesame").await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER);
    browser
        .get("/sessions")
        .await
        .shows(&["Everybody who is logged in", "ann@isp (this one)"]);
    let given_back = service
        .seen()
        .iter()
        .filter(|seen| seen.line.starts_with("DELETE"))
        .count();
    assert_eq!(given_back, 2, "eve's token too");

    // The second factor, and a role that may less.
    let mut bob = site.visitor();
    let half = bob.log_in("bob@isp", "sesame-sesame").await;
    half.shows(&["code of your second factor", "name=\"code\""]);
    let send = async |bob: &mut super::site::Browser<'_>, code: &str| -> Page {
        let form = [
            ("account", "bob@isp"),
            ("password", "sesame-sesame"),
            ("code", code),
        ];
        bob.post("/login", &form).await
    };
    send(&mut bob, "654321").await.shows(&["name=\"code\""]);
    assert_eq!(send(&mut bob, "123456").await.status, StatusCode::SEE_OTHER);
    let saved = bob
        .post("/installations/isp/settings", &[("url", "x")])
        .await;
    assert_eq!(saved.status, StatusCode::FORBIDDEN);
    assert_eq!(
        bob.post("/installations/isp/check", &[]).await.status,
        StatusCode::SEE_OTHER
    );

    // Guessing is slowed down before the service is asked, however the name is written.
    for name in ["eve@isp", "Eve@isp", "EVE@isp", "eVe@isp", "evE@isp"] {
        browser.log_in(name, "wrong").await;
    }
    let before = service.count();
    let slowed = browser.log_in("EVe@isp", "sesame-sesame").await;
    assert_eq!(
        (slowed.status, service.count()),
        (StatusCode::TOO_MANY_REQUESTS, before)
    );
    // A wrong password of a person is no refusal of the connection's credentials.
    site.clock.advance(TimeDelta::minutes(2));
    assert_eq!(
        browser.log_in("ann@isp", "sesame-sesame").await.status,
        StatusCode::SEE_OTHER
    );

    // Where the service cannot be asked nobody comes in, and the page tells nothing of why.
    may_list.store(false, Ordering::Relaxed);
    let page = site.visitor().log_in("ann@isp", "sesame-sesame").await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    page.shows(&["the host&#39;s log says why"]);
    assert!(!page.has("API key"));
    may_list.store(true, Ordering::Relaxed);
    site.store
        .save_login_source(&tell("books"), &by(at(0)))
        .await
        .unwrap();
    assert_eq!(
        browser.get("/sessions").await.status,
        StatusCode::SEE_OTHER,
        "other terms"
    );
    let page = site.visitor().log_in("ann@isp", "sesame-sesame").await;
    assert_eq!(
        page.status,
        StatusCode::BAD_GATEWAY,
        "never to a service of another kind"
    );
    assert!(
        service
            .seen()
            .iter()
            .all(|seen| !seen.line.contains("/books/"))
    );

    // Whoever has a password here is nobody else's; and nobody is left without the service's word.
    site.store
        .save_login_source(&tell("splynx"), &by(at(0)))
        .await
        .unwrap();
    assert_eq!(
        bob.log_in("ann@isp", "sesame-sesame").await.status,
        StatusCode::SEE_OTHER
    );
    assert!(
        site.store
            .set_role("ann", Role::View, &by(at(0)))
            .await
            .is_err(),
        "ann@isp does not count"
    );
    assert!(
        site.store
            .remove_login_source("isp", &by(at(0)))
            .await
            .unwrap()
    );
    assert_eq!(bob.get("/sessions").await.status, StatusCode::SEE_OTHER);
    assert!(site.store.account("ann@isp").await.unwrap().is_none());
    let local = site
        .visitor()
        .send(
            Method::POST,
            "/login",
            &[],
            &[("account", "ann"), ("password", PASSWORD)],
        )
        .await;
    assert_eq!(local.status(), StatusCode::SEE_OTHER);
    site.stop().await;
}
