//! Looking first, then running, watching and stopping.

use end_to_end::Stage;

use crate::office::{Office, by_hand, ends, ready};

/// How fast Sage is asked from now on.
fn pace(office: &Office, per_minute: u32, burst: u32) {
    let (per_minute, burst) = (format!("per-minute={per_minute}"), format!("burst={burst}"));
    let arguments = ["connection", "isp", "sage", "set", &per_minute, &burst];
    office.stage.host(&arguments).ok();
}

#[tokio::test]
async fn a_preview_lists_what_the_run_then_does_and_a_stop_leaves_nothing_half() {
    let Some(component) = ready() else { return };
    let stage = Stage::new("small");
    stage.set_up(&component);
    by_hand(&stage);
    stage.host(&["run", "isp", "import-mapping"]).ok();
    let office = Office::open(stage);
    let browser = office.bookkeeper().await;
    browser.visit("installations/isp/jobs").await;
    browser.press("Preview: Export customers to Sage").await;
    ends(&browser, "finished").await;
    browser.sees("Plan").await;
    browser.sees("requests to").await;
    browser.inspect("plan").await;
    assert_eq!(office.stage.sage_state()["requests"]["writes"], 0);

    // Slow enough to be watched.
    pace(&office, 120, 1);
    browser.visit("installations/isp/jobs").await;
    browser.press("Run: Export customers to Sage").await;
    browser.sees("What is in flight is finished first").await;
    browser.inspect("run-live").await;
    // The page moves by itself.
    let before = browser.text().await;
    let mut looks = 0;
    while browser.text().await == before {
        looks += 1;
        assert!(looks < 300, "the page stands still: {before}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    browser.press("Stop").await;
    ends(&browser, "stopped").await;
    browser.inspect("run-stopped").await;
    pace(&office, 6000, 1000);
    browser.visit("installations/isp/jobs").await;
    browser.press("Run: Export customers to Sage").await;
    ends(&browser, "finished").await;
    browser.close().await;
    let (splynx, sage) = (office.stage.splynx_state(), office.stage.sage_state());
    let comparison = sandbox::compare::Comparison::of(&splynx, &sage);
    assert_eq!(comparison.sage_customers, comparison.splynx_customers);
}

#[tokio::test]
async fn without_scripts_every_page_works_and_a_run_is_still_followed_to_its_end() {
    let Some(component) = ready() else { return };
    let stage = Stage::new("tiny");
    stage.set_up(&component);
    by_hand(&stage);
    let office = Office::open(stage);
    let browser = browser::Browser::without_scripts(&office.serve.at("")).await;
    crate::office::log_in(&browser).await;
    browser.visit("installations/isp/jobs").await;
    browser.press("Run: Import mapping settings").await;
    ends(&browser, "finished").await;
    browser.visit("installations/isp/settings").await;
    browser.set("sync_every_minutes", "30").await;
    browser.press("Save settings").await;
    browser.sees("One setting was saved").await;
    browser.visit("installations/isp/jobs").await;
    browser.press("Run: Export customers to Sage").await;
    ends(&browser, "finished").await;
    browser.visit("installations/isp/pages/records").await;
    browser.fill("Search", "nobody is called so").await;
    browser.press("Show").await;
    browser.sees("Nothing fits").await;
    browser.visit("installations/isp/readiness").await;
    browser.press("Check now").await;
    browser.sees("Checked").await;
    browser.check_console().await;
    browser.close().await;
}
