//! The template of an add-on (`plugin/template`), as its makers would test it: by scripts.

use std::path::{Path, PathBuf};
use std::process::Command;

use mock_host::component::Plugin;
use mock_host::script::Script;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_templates_own_scripts_are_met() {
    let component = root().join("target/plugin/invoice-digest.wasm");
    if !component.exists() {
        let required = std::env::var("REQUIRE_COMPONENT").is_ok_and(|value| value == "1");
        assert!(
            !required,
            "there is no component at {}",
            component.display()
        );
        eprintln!("skipped: scripts/build-plugin -p invoice-digest makes the component");
        return;
    }
    meets_the_scripts(&component);
}

/// Lives the template's own scripts with a component, which does what the template does.
pub fn meets_the_scripts(component: &Path) {
    let shown = component.display();
    let plugin = Plugin::load(component).unwrap_or_else(|error| panic!("{shown}: {error}"));
    let scripts = std::fs::read_dir(root().join("plugin/template/tests")).expect("a folder");
    let mut met = 0;
    for script in scripts {
        let file = script.expect("a file").path();
        let script = Script::read(&file).expect("a script");
        let run = plugin.run_script(&script, "post", false).expect("it runs");
        assert_eq!(
            run.unmet,
            Vec::<String>::new(),
            "{shown}, {}: {}",
            file.display(),
            run.end
        );
        met += 1;
    }
    assert!(met >= 2);
}

/// `scripts/new-addon` outside this project: what it makes is built by its own script, and meets its scripts.
#[test]
fn an_addon_that_is_begun_from_the_template_builds_and_runs() {
    let run = |program: &Path, arguments: &[&str]| {
        let target = root().join("target/new-addon");
        let output = Command::new(program)
            .args(arguments)
            .env("CARGO_TARGET_DIR", target)
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let told = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&told).into_owned(),
        )
    };
    let (buildable, why) = run(&root().join("scripts/build-plugin"), &["--check"]);
    if !buildable {
        let required = std::env::var("REQUIRE_COMPONENT").is_ok_and(|value| value == "1");
        assert!(!required, "{why}");
        eprintln!("skipped: {why}");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("reminders");
    let shown = place.display().to_string();
    let begin = root().join("scripts/new-addon");
    for name in [
        "",
        "Paid",
        "paid_reminder",
        "-paid",
        "paid-",
        "9to5",
        "../paid",
    ] {
        let (begun, told) = run(&begin, &[name, &shown]);
        assert!(!begun && !place.exists(), "{name}: {told}");
    }
    let (begun, told) = run(&begin, &["paid-reminder", &shown]);
    assert!(begun, "{told}");
    let (again, told) = run(&begin, &["paid-reminder", &shown]);
    assert!(!again && told.contains("not empty"), "{told}");

    let component = place.join("paid-reminder.wasm").display().to_string();
    let (built, told) = run(&place.join("scripts/build-plugin"), &["-o", &component]);
    assert!(built, "{told}");
    let manifest = std::fs::read_to_string(place.join("addon.toml")).expect("a manifest");
    assert!(manifest.contains("id = \"paid-reminder\"") && !manifest.contains("digest"));
    let plugin = Plugin::load(component.as_ref()).expect("a component");
    let script = Script::read(&place.join("tests/posts.json")).expect("a script");
    let run = plugin.run_script(&script, "post", false).expect("it runs");
    assert_eq!(run.unmet, Vec::<String>::new(), "{}", run.end);
}
