//! Add-ons that pause as nobody should: at once again, for ever, or when a person told them to stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use addon_host::clock::{Clock, SystemClock};
use addon_host::host::{Host, HostConfig, RunRequest, Terms};
use addon_host::installations;
use addon_host::runs::Limits;
use addon_host::scheduler::look;
use addon_host::store::{Outcome, RunState, Store, Trigger};
use chrono::{DateTime, TimeDelta, Utc};

use crate::fixtures::{at, by};
use crate::guest::{built, guest, manifest, package, scripted};
use crate::hostile::{outcome, request};
use crate::scheduler::{host, over};
use crate::service::{Service, answer};
use crate::web::site::{MANIFEST, Site, Stopped};

/// Ends paused, to go on at that time.
fn pausing(resume_at: i64) -> String {
    format!(
        "(i32.store8 (i32.const 528) (i32.const 1)) (i64.store (i32.const 536) (i64.const {resume_at})) {}",
        outcome(1100, 6, 0)
    )
}

fn component(body: &str) -> Vec<u8> {
    built(&scripted(body, "(data (i32.const 1100) \"paused\")", ""))
}

async fn install(host: &Host, manifest: &str, component: &[u8]) {
    host.install_package(&package(manifest, component), Terms::DEVELOPMENT, "ann")
        .await
        .unwrap();
}

async fn perform(host: &Host) -> Outcome {
    let run = host.start_run("isp", "finish", by_ann()).await.unwrap();
    run.wait().await
}

fn by_ann() -> RunRequest {
    RunRequest {
        preview: false,
        trigger: Trigger::Person,
        options: Vec::new(),
        actor: "ann".to_owned(),
    }
}

async fn waits_until(host: &Host) -> Option<DateTime<Utc>> {
    let states = host.store().schedule_states("isp").await.unwrap();
    states.get("finish").and_then(|state| state.resume_at)
}

#[tokio::test]
async fn a_pause_has_a_least_length_that_grows_and_a_person_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Stopped::at(at(0)));
    let host = host(&folder, &clock).await;
    install(&host, &manifest("1.0.0", 1), &component(&pausing(0))).await;
    installations::create(host.store(), "isp", "guest", &by(at(0)))
        .await
        .unwrap();
    assert_eq!(perform(&host).await.state, RunState::Paused);
    // As the scheduler meets it, for three hours.
    let mut rests = Vec::new();
    while clock.now() < at(3 * 3600) {
        look(&host, clock.now()).await;
        let runs = over(host.store()).await;
        let at = waits_until(&host).await.expect("it is to go on");
        let told = runs[0]
            .outcome
            .as_ref()
            .and_then(|outcome| outcome.resume_at);
        assert_eq!(
            told,
            u64::try_from(at.timestamp()).ok(),
            "the run says when"
        );
        rests.push((at - clock.now()).num_seconds());
        clock.advance(at - clock.now());
    }
    assert_eq!(
        rests[..8],
        [30, 60, 120, 240, 480, 960, 1_920, 3_600],
        "{rests:?}"
    );
    assert!(rests.len() < 12, "{rests:?}");

    // A time so far away that nobody sees it.
    install(&host, &manifest("1.0.1", 1), &component(&pausing(i64::MAX))).await;
    perform(&host).await;
    assert_eq!(
        waits_until(&host).await,
        Some(clock.now() + TimeDelta::days(1))
    );

    assert!(host.cancel_pause("isp", "finish", "bob").await.unwrap());
    assert!(!host.cancel_pause("isp", "finish", "bob").await.unwrap());
    assert_eq!(waits_until(&host).await, None);
    let amount = host.store().runs("isp", None, 100).await.unwrap().len();
    clock.advance(TimeDelta::days(3));
    look(&host, clock.now()).await;
    assert_eq!(
        host.store().runs("isp", None, 100).await.unwrap().len(),
        amount
    );
    let change = host.store().host_changes(None, 1).await.unwrap().remove(0);
    assert_eq!(
        (
            change.by.as_str(),
            change.what.as_str(),
            change.name.as_str()
        ),
        ("bob", "pause", "isp, finish")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_stops_at_once_and_one_that_answers_with_a_pause_is_over() {
    let service = Service::start(|_| answer(200, "{}")).await;
    let folder = tempfile::tempdir().unwrap();
    let config = HostConfig {
        data_dir: folder.path().to_owned(),
        database_url: Store::default_url(folder.path()),
    };
    let clock = Arc::new(SystemClock);
    let host = Host::open_with(config, clock.clone(), Limits::default())
        .await
        .unwrap();
    let slow = |version: &str| manifest(version, 1).replace("per_minute = 6000", "per_minute = 1");
    install(&host, &slow("1.0.0"), guest()).await;
    installations::create(host.store(), "isp", "guest", &by(clock.now()))
        .await
        .unwrap();
    let address = service.address();
    let values = [
        ("books_url", address.as_str()),
        ("login", "ann"),
        ("password", "p"),
    ];
    let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
    host.save_settings("isp", &values, "ann").await.unwrap();

    // The second request has to wait for a minute.
    let (send, parts) = request("books", "GET", "items", None);
    let waiting = built(&scripted(&format!("{send} {send}"), &parts, ""));
    // And one that goes on until it is told to stop, and then answers that it pauses.
    let stubborn = component(&format!(
        "(loop $on (br_if $on (call $progress (i32.const 48) (i32.const 4) (i64.const 1) (i64.const 3)))) {}",
        pausing(0)
    ));
    for (version, component) in [("1.0.1", waiting), ("1.0.2", stubborn)] {
        install(&host, &slow(version), &component).await;
        let run = host.start_run("isp", "finish", by_ann()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        let stopped = Instant::now();
        assert!(host.request_stop(run.id()).await.unwrap());
        let outcome = run.wait().await;
        assert_eq!(outcome.state, RunState::Stopped, "{version}: {outcome:?}");
        assert!(stopped.elapsed() < Duration::from_secs(10), "{version}");
        assert_eq!(waits_until(&host).await, None, "{version}");
    }
    assert_eq!(service.count(), 1);
}

#[tokio::test]
async fn the_page_of_a_paused_run_ends_its_pause() {
    let nap = "[[jobs]]\nid = \"nap\"\ntitle = \"Nap\"\n\n[[schedules]]";
    let manifest = MANIFEST.replacen("[[schedules]]", nap, 1);
    let site = Site::with("", &manifest, guest()).await;
    let mut ann = site.ann().await;
    ann.post("/installations/isp/jobs/nap", &[]).await;
    over(&site.store).await;
    ann.get("/runs/1").await.shows(&["Do not go on"]);
    ann.post("/runs/1/stop", &[]).await;
    let page = ann.get("/runs/1").await;
    assert!(!page.has("Do not go on"), "{}", page.text);
    ann.get("/changes").await.shows(&["pause: isp, nap", "ann"]);
}
