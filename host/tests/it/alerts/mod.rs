//! People are told of what needs them: once, by whichever host, also when servers are away for a while, and by nobody else's words than ours.

mod delivery;
mod post_office;
mod receiver;

use std::path::Path;
use std::sync::Arc;

use addon_host::alerts::channel::{MailTerms, NewChannel, NewMeans, Security};
use addon_host::alerts::{deliver, look};
use addon_host::clock::Clock;
use addon_host::host::{Host, HostConfig, HostError, MasterKeys, Terms};
use addon_host::installations;
use addon_host::runs::Limits;
use addon_host::store::{
    Activity, Commit, DueAlert, Failure, LeaseAnswer, NewRun, Outcome, RunState, Store, Trigger,
};
use addon_host::vault::{KeySource, Secret};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use tempfile::TempDir;

use crate::fixtures::{Database, at, by, on_both_databases};
use crate::guest::{guest, package};
use crate::web::site::{MANIFEST, Stopped};
pub use post_office::{Delivered, LOGIN, PASSWORD, PostOffice, Protection};
use receiver::Receiver;

on_both_databases!(
    a_job_that_fails_is_told_once_by_whichever_host_then_at_times_and_when_it_is_over,
    what_does_not_happen_is_told_too,
    what_cannot_be_delivered_is_tried_again_and_a_host_that_dies_meanwhile_loses_nothing,
    channels_keep_their_secrets_through_a_change_of_the_master_key,
);

const PAGES: Option<&str> = Some("https://books.isp.example/sage/");

/// Two hosts on one database, whose clock moves as a test wants.
struct Scene {
    hosts: [Host; 2],
    clock: Arc<Stopped>,
    key: KeySource,
    folder: TempDir,
}

impl Scene {
    async fn new(database: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Stopped::at(at(0)));
        let hosts = [
            host(folder.path(), &database.url, &clock).await,
            host(folder.path(), &database.url, &clock).await,
        ];
        let bytes = package(MANIFEST, guest());
        hosts[0]
            .install_package(&bytes, Terms::DEVELOPMENT, "ann")
            .await
            .unwrap();
        for name in ["isp", "other"] {
            installations::create(hosts[0].store(), name, "guest", &by(at(0)))
                .await
                .unwrap();
        }
        Self {
            hosts,
            clock,
            key: KeySource::in_folder(folder.path()),
            folder,
        }
    }

    /// Why a message was not delivered.
    async fn error_of(&self, id: i64) -> String {
        let message = self.store().alert_message(id).await.unwrap();
        message.error.unwrap()
    }

    fn store(&self) -> &Store {
        self.hosts[0].store()
    }

    async fn channel(
        &self,
        name: &str,
        installation: Option<&str>,
        means: NewMeans,
    ) -> Result<Option<String>, HostError> {
        let new = NewChannel {
            name: name.to_owned(),
            installation: installation.map(str::to_owned),
            means,
        };
        self.hosts[0].save_channel(new, "ann").await
    }

    /// Both hosts look and deliver, at the same time, `minutes` later.
    async fn later(&self, minutes: i64) {
        self.clock.advance(TimeDelta::minutes(minutes));
        let now = self.clock.now();
        let [one, two] = &self.hosts;
        let (left, right) = tokio::join!(look(one.store(), now), look(two.store(), now));
        left.unwrap();
        right.unwrap();
        let clock = self.clock.as_ref();
        let (left, right) = tokio::join!(deliver(one, clock, PAGES), deliver(two, clock, PAGES));
        left.unwrap();
        right.unwrap();
    }

    /// A run that ended so.
    async fn run(&self, installation: &str, job: &str, state: RunState, why: Option<&str>) -> i64 {
        let new = NewRun {
            installation,
            job,
            trigger: Trigger::Schedule,
            actor: "scheduler",
            preview: false,
            package_sha256: "x",
            options: &[],
            whole_options: None,
        };
        let now = self.clock.now();
        let run = self.store().insert_run(new, now).await.unwrap();
        let outcome = Outcome {
            state,
            resume_at: None,
            why: why.map(|why| Failure::new("refused", why)),
            counts: Vec::new(),
            more: Vec::new(),
        };
        self.store().finish_run(run, &outcome, now).await.unwrap();
        run
    }
}

async fn host(folder: &Path, url: &str, clock: &Arc<Stopped>) -> Host {
    let config = HostConfig {
        data_dir: folder.to_owned(),
        database_url: url.to_owned(),
    };
    Host::open_with(config, clock.clone(), Limits::default())
        .await
        .unwrap()
}

/// A channel to that office, as it wants it.
pub fn mail(office: &PostOffice, protection: Protection) -> NewMeans {
    let security = match protection {
        Protection::None => Security::None,
        Protection::Starttls => Security::Starttls,
        Protection::Tls => Security::Tls,
    };
    let asks = protection != Protection::None;
    NewMeans::Mail {
        terms: MailTerms {
            server: "127.0.0.1".to_owned(),
            port: office.address.port(),
            security,
            login: if asks { LOGIN } else { "" }.to_owned(),
            from: "Sage add-on <alerts@isp.example>".to_owned(),
            to: vec!["books@isp.example".to_owned(), "noc@isp.example".to_owned()],
            authority: if asks {
                office.certificate.clone()
            } else {
                String::new()
            },
        },
        password: asks.then(|| Secret::new(PASSWORD)),
    }
}

/// Their subjects.
fn subjects(letters: &[Delivered]) -> Vec<&str> {
    letters
        .iter()
        .map(|letter| letter.header("Subject"))
        .collect()
}

async fn a_job_that_fails_is_told_once_by_whichever_host_then_at_times_and_when_it_is_over(
    database: Database,
) {
    let scene = Scene::new(&database).await;
    let office = PostOffice::open(Protection::Starttls).await;
    // What happened while nobody was to be told is told to the first who is.
    let hostile = "The password was refused.\r\nBcc: everybody@isp.example\r\n\r\nEnter it again.";
    let run = scene
        .run("isp", "finish", RunState::Failed, Some(hostile))
        .await;
    scene.later(0).await;
    scene
        .channel("mail", None, mail(&office, Protection::Starttls))
        .await
        .unwrap();
    scene.later(1).await;
    let letters = office.collect();
    let [letter] = letters.as_slice() else {
        panic!("{letters:?}")
    };
    assert_eq!(
        (
            letter.from.as_str(),
            letter.to.as_slice(),
            letter.login.as_deref(),
            letter.encrypted
        ),
        (
            "alerts@isp.example",
            ["books@isp.example".to_owned(), "noc@isp.example".to_owned()].as_slice(),
            Some(LOGIN),
            true
        ),
    );
    assert_eq!(letter.header("Subject"), "isp: Finish fails");
    assert_eq!(letter.header("Auto-Submitted"), "auto-generated");
    let (head, _) = letter.text.split_once("\r\n\r\n").unwrap();
    assert!(!head.to_lowercase().contains("bcc"), "{head}");
    let body = letter.body();
    for part in [
        "isp: Finish fails",
        "Since 2026-05-28 22:26 (Africa/Johannesburg), one run.",
        "The password was refused.  Bcc: everybody@isp.example    Enter it again.",
        &format!("https://books.isp.example/sage/runs/{run}"),
    ] {
        assert!(body.contains(part), "{part:?} is not in {body}");
    }

    // While it goes on, all of it is told together, every six hours.
    for _ in 0..23 {
        scene
            .run("isp", "finish", RunState::Failed, Some("Again."))
            .await;
        scene.later(15).await;
    }
    assert_eq!(office.collect().len(), 0);
    scene.run("other", "progress", RunState::Failed, None).await;
    scene.later(10).await;
    assert_eq!(subjects(&office.collect()), ["other: Work on fails"]);
    scene.later(5).await;
    let letters = office.collect();
    assert_eq!(
        subjects(&letters),
        ["isp: still, Finish fails (and 1 more)"]
    );
    assert!(
        letters[0].body().contains("24 runs."),
        "{}",
        letters[0].text
    );
    scene.later(5 * 60).await;
    assert_eq!(office.collect().len(), 0);

    // A preview and a run that somebody stopped change nothing; one that comes to its end does.
    scene.run("isp", "finish", RunState::Stopped, None).await;
    scene.later(1).await;
    assert_eq!(office.collect().len(), 0);
    scene.run("isp", "finish", RunState::Finished, None).await;
    scene.later(1).await;
    assert_eq!(subjects(&office.collect()), ["isp: over: Finish fails"]);
    scene.later(24 * 60).await;
    assert_eq!(subjects(&office.collect()), ["other: still, Work on fails"]);
}

async fn what_does_not_happen_is_told_too(database: Database) {
    let scene = Scene::new(&database).await;
    let office = PostOffice::open(Protection::None).await;
    scene
        .channel("mail", Some("isp"), mail(&office, Protection::None))
        .await
        .unwrap();
    let on = [("automatic", "on"), ("every", "60")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    for name in ["isp", "other"] {
        scene.hosts[0]
            .save_settings(name, &on, "ann")
            .await
            .unwrap();
    }
    // Nothing starts what is due: there is no scheduler here.
    scene.later(0).await;
    scene.later(9).await;
    assert_eq!(
        office.collect().len(),
        0,
        "a scheduler may be about to start it"
    );
    scene.later(1).await;
    let letters = office.collect();
    assert_eq!(
        subjects(&letters),
        ["isp: Finish does not start"],
        "of the other one this channel does not tell"
    );
    assert!(!letters[0].encrypted && letters[0].login.is_none());

    // A turn that was given and that no run followed is the same; a run ends it.
    let store = scene.store();
    let seen = store
        .schedule_states("isp")
        .await
        .unwrap()
        .get("finish")
        .copied()
        .unwrap_or_default();
    assert!(
        store
            .claim_start("isp", "finish", seen, scene.clock.now())
            .await
            .unwrap()
    );
    scene.later(20).await;
    assert_eq!(office.collect().len(), 0, "it lasts, and is known");
    scene.run("isp", "finish", RunState::Finished, None).await;
    scene.later(1).await;
    assert_eq!(
        subjects(&office.collect()),
        ["isp: over: Finish does not start"]
    );

    // For a day the job pauses and never comes to its end.
    let daily = [("every".to_owned(), "1440".to_owned())];
    scene.hosts[0]
        .save_settings("isp", &daily, "ann")
        .await
        .unwrap();
    for _ in 0..54 {
        let seen = store.schedule_states("isp").await.unwrap()["finish"];
        store
            .claim_start("isp", "finish", seen, scene.clock.now())
            .await
            .unwrap();
        scene
            .run(
                "isp",
                "finish",
                RunState::Paused,
                Some("Sage is away until tomorrow."),
            )
            .await;
        scene.later(30).await;
    }
    let letters = office.collect();
    assert_eq!(subjects(&letters), ["isp: nothing was done for a day"]);
    assert!(
        letters[0].body().contains("Sage is away until tomorrow."),
        "{}",
        letters[0].text
    );
    scene.run("isp", "finish", RunState::Finished, None).await;
    scene.later(1).await;
    assert_eq!(
        subjects(&office.collect()),
        ["isp: over: nothing was done for a day"]
    );

    // No host at all was there for two days.
    scene.later(48 * 60).await;
    assert_eq!(subjects(&office.collect()), ["the add-on host was away"]);

    // Records that need a person, once a day, and only what is new.
    hold(&scene, &["1", "2", "2"]).await;
    scene.later(1).await;
    let letters = office.collect();
    let told: Vec<&str> = subjects(&letters)
        .into_iter()
        .filter(|subject| subject.contains("need"))
        .collect();
    assert_eq!(told, ["isp: 2 records need you"]);
    assert!(letters.iter().any(|letter| {
        letter
            .body()
            .contains("2 x invoice: Its tax is mapped to nothing.")
    }));
    hold(&scene, &["3"]).await;
    scene.later(23 * 60).await;
    assert!(
        !subjects(&office.collect())
            .iter()
            .any(|subject| subject.contains("need"))
    );
    scene.later(60).await;
    assert!(subjects(&office.collect()).contains(&"isp: one record needs you"));
}

/// A run holds these records.
async fn hold(scene: &Scene, ids: &[&str]) {
    let (store, now) = (scene.store(), scene.clock.now());
    let run = crate::fixtures::start_run(store, "isp").await;
    let LeaseAnswer::Acquired(fence) = store.acquire_lease("isp", run, now).await.unwrap() else {
        panic!("nobody else works here");
    };
    let activities: Vec<Activity> = ids
        .iter()
        .map(|id| Activity {
            entity: "invoice".to_owned(),
            action: "held".to_owned(),
            local_id: (*id).to_owned(),
            code: "tax-not-mapped".to_owned(),
            message: "Its tax is mapped to nothing.".to_owned(),
            ..Activity::default()
        })
        .collect();
    let commit = Commit {
        fence: &fence,
        expect: &[],
        changes: &[],
        activities: &activities,
        most_bytes: u64::MAX >> 1,
    };
    store.guest_commit(commit, now).await.unwrap();
    store.release_lease(&fence).await.unwrap();
    let outcome = Outcome {
        state: RunState::Stopped,
        resume_at: None,
        why: None,
        counts: Vec::new(),
        more: Vec::new(),
    };
    store.finish_run(run, &outcome, now).await.unwrap();
}

async fn what_cannot_be_delivered_is_tried_again_and_a_host_that_dies_meanwhile_loses_nothing(
    database: Database,
) {
    let scene = Scene::new(&database).await;
    let office = PostOffice::open(Protection::Tls).await;
    scene
        .channel("mail", None, mail(&office, Protection::Tls))
        .await
        .unwrap();
    office.close(true);
    scene.run("isp", "finish", RunState::Failed, None).await;
    let mut attempts = Vec::new();
    for minute in 0..=20 {
        scene.later(i64::from(minute > 0)).await;
        let message = scene
            .store()
            .alert_messages(1)
            .await
            .unwrap()
            .pop()
            .unwrap();
        assert_eq!(message.state, "waiting");
        assert!(
            message
                .error
                .is_some_and(|error| !error.is_empty() && !error.contains(PASSWORD))
        );
        if attempts
            .last()
            .is_none_or(|(_, last)| *last != message.attempts)
        {
            attempts.push((minute, message.attempts));
        }
    }
    assert_eq!(attempts, [(0, 1), (1, 2), (3, 3), (7, 4), (15, 5)]);
    let stuck = scene.store().stuck_alert_channels().await.unwrap();
    assert_eq!(stuck, [("mail".to_owned(), at(0))]);

    // The server is back; a host takes the message and dies.
    office.close(false);
    scene.clock.advance(TimeDelta::minutes(12));
    let taken = scene
        .store()
        .take_alert(DueAlert::Of("mail"), scene.clock.now())
        .await
        .unwrap()
        .unwrap();
    scene.later(2).await;
    assert_eq!(
        office.collect().len(),
        0,
        "the one that took it may still be sending"
    );
    scene.later(1).await;
    let letters = office.collect();
    assert_eq!(subjects(&letters), ["isp: Finish fails"]);
    assert!(letters[0].encrypted);
    // Should the dead one have sent it after all, a mailbox knows it again.
    let id = format!(
        "<alert-{}-{}@isp.example>",
        taken.id,
        at(0).timestamp_millis()
    );
    assert_eq!(letters[0].header("Message-ID"), id);
    assert_eq!(scene.store().stuck_alert_channels().await.unwrap(), []);

    // What nobody takes for three days is no news any more.
    office.close(true);
    scene.run("isp", "finish", RunState::Finished, None).await;
    for _ in 0..80 {
        scene.later(60).await;
    }
    let given_up = scene.store().alert_messages(10).await.unwrap();
    let ended = given_up
        .iter()
        .find(|message| message.letter.contains("ended"))
        .unwrap();
    assert_eq!(ended.state, "given-up");
    assert!((70..=80).contains(&ended.attempts), "{}", ended.attempts);

    // A wrong password is a failure like any other, and in no error.
    office.close(false);
    let NewMeans::Mail { terms, .. } = mail(&office, Protection::Tls) else {
        unreachable!()
    };
    let password = Some(Secret::new("another canary"));
    scene
        .channel("mail", None, NewMeans::Mail { terms, password })
        .await
        .unwrap();
    let id = scene.hosts[0].try_channel("mail").await.unwrap();
    scene.later(0).await;
    let error = scene.error_of(id).await;
    assert!(
        !error.contains("canary") && error.contains("535"),
        "{error}"
    );
    let proof = BASE64_STANDARD.encode(format!("\0{LOGIN}\0another canary"));
    let told = format!("Refused: AUTH PLAIN {}", &proof[..20]);
    assert!(error.contains(&told) && !error.contains(&proof), "{error}");
}

async fn channels_keep_their_secrets_through_a_change_of_the_master_key(database: Database) {
    let scene = Scene::new(&database).await;
    let receiver = Receiver::open().await;
    let hook = |path: &str, private| NewMeans::WebHook {
        address: Some(Secret::new(format!(
            "{}{path}?token=canary",
            receiver.address
        ))),
        private,
        key: None,
    };
    let refused = scene
        .channel("chat", None, hook("taken", false))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("private network") && !refused.contains("canary"),
        "{refused}"
    );
    let key = scene
        .channel("chat", None, hook("taken", true))
        .await
        .unwrap()
        .unwrap();
    scene
        .run("isp", "finish", RunState::Failed, Some("Refused."))
        .await;
    scene.later(0).await;
    let got = receiver.collect();
    let [(headers, body)] = got.as_slice() else {
        panic!("{got:?}")
    };
    let header = |name: &str| headers[name].to_str().unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(
        &BASE64_STANDARD.decode(&key["whsec_".len()..]).unwrap(),
    )
    .unwrap();
    mac.update(
        format!(
            "{}.{}.{body}",
            header("webhook-id"),
            header("webhook-timestamp")
        )
        .as_bytes(),
    );
    let signature = BASE64_STANDARD
        .decode(header("webhook-signature").strip_prefix("v1,").unwrap())
        .unwrap();
    mac.verify_slice(&signature).unwrap();
    assert_eq!(header("webhook-timestamp"), at(0).timestamp().to_string());
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        (
            &body["subject"],
            &body["news"][0]["news"],
            &body["news"][0]["installation"],
            &body["news"][0]["code"]
        ),
        (
            &"isp: Finish fails".into(),
            &"began".into(),
            &"isp".into(),
            &"refused".into()
        ),
    );

    // With another master key, and the same secrets: only the name of the channel is given, and what is not given stays.
    let keys = MasterKeys {
        store: scene.store(),
        source: &scene.key,
    };
    let (_, _, sealed_anew) = keys.rotate(scene.clock.now()).await.unwrap();
    assert_eq!(sealed_anew, 1);
    let kept = NewMeans::WebHook {
        address: None,
        private: true,
        key: None,
    };
    assert_eq!(scene.channel("chat", None, kept).await.unwrap(), None);
    scene.run("isp", "finish", RunState::Finished, None).await;
    scene.later(1).await;
    assert_eq!(receiver.collect().len(), 1);

    // A redirect leads nowhere, and the secret part of the address is in no error.
    scene
        .channel("chat", None, hook("moved", true))
        .await
        .unwrap();
    let id = scene.hosts[1].try_channel("chat").await.unwrap();
    scene.later(1).await;
    let message = scene.store().alert_message(id).await.unwrap();
    let error = message.error.unwrap();
    assert!(
        error.contains("307") && !error.contains("canary"),
        "{error}"
    );
    assert_eq!(receiver.collect().len(), 0);

    // In the database they are sealed.
    let rows = sqlx::query("SELECT name, terms, sealed FROM alert_channel")
        .fetch_all(&database.raw().await)
        .await
        .unwrap();
    for row in rows {
        use sqlx::Row;
        let (terms, sealed): (String, Vec<u8>) = (row.get("terms"), row.get("sealed"));
        assert!(!terms.contains("canary") && !String::from_utf8_lossy(&sealed).contains("canary"));
    }

    // Where the key is lost for good, a channel says what it misses.
    let lost = scene.folder.path().join("lost");
    std::fs::rename(scene.key.path(), lost).unwrap();
    let (_, gone) = keys.reset(scene.clock.now()).await.unwrap();
    assert_eq!(gone, [(String::new(), "alerts chat".to_owned())]);
    let id = scene.hosts[0].try_channel("chat").await.unwrap();
    scene.later(61).await;
    let error = scene.error_of(id).await;
    assert!(error.contains("set it anew"), "{error}");
}
