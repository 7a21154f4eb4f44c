//! The template's add-on in other languages (`plugin/examples`): each meets the template's own scripts, and keeps amounts as they are.

use crate::template::meets_the_scripts;

/// Variables that `scripts/examples` prints.
const COMPONENTS: [&str; 2] = ["EXAMPLE_PYTHON", "EXAMPLE_JAVASCRIPT"];

#[test]
fn examples_in_other_languages_meet_the_templates_scripts() {
    for variable in COMPONENTS {
        match std::env::var(variable) {
            Ok(component) => meets_the_scripts(component.as_ref()),
            Err(_) => eprintln!("skipped: {variable} is not set (export $(scripts/examples))"),
        }
    }
}
