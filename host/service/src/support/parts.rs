//! The parts of a bundle, one function each.

use serde_json::{Value, json};

use super::Part;
use crate::host::{ConnectionState, Finding, Host, HostError};
use addon_manifest::{INTERFACE, INTERFACE_VERSION, Manifest};
use addon_runs::recordings::{Cast, Vocabulary};
use addon_runs::{LIMIT_SPECS, Limits};
use addon_store::{
    ALL_INSTALLATIONS, AddonVersion, Installation, LogRow, RecordingKind, Run, SCHEMA_VERSION,
    Store,
};

/// Runs of which is told, and those of them whose logs are in.
const RUNS: u32 = 50;
const LOGS: usize = 10;
/// Lines of a log, the last ones.
const LINES: u32 = 500;

/// Where the host's own messages stand: in logs and outcomes its words tell nothing of anybody.
const HOSTS_WORDS: [&str; 12] = [
    include_str!("../../../traffic/src/check.rs"),
    include_str!("../../../traffic/src/exchange.rs"),
    include_str!("../../../traffic/src/cancellation.rs"),
    include_str!("../../../traffic/src/connection_queue.rs"),
    include_str!("../../../traffic/src/notice.rs"),
    include_str!("../../../traffic/src/connection_turn.rs"),
    include_str!("../host/readiness.rs"),
    include_str!("../host/overlap_check.rs"),
    include_str!("../../../runs/src/guest.rs"),
    include_str!("../../../runs/src/instance.rs"),
    include_str!("../../../runs/src/journal.rs"),
    include_str!("../../../runs/src/work.rs"),
];

/// What is known of an installation before its parts are made.
pub struct Known {
    pub installation: Installation,
    pub version: AddonVersion,
    pub manifest: Manifest,
    pub package: Vec<u8>,
    /// As the add-on is told: of a secret, that it is set.
    pub settings: Vec<(String, String)>,
}

/// All of them.
pub async fn parts(host: &Host, known: &Known) -> Result<Vec<Part>, HostError> {
    let mut vocabulary = Vocabulary::of_package(&known.package);
    for text in HOSTS_WORDS {
        vocabulary.learn(text);
    }
    let cast = Cast::without_run(&known.manifest, &vocabulary);
    let store = host.store();
    let name = known.installation.name.as_str();
    let runs = store.runs(name, None, RUNS).await?;
    let mut parts = vec![
        about(store, known).await?,
        settings(&cast, known),
        limits(store, name).await?,
        connections(&cast, &host.traffic(name).await?),
        check(&cast, host.last_check(name).await?),
        waiting(store, name).await?,
        sizes(store, &known.installation).await?,
        Part::json(
            "runs.json",
            "the last runs: which job, when, how they ended and why",
            &runs.iter().map(|run| run_json(&cast, run)).collect(),
        ),
    ];
    for run in runs.iter().take(LOGS) {
        parts.extend(log(&cast, store, run).await?);
    }
    for run in store.recorded_runs(name, RecordingKind::Failed).await? {
        let recording = store.recording(run, RecordingKind::Failed).await?;
        parts.extend(recording.map(|content| Part {
            name: format!("failed-{run}.json"),
            what: "requests of a run that failed, with their answers; made-up texts for people's",
            content,
        }));
    }
    Ok(parts)
}

async fn about(store: &Store, known: &Known) -> Result<Part, HostError> {
    let Known {
        installation,
        version,
        manifest,
        ..
    } = known;
    let content = json!({
        "host": env!("CARGO_PKG_VERSION"),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "add-on": manifest.addon.id,
        "add-on version": manifest.addon.version.to_string(),
        "package sha256": version.sha256,
        "contract of the add-on": format!("{INTERFACE}@{}", manifest.addon.interface),
        "contract of the host": format!("{INTERFACE}@{INTERFACE_VERSION}"),
        "database": store.server().await?,
        "schema": store.schema_version().await?,
        "schema of the host": SCHEMA_VERSION,
        "installed on": installation.created_on.to_string(),
        "state": installation.state,
        "state of the add-on": manifest.addon.state,
        "restored at": installation.restored_at,
        "pinned": !installation.pinned.is_empty(),
    });
    let what = "versions of the host, the add-on, the contract, the database and its schema";
    Ok(Part::json("about.json", what, &content))
}

fn settings(cast: &Cast<'_>, known: &Known) -> Part {
    let settings = known.settings.iter();
    let settings: serde_json::Map<_, _> = settings
        .map(|(key, value)| (key.clone(), Value::from(cast.setting(key, value))))
        .collect();
    let what = "settings and mappings; of secrets only that they are set, texts made up";
    Part::json("settings.json", what, &Value::Object(settings))
}

async fn limits(store: &Store, name: &str) -> Result<Part, HostError> {
    let mut limits = Limits::default();
    let mut changed = Vec::new();
    for scope in [ALL_INSTALLATIONS, name] {
        let of_scope = store.changed_limits(scope).await?;
        limits = limits.with(&of_scope);
        changed.extend(of_scope.into_keys());
    }
    let all: serde_json::Map<_, _> = LIMIT_SPECS
        .iter()
        .map(|knob| (knob.name.to_owned(), knob.of(&limits).into()))
        .collect();
    let content = json!({ "limits": all, "changed": changed });
    Ok(Part::json(
        "limits.json",
        "what the add-on may use up",
        &content,
    ))
}

fn connections(cast: &Cast<'_>, states: &[ConnectionState]) -> Part {
    let one = |state: &ConnectionState| match &state.figures {
        Ok(figures) => json!({
            "connection": state.name, "last minute": figures.last_minute, "per minute": figures.per_minute,
            "last day": figures.last_day, "per day": figures.per_day, "reserve": figures.reserve,
            "blocked until": figures.blocked_until, "blocked because": cast.message(&figures.blocked_because),
            "refused": figures.refused,
        }),
        Err(why) => json!({ "connection": state.name, "unusable": why.code }),
    };
    let what = "requests to each service, its limits and blocks";
    Part::json("connections.json", what, &states.iter().map(one).collect())
}

fn check(cast: &Cast<'_>, last: Option<(chrono::DateTime<chrono::Utc>, Vec<Finding>)>) -> Part {
    let one = |finding: &Finding| {
        json!({
            "code": finding.code, "severity": finding.severity, "field": finding.field,
            "message": cast.message(&finding.message), "cure": cast.message(&finding.cure),
        })
    };
    let content = last.map(|(at, findings)| {
        json!({ "checked": at, "findings": findings.iter().map(one).collect::<Vec<_>>() })
    });
    let what = "what the last check of the installation found";
    Part::json("check.json", what, &content.into())
}

async fn waiting(store: &Store, name: &str) -> Result<Part, HostError> {
    let held = store.held_records(name).await?;
    let content = held.iter().map(|held| {
        json!({
            "entity": held.entity, "state": held.action, "reason": held.code, "records": held.records,
        })
    });
    let what = "how many records wait for a person, by reason";
    Ok(Part::json("waiting.json", what, &content.collect()))
}

async fn sizes(store: &Store, installation: &Installation) -> Result<Part, HostError> {
    let tables = store.guest_sizes(&installation.name).await?;
    let tables: serde_json::Map<_, _> = tables
        .into_iter()
        .map(|size| {
            let value = json!({ "entries": size.entries, "characters": size.characters });
            (size.table, value)
        })
        .collect();
    let content = json!({
        "bytes stored by the add-on": installation.stored_bytes,
        "bytes told by its runs": installation.told_bytes,
        "tables": tables,
    });
    let what = "how much is stored";
    Ok(Part::json("sizes.json", what, &content))
}

fn run_json(cast: &Cast<'_>, run: &Run) -> Value {
    let outcome = run.outcome.as_ref();
    let why = outcome.and_then(|outcome| outcome.why.as_ref()).map(|why| {
        json!({ "code": why.code, "message": cast.message(&why.message), "retry_at": why.retry_at })
    });
    let counts: serde_json::Map<_, _> = outcome
        .iter()
        .flat_map(|outcome| &outcome.counts)
        .map(|(name, count)| (name.clone(), Value::from(*count)))
        .collect();
    let options: serde_json::Map<_, _> = run
        .options
        .iter()
        .map(|(key, value)| (key.clone(), cast.option(value).into()))
        .collect();
    json!({
        "run": run.id, "job": run.job, "started by": run.trigger.as_str(), "preview": run.preview,
        "package sha256": run.package_sha256, "state": run.state.as_str(), "started": run.started_at, "ended": run.ended_at,
        "stage": run.progress.stage, "done": run.progress.done, "total": run.progress.total,
        "options": options, "counts": counts, "why": why,
    })
}

/// `None`: it wrote nothing.
async fn log(cast: &Cast<'_>, store: &Store, run: &Run) -> Result<Option<Part>, HostError> {
    let lines = store.last_log_lines(run.id, LINES).await?;
    if lines.is_empty() {
        return Ok(None);
    }
    let line = |LogRow { line, .. }: &LogRow| {
        let message = cast.message(&line.message);
        format!("{} {:<5} {message}\n", line.at.to_rfc3339(), line.level)
    };
    Ok(Some(Part {
        name: format!("log-{}.txt", run.id),
        what: "the log of a run; words that are not the add-on's are made up",
        content: lines.iter().map(line).collect(),
    }))
}
