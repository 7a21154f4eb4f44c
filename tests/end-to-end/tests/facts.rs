//! What a service was found to do, told by the host in the words of the file alone.

use end_to_end::{Stage, component};
use serde_json::{Value, json};

#[test]
fn the_host_tells_which_facts_of_a_file_of_answers_are_otherwise_than_the_add_on_assumes() {
    let Some(path) = component() else { return };
    let lower_case = json!({
        "format": 1, "asked_on": "2031-05-01", "by": "reading", "version": "0.1.0",
        "splynx": {"requests": 0, "facts": {}, "switches": {"strict_signature_case": true}},
    });
    for (stage, differs) in [
        (Stage::new("tiny"), false),
        (Stage::behaving("tiny", &lower_case), true),
    ] {
        let manifest = Stage::manifest(env!("CARGO_PKG_VERSION"));
        stage.install(&manifest, &std::fs::read(&path).expect("the component"));
        stage.make_installation(6000);
        let answers = stage.ask_splynx();
        let told = stage.host(&["check", "isp", "--facts", &answers, "--json"]);
        // The stand-in's key wants nonces that grow, which is off at a server unless somebody says otherwise.
        assert_eq!(told.code, 1, "{told:?}");
        assert!(!told.err.contains("warning"), "one version: {told:?}");
        let told: Value = serde_json::from_str(&told.out).expect("JSON");
        let facts = told["differing"].as_array().expect("a list");
        let signature = facts.iter().find(|fact| fact["fact"] == "SPLYNX-130");
        assert_eq!(signature.is_some(), differs, "{told:#}");
        let Some(fact) = signature else { continue };
        assert_eq!(fact["service"], "splynx");
        let assumed = fact["assumed"].as_str().unwrap_or_default();
        assert!(assumed.contains("signature"), "{fact}");
        assert_eq!(fact["answer"], "strict_signature_case = true");
    }
}
