//! Installing, updating and going back in the browser: nothing is changed before somebody has seen what it asks for.

use addon_host::packages::{NewKeys, SecretKey, make_keys};
use addon_host::store::{Role, TrustedKey};
use addon_host::vault::Secret;
use addon_host::web::login::password;
use reqwest::{Method, StatusCode};

use super::site::{Browser, MANIFEST, PASSWORD, Page, Site};
use crate::fixtures::{at, by};
use crate::guest::{guest, package};

const REACHING_OUT: &str = r#"
[connections.bank]
base_url = "https://bank.example/"
hosts = ["bank.example"]
auth = []
counted_by = ["name"]
per_minute = 10
"#;

pub fn signed(manifest: &str, keys: &NewKeys) -> Vec<u8> {
    let archive = package(manifest, guest());
    let key = SecretKey::read(&keys.secret, None).unwrap();
    key.sign(&archive, "guest").unwrap().before(&archive)
}

/// Sends a package as the form of the page does.
pub async fn send(browser: &mut Browser<'_>, bytes: &[u8]) -> Page {
    let mut body = b"--limit\r\nContent-Disposition: form-data; name=\"package\"; filename=\"<i>.addon\"\r\n\r\n".to_vec();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--limit--\r\n");
    let request = browser
        .site
        .client
        .request(Method::POST, format!("{}/addons", browser.site.address))
        .header("content-type", "multipart/form-data; boundary=limit")
        .header("cookie", browser.cookie.clone().unwrap_or_default())
        .body(body);
    Page::of(request.send().await.unwrap()).await
}

/// Of the package that a page offers.
pub fn hash(page: &str) -> String {
    let (_, rest) = page.split_once(r#"name="sha256" value=""#).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn version(site: &Site) -> String {
    let active = site.store.active_addon("guest").await.unwrap();
    active.unwrap().version
}

#[tokio::test]
async fn a_package_is_looked_at_agreed_to_and_left_again() {
    let site = Site::new("").await;
    let mut ann = site.ann().await;
    ann.get("/installations")
        .await
        .shows(&[r#"<a href="/addons">Add-ons</a>"#]);
    ann.get("/addons").await.shows(&[
        "Guest &#38; Co",
        "1.0.0",
        "in use",
        "nobody",
        r#"<a href="/installations/isp">isp</a>"#,
    ]);
    let keys = make_keys(None).unwrap();
    let next = MANIFEST
        .replace("version = \"1.0.0\"", "version = \"1.1.0\"")
        .replace("state = 1", "serial = 7\nstate = 1");
    let next = signed(&format!("{next}{REACHING_OUT}"), &keys);

    for (bytes, status, says) in [
        (
            &b""[..],
            StatusCode::UNPROCESSABLE_ENTITY,
            "Choose a package file",
        ),
        (
            b"no package at all",
            StatusCode::UNPROCESSABLE_ENTITY,
            "notice error",
        ),
        (
            &next,
            StatusCode::UNPROCESSABLE_ENTITY,
            "is not trusted here",
        ),
    ] {
        let page = send(&mut ann, bytes).await;
        assert_eq!(page.status, status, "{}", page.text);
        page.shows(&[says]);
    }
    site.store
        .trust(&TrustedKey {
            id: keys.key.id(),
            public_key: keys.key.line(),
            name: "the <makers>".to_owned(),
            added_at: at(0),
            added_by: "ann".to_owned(),
        })
        .await
        .unwrap();
    let mut spoiled = next.clone();
    *spoiled.last_mut().unwrap() ^= 1;
    let page = send(&mut ann, &spoiled).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);

    let offer = send(&mut ann, &next).await;
    assert_eq!(offer.status, StatusCode::OK, "{}", offer.text);
    offer.shows(&[
        "1.1.0",
        "the &#60;makers&#62;",
        "It asks for more than the version in use",
        "bank.example",
        "Agree and update",
    ]);
    assert_eq!(version(&site).await, "1.0.0", "nobody has agreed yet");
    // Another administrator did not see it.
    let secret = password::hash(&Secret::new(PASSWORD)).unwrap();
    site.store
        .save_account_as("bob", &secret, Some(Role::Administer), &by(at(0)))
        .await
        .unwrap();
    let mut bob = site.visitor();
    bob.log_in("bob", PASSWORD).await;
    let sha256 = hash(&offer.text);
    let agreed = [("sha256", sha256.as_str())];
    assert_eq!(
        bob.post("/addons/accept", &agreed).await.status,
        StatusCode::GONE
    );
    // Whoever only operates may not look, let alone install.
    site.store
        .save_account_as("carl", &secret, Some(Role::Operate), &by(at(0)))
        .await
        .unwrap();
    let mut carl = site.visitor();
    carl.log_in("carl", PASSWORD).await;
    assert_eq!(carl.get("/addons").await.status, StatusCode::FORBIDDEN);
    assert_eq!(send(&mut carl, &next).await.status, StatusCode::FORBIDDEN);

    let page = ann.post("/addons/accept", &agreed).await;
    assert_eq!(page.location, "/addons?installed=guest", "{}", page.text);
    ann.get(&page.location)
        .await
        .shows(&["Guest &#38; Co 1.1.0 is installed.", "Go back to 1.0.0"]);
    assert_eq!(version(&site).await, "1.1.0");
    assert_eq!(
        ann.post("/addons/accept", &agreed).await.status,
        StatusCode::GONE
    );

    let page = ann.post("/addons/guest/rollback", &[]).await;
    assert_eq!(page.location, "/addons?back=guest");
    ann.get(&page.location)
        .await
        .shows(&["1.0.0 is in use again", "ann went back to 1.0.0"]);
    assert_eq!(version(&site).await, "1.0.0");
    let nowhere = ann.post("/addons/guest/rollback", &[]).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    nowhere.shows(&["notice error"]);

    // What waits too long is forgotten.
    let offer = send(&mut ann, &next).await;
    let sha256 = hash(&offer.text);
    site.clock.advance(chrono::TimeDelta::minutes(16));
    let late = ann.post("/addons/accept", &[("sha256", &sha256)]).await;
    assert_eq!(late.status, StatusCode::GONE);
}

#[tokio::test]
async fn a_key_is_trusted_for_a_package_that_it_signed_by_whoever_enters_the_whole_of_it() {
    let site = Site::new("/x").await;
    let mut ann = site.ann().await;
    let (keys, others) = (make_keys(None).unwrap(), make_keys(None).unwrap());
    let next = MANIFEST
        .replace("version = \"1.0.0\"", "version = \"1.1.0\"")
        .replace("state = 1", "serial = 7\nstate = 1");
    let next = signed(&next, &keys);
    let asked = send(&mut ann, &next).await;
    assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY);
    asked.shows(&["An unknown key", &keys.key.id()]);
    assert!(!asked.has(&keys.key.line()), "the package does not tell it");
    let sha256 = hash(&asked.text);
    let (line, other) = (keys.key.line(), others.key.line());
    let form = |key: &str, name: &str| {
        [("sha256", &*sha256), ("key", key), ("name", name)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
    };
    let trust = async |browser: &mut Browser<'_>, key: &str, name: &str| {
        let form = form(key, name);
        let form = form
            .each_ref()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        browser.post("/addons/trust", &form).await
    };
    // The id is not the key, another's key is not this one, and a name belongs to it; what was typed is not lost.
    for (key, name, says) in [
        (
            keys.key.id().as_str(),
            "makers",
            "this is no minisign public key",
        ),
        (&other, "makers", "and this is the key"),
        (&line, " ", "Say whose key it is"),
        ("<i>", "<b>", "this is no minisign public key"),
    ] {
        let page = trust(&mut ann, key, name).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{key}");
        page.shows(&[says, &sha256]);
        assert!(!page.has("<i>") && site.store.trusted_keys().await.unwrap().is_empty());
    }
    // A package that was changed on its way is not vouched for by its key.
    let mut spoiled = next.clone();
    *spoiled.last_mut().unwrap() ^= 1;
    let page = send(&mut ann, &spoiled).await;
    let changed = hash(&page.text);
    let page = ann
        .post(
            "/addons/trust",
            &[("sha256", &*changed), ("key", &*line), ("name", "makers")],
        )
        .await;
    page.shows(&["it was changed after it was signed"]);
    assert!(site.store.trusted_keys().await.unwrap().is_empty());
    // What ann sent is not bob's to trust, and an operator's neither.
    let secret = password::hash(&Secret::new(PASSWORD)).unwrap();
    for (name, role, status) in [
        ("bob", Role::Administer, StatusCode::GONE),
        ("carl", Role::Operate, StatusCode::FORBIDDEN),
    ] {
        let author = by(at(0));
        site.store
            .save_account_as(name, &secret, Some(role), &author)
            .await
            .unwrap();
        let mut browser = site.visitor();
        browser.log_in(name, PASSWORD).await;
        assert_eq!(trust(&mut browser, &line, "makers").await.status, status);
    }

    let offer = trust(&mut ann, &format!(" {line}\r\n"), "the <makers>").await;
    assert_eq!(offer.status, StatusCode::OK, "{}", offer.text);
    offer.shows(&["the &#60;makers&#62;", "Agree and update"]);
    assert_eq!(version(&site).await, "1.0.0", "nothing is installed by it");
    let trusted = site.store.trusted_keys().await.unwrap();
    assert_eq!(
        (trusted[0].public_key.as_str(), trusted[0].added_by.as_str()),
        (line.as_str(), "ann")
    );
    let changes = site.store.host_changes(None, 1).await.unwrap();
    assert_eq!(
        (changes[0].what.as_str(), changes[0].name.as_str()),
        ("trusted key", keys.key.id().as_str())
    );
    let agreed = [("sha256", &*hash(&offer.text))];
    let page = ann.post("/addons/accept", &agreed).await;
    assert_eq!(page.location, "/x/addons?installed=guest", "{}", page.text);
    site.stop().await;
}

#[tokio::test]
async fn an_installation_is_made_of_an_add_on_that_is_there_and_set_up_next() {
    let site = Site::new("/sync").await;
    let mut ann = site.ann().await;
    ann.get("/installations")
        .await
        .shows(&["A new installation", r#"<option value="guest">"#]);
    for (name, addon, status, says) in [
        ("", "guest", 422, "cannot be an installation"),
        ("../isp", "guest", 422, "cannot be an installation"),
        ("<i>", "guest", 422, "`&#60;i&#62;` cannot be"),
        (
            "isp",
            "guest",
            409,
            "the installation `isp` is there already",
        ),
        ("second", "nothing", 404, "there is no add-on `nothing`"),
    ] {
        let page = ann
            .post("/installations", &[("name", name), ("addon", addon)])
            .await;
        assert_eq!(page.status.as_u16(), status, "{name} {addon}");
        assert!(
            page.text.to_lowercase().contains(&says.to_lowercase()),
            "{name} {addon}: {}",
            page.text
        );
    }
    let page = ann
        .post(
            "/installations",
            &[("name", " second "), ("addon", "guest")],
        )
        .await;
    assert_eq!(page.location, "/sync/installations/second/setup");
    ann.get("/installations/second/settings")
        .await
        .shows(&["second"]);
    let names = site.store.installations().await.unwrap().into_iter();
    let names: Vec<String> = names.map(|one| one.name).collect();
    assert_eq!(names, ["isp", "second"]);
}
