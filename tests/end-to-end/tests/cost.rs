//! What a synchronised document costs the host's database: counts, which are the same on every machine.
//!
//! The host's own log tells of each statement (sqlx) and each commit. The statements that begin and end a transaction are not among them.

use std::collections::BTreeMap;

use end_to_end::{Stage, component};
use serde_json::Value;

/// For ten documents.
const MOST_STATEMENTS: u64 = 60;
const MOST_COMMITS: u64 = 11;
const MOST_REQUESTS: u64 = 12;

/// What the log of one command tells.
#[derive(Debug, Default)]
struct Tally {
    statements: BTreeMap<String, u64>,
    commits: u64,
}

impl Tally {
    fn of(log: &str) -> Self {
        let mut tally = Self::default();
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for line in lines {
            match line["target"].as_str() {
                Some("sqlx::query") => {
                    let statement = [&line["fields"]["db.statement"], &line["fields"]["summary"]]
                        .into_iter()
                        .filter_map(Value::as_str)
                        .map(str::trim)
                        .find(|text| !text.is_empty());
                    let head: String = statement.unwrap_or_default().chars().take(100).collect();
                    *tally.statements.entry(head).or_default() += 1;
                }
                Some("addon_store") if line["fields"]["message"] == "committed" => {
                    tally.commits += 1;
                }
                _ => {}
            }
        }
        tally
    }

    fn statements(&self) -> u64 {
        self.statements.values().sum()
    }

    /// The statements that were made most often.
    fn most(&self) -> String {
        let mut most: Vec<_> = self.statements.iter().collect();
        most.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let lines = most
            .iter()
            .take(30)
            .map(|(statement, count)| format!("{count:>8}  {statement}\n"));
        lines.collect()
    }
}

fn first_sync(stage: &mut Stage, component: &[u8]) {
    stage.set_up(component);
    stage.host(&["run", "isp", "import-mapping"]).ok();
    let writes = |stage: &Stage| {
        stage.sage_state()["requests"]["writes"]
            .as_u64()
            .unwrap_or(0)
    };
    let before = (stage.requests(), writes(stage));
    stage.set_environment("RUST_LOG", "off,sqlx::query=debug,addon_store=trace");
    let sync = stage.host(&["--log-format", "json", "run", "isp", "sync"]);
    assert_eq!(sync.code, 0, "{}", sync.out);
    let tally = Tally::of(&sync.err);
    let (requests, documents) = (stage.requests() - before.0, writes(stage) - before.1);
    assert!(documents > 1_000);
    let told = format!(
        "{documents} documents, {} statements, {} commits, {requests} requests\n{}",
        tally.statements(),
        tally.commits,
        tally.most()
    );
    eprintln!("{told}");
    assert!(
        tally.statements() > 0 && tally.commits > 0,
        "the log tells of them"
    );
    for (count, most_for_ten) in [
        (tally.statements(), MOST_STATEMENTS),
        (tally.commits, MOST_COMMITS),
        (requests, MOST_REQUESTS),
    ] {
        assert!(10 * count <= most_for_ten * documents, "{told}");
    }
}

#[test]
fn a_document_costs_few_statements_and_commits() {
    let Some(component) = component() else { return };
    let component = std::fs::read(component).expect("the component");
    first_sync(&mut Stage::new("small"), &component);
}

#[test]
fn a_document_costs_as_little_on_postgresql() {
    let Some(component) = component() else { return };
    let Some(server) = postgres_server::shared() else {
        return;
    };
    let component = std::fs::read(component).expect("the component");
    let mut stage = Stage::new("small").on_database(&server.database());
    first_sync(&mut stage, &component);
}
