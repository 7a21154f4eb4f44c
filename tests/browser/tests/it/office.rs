//! A host that serves, and somebody who sits before it.

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

/// Waits on the page of a run until it is over.
pub async fn ends(browser: &Browser, state: &str) {
    browser.sees("Ended").await;
    browser.sees(state).await;
}
