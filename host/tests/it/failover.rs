//! A database that lost what was written last is treated as a restored backup: what it does not know has still happened.

use std::time::{Duration, Instant};

use addon_host::store::{LeaseAnswer, Mark, Store, StoreError};
use postgres_server::Server;

use crate::fixtures::{Database, at, folder, install, on_both_databases, start_run};

on_both_databases!(an_older_copy_that_was_put_back_is_noticed_by_the_mark_beside_the_key);

/// With a real pair: the standby knows nothing of what was written since it was made, and is promoted.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_was_behind_is_treated_as_a_restored_backup_once() {
    let Some(mut server) = Server::alone() else {
        return;
    };
    let url = server.database();
    let store = Store::open(&url).await.unwrap();
    install(&store, "isp").await;
    let before = start_run(&store, "isp").await;
    server.make_standby();

    // A run begins, takes the lease, and works; then the server dies.
    let lost = start_run(&store, "isp").await;
    let LeaseAnswer::Acquired(fence) = store.acquire_lease("isp", lost, at(0)).await.unwrap()
    else {
        panic!("it is free");
    };
    server.fail_over();

    // It may neither send nor store any more, and finds out that it is not there.
    let holds = patiently(async || store.holds_lease(&fence, at(1)).await).await;
    assert!(!holds);
    assert!(!store.renew_lease(&fence, at(1)).await.unwrap());
    let unknown = store.stop_requested(lost).await;
    assert!(
        matches!(unknown, Err(StoreError::Missing { .. })),
        "{unknown:?}"
    );
    let told = store.installation("isp").await.unwrap().restored_at;
    assert!(told.is_some(), "the add-on looks before it makes anything");

    // Nothing that was handed out is handed out again.
    assert!(start_run(&store, "isp").await > lost);
    let LeaseAnswer::Acquired(newer) = store.acquire_lease("isp", before, at(2)).await.unwrap()
    else {
        panic!("nobody else has it");
    };
    assert!(newer.number > fence.number);

    // It is treated once, by whichever host comes first.
    let other = Store::open(&url).await.unwrap();
    assert_eq!(other.installation("isp").await.unwrap().restored_at, told);
    assert!(other.holds_lease(&newer, at(3)).await.unwrap());
}

/// Until the server that took over answers.
async fn patiently<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> T {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(60), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_waits_for_a_standby_that_is_gone_ends_and_says_so() {
    let Some(server) = Server::alone() else {
        return;
    };
    let url = server.database();
    let store = Store::open(&url).await.unwrap();
    install(&store, "isp").await;
    server.order("ALTER SYSTEM SET synchronous_standby_names = 'gone'");
    server.order("SELECT pg_reload_conf()");
    let began = Instant::now();
    // The first ones may be done before the server has read its settings.
    let error = loop {
        assert!(began.elapsed() < Duration::from_secs(90));
        if let Err(error) = store.next_nonce("a key", 1).await {
            break error;
        }
    };
    let error = error.to_string();
    assert!(error.contains("synchronous_standby_names"), "{error}");
}

async fn an_older_copy_that_was_put_back_is_noticed_by_the_mark_beside_the_key(database: Database) {
    let home = folder();
    let mark = Mark::in_folder(home.path());
    let store = database.store().await;
    install(&store, "isp").await;
    assert!(!store.keep_pace(&mark, at(0)).await.unwrap());
    let raw = database.raw().await;
    let then: i64 = sqlx::query_scalar("SELECT value FROM counter WHERE name = 'mark'")
        .fetch_one(&raw)
        .await
        .unwrap();
    let run = start_run(&store, "isp").await;
    for second in 1..5 {
        assert!(!store.keep_pace(&mark, at(second)).await.unwrap());
    }
    assert_eq!(store.installation("isp").await.unwrap().restored_at, None);

    // The state of then, as a copy of the file or of the disk has it.
    sqlx::query("UPDATE counter SET value = $1 WHERE name = 'mark'")
        .bind(then)
        .execute(&raw)
        .await
        .unwrap();
    assert!(store.keep_pace(&mark, at(10)).await.unwrap());
    let told = store.installation("isp").await.unwrap().restored_at;
    assert_eq!(told, Some(at(10)));
    assert!(start_run(&store, "isp").await > run + 100);
    assert!(!store.keep_pace(&mark, at(11)).await.unwrap(), "once");

    // Another database beside the same key is no older one.
    let other = Database::sqlite();
    let other = other.store().await;
    install(&other, "isp").await;
    assert!(!other.keep_pace(&mark, at(12)).await.unwrap());
}
