//! A new version of the add-on while it works: what runs finishes on the version that it began with, and in the end both services hold
//! what they hold where nobody updated anything (architecture, invariant 10).

use std::process::Child;
use std::time::Duration;

use end_to_end::{Stage, component, photo};
use serde_json::Value;

/// The provider whose sync is updated in the middle; `medium` takes half an hour.
fn size() -> String {
    std::env::var("UPDATED_PROVIDER").unwrap_or_else(|_| "small".to_owned())
}

fn manifest(version: &str, serial: u32) -> String {
    let manifest = Stage::manifest(version);
    let numbered = manifest.replace("serial = 1\n", &format!("serial = {serial}\n"));
    assert!(serial == 1 || numbered != manifest, "a serial number");
    numbered
}

#[test]
fn an_update_and_a_roll_back_in_the_middle_of_syncs_lose_and_double_nothing() {
    let Some(path) = component() else { return };
    let component = std::fs::read(path).expect("the component");
    let quiet = Stage::new(&size());
    quiet.set_up_as(&manifest("0.1.0", 1), &component);
    let before = quiet.requests();
    for job in ["import-mapping", "export-customers", "sync", "sync"] {
        quiet.host(&["run", "isp", job]).ok();
    }
    let requests = quiet.requests() - before;

    let stage = Stage::new(&size());
    stage.set_up_as(&manifest("0.1.0", 1), &component);
    stage.host(&["run", "isp", "import-mapping"]).ok();
    // The same code under another number: what differs is what the host does with it.
    let changed = [component.as_slice(), &[0, 5, 4], b"next"].concat();
    let (packed, package) = stage.pack("next", &manifest("0.2.0", 2), &changed);
    packed.ok();

    let first = start(&stage, "export-customers", requests / 40);
    let updated = stage.host(&["addon", "update", &package]).ok();
    assert!(updated.contains("0.2.0 is installed"), "{updated}");
    end(first);
    let second = start(&stage, "sync", requests / 4);
    stage.host(&["addon", "rollback", "splynx-sageone"]).ok();
    end(second);
    stage.host(&["run", "isp", "sync"]).ok();

    let runs: Value =
        serde_json::from_str(&stage.host(&["runs", "isp", "--json"]).ok()).expect("JSON");
    let versions: Vec<&str> = runs
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|run| run["package"].as_str())
        .collect();
    let [last, second, first, ..] = versions.as_slice() else {
        panic!("runs: {runs}");
    };
    assert_eq!(last, first, "the version before is in use again");
    assert_ne!(
        second, first,
        "the second run began with the new version, and ended with it"
    );
    assert_eq!(photo(&stage), photo(&quiet));
    let writes = |stage: &Stage| stage.sage_state()["requests"]["writes"].clone();
    assert_eq!(writes(&stage), writes(&quiet), "nothing was written twice");
}

/// Starts a job, and waits until it has sent some requests and is still at work.
fn start(stage: &Stage, job: &str, requests: u64) -> Child {
    let before = stage.requests();
    let mut run = stage
        .host_command()
        .args(["run", "isp", job])
        .spawn()
        .expect("the host starts");
    while stage.requests() < before + requests {
        let ended = run.try_wait().expect("it can be asked");
        assert!(ended.is_none(), "{job} ended before anything could happen");
        std::thread::sleep(Duration::from_millis(20));
    }
    run
}

fn end(mut run: Child) {
    let ended = run.wait().expect("it ends");
    assert!(ended.success(), "{ended}");
}
