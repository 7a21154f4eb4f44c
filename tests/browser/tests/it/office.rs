//! A host that serves, and somebody who sits before it.

use std::time::Duration;

use browser::Browser;
use end_to_end::{Serve, Stage, component};

pub const PASSWORD: &str = "a long enough password";

/// The component, or none where the tests have to be passed over.
pub fn ready() -> Option<Vec<u8>> {
    let component = component()?;
    (!browser::is_missing()).then(|| std::fs::read(component).expect("the component"))
}

pub struct Office {
    pub stage: Stage,
    pub serve: Serve,
}

impl Office {
    /// Serves what was set up before.
    pub fn open(stage: Stage) -> Self {
        let mut serve = Serve::start(&stage);
        serve.first_password();
        let account = stage.host_with_input(&["user", "set", "admin"], PASSWORD);
        account.ok();
        Self { stage, serve }
    }

    /// Somebody at the log-in page, with a window of their own.
    pub async fn visitor(&self) -> Browser {
        Browser::open(&self.serve.at("")).await
    }

    /// Somebody who is logged in.
    pub async fn bookkeeper(&self) -> Browser {
        let browser = self.visitor().await;
        log_in(&browser).await;
        browser
    }
}

/// Nothing runs by itself: a run that the schedule began would keep out the one a test is about to begin.
pub fn by_hand(stage: &Stage) {
    let off = ["customers", "invoices", "credit_notes", "payments"]
        .map(|kind| format!("cron_{kind}=off"));
    let off: Vec<&str> = off.iter().map(String::as_str).collect();
    stage
        .host(&[&["settings", "isp", "set"], &off[..]].concat())
        .ok();
}

pub async fn log_in(browser: &Browser) {
    browser.visit("").await;
    enter(browser, PASSWORD).await;
    browser.sees("Installations").await;
}

/// Tries a password on the log-in page.
pub async fn enter(browser: &Browser, password: &str) {
    browser.fill("Name", "admin").await;
    browser.fill("Password", password).await;
    browser.press("Log in").await;
}

/// Waits for the end of the run that was just started. The page is asked for anew each time: while it reloads itself, the driver
/// can lose it.
pub async fn ends(browser: &Browser, state: &str) {
    browser.sees("Started").await;
    let run = browser.path().await;
    assert!(run.starts_with("/runs/"), "{run}: {}", browser.text().await);
    let mut looks = 0;
    while !browser.text().await.contains("Ended") {
        looks += 1;
        assert!(
            looks < 300,
            "{run} goes on and on: {}",
            browser.text().await
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
        browser.visit(&run).await;
    }
    browser.sees(state).await;
}
