//! How long the host works on each page of an installation that knows a large provider.
//!
//!     PROVIDER=large cargo bench -p end-to-end --bench pages --profile dev
//!
//! The provider is synchronised natively, on a virtual clock; what the add-on stored is put into a real host's database, and the real program is
//! asked for its pages: the median and the worst of several times each, in milliseconds, with the way there and back.

use std::time::Instant;

use addon_host::store::{
    Activity, Change, Commit, Fence, LeaseAnswer, NewRun, Outcome, ReportRow, RunState, Store,
    Trigger,
};
use chrono::Utc;
use end_to_end::{Serve, Stage, component};
use sandbox::isp::Isp;
use simulation::installation::Installation;

const TIMES: usize = 9;

/// Entries, activities or rows that are written at once.
const BATCH: usize = 5_000;

const PAGES: [(&str, &str); 17] = [
    ("dashboard", "installations"),
    ("overview", "installations/isp"),
    ("set-up", "installations/isp/setup"),
    ("readiness", "installations/isp/readiness"),
    ("settings", "installations/isp/settings"),
    ("mappings", "installations/isp/mappings"),
    ("outbox", "installations/isp/pages/outbox"),
    (
        "held invoices",
        "installations/isp/pages/outbox?filter.kind=invoice&filter.state=held",
    ),
    ("statements", "installations/isp/pages/statements"),
    ("pairing", "installations/isp/pages/pairing"),
    ("records", "installations/isp/pages/records"),
    (
        "records, searched",
        "installations/isp/pages/records?search=nobody+is+called+so",
    ),
    ("reconciliation", "installations/isp/pages/reconciliation"),
    (
        "reconciliation, searched",
        "installations/isp/pages/reconciliation?search=nobody+is+called+so",
    ),
    ("months", "installations/isp/pages/figures"),
    ("activity", "installations/isp/activity"),
    (
        "activity, searched",
        "installations/isp/activity?search=nobody+is+called+so",
    ),
];

fn main() {
    let Some(path) = component() else { return };
    let component = std::fs::read(path).expect("the component");
    let size = std::env::var("PROVIDER").unwrap_or_else(|_| "medium".to_owned());
    let isp = Isp::seeded(size.parse().expect("a size"), 1);
    let mut installation = Installation::new(&isp, false);
    installation.set("make_names_unique", "on");
    for job in ["sync", "load-customers-for-pairing"] {
        let begun = Instant::now();
        installation.run_through(job);
        eprintln!("{job}: {} s", begun.elapsed().as_secs());
    }
    installation
        .run_with("reconcile", &[("list".to_owned(), "everything".to_owned())])
        .expect("compared");

    let stage = Stage::new("tiny");
    stage.set_up(&component);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(transplant(&stage, &mut installation));
    let mut serve = Serve::start(&stage);
    let password = serve.first_password();
    let entered = serve.log_in(&password);
    let cookie = entered.header("set-cookie").expect("a session");
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    println!("{:<26}{:>8}{:>8}{:>10}", "page", "median", "worst", "bytes");
    for (name, path) in PAGES {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..TIMES {
            let begun = Instant::now();
            let page = serve.page(path, &cookie);
            times.push(begun.elapsed().as_millis());
            assert_eq!(page.status, 200, "{name}: {}", page.body);
            bytes = page.body.len();
        }
        times.sort_unstable();
        println!(
            "{name:<26}{:>8}{:>8}{bytes:>10}",
            times[TIMES / 2],
            times[TIMES - 1]
        );
    }
}

/// Puts what the add-on stored, told and reported into the host's database.
async fn transplant(stage: &Stage, installation: &mut Installation) {
    let url = Store::default_url(stage.data());
    let store = Store::open(&url).await.expect("the host's database");
    let new = NewRun {
        installation: "isp",
        job: "reconcile",
        trigger: Trigger::Person,
        actor: "bench",
        preview: false,
        package_sha256: "",
        options: &[],
        whole_options: None,
    };
    let run = store.insert_run(new, Utc::now()).await.expect("a run");
    let LeaseAnswer::Acquired(fence) = store
        .acquire_lease("isp", run, Utc::now())
        .await
        .expect("a lease")
    else {
        panic!("nobody else works there");
    };
    let host = installation.host();
    let changes: Vec<Change> = host
        .storage
        .tables()
        .flat_map(|(table, entries)| {
            entries.iter().map(|(key, value)| Change {
                table: table.to_owned(),
                key: key.clone(),
                value: Some(value.clone()),
            })
        })
        .collect();
    let activities: Vec<Activity> = host
        .storage
        .activities()
        .iter()
        .map(|one| Activity {
            entity: one.entity.clone(),
            action: one.action.clone(),
            local_id: one.local_id.clone(),
            remote_id: one.remote_id.clone(),
            customer_id: one.customer_id.clone(),
            label: one.label.clone(),
            code: one.code.clone(),
            message: one.message.clone(),
            more: one.more.clone(),
        })
        .collect();
    eprintln!("{} entries, {} activities", changes.len(), activities.len());
    for batch in changes.chunks(BATCH) {
        commit(&store, &fence, batch, &[]).await;
    }
    for batch in activities.chunks(BATCH) {
        commit(&store, &fence, &[], batch).await;
    }
    for (kind, rows) in &host.reports {
        let rows: Vec<ReportRow> = rows
            .iter()
            .map(|row| ReportRow {
                id: row.id.clone(),
                cells: row.cells.clone(),
                more: row.more.clone(),
            })
            .collect();
        for batch in rows.chunks(BATCH) {
            store.append_report(run, kind, batch).await.expect("rows");
        }
        eprintln!("{} rows of {kind}", rows.len());
    }
    let outcome = Outcome {
        state: RunState::Finished,
        resume_at: None,
        why: None,
        counts: Vec::new(),
        more: Vec::new(),
    };
    store
        .finish_run(run, &outcome, Utc::now())
        .await
        .expect("the run ends");
    store.release_lease(&fence).await.expect("the lease ends");
    store.close().await;
}

async fn commit(store: &Store, fence: &Fence, changes: &[Change], activities: &[Activity]) {
    let commit = Commit {
        fence,
        expect: &[],
        changes,
        activities,
        most_bytes: u64::MAX,
    };
    store
        .guest_commit(commit, Utc::now())
        .await
        .expect("a commit");
}
