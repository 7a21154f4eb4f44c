//! A new version of the add-on: what it asks for is seen first, and the way back is one button.

use end_to_end::Stage;

use crate::office::{Office, by_hand, ends, ready};

#[tokio::test]
async fn an_update_shows_what_it_asks_for_and_is_taken_back_again() {
    let Some(component) = ready() else { return };
    let stage = Stage::new("tiny");
    stage.set_up(&component);
    by_hand(&stage);
    let next = Stage::manifest("0.2.0").replace("serial = 1\n", "serial = 2\n");
    let next = next.replace("per_minute = 70", "per_minute = 75");
    let (packed, package) = stage.pack("next", &next, &component);
    packed.ok();
    let office = Office::open(stage);
    let browser = office.bookkeeper().await;
    browser.follow("Add-ons").await;
    browser.inspect("add-ons").await;
    browser.fill_file("Package file", &package).await;
    browser.press("Look at it").await;
    browser
        .sees("It asks for more than the version in use")
        .await;
    browser.sees("75 requests a minute").await;
    browser.inspect("add-on-offer").await;
    browser.press("Agree and update").await;
    browser.sees("0.2.0 is installed").await;
    browser.visit("installations/isp/jobs").await;
    browser.press("Run: Import mapping settings").await;
    ends(&browser, "finished").await;
    browser.visit("addons").await;
    browser.unfold("Go back to 0.1.0").await;
    browser.inspect("add-on-back").await;
    browser.press("Go back to 0.1.0").await;
    browser.sees("0.1.0 is in use again").await;
    browser.close().await;
}
