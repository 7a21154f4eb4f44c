//! Web hooks: who is heard, what is queued, and that each message is handed over once.

use std::collections::BTreeSet;
use std::time::Duration;

use addon_host::clock::{Clock, SystemClock};
use addon_host::host::{Host, HostConfig, Terms};
use addon_host::installations;
use addon_host::manifest::Manifest;
use addon_host::scheduler::look;
use addon_host::store::{NewHookEvent, Queued, Run, RunState, Store, Trigger};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::StatusCode;

use crate::fixtures::{Database, at, by, install, on_both_databases, start_run};
use crate::guest::{guest, package};
use crate::web::site::{MANIFEST, Site};

const SECRET: &str = "hook-secret-1";

/// The manifest of the other tests, with a hook.
fn manifest() -> String {
    let jobs = r#"[[jobs]]
id = "finish-records"
title = "Finish some"
options = [{ key = "event", title = "Events", type = "long-text" }]

[[jobs]]
id = "finish""#;
    let hook = r#"
[[hooks]]
id = "books"
title = "Books"
signature = { scheme = "hmac-sha1", header = "X-Signature", secret = "password" }
ping = { at = "/type", is = "ping" }
job = "finish-records"
flood_job = "finish"
events = { at = "/data/model", last = ["Invoices", "Payments"] }
record = ["/data/model", "/data/id"]
"#;
    MANIFEST.replacen("[[jobs]]\nid = \"finish\"", jobs, 1) + hook
}

fn event(model: &str, id: u32, more: &str) -> String {
    format!(
        r#"{{"type":"event","data":{{"model":"models\\finance\\{model}","id":{id},"more":"{more}"}}}}"#
    )
}

fn signature(secret: &str, body: &str) -> String {
    let mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    hex::encode(mac.chain_update(body).finalize().into_bytes())
}

/// The runs, the newest first, once there are so many and all are over.
async fn runs(store: &Store, amount: usize) -> Vec<Run> {
    loop {
        let runs = store.runs("isp", None, 100).await.unwrap();
        let is_over = |run: &Run| run.state != RunState::Running;
        if runs.len() >= amount && runs.iter().all(is_over) {
            return runs;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn told(run: &Run) -> &str {
    &run.options[0].1
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_signed_is_heard_and_what_is_heard_makes_one_run() {
    let site = Site::with("", &manifest(), guest()).await;
    let first = event("Invoices", 12, "first");
    let signed = signature(SECRET, &first);
    let off = site.deliver("/hooks/isp/books", &signed, &first).await;
    assert_eq!(off.0, StatusCode::NOT_FOUND, "it is off without a secret");

    let mut ann = site.ann().await;
    ann.post(
        "/installations/isp/settings",
        &[("password", SECRET), ("every", "15")],
    )
    .await;
    let stranger = event("Locations", 1, "");
    let (no_json, long) = ("signed rubbish".to_owned(), "x".repeat(300 << 10));
    let ping = r#"{"type":"ping"}"#.to_owned();
    let of_another = signature("hook-secret-2", &first);
    let cases = [
        ("/hooks/isp/books", "", &first, StatusCode::UNAUTHORIZED),
        (
            "/hooks/isp/books",
            &of_another,
            &first,
            StatusCode::UNAUTHORIZED,
        ),
        (
            "/hooks/isp/books",
            &signed[..38],
            &first,
            StatusCode::UNAUTHORIZED,
        ),
        // The signature of another body.
        (
            "/hooks/isp/books",
            &signed,
            &stranger,
            StatusCode::UNAUTHORIZED,
        ),
        ("/hooks/isp/other", &signed, &first, StatusCode::NOT_FOUND),
        (
            "/hooks/nobody/books",
            &signed,
            &first,
            StatusCode::NOT_FOUND,
        ),
        (
            "/hooks/isp/books",
            &signature(SECRET, &no_json),
            &no_json,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            "/hooks/isp/books",
            &signature(SECRET, &long),
            &long,
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        ("/hooks/isp/books", "", &ping, StatusCode::OK),
        (
            "/hooks/isp/books",
            &signature(SECRET, &stranger),
            &stranger,
            StatusCode::OK,
        ),
    ];
    for (path, signature, body, status) in cases {
        let (answered, text) = site.deliver(path, signature, body).await;
        assert_eq!(answered, status, "{path} {text}");
        assert!(!text.contains("isp") && text.len() < 200, "{text}");
    }
    assert_eq!(site.store.hook_events("isp", "books", 9).await.unwrap(), []);
    let state = site.store.hook_state("isp", "books").await.unwrap();
    assert_eq!(state.refused, 1, "written down at once, then once a minute");

    // A second message about a record takes the place of the first; one that comes again does nothing.
    let again = event("Invoices", 12, "again");
    let other = event("Payments", 3, "");
    for (body, answer) in [
        (&first, "queued"),
        (&first, "known"),
        (&again, "queued"),
        (&other, "queued"),
        (&first, "known"),
    ] {
        let delivered = site
            .deliver("/hooks/isp/books", &signature(SECRET, body), body)
            .await;
        assert_eq!(delivered, (StatusCode::OK, answer.to_owned()));
    }
    site.clock.advance(TimeDelta::seconds(3));
    let made = runs(&site.store, 1).await;
    assert_eq!(made.len(), 1);
    assert_eq!(
        (made[0].job.as_str(), made[0].trigger, made[0].state),
        ("finish-records", Trigger::Event, RunState::Finished)
    );
    let events = told(&made[0]);
    assert!(
        events.contains("again") && !events.contains("first"),
        "{events}"
    );
    // Replayed after the run: nothing.
    for body in [&first, &again, &other] {
        let delivered = site
            .deliver("/hooks/isp/books", &signature(SECRET, body), body)
            .await;
        assert_eq!(delivered.1, "known");
    }
    let states: Vec<(String, bool)> = site
        .store
        .hook_events("isp", "books", 9)
        .await
        .unwrap()
        .into_iter()
        .map(|event| (event.state, event.run == Some(made[0].id)))
        .collect();
    let amount = |state: &str, of_run| {
        let of = states
            .iter()
            .filter(|(s, run)| s == state && *run == of_run);
        of.count()
    };
    assert_eq!(
        (amount("handed", true), amount("superseded", false)),
        (2, 1)
    );
    site.stop().await;
}

/// On the machine's clock, which must be that of the database's server.
async fn host(database: &Database, folder: &tempfile::TempDir) -> Host {
    let config = HostConfig {
        data_dir: folder.path().to_owned(),
        database_url: database.url.clone(),
    };
    Host::open(config).await.unwrap()
}

/// Messages of two seconds and more ago are handed over by whichever host comes first.
async fn of_several_hosts_one_hands_each_message_over(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let hosts = [
        host(&database, &folder).await,
        host(&database, &folder).await,
    ];
    hosts[0]
        .install_package(&package(&manifest(), guest()), Terms::DEVELOPMENT, "ann")
        .await
        .unwrap();
    let store = hosts[0].store();
    installations::create(store, "isp", "guest", &by(at(0)))
        .await
        .unwrap();
    let secret = [("password".to_owned(), SECRET.to_owned())];
    hosts[0].save_settings("isp", &secret, "ann").await.unwrap();
    let mut sent = BTreeSet::new();
    for round in 0..3 {
        for id in 0..10 {
            let body = event("Invoices", id, &format!("<{round}-{id}>"));
            let signature = signature(SECRET, &body);
            let header = |name: &str| (name == "x-signature").then(|| signature.clone());
            hosts[id as usize % 2]
                .receive_hook("isp", "books", header, body.as_bytes())
                .await
                .unwrap();
            sent.insert(body);
        }
        assert!(
            look(&hosts[0], SystemClock.now()).await.is_some(),
            "they gather"
        );
        tokio::time::sleep(Duration::from_secs(2)).await;
        tokio::join!(
            look(&hosts[0], SystemClock.now()),
            look(&hosts[1], SystemClock.now()),
            look(&hosts[0], SystemClock.now())
        );
        let made = runs(store, round + 1).await;
        assert_eq!(made.len(), round + 1);
        let handed = store.hook_events("isp", "books", 100).await.unwrap();
        assert!(handed.iter().all(|event| event.state == "handed"));
        assert_eq!(handed.len(), sent.len());
    }
}

async fn the_queue_is_bounded_outlives_a_host_and_forgets_after_days(database: Database) {
    let store = database.store().await;
    install(&store, "isp").await;
    install(&store, "other").await;
    let queue = async |id: u32, record: &str, now| {
        let digest = format!("{id:064}");
        let event = NewHookEvent {
            digest: &digest,
            record,
            body: "{}",
        };
        store.queue_event("isp", "books", event, now).await.unwrap()
    };
    for id in 0..3 {
        assert_eq!(queue(id, "", at(0)).await, Queued::Waits);
    }
    assert_eq!(queue(0, "", at(1)).await, Queued::Known);
    let waiting = store.waiting_hooks(at(1)).await.unwrap();
    assert_eq!(
        (waiting.len(), waiting[0].since, waiting[0].flood),
        (1, at(0), false)
    );

    // A host takes two and dies; they come back.
    let taken = store
        .take_events("isp", "books", 2, 100, at(1))
        .await
        .unwrap();
    assert_eq!(taken.len(), 2);
    let rest = store
        .take_events("isp", "books", 9, 1, at(2))
        .await
        .unwrap();
    assert_eq!(rest.len(), 1, "one fits always");
    assert_eq!(store.waiting_hooks(at(2)).await.unwrap(), []);
    store
        .hand_over_events("isp", "books", &rest, None)
        .await
        .unwrap();
    assert_eq!(
        store.waiting_hooks(at(2)).await.unwrap().len(),
        1,
        "given back"
    );
    let back = store
        .take_events("isp", "books", 9, 100, at(70))
        .await
        .unwrap();
    assert_eq!(back.len(), 3);
    let run = start_run(&store, "isp").await;
    store
        .hand_over_events("isp", "books", &back, Some(run))
        .await
        .unwrap();
    assert_eq!(store.waiting_hooks(at(700)).await.unwrap(), []);
    assert_eq!(store.hook_events("other", "books", 9).await.unwrap(), []);

    // A flood is dropped as a whole, and said.
    let mut answers = BTreeSet::new();
    for id in 1000..3010 {
        answers.insert(format!("{:?}", queue(id, "", at(800)).await));
    }
    assert_eq!(answers.len(), 2, "{answers:?}");
    let waiting = store.waiting_hooks(at(801)).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].flood), (1, true));
    assert!(
        store
            .end_flood("isp", "books", waiting[0].since)
            .await
            .unwrap()
    );
    assert!(
        !store
            .end_flood("isp", "books", waiting[0].since)
            .await
            .unwrap()
    );
    assert_eq!(queue(4000, "", at(802)).await, Queued::Waits, "heard again");

    // After a week nobody remembers; what waits is kept.
    let later = at(8 * 24 * 3600);
    assert_eq!(queue(5000, "", later).await, Queued::Waits);
    assert_eq!(store.hook_events("isp", "books", 9).await.unwrap().len(), 2);
}

on_both_databases!(
    of_several_hosts_one_hands_each_message_over,
    the_queue_is_bounded_outlives_a_host_and_forgets_after_days,
);

#[test]
fn a_hook_that_cannot_work_is_refused_with_its_line() {
    let whole = manifest();
    Manifest::parse(&whole).unwrap();
    for (from, to, told) in [
        (
            "job = \"finish-records\"",
            "job = \"finish\"",
            "takes no events",
        ),
        (
            "job = \"finish-records\"",
            "job = \"finish-record\"",
            "Did you mean `finish-records`?",
        ),
        (
            "flood_job = \"finish\"",
            "flood_job = \"nothing\"",
            "there is no job `nothing`",
        ),
        ("secret = \"password\"", "secret = \"name\"", "of type text"),
        ("hmac-sha1", "md5", "One of hmac-sha1, hmac-sha256"),
        ("\"/data/id\"]", "\"data.id\"]", "JSON pointer"),
        ("signature = {", "signatures = {", "signature"),
        ("at = \"/type\"", "on = \"/type\"", "on"),
    ] {
        assert!(whole.contains(from), "{from}");
        let error = Manifest::parse(&whole.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(told), "{from}: {error}");
    }
}
