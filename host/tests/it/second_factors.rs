//! Second factors at rest: sealed, carried through a change of the master key, and gone with it only on request.

use std::sync::Arc;

use addon_host::clock::Clock;
use addon_host::host::{Host, HostConfig, MasterKeys, Standing};
use addon_host::runs::Limits;
use addon_host::vault::KeySource;
use chrono::TimeDelta;
use sqlx::Row;
use totp_rs::{Builder, Secret};

use crate::fixtures::{Database, at, by, on_both_databases};
use crate::web::site::Stopped;

on_both_databases!(a_second_factor_is_sealed_outlives_its_master_key_and_takes_no_code_twice);

/// What an app shows that was given this secret.
pub fn code(secret: &str, clock: &Stopped) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let codes = Builder::new().with_secret(secret).build().unwrap();
    let now = clock.now().timestamp().unsigned_abs();
    codes.generate(now).to_string()
}

async fn a_second_factor_is_sealed_outlives_its_master_key_and_takes_no_code_twice(
    database: Database,
) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Stopped::at(at(0)));
    let config = HostConfig {
        data_dir: folder.path().to_owned(),
        database_url: database.url.clone(),
    };
    let host = Host::open_with(config, clock.clone(), Limits::default())
        .await
        .unwrap();
    let store = host.store().clone();
    store.save_account("ann", "hash", &by(at(0))).await.unwrap();
    assert!(host.offer_second_factor("bob").await.unwrap().is_none());

    // Another one takes the place of one that was not proven; one that counts stays.
    let first = host.offer_second_factor("ann").await.unwrap().unwrap();
    let offered = host.offer_second_factor("ann").await.unwrap().unwrap();
    let secret = offered.secret.expose();
    let old = code(first.secret.expose(), &clock);
    assert!(!host.prove_second_factor("ann", &old, "ann").await.unwrap());
    let now = code(secret, &clock);
    assert!(!host.take_code("ann", &now).await.unwrap(), "not proven");
    assert!(host.prove_second_factor("ann", &now, "ann").await.unwrap());
    assert!(host.offer_second_factor("ann").await.unwrap().is_none());
    let rows = sqlx::query("SELECT sealed FROM second_factor")
        .fetch_all(&database.raw().await)
        .await
        .unwrap();
    for row in rows {
        let sealed: Vec<u8> = row.get("sealed");
        assert!(!String::from_utf8_lossy(&sealed).contains(secret));
    }

    // No code is taken twice, nor one from before: of many at once one is.
    assert!(!host.take_code("ann", &now).await.unwrap());
    clock.advance(TimeDelta::seconds(60));
    let (before, next) = (now, code(secret, &clock));
    let many = (0..8).map(|_| host.take_code("ann", &next));
    let taken = futures_util::future::join_all(many).await;
    let taken = taken.into_iter().filter(|taken| *taken.as_ref().unwrap());
    assert_eq!(taken.count(), 1);
    assert!(!host.take_code("ann", &before).await.unwrap());

    // It opens under another master key, and is gone with one that is lost.
    let source = KeySource::in_folder(folder.path());
    let keys = MasterKeys {
        store: &store,
        source: &source,
    };
    let (_, _, amount) = keys.rotate(at(3)).await.unwrap();
    assert_eq!(amount, 1);
    clock.advance(TimeDelta::seconds(60));
    let spaced = code(secret, &clock);
    let spaced = format!(" {} {}", &spaced[..3], &spaced[3..]);
    assert!(host.take_code("ann", &spaced).await.unwrap());
    std::fs::remove_file(source.path()).unwrap();
    let (_, gone) = keys.reset(at(4)).await.unwrap();
    assert_eq!(gone, [(String::new(), "second factor ann".to_owned())]);
    assert_eq!(host.second_factor("ann").await.unwrap(), Standing::Off);
}
