//! Backups of one database and their way back, into the same kind and into the other.

use std::path::{Path, PathBuf};

use addon_host::store::{
    ActivityFilter, Change, Commit, Fence, LeaseAnswer, NewRun, SCHEMA_VERSION, SettingChange,
    Store, StoreError, StoredValue, Trigger, read_backup, restore,
};
use sqlx::Row;
use tempfile::TempDir;

use crate::fixtures::{Database, at, by, install, leased, on_both_databases, start_run};

on_both_databases!(
    a_backup_taken_in_the_middle_of_work_is_one_moment_and_comes_back_on_either_database,
    a_restore_puts_nothing_back_in_time_that_others_saw_grow,
    a_database_in_use_or_with_something_in_it_is_not_replaced_unasked,
);

fn change(key: &str, value: &str) -> Change {
    Change {
        table: "t".into(),
        key: key.into(),
        value: Some(value.into()),
    }
}

/// Two entries that always say the same, and an activity.
async fn write(store: &Store, fence: &Fence, n: u32) {
    let value = n.to_string();
    let commit = Commit {
        fence,
        expect: &[],
        changes: &[change("one", &value), change("öther\u{10ffff}", &value)],
        activities: &[Default::default()],
        most_bytes: u64::MAX,
    };
    store.guest_commit(commit, at(1)).await.unwrap();
}

async fn read(store: &Store) -> (Vec<String>, usize) {
    let entries = store.guest_scan("isp", "t", "", "", 10).await.unwrap();
    let filter = ActivityFilter {
        limit: 10_000,
        ..ActivityFilter::default()
    };
    let activities = store.activities("isp", &filter).await.unwrap();
    (
        entries.into_iter().map(|entry| entry.value).collect(),
        activities.len(),
    )
}

fn file(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

/// What the other kind of database is, if there is one here.
fn others(database: &Database) -> Vec<Database> {
    let other = if database.folder.is_some() {
        Database::postgres()
    } else {
        Some(Database::sqlite())
    };
    other.into_iter().collect()
}

async fn a_backup_taken_in_the_middle_of_work_is_one_moment_and_comes_back_on_either_database(
    database: Database,
) {
    let folder = tempfile::tempdir().unwrap();
    let store = database.store().await;
    let fence = leased(&store, "isp").await;
    let secret = SettingChange {
        key: "password".into(),
        value: Some(StoredValue::Sealed(vec![0, 255, 7])),
    };
    store
        .save_settings("isp", &[secret], "ann", at(0))
        .await
        .unwrap();
    write(&store, &fence, 0).await;
    let backup = file(&folder, "backup");
    // One process writes all the time, another one backs up.
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            let mut n = 1;
            while stopped.try_recv().is_err() {
                write(&store, &fence, n).await;
                n += 1;
            }
        }
    });
    let other = database.store().await;
    let mut last = 0;
    for _ in 0..5 {
        let taken = other.backup(&backup, at(50), true).await.unwrap();
        assert_eq!(
            (taken.schema, taken.rows["installation"]),
            (SCHEMA_VERSION, 1)
        );
        assert_eq!(read_backup(&backup).await.unwrap(), taken);
        let back = Database::sqlite();
        restore(&back.url, &backup, folder.path(), at(60), false)
            .await
            .unwrap();
        let back = back.store().await;
        let (values, activities) = read(&back).await;
        assert_eq!(values[0], values[1], "one moment");
        let n: usize = values[0].parse().unwrap();
        assert_eq!(activities, n + 1, "a commit is in it whole or not at all");
        assert!(n >= last);
        last = n;
    }
    stop.send(()).unwrap();
    writer.await.unwrap();

    // From here it goes to the other kind and back again, and still says the same.
    let taken = other.backup(&backup, at(70), true).await.unwrap();
    for there in others(&database) {
        let restored = restore(&there.url, &backup, folder.path(), at(80), false)
            .await
            .unwrap();
        assert_eq!(
            (restored.kept, restored.installations),
            (None, vec!["isp".to_owned()])
        );
        let there = there.store().await;
        there.check().await.unwrap();
        assert_eq!(read(&there).await, read(&store).await);
        let settings = there.settings("isp").await.unwrap();
        assert_eq!(settings[0].value, StoredValue::Sealed(vec![0, 255, 7]));
        assert_eq!(
            there.package("abc").await.unwrap().as_deref(),
            Some(b"bytes".as_slice())
        );
        let again = file(&folder, "again");
        let again_taken = there.backup(&again, at(90), false).await.unwrap();
        assert_eq!(again_taken.rows, taken.rows);
        // It works on, where it was left.
        let run = start_run(&there, "isp").await;
        let LeaseAnswer::Acquired(fence) = there.acquire_lease("isp", run, at(90)).await.unwrap()
        else {
            panic!("nobody has the lease after a restore");
        };
        write(&there, &fence, 9999).await;
    }
    store.check().await.unwrap();
}

async fn a_restore_puts_nothing_back_in_time_that_others_saw_grow(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let backup = file(&folder, "backup");
    let store = database.store().await;
    let old_fence = leased(&store, "isp").await;
    store.save_account("ann", "hash", &by(at(0))).await.unwrap();
    store
        .insert_session("token", "ann", "", at(0), at(100_000))
        .await
        .unwrap();
    let keep = async |key: &str, state: &str| {
        let state = state.to_owned();
        store
            .with_bucket(key, move |_| (Some(state), ()))
            .await
            .unwrap();
    };
    keep("books", "in the backup").await;
    store.next_nonce("key", 5_000).await.unwrap();
    store.backup(&backup, at(10), false).await.unwrap();

    // The world goes on.
    keep("books", "newer").await;
    keep("more", "newer").await;
    let nonce = store.next_nonce("key", 9_000).await.unwrap();
    let last_run = start_run(&store, "isp").await;
    write(&store, &old_fence, 1).await;
    store.close().await;

    let late = at(1_000);
    let restored = restore(&database.url, &backup, folder.path(), late, true)
        .await
        .unwrap();
    let kept = restored.kept.expect("what was there is kept");
    assert!(kept.exists(), "{}", kept.display());
    let store = database.store().await;
    let installation = store.installation("isp").await.unwrap();
    assert_eq!(installation.restored_at, Some(late), "the add-on is told");
    assert_eq!(
        read(&store).await,
        (Vec::new(), 0),
        "what is stored is as it was"
    );
    assert!(
        store.session("token", at(20)).await.unwrap().is_none(),
        "nobody is logged in"
    );
    assert_eq!(store.account_count().await.unwrap(), 1);
    assert_eq!(
        store.bucket("books").await.unwrap().as_deref(),
        Some("newer")
    );
    assert_eq!(
        store.bucket("more").await.unwrap().as_deref(),
        Some("newer")
    );
    assert!(
        store.next_nonce("key", 1).await.unwrap() > nonce,
        "a nonce is used once"
    );
    let run = store.run(old_fence.run).await.unwrap();
    assert_eq!(run.outcome.unwrap().why.unwrap().code, "host-lost");
    // A host that slept through all of it still has its old number, and can do nothing with it.
    assert!(!store.renew_lease(&old_fence, late).await.unwrap());
    let run = start_run(&store, "isp").await;
    assert!(run > last_run, "numbers of runs are used once");
    let LeaseAnswer::Acquired(fence) = store.acquire_lease("isp", run, late).await.unwrap() else {
        panic!("nobody has the lease after a restore");
    };
    assert!(fence.number > old_fence.number + 1_000);
    store.close().await;

    // The way back from a restore that was a mistake: what was kept is put back.
    let before = if database.folder.is_some() {
        addon_host::store::Store::open(&format!("sqlite://{}", encoded(&kept)))
            .await
            .unwrap()
    } else {
        restore(&database.url, &kept, folder.path(), at(2_000), true)
            .await
            .unwrap();
        database.store().await
    };
    assert_eq!(read(&before).await.0, ["1", "1"]);
}

/// As in an address.
fn encoded(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
                text.push(char::from(byte))
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

async fn a_database_in_use_or_with_something_in_it_is_not_replaced_unasked(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let backup = file(&folder, "backup");
    let store = database.store().await;
    install(&store, "isp").await;
    store.backup(&backup, at(0), false).await.unwrap();
    assert!(matches!(
        store.backup(&backup, at(0), false).await,
        Err(StoreError::Exists { .. })
    ));
    let refused = |answer: Result<_, StoreError>| {
        let error = answer.map(|_: addon_host::store::Restored| ()).unwrap_err();
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        error.to_string()
    };
    let into =
        async |force: bool| restore(&database.url, &backup, folder.path(), at(5), force).await;
    // A run is at work; SQLite's file is not replaced under anybody who has it open at all.
    let run = NewRun {
        installation: "isp",
        job: "sync",
        trigger: Trigger::Person,
        actor: "ann",
        preview: false,
        package_sha256: "abc",
        options: &[],
        whole_options: None,
    };
    store.insert_run(run, at(0)).await.unwrap();
    let told = refused(into(true).await);
    assert!(told.contains("stop every host"), "{told}");
    store.fail_lost_runs(at(1_000)).await.unwrap();
    store.close().await;
    let told = refused(into(false).await);
    assert!(told.contains("--force"), "{told}");

    // A backup that is damaged, cut off, of a later host or none at all is refused before anything is touched.
    let bytes = std::fs::read(&backup).unwrap();
    let middle = bytes
        .windows(7)
        .rposition(|window| window == b"example")
        .unwrap();
    let mut flipped = bytes.clone();
    flipped[middle] ^= 1;
    for (name, content) in [
        ("flipped", flipped.as_slice()),
        ("cut", &bytes[..bytes.len() / 2]),
        ("text", b"hello, this is no backup"),
        ("empty", b""),
    ] {
        let bad = file(&folder, name);
        std::fs::write(&bad, content).unwrap();
        let error = restore(&database.url, &bad, folder.path(), at(5), true)
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::BadBackup(_)), "{name}: {error}");
    }
    let raw = sqlx::AnyPool::connect(&format!("sqlite://{}", encoded(&backup)))
        .await
        .unwrap();
    sqlx::query("UPDATE backup SET value = '99' WHERE name = 'schema'")
        .execute(&raw)
        .await
        .unwrap();
    raw.close().await;
    let error = into(true).await.unwrap_err();
    assert!(
        matches!(error, StoreError::NewerSchema { found: 99, .. }),
        "{error}"
    );
    let store = database.store().await;
    assert_eq!(store.installation("isp").await.unwrap().restored_at, None);
    let raw = database.raw().await;
    let count = sqlx::query("SELECT COUNT(*) FROM run")
        .fetch_one(&raw)
        .await
        .unwrap();
    assert_eq!(count.get::<i64, _>(0), 1);
}

/// The backup that an earlier host wrote, before its schema changed.
#[tokio::test]
async fn a_backup_of_an_earlier_schema_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::sqlite();
    let old = database.raw().await;
    for step in [
        include_str!("../../store/src/schema_1.sql"),
        include_str!("../../store/src/schema_2.sql"),
    ] {
        sqlx::raw_sql(step).execute(&old).await.unwrap();
    }
    for sql in [
        "CREATE TABLE schema_version (version BIGINT NOT NULL)",
        "INSERT INTO schema_version (version) VALUES (1), (2)",
        "INSERT INTO installation (name, addon, created_at, created_on, state, stored_bytes) VALUES ('isp', 'example', 0, '2026-01-01', 3, 4)",
        "INSERT INTO guest_entry (installation, collection, key, value) VALUES ('isp', 't', 'k', 'old')",
    ] {
        sqlx::raw_sql(sql).execute(&old).await.unwrap();
    }
    old.close().await;
    // Opening it brings it up to date, and keeps a copy of what it was.
    let store = database.store().await;
    assert_eq!(store.schema_version().await.unwrap(), SCHEMA_VERSION);
    store.check().await.unwrap();
    store.close().await;
    let copy = database
        .folder
        .as_ref()
        .unwrap()
        .path()
        .join("addon-host.db.schema-2");
    let url = format!("sqlite://{}", encoded(&copy));
    let kept = sqlx::AnyPool::connect(&url).await.unwrap();
    let version = sqlx::query("SELECT MAX(version) FROM schema_version")
        .fetch_one(&kept)
        .await
        .unwrap();
    assert_eq!(
        version.get::<i64, _>(0),
        2,
        "the copy is of the database before"
    );

    // What a host of that schema would have backed up: the same tables, told by their digests.
    let backup = file(&folder, "backup");
    database
        .store()
        .await
        .backup(&backup, at(0), false)
        .await
        .unwrap();
    let made = sqlx::AnyPool::connect(&format!("sqlite://{}", encoded(&backup)))
        .await
        .unwrap();
    let rows = sqlx::query("SELECT COUNT(*) FROM guest_entry")
        .fetch_one(&made)
        .await
        .unwrap();
    assert_eq!(rows.get::<i64, _>(0), 1);
}
