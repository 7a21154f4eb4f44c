//! What several processes share through one database: two stores on it stand for two processes.

use std::sync::Arc;

use addon_host::store::{
    Activity, ActivityFilter, Change, Commit, CommitError, Fence, LEASE_SECONDS, LeaseAnswer,
    SCHEMA_VERSION, ScheduleState, Store, StoreError,
};

use crate::fixtures::{Database, at, by, install, leased, on_both_databases, start_run};

on_both_databases!(
    an_empty_database_gets_its_schema_and_a_newer_one_is_left_alone,
    a_run_that_lost_its_lease_writes_nothing_more,
    of_many_who_want_a_lease_budget_or_nonce_at_once_each_gets_its_own,
    commits_of_two_processes_on_two_installations_do_not_lose_one_another,
    of_several_schedulers_one_starts_what_is_due,
);

async fn two_processes(database: &Database) -> [Store; 2] {
    // Both find it empty, and one of them makes the schema.
    let (one, other) = tokio::join!(database.store(), database.store());
    [one, other]
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

async fn an_empty_database_gets_its_schema_and_a_newer_one_is_left_alone(database: Database) {
    let [one, other] = two_processes(&database).await;
    assert_eq!(one.schema_version().await.unwrap(), SCHEMA_VERSION);
    install(&one, "isp").await;
    assert_eq!(other.installation("isp").await.unwrap().addon, "example");
    other.close().await;
    one.close().await;

    // A later host's work, as this one would find it.
    let raw = database.raw().await;
    sqlx::query("INSERT INTO schema_version (version) VALUES (99)")
        .execute(&raw)
        .await
        .unwrap();
    raw.close().await;
    let error = Store::open(&database.url).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::NewerSchema {
                found: 99,
                known: SCHEMA_VERSION
            }
        ),
        "{error}"
    );
}

async fn a_run_that_lost_its_lease_writes_nothing_more(database: Database) {
    let [one, other] = two_processes(&database).await;
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
            most_bytes: u64::MAX,
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
    let over = 20 + LEASE_SECONDS;
    assert!(
        !one.holds_lease(&first, at(over)).await.unwrap(),
        "not sure any more: nothing may be sent"
    );
    // Another host's clock may be ahead: it waits as long as that may be.
    let late = over + other.clock_tolerance().num_seconds();
    if late > over {
        let early = at(late - 1);
        let busy = other.acquire_lease("isp", second, early).await.unwrap();
        assert!(matches!(busy, LeaseAnswer::Busy { .. }));
        assert_eq!(
            other.lease_holder("isp", early).await.unwrap(),
            Some(first.run)
        );
    }
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
        one.remove_installation("isp", &by(at(late))).await,
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

async fn of_many_who_want_a_lease_budget_or_nonce_at_once_each_gets_its_own(database: Database) {
    let [one, other] = two_processes(&database).await;
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

async fn commits_of_two_processes_on_two_installations_do_not_lose_one_another(database: Database) {
    let [one, other] = two_processes(&database).await;
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
                most_bytes: u64::MAX,
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

async fn of_several_schedulers_one_starts_what_is_due(database: Database) {
    let [one, other] = two_processes(&database).await;
    install(&one, "isp").await;
    let seen = ScheduleState::default();
    assert!(one.claim_start("isp", "sync", seen, at(10)).await.unwrap());
    assert!(
        !other
            .claim_start("isp", "sync", seen, at(10))
            .await
            .unwrap()
    );
    one.set_resume("isp", "sync", Some(at(500)), &[])
        .await
        .unwrap();
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
