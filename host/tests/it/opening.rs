//! A database that cannot be used says at once why, and what cures it.

use std::path::Path;
use std::time::{Duration, Instant};

use addon_host::store::Store;
use sqlx::{AssertSqlSafe, Executor};

use crate::fixtures::{Database, at, by, folder};

/// Opening does not wait for what does not come by waiting.
const AT_ONCE: Duration = Duration::from_secs(8);

async fn refused(url: &str) -> String {
    let began = Instant::now();
    let error = Store::open(url).await.unwrap_err().to_string();
    assert!(began.elapsed() < AT_ONCE, "{:?}: {error}", began.elapsed());
    assert!(
        !error.contains('\n') && !error.contains("at line"),
        "{error}"
    );
    error
}

/// A sound database, closed.
async fn sound(folder: &Path) -> String {
    let url = Store::default_url(folder);
    let store = Store::open(&url).await.unwrap();
    store.save_account("ann", "hash", &by(at(0))).await.unwrap();
    store.close().await;
    url
}

#[tokio::test]
async fn a_file_that_is_no_sound_database_is_named_at_once() {
    for (what, spoil) in [
        ("garbage", (|bytes| bytes.fill(b'x')) as fn(&mut Vec<u8>)),
        ("a damaged first page", |bytes| bytes[..100].fill(0xff)),
        ("a truncated file", |bytes| bytes.truncate(5000)),
        ("another program's file", |bytes| {
            *bytes = b"PK\x03\x04 no database".repeat(300)
        }),
    ] {
        let folder = folder();
        let url = sound(folder.path()).await;
        let file = folder.path().join("addon-host.db");
        let mut bytes = std::fs::read(&file).unwrap();
        spoil(&mut bytes);
        std::fs::write(&file, &bytes).unwrap();
        let error = refused(&url).await;
        assert!(
            error.contains("is damaged") && error.contains("restore FILE --force"),
            "{what}: {error}"
        );
    }
}

#[tokio::test]
async fn a_file_that_may_not_be_used_is_named_with_its_place() {
    let folder = folder();
    let url = sound(folder.path()).await;
    // Tests mostly run as a user who may write everything: SQLite alone says no.
    let store = Store::open(&url.replace("mode=rwc", "mode=ro"))
        .await
        .unwrap();
    let error = store.save_account("ben", "hash", &by(at(0))).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("cannot be written") && error.contains("belong to the user"),
        "{error}"
    );

    let missing = folder.path().join("nothing/here");
    let error = refused(&Store::default_url(&missing)).await;
    assert!(
        error.contains(&missing.display().to_string())
            && error.contains("has to own the data folder"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_fit_is_named_at_once() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let raw = database.raw().await;
    let run = async |sql: &str| {
        raw.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
            .await
            .unwrap();
    };
    let name = database.url.rsplit('/').next().unwrap();
    let user = format!("user_of_{name}");
    let at_home = database.url.replace("host@", &format!("{user}@"));

    run(&format!(
        "CREATE DATABASE {name}_1252 ENCODING 'WIN1252' LOCALE 'C' TEMPLATE template0"
    ))
    .await;
    let error = refused(&format!("{}_1252", database.url)).await;
    assert!(
        error.contains("WIN1252") && error.contains("ENCODING 'UTF8'"),
        "{error}"
    );
    run(&format!("DROP DATABASE {name}_1252")).await;

    // A user without rights, then without enough connections, then on a server that only reads.
    run(&format!("CREATE ROLE {user} LOGIN")).await;
    run("REVOKE ALL ON SCHEMA public FROM PUBLIC").await;
    let error = refused(&at_home).await;
    assert!(
        error.contains("may not do that") && error.contains("OWNER TO"),
        "{error}"
    );
    run(&format!("GRANT ALL ON SCHEMA public TO {user}")).await;
    run(&format!("ALTER ROLE {user} CONNECTION LIMIT 1")).await;
    let error = refused(&at_home).await;
    // The server may not have noticed yet that the connection before is closed.
    assert!(error.contains("two"), "{error}");
    run(&format!("ALTER ROLE {user} CONNECTION LIMIT -1")).await;
    run(&format!(
        "ALTER ROLE {user} SET default_transaction_read_only = on"
    ))
    .await;
    let error = refused(&at_home).await;
    assert!(
        error.contains("cannot be written") && error.contains("standby"),
        "{error}"
    );
    for count in ["1", "x", "1000"] {
        let error = refused(&format!("{at_home}?connections={count}")).await;
        assert!(error.contains("a number from 2 to 100"), "{error}");
    }
    run(&format!("DROP OWNED BY {user}; DROP ROLE {user}")).await;
}

/// Two connections do for everything, also for what writes while it reads and for many at once: they wait for each other.
#[tokio::test(flavor = "multi_thread")]
async fn two_connections_are_enough_whoever_needs_one_waits() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let raw = database.raw().await;
    let name = database.url.rsplit('/').next().unwrap();
    let user = format!("two_of_{name}");
    for sql in [
        format!("CREATE ROLE {user} LOGIN CONNECTION LIMIT 2"),
        format!("ALTER DATABASE {name} OWNER TO {user}"),
        format!("GRANT ALL ON SCHEMA public TO {user}"),
        // Whatever the role says, transactions have what they need.
        format!("ALTER ROLE {user} SET statement_timeout = '50ms'"),
        format!("ALTER ROLE {user} SET synchronous_commit = off"),
    ] {
        raw.execute(sqlx::raw_sql(AssertSqlSafe(sql)))
            .await
            .unwrap();
    }
    let url = database.url.replace("host@", &format!("{user}@"));
    let store = Store::open(&url).await.unwrap();
    let mut many = tokio::task::JoinSet::new();
    for number in 0..40 {
        let store = store.clone();
        many.spawn(async move {
            let turn = store.alert_turn().await.unwrap();
            assert_eq!(store.account_count().await.unwrap(), 0);
            turn.end(&format!("{number}"), &[], at(number))
                .await
                .unwrap();
            store.check().await.unwrap();
        });
    }
    many.join_all().await;
    store.close().await;
}

/// A real PgBouncer: what does not fit is refused with its cure, and sessions work with the fewest connections.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_does_not_fit_is_named_and_one_that_does_is_enough() {
    let Some(server) = postgres_server::shared() else {
        return;
    };
    let database = server.database();
    let Some(plain) = server.pooler("pool_mode=session") else {
        return;
    };
    let error = refused(&plain.before(&database)).await;
    assert!(
        error.contains("ignore_startup_parameters = extra_float_digits"),
        "{error}"
    );
    let ignoring = "ignore_startup_parameters=extra_float_digits\ndefault_pool_size=2";
    let sessions = server
        .pooler(&format!("{ignoring}\npool_mode=session"))
        .unwrap();
    work(&format!("{}?connections=2", sessions.before(&database)))
        .await
        .unwrap();
    // Before 1.21 PgBouncer knows no prepared statements: they are those of another client, or of nobody.
    let transactions = server
        .pooler(&format!("{ignoring}\npool_mode=transaction"))
        .unwrap();
    if let Err(error) = work(&transactions.before(&database)).await {
        assert!(
            error.contains("a pooler stands before the database"),
            "{error}"
        );
    }
}

/// Many who write and read at the same time.
async fn work(url: &str) -> Result<(), String> {
    let store = Store::open(url).await.map_err(|error| error.to_string())?;
    let mut many = tokio::task::JoinSet::new();
    for number in 0..20 {
        let store = store.clone();
        many.spawn(async move {
            let turn = store.alert_turn().await?;
            store.account_count().await?;
            turn.end(&format!("{number}"), &[], at(number)).await
        });
    }
    let ends = many.join_all().await;
    ends.into_iter()
        .collect::<Result<(), _>>()
        .map_err(|error| error.to_string())
}
