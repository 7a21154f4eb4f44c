//! The contract keeps its word to components that were built against a released version of it (`wit/README.md`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use addon_host::clock::{Clock, SystemClock};
use addon_host::host::{Host, HostConfig, RunRequest, Terms};
use addon_host::installations;
use addon_host::manifest::INTERFACE_VERSION;
use addon_host::runs::Limits;
use addon_host::store::{RunState, Store as Database, Trigger};
use semver::Version;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};
use wit_component::semver_check;
use wit_parser::{Resolve, WorldId};

use crate::fixtures::by;
use crate::guest::{WIT, component, manifest, package, scripted};

/// A version's files and their text.
type Texts = BTreeMap<String, String>;

fn texts(folder: &Path) -> Texts {
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let wit = files.filter(|path| path.extension().is_some_and(|ending| ending == "wit"));
    wit.map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    })
    .collect()
}

fn released() -> Vec<(Version, PathBuf)> {
    let folders = std::fs::read_dir(format!("{WIT}/released")).unwrap();
    let mut released: Vec<(Version, PathBuf)> = folders
        .map(|folder| folder.unwrap().path())
        .map(|path| {
            let version = path.file_name().unwrap().to_string_lossy().into_owned();
            (version.parse().expect("a folder for each version"), path)
        })
        .collect();
    released.sort();
    assert!(!released.is_empty());
    released
}

fn push(resolve: &mut Resolve, texts: &Texts) -> Result<WorldId, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in texts {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let pushed = resolve.push_path(folder.path());
    let (package, _) = pushed.map_err(|error| format!("{error:#}"))?;
    let world = resolve.select_world(&[package], Some("sync-addon"));
    world.map_err(|error| format!("{error:#}"))
}

fn version_of(texts: &Texts) -> Version {
    let line = texts["types.wit"].lines().find_map(|line| {
        line.strip_prefix("package splynx:addon@")?
            .strip_suffix(';')
    });
    line.expect("a version").parse().unwrap()
}

/// Whether components built against `before` still run where `now` is offered, and `now` says so by its version.
fn gate(before: &Texts, now: &Texts) -> Result<(), String> {
    let (old, new) = (version_of(before), version_of(now));
    if old == new {
        return match before == now {
            true => Ok(()),
            false => Err(format!(
                "{old} is released and is not edited any more: give the change a version of its own"
            )),
        };
    }
    if old.major != new.major {
        return Ok(());
    }
    if new < old {
        return Err(format!("{new} comes after {old}, which is released"));
    }
    let mut resolve = Resolve::default();
    let worlds = (push(&mut resolve, before)?, push(&mut resolve, now)?);
    let exports = |world| resolve.worlds[world].exports.len();
    if exports(worlds.0) != exports(worlds.1) {
        return Err(
            "the world's exports are what installed components have: no more, no less".to_owned(),
        );
    }
    semver_check(resolve, worlds.0, worlds.1)
        .map_err(|error| format!("a component built against {old} does not fit {new}: {error:#}"))
}

fn edited(texts: &Texts, version: &str, file: &str, from: &str, to: &str) -> Texts {
    let mut edited = texts.clone();
    for text in edited.values_mut() {
        *text = text.replace("splynx:addon@1.0.0", &format!("splynx:addon@{version}"));
    }
    let text = edited.get_mut(file).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    *text = text.replacen(from, to, 1);
    edited
}

#[test]
fn what_is_offered_now_fits_every_released_version() {
    let now = texts(Path::new(WIT));
    assert_eq!(version_of(&now), INTERFACE_VERSION);
    for (version, folder) in released() {
        let before = texts(&folder);
        assert_eq!(version_of(&before), version);
        gate(&before, &now).unwrap_or_else(|why| panic!("{version}: {why}"));
    }
}

#[test]
fn the_gate_lets_functions_be_added_to_imports_and_nothing_else() {
    let (_, folder) = released().remove(0);
    let before = texts(&folder);
    let edit = |version: &str, file: &str, from: &str, to: &str| {
        gate(&before, &edited(&before, version, file, from, to))
    };
    let function = "now: func() -> u64;\n    later: func() -> u64;";
    for (version, file, from, to) in [
        ("1.1.0", "run.wit", "now: func() -> u64;", function),
        ("1.0.1", "run.wit", "now: func() -> u64;", function),
        (
            "1.1.0",
            "types.wit",
            "/// A name and a value.",
            "/// Names and values.",
        ),
        // Another contract, served beside this one.
        ("2.0.0", "run.wit", "now: func() -> u64;", ""),
        ("0.9.0", "types.wit", "/// A name and a value.", "///"),
    ] {
        edit(version, file, from, to).unwrap_or_else(|why| panic!("{file}: {to}: {why}"));
    }
    for (version, file, from, to, why) in [
        (
            "1.0.0",
            "run.wit",
            "now: func() -> u64;",
            function,
            "is not edited",
        ),
        (
            "1.0.0",
            "types.wit",
            "/// A name and a value.",
            "///",
            "is not edited",
        ),
        (
            "1.1.0",
            "run.wit",
            "now: func() -> u64;",
            "",
            "does not fit",
        ),
        (
            "1.1.0",
            "run.wit",
            "now: func() -> u64;",
            "now: func() -> u32;",
            "does not fit",
        ),
        (
            "1.1.0",
            "run.wit",
            "now: func() -> u64;",
            "time: func() -> u64;",
            "does not fit",
        ),
        (
            "1.1.0",
            "types.wit",
            "{ name: string, value: string }",
            "{ name: string, value: string, more: string }",
            "does not fit",
        ),
        (
            "1.1.0",
            "types.wit",
            "{ name: string, value: string }",
            "{ value: string, name: string }",
            "does not fit",
        ),
        (
            "1.1.0",
            "http.wit",
            "status: u16",
            "status: u32",
            "does not fit",
        ),
        (
            "1.1.0",
            "http.wit",
            "list<result<response, unanswered>>",
            "list<response>",
            "does not fit",
        ),
        (
            "1.1.0",
            "addon.wit",
            "check: func() -> ",
            "check: func(thorough: bool) -> ",
            "does not fit",
        ),
        (
            "1.1.0",
            "addon.wit",
            "check: func() -> ",
            "greet: func();\n    check: func() -> ",
            "does not fit",
        ),
        ("1.1.0", "addon.wit", "import storage;", "", "does not fit"),
        (
            "1.1.0",
            "addon.wit",
            "export addon;",
            "export addon;\n    export hello: func();",
            "no more, no less",
        ),
        (
            "1.1.0",
            "addon.wit",
            "import run;",
            "import run;\n    export run;",
            "no more, no less",
        ),
    ] {
        let refused = edit(version, file, from, to);
        let error = refused.expect_err(to);
        assert!(error.contains(why), "{to}: {error}");
    }
    let later = edited(&before, "1.2.0", "types.wit", "", "");
    let earlier = edited(&before, "1.1.0", "types.wit", "", "");
    assert!(gate(&later, &earlier).unwrap_err().contains("comes after"));
}

/// Calls every function of the contract once, and does not mind the answers.
const EVERY_CALL: &str = r#"
    (call $send (i32.const 0) (i32.const 0) (i32.const 256))
    (call $get (i32.const 64) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 256))
    (call $scan (i32.const 64) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 10) (i32.const 256))
    (call $commit (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256))
    (call $settings (i32.const 256))
    (call $fetched (i32.const 32) (i32.const 7) (i32.const 16) (i32.const 8) (i32.const 256))
    (call $context (i32.const 256))
    (drop (call $now))
    (call $log (i32.const 48) (i32.const 4) (i32.const 16) (i32.const 8))
    (drop (call $progress (i32.const 16) (i32.const 8) (i64.const 1) (i64.const 1)))
    (call $report (i32.const 64) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 256))"#;

/// A component that was built against a released version, and calls all of it.
fn fixture(version: &Version, folder: &Path) -> Vec<u8> {
    let module = scripted(EVERY_CALL, "", "").replace("@1.0.0", &format!("@{version}"));
    let mut resolve = Resolve::default();
    let world = push(&mut resolve, &texts(folder)).unwrap();
    component(&module, &resolve, world)
}

#[tokio::test]
async fn a_component_of_every_released_version_runs_in_this_host() {
    for (version, folder) in released() {
        let data = tempfile::tempdir().unwrap();
        let config = HostConfig {
            data_dir: data.path().to_owned(),
            database_url: Database::default_url(data.path()),
        };
        let clock = Arc::new(SystemClock);
        let host = Host::open_with(config, clock.clone(), Limits::default())
            .await
            .unwrap();
        let manifest =
            manifest("1.0.0", 1).replace("splynx:addon@1.0.0", &format!("splynx:addon@{version}"));
        let package = package(&manifest, &fixture(&version, &folder));
        host.install_package(&package, Terms::DEVELOPMENT, "ann")
            .await
            .unwrap();
        installations::create(host.store(), "isp", "guest", &by(clock.now()))
            .await
            .unwrap();
        let values = [
            ("books_url", "http://127.0.0.1:9/"),
            ("login", "ann"),
            ("password", "p"),
        ];
        let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
        host.save_settings("isp", &values, "ann").await.unwrap();
        let request = RunRequest {
            preview: false,
            trigger: Trigger::Person,
            options: Vec::new(),
            actor: "ann".to_owned(),
        };
        let run = host.start_run("isp", "finish", request).await.unwrap();
        let outcome = run.wait().await;
        assert_eq!(outcome.state, RunState::Finished, "{version}: {outcome:?}");
    }
}

/// What a host of the next minor version does: it links by the newer names, and calls the entry by its newer name.
#[test]
fn a_component_runs_where_a_later_minor_version_is_offered() {
    const COMPONENT: &str = r#"(component
        (import "splynx:addon/run@1.0.0" (instance $run (export "now" (func (result u64)))))
        (core func $now (canon lower (func $run "now")))
        (core module $module
          (import "run" "now" (func $now (result i64)))
          (func (export "ask") (result i64) (call $now)))
        (core instance $guest (instantiate $module (with "run" (instance (export "now" (func $now))))))
        (func $ask (result u64) (canon lift (core func $guest "ask")))
        (instance $addon (export "ask" (func $ask)))
        (export "splynx:addon/addon@1.0.0" (instance $addon)))"#;
    let mut config = Config::new();
    config.concurrency_support(false);
    let engine = Engine::new(&config).unwrap();
    let component = Component::new(&engine, wat::parse_str(COMPONENT).unwrap()).unwrap();
    for (offered, fits) in [
        ("1.0.0", true),
        ("1.1.0", true),
        ("1.9.3", true),
        ("2.0.0", false),
    ] {
        let mut linker = Linker::<()>::new(&engine);
        let mut run = linker
            .instance(&format!("splynx:addon/run@{offered}"))
            .unwrap();
        run.func_wrap("now", |_, (): ()| Ok((7_u64,))).unwrap();
        run.func_wrap("later", |_, (): ()| Ok((8_u64,))).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &component);
        assert_eq!(instance.is_ok(), fits, "{offered}");
        let Ok(instance) = instance else { continue };
        let entry = format!("splynx:addon/addon@{offered}");
        let addon = instance.get_export_index(&mut store, None, &entry).unwrap();
        let ask = instance.get_export_index(&mut store, Some(&addon), "ask");
        let ask = instance.get_typed_func::<(), (u64,)>(&mut store, ask.unwrap());
        assert_eq!(
            ask.unwrap().call(&mut store, ()).unwrap(),
            (7,),
            "{offered}"
        );
    }
}
