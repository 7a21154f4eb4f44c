//! The store when its surroundings fail: a lock that somebody keeps, the power gone in the middle of commits, many processes on
//! one database, a host that dies. (A full disk is tested beside the store's code.)

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use addon_host::store::{
    Change, Commit, CommitError, Fence, LEASE_SECONDS, LeaseAnswer, NewRun, RunId, Store,
    StoreError, Trigger,
};

use crate::fixtures::{Database, at, install, leased, on_both_databases, start_run};

on_both_databases!(
    what_a_dead_host_worked_on_is_gone_on_with_once_at_once_and_then_with_a_rest,
    counters_stay_exact_among_many_who_write,
    an_address_keeps_its_password_to_itself,
);

fn change(key: &str, value: String) -> Change {
    Change {
        table: "t".into(),
        key: key.into(),
        value: Some(value),
    }
}

async fn commit(store: &Store, fence: &Fence, changes: &[Change]) -> Result<(), CommitError> {
    let commit = Commit {
        fence,
        expect: &[],
        changes,
        activities: &[Default::default()],
        most_bytes: u64::MAX,
    };
    store.guest_commit(commit, at(1)).await
}

async fn values(store: &Store) -> Vec<String> {
    let entries = store.guest_scan("isp", "t", "", "", 1_000).await.unwrap();
    entries.into_iter().map(|entry| entry.value).collect()
}

fn file(database: &Database) -> std::path::PathBuf {
    let folder = database.folder.as_ref().expect("SQLite has a folder");
    folder.path().join("addon-host.db")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_somebody_keeps_is_named_with_its_cure_and_waited_for_no_longer() {
    let database = Database::sqlite();
    let store = database.store().await;
    let fence = leased(&store, "isp").await;
    let raw = database.raw().await;
    let mut held = raw.acquire().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut *held)
        .await
        .unwrap();
    let error = commit(&store, &fence, &[change("a", "1".into())])
        .await
        .expect_err("it is locked");
    assert!(
        matches!(error, CommitError::Store(StoreError::Busy(_))),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("end the program that holds it"),
        "{error}"
    );
    assert!(values(&store).await.is_empty(), "readers go on");
    sqlx::raw_sql("ROLLBACK").execute(&mut *held).await.unwrap();
    commit(&store, &fence, &[change("a", "1".into())])
        .await
        .unwrap();
}

/// A copy of the files as they lie on the disk at one moment, or nearly: what a power cut leaves.
fn snapshot(from: &Path, to: &Path) {
    for end in ["", "-wal"] {
        let name = |path: &Path| format!("{}{end}", path.display());
        if Path::new(&name(from)).exists() {
            std::fs::copy(name(from), name(to)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_moment_the_power_fails_the_database_opens_with_the_commits_up_to_then() {
    let database = Database::sqlite();
    let store = database.store().await;
    let fence = leased(&store, "isp").await;
    // Copying takes a moment, a power cut does not: as long as somebody reads the oldest state, the log is not begun anew.
    let raw = database.raw().await;
    let mut reader = raw.begin().await.unwrap();
    sqlx::query("SELECT COUNT(*) FROM run")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let storm = tokio::spawn({
        let (store, fence, stop) = (store.clone(), fence.clone(), stop.clone());
        async move {
            let mut n = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                let changes: Vec<_> = (0..5)
                    .map(|key| change(&key.to_string(), n.to_string()))
                    .collect();
                commit(&store, &fence, &changes).await.unwrap();
            }
            n
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let mut last = 0;
    for cut in 0..25 {
        tokio::time::sleep(Duration::from_millis(15)).await;
        let copy = folder.path().join(format!("cut-{cut}/addon-host.db"));
        std::fs::create_dir(copy.parent().unwrap()).unwrap();
        snapshot(&file(&database), &copy);
        let left = Store::open(&Store::default_url(copy.parent().unwrap()))
            .await
            .unwrap();
        left.check().await.unwrap();
        let found = values(&left).await;
        assert!(
            found.iter().all(|value| *value == found[0]),
            "a commit is whole: {found:?}"
        );
        let n: u32 = found.first().map_or(0, |value| value.parse().unwrap());
        assert!(n >= last, "what was durable stays");
        last = n;
        left.close().await;
    }
    stop.store(true, Ordering::Relaxed);
    let written = storm.await.unwrap();
    assert!(last > 0 && last <= written);
}

async fn counters_stay_exact_among_many_who_write(database: Database) {
    const PROCESSES: usize = 6;
    const EACH: usize = 20;
    let first = database.store().await;
    install(&first, "isp").await;
    let mut tasks = Vec::new();
    for _ in 0..PROCESSES {
        let store = database.store().await;
        tasks.push(tokio::spawn(async move {
            let (mut leases, mut nonces) = (0_i64, Vec::new());
            for _ in 0..EACH {
                let run = start_run(&store, "isp").await;
                store
                    .with_bucket("b", |n| {
                        let n: usize = n.map_or(0, |n| n.parse().unwrap());
                        (Some((n + 1).to_string()), ())
                    })
                    .await
                    .unwrap();
                nonces.push(store.next_nonce("n", 0).await.unwrap());
                if let LeaseAnswer::Acquired(fence) =
                    store.acquire_lease("isp", run, at(0)).await.unwrap()
                {
                    leases += 1;
                    let stored = store
                        .guest_get("isp", "t", &["count".into()])
                        .await
                        .unwrap();
                    let n: i64 = stored
                        .first()
                        .map_or(0, |entry| entry.value.parse().unwrap());
                    commit(&store, &fence, &[change("count", (n + 1).to_string())])
                        .await
                        .unwrap();
                    store.release_lease(&fence).await.unwrap();
                }
            }
            store.close().await;
            (leases, nonces)
        }));
    }
    let (mut leases, mut nonces) = (0, Vec::new());
    for task in tasks {
        let (own, taken) = task.await.unwrap();
        leases += own;
        nonces.extend(taken);
    }
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), PROCESSES * EACH);
    assert_eq!(
        first.bucket("b").await.unwrap(),
        Some((PROCESSES * EACH).to_string())
    );
    assert!(leases > 0);
    assert_eq!(
        values(&first).await,
        [leases.to_string()],
        "each holder of the lease counted once"
    );
    assert_eq!(
        first.runs("isp", None, 1_000).await.unwrap().len(),
        PROCESSES * EACH
    );
    first.check().await.unwrap();
}

async fn begin(store: &Store, now: i64) -> RunId {
    let options = [("csv".to_owned(), "x".repeat(5_000))];
    let run = NewRun {
        installation: "isp",
        job: "sync",
        trigger: Trigger::Schedule,
        actor: "scheduler",
        preview: false,
        package_sha256: "abc",
        options: &[],
        whole_options: Some(&options),
    };
    let run = store.insert_run(run, at(now)).await.unwrap();
    let answer = store.acquire_lease("isp", run, at(now)).await.unwrap();
    assert!(matches!(answer, LeaseAnswer::Acquired(_)), "{answer:?}");
    run
}

async fn what_a_dead_host_worked_on_is_gone_on_with_once_at_once_and_then_with_a_rest(
    database: Database,
) {
    let (dead, alive) = (database.store().await, database.store().await);
    install(&dead, "isp").await;
    let lease = LEASE_SECONDS + alive.clock_tolerance().num_seconds();
    let mut now = 0;
    for (rest, what) in [(0, "at once"), (300, "two in a row died of it")] {
        let run = begin(&dead, now).await;
        assert_eq!(alive.next_loss().await.unwrap(), Some(at(now + lease)));
        assert!(
            alive
                .fail_lost_runs(at(now + lease - 1))
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            alive
                .lease_holder("isp", at(now + lease - 1))
                .await
                .unwrap(),
            Some(run)
        );
        now += lease;
        let (one, other) =
            tokio::join!(alive.fail_lost_runs(at(now)), dead.fail_lost_runs(at(now)));
        assert_eq!(
            [one.unwrap(), other.unwrap()].concat(),
            [run],
            "one host finds it"
        );
        assert_eq!(
            alive.lease_holder("isp", at(now)).await.unwrap(),
            None,
            "the lease ends with it"
        );
        let state = alive.schedule_states("isp").await.unwrap()["sync"];
        assert_eq!(state.resume_at, Some(at(now + rest)), "{what}");
        let options = alive.resume_options("isp", "sync").await.unwrap();
        assert_eq!(options[0].1.len(), 5_000, "with its options, whole");
    }
    // A person's wish to stop outlives the host.
    alive.set_resume("isp", "sync", None, &[]).await.unwrap();
    let run = begin(&dead, now).await;
    assert!(alive.request_stop(run).await.unwrap());
    assert_eq!(alive.fail_lost_runs(at(now + lease)).await.unwrap(), [run]);
    assert_eq!(
        alive.schedule_states("isp").await.unwrap()["sync"].resume_at,
        None
    );
}

async fn an_address_keeps_its_password_to_itself(database: Database) {
    let told = format!("{:?}", database.store().await);
    assert!(!told.contains("host@"), "{told}");
    for address in [
        "postgres://ann:hunter2@127.0.0.1:1/host",
        "postgresql://ann:hunter2@127.0.0.1:1/host?sslmode=nonsense",
        "postgres://ann:hunter2@127.0.0.1:99999999/host",
        "postgres://ann@127.0.0.1:1/host?passwort=hunter2",
        "mysql://ann:hunter2@db/host",
        "hunter2",
    ] {
        let error = Store::open(address).await.unwrap_err();
        for told in [error.to_string(), format!("{error:?}")] {
            assert!(address == "hunter2" || !told.contains("hunter2"), "{told}");
        }
    }
}
