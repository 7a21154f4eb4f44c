//! Two hosts on one PostgreSQL share the work of several providers, and one of them is killed in the middle of it.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use end_to_end::{Stage, component};
use sandbox::compare::Comparison;
use serde_json::Value;

/// Most requests to each service in a minute, of all hosts together: the providers' accounts are the same one.
const PER_MINUTE: u32 = 3_000;
const PATIENCE: Duration = Duration::from_secs(240);
/// How soon the survivor may take over.
const LEASE_SECONDS: &str = "5";

/// `addon-host serve`, ended with the test.
struct Serve(Child);

impl Serve {
    fn start(stage: &Stage, data: &std::path::Path) -> Self {
        let mut command = stage.host_command_in(data);
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("ADDON_HOST_LEASE_SECONDS", LEASE_SECONDS)
            .stdout(Stdio::null());
        Self(command.spawn().expect("the host serves"))
    }

    /// As the list of runs names it.
    fn name(&self) -> String {
        format!("(process {},", self.0.id())
    }

    /// At once, in the middle of whatever it does.
    fn kill(&mut self) {
        // Already gone is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The runs of an installation, the newest first.
fn runs(stage: &Stage, installation: &str) -> Vec<Value> {
    let told = stage.host(&["runs", installation, "--json"]).ok();
    serde_json::from_str(&told).expect("JSON")
}

fn worked_by(run: &Value, host: &Serve) -> bool {
    run["host"]
        .as_str()
        .is_some_and(|at| at.contains(&host.name()))
}

/// Asks again until there is an answer.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn sage_count(stage: &Stage, what: &str) -> u64 {
    stage.sage_state()["requests"][what]
        .as_u64()
        .expect("a count")
}

/// F69: a host that dies in the middle of a sync is replaced by the other one, and nothing is made twice.
#[test]
fn of_two_hosts_one_is_killed_in_the_middle_of_a_sync_and_the_other_goes_on_without_doubling_anything()
 {
    let Some(component) = component() else { return };
    let Some(server) = postgres_server::shared() else {
        return;
    };
    let component = std::fs::read(component).expect("the component");
    let first = Stage::new("small").on_database(&server.database());
    let (packed, package) = first.pack("first", &Stage::manifest("0.1.0"), &component);
    packed.ok();
    first.host(&["addon", "install", &package, "--yes"]).ok();
    let stages = [
        ("isp", &first),
        ("second", &first.beside("small", "second")),
        ("third", &first.beside("tiny", "third")),
    ];
    for (_, stage) in stages {
        stage.set_up_installation(PER_MINUTE);
    }

    // Each host has a folder of its own, with the same master key.
    let other = tempfile::tempdir().expect("a folder");
    std::fs::copy(
        first.data().join("master.key"),
        other.path().join("master.key"),
    )
    .expect("a copy");
    let begun = Instant::now();
    let mut hosts = [
        Serve::start(&first, first.data()),
        Serve::start(&first, other.path()),
    ];
    let victim = wait_for("a sync in its middle", || {
        let run = runs(&first, "isp")
            .into_iter()
            .find(|run| run["state"] == "running")?;
        (sage_count(&first, "writes") > 150).then_some(())?;
        hosts.iter().position(|host| worked_by(&run, host))
    });
    hosts[victim].kill();
    let killed_at = sage_count(&first, "writes");

    for (name, stage) in stages {
        wait_for(name, || {
            let newest = runs(&first, name).into_iter().next()?;
            assert_ne!(newest["state"], "stopped", "{newest}");
            (newest["state"] == "finished").then_some(())
        });
        let comparison = Comparison::of(&stage.splynx_state(), &stage.sage_state());
        assert!(comparison.is_clean(), "{name}: {comparison}");
        assert_eq!(comparison.sage_customers, comparison.splynx_customers);
    }
    assert!(
        sage_count(&first, "writes") > killed_at + 100,
        "it was killed in the middle"
    );

    // Both did work; the lost run says whose it was, and the job was gone on with at once by the other.
    let listed = runs(&first, "isp");
    let lost = listed
        .iter()
        .position(|run| run["outcome"]["why"]["code"] == "host-lost")
        .expect("a run lost its host");
    assert!(worked_by(&listed[lost], &hosts[victim]), "{}", listed[lost]);
    let taken_over = &listed[lost - 1];
    assert_eq!(taken_over["trigger"], "resume");
    assert!(worked_by(taken_over, &hosts[1 - victim]), "{taken_over}");
    let all: BTreeSet<String> = stages
        .iter()
        .flat_map(|(name, _)| runs(&first, name))
        .filter_map(|run| run["host"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(all.len(), 2, "{all:?}");

    // Over both hosts the services saw no more than they allow; nobody was turned away.
    let minutes = begun.elapsed().as_secs() / 60 + 1;
    let mut total = 0;
    for (name, stage) in stages {
        assert!(
            sage_count(stage, "busiest_minute") <= u64::from(PER_MINUTE),
            "{name}"
        );
        total += sage_count(stage, "total");
    }
    assert!(
        total <= u64::from(PER_MINUTE) * minutes,
        "{total} requests in {minutes} minutes"
    );
}
