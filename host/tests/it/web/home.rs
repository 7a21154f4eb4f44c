//! The first page of an installation says whether all is well, and the page *To do* what needs somebody.

use addon_host::store::{Failure, Outcome, RunState};
use reqwest::StatusCode;

use super::site::Site;
use super::tables;
use crate::fixtures::at;
use crate::guest::table_guest;

/// A run that came to this end.
async fn ended(site: &Site, job: &str, preview: bool, state: RunState, minute: i64) {
    let run = site.run(job, preview).await;
    let why = (state == RunState::Failed).then(|| Failure {
        code: "denied".to_owned(),
        message: "The <service> refused the password.".to_owned(),
        retry_at: None,
        more: Vec::new(),
    });
    let outcome = Outcome {
        state,
        resume_at: None,
        why,
        counts: Vec::new(),
        more: Vec::new(),
    };
    let end = at(60 * minute);
    site.store.finish_run(run, &outcome, end).await.unwrap();
}

/// The newest run that says something about the jobs counts; previews and what people did with rows say nothing.
#[tokio::test]
async fn the_verdict_follows_from_what_happened_last() {
    let site = Site::with("", tables::MANIFEST, table_guest()).await;
    let mut ann = site.ann().await;
    let home = "/installations/isp";
    let finished = RunState::Finished;
    ann.get(home).await.shows(&["Ready. Nothing has run yet."]);
    let story = [
        ("finish", false, finished, "In step since"),
        ("records/retry", false, RunState::Failed, "In step since"),
        ("pair", true, RunState::Failed, "In step since"),
        (
            "finish",
            false,
            RunState::Failed,
            "The last run failed: Finish,",
        ),
        (
            "records/retry",
            false,
            finished,
            "The last run failed: Finish,",
        ),
        ("pair", false, finished, "In step since"),
    ];
    for (minute, (job, preview, state, says)) in (1..).zip(story) {
        ended(&site, job, preview, state, minute).await;
        let page = ann.get(home).await;
        page.shows(&[says]);
        if says.contains("failed") {
            page.shows(&[
                "The &#60;service&#62; refused the password.",
                "verdict error",
            ]);
        }
    }
    site.stop().await;
}

/// Rows that need somebody stand together by what is the matter, with their number and the way to them.
#[tokio::test]
async fn what_needs_somebody_is_counted_by_cause() {
    let needs = r#"columns = ["Name", "Amount"]
money = ["Amount"]
tab = "to-do"
needs = { reason = "Name" }"#;
    let manifest = tables::MANIFEST.replacen(r#"columns = ["Name", "Amount"]"#, needs, 1);
    let site = Site::with("", &manifest, table_guest()).await;
    let mut ann = site.ann().await;
    let page = ann.get("/installations/isp/todo").await;
    page.shows(&["To do", "record", "Records"]);
    assert!(!page.has("Nothing needs you"));
    ann.get("/installations/isp")
        .await
        .shows(&["need you", "verdict warning"]);

    let plain = Site::with("", tables::MANIFEST, table_guest()).await;
    let mut ann = plain.ann().await;
    let page = ann.get("/installations/isp/todo").await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows(&["Nothing needs you."]);
    site.stop().await;
    plain.stop().await;
}
