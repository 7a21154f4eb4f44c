//! Packages on their way into a host: who signed them, what they ask for, where the host dies on the way, and back again.

use std::sync::Arc;
use std::task::Poll;

use addon_host::clock::{Clock, SystemClock};
use addon_host::host::{Host, HostConfig, HostError, RunRequest, Terms};
use addon_host::installations;
use addon_host::manifest::Manifest;
use addon_host::packages::{Changes, NewKeys, PublicKey, SecretKey, make_keys, read, split};
use addon_host::runs::Limits;
use addon_host::store::{RunState, Trigger, TrustedKey};
use tempfile::TempDir;

use crate::fixtures::{Database, at, by, on_both_databases};
use crate::guest::{changed_guest, guest, manifest, package};

/// A manifest with a serial number.
fn numbered(version: &str, serial: u32, state: u32) -> String {
    manifest(version, state).replace("state =", &format!("serial = {serial}\nstate ="))
}

async fn open(folder: &TempDir, database: &Database) -> Host {
    let config = HostConfig {
        data_dir: folder.path().to_owned(),
        database_url: database.url.clone(),
    };
    Host::open_with(config, Arc::new(SystemClock), Limits::default())
        .await
        .unwrap()
}

fn signed(archive: &[u8], keys: &NewKeys) -> Vec<u8> {
    let key = SecretKey::read(&keys.secret, None).unwrap();
    key.sign(archive, "guest").unwrap().before(archive)
}

async fn trust(host: &Host, key: &PublicKey, name: &str) {
    let key = TrustedKey {
        id: key.id(),
        public_key: key.line(),
        name: name.to_owned(),
        added_at: SystemClock.now(),
        added_by: "ann".to_owned(),
    };
    host.store().trust(&key).await.unwrap();
}

async fn active(host: &Host) -> Option<String> {
    let active = host.store().active_addon("guest").await.unwrap();
    active.map(|version| version.version)
}

async fn run(host: &Host, job: &str) -> (RunState, String, i64) {
    let request = RunRequest {
        preview: false,
        trigger: Trigger::Person,
        options: Vec::new(),
        actor: "ann".to_owned(),
    };
    let run = host.start_run("isp", job, request).await.unwrap();
    let id = run.id();
    let outcome = run.wait().await;
    let code = outcome.why.map(|why| why.code).unwrap_or_default();
    (outcome.state, code, id)
}

async fn stored_value(host: &Host) -> Option<String> {
    let keys = ["k".to_owned()];
    let found = host.store().guest_get("isp", "t", &keys).await.unwrap();
    found.into_iter().next().map(|entry| entry.value)
}

#[test]
fn only_what_the_owner_of_a_key_signed_passes_as_theirs() {
    let archive = package(&numbered("1.0.0", 1, 1), guest());
    let keys = make_keys(None).unwrap();
    let whole = signed(&archive, &keys);
    let parts = split(&whole).unwrap();
    assert_eq!(parts.archive, archive);
    let signature = parts.signature.unwrap();
    assert_eq!(signature.key(), keys.key.id());
    assert_eq!(signature.verify(&keys.key, &archive).unwrap(), "guest");
    // The line and the file of a public key are the same key.
    for text in [keys.key.line(), keys.public.clone()] {
        assert_eq!(PublicKey::read(&text).unwrap().line(), keys.key.line());
    }
    let stranger = make_keys(None).unwrap();
    assert!(signature.verify(&stranger.key, &archive).is_err());

    // One byte changed anywhere: in the signature it is another one or none, in the archive it does not fit.
    let head = whole.len() - archive.len();
    let places = (0..head).chain((head..whole.len()).step_by(97));
    for at in places {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        let verified = split(&damaged).ok().and_then(|parts| {
            let signature = parts.signature?;
            signature.verify(&keys.key, parts.archive).ok()
        });
        // The untrusted comment is called so because it is not signed.
        let is_comment = at < whole.iter().position(|byte| *byte == b'\n').unwrap();
        assert!(is_comment || verified.is_none(), "byte {at}");
    }
    for broken in [
        &b"untrusted comment: x\n"[..],
        b"untrusted comment: x\ny\nz\n\n",
        &[b"untrusted comment: ".as_slice(), &[b'x'; 5000]].concat(),
    ] {
        assert!(split(broken).is_err());
    }

    let locked = make_keys(Some("long and secret")).unwrap();
    assert!(SecretKey::read(&locked.secret, None).is_err());
    assert!(SecretKey::read(&locked.secret, Some("guessed")).is_err());
    let key = SecretKey::read(&locked.secret, Some("long and secret")).unwrap();
    let signature = key.sign(&archive, "guest").unwrap();
    signature.verify(&locked.key, &archive).unwrap();
}

/// The tool that the format comes from, where the machine has it (Debian: minisign).
#[test]
fn minisign_itself_verifies_our_signatures_and_makes_ones_that_we_verify() {
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new("minisign")
            .args(arguments)
            .output();
        output.map(|output| (output.status.success(), output))
    };
    if run(&["-v"]).is_err() {
        println!("skipped: there is no minisign here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let archive = package(&numbered("1.0.0", 1, 1), guest());
    let keys = make_keys(None).unwrap();
    let whole = signed(&archive, &keys);
    // As docs/packages.md says: the first four lines are the signature, the rest is what it signs.
    let parts = split(&whole).unwrap();
    std::fs::write(path("guest.zip"), parts.archive).unwrap();
    std::fs::write(path("guest.minisig"), parts.signature.unwrap().text()).unwrap();
    let (file, signature) = (path("guest.zip"), path("guest.minisig"));
    let line = keys.key.line();
    let (ok, output) = run(&["-V", "-m", &file, "-x", &signature, "-P", &line]).unwrap();
    assert!(ok, "{output:?}");

    let (secret, public) = (path("tool.key"), path("tool.pub"));
    let (ok, output) = run(&["-G", "-W", "-s", &secret, "-p", &public]).unwrap();
    assert!(ok, "{output:?}");
    let key = PublicKey::read(&std::fs::read_to_string(public).unwrap()).unwrap();
    // Also in its older way.
    for way in [&["-S"][..], &["-S", "-l"]] {
        let theirs = path("theirs.minisig");
        let (ok, output) =
            run(&[way, &["-s", &secret, "-m", &file, "-x", &theirs]].concat()).unwrap();
        assert!(ok, "{output:?}");
        let text = std::fs::read(&theirs).unwrap();
        let whole = [text.as_slice(), &archive].concat();
        let parts = split(&whole).unwrap();
        let signature = parts.signature.unwrap();
        signature.verify(&key, parts.archive).unwrap();
        let changed = [parts.archive, b"x"].concat();
        assert!(signature.verify(&key, &changed).is_err(), "{way:?}");
    }
    // A key of the tool's, under no password, signs here too.
    let secret = SecretKey::read(&std::fs::read_to_string(secret).unwrap(), None).unwrap();
    let ours = secret.sign(&archive, "guest").unwrap();
    ours.verify(&key, &archive).unwrap();
}

#[test]
fn what_a_package_asks_for_beyond_the_one_in_use_is_told_apart_from_what_else_changes() {
    let before = numbered("1.0.0", 1, 1).replace("6000", "5000");
    let changes = |text: &str| {
        let before = Manifest::parse(&before).unwrap();
        Changes::between(Some(&before), &Manifest::parse(text).unwrap())
    };
    assert_eq!(changes(&before), Changes::default());
    for (from, to, more, other) in [
        (
            "hosts = [\"{books_url}\"]",
            "hosts = [\"{books_url}\", \"https://evil.example/\"]",
            "evil.example",
            "",
        ),
        (
            "type = \"basic\", user = \"login\", password = \"password\"",
            "type = \"bearer\", token = \"{password}\"",
            "bearer",
            "",
        ),
        (
            "private_addresses = true",
            "private_addresses = false",
            "",
            "",
        ),
        (
            "per_minute = 5000",
            "per_minute = 5001",
            "5001 requests a minute",
            "",
        ),
        (
            "per_minute = 5000",
            "per_minute = 5000\nper_day = 10",
            "",
            "10 requests a day",
        ),
        (
            "key = \"company\"",
            "key = \"firm\"",
            "",
            "a new setting firm",
        ),
        ("id = \"nap\"", "id = \"sleep\"", "", "no job nap any more"),
        ("state = 1", "state = 2", "", "stored state 2"),
    ] {
        let text = before.replace(from, to);
        assert_ne!(text, before, "{from}");
        let changes = changes(&text);
        let has = |list: &[String], what: &str| match what {
            "" => list.is_empty(),
            what => list.iter().any(|line| line.contains(what)),
        };
        assert!(has(&changes.asks_for_more, more), "{to}: {changes:?}");
        assert!(
            other.is_empty() || has(&changes.other, other),
            "{to}: {changes:?}"
        );
    }
    let open = before.replace("private_addresses = true\n", "");
    let asks = Changes::between(
        Some(&Manifest::parse(&open).unwrap()),
        &Manifest::parse(&before).unwrap(),
    );
    assert!(
        asks.asks_for_more[0].contains("private networks"),
        "{asks:?}"
    );
    let all = Changes::between(None, &Manifest::parse(&before).unwrap());
    assert!(
        all.asks_for_more[0].contains("the connection books"),
        "{all:?}"
    );
}

on_both_databases!(unsigned_foreign_and_older_packages_stay_outside_until_a_person_says_otherwise);
async fn unsigned_foreign_and_older_packages_stay_outside_until_a_person_says_otherwise(
    database: Database,
) {
    let folder = tempfile::tempdir().unwrap();
    let host = open(&folder, &database).await;
    let archive = |version: &str, serial: u32| package(&numbered(version, serial, 1), guest());
    let (makers, others) = (make_keys(None).unwrap(), make_keys(None).unwrap());
    let refused = |result: Result<_, HostError>, why: &str| {
        let error = match result {
            Ok(_) => panic!("taken: {why}"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(why), "{why}: {error}");
    };
    let strict = Terms::default();
    let first = archive("1.0.0", 3);
    refused(
        host.install_package(&first, strict, "ann").await,
        "nobody signed",
    );
    let by_makers = signed(&first, &makers);
    refused(
        host.install_package(&by_makers, strict, "ann").await,
        "is not trusted here",
    );
    // What nobody vouches for is not even looked into.
    refused(
        host.install_package(&signed(b"PK no archive", &makers), strict, "ann")
            .await,
        "is not trusted here",
    );
    trust(&host, &makers.key, "makers").await;
    let mut damaged = by_makers.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    refused(
        host.install_package(&damaged, Terms::DEVELOPMENT, "ann")
            .await,
        "changed after it was signed",
    );
    assert_eq!(active(&host).await, None);
    let installed = host
        .install_package(&by_makers, strict, "ann")
        .await
        .unwrap();
    assert_eq!(installed.signed_by, makers.key.id());
    installations::create(host.store(), "isp", "guest", &by(SystemClock.now()))
        .await
        .unwrap();

    refused(
        host.install_package(&signed(&archive("1.1.0", 2), &makers), strict, "ann")
            .await,
        "serial number 2 is lower than 3",
    );
    trust(&host, &others.key, "others").await;
    let by_others = signed(&archive("1.1.0", 4), &others);
    refused(
        host.install_package(&by_others, strict, "ann").await,
        "--accept-new-key",
    );
    let new_key = Terms {
        new_key: true,
        ..strict
    };
    host.install_package(&by_others, new_key, "ann")
        .await
        .unwrap();
    assert_eq!(active(&host).await.as_deref(), Some("1.1.0"));

    // Back and forth: to what was here, and by command only.
    refused(
        host.install_package(&by_makers, new_key, "ann").await,
        "is older",
    );
    host.roll_back("guest", None, "bob").await.unwrap();
    assert_eq!(active(&host).await.as_deref(), Some("1.0.0"));
    refused(
        host.roll_back("guest", None, "bob").await,
        "no earlier version",
    );
    host.roll_back("guest", Some("1.1.0"), "bob").await.unwrap();
    assert_eq!(active(&host).await.as_deref(), Some("1.1.0"));

    // Old versions go, but for what somebody stays at.
    let pinned = host.store().versions_of("guest").await.unwrap();
    let pinned = pinned
        .iter()
        .find(|version| version.version == "1.0.0")
        .unwrap();
    host.store()
        .pin("isp", Some(pinned), &by(at(0)))
        .await
        .unwrap();
    for serial in 5..12 {
        let package = signed(&archive(&format!("1.{serial}.0"), serial), &others);
        host.install_package(&package, strict, "ann").await.unwrap();
    }
    let kept = host.store().versions_of("guest").await.unwrap();
    let kept: Vec<&str> = kept
        .iter()
        .map(|version| version.version.as_str())
        .collect();
    assert_eq!(kept, ["1.11.0", "1.10.0", "1.9.0", "1.0.0"]);
    assert_eq!(run(&host, "finish").await.0, RunState::Finished);
    let runs = host.store().runs("isp", None, 1).await.unwrap();
    assert_eq!(
        runs[0].package_sha256, pinned.sha256,
        "it stays at its version"
    );
}

on_both_databases!(
    a_version_that_breaks_down_or_cannot_migrate_is_gone_back_from_with_nothing_lost
);
async fn a_version_that_breaks_down_or_cannot_migrate_is_gone_back_from_with_nothing_lost(
    database: Database,
) {
    let folder = tempfile::tempdir().unwrap();
    let host = open(&folder, &database).await;
    let terms = Terms::DEVELOPMENT;
    let install = async |version: &str, serial: u32, state: u32, guest: &[u8]| {
        let package = package(&numbered(version, serial, state), guest);
        host.install_package(&package, terms, "ann").await.unwrap()
    };
    install("1.0.0", 1, 1, guest()).await;
    installations::create(host.store(), "isp", "guest", &by(SystemClock.now()))
        .await
        .unwrap();
    for _ in 0..4 {
        assert_eq!(run(&host, "break").await.1, "crashed");
    }
    assert_eq!(
        active(&host).await.as_deref(),
        Some("1.0.0"),
        "there is none before it"
    );
    assert_eq!(run(&host, "commit").await.0, RunState::Finished);

    install("1.1.0", 2, 1, guest()).await;
    for _ in 0..2 {
        assert_eq!(run(&host, "break").await.1, "crashed");
        assert_eq!(active(&host).await.as_deref(), Some("1.1.0"));
    }
    let (_, _, last) = run(&host, "break").await;
    assert_eq!(active(&host).await.as_deref(), Some("1.0.0"));
    let told = host.store().log_lines(last, 0, 100).await.unwrap();
    let told = told
        .iter()
        .any(|row| row.line.message.contains("went back to version 1.0.0"));
    assert!(told, "the run's log says so");
    let versions = host.store().versions_of("guest").await.unwrap();
    assert!(
        versions
            .iter()
            .any(|version| version.withdrawn.contains("by itself"))
    );

    // One that has worked stays, whatever happens later.
    install("1.2.0", 3, 1, guest()).await;
    assert_eq!(run(&host, "finish").await.0, RunState::Finished);
    for _ in 0..4 {
        assert_eq!(run(&host, "break").await.1, "crashed");
    }
    assert_eq!(active(&host).await.as_deref(), Some("1.2.0"));

    // A migration that stores something else and then breaks down.
    let migrating = changed_guest(&[
        (
            "(data (i32.const 148) \"v\")",
            "(data (i32.const 148) \"w\")",
        ),
        (
            "(call $outcome (i32.add (local.get $from) (i32.const 1)) (i32.const 0))",
            "(drop (call $store)) unreachable",
        ),
    ]);
    assert_eq!(stored_value(&host).await.as_deref(), Some("v"));
    let bytes = host.store().installation("isp").await.unwrap().stored_bytes;
    let version = install("2.0.0", 4, 2, &migrating).await;
    let migrated = host.migrate_installations(&version, "ann").await.unwrap();
    let failure = migrated[0].failure.as_ref().unwrap();
    assert_eq!(failure.code, "migration");
    assert!(
        failure.message.contains("it is as it was"),
        "{}",
        failure.message
    );
    assert_eq!(active(&host).await.as_deref(), Some("1.2.0"));
    assert_eq!(stored_value(&host).await.as_deref(), Some("v"));
    let after = host.store().installation("isp").await.unwrap();
    assert_eq!((after.state, after.stored_bytes), (1, bytes));
    assert_eq!(run(&host, "finish").await.0, RunState::Finished);

    let version = install("2.0.1", 5, 2, guest()).await;
    let migrated = host.migrate_installations(&version, "ann").await.unwrap();
    assert!(migrated[0].failure.is_none());
    assert_eq!(host.store().installation("isp").await.unwrap().state, 2);
}

/// Dies at every place where the update waits for the disk or the database, one after another, and starts again.
async fn update_dying_everywhere(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let terms = Terms::DEVELOPMENT;
    let old = package(&numbered("1.0.0", 1, 1), guest());
    let new = package(&numbered("2.0.0", 2, 2), guest());
    {
        let host = open(&folder, &database).await;
        host.install_package(&old, terms, "ann").await.unwrap();
        installations::create(host.store(), "isp", "guest", &by(SystemClock.now()))
            .await
            .unwrap();
        assert_eq!(run(&host, "commit").await.0, RunState::Finished);
    }
    let mut deaths = 0;
    loop {
        let host = open(&folder, &database).await;
        let update = async {
            let offer = host.examine(&new, terms, None).await.unwrap();
            let version = host.accept(&offer, None, "ann").await.unwrap();
            host.migrate_installations(&version, "ann").await.unwrap();
        };
        let mut update = Box::pin(update);
        let mut left = deaths;
        let survived = std::future::poll_fn(|context| match update.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => {
                left -= 1;
                Poll::Pending
            }
        })
        .await;
        drop(update);
        drop(host);
        // Another start finds the one version or the other, whole, and its state with it.
        let host = open(&folder, &database).await;
        let version = active(&host).await.unwrap();
        assert!(["1.0.0", "2.0.0"].contains(&version.as_str()), "{version}");
        let ended = loop {
            match host.start_run("isp", "finish", request()).await {
                Ok(run) => break run.wait().await,
                // The migration that the last host began with goes on in this process.
                Err(HostError::Begin(_)) => {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await
                }
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(
            ended.state,
            RunState::Finished,
            "after {deaths} steps: {ended:?}"
        );
        assert_eq!(stored_value(&host).await.as_deref(), Some("v"));
        let state = host.store().installation("isp").await.unwrap().state;
        assert_eq!(state, if version == "1.0.0" { 1 } else { 2 });
        if survived {
            assert_eq!(version, "2.0.0");
            break;
        }
        if version == "2.0.0" {
            // So that the next death is on the way there again.
            host.roll_back("guest", Some("1.0.0"), "ann").await.unwrap();
            host.store().set_state_version("isp", 1).await.unwrap();
        }
        deaths += 1;
    }
    assert!(deaths >= 3, "only {deaths} places to die at");
    println!("{deaths} places");
}

fn request() -> RunRequest {
    RunRequest {
        preview: false,
        trigger: Trigger::Person,
        options: Vec::new(),
        actor: "ann".to_owned(),
    }
}

on_both_databases!(
    an_update_that_dies_anywhere_leaves_the_old_version_or_the_new_one_and_can_be_repeated
);
async fn an_update_that_dies_anywhere_leaves_the_old_version_or_the_new_one_and_can_be_repeated(
    database: Database,
) {
    update_dying_everywhere(database).await;
}

/// What was compiled is kept, and is no way in: whatever is not what this host wrote is compiled anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_compiled_component_that_somebody_changed_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::sqlite();
    let archive = package(&numbered("1.0.0", 1, 1), guest());
    let compiled = || {
        let files = std::fs::read_dir(folder.path().join("compiled")).unwrap();
        let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    };
    let host = open(&folder, &database).await;
    host.install_package(&archive, Terms::DEVELOPMENT, "ann")
        .await
        .unwrap();
    installations::create(host.store(), "isp", "guest", &by(SystemClock.now()))
        .await
        .unwrap();
    drop(host);
    let original = std::fs::read(compiled()).unwrap();
    let changed_at = |at: usize| {
        let mut bytes = original.clone();
        bytes[at] ^= 1;
        bytes
    };
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("half", original[..original.len() / 2].to_vec()),
        ("another digest", changed_at(0)),
        ("another byte of code", changed_at(original.len() / 2)),
        (
            "another host's",
            [vec![0; 32], original[32..].to_vec()].concat(),
        ),
        ("as it was", original.clone()),
    ] {
        std::fs::write(compiled(), bytes).unwrap();
        let host = open(&folder, &database).await;
        assert_eq!(run(&host, "finish").await.0, RunState::Finished, "{what}");
        drop(host);
        assert_eq!(
            std::fs::read(compiled()).unwrap(),
            original,
            "{what}: kept anew"
        );
    }
    assert!(read(&archive).is_ok());
}
