//! Who is told, set in the browser: what is wrong stands at its field, secrets do not come back, and the server itself tells.

use std::time::Duration;

use addon_host::store::{Failure, Outcome, RunState};
use reqwest::StatusCode;

use super::site::{MANIFEST, Site};
use crate::alerts::{Delivered, LOGIN, PASSWORD, PostOffice, Protection};
use crate::fixtures::at;
use crate::guest::guest;

/// What comes next.
async fn next(office: &PostOffice) -> Delivered {
    let comes = async {
        loop {
            if let Some(letter) = office.collect().pop() {
                return letter;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // Far longer than the server sleeps.
    tokio::time::timeout(Duration::from_secs(100), comes)
        .await
        .expect("a letter")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_made_tried_changed_and_removed_and_the_server_tells_through_it() {
    let office = PostOffice::open(Protection::Starttls).await;
    let site = Site::serving("/books", MANIFEST, guest(), |server| {
        server.known_as(Some("https://isp.example/books".to_owned()))
    })
    .await;
    let mut ann = site.ann().await;
    assert!(ann.get("/alerts").await.has("Nobody is told anything yet"));
    let port = office.address.port().to_string();
    let mut form = vec![
        ("name", "Not a name!"),
        ("installation", "isp"),
        ("to", "books@isp.example, nobody"),
        ("from", "alerts@isp.example"),
        ("server", "127.0.0.1"),
        ("security", "starttls"),
        ("port", port.as_str()),
        ("login", LOGIN),
        ("password", ""),
        ("authority", office.certificate.as_str()),
    ];
    let refused = ann.post("/alerts/mail", &form).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&[
        "Not a name!",
        "is no name of a channel",
        "`nobody` is no address",
        "A login needs its password",
    ]);
    assert_eq!(site.store.alert_channels().await.unwrap(), []);

    form[0].1 = "mail";
    form[2].1 = "books@isp.example";
    form[8].1 = PASSWORD;
    let saved = ann.post("/alerts/mail", &form).await;
    assert_eq!(
        (saved.status, saved.location.as_str()),
        (StatusCode::SEE_OTHER, "/books/alerts?told=saved"),
        "{}",
        saved.text
    );
    let tried = ann.post("/alerts/channels/mail/test", &[]).await;
    assert_eq!(tried.location, "/books/alerts?told=sent");
    assert_eq!(
        next(&office).await.header("Subject"),
        "a test of the add-on host's alerts"
    );
    let page = ann.get("/alerts?channel=mail").await;
    page.shows(&[
        "books@isp.example",
        "value=\"127.0.0.1\"",
        "a test of the add-on host",
        LOGIN,
    ]);
    assert!(!page.has(PASSWORD));

    // Changed without typing the password again; then something fails.
    form[2].1 = "noc@isp.example";
    form[8].1 = "";
    ann.post("/alerts/mail", &form).await;
    let run = site.run("finish", false).await;
    let outcome = Outcome {
        state: RunState::Failed,
        resume_at: None,
        why: Some(Failure::new("refused", "<b>Sage</b> says no.")),
        counts: Vec::new(),
        more: Vec::new(),
    };
    site.store.finish_run(run, &outcome, at(0)).await.unwrap();
    let letter = next(&office).await;
    assert_eq!(
        (letter.header("Subject"), letter.to.as_slice()),
        (
            "isp: Finish fails",
            ["noc@isp.example".to_owned()].as_slice()
        )
    );
    assert!(
        letter
            .body()
            .contains(&format!("https://isp.example/books/runs/{run}")),
        "{}",
        letter.body()
    );

    // A web hook's key is made and shown once.
    let hook = [
        ("name", "chat"),
        ("installation", ""),
        ("address", "https://chat.example/hooks/canary"),
        ("private", "off"),
        ("key", ""),
    ];
    let made = ann.post("/alerts/web-hook", &hook).await;
    assert_eq!(made.status, StatusCode::OK);
    made.shows(&["whsec_", "chat.example"]);
    let page = ann.get("/alerts?channel=chat").await;
    assert!(!page.has("whsec_M") && !page.has("canary"));
    assert_eq!(
        ann.post("/alerts/pigeon", &hook).await.status,
        StatusCode::NOT_FOUND
    );

    for name in ["mail", "chat"] {
        let removed = ann
            .post(&format!("/alerts/channels/{name}/remove"), &[])
            .await;
        assert_eq!(removed.location, "/books/alerts?told=removed");
    }
    assert_eq!(
        ann.post("/alerts/channels/mail/test", &[]).await.status,
        StatusCode::NOT_FOUND
    );
    site.stop().await;
}
