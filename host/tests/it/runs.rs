//! The host as a whole with the guest of `guest.wat`: what runs come to, what they may do, and what outlives them.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use addon_host::clock::{Clock, SystemClock};
use addon_host::host::{
    ActRequest, Host, HostConfig, HostError, Query, RunHandle, RunRequest, Terms,
};
use addon_host::installations;
use addon_host::runs::{BeginError, Limits};
use addon_host::store::{ConnectionOverride, LeaseAnswer, Outcome, RunState, Store, Trigger};
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

use crate::fixtures::by;
use crate::guest::{guest, manifest, package};
use crate::service::{Reply, Service, answer};

/// The machine's clock, which a test puts forward.
#[derive(Default)]
struct Ahead(Mutex<TimeDelta>);

impl Ahead {
    fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Ahead {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + *self.0.lock().unwrap()
    }

    fn sleep_until(&self, instant: DateTime<Utc>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            while self.now() < instant {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    }
}

struct Rig {
    host: Host,
    clock: Arc<Ahead>,
    folder: TempDir,
}

fn request(preview: bool) -> RunRequest {
    RunRequest {
        preview,
        trigger: Trigger::Person,
        options: Vec::new(),
        actor: "ann".to_owned(),
    }
}

impl Rig {
    /// A host with the guest installed, and an installation of it.
    async fn new(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Ahead::default());
        let host = Self::open(&folder, &clock, limits).await;
        host.install_package(
            &package(&manifest("1.0.0", 1), guest()),
            Terms::DEVELOPMENT,
            "ann",
        )
        .await
        .unwrap();
        installations::create(host.store(), "isp", "guest", &by(clock.now()))
            .await
            .unwrap();
        Self {
            host,
            clock,
            folder,
        }
    }

    async fn open(folder: &TempDir, clock: &Arc<Ahead>, limits: Limits) -> Host {
        let data_dir = folder.path().to_owned();
        let database_url = Store::default_url(folder.path());
        Host::open_with(
            HostConfig {
                data_dir,
                database_url,
            },
            clock.clone(),
            limits,
        )
        .await
        .unwrap()
    }

    async fn set_up(&self, address: &str) {
        let values = [
            ("books_url", address),
            ("login", "ann"),
            ("password", "correct horse"),
        ];
        let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
        self.host
            .save_settings("isp", &values, "ann")
            .await
            .unwrap();
    }

    async fn start(&self, job: &str) -> RunHandle {
        self.host
            .start_run("isp", job, request(false))
            .await
            .unwrap()
    }

    async fn run(&self, job: &str) -> Outcome {
        self.start(job).await.wait().await
    }

    async fn preview(&self, job: &str) -> Outcome {
        self.host
            .start_run("isp", job, request(true))
            .await
            .unwrap()
            .wait()
            .await
    }

    async fn stored_key(&self) -> Option<String> {
        let found = self
            .host
            .store()
            .guest_get("isp", "t", &["k".to_owned()])
            .await
            .unwrap();
        found.into_iter().next().map(|entry| entry.value)
    }

    async fn log(&self, run: i64) -> Vec<String> {
        let rows = self.host.store().log_lines(run, 0, 10_000).await.unwrap();
        rows.into_iter().map(|row| row.line.message).collect()
    }
}

/// State, and the code of the reason.
fn end(outcome: &Outcome) -> (RunState, &str) {
    (
        outcome.state,
        outcome.why.as_ref().map_or("", |why| why.code.as_str()),
    )
}

fn small() -> Limits {
    Limits {
        cpu: Duration::from_millis(300),
        memory_bytes: 4 << 20,
        log_lines: 100,
        grace: Duration::from_millis(100),
        ..Limits::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_end_is_an_outcome_that_harms_nobody_else() {
    let rig = Rig::new(small()).await;
    let endless = rig.start("endless").await;
    let id = endless.id();
    // While it spins on one installation, another one works.
    installations::create(rig.host.store(), "neighbour", "guest", &by(rig.clock.now()))
        .await
        .unwrap();
    let neighbour = rig
        .host
        .start_run("neighbour", "commit", request(false))
        .await
        .unwrap()
        .wait()
        .await;
    assert_eq!(end(&neighbour), (RunState::Finished, ""));
    assert_eq!(end(&endless.wait().await), (RunState::Failed, "cpu-limit"));

    for (job, expected) in [
        ("finish", (RunState::Finished, "")),
        ("hoard", (RunState::Failed, "memory-limit")),
        ("break", (RunState::Failed, "crashed")),
        ("log", (RunState::Finished, "")),
        ("get", (RunState::Failed, "not-configured")),
        ("nap", (RunState::Paused, "")),
    ] {
        let outcome = rig.run(job).await;
        assert_eq!(end(&outcome), expected, "{job}: {outcome:?}");
        let last = rig
            .host
            .store()
            .runs("isp", None, 1)
            .await
            .unwrap()
            .remove(0);
        assert_eq!(
            (last.job.as_str(), last.outcome.as_ref()),
            (job, Some(&outcome)),
            "stored before it returns"
        );
        assert_eq!(
            rig.host
                .store()
                .lease_holder("isp", rig.clock.now())
                .await
                .unwrap(),
            None,
            "{job}"
        );
    }
    let runs = rig.host.store().runs("isp", None, 10).await.unwrap();
    assert_eq!(runs.last().unwrap().id, id);
    let flood = runs.iter().find(|run| run.job == "log").unwrap();
    assert_eq!(
        rig.log(flood.id).await.len(),
        101,
        "a hundred lines, and one that says so"
    );
    let schedule = rig.host.store().schedule_states("isp").await.unwrap();
    assert!(
        schedule["nap"].resume_at.unwrap() > rig.clock.now(),
        "what paused is run again"
    );
    assert!(!schedule.contains_key("finish"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_tells_of_clocks_that_differ_and_of_limits_that_are_nearly_used() {
    let off = Arc::new(Mutex::new(TimeDelta::zero()));
    let theirs = off.clone();
    let service = Service::start(move |_| Reply::Answer {
        status: 200,
        headers: vec![(
            "date",
            (SystemClock.now() + *theirs.lock().unwrap()).to_rfc2822(),
        )],
        body: String::new(),
    })
    .await;
    let rig = Rig::new(Limits::default()).await;
    rig.set_up(&service.address()).await;
    let told = async || -> Vec<(String, String)> {
        let findings = rig.host.check("isp").await.unwrap().into_iter();
        let findings = findings.filter(|finding| finding.code != "unsigned-package");
        findings
            .map(|finding| (finding.code, finding.message))
            .collect()
    };
    rig.run("get").await;
    assert_eq!(told().await, []);

    *off.lock().unwrap() = TimeDelta::minutes(-185);
    rig.run("get").await;
    let differs = told().await;
    assert_eq!(differs.len(), 1, "{differs:?}");
    assert_eq!(differs[0].0, "clocks-differ");
    assert!(
        differs[0].1.contains("about 3 h 5 min behind"),
        "{differs:?}"
    );

    *off.lock().unwrap() = TimeDelta::zero();
    rig.run("get").await;
    let tight = ConnectionOverride {
        per_day: Some(5),
        ..ConnectionOverride::default()
    };
    let store = rig.host.store();
    store
        .set_connection_override("isp", "books", &tight, &by(rig.clock.now()))
        .await
        .unwrap();
    assert_eq!(told().await, [], "three of five");
    rig.run("get").await;
    rig.run("get").await;
    let used = told().await;
    assert_eq!(used.len(), 1, "{used:?}");
    assert_eq!(used[0].0, "limit-nearly-used");
    assert!(
        used[0].1.contains("takes 5 requests a day, and 5"),
        "{used:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn previews_checks_pages_and_choices_write_nothing_and_acts_do() {
    let service = Service::start(|_| answer(200, "{\"password\":\"correct horse\"}")).await;
    let rig = Rig::new(Limits::default()).await;

    let refused = rig
        .host
        .save_settings("isp", &[("logn".to_owned(), "x".to_owned())], "ann")
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("login"), "{refused}");
    let missing: Vec<_> = rig
        .host
        .check("isp")
        .await
        .unwrap()
        .into_iter()
        .filter(|finding| finding.severity == "error")
        .map(|finding| finding.field)
        .collect();
    assert_eq!(missing, ["books_url", "login", "password"]);

    rig.set_up(&service.address()).await;
    let left: Vec<_> = rig.host.check("isp").await.unwrap();
    let left: Vec<_> = left.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(left, ["unsigned-package"]);
    let stored = rig.host.store().settings("isp").await.unwrap();
    let fetched = stored
        .iter()
        .find(|setting| setting.key == "company")
        .unwrap();
    assert_eq!(fetched.changed_by, "add-on");

    for job in ["write", "commit"] {
        assert_eq!(
            end(&rig.preview(job).await),
            (RunState::Failed, "preview"),
            "{job}"
        );
    }
    let shown = rig
        .host
        .view("isp", "outbox", Query::default())
        .await
        .unwrap_err();
    assert!(
        matches!(&shown, HostError::Addon(failure) if failure.code == "no-http"),
        "{shown}"
    );
    let offered = rig
        .host
        .choices("isp", "companies", true)
        .await
        .unwrap_err();
    assert!(
        matches!(&offered, HostError::Addon(failure) if failure.code == "preview"),
        "{offered}"
    );
    assert_eq!((service.count(), rig.stored_key().await), (0, None));

    let outcome = rig.preview("get").await;
    assert_eq!(
        outcome.counts,
        [
            ("status".to_owned(), 200),
            ("requests to books".to_owned(), 1)
        ],
        "a preview reads, and the host counts"
    );
    let told = rig
        .host
        .act(
            "isp",
            ActRequest {
                page: "outbox".to_owned(),
                act: "retry".to_owned(),
                rows: vec!["1".to_owned()],
                values: Vec::new(),
                actor: "ann".to_owned(),
            },
        )
        .await
        .unwrap();
    assert_eq!(
        (told.as_str(), rig.stored_key().await.as_deref()),
        ("done", Some("v"))
    );
    assert_eq!(
        rig.host.store().runs("isp", None, 1).await.unwrap()[0].job,
        "outbox/retry"
    );

    let outcome = rig.run("write").await;
    assert_eq!(outcome.counts[0], ("status".to_owned(), 200));
    let last = rig
        .host
        .store()
        .runs("isp", None, 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(rig.log(last.id).await, ["{\"password\":\"[redacted]\"}"]);

    for (error, wanted) in [
        (
            rig.host
                .start_run("isp", "finsh", request(false))
                .await
                .err()
                .unwrap(),
            "did you mean `finish`",
        ),
        (
            rig.host
                .start_run("nobody", "finish", request(false))
                .await
                .err()
                .unwrap(),
            "nobody",
        ),
        (
            rig.host
                .view("isp", "inbox", Query::default())
                .await
                .unwrap_err(),
            "inbox",
        ),
    ] {
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_writes_at_a_time_and_previews_go_beside_it() {
    let rig = Rig::new(Limits::default()).await;
    let first = rig.start("progress").await;
    let busy = rig
        .host
        .start_run("isp", "commit", request(false))
        .await
        .err()
        .unwrap();
    assert!(
        matches!(busy, HostError::Begin(BeginError::Busy { run }) if run == first.id()),
        "{busy}"
    );
    assert_eq!(end(&rig.preview("finish").await), (RunState::Finished, ""));

    // Another process sees how far it is, and stops it.
    let other = Rig::open(&rig.folder, &rig.clock, Limits::default()).await;
    let progress = loop {
        let run = other.store().run(first.id()).await.unwrap();
        if run.progress.total > 0 {
            break run.progress;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(
        (progress.stage.as_str(), progress.done, progress.total),
        ("working", 1, 3)
    );
    assert!(other.request_stop(first.id()).await.unwrap());
    assert_eq!(end(&first.wait().await), (RunState::Stopped, ""));
    assert_eq!(end(&rig.run("commit").await), (RunState::Finished, ""));
    assert!(
        !other.request_stop(1).await.unwrap(),
        "what is over cannot be stopped"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_end_when_they_lose_their_lease_or_have_worked_too_long_or_will_not_stop() {
    let rig = Rig::new(Limits {
        grace: Duration::from_millis(100),
        ..Limits::default()
    })
    .await;
    let fenced = rig.start("progress").await;
    // Its host slept for a minute, and somebody else took over.
    let later = rig.clock.now() + TimeDelta::minutes(1);
    let taken = rig
        .host
        .store()
        .acquire_lease("isp", 999, later)
        .await
        .unwrap();
    let LeaseAnswer::Acquired(fence) = taken else {
        panic!("{taken:?}")
    };
    rig.clock.advance(TimeDelta::minutes(1));
    assert_eq!(end(&fenced.wait().await), (RunState::Failed, "fenced"));
    assert!(
        rig.host.store().holds_lease(&fence, later).await.unwrap(),
        "and leaves the other's lease alone"
    );
    rig.host.store().release_lease(&fence).await.unwrap();

    let long = rig.start("progress").await;
    rig.clock.advance(TimeDelta::hours(5));
    assert_eq!(end(&long.wait().await), (RunState::Stopped, ""));

    let obstinate = rig.start("obstinate").await;
    assert!(rig.host.request_stop(obstinate.id()).await.unwrap());
    assert_eq!(end(&obstinate.wait().await), (RunState::Stopped, "ended"));

    // The database fell back to a state from before the run: it does not know what was stored since, and may send nothing.
    let unknown = rig.start("progress").await;
    let raw = sqlx::AnyPool::connect(&Store::default_url(rig.folder.path()))
        .await
        .unwrap();
    sqlx::query("DELETE FROM run WHERE id = $1")
        .bind(unknown.id())
        .execute(&raw)
        .await
        .unwrap();
    assert_eq!(end(&unknown.wait().await), (RunState::Failed, "fenced"));
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_migrate_before_they_run_and_what_does_not_pass_the_audit_changes_nothing() {
    let rig = Rig::new(Limits::default()).await;
    assert_eq!(end(&rig.run("commit").await), (RunState::Finished, ""));

    let foreign =
        wat::parse_str(r#"(component (import "acme:spy/eyes@1.0.0" (instance)))"#).unwrap();
    let refused = rig
        .host
        .install_package(
            &package(&manifest("2.0.0", 2), &foreign),
            Terms::DEVELOPMENT,
            "ann",
        )
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("acme:spy/eyes"), "{refused}");
    assert_eq!(
        rig.host
            .store()
            .active_addon("guest")
            .await
            .unwrap()
            .unwrap()
            .version,
        "1.0.0"
    );
    let updated = rig
        .host
        .install_package(
            &package(&manifest("2.0.0", 2), guest()),
            Terms::DEVELOPMENT,
            "bob",
        )
        .await
        .unwrap();
    assert_eq!(
        (updated.version.as_str(), updated.installed_by.as_str()),
        ("2.0.0", "bob")
    );
    assert_eq!(
        end(&rig.preview("finish").await),
        (RunState::Failed, "migration-due"),
        "a preview cannot migrate"
    );
    assert_eq!(end(&rig.run("finish").await), (RunState::Finished, ""));
    assert_eq!(rig.host.store().installation("isp").await.unwrap().state, 2);
    assert_eq!(end(&rig.preview("finish").await), (RunState::Finished, ""));
    assert_eq!(
        rig.stored_key().await.as_deref(),
        Some("v"),
        "and the state is still there"
    );

    let older = rig
        .host
        .install_package(
            &package(&manifest("1.5.0", 2), guest()),
            Terms::DEVELOPMENT,
            "ann",
        )
        .await
        .unwrap_err();
    assert!(older.to_string().contains("older"), "{older}");
    // A host that starts anew finds everything.
    let restarted = Rig::open(&rig.folder, &rig.clock, Limits::default()).await;
    let outcome = restarted
        .start_run("isp", "finish", request(false))
        .await
        .unwrap()
        .wait()
        .await;
    assert_eq!(end(&outcome), (RunState::Finished, ""));
}
