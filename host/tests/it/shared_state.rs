//! What several processes share through one file: two stores on it stand for two processes.

use std::sync::Arc;

use addon_host::store::{
    Activity, ActivityFilter, Change, Commit, CommitError, ConnectionOverride, Failure, Fence,
    LEASE_SECONDS, LeaseAnswer, LogLine, NewAddonVersion, Outcome, Progress, ReportRow, RunState,
    ScheduleState, Store, StoreError,
};
use tempfile::TempDir;

use crate::fixtures::{MANIFEST, at, install, leased, start_run, store};

async fn two_processes() -> ([Store; 2], TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = Store::default_url(folder.path());
    // Both find an empty file, and one of them makes the schema.
    let (one, other) = tokio::join!(Store::open(&url), Store::open(&url));
    ([one.unwrap(), other.unwrap()], folder)
}

fn acquired(answer: LeaseAnswer) -> Fence {
    match answer {
        LeaseAnswer::Acquired(fence) => fence,
        LeaseAnswer::Busy { run, until } => panic!("busy with run {run} until {until}"),
    }
}

fn counted(n: i64) -> Change {
    Change {
        table: "t".into(),
        key: "count".into(),
        value: Some(n.to_string()),
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_database_and_a_newer_one_is_left_alone() {
    let ([one, other], folder) = two_processes().await;
    assert_eq!(one.schema_version().await.unwrap(), 1);
    install(&one, "isp").await;
    assert_eq!(other.installation("isp").await.unwrap().addon, "example");
    other.close().await;
    one.close().await;

    // A later host's work, as this one would find it.
    sqlx::any::install_default_drivers();
    let url = Store::default_url(folder.path());
    let raw = sqlx::AnyPool::connect(&url).await.unwrap();
    sqlx::query("INSERT INTO schema_version (version) VALUES (99)")
        .execute(&raw)
        .await
        .unwrap();
    raw.close().await;
    let error = Store::open(&url).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::NewerSchema {
                found: 99,
                known: 1
            }
        ),
        "{error}"
    );
    let error = Store::open("postgres://ann:hunter2@db/host")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("postgres") && !error.contains("hunter2"),
        "{error}"
    );
}

#[tokio::test]
async fn a_run_that_lost_its_lease_writes_nothing_more() {
    let ([one, other], _folder) = two_processes().await;
    let first = leased(&one, "isp").await;
    let second = start_run(&other, "isp").await;
    let write = async |store: &Store, fence: &Fence, n: i64| {
        let activities = [Activity {
            label: n.to_string(),
            ..Activity::default()
        }];
        let commit = Commit {
            fence,
            expect: &[],
            changes: &[counted(n)],
            activities: &activities,
        };
        store.guest_commit(commit, at(1)).await
    };
    write(&one, &first, 1).await.unwrap();
    let busy = other
        .acquire_lease("isp", second, at(LEASE_SECONDS - 1))
        .await
        .unwrap();
    assert_eq!(
        busy,
        LeaseAnswer::Busy {
            run: first.run,
            until: at(LEASE_SECONDS)
        }
    );

    // Renewed, it lasts longer; left alone it is taken over, and the first run finds its number out of date.
    assert!(one.renew_lease(&first, at(20)).await.unwrap());
    assert!(
        one.holds_lease(&first, at(LEASE_SECONDS + 1))
            .await
            .unwrap()
    );
    let late = 20 + LEASE_SECONDS;
    assert!(
        !one.holds_lease(&first, at(late)).await.unwrap(),
        "not sure any more: nothing may be sent"
    );
    write(&one, &first, 2)
        .await
        .expect("nobody took it, so nothing can have changed");
    let taken = acquired(other.acquire_lease("isp", second, at(late)).await.unwrap());
    assert!(taken.number > first.number);
    assert!(matches!(
        write(&one, &first, 3).await,
        Err(CommitError::Fenced)
    ));
    assert!(!one.renew_lease(&first, at(late)).await.unwrap());
    one.release_lease(&first).await.unwrap();
    assert!(
        other.holds_lease(&taken, at(late)).await.unwrap(),
        "who lost a lease cannot release it"
    );
    write(&other, &taken, 4).await.unwrap();
    assert_eq!(
        one.lease_holder("isp", at(late)).await.unwrap(),
        Some(second)
    );
    assert!(matches!(
        one.remove_installation("isp", at(late)).await,
        Err(StoreError::InUse { .. })
    ));

    other.release_lease(&taken).await.unwrap();
    assert!(
        matches!(write(&other, &taken, 5).await, Err(CommitError::Fenced)),
        "released is over"
    );
    assert!(!other.renew_lease(&taken, at(late)).await.unwrap());
    let again = acquired(one.acquire_lease("isp", first.run, at(late)).await.unwrap());
    assert!(again.number > taken.number, "numbers grow over releases");
    let stored = one.guest_get("isp", "t", &["count".into()]).await.unwrap();
    assert_eq!(stored[0].value, "4");
    let labels: Vec<_> = one
        .activities("isp", &ActivityFilter::default())
        .await
        .unwrap();
    let labels: Vec<_> = labels
        .iter()
        .map(|row| row.activity.label.as_str())
        .collect();
    assert_eq!(
        labels,
        ["4", "2", "1"],
        "newest first, and none of a refused commit"
    );

    // A fence is of one installation.
    install(&one, "two").await;
    let foreign = Fence {
        installation: "two".into(),
        ..again
    };
    assert!(matches!(
        write(&one, &foreign, 6).await,
        Err(CommitError::Fenced)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_a_lease_budget_or_nonce_at_once_each_gets_its_own() {
    let ([one, other], _folder) = two_processes().await;
    install(&one, "isp").await;
    let stores = Arc::new([one, other]);
    let mut tasks = Vec::new();
    for n in 0..24_usize {
        let stores = stores.clone();
        tasks.push(tokio::spawn(async move {
            let store = &stores[n % 2];
            let run = start_run(store, "isp").await;
            let got = matches!(
                store.acquire_lease("isp", run, at(0)).await.unwrap(),
                LeaseAnswer::Acquired(_)
            );
            let mut taken = 0;
            let mut nonces = Vec::new();
            for _ in 0..5 {
                taken += store
                    .with_bucket("books", |state| {
                        let left: u32 = state.map_or(50, |state| state.parse().unwrap());
                        if left == 0 {
                            (None, 0)
                        } else {
                            (Some((left - 1).to_string()), 1)
                        }
                    })
                    .await
                    .unwrap();
                nonces.push(store.next_nonce("key", 1000).await.unwrap());
            }
            (got, taken, nonces, run)
        }));
    }
    let (mut leases, mut taken, mut nonces, mut runs) = (0, 0, Vec::new(), Vec::new());
    for task in tasks {
        let (got, count, own, run) = task.await.unwrap();
        assert!(own.is_sorted(), "a nonce grows for whoever asks");
        leases += usize::from(got);
        taken += count;
        nonces.extend(own);
        runs.push(run);
    }
    assert_eq!(leases, 1);
    assert_eq!(taken, 50, "exactly the budget, by 120 who asked");
    nonces.sort();
    assert_eq!(nonces, (1000..1120).collect::<Vec<_>>(), "none twice");
    runs.sort();
    runs.dedup();
    assert_eq!(runs.len(), 24);
    let store = &stores[0];
    assert_eq!(store.bucket("books").await.unwrap().as_deref(), Some("0"));
    assert_eq!(
        store.next_nonce("key", 5000).await.unwrap(),
        5000,
        "the clock went on"
    );
    assert_eq!(
        store.next_nonce("key", 10).await.unwrap(),
        5001,
        "the clock went back"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_of_two_processes_on_two_installations_do_not_lose_one_another() {
    let ([one, other], _folder) = two_processes().await;
    let fences = [leased(&one, "isp").await, leased(&other, "two").await];
    let count = async |store: Store, fence: Fence| {
        for n in 0..40 {
            let before = Change {
                value: (n > 0).then(|| n.to_string()),
                ..counted(0)
            };
            let activities = [Activity::default()];
            let commit = Commit {
                fence: &fence,
                expect: &[before],
                changes: &[counted(n + 1)],
                activities: &activities,
            };
            store.guest_commit(commit, at(1)).await.unwrap();
        }
    };
    let [first, second] = fences;
    tokio::join!(count(one.clone(), first), count(other, second));
    let filter = ActivityFilter {
        limit: 1000,
        ..ActivityFilter::default()
    };
    let mut ids = Vec::new();
    for name in ["isp", "two"] {
        ids.extend(
            one.activities(name, &filter)
                .await
                .unwrap()
                .into_iter()
                .map(|row| row.id),
        );
    }
    ids.sort();
    assert_eq!(ids, (1..=80).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_run_is_followed_from_start_to_outcome() {
    let (store, _folder) = store().await;
    install(&store, "isp").await;
    let run = start_run(&store, "isp").await;
    let progress = Progress {
        stage: "invoices".into(),
        done: 5,
        total: 10,
    };
    assert!(!store.set_progress(run, &progress, at(5)).await.unwrap());
    assert!(store.request_stop(run).await.unwrap());
    assert!(
        store.stop_requested(run).await.unwrap()
            && store.set_progress(run, &progress, at(6)).await.unwrap()
    );

    let line = |message: &str| LogLine {
        at: at(3),
        level: "info".into(),
        message: message.into(),
    };
    store
        .append_log(run, &[line("one"), line("two\0")])
        .await
        .unwrap();
    store.append_log(run, &[line("three")]).await.unwrap();
    let messages: Vec<_> = store
        .log_lines(run, 1, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.number, row.line.message))
        .collect();
    assert_eq!(
        messages,
        [(2, "two\u{2400}".to_owned()), (3, "three".to_owned())]
    );
    let row = |id: &str| ReportRow {
        id: id.into(),
        cells: vec!["a".into(), "b".into()],
        more: vec![("k".into(), "v".into())],
    };
    store
        .append_report(run, "plan", &[row("1"), row("2")])
        .await
        .unwrap();
    store
        .append_report(run, "rejected", &[row("3")])
        .await
        .unwrap();
    assert_eq!(
        store.report_rows(run, "plan", 1, 10).await.unwrap(),
        [(2, row("2"))]
    );
    assert_eq!(
        store.report_kinds(run).await.unwrap(),
        [("plan".to_owned(), 2), ("rejected".to_owned(), 1)]
    );

    let why = Failure {
        code: "paused".into(),
        message: "A limit.".into(),
        retry_at: Some(99),
        more: Vec::new(),
    };
    let outcome = Outcome {
        state: RunState::Paused,
        resume_at: Some(99),
        why: Some(why),
        counts: vec![("customers created".into(), u64::MAX)],
        more: vec![("a".into(), "b".into())],
    };
    assert!(store.finish_run(run, &outcome, at(8)).await.unwrap());
    assert!(
        !store
            .finish_run(
                run,
                &Outcome {
                    state: RunState::Failed,
                    ..outcome.clone()
                },
                at(9)
            )
            .await
            .unwrap()
    );
    assert!(!store.request_stop(run).await.unwrap(), "it is over");
    let found = store.run(run).await.unwrap();
    assert_eq!(
        (found.state, found.ended_at, found.outcome),
        (RunState::Paused, Some(at(8)), Some(outcome))
    );
    assert_eq!(found.progress, progress);

    // A run whose host died is ended by another host, one that still shows life is not.
    let (lost, alive) = (
        start_run(&store, "isp").await,
        start_run(&store, "isp").await,
    );
    store.touch_run(alive, at(50)).await.unwrap();
    assert_eq!(
        store.fail_lost_runs(at(60)).await.unwrap(),
        Vec::<i64>::new()
    );
    assert_eq!(store.fail_lost_runs(at(61)).await.unwrap(), [lost]);
    let found = store.run(lost).await.unwrap();
    assert_eq!(
        (
            found.state,
            found.outcome.unwrap().why.unwrap().code.as_str()
        ),
        (RunState::Failed, "host-lost")
    );
    let ids: Vec<_> = store
        .runs("isp", Some(alive), 10)
        .await
        .unwrap()
        .into_iter()
        .map(|run| run.id)
        .collect();
    assert_eq!(ids, [lost, run]);
    assert!(matches!(
        store.run(12345).await,
        Err(StoreError::Missing { .. })
    ));
    assert!(matches!(
        store.request_stop(12345).await,
        Err(StoreError::Missing { .. })
    ));
}

#[tokio::test]
async fn of_several_schedulers_one_starts_what_is_due() {
    let ([one, other], _folder) = two_processes().await;
    install(&one, "isp").await;
    let seen = ScheduleState::default();
    assert!(one.claim_start("isp", "sync", seen, at(10)).await.unwrap());
    assert!(
        !other
            .claim_start("isp", "sync", seen, at(10))
            .await
            .unwrap()
    );
    one.set_resume("isp", "sync", Some(at(500))).await.unwrap();
    let seen = other.schedule_states("isp").await.unwrap()["sync"];
    assert_eq!(
        seen,
        ScheduleState {
            last_start: Some(at(10)),
            resume_at: Some(at(500))
        }
    );
    assert!(
        other
            .claim_start("isp", "sync", seen, at(500))
            .await
            .unwrap()
    );
    assert!(!one.claim_start("isp", "sync", seen, at(500)).await.unwrap());
    let state = one.schedule_states("isp").await.unwrap()["sync"];
    assert_eq!(
        state,
        ScheduleState {
            last_start: Some(at(500)),
            resume_at: None
        }
    );
}

#[tokio::test]
async fn addons_installations_and_what_belongs_to_them_come_and_go_together() {
    let (store, _folder) = store().await;
    install(&store, "isp").await;
    assert!(matches!(
        store.installation("nobody").await,
        Err(StoreError::Missing { .. })
    ));
    let version = |sha256: &'static str, version: &'static str| NewAddonVersion {
        addon: "example",
        version,
        sha256,
        manifest: MANIFEST,
        package: sha256.as_bytes(),
        installed_by: "ann",
    };
    store
        .activate_addon(version("def", "1.3.0"), at(1))
        .await
        .unwrap();
    let active = store.active_addon("example").await.unwrap().unwrap();
    assert_eq!(
        (
            active.version.as_str(),
            active.sha256.as_str(),
            active.active
        ),
        ("1.3.0", "def", true)
    );
    assert_eq!(store.addon_versions().await.unwrap().len(), 2);
    assert_eq!(
        store.package("abc").await.unwrap().as_deref(),
        Some(b"bytes".as_slice()),
        "runs that began with it go on"
    );
    store
        .activate_addon(version("abc", "1.2.3"), at(2))
        .await
        .unwrap();
    assert_eq!(
        store.active_addon("example").await.unwrap().unwrap().sha256,
        "abc"
    );

    let terms = ConnectionOverride {
        per_minute: Some(20),
        allow_hosts: vec!["127.0.0.1".into()],
        ..Default::default()
    };
    assert_eq!(
        store.connection_override("isp", "books").await.unwrap(),
        ConnectionOverride::default()
    );
    store
        .set_connection_override("isp", "books", &terms)
        .await
        .unwrap();
    assert_eq!(
        store.connection_override("isp", "books").await.unwrap(),
        terms
    );
    start_run(&store, "isp").await;
    assert!(matches!(
        store.remove_addon("example").await,
        Err(StoreError::InUse { .. })
    ));
    store.remove_installation("isp", at(3)).await.unwrap();
    assert!(store.runs("isp", None, 10).await.unwrap().is_empty());
    store.remove_addon("example").await.unwrap();
    assert!(store.package("abc").await.unwrap().is_none());
    assert!(matches!(
        store.remove_addon("example").await,
        Err(StoreError::Missing { .. })
    ));

    store.save_account("ann", "hash 1", at(0)).await.unwrap();
    store
        .insert_session("token", "ann", at(0), at(100))
        .await
        .unwrap();
    store.touch_session("token", at(50)).await.unwrap();
    assert_eq!(
        store
            .session("token", at(99))
            .await
            .unwrap()
            .unwrap()
            .seen_at,
        at(50)
    );
    assert!(
        store.session("token", at(100)).await.unwrap().is_none(),
        "expired"
    );
    store.save_account("ann", "hash 2", at(60)).await.unwrap();
    assert!(
        store.session("token", at(61)).await.unwrap().is_none(),
        "a new password ends all sessions"
    );
    assert_eq!(
        store.account("ann").await.unwrap().unwrap().password_hash,
        "hash 2"
    );
    assert_eq!(store.account_count().await.unwrap(), 1);
}
