//! Jobs from their button to what they leave behind.

use addon_host::store::{Outcome, ReportRow, RunState};
use reqwest::{Method, StatusCode};

use super::site::Site;
use crate::fixtures::at;

#[tokio::test]
async fn a_job_is_started_watched_and_stopped_and_an_installation_works_on_one_at_a_time() {
    let site = Site::new("").await;
    let mut ann = site.ann().await;
    let page = ann.get("/installations").await;
    page.shows(&[
        "isp",
        "Guest &#38; Co 1.0.0",
        "not connected",
        "automatic runs are switched off",
    ]);
    ann.get("/installations/isp").await.shows(&[
        "Ready. Nothing has run yet.",
        "No job has run yet",
        "It was never checked",
    ]);
    let page = ann.get("/installations/isp/jobs").await;
    page.shows(&["Preview: Finish", "Run: Work on"]);
    assert!(!page.has("Preview: Work on"));

    let page = ann.post("/installations/isp/check", &[]).await;
    assert_eq!(page.location, "/installations/isp/readiness");
    ann.get(&page.location)
        .await
        .shows(&["not ready", "First: Password is not set."]);
    ann.get("/installations/isp")
        .await
        .shows(&["1 in the way, 1 to be looked at.", "41001"]);

    let started = ann.post("/installations/isp/jobs/progress", &[]).await;
    assert_eq!(
        (started.status, started.location.as_str()),
        (StatusCode::SEE_OTHER, "/runs/1")
    );
    let page = ann.get("/runs/1").await;
    page.shows(&[
        "running",
        r#"data-live="/runs/1/live""#,
        r#"http-equiv="refresh""#,
        r#"action="/runs/1/stop""#,
        "by ann",
    ]);
    let live = ann.send(Method::GET, "/runs/1/live", &[], &[]).await;
    assert_eq!(live.headers()["x-over"], "no");
    let busy = ann.post("/installations/isp/jobs/finish", &[]).await;
    assert_eq!(busy.status, StatusCode::CONFLICT);
    busy.shows(&["Run 1 is working on this installation"]);
    let unknown = ann.post("/installations/isp/jobs/nonsense", &[]).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    // A preview needs no lease.
    assert_eq!(
        ann.post("/installations/isp/jobs/finish", &[("preview", "1")])
            .await
            .location,
        "/runs/2"
    );

    assert_eq!(ann.post("/runs/1/stop", &[]).await.location, "/runs/1");
    loop {
        let live = ann.send(Method::GET, "/runs/1/live", &[], &[]).await;
        if live.headers()["x-over"] == "yes" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let page = ann.get("/runs/1").await;
    page.shows(&["stopped", "Ended"]);
    assert!(!page.has("data-live") && !page.has("/stop"));
    ann.get("/installations/isp/runs").await.shows(&[
        r#"<a href="/runs/2">2</a>"#,
        r#"<a href="/runs/1">1</a>"#,
        "preview",
    ]);
    assert_eq!(ann.get("/runs/99").await.status, StatusCode::NOT_FOUND);
    assert_eq!(ann.get("/runs/x").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        ann.get("/installations/other").await.status,
        StatusCode::NOT_FOUND
    );

    // What a run left behind, however it is spelled.
    let run = site.run("finish", true).await;
    let row = |number: usize| ReportRow {
        id: number.to_string(),
        cells: vec![format!("act {number}"), "<i>why</i>".into()],
        more: Vec::new(),
    };
    site.store
        .append_report(run, "plan", &(1..=201).map(row).collect::<Vec<_>>())
        .await
        .unwrap();
    let counts = vec![("invoices <planned>".to_owned(), 201)];
    let outcome = Outcome {
        state: RunState::Finished,
        resume_at: None,
        why: None,
        counts,
        more: Vec::new(),
    };
    site.store.finish_run(run, &outcome, at(65)).await.unwrap();
    let page = ann.get(&format!("/runs/{run}")).await;
    page.shows(&[
        "The plan",
        "act 200",
        "&#60;i&#62;why&#60;/i&#62;",
        "invoices &#60;planned&#62;",
        "1 min 5 s",
        "report=plan&#38;after=200",
    ]);
    assert!(!page.has("act 201"));
    let page = ann.get(&format!("/runs/{run}?report=plan&after=200")).await;
    assert!(page.has("act 201") && !page.has("act 200"));

    // A guest that answers nonsense spoils its page and no other.
    let page = ann
        .get("/installations/isp/pages/outbox?search=%22%3E%3Cb%3E")
        .await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    page.shows(&[r#"value="&#34;&#62;&#60;b&#62;""#]);
    assert_eq!(
        ann.get("/installations/isp/pages/nonsense").await.status,
        StatusCode::NOT_FOUND
    );

    // Stopping the server interrupts what it runs.
    ann.post("/installations/isp/jobs/progress", &[]).await;
    let store = site.store.clone();
    site.stop().await;
    let last = store.runs("isp", None, 1).await.unwrap().remove(0);
    assert_eq!(
        (last.job.as_str(), last.state),
        ("progress", RunState::Paused)
    );
}
