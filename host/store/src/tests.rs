//! The store on a full disk, and behind a pooler: here, because each of its connections has to be told something.

use chrono::{DateTime, Utc};

use super::*;

async fn commit(store: &Store, fence: &Fence, changes: &[(&str, &str)]) -> Result<(), CommitError> {
    let changes: Vec<Change> = changes
        .iter()
        .map(|(key, value)| Change {
            table: "t".into(),
            key: (*key).into(),
            value: Some((*value).into()),
        })
        .collect();
    let commit = Commit {
        fence,
        expect: &[],
        changes: &changes,
        activities: &[Activity::default()],
        most_bytes: u64::MAX,
    };
    store
        .guest_commit(commit, DateTime::<Utc>::UNIX_EPOCH)
        .await
}

async fn leased(store: &Store) -> Fence {
    let now = DateTime::<Utc>::UNIX_EPOCH;
    let version = NewAddonVersion {
        addon: "example",
        version: "1.0.0",
        sha256: "abc",
        manifest: "",
        package: b"",
        serial: 1,
        signature: "",
        signed_by: "",
        installed_by: "test",
    };
    store.activate_addon(version, now).await.unwrap();
    let new = NewInstallation {
        name: "isp",
        addon: "example",
        created_on: now.date_naive(),
        state: 1,
    };
    store
        .create_installation(new, &Author::new("test", now))
        .await
        .unwrap();
    match store.acquire_lease("isp", 1, now).await.unwrap() {
        LeaseAnswer::Acquired(fence) => fence,
        busy => panic!("{busy:?}"),
    }
}

/// On all of the store's connections; answers what it says.
async fn everywhere(store: &Store, pragma: &str) -> i64 {
    let mut connections = Vec::new();
    for _ in 0..store.pool.options().get_max_connections() {
        connections.push(store.pool.acquire().await.unwrap());
    }
    let mut said = 0;
    for connection in &mut connections {
        let row = sqlx::query(AssertSqlSafe(pragma.to_owned()))
            .fetch_one(&mut **connection)
            .await
            .unwrap();
        said = row.get(0);
    }
    said
}

#[tokio::test]
async fn a_full_disk_refuses_a_commit_whole_says_so_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Store::default_url(folder.path()))
        .await
        .unwrap();
    let fence = leased(&store).await;
    commit(&store, &fence, &[("a", "1"), ("b", "1")])
        .await
        .unwrap();
    let pages = everywhere(&store, "PRAGMA page_count").await;
    let large = "x".repeat(200_000);
    for _ in 0..3 {
        // Each time: a connection that a full disk left in the middle of a transaction is replaced by one that knows of no limit.
        everywhere(&store, &format!("PRAGMA max_page_count = {}", pages + 2)).await;
        let error = commit(&store, &fence, &[("a", "2"), ("large", &large)])
            .await
            .unwrap_err();
        let CommitError::Store(full @ StoreError::DiskFull(_)) = error else {
            panic!("{error:?}");
        };
        assert!(full.to_string().contains("make room"), "{full}");
        let failure = Failure::from(full);
        assert_eq!(failure.code, "full", "the add-on is told which it is");
    }
    let values = async |store: &Store| -> Vec<String> {
        let found = store.guest_scan("isp", "t", "", "", 10).await.unwrap();
        found.into_iter().map(|entry| entry.value).collect()
    };
    assert_eq!(
        values(&store).await,
        ["1", "1"],
        "nothing of it was written"
    );
    commit(&store, &fence, &[("b", "3")])
        .await
        .expect("what fits is written");
    store.check().await.unwrap();

    // Somebody makes room: connections that were opened since know of no limit, the others are told.
    everywhere(&store, "PRAGMA max_page_count = 1000000").await;
    commit(&store, &fence, &[("a", "2"), ("large", &large)])
        .await
        .unwrap();
    assert_eq!(values(&store).await[..2], ["2", "3"]);
    store.check().await.unwrap();
}

/// As behind a pooler in transaction mode: what a connection was told is forgotten by the time that a transaction begins.
#[tokio::test]
async fn each_transaction_brings_its_settings_with_it() {
    let Some(server) = postgres_server::shared() else {
        return;
    };
    let url = server.database();
    let name = url.rsplit('/').next().unwrap();
    let store = Store::open(&url).await.unwrap();
    for setting in [
        "synchronous_commit = off",
        "statement_timeout = 1000",
        "default_transaction_isolation = 'serializable'",
    ] {
        let sql = AssertSqlSafe(format!("ALTER DATABASE {name} SET {setting}"));
        sqlx::query(sql).execute(&store.pool).await.unwrap();
    }
    store.close().await;
    let store = Store::open(&url).await.unwrap();
    for (setting, usual, wanted) in [
        ("synchronous_commit", "off", "on"),
        ("statement_timeout", "1s", "0"),
        ("lock_timeout", "0", "10s"),
        ("idle_in_transaction_session_timeout", "0", "30s"),
        ("transaction_isolation", "serializable", "read committed"),
    ] {
        let asked = format!("SELECT current_setting('{setting}')");
        let mut connection = store.pool.acquire().await.unwrap();
        sqlx::query("RESET ALL")
            .execute(&mut *connection)
            .await
            .unwrap();
        let row = sqlx::query(AssertSqlSafe(asked.clone()))
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert_eq!(row.get::<String, _>(0), usual, "{setting}");
        drop(connection);
        let mut writing = store.write(WriteLock::Schema).await.unwrap();
        let row = sqlx::query(AssertSqlSafe(asked))
            .fetch_one(&mut *writing.transaction)
            .await
            .unwrap();
        assert_eq!(row.get::<String, _>(0), wanted, "{setting}");
        writing.commit().await.unwrap();
    }
    store.close().await;
}
