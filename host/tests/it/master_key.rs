//! Changing the master key: under running hosts, in the middle of a death, with a key that is somewhere else or lost.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use addon_host::clock::SystemClock;
use addon_host::host::{
    Host, HostConfig, HostError, MasterKeyError, MasterKeys, RunRequest, Terms,
};
use addon_host::installations;
use addon_host::runs::Limits;
use addon_host::store::{
    Outcome, ResealError, RunState, SettingChange, StoreError, StoredValue, Trigger, restore,
};
use addon_host::vault::{KeyId, KeySource, Secret, Vault, VaultError, sealed_with};
use rand::RngExt;
use sqlx::Row;
use tempfile::TempDir;

use crate::fixtures::{Database, at, by, on_both_databases};
use crate::guest::{guest, manifest, package};
use crate::service::{Service, answer};

on_both_databases!(
    a_master_key_is_changed_under_running_hosts_and_wherever_it_breaks_off_the_secrets_open,
    a_lost_key_is_told_and_given_up_only_on_request,
);

/// A host with a data folder of its own.
struct Machine {
    folder: TempDir,
    url: String,
}

impl Machine {
    fn new(database: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            folder,
            url: database.url.clone(),
        }
    }

    fn key(&self) -> KeySource {
        KeySource::in_folder(self.folder.path())
    }

    fn copy_key_to(&self, other: &Machine) {
        std::fs::copy(self.key().path(), other.key().path()).unwrap();
    }

    async fn open(&self) -> Result<Host, HostError> {
        let config = HostConfig {
            data_dir: self.folder.path().to_owned(),
            database_url: self.url.clone(),
        };
        Host::open_with(config, Arc::new(SystemClock), Limits::default()).await
    }
}

/// Two installations whose passwords go to that address.
async fn set_up(host: &Host, address: &str) {
    let package = package(&manifest("1.0.0", 1), guest());
    host.install_package(&package, Terms::DEVELOPMENT, "ann")
        .await
        .unwrap();
    for name in ["isp", "other"] {
        installations::create(host.store(), name, "guest", &by(at(0)))
            .await
            .unwrap();
        enter(host, name, address, "correct horse").await;
    }
}

async fn enter(host: &Host, installation: &str, address: &str, password: &str) {
    let values = [
        ("books_url", address),
        ("login", "ann"),
        ("password", password),
    ];
    let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
    host.save_settings(installation, &values, "ann")
        .await
        .unwrap();
}

async fn run(host: &Host, installation: &str) -> Outcome {
    let request = RunRequest {
        preview: false,
        trigger: Trigger::Person,
        options: Vec::new(),
        actor: "ann".into(),
    };
    let run = host.start_run(installation, "get", request).await.unwrap();
    run.wait().await
}

/// The keys that the stored secrets are sealed with.
async fn used(database: &Database) -> Vec<KeyId> {
    let raw = database.raw().await;
    let rows = sqlx::query("SELECT sealed FROM setting WHERE sealed IS NOT NULL")
        .fetch_all(&raw)
        .await
        .unwrap();
    let mut used: Vec<KeyId> = Vec::new();
    for row in rows {
        let id = sealed_with(&row.get::<Vec<u8>, _>(0)).unwrap();
        if !used.contains(&id) {
            used.push(id);
        }
    }
    raw.close().await;
    used
}

async fn a_master_key_is_changed_under_running_hosts_and_wherever_it_breaks_off_the_secrets_open(
    database: Database,
) {
    // `ann:wrong horses` is refused.
    let service = Service::start(|seen| match seen.header("authorization") {
        Some("Basic YW5uOmNvcnJlY3QgaG9yc2U=") => answer(200, "welcome"),
        _ => answer(401, "who are you?"),
    })
    .await;
    let (first, second) = (Machine::new(&database), Machine::new(&database));
    let host = first.open().await.unwrap();
    set_up(&host, &service.address()).await;
    first.copy_key_to(&second);
    let other_host = second.open().await.unwrap();
    let store = host.store().clone();
    let source = first.key();
    let keys = MasterKeys {
        store: &store,
        source: &source,
    };
    let (in_use, known) = keys.look().await.unwrap();
    let old = in_use.unwrap();
    assert_eq!(known, [old]);
    assert_eq!(used(&database).await, [old]);
    assert_eq!(run(&host, "isp").await.state, RunState::Finished);
    // A password that was refused once is not tried again; that must survive the change.
    enter(&host, "other", &service.address(), "wrong horses").await;
    run(&host, "other").await;
    let refused = service.count();
    run(&host, "other").await;
    assert_eq!(service.count(), refused);
    let backup = first.folder.path().join("backup");
    let taken = store.backup(&backup, at(1), false).await.unwrap();
    assert_eq!(taken.master_key, Some(old.to_string()));

    // It dies when the new key is on the disk and nothing else happened.
    let new = keys.add().unwrap();
    assert_eq!(keys.look().await.unwrap(), (Some(old), vec![old, new]));
    drop(first.open().await.unwrap());
    // It dies, or fails, after the first of the secrets.
    let ids = (old.to_string(), new.to_string());
    for panics in [true, false] {
        let (store, ids) = (store.clone(), ids.clone());
        let work = tokio::spawn(async move {
            let mut sealed = 0;
            let seal = |_: &str, _: &str, _: &[u8]| {
                sealed += 1;
                match (sealed, panics) {
                    (1, _) => Ok(vec![1, 2, 3]),
                    (_, true) => panic!("the power is gone"),
                    (_, false) => Err("no more"),
                }
            };
            store.reseal((&ids.0, &ids.1), b"x", at(2), seal).await
        });
        match work.await {
            Ok(answer) => assert!(matches!(answer, Err(ResealError::Seal("no more")))),
            Err(died) => assert!(panics && died.is_panic()),
        }
        assert_eq!(used(&database).await, [old]);
        assert_eq!(run(&host, "isp").await.state, RunState::Finished);
    }

    // It goes through, and takes the key that was waiting.
    let (from, to, amount) = keys.rotate(at(3)).await.unwrap();
    assert_eq!((from, to, amount), (old, new, 2));
    assert_eq!(used(&database).await, [new]);
    // Who began from the same key is too late.
    let late = store
        .reseal((&ids.0, &ids.1), b"x", at(3), |_, _, _| Err(()))
        .await;
    assert!(matches!(late, Err(ResealError::Changed)));
    // A host that ran meanwhile goes on, with what it reads and what it stores; what was sealed before is not stored after.
    assert_eq!(run(&host, "isp").await.state, RunState::Finished);
    enter(&host, "isp", &service.address(), "correct horse").await;
    assert_eq!(used(&database).await, [new]);
    let stale = Vault::open_at(source.clone(), Some(old)).unwrap();
    let change = SettingChange {
        key: "password".into(),
        value: Some(StoredValue::Sealed(
            stale.seal("isp", "password", &Secret::new("late")).unwrap(),
        )),
    };
    let refused_change = store.save_settings("isp", &[change], "ann", at(4)).await;
    assert!(matches!(refused_change, Err(StoreError::OldKey { .. })));
    assert_eq!(run(&host, "isp").await.state, RunState::Finished);
    let before = service.count();
    run(&host, "other").await;
    assert_eq!(
        service.count(),
        before,
        "the refused password is remembered"
    );

    // The host on the other machine has not got the key yet: it says which, and where it belongs.
    let told = run(&other_host, "isp").await;
    assert_eq!(told.state, RunState::Failed, "{told:?}");
    let error = second.open().await.err().unwrap();
    for part in [
        new.to_string(),
        second.key().path().display().to_string(),
        old.to_string(),
    ] {
        assert!(error.to_string().contains(&part), "{part}: {error}");
    }
    first.copy_key_to(&second);
    assert_eq!(
        run(&other_host, "isp").await.state,
        RunState::Finished,
        "without a restart"
    );
    drop(second.open().await.unwrap());

    // The old key goes when nobody needs its backups.
    assert!(matches!(
        keys.forget(new).await,
        Err(MasterKeyError::InUse(_))
    ));
    assert!(matches!(
        keys.forget("00".repeat(8).parse().unwrap()).await,
        Err(MasterKeyError::Unknown { .. })
    ));
    let there = Database::sqlite();
    restore(&there.url, &backup, first.folder.path(), at(5), false)
        .await
        .unwrap();
    let machine = Machine::new(&there);
    first.copy_key_to(&machine);
    let restored = machine.open().await.unwrap();
    assert_eq!(run(&restored, "isp").await.state, RunState::Finished);
    drop(restored);
    keys.forget(old).await.unwrap();
    first.copy_key_to(&machine);
    let error = machine.open().await.err().unwrap();
    assert!(error.to_string().contains(&old.to_string()), "{error}");
    assert_eq!(run(&host, "isp").await.state, RunState::Finished);
    assert_eq!(keys.look().await.unwrap(), (Some(new), vec![new]));
    // With nothing waiting in the file, a new key is made.
    let (_, newest, _) = keys.rotate(at(6)).await.unwrap();
    assert_eq!(
        keys.look().await.unwrap(),
        (Some(newest), vec![new, newest])
    );
}

async fn a_lost_key_is_told_and_given_up_only_on_request(database: Database) {
    let service = Service::start(|_| answer(200, "welcome")).await;
    let machine = Machine::new(&database);
    let host = machine.open().await.unwrap();
    set_up(&host, &service.address()).await;
    let store = host.store().clone();
    drop(host);
    let source = machine.key();
    let keys = MasterKeys {
        store: &store,
        source: &source,
    };
    assert!(matches!(
        keys.reset(at(1)).await,
        Err(MasterKeyError::NotLost { .. })
    ));
    std::fs::remove_file(source.path()).unwrap();
    let error = machine.open().await.err().unwrap();
    assert!(
        matches!(&error, HostError::Vault(VaultError::OtherKey { known, .. }) if known.is_empty()),
        "{error}"
    );
    assert!(error.to_string().contains("is not there"), "{error}");
    assert!(
        !source.path().exists(),
        "no new key hides that the old one is gone"
    );
    let (id, gone) = keys.reset(at(2)).await.unwrap();
    let gone: Vec<_> = gone
        .iter()
        .map(|(name, key)| (name.as_str(), key.as_str()))
        .collect();
    assert_eq!(gone, [("isp", "password"), ("other", "password")]);
    let host = machine.open().await.unwrap();
    enter(&host, "isp", &service.address(), "correct horse").await;
    assert_eq!(run(&host, "isp").await.state, RunState::Finished);
    assert_eq!(used(&database).await, [id]);
}

fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_addon-host"));
    command
        .arg("--data")
        .arg(data)
        .env_remove("ADDON_HOST_DATABASE")
        .env_remove("ADDON_HOST_MASTER_KEY_FILE");
    command
}

#[tokio::test]
async fn a_rotation_that_is_killed_at_any_moment_leaves_secrets_that_open() {
    let database = Database::sqlite();
    let data = database.folder.as_ref().unwrap().path().to_owned();
    let source = KeySource::in_folder(&data);
    let store = database.store().await;
    crate::fixtures::install(&store, "isp").await;
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(seed);
    let vault = Vault::open_at(source.clone(), None).unwrap();
    let changes: Vec<_> = (0..200)
        .map(|number| {
            let key = format!("secret{number}");
            let sealed = vault.seal("isp", &key, &Secret::new(format!("canary {number}")));
            SettingChange {
                key,
                value: Some(StoredValue::Sealed(sealed.unwrap())),
            }
        })
        .collect();
    store
        .save_settings("isp", &changes, "ann", at(0))
        .await
        .unwrap();
    const ROUNDS: usize = 10;
    for round in 1..=ROUNDS {
        let mut child = program(&data)
            .args(["master-key", "rotate", "--json"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        if round < ROUNDS {
            tokio::time::sleep(Duration::from_millis(rng.random_range(1..120))).await;
            child.kill().unwrap();
        }
        let done = child.wait().unwrap().success();
        assert!(done || round < ROUNDS);
        let in_use = store.master_key().await.unwrap();
        let in_use = in_use.map(|key| key.id.parse().unwrap());
        let vault = Vault::open_at(source.clone(), in_use).unwrap();
        for setting in store.settings("isp").await.unwrap() {
            let StoredValue::Sealed(sealed) = setting.value else {
                panic!("{setting:?}");
            };
            let opened = vault.unseal("isp", &setting.key, &sealed).unwrap();
            let number = setting.key.strip_prefix("secret").unwrap();
            assert_eq!(opened.expose(), format!("canary {number}"), "seed {seed}");
        }
    }

    // What the command says names keys by their ids, and shows none.
    let show = program(&data)
        .args(["master-key", "show"])
        .output()
        .unwrap();
    let text = String::from_utf8(show.stdout).unwrap();
    let file = std::fs::read_to_string(source.path()).unwrap();
    let last = source.ids().unwrap().last().unwrap().to_string();
    assert!(text.contains(&format!("{last}  in use")), "{text}");
    assert!(file.lines().all(|key| !text.contains(key)), "{text}");
    for (arguments, says) in [
        (["reset", ""].as_slice(), "--forget-secrets"),
        (&["reset", "--forget-secrets"], "nothing to give up"),
        (&["forget", &last], "rotate"),
        (&["forget", "x"], "16 hexadecimal digits"),
    ] {
        let arguments = arguments.iter().filter(|argument| !argument.is_empty());
        let output = program(&data)
            .arg("master-key")
            .args(arguments)
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(says), "{error}");
    }
    let elsewhere = data.join("elsewhere.key");
    std::fs::rename(source.path(), &elsewhere).unwrap();
    let named = program(&data)
        .args(["master-key", "show", "--json", "--master-key-file"])
        .arg(&elsewhere)
        .output()
        .unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&named.stdout).unwrap();
    assert_eq!(
        (&shown["in_use"], &shown["found"]),
        (&last.as_str().into(), &true.into())
    );
    // A backup says which key it needs, and a restore whether that is there.
    let backup = data.join("backup");
    let json = |command: &mut Command| -> serde_json::Value {
        let output = command.arg("--json").output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let taken = json(program(&data).arg("backup").arg(&backup));
    assert_eq!(taken["needs_master_key"], last.as_str());
    for found in [false, true] {
        let there = tempfile::tempdir().unwrap();
        let mut command = program(there.path());
        command.arg("restore").arg(&backup);
        if found {
            command.arg("--master-key-file").arg(&elsewhere);
        }
        assert_eq!(json(&mut command)["master_key_found"], found);
    }
    let lost = program(&data)
        .args(["master-key", "show"])
        .output()
        .unwrap();
    assert!(!lost.status.success());
}
