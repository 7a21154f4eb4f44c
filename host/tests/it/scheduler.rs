//! The scheduler at work on a real host; what is due is tested beside its code.

use std::sync::Arc;
use std::time::Duration;

use addon_host::clock::Clock;
use addon_host::host::{Host, HostConfig, RunRequest, Terms};
use addon_host::installations;
use addon_host::runs::Limits;
use addon_host::scheduler::look;
use addon_host::store::{Run, RunState, Store, Trigger};
use chrono::TimeDelta;

use crate::fixtures::{at, by};
use crate::guest::{guest, package, table_guest};
use crate::web::site::{MANIFEST, Stopped};
use crate::web::tables;

pub async fn host(folder: &tempfile::TempDir, clock: &Arc<Stopped>) -> Host {
    let limits = Limits {
        grace: Duration::from_millis(100),
        ..Limits::default()
    };
    let (data_dir, database_url) = (folder.path().to_owned(), Store::default_url(folder.path()));
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

/// The runs, the newest first, once all of them are over.
pub async fn over(store: &Store) -> Vec<Run> {
    loop {
        let runs = store.runs("isp", None, 10).await.unwrap();
        if runs.iter().all(|run| run.state != RunState::Running) {
            return runs;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn of_two_schedulers_one_starts_what_is_due_and_the_other_sees_that_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Stopped::at(at(0)));
    let (one, two) = (host(&folder, &clock).await, host(&folder, &clock).await);
    one.install_package(&package(MANIFEST, guest()), Terms::DEVELOPMENT, "ann")
        .await
        .unwrap();
    let store = one.store();
    installations::create(store, "isp", "guest", &by(at(0)))
        .await
        .unwrap();
    assert_eq!(look(&one, at(0)).await, None, "switched off");

    let on = [("automatic", "on"), ("every", "60")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    one.save_settings("isp", &on, "ann").await.unwrap();
    // The fixtures' clock says 20:26:40 UTC, which is 22:26:40 where the installation is.
    let mut next = at(0) + TimeDelta::seconds(33 * 60 + 20);
    tokio::join!(look(&one, at(0)), look(&two, at(0)));
    for amount in 1..=3 {
        let runs = over(store).await;
        assert_eq!(runs.len(), amount);
        let last = &runs[0];
        assert_eq!(
            (last.job.as_str(), last.trigger, last.actor.as_str()),
            ("finish", Trigger::Schedule, "scheduler")
        );
        assert_eq!(
            (look(&one, clock.now()).await, over(store).await.len()),
            (Some(next), amount),
            "once for each slot"
        );
        clock.advance(next - clock.now());
        tokio::join!(look(&one, next), look(&two, next));
        next += TimeDelta::hours(1);
    }

    // While somebody works there, what is due waits, also what was paused.
    let mut now = next - TimeDelta::minutes(30);
    clock.advance(now - clock.now());
    let request = RunRequest {
        preview: false,
        trigger: Trigger::Person,
        options: Vec::new(),
        actor: "ann".to_owned(),
    };
    let before = over(store).await.len();
    let working = one.start_run("isp", "progress", request).await.unwrap();
    store
        .set_resume("isp", "finish", Some(now), &[])
        .await
        .unwrap();
    tokio::join!(look(&one, now), look(&two, now));
    assert_eq!(store.runs("isp", None, 10).await.unwrap().len(), before + 1);
    one.request_stop(working.id()).await.unwrap();
    working.wait().await;
    tokio::join!(look(&one, now), look(&two, now));
    let runs = over(store).await;
    assert_eq!((runs.len(), runs[0].trigger), (before + 2, Trigger::Resume));

    // A clock that is put back by an hour starts nothing again, and the schedule goes on by the new time.
    now -= TimeDelta::hours(2);
    clock.advance(now - clock.now());
    for _ in 0..3 {
        tokio::join!(look(&one, now), look(&two, now));
    }
    assert_eq!(over(store).await.len(), before + 2);
    let then = now + TimeDelta::hours(1);
    clock.advance(TimeDelta::hours(1));
    tokio::join!(look(&one, then), look(&two, then));
    assert_eq!(over(store).await.len(), before + 3);

    // A paused job goes on after its pause, and a run without a sign of life is given up.
    store.set_resume("isp", "finish", None, &[]).await.unwrap();
    let lost = crate::fixtures::start_run(store, "isp").await;
    look(&one, then + TimeDelta::hours(3)).await;
    assert_eq!(
        store
            .run(lost)
            .await
            .unwrap()
            .outcome
            .unwrap()
            .why
            .unwrap()
            .code,
        "host-lost"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_worked_on_when_it_was_stopped_the_next_one_goes_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Stopped::at(at(0)));
    let options = vec![("note".to_owned(), "mine".to_owned())];
    let mut manifest = crate::guest::manifest("1.0.0", 1);
    for job in ["progress", "obstinate"] {
        let title = format!("title = \"{job}\"\n");
        let note = "options = [{ key = \"note\", title = \"Note\", type = \"text\" }]\n";
        manifest = manifest.replace(&title, &format!("{title}{note}"));
    }
    let first = host(&folder, &clock).await;
    first
        .install_package(&package(&manifest, guest()), Terms::DEVELOPMENT, "ann")
        .await
        .unwrap();
    installations::create(first.store(), "isp", "guest", &by(at(0)))
        .await
        .unwrap();
    let request = |preview| RunRequest {
        preview,
        trigger: Trigger::Person,
        options: options.clone(),
        actor: "ann".to_owned(),
    };

    // The first stops when it is told, the other does not.
    let mut working = first;
    for job in ["progress", "obstinate"] {
        let run = working.start_run("isp", job, request(false)).await.unwrap();
        working.stop_all(Duration::from_secs(60)).await;
        let outcome = run.wait().await;
        assert_eq!(
            (outcome.state, outcome.why.unwrap().code.as_str()),
            (RunState::Paused, "host-stopped"),
            "{job}"
        );
        let next = host(&folder, &clock).await;
        look(&next, clock.now()).await;
        let resumed = &next.store().runs("isp", None, 1).await.unwrap()[0];
        assert_eq!(
            (resumed.job.as_str(), resumed.trigger, &resumed.options),
            (job, Trigger::Resume, &options)
        );
        // What a person stops stays stopped.
        assert!(next.request_stop(resumed.id).await.unwrap());
        assert_eq!(over(next.store()).await[0].state, RunState::Stopped);
        look(&next, clock.now()).await;
        assert_eq!(over(next.store()).await[0].id, resumed.id);
        working = next;
    }

    let preview = working
        .start_run("isp", "progress", request(true))
        .await
        .unwrap();
    working.stop_all(Duration::from_secs(60)).await;
    let outcome = preview.wait().await;
    assert_eq!(
        (outcome.state, outcome.why.unwrap().code.as_str()),
        (RunState::Stopped, "host-stopped")
    );
    look(&working, clock.now()).await;
    assert!(
        over(working.store()).await[0].preview,
        "nobody waits for it"
    );
}

#[tokio::test]
async fn a_paused_run_goes_on_with_the_options_that_it_was_started_with() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Stopped::at(at(0)));
    let host = host(&folder, &clock).await;
    host.install_package(
        &package(tables::MANIFEST, table_guest()),
        Terms::DEVELOPMENT,
        "ann",
    )
    .await
    .unwrap();
    let store = host.store();
    installations::create(store, "isp", "guest", &by(at(0)))
        .await
        .unwrap();
    let long = "id;name\n".repeat(10_000);
    let options = [("csv", long.as_str()), ("note", "mine")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec();
    let request = RunRequest {
        preview: false,
        trigger: Trigger::Person,
        options: options.clone(),
        actor: "ann".to_owned(),
    };
    let outcome = host
        .start_run("isp", "nap", request)
        .await
        .unwrap()
        .wait()
        .await;
    assert_eq!(outcome.state, RunState::Paused);
    let told = format!(" csv={long} note=mine");
    // Twice: what was resumed naps again.
    for amount in 2..=3 {
        assert_eq!(store.resume_options("isp", "nap").await.unwrap(), options);
        clock.advance(TimeDelta::minutes(6));
        look(&host, clock.now()).await;
        let runs = over(store).await;
        assert_eq!((runs.len(), runs[0].trigger), (amount, Trigger::Resume));
        let log = store.log_lines(runs[0].id, 0, 10).await.unwrap();
        assert!(told.starts_with(&log[0].line.message[..1000]));
        let counts = &runs[0].outcome.as_ref().unwrap().counts;
        assert_eq!(*counts, [("bytes".to_owned(), told.len() as u64)]);
        // The run itself keeps what a person needs to know it by.
        assert!(runs[0].options[0].1.ends_with("… (80000 bytes in all)"));
    }
    // Whatever the clock does, they are not lost.
    clock.advance(TimeDelta::days(-30));
    look(&host, clock.now()).await;
    assert_eq!(store.resume_options("isp", "nap").await.unwrap(), options);
    // An update that does not know them any more ends the wait instead of failing for ever.
    let manifest = tables::MANIFEST
        .replace("1.0.0\"\ntitle", "1.1.0\"\ntitle")
        .replace(
            "title = \"Nap\"\noptions = [{ key = \"csv\"",
            "title = \"Nap\"\noptions = [{ key = \"list\"",
        );
    host.install_package(
        &package(&manifest, table_guest()),
        Terms::DEVELOPMENT,
        "ann",
    )
    .await
    .unwrap();
    clock.advance(TimeDelta::days(60));
    for _ in 0..2 {
        look(&host, clock.now()).await;
    }
    assert_eq!(over(store).await.len(), 3);
    assert!(store.resume_options("isp", "nap").await.unwrap().is_empty());
}
