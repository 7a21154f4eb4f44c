//! The store on a full disk: here, because each of its connections has to be told how many pages there are.

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
