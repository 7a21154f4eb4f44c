//! The template's add-on in other languages (`plugin/examples`): each meets the template's own scripts, and keeps amounts as they are.

use std::path::Path;

use mock_host::component::Plugin;
use mock_host::script::Script;

/// Variables that `scripts/examples` prints.
const COMPONENTS: [&str; 2] = ["EXAMPLE_PYTHON", "EXAMPLE_JAVASCRIPT"];

#[test]
fn examples_in_other_languages_meet_the_templates_scripts() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin/template/tests");
    for variable in COMPONENTS {
        let Ok(component) = std::env::var(variable) else {
            eprintln!("skipped: {variable} is not set (export $(scripts/examples))");
            continue;
        };
        let plugin =
            Plugin::load(component.as_ref()).unwrap_or_else(|error| panic!("{variable}: {error}"));
        let mut met = 0;
        for script in std::fs::read_dir(&scripts).expect("a folder") {
            let file = script.expect("a file").path();
            let script = Script::read(&file).expect("a script");
            let run = plugin.run_script(&script, "post", false).expect("it runs");
            assert_eq!(
                run.unmet,
                Vec::<String>::new(),
                "{variable}, {}: {}",
                file.display(),
                run.end
            );
            met += 1;
        }
        assert!(met >= 2);
    }
}
