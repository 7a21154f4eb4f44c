//! Several installations on one host: apart in everything that is theirs, together in what the services count, and told where they
//! get in each other's way.

use std::sync::Arc;
use std::time::Duration;

use addon_host::host::{Host, HostConfig, RunRequest, Terms};
use addon_host::installations;
use addon_host::manifest::Manifest;
use addon_host::runs::{Finding, Limits};
use addon_host::settings::{Settings, validate};
use addon_host::store::{ActivityFilter, RunState, Store, Trigger};
use addon_host::vault::Vault;
use tempfile::TempDir;

use crate::fixtures::{at, by};
use crate::guest::{self, guest, package};
use crate::service::{Service, answer};
use crate::web::site::{MANIFEST, Stopped};

async fn host(manifest: &str, names: &[&str]) -> (Host, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = HostConfig {
        data_dir: folder.path().to_owned(),
        database_url: Store::default_url(folder.path()),
    };
    let clock = Arc::new(Stopped::at(at(0)));
    let host = Host::open_with(config, clock, Limits::default())
        .await
        .unwrap();
    host.install_package(&package(manifest, guest()), Terms::DEVELOPMENT, "ann")
        .await
        .unwrap();
    for name in names {
        installations::create(host.store(), name, "guest", &by(at(0)))
            .await
            .unwrap();
    }
    (host, folder)
}

async fn save(host: &Host, installation: &str, settings: &[(&str, &str)]) {
    let settings: Vec<(String, String)> = settings
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    host.save_settings(installation, &settings, "ann")
        .await
        .unwrap();
}

fn request() -> RunRequest {
    RunRequest {
        preview: false,
        trigger: Trigger::Person,
        options: Vec::new(),
        actor: "ann".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_installations_of_two_versions_work_at_once_and_see_nothing_of_each_other() {
    let (host, _folder) = host(&guest::manifest("1.0.0", 1), &["north", "south"]).await;
    let store = host.store();
    let service = Service::start(|_| answer(200, "")).await;
    let address = service.address();
    for (name, login) in [("north", "north-login"), ("south", "south-login")] {
        let password = format!("secret of {name}");
        let settings = [
            ("books_url", address.as_str()),
            ("login", login),
            ("password", &password),
        ];
        save(&host, name, &settings).await;
    }
    // The one works on with its version while the other begins with the next.
    let old = host
        .start_run("north", "progress", request())
        .await
        .unwrap();
    let next = package(&guest::manifest("1.1.0", 1), guest());
    host.install_package(&next, Terms::DEVELOPMENT, "ann")
        .await
        .unwrap();
    let new = host.start_run("south", "commit", request()).await.unwrap();
    let new_id = new.id();
    assert_eq!(new.wait().await.state, RunState::Finished);
    let (old_run, new_run) = (
        store.run(old.id()).await.unwrap(),
        store.run(new_id).await.unwrap(),
    );
    assert_eq!(old_run.state, RunState::Running);
    assert_ne!(old_run.package_sha256, new_run.package_sha256);

    // What the one stored and did is the other's in no list.
    let stored = |name: &'static str| async move {
        let keys = ["k".to_owned()];
        store.guest_get(name, "t", &keys).await.unwrap().len()
    };
    assert_eq!((stored("north").await, stored("south").await), (0, 1));
    for (name, run) in [("north", old.id()), ("south", new_id)] {
        let runs = store.runs(name, None, 10).await.unwrap();
        let ids: Vec<i64> = runs.iter().map(|run| run.id).collect();
        assert_eq!(ids, [run]);
        let activities = store
            .activities(name, &ActivityFilter::default())
            .await
            .unwrap();
        assert!(activities.iter().all(|row| row.run == Some(run)));
    }
    // A secret sealed for the one does not open for the other, even where somebody moves the bytes.
    let sealed = store.settings("north").await.unwrap();
    let changes: Vec<_> = sealed
        .into_iter()
        .filter(|setting| setting.key == "password")
        .map(|setting| addon_host::store::SettingChange {
            key: setting.key,
            value: Some(setting.value),
        })
        .collect();
    store
        .save_settings("south", &changes, "mallory", at(0))
        .await
        .unwrap();
    assert!(
        host.start_run("south", "get", request())
            .await
            .unwrap()
            .wait()
            .await
            .state
            == RunState::Failed
    );
    host.request_stop(old.id()).await.unwrap();
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(60), old.wait())
            .await
            .unwrap()
            .state,
        RunState::Stopped
    );
}

#[test]
fn a_budget_is_shared_by_what_the_service_counts_and_by_nothing_else() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugin/addon.toml"))
            .unwrap();
    let manifest = Manifest::parse(&text).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::open(&folder.path().join("master.key")).unwrap();
    let budget = |connection: &str, settings: &[(&str, &str)]| {
        let given: Vec<(String, String)> = settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let changes = validate(&manifest, &given).unwrap();
        let settings = Settings::default().with_changes(&manifest, &changes);
        let service = "service.example";
        settings.budget_key(
            &vault,
            service,
            connection,
            &manifest.connections[connection],
        )
    };
    let sage = |login: &str, key: &str, partners: &str| {
        budget(
            "sage",
            &[
                ("sage_login", login),
                ("sage_api_key", key),
                ("partners_ignore", partners),
            ],
        )
    };
    assert_eq!(sage("a@isp", "key", "1"), sage("a@isp", "key", "2"));
    assert_ne!(sage("a@isp", "key", "1"), sage("b@isp", "key", "1"));
    assert_ne!(sage("a@isp", "key", "1"), sage("a@isp", "other", "1"));
    let splynx = |domain: &str| budget("splynx", &[("splynx_api_domain", domain)]);
    assert_eq!(
        splynx("https://isp.example"),
        splynx("https://isp.example/")
    );
    assert_ne!(
        splynx("https://isp.example"),
        splynx("https://other.example")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_exports_the_same_and_what_nobody_exports_is_told_with_a_cure() {
    let territory = r#"
[territory]
source = ["name"]
target = ["zone"]
leaves_out = "days"
tag = "tag"

[[settings]]
key = "tag"
title = "Tag"
type = "text"
"#;
    let manifest = format!("{MANIFEST}{territory}");
    let (host, _folder) = host(&manifest, &["north", "south", "elsewhere"]).await;
    let told = async |name: &str| -> Vec<(String, String)> {
        let findings = host.check(name).await.unwrap();
        let of_territory = |finding: &Finding| {
            finding.code.starts_with("territory") || finding.code.starts_with("same-")
        };
        findings
            .into_iter()
            .filter(of_territory)
            .map(|finding| {
                assert!(!finding.cure.is_empty());
                (finding.code, finding.message)
            })
            .collect()
    };
    let codes = |told: Vec<(String, String)>| -> Vec<String> {
        told.into_iter().map(|(code, _)| code).collect()
    };
    for (name, source, target) in [
        ("north", "isp", "Africa/Harare"),
        ("south", "isp", "Africa/Harare"),
        ("elsewhere", "another", "Africa/Maputo"),
    ] {
        save(
            &host,
            name,
            &[("name", source), ("zone", target), ("password", "x")],
        )
        .await;
    }
    // Everything twice, and under the same marks.
    let both = told("north").await;
    assert!(
        both[1].1.contains("`south`") && both[1].1.contains("Monday, Tuesday"),
        "{both:?}"
    );
    assert_eq!(codes(both), ["same-mark", "territory-overlap"]);
    // Neither takes the other's work for its own; a preview may show what it would do.
    for name in ["north", "south"] {
        let refused = host.start_run(name, "finish", request()).await.err();
        let refused = refused.expect("it is refused").to_string();
        assert!(refused.contains("Set `tag`"), "{refused}");
    }
    save(&host, "north", &[("zone", "Africa/Maputo")]).await;
    assert_eq!(
        codes(told("north").await),
        ["same-tag", "territory-overlap"]
    );
    host.start_run("north", "finish", request())
        .await
        .unwrap()
        .wait()
        .await;
    save(&host, "north", &[("zone", "Africa/Harare")]).await;
    assert_eq!(codes(told("elsewhere").await), [""; 0]);

    save(&host, "north", &[("days", "1"), ("tag", "N")]).await;
    assert_eq!(
        codes(told("south").await),
        ["territory-overlap"],
        "Tuesday is both's"
    );
    save(&host, "south", &[("days", "2"), ("tag", "n")]).await;
    assert_eq!(
        codes(told("south").await),
        ["same-mark"],
        "case tells nothing apart"
    );
    save(&host, "south", &[("tag", "S")]).await;
    for name in ["north", "south", "elsewhere"] {
        assert_eq!(
            codes(told(name).await),
            [""; 0],
            "{name}: each part has its one"
        );
    }
    save(&host, "south", &[("days", "1,2")]).await;
    let gap = told("north").await;
    assert!(
        gap[0].1.contains("Monday") && !gap[0].1.contains("Tuesday"),
        "{gap:?}"
    );
    assert_eq!(codes(gap), ["territory-gap"]);

    // One that is not set up so far is in nobody's way; nor is one that is gone.
    save(&host, "south", &[("days", ""), ("name", "third")]).await;
    assert_eq!(
        codes(told("north").await),
        [""; 0],
        "other source, another tag"
    );
}
