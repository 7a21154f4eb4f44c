//! A second factor, from the page that turns it on to the log-in that asks for it.

use addon_host::clock::Clock;
use chrono::TimeDelta;
use reqwest::{Method, StatusCode};

use super::site::{Browser, PASSWORD, Page, Site};
use crate::fixtures::by;
use crate::second_factors::code;

/// Whoever turns it on says who they are once more.
const OWN: [(&str, &str); 1] = [("password", PASSWORD)];

/// The text between two others.
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{text}"));
    rest.split_once(after).unwrap().0
}

async fn turn_on(site: &Site, browser: &mut Browser<'_>) -> String {
    let page = browser.post("/second-factor", &OWN).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let secret = between(&page.text, "<pre>", "</pre>").to_owned();
    let link = format!("otpauth://totp/addon-host:ann?secret={secret}&amp;issuer=addon-host");
    assert!(
        page.has(&link) || page.has(&link.replace("&amp;", "&#38;")),
        "{}",
        page.text
    );
    let form = [("code", &*code(&secret, &site.clock))];
    let proven = browser.post("/second-factor/prove", &form).await;
    assert_eq!(proven.status, StatusCode::SEE_OTHER, "{}", proven.text);
    secret
}

/// The password was right: no session yet, a field for the code, and what stands for the password.
fn mark(page: &Page, browser: &Browser) -> String {
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(browser.cookie.is_none());
    assert!(!page.has("name=\"password\"") && page.has("name=\"code\""));
    between(&page.text, "name=\"mark\" value=\"", "\"").to_owned()
}

#[tokio::test]
async fn with_a_second_factor_the_password_alone_lets_nobody_in_and_a_code_does_so_once() {
    let site = Site::new("").await;
    let mut ann = site.ann().await;
    ann.get("/sessions").await.shows(&["/second-factor"]);
    ann.get("/second-factor").await.shows(&["It is off"]);

    let strangers = [("password", "not the one of ann")];
    let refused = ann.post("/second-factor", &strangers).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!refused.has("<pre>") && refused.has("is not your password"));

    // Before the first code nothing changes, and what was shown is not shown again.
    let page = ann.post("/second-factor", &OWN).await;
    let first = between(&page.text, "<pre>", "</pre>").to_owned();
    let wrong = ann.post("/second-factor/prove", &[("code", "12345")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = ann.get("/second-factor").await;
    page.shows(&["waits for its first code"]);
    assert!(!page.has(&first) && !wrong.has(&first));
    site.ann().await;
    let secret = turn_on(&site, &mut ann).await;
    assert_ne!(secret, first);
    let page = ann.get("/second-factor").await;
    page.shows(&["It is on"]);
    assert!(!page.has(&secret));
    assert_eq!(
        ann.post("/second-factor", &OWN).await.status,
        StatusCode::CONFLICT
    );
    ann.get("/people").await.shows(&["second factor"]);

    // The log-in asks for the code once the password is right; the code that proved the factor is used up.
    let mut visitor = site.visitor();
    let mark_of = mark(&visitor.log_in("ann", PASSWORD).await, &visitor);
    let form = |code: &str, mark: &str| {
        [("account", "ann"), ("mark", mark), ("code", code)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
    };
    let enter = async |visitor: &mut Browser<'_>, code: &str, mark: &str| {
        let form = form(code, mark);
        let form = form
            .each_ref()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        visitor.post("/login", &form).await
    };
    let used = enter(&mut visitor, &code(&secret, &site.clock), &mark_of).await;
    used.shows(&["used before"]);
    mark(&used, &visitor);
    site.clock.advance(TimeDelta::seconds(60));
    let now = code(&secret, &site.clock);
    // What stands for the password is this account's and this password's, opens nothing alone, and does not last.
    for (code, mark) in [
        (now.as_str(), "9999999999.00"),
        (now.as_str(), ""),
        ("", mark_of.as_str()),
    ] {
        let refused = enter(&mut visitor, code, mark).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{code} {mark}");
        assert!(visitor.cookie.is_none());
    }
    site.clock.advance(TimeDelta::minutes(6));
    let now = code(&secret, &site.clock);
    let late = enter(&mut visitor, &now, &mark_of).await;
    assert!(late.status == StatusCode::UNAUTHORIZED && late.has("name=\"password\""));
    // In one step, for a password manager that fills in both.
    site.clock.advance(TimeDelta::minutes(6));
    let now = code(&secret, &site.clock);
    let both = [("account", "ann"), ("password", PASSWORD), ("code", &*now)];
    let entered = visitor.send(Method::POST, "/login", &[], &both).await;
    assert_eq!(entered.status(), StatusCode::SEE_OTHER);
    assert_eq!(visitor.get("/installations").await.status, StatusCode::OK);
    // Who looked over the shoulder has nothing.
    let mut other = site.visitor();
    let again = other.post("/login", &both).await;
    mark(&again, &other);

    // Codes are guessed as slowly as passwords.
    let mut guesser = site.visitor();
    site.clock.advance(TimeDelta::hours(2));
    let mark_of = mark(&guesser.log_in("ann", PASSWORD).await, &guesser);
    for guess in 0..4 {
        let wrong = enter(&mut guesser, &format!("00000{guess}"), &mark_of).await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    }
    let now = code(&secret, &site.clock);
    enter(&mut guesser, "000009", &mark_of).await;
    let slowed = enter(&mut guesser, &now, &mark_of).await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS);

    // Off by a code alone, and guessed as slowly here.
    site.clock.advance(TimeDelta::hours(2));
    let mut ann = site.visitor();
    let now = code(&secret, &site.clock);
    let both = [("account", "ann"), ("password", PASSWORD), ("code", &*now)];
    assert_eq!(
        ann.post("/login", &both).await.status,
        StatusCode::SEE_OTHER
    );
    for _ in 0..6 {
        ann.post("/second-factor/off", &[("code", &*now)]).await;
    }
    site.clock.advance(TimeDelta::seconds(60));
    ann.get("/second-factor").await.shows(&["It is on"]);
    site.clock.advance(TimeDelta::minutes(10));
    let now = code(&secret, &site.clock);
    let off = ann.post("/second-factor/off", &[("code", &*now)]).await;
    assert_eq!(off.status, StatusCode::SEE_OTHER, "{}", off.text);
    site.ann().await;

    // Whoever lost it is helped by command, and out everywhere.
    let mut ann = site.ann().await;
    turn_on(&site, &mut ann).await;
    let author = by(site.clock.now());
    let taken_off = site
        .store
        .reset_second_factor("ann", &author)
        .await
        .unwrap();
    assert!(
        taken_off
            && !site
                .store
                .reset_second_factor("ann", &author)
                .await
                .unwrap()
    );
    assert_eq!(
        ann.get("/installations").await.status,
        StatusCode::SEE_OTHER
    );
    site.ann().await;
    let changes = site.store.host_changes(None, 50).await.unwrap();
    let of_factor = changes
        .iter()
        .filter(|change| change.what == "second factor");
    let seen: Vec<_> = of_factor
        .map(|change| {
            (
                change.by.as_str(),
                change.before.as_deref(),
                change.after.as_deref(),
            )
        })
        .collect();
    let (on, off) = (("ann", None, Some("on")), ("ann", Some("on"), None));
    assert_eq!(seen, [("test", Some("on"), None), on, off, on]);
    site.stop().await;
}
