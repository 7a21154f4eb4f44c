//! Getting in, staying out.

use addon_host::clock::Clock;
use addon_host::vault::Secret;
use addon_host::web::login::{first_account, password};
use chrono::TimeDelta;
use reqwest::{Method, StatusCode};

use super::site::{Browser, PASSWORD, Site};
use crate::fixtures::{at, by};

#[tokio::test]
async fn nobody_gets_in_without_the_password_and_guessing_becomes_slow() {
    let site = Site::new("").await;
    let mut visitor = site.visitor();
    let run = site.run("finish", false).await;
    for path in [
        "/installations".to_owned(),
        "/installations/isp".to_owned(),
        "/installations/isp/todo".to_owned(),
        "/installations/isp/jobs".to_owned(),
        "/installations/isp/settings".to_owned(),
        "/installations/isp/mappings".to_owned(),
        "/installations/isp/activity".to_owned(),
        "/installations/isp/runs".to_owned(),
        "/installations/isp/pages/outbox".to_owned(),
        format!("/runs/{run}"),
    ] {
        let page = visitor.get(&path).await;
        let login = format!("/login?next={}", path.replace('/', "%2F"));
        assert_eq!(
            (page.status, page.location.as_str()),
            (StatusCode::SEE_OTHER, login.as_str()),
            "{path}"
        );
        assert!(page.text.is_empty());
    }
    for path in [
        "/installations/isp/check",
        "/installations/isp/jobs/finish",
        "/installations/isp/settings",
        "/runs/1/stop",
    ] {
        let page = visitor.post(path, &[("name", "x")]).await;
        assert_eq!(
            (page.status, page.location.as_str()),
            (StatusCode::SEE_OTHER, "/login"),
            "{path}"
        );
    }
    assert_eq!(
        visitor.get(&format!("/runs/{run}/live")).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(visitor.get("/health").await.text, "ok");
    assert_eq!(visitor.get("/nothing").await.status, StatusCode::NOT_FOUND);

    // A wrong password and an unknown name are answered alike.
    let refused = visitor.log_in("ann", "wrong").await;
    assert_eq!(
        (refused.status, visitor.cookie.clone()),
        (StatusCode::UNAUTHORIZED, None)
    );
    let unknown = visitor.log_in("nobody", "wrong").await;
    assert_eq!(unknown.text.replace("nobody", "ann"), refused.text);
    for _ in 0..4 {
        assert_eq!(
            visitor.log_in("ann", "wrong").await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    // Throttled, even with the right one; after the pause it is tried again.
    let throttled = visitor
        .send(
            Method::POST,
            "/login",
            &[],
            &[("account", "ann"), ("password", PASSWORD)],
        )
        .await;
    assert_eq!(throttled.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(throttled.headers()["retry-after"], "2");
    site.clock.advance(TimeDelta::seconds(2));

    let wish = [
        ("account", "ann"),
        ("password", PASSWORD),
        ("next", "/installations/isp/settings"),
    ];
    let entered = visitor
        .send(
            Method::POST,
            "/login",
            &[("x-forwarded-proto", "https")],
            &wish,
        )
        .await;
    assert_eq!(entered.headers()["location"], "/installations/isp/settings");
    let cookie = entered.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["; Path=/;", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    let first = visitor.cookie.clone().unwrap();
    assert_eq!(visitor.get("/installations").await.status, StatusCode::OK);
    // What a link asks for after the log-in stays on this site; a log-in brings a new token and ends the old one.
    for elsewhere in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "///evil.example",
        "/\t/evil.example",
        " //evil.example",
        "/%2fevil.example",
        "/installations\\@evil.example",
        "installations",
        "@evil.example",
        "data:text/html,x",
        "/installations\r\nx: y",
        "javascript:x",
        "/installations/../../elsewhere",
        "/installations/%2e%2E/elsewhere",
        "/runs/.%2e/sessions",
        "/runs/../installations/../x",
    ] {
        let page = visitor
            .post("/login", &[wish[0], wish[1], ("next", elsewhere)])
            .await;
        assert_eq!(page.location, "/installations", "{elsewhere}");
    }
    assert_ne!(visitor.cookie.as_ref(), Some(&first));
    let mut old = Browser {
        site: &site,
        cookie: Some(first),
    };
    assert_eq!(
        old.get("/installations").await.location,
        "/login?next=%2Finstallations"
    );

    // Half an hour without use ends a session, and so do twelve hours, a new password, and logging out.
    let mut idle = site.ann().await;
    site.clock.advance(TimeDelta::minutes(29));
    assert_eq!(idle.get("/installations").await.status, StatusCode::OK);
    for _ in 0..4 {
        // A page that watches a run is not a person.
        site.clock.advance(TimeDelta::minutes(10));
        idle.get(&format!("/runs/{run}/live")).await;
    }
    assert_eq!(
        idle.get("/installations").await.status,
        StatusCode::SEE_OTHER
    );
    let mut busy = site.ann().await;
    for _ in 0..24 {
        assert_eq!(busy.get("/installations").await.status, StatusCode::OK);
        site.clock.advance(TimeDelta::minutes(30));
    }
    assert_eq!(
        busy.get("/installations").await.status,
        StatusCode::SEE_OTHER
    );
    let mut changed = site.ann().await;
    let hash = password::hash(&Secret::new("another password")).unwrap();
    site.store
        .save_account("ann", &hash, &by(site.clock.now()))
        .await
        .unwrap();
    assert_eq!(
        changed.get("/installations").await.status,
        StatusCode::SEE_OTHER
    );
    let mut leaving = site.visitor();
    leaving.log_in("ann", "another password").await;
    let token = leaving.cookie.clone();
    assert_eq!(leaving.post("/logout", &[]).await.location, "/login");
    let mut back = Browser {
        site: &site,
        cookie: token,
    };
    assert_eq!(
        back.get("/installations").await.status,
        StatusCode::SEE_OTHER
    );

    // The first account is made once, and what it tells is its password.
    assert!(first_account(&site.store, at(0)).await.unwrap().is_none());
    site.stop().await;
}

#[tokio::test]
async fn who_guesses_keeps_nobody_out_who_was_in_before() {
    let site = Site::new("").await;
    let form = [("account", "ann"), ("password", PASSWORD)];
    let mut own = site.visitor();
    let entered = own.send(Method::POST, "/login", &[], &form).await;
    let cookies: Vec<_> = entered.headers().get_all("set-cookie").iter().collect();
    let known = cookies[1].to_str().unwrap();
    assert!(known.contains("; HttpOnly; SameSite=Lax"), "{known}");
    let known = known.split(';').next().unwrap().to_owned();

    let mut stranger = site.visitor();
    for _ in 0..5 {
        stranger.log_in("ann", "wrong").await;
    }
    let slowed = stranger.log_in("ann", PASSWORD).await.status;
    assert_eq!(slowed, StatusCode::TOO_MANY_REQUESTS);
    // Neither another's cookie nor an invented one helps.
    for cookie in [
        "addon_host_browser=AAAA.00",
        "addon_host_browser=x",
        &known.replace('.', "A."),
    ] {
        let mut other = Browser {
            site: &site,
            cookie: Some(cookie.to_owned()),
        };
        let slowed = other.log_in("ann", PASSWORD).await.status;
        assert_eq!(slowed, StatusCode::TOO_MANY_REQUESTS, "{cookie}");
    }
    let mut back = Browser {
        site: &site,
        cookie: Some(known),
    };
    assert_eq!(
        back.log_in("ann", PASSWORD).await.status,
        StatusCode::SEE_OTHER
    );

    // A new password, or the same set anew, starts afresh.
    let hash = password::hash(&Secret::new(PASSWORD)).unwrap();
    let author = by(site.clock.now());
    site.store
        .save_account("ann", &hash, &author)
        .await
        .unwrap();
    let afresh = stranger.log_in("ann", PASSWORD).await.status;
    assert_eq!(afresh, StatusCode::SEE_OTHER);
    site.stop().await;
}

#[tokio::test]
async fn a_host_without_accounts_gets_one_and_tells_its_password_once() {
    let (store, _folder) = crate::fixtures::store().await;
    let (name, first) = first_account(&store, at(0)).await.unwrap().unwrap();
    let stored = store.account(name).await.unwrap().unwrap();
    assert!(name == "admin" && password::verify(&first, Some(&stored.password_hash)));
    assert!(first_account(&store, at(0)).await.unwrap().is_none());
}
