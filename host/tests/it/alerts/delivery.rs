//! What one mail server, one recipient or one wrong password keeps from the others: nothing.

use std::time::{Duration, Instant};

use addon_host::alerts::channel::{MailTerms, NewMeans};
use addon_host::alerts::{Courier, SENDING};
use addon_host::vault::Secret;
use chrono::TimeDelta;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{LOGIN, PostOffice, Protection, Scene, mail, subjects};
use crate::fixtures::{Database, on_both_databases};

on_both_databases!(
    a_server_that_says_nothing_ends_after_its_time_and_keeps_nobody_else_waiting,
    a_recipient_who_is_refused_keeps_no_other_from_the_letter,
    a_refused_login_is_not_tried_again_until_the_channel_is_set_anew,
);

/// Takes connections, and never says a word.
async fn silent() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    port
}

fn terms(means: NewMeans) -> MailTerms {
    match means {
        NewMeans::Mail { terms, .. } => terms,
        NewMeans::WebHook { .. } => unreachable!(),
    }
}

fn with(terms: MailTerms, password: Option<&str>) -> NewMeans {
    NewMeans::Mail {
        terms,
        password: password.map(Secret::new),
    }
}

async fn a_server_that_says_nothing_ends_after_its_time_and_keeps_nobody_else_waiting(
    database: Database,
) {
    let scene = Scene::new(&database).await;
    let office = PostOffice::open(Protection::None).await;
    let mut dumb = terms(mail(&office, Protection::None));
    dumb.port = silent().await;
    // The first by name, by age and by channel.
    scene.channel("dumb", None, with(dumb, None)).await.unwrap();
    scene
        .channel("well", None, mail(&office, Protection::None))
        .await
        .unwrap();
    let courier = |sending| Courier {
        host: &scene.hosts[0],
        clock: scene.clock.as_ref(),
        address: None,
        sending,
    };
    let stuck = scene.hosts[0].try_channel("dumb").await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let slow = courier(SENDING);
    let tried = async {
        for _ in 0..2 {
            scene.hosts[0].try_channel("well").await.unwrap();
            let began = Instant::now();
            while office.collect().is_empty() {
                assert!(began.elapsed() < SENDING / 2, "the other one is waited for");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        stop.send(true).unwrap();
    };
    tokio::join!(slow.keep_delivering(stopped), tried);

    // What was being sent is free again after a while, and this time there is an end to it.
    scene.clock.advance(TimeDelta::minutes(4));
    let began = Instant::now();
    courier(Duration::from_secs(1)).deliver().await.unwrap();
    assert!(began.elapsed() < SENDING / 2);
    let error = scene.error_of(stuck).await;
    assert!(
        error.contains("no end to it after 1 seconds") && error.contains("465"),
        "{error}"
    );
    let channels = scene.store().stuck_alert_channels().await.unwrap();
    assert_eq!(channels.len(), 1, "{channels:?}");
}

async fn a_recipient_who_is_refused_keeps_no_other_from_the_letter(database: Database) {
    let scene = Scene::new(&database).await;
    let office = PostOffice::open(Protection::None).await;
    let mut shared = terms(mail(&office, Protection::None));
    shared.to = [
        "nosuch@isp.example",
        "Books (Pty) Ltd <books@isp.example>",
        "greylisted@isp.example",
    ]
    .map(str::to_owned)
    .to_vec();
    scene
        .channel("mail", None, with(shared, None))
        .await
        .unwrap();
    let id = scene.hosts[0].try_channel("mail").await.unwrap();
    scene.later(0).await;
    let letters = office.collect();
    assert_eq!(subjects(&letters).len(), 1);
    assert_eq!(letters[0].to, ["books@isp.example"]);
    assert_eq!(letters[0].header("MIME-Version"), "1.0");
    assert!(
        letters[0]
            .text
            .contains("=?utf-8?b?Qm9va3MgKFB0eSkgTHRk?= <books@isp.example>"),
        "{}",
        letters[0].text
    );
    let error = scene.error_of(id).await;
    assert!(
        error.contains("nosuch@isp.example is refused (") && error.contains("take it out"),
        "{error}"
    );
    assert!(
        error.contains("greylisted@isp.example is refused for now"),
        "{error}"
    );
    assert_eq!(error.matches("Mailbox unavailable").count(), 1, "{error}");

    // Those who had it do not get it again.
    scene.later(1).await;
    let letters = office.collect();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to, ["greylisted@isp.example"]);
    let message = scene.store().alert_message(id).await.unwrap();
    assert_eq!(message.state, "sent");

    // Where nobody takes it, it is not sent.
    let mut dead = terms(mail(&office, Protection::None));
    dead.to = vec!["nosuch@isp.example".to_owned()];
    scene.channel("mail", None, with(dead, None)).await.unwrap();
    let id = scene.hosts[0].try_channel("mail").await.unwrap();
    scene.later(0).await;
    let message = scene.store().alert_message(id).await.unwrap();
    assert_eq!(message.state, "waiting");
    assert!(message.error.unwrap().contains("take it out"));
}

async fn a_refused_login_is_not_tried_again_until_the_channel_is_set_anew(database: Database) {
    let scene = Scene::new(&database).await;
    let office = PostOffice::open(Protection::Tls).await;
    let protected = terms(mail(&office, Protection::Tls));
    assert_eq!(protected.login, LOGIN);
    scene
        .channel(
            "mail",
            None,
            with(protected.clone(), Some("another canary")),
        )
        .await
        .unwrap();
    let id = scene.hosts[0].try_channel("mail").await.unwrap();
    for _ in 0..50 {
        scene.later(60).await;
    }
    assert_eq!(office.logins(), 1, "a provider locks such accounts");
    let error = scene.error_of(id).await;
    assert!(
        error.contains("refuses the login") && error.contains("saved anew"),
        "{error}"
    );
    assert_eq!(scene.store().stuck_alert_channels().await.unwrap().len(), 1);

    scene
        .channel("mail", None, mail(&office, Protection::Tls))
        .await
        .unwrap();
    scene.later(0).await;
    assert_eq!(office.collect().len(), 1, "what waited goes out at once");
    assert_eq!(scene.store().stuck_alert_channels().await.unwrap(), []);

    // Hardly anybody corrects it: it is given up, and the channel still shows it.
    scene
        .channel("mail", None, with(protected, Some("another canary")))
        .await
        .unwrap();
    let id = scene.hosts[0].try_channel("mail").await.unwrap();
    scene.later(0).await;
    scene.later(73 * 60).await;
    let message = scene.store().alert_message(id).await.unwrap();
    assert_eq!(message.state, "given-up");
    assert_eq!(scene.store().stuck_alert_channels().await.unwrap().len(), 1);
}
