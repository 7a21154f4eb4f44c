//! What helps where something goes wrong: a recording of the next run, and a bundle to send.

use super::site::Site;

#[tokio::test]
async fn the_next_run_is_recorded_and_a_bundle_is_made_once_it_was_seen_what_is_in_it() {
    let site = Site::new("").await;
    let mut ann = site.ann().await;
    let runs = "/installations/isp/runs";
    ann.get(runs).await.shows(&["Record the next run"]);
    ann.post("/installations/isp/runs/record", &[("next", "true")])
        .await;
    ann.get(runs)
        .await
        .shows(&["The next run will be recorded."]);
    let mut done = Vec::new();
    for _ in 0..2 {
        let run = ann
            .post("/installations/isp/jobs/finish", &[])
            .await
            .location;
        while ann.get(&run).await.has("data-live") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        done.push(run);
    }
    let [first, second] = &done[..] else {
        panic!("{done:?}")
    };
    let page = ann.get(runs).await;
    assert!(
        !page.has("will be recorded"),
        "one run, not all that follow"
    );
    let place = format!("{first}/recording");
    ann.get(first).await.shows(&[&place]);
    ann.get(&place)
        .await
        .shows(&["\"expect\"", "\"state\": \"finished\""]);
    assert!(!ann.get(second).await.has("/recording"));
    let page = ann.get(&format!("{second}/recording")).await;
    page.shows(&["There is no recording of this run."]);

    let page = ann.get("/installations/isp/support").await;
    page.shows(&[
        "about.json",
        "settings.json",
        "runs.json",
        "/installations/isp/support/file",
    ]);
    let file = ann.get("/installations/isp/support/file").await;
    assert!(file.has("PK"), "a zip file");
}
