//! What people may do, by their roles, and who is logged in.

use std::collections::BTreeSet;

use addon_host::store::Role;
use addon_host::vault::Secret;
use addon_host::web::login::password;
use reqwest::{Method, StatusCode};

use super::site::{Browser, PASSWORD, Page, Site};
use crate::fixtures::{Database, at, by, on_both_databases};

/// All that there is behind the log-in: what it needs, how it is asked for, and an address that it answers to.
const ROUTES: [(Role, &str, &str, &str); 52] = [
    (Role::View, "GET", "/installations", "/installations"),
    (
        Role::View,
        "GET",
        "/installations/{name}",
        "/installations/isp",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/jobs/{job}/form",
        "/installations/isp/jobs/finish/form",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/settings",
        "/installations/isp/settings",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/setup",
        "/installations/isp/setup",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/changes",
        "/installations/isp/changes",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/readiness",
        "/installations/isp/readiness",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/mappings",
        "/installations/isp/mappings",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/todo",
        "/installations/isp/todo",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/jobs",
        "/installations/isp/jobs",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/activity",
        "/installations/isp/activity",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/activity/{format}",
        "/installations/isp/activity/csv",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/runs",
        "/installations/isp/runs",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/pages/{page}",
        "/installations/isp/pages/outbox",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/pages/{page}/{format}",
        "/installations/isp/pages/outbox/csv",
    ),
    (Role::View, "GET", "/runs/{run}", "/runs/1"),
    (Role::View, "GET", "/runs/{run}/live", "/runs/1/live"),
    (
        Role::View,
        "GET",
        "/runs/{run}/reports/{report}/{format}",
        "/runs/1/reports/plan/csv",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/support",
        "/installations/isp/support",
    ),
    (
        Role::View,
        "GET",
        "/installations/{name}/support/file",
        "/installations/isp/support/file",
    ),
    (
        Role::View,
        "GET",
        "/runs/{run}/recording",
        "/runs/1/recording",
    ),
    (
        Role::Operate,
        "POST",
        "/installations/{name}/runs/record",
        "/installations/isp/runs/record",
    ),
    (Role::View, "GET", "/sessions", "/sessions"),
    (Role::Administer, "POST", "/addons/trust", "/addons/trust"),
    (Role::View, "GET", "/second-factor", "/second-factor"),
    (Role::View, "POST", "/second-factor", "/second-factor"),
    (
        Role::View,
        "POST",
        "/second-factor/prove",
        "/second-factor/prove",
    ),
    (
        Role::View,
        "POST",
        "/second-factor/off",
        "/second-factor/off",
    ),
    (
        Role::View,
        "POST",
        "/sessions/{session}/revoke",
        "/sessions/000000000000/revoke",
    ),
    (
        Role::Operate,
        "POST",
        "/installations/{name}/check",
        "/installations/isp/check",
    ),
    (
        Role::Operate,
        "POST",
        "/installations/{name}/mappings",
        "/installations/isp/mappings",
    ),
    (Role::Operate, "POST", "/runs/{run}/stop", "/runs/1/stop"),
    (
        Role::Operate,
        "POST",
        "/installations/{name}/jobs/{job}",
        "/installations/isp/jobs/finish",
    ),
    (
        Role::Operate,
        "POST",
        "/installations/{name}/pages/{page}/act",
        "/installations/isp/pages/outbox/act",
    ),
    (
        Role::Administer,
        "POST",
        "/installations/{name}/settings",
        "/installations/isp/settings",
    ),
    (
        Role::Administer,
        "POST",
        "/installations/{name}/setup/{step}",
        "/installations/isp/setup/1",
    ),
    (Role::Administer, "POST", "/installations", "/installations"),
    (Role::Administer, "GET", "/addons", "/addons"),
    (Role::Administer, "POST", "/addons", "/addons"),
    (Role::Administer, "POST", "/addons/accept", "/addons/accept"),
    (
        Role::Administer,
        "POST",
        "/addons/{id}/rollback",
        "/addons/guest/rollback",
    ),
    (Role::Administer, "GET", "/people", "/people"),
    (Role::Administer, "POST", "/people", "/people"),
    (
        Role::Administer,
        "POST",
        "/people/{name}/password",
        "/people/nobody/password",
    ),
    (
        Role::Administer,
        "POST",
        "/people/{name}/role",
        "/people/nobody/role",
    ),
    (
        Role::Administer,
        "POST",
        "/people/{name}/remove",
        "/people/nobody/remove",
    ),
    (Role::Administer, "GET", "/changes", "/changes"),
    (Role::Administer, "GET", "/alerts", "/alerts"),
    (Role::Administer, "POST", "/alerts/{kind}", "/alerts/pigeon"),
    (
        Role::Administer,
        "POST",
        "/alerts/channels/{name}/remove",
        "/alerts/channels/nobody/remove",
    ),
    (
        Role::Administer,
        "POST",
        "/alerts/channels/{name}/test",
        "/alerts/channels/nobody/test",
    ),
    // What needs nobody: it tells nothing, and takes no more than it must.
    (Role::View, "GET", "/nothing", "/nothing"),
];

const ROLES: [Role; 3] = [Role::View, Role::Operate, Role::Administer];

/// What is there for everybody.
const OPEN: [(&str, &str); 8] = [
    ("GET", "/"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/logout"),
    ("GET", "/health"),
    ("GET", "/health/alive"),
    ("GET", "/assets/{name}"),
    // Signed, each by its service.
    ("POST", "/hooks/{installation}/{hook}"),
];

/// Methods and paths in the source of a router.
fn routed(source: &str) -> BTreeSet<(&str, &str)> {
    let mut found = BTreeSet::new();
    for route in source.split(".route(").skip(1) {
        // A path that is put together is the base path's.
        let Some(path) = route.trim_start().strip_prefix('"') else {
            continue;
        };
        let (path, handlers) = path.split_once('"').unwrap();
        let handlers = handlers.split(".layer(").next().unwrap();
        let words = handlers.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '(');
        for word in words {
            let name = word.split('(').next().unwrap();
            if word.contains('(') && word != "(" {
                let known = METHODS
                    .iter()
                    .find(|method| method.eq_ignore_ascii_case(name));
                let method = known.unwrap_or_else(|| panic!("`{name}` is no method: {route}"));
                found.insert((*method, path));
            }
        }
    }
    found
}

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

async fn make_accounts(site: &Site) {
    let hash = password::hash(&Secret::new(PASSWORD)).unwrap();
    for role in ROLES {
        let name = role.to_string();
        site.store
            .save_account_as(&name, &hash, Some(role), &by(at(0)))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn every_address_is_open_to_the_roles_that_it_is_for_and_to_nobody_else() {
    // The table is whole: what the program routes is in it, and nothing else is outside.
    let known = ROUTES.iter().filter(|route| route.2 != "/nothing");
    let known: BTreeSet<(&str, &str)> = known.map(|route| (route.1, route.2)).collect();
    assert_eq!(routed(include_str!("../../../web/src/routes.rs")), known);
    let open = routed(include_str!("../../../web/src/lib.rs"));
    assert_eq!(open, BTreeSet::from(OPEN));

    let site = Site::new("").await;
    make_accounts(&site).await;
    site.run("finish", false).await;
    for visitor in [
        None,
        Some(Role::View),
        Some(Role::Operate),
        Some(Role::Administer),
    ] {
        let mut browser = site.visitor();
        if let Some(role) = visitor {
            let entered = browser.log_in(&role.to_string(), PASSWORD).await;
            assert_eq!(entered.status, StatusCode::SEE_OTHER);
        }
        for (needed, method, _, address) in ROUTES {
            let page = match method {
                "GET" => browser.get(address).await,
                _ => browser.post(address, &[("name", "changed")]).await,
            };
            let refused = page.status == StatusCode::FORBIDDEN;
            let is_asked_in =
                page.location.starts_with("/login") || page.status == StatusCode::UNAUTHORIZED;
            let expected = match visitor {
                _ if address == "/nothing" => (false, false),
                None => (false, true),
                Some(role) => (role < needed, false),
            };
            assert_eq!(
                (refused, is_asked_in),
                expected,
                "{visitor:?} {method} {address}: {}",
                page.status
            );
            if refused {
                page.shows(&["This needs the role", &needed.to_string()]);
            }
            // From another site nothing is changed by anybody.
            if method == "POST" {
                let foreign = [("sec-fetch-site", "cross-site")];
                let answer = browser.send(Method::POST, address, &foreign, &[]).await;
                assert_eq!(
                    answer.status(),
                    StatusCode::FORBIDDEN,
                    "{visitor:?} {address}"
                );
            }
        }
        // A method that a page does not have is no way around its role.
        for (_, _, path, address) in ROUTES {
            for method in METHODS {
                let needed = ROUTES.iter().find(|route| {
                    let asked = if method == "HEAD" { "GET" } else { method };
                    route.2 == path && route.1 == asked
                });
                let may = needed.is_some_and(|route| visitor.is_some_and(|role| role >= route.0));
                if !may {
                    let method = Method::from_bytes(method.as_bytes()).unwrap();
                    let own = [("sec-fetch-site", "same-origin")];
                    let answer = browser.send(method.clone(), address, &own, &[]).await;
                    let (status, cookie) = (answer.status(), answer.headers().get("set-cookie"));
                    assert!(
                        !status.is_success() && cookie.is_none(),
                        "{visitor:?} {method} {address}: {status}"
                    );
                }
            }
        }
        // What was refused did not happen.
        let stored = site.store.settings("isp").await.unwrap();
        let is_changed = stored.iter().any(|setting| setting.key == "name");
        assert_eq!(is_changed, visitor == Some(Role::Administer), "{visitor:?}");
    }
    // A role counts from the next click on.
    let mut browser = site.visitor();
    browser.log_in("operate", PASSWORD).await;
    site.store
        .set_role("operate", Role::View, &by(at(3)))
        .await
        .unwrap();
    let page = browser.post("/installations/isp/check", &[]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    site.stop().await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owners_and_by_those_who_administer() {
    let site = Site::new("/x").await;
    make_accounts(&site).await;
    let (mut ann, mut viewer, mut other) = (site.ann().await, site.visitor(), site.visitor());
    viewer.log_in("view", PASSWORD).await;
    other.log_in("view", PASSWORD).await;
    let ids = async |account: &str| {
        let sessions = site.store.sessions(at(1)).await.unwrap();
        let own = sessions
            .into_iter()
            .filter(|session| session.account == account);
        own.map(|session| session.id).collect::<Vec<_>>()
    };
    let (anns, views) = (ids("ann").await, ids("view").await);
    let all = ann.get("/sessions").await;
    all.shows(&[
        "Everybody who is logged in",
        "ann (this one)",
        ">view</td>",
        &views[0],
        &views[1],
    ]);
    let own = viewer.get("/sessions").await;
    own.shows(&["Where you are logged in", "view (this one)"]);
    assert!(!own.has(&anns[0]) && own.has(&views[0]) && own.has(&views[1]));
    // The id of a session opens nothing.
    let mut thief = Browser {
        site: &site,
        cookie: Some(format!("addon_host_session={}", anns[0])),
    };
    assert_eq!(thief.get("/sessions").await.status, StatusCode::SEE_OTHER);

    // Another's session cannot be ended, nor found; one's own can, on another machine too.
    let refused = viewer
        .post(&format!("/sessions/{}/revoke", anns[0]), &[])
        .await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    for id in &views {
        let page = ann.post(&format!("/sessions/{id}/revoke"), &[]).await;
        assert_eq!(
            (page.status, page.location.as_str()),
            (StatusCode::SEE_OTHER, "/x/sessions")
        );
    }
    assert_eq!(
        other.get("/sessions").await.status,
        StatusCode::SEE_OTHER,
        "out at once"
    );
    assert_eq!(
        viewer.get("/installations").await.status,
        StatusCode::SEE_OTHER
    );
    viewer.log_in("view", PASSWORD).await;
    let mine = ids("view").await;
    let ended = viewer
        .post(&format!("/sessions/{}/revoke", mine[0]), &[])
        .await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    assert!(ids("view").await.is_empty());
    assert_eq!(ann.get("/sessions").await.status, StatusCode::OK);

    // A cookie that somebody planted before the log-in is nobody's session afterwards.
    let planted = Some("addon_host_session=planted".to_owned());
    let mut victim = Browser {
        site: &site,
        cookie: planted.clone(),
    };
    victim.log_in("view", PASSWORD).await;
    assert_ne!(victim.cookie, planted);
    assert_eq!(victim.get("/sessions").await.status, StatusCode::OK);
    let mut planter = Browser {
        site: &site,
        cookie: planted,
    };
    assert_eq!(planter.get("/sessions").await.status, StatusCode::SEE_OTHER);
    site.stop().await;
}

on_both_databases!(somebody_who_administers_is_always_left);

async fn somebody_who_administers_is_always_left(database: Database) {
    let store = database.store().await;
    let refused = store
        .save_account_as("ann", "hash", Some(Role::View), &by(at(0)))
        .await;
    assert!(
        refused.is_err(),
        "the first one must be able to let others in"
    );
    store.save_account("ann", "hash", &by(at(0))).await.unwrap();
    store
        .save_account_as("bob", "hash", Some(Role::Operate), &by(at(1)))
        .await
        .unwrap();
    store
        .save_account("bob", "other hash", &by(at(2)))
        .await
        .unwrap();
    let roles = async || {
        let accounts = store.accounts().await.unwrap();
        let roles = accounts
            .into_iter()
            .map(|account| (account.name, account.role));
        roles.collect::<Vec<_>>()
    };
    let expected = [
        ("ann".to_owned(), Role::Administer),
        ("bob".to_owned(), Role::Operate),
    ];
    assert_eq!(roles().await, expected, "a new password changes no role");
    let error = store
        .set_role("ann", Role::View, &by(at(3)))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("nobody would administer"),
        "{error}"
    );
    assert!(store.remove_account("ann", &by(at(5))).await.is_err());
    assert!(store.remove_account("nobody", &by(at(5))).await.is_err());
    assert_eq!(roles().await, expected);
    for (token, account) in [("aaaaaaaaaaaaaaa", "ann"), ("bbbbbbbbbbbbbbb", "bob")] {
        store
            .insert_session(token, account, "browser", at(3), at(100))
            .await
            .unwrap();
    }
    store
        .set_role("bob", Role::Administer, &by(at(4)))
        .await
        .unwrap();
    store.remove_account("ann", &by(at(5))).await.unwrap();
    let sessions = store.sessions(at(4)).await.unwrap();
    assert_eq!(
        (sessions.len(), sessions[0].id.as_str()),
        (1, "bbbbbbbbbbbb")
    );
    assert!(
        !store
            .revoke_session("bbbbbbbbbbbb", Some("eve"))
            .await
            .unwrap()
    );
    assert_eq!(store.revoke_sessions(Some("eve")).await.unwrap(), 0);
    assert_eq!(store.revoke_sessions(None).await.unwrap(), 1);
    assert!(store.sessions(at(100)).await.unwrap().is_empty());
}

#[tokio::test]
async fn people_are_made_and_changed_in_the_browser_and_their_passwords_told_once() {
    let site = Site::new("").await;
    let mut ann = site.ann().await;
    let page = ann
        .post("/people", &[("name", "bob"), ("role", "operate")])
        .await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let told = |page: &Page| {
        let (_, rest) = page.text.split_once("<pre>").unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    let first = told(&page);
    assert!(!ann.get("/people").await.has(&first), "it was told once");
    let mut bob = site.visitor();
    assert_eq!(
        bob.log_in("bob", &first).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(bob.get("/people").await.status, StatusCode::FORBIDDEN);

    for (name, role, status) in [
        ("bob", "view", StatusCode::CONFLICT),
        ("b/b", "view", StatusCode::UNPROCESSABLE_ENTITY),
        ("carl", "rule", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let page = ann.post("/people", &[("name", name), ("role", role)]).await;
        assert_eq!(page.status, status, "{name} {role}");
    }
    ann.post("/people/bob/role", &[("role", "view")]).await;
    let refused = bob.post("/installations/isp/check", &[]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "at once");

    let second = told(&ann.post("/people/bob/password", &[]).await);
    assert_ne!(first, second);
    assert_eq!(
        bob.get("/installations").await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        bob.log_in("bob", &first).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        bob.log_in("bob", &second).await.status,
        StatusCode::SEE_OTHER
    );
    let last = ann.post("/people/ann/role", &[("role", "view")]).await;
    assert_eq!(last.status, StatusCode::CONFLICT, "{}", last.text);
    last.shows(&["notice error"]);
    assert_eq!(
        ann.post("/people/bob/remove", &[]).await.location,
        "/people"
    );
    assert_eq!(
        bob.get("/installations").await.status,
        StatusCode::SEE_OTHER
    );
    let gone = ann.post("/people/bob/password", &[]).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}
