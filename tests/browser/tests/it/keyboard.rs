//! Without a mouse.

use end_to_end::Stage;

use crate::office::{Office, PASSWORD, by_hand, ends, ready};

const ENTER: &str = "\u{e007}";
const SPACE: &str = " ";

#[tokio::test]
async fn somebody_logs_in_changes_a_setting_and_runs_a_job_by_the_keyboard_alone() {
    let Some(component) = ready() else { return };
    let stage = Stage::new("tiny");
    stage.set_up(&component);
    by_hand(&stage);
    let office = Office::open(stage);
    let browser = office.visitor().await;
    browser.visit("").await;
    // The name has the focus.
    browser.keys("admin").await;
    browser.tab_to("password").await;
    browser.keys(PASSWORD).await;
    browser.keys(ENTER).await;
    browser.sees("Installations").await;

    // The first stop skips the frame.
    browser.tab_to("Skip to the content").await;
    browser.keys(ENTER).await;
    browser.tab_to("isp").await;
    browser.check_focus().await;
    browser.keys(ENTER).await;
    browser.sees("Readiness").await;
    browser.tab_to("Set-up").await;
    browser.keys(ENTER).await;
    browser.tab_to("Settings").await;
    browser.keys(ENTER).await;
    browser.sees("API domain").await;
    browser.tab_to("f-auto_allocate_oldest").await;
    browser.check_focus().await;
    browser.keys(SPACE).await;
    browser.keys(ENTER).await;
    browser.sees("One setting was saved").await;

    browser.visit("installations/isp/jobs").await;
    browser.tab_to("Run: Import mapping settings").await;
    browser.check_focus().await;
    browser.keys(ENTER).await;
    ends(&browser, "finished").await;
    browser.close().await;
}
